//! Frames on their way in, in a task of its own: a read of fastwebsockets that is dropped
//! half-way loses bytes.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::BytesMut;
use fastwebsockets::{Frame, OpCode, Payload, WebSocketError, WebSocketRead};
use tokio::io::ReadHalf;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::write::{PATIENCE, Writer};
use super::{Counted, Event, Limits, Message};

/// Most bytes of the data of a control frame (RFC 6455, section 5.5).
const CONTROL_MAX: usize = 125;
/// Room for the head of a frame.
const HEAD: usize = 16;

const PROTOCOL_ERROR: u16 = 1002;
const UNSUPPORTED_DATA: u16 = 1003;
const INVALID_DATA: u16 = 1007;
const TOO_BIG: u16 = 1009;

pub(super) struct Reading {
    pub(super) reader: WebSocketRead<ReadHalf<Counted>>,
    pub(super) writer: Arc<Writer>,
    pub(super) limits: Limits,
    pub(super) messages: mpsc::Sender<Event>,
    /// Set when this side closes: what comes then is dropped.
    pub(super) closing: watch::Receiver<bool>,
    /// Dropped with the task.
    pub(super) _done: watch::Sender<bool>,
}

/// A message of which not all frames are there.
struct Partial {
    is_text: bool,
    data: BytesMut,
    /// Leading bytes that are known to be UTF-8.
    valid: usize,
}

/// What ends the reading.
enum Stop {
    Closed(Option<u16>),
    Lost(String),
    /// With the code to close with.
    Violation(u16, &'static str),
}

impl Reading {
    pub(super) async fn run(mut self) {
        self.reader.set_auto_close(false);
        self.reader.set_auto_pong(false);
        // It takes messages that are shorter than that.
        let most = self.limits.message_bytes.saturating_add(1);
        self.reader.set_max_message_size(most);
        let stop = self.messages().await;
        let event = match stop {
            Stop::Closed(code) => Event::Closed(code),
            Stop::Lost(error) => Event::Lost(error),
            Stop::Violation(code, text) => {
                self.writer.close(code, text).await;
                self.drain().await;
                Event::Violation(text.to_owned())
            }
        };
        self.hand_over(event).await;
    }

    async fn messages(&mut self) -> Stop {
        let mut partial = None;
        loop {
            let frame = match read(&mut self.reader).await {
                Ok(frame) => frame,
                Err(error) => return stop_of(error),
            };
            let message = match take(frame, &mut partial, &self.limits) {
                Ok(Taken::Message(message)) => message,
                Ok(Taken::Ping(data)) => {
                    // Where it cannot be sent, the next read ends.
                    drop(self.writer.pong(&data).await);
                    continue;
                }
                Ok(Taken::Nothing) => continue,
                Ok(Taken::Close(data)) => {
                    self.writer.close_raw(&data).await;
                    return Stop::Closed(code(&data));
                }
                Err(stop) => return stop,
            };
            if !self.hand_over(Event::Message(message)).await {
                return Stop::Lost("nobody listens any more".to_owned());
            }
        }
    }

    /// Waits until the event is wanted. Whether anybody is left who may want one.
    async fn hand_over(&mut self, event: Event) -> bool {
        if *self.closing.borrow() {
            return true;
        }
        tokio::select! {
            sent = self.messages.send(event) => sent.is_ok(),
            changed = self.closing.changed() => changed.is_ok(),
        }
    }

