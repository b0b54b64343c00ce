//! WebSockets: the one place that knows fastwebsockets.
//!
//! Text messages only. What that crate leaves to its users is done here: the checks of the
//! upgrade ([`accept`]), a limit for whole messages and not only for frames, close codes
//! for what is against the rules, a read that survives being dropped, and flushing.

mod accept;
mod read;
mod write;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use fastwebsockets::{Role, after_handshake_split};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use accept::{Origins, Refusal, accept};
use write::Writer;

use daas_core::session::{BrowserSink, BrowserStream, Received};

/// What a connection may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a message, however many frames it comes in.
    pub message_bytes: usize,
    /// Whether binary messages are taken as well; [`Stream::receive_any`] tells them apart.
    pub binary: bool,
}

impl Limits {
    /// Those of a tunnel: an instruction of the longest kind that guacd takes, text only.
    pub const TUNNEL: Self = Self {
        message_bytes: 32 * 1024,
        binary: false,
    };
}

/// A WebSocket that is open.
pub struct Socket {
    sink: Sink,
    stream: Stream,
}

impl Socket {
    /// Speaks the server's side on a connection that has been upgraded. Reads in a task of
    /// its own, on the runtime that this is called on.
    #[must_use]
    pub fn new(io: impl AsyncRead + AsyncWrite + Send + 'static, limits: Limits) -> Self {
        let written = Arc::new(AtomicU64::new(0));
        let io = Counted {
            io: Box::pin(io),
            written: Arc::clone(&written),
        };
        let (reader, writer) = tokio::io::split(io);
        let (reader, writer) = after_handshake_split(reader, writer, Role::Server);
        let writer = Arc::new(Writer::new(writer));
        let (messages, received) = mpsc::channel(1);
        let (closing, is_closing) = watch::channel(false);
        let (done, is_done) = watch::channel(false);
        let reading = read::Reading {
            reader,
            writer: Arc::clone(&writer),
            limits,
            messages,
            closing: is_closing,
            _done: done,
        };
        let task = tokio::spawn(reading.run());
        Self {
            sink: Sink {
                writer,
                closing,
                done: is_done,
                written,
            },
            stream: Stream { received, task },
        }
    }

    /// Both directions apart. Dropping the stream ends the connection.
    #[must_use]
    pub fn split(self) -> (Sink, Stream) {
        (self.sink, self.stream)
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

/// Sends messages.
pub struct Sink {
    writer: Arc<Writer>,
    closing: watch::Sender<bool>,
    done: watch::Receiver<bool>,
    written: Arc<AtomicU64>,
}

impl Sink {
    /// Sends a binary message; see [`BrowserSink::send`].
    ///
    /// # Errors
    /// Where the connection is closed, or was left in the middle of a frame.
    pub async fn send_binary(&mut self, data: &[u8]) -> io::Result<()> {
        self.writer.binary(data).await
    }
}

impl BrowserSink for Sink {
    async fn send(&mut self, text: &[u8]) -> io::Result<()> {
        self.writer.text(text).await
    }

    /// Sends a close frame and waits for the other one, two seconds at most for each.
    async fn close(&mut self, code: u16, reason: &str) {
        // What still comes is not wanted any more.
        self.closing.send_replace(true);
        self.writer.close(code, reason).await;
        let wait = async { while self.done.changed().await.is_ok() {} };
        drop(tokio::time::timeout(write::PATIENCE, wait).await);
    }

    fn written(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.written)
    }
}

/// A message, with its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Valid UTF-8.
    Text(Bytes),
    /// Anything.
    Binary(Bytes),
}

/// What the reading task hands over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message.
    Message(Message),
    /// The other side closed the connection, with this code.
    Closed(Option<u16>),
    /// The connection broke.
    Lost(String),
    /// The other side broke the rules, and was told so by a close frame.
    Violation(String),
}

/// Receives messages.
pub struct Stream {
    received: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

impl Stream {
    /// The next message of any kind. Nothing is lost where the future is dropped.
    pub async fn receive_any(&mut self) -> Event {
        let event = self.received.recv().await;
        event.unwrap_or_else(|| Event::Lost("closed before".to_owned()))
    }
}

impl BrowserStream for Stream {
    async fn receive(&mut self) -> Received {
        match self.receive_any().await {
            Event::Message(Message::Text(text) | Message::Binary(text)) => Received::Message(text),
            Event::Closed(code) => Received::Closed(code),
            Event::Lost(error) => Received::Lost(error),
            Event::Violation(text) => Received::Violation(text),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts what the transport takes.
struct Counted {
    io: Pin<Box<dyn Io>>,
    written: Arc<AtomicU64>,
}

trait Io: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

impl Counted {
    fn count(&self, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(written)) = poll {
            self.written.fetch_add(written as u64, Relaxed);
        }
        poll
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = self.io.as_mut().poll_write(context, bytes);
        self.count(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = self.io.as_mut().poll_write_vectored(context, parts);
        self.count(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_shutdown(context)
    }
}
