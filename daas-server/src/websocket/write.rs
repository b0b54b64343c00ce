//! Frames on their way out.

use std::io;
use std::time::Duration;

use fastwebsockets::{Frame, OpCode, Payload, WebSocketError, WebSocketWrite};
use tokio::io::WriteHalf;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Counted;

/// Most time for a close frame to leave, and for the other one to come.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes of the reason in a close frame (RFC 6455, section 5.5).
const REASON_MAX: usize = 123;

type Raw = WebSocketWrite<WriteHalf<Counted>>;

/// The way out, shared by who sends messages and by the reading task, which sends pongs.
pub(super) struct Writer {
    state: Mutex<State>,
}

struct State {
    raw: Raw,
    /// Whether a frame was begun and not finished: nothing can follow it.
    is_torn: bool,
}

impl Writer {
    pub(super) fn new(raw: Raw) -> Self {
        let is_torn = false;
        Self {
            state: Mutex::new(State { raw, is_torn }),
        }
    }

    pub(super) async fn text(&self, text: &[u8]) -> io::Result<()> {
        self.frame(OpCode::Text, text).await
    }

    pub(super) async fn binary(&self, data: &[u8]) -> io::Result<()> {
        self.frame(OpCode::Binary, data).await
    }

    pub(super) async fn pong(&self, data: &[u8]) -> io::Result<()> {
        self.frame(OpCode::Pong, data).await
    }

    /// Sends a close frame, if there was none; what does not leave in time does not.
    pub(super) async fn close(&self, code: u16, reason: &str) {
        let reason = &reason[..reason.floor_char_boundary(REASON_MAX)];
        let mut data = code.to_be_bytes().to_vec();
        data.extend_from_slice(reason.as_bytes());
        self.close_raw(&data).await;
    }

    pub(super) async fn close_raw(&self, data: &[u8]) {
        drop(timeout(PATIENCE, self.frame(OpCode::Close, data)).await);
    }

    /// Built anew each time, as a frame that was read would be sent masked.
    async fn frame(&self, opcode: OpCode, data: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().await;
        if state.is_torn || state.raw.is_closed() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        state.is_torn = true;
        let frame = Frame::new(true, opcode, None, Payload::Borrowed(data));
        state.raw.write_frame(frame).await.map_err(into_io)?;
        state.raw.flush().await.map_err(into_io)?;
        state.is_torn = false;
        Ok(())
    }
}

fn into_io(error: WebSocketError) -> io::Error {
    match error {
        WebSocketError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
