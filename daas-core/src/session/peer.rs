//! What a session needs of the connection to a browser.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;

/// The size that a browser would like the screen to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScreenSize {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// The way to a browser.
pub trait BrowserSink: Send {
    /// Sends one message of whole instructions, and is done when the transport has taken
    /// all of it: that is what holds the gateway back.
    ///
    /// When the future is dropped before, no other message can follow, and all further
    /// calls fail.
    fn send(&mut self, text: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// Ends the connection with a close code and a short reason, within a few seconds.
    fn close(&mut self, code: u16, reason: &str) -> impl Future<Output = ()> + Send;

    /// Bytes that the transport has taken so far; grows also during a
    /// [`send`](Self::send).
    fn written(&self) -> Arc<AtomicU64>;
}

/// The way from a browser.
pub trait BrowserStream: Send {
    /// The next message. Nothing is lost where the future is dropped.
    fn receive(&mut self) -> impl Future<Output = Received> + Send;
}

/// What comes from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A text message.
    Message(Bytes),
    /// The browser closed the connection, with this code.
    Closed(Option<u16>),
    /// The connection broke.
    Lost(String),
    /// The browser broke the rules of the transport, and was told so.
    Violation(String),
}