    /// Reads what is still on its way, so that the connection ends without a reset that
    /// would overtake the close frame.
    async fn drain(&mut self) {
        let drain = async {
            loop {
                match read(&mut self.reader).await {
                    Err(WebSocketError::UnexpectedEOF | WebSocketError::IoError(_)) => break,
                    Ok(frame) if frame.opcode == OpCode::Close => break,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        drop(timeout(PATIENCE, drain).await);
    }
}

/// Pongs and close frames are this module's own, so nothing is to be sent.
async fn read<'r>(
    reader: &'r mut WebSocketRead<ReadHalf<Counted>>,
) -> Result<Frame<'r>, WebSocketError> {
    let mut send = |_: Frame<'_>| async { Ok::<_, Infallible>(()) };
    reader.read_frame(&mut send).await
}

fn stop_of(error: WebSocketError) -> Stop {
    match error {
        WebSocketError::InvalidUTF8 => Stop::Violation(INVALID_DATA, "text is not UTF-8"),
        WebSocketError::FrameTooLarge => Stop::Violation(TOO_BIG, "message is too big"),
        WebSocketError::UnexpectedEOF => Stop::Lost("end of stream".to_owned()),
        WebSocketError::IoError(error) => Stop::Lost(error.to_string()),
        WebSocketError::ReservedBitsNotZero => {
            Stop::Violation(PROTOCOL_ERROR, "reserved bits are set")
        }
        _ => Stop::Violation(PROTOCOL_ERROR, "frame is malformed"),
    }
}

enum Taken {
    Message(Message),
    Ping(BytesMut),
    Close(BytesMut),
    Nothing,
}

fn take(
    mut frame: Frame<'_>,
    partial: &mut Option<Partial>,
    limits: &Limits,
) -> Result<Taken, Stop> {
    let mut head = [0; HEAD];
    frame.fmt_head(&mut head);
    // Which fastwebsockets does not check.
    if head[1] & 0x80 == 0 {
        return Err(Stop::Violation(PROTOCOL_ERROR, "frame is not masked"));
    }
    let (opcode, fin) = (frame.opcode, frame.fin);
    let data = match frame.payload {
        Payload::Bytes(data) => data,
        other => BytesMut::from(&other[..]),
    };
    match opcode {
        OpCode::Ping | OpCode::Pong | OpCode::Close if data.len() > CONTROL_MAX => {
            Err(Stop::Violation(PROTOCOL_ERROR, "control frame is too long"))
        }
        OpCode::Ping => Ok(Taken::Ping(data)),
        OpCode::Pong => Ok(Taken::Nothing),
        OpCode::Close => check_close(&data).map(|()| Taken::Close(data)),
        OpCode::Binary if !limits.binary => {
            Err(Stop::Violation(UNSUPPORTED_DATA, "only text is taken"))
        }
        OpCode::Text | OpCode::Binary if partial.is_some() => Err(Stop::Violation(
            PROTOCOL_ERROR,
            "new message inside another",
        )),
        OpCode::Text if fin => Ok(Taken::Message(Message::Text(data.freeze()))),
        OpCode::Binary if fin => Ok(Taken::Message(Message::Binary(data.freeze()))),
        OpCode::Text | OpCode::Binary => {
            let is_text = opcode == OpCode::Text;
            let first = Partial {
                is_text,
                data: BytesMut::new(),
                valid: 0,
            };
            let first = partial.insert(first);
            first.add(&data, fin, limits).map(|()| Taken::Nothing)
        }
        OpCode::Continuation => go_on(&data, fin, partial, limits),
    }
}

fn go_on(
    data: &[u8],
    fin: bool,
    partial: &mut Option<Partial>,
    limits: &Limits,
) -> Result<Taken, Stop> {
    let message = partial
        .as_mut()
        .ok_or(Stop::Violation(PROTOCOL_ERROR, "nothing to continue"))?;
    message.add(data, fin, limits)?;
    if !fin {
        return Ok(Taken::Nothing);
    }
    let whole = partial.take().map(|whole| (whole.is_text, whole.data));
    let (is_text, data) = whole.unwrap_or_default();
    Ok(Taken::Message(if is_text {
        Message::Text(data.freeze())
    } else {
        Message::Binary(data.freeze())
    }))
}

impl Partial {
    /// Adds a fragment. Text is checked as it comes, so that what cannot become valid is
    /// refused at once.
    fn add(&mut self, data: &[u8], fin: bool, limits: &Limits) -> Result<(), Stop> {
        if self.data.len() + data.len() > limits.message_bytes {
            return Err(Stop::Violation(TOO_BIG, "message is too big"));
        }
        self.data.extend_from_slice(data);
        if !self.is_text {
            return Ok(());
        }
        let invalid = Stop::Violation(INVALID_DATA, "text is not UTF-8");
        match std::str::from_utf8(self.data.get(self.valid..).unwrap_or_default()) {
            Ok(text) => self.valid += text.len(),
            Err(error) if error.error_len().is_some() || fin => return Err(invalid),
            Err(error) => self.valid += error.valid_up_to(),
        }
        Ok(())
    }
}

fn code(data: &[u8]) -> Option<u16> {
    data.first_chunk().map(|code| u16::from_be_bytes(*code))
}

/// RFC 6455, sections 5.5.1 and 7.4: nothing, or a code that may be sent and a text.
fn check_close(data: &[u8]) -> Result<(), Stop> {
    let wrong = |text| Err(Stop::Violation(PROTOCOL_ERROR, text));
    match (data.len(), code(data)) {
        (0, _) => Ok(()),
        (_, Some(1000..=1003 | 1007..=1014 | 3000..=4999)) => {
            match std::str::from_utf8(data.get(2..).unwrap_or_default()) {
                Ok(_) => Ok(()),
                Err(_) => Err(Stop::Violation(INVALID_DATA, "reason is not UTF-8")),
            }
        }
        (_, Some(_)) => wrong("close code is not allowed"),
        (_, None) => wrong("close code is cut"),
    }
}
