//! A TCP stream that does not wait for ever.
//!
//! Its time limit follows what the connection does: little time for the head of a request,
//! more between requests, and none while an answer is made, which bounds itself. A peer
//! that does not read what is sent has a limit too.

use std::io;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// The head of a request is awaited: the first one, or one that has begun.
    Head,
    /// A request is being answered, or the connection is being set up, which has a limit of
    /// its own.
    Busy,
    /// The next request is awaited.
    Idle,
}

/// Time limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    /// Without progress while sending.
    pub(super) send: Duration,
}

/// What a connection does, known to the stream and to whoever answers.
#[derive(Clone, Debug)]
pub(super) struct State(Arc<AtomicU8>);

impl State {
    fn new() -> Self {
        Self(Arc::new(AtomicU8::new(Phase::Busy as u8)))
    }

    fn phase(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Head,
            1 => Phase::Busy,
            _ => Phase::Idle,
        }
    }

    /// The head of the first request is awaited, from now on.
    pub(super) fn begin(&self) {
        self.set(Phase::Head);
    }

    fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }

    /// A request has come; its answer is through when this is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.set(Phase::Busy);
        Busy(Some(self.clone()))
    }
}

/// An answer under way.
#[derive(Debug)]
pub(super) struct Busy(Option<State>);

impl Busy {
    /// The connection becomes something else: none of the limits hold any more.
    pub(super) fn forever(mut self) {
        self.0 = None;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            state.set(Phase::Idle);
        }
    }
}

/// The stream.
#[derive(Debug)]
pub(super) struct Timed {
    stream: TcpStream,
    state: State,
    times: Times,
    read_timer: Pin<Box<Sleep>>,
    /// What the timer was set for.
    timed: Phase,
    write_timer: Option<Pin<Box<Sleep>>>,
    /// Whether there are no limits any more.
    is_free: bool,
}

impl Timed {
    /// The limit for the head begins with [`State::begin`].
    pub(super) fn new(stream: TcpStream, times: Times) -> Self {
        Self {
            stream,
            state: State::new(),
            times,
            read_timer: Box::pin(sleep(times.head)),
            timed: Phase::Busy,
            write_timer: None,
            is_free: false,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state.clone()
    }

    /// The stream alone, for connections that became something else.
    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// Ends all limits, for connections that became something else.
    pub(super) fn free(&mut self) {
        self.is_free = true;
        self.write_timer = None;
    }

    /// Registers the stream with the present runtime. There is no other way to replace what
    /// lies below TLS than by a second handle of the same socket.
    pub(super) fn adopt(&mut self) -> io::Result<()> {
        let handle = self.stream.as_fd().try_clone_to_owned()?;
        self.stream = TcpStream::from_std(handle.into())?;
        Ok(())
    }

    fn poll_read_timer(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.is_free {
            return Poll::Pending;
        }
        let phase = self.state.phase();
        if self.timed != phase {
            self.timed = phase;
            let limit = if phase == Phase::Head {
                self.times.head
            } else {
                self.times.idle
            };
            self.read_timer.as_mut().reset(Instant::now() + limit);
        }
        if phase == Phase::Busy {
            return Poll::Pending;
        }
        self.read_timer.as_mut().poll(cx).map(late)
    }

    /// Sets the timer where nothing could be sent, and forgets it where something could.
    fn time_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        sent: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if sent.is_ready() || self.is_free {
            self.write_timer = None;
            return sent;
        }
        let limit = self.times.send;
        let timer = self
            .write_timer
            .get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(cx).map(|()| Err(late(())))
    }
}

fn late((): ()) -> io::Error {
    io::ErrorKind::TimedOut.into()
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) {
            if self.state.phase() == Phase::Idle {
                self.state.set(Phase::Head);
            }
            return Poll::Ready(read);
        }
        self.poll_read_timer(cx).map(Err)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.time_write(cx, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.time_write(cx, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
