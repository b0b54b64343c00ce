//! Bodies of answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::mpsc;

use super::timed::Busy;

/// The body of an answer: all at once, or in pieces as they come.
#[derive(Debug)]
pub struct Body {
    content: Content,
    /// Tells the connection when the answer is through.
    busy: Option<Busy>,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Pieces(mpsc::Receiver<Bytes>),
}

impl Body {
    /// Nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    const fn whole(bytes: Bytes) -> Self {
        Self {
            content: Content::Whole(bytes),
            busy: None,
        }
    }

    /// Pieces as they come; it ends with the sender.
    #[must_use]
    pub const fn pieces(receiver: mpsc::Receiver<Bytes>) -> Self {
        Self {
            content: Content::Pieces(receiver),
            busy: None,
        }
    }

    pub(super) fn keep(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::whole(bytes.into())
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match &mut self.content {
            Content::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Content::Pieces(receiver) => ready!(receiver.poll_recv(cx)),
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Pieces(_) => SizeHint::default(),
        }
    }
}
