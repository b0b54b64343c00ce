//! The stream of a connection: TCP, or TLS over it.
//!
//! The time limits lie below TLS, where progress can be seen.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::timed::{State, Timed};

/// The stream.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(Timed),
    Tls(Box<TlsStream<Timed>>),
}

impl Wire {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Plain(stream) => stream.state(),
            Self::Tls(stream) => stream.get_ref().0.state(),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A connection that HTTP is done with.
#[derive(Debug)]
pub enum Detached {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS.
    Tls(DetachedTls),
}

/// TLS over TCP, without the time limits of HTTP. What is written has to be flushed.
#[derive(Debug)]
pub struct DetachedTls(Box<TlsStream<Timed>>);

impl Detached {
    /// Hands the connection to the runtime that this is called on; it would be woken by that
    /// of the HTTP server otherwise, and end with it.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn adopt(self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(TcpStream::from_std(stream.into_std()?)?),
            Self::Tls(DetachedTls(mut stream)) => {
                stream.get_mut().0.adopt()?;
                Self::Tls(DetachedTls(stream))
            }
        })
    }
}

impl AsyncRead for DetachedTls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for DetachedTls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The stream below an upgraded connection and what was read from it already, so that it
/// can be moved to another runtime.
///
/// # Errors
/// The connection as it was, where it did not come from [`serve`](super::serve()).
pub fn detach(upgraded: Upgraded) -> Result<(Detached, Bytes), Upgraded> {
    let parts = upgraded.downcast::<TokioIo<Wire>>()?;
    let stream = match parts.io.into_inner() {
        Wire::Plain(stream) => Detached::Tcp(stream.into_inner()),
        Wire::Tls(mut stream) => {
            stream.get_mut().0.free();
            Detached::Tls(DetachedTls(stream))
        }
    };
    Ok((stream, parts.read_buf))
}
