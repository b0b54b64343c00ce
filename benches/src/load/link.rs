//! One connection to what is measured: over a WebSocket, or bare.

use std::net::{IpAddr, SocketAddr};

use daas_core::Secret;
use daas_core::gateway::{Display, Gateway as _, Guacd, GuacdConfig, Target};
use daas_core::model::{Endpoint, Protocol};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Result;
use super::script::Spec;
use super::websocket::{Deframer, Part, open, put_text};

/// Bytes that are read at a time.
const READ: usize = 16 * 1024;

/// What is said through a tunnel to its other end, and not to the desktop.
const INTERNAL: u8 = b'0';

/// A connection on which a script is about to be played.
pub(super) struct Link {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    framing: Framing,
    /// What was read and not taken.
    unread: Vec<u8>,
    out: Vec<u8>,
}

enum Framing {
    Bare,
    WebSocket {
        deframer: Deframer,
        /// Whether the present message is for the tunnel.
        internal: bool,
    },
}

impl Link {
    /// Opens a WebSocket.
    ///
    /// # Errors
    /// Where the server does not upgrade.
    pub(super) async fn web_socket(address: SocketAddr, path: &str, more: &str) -> Result<Self> {
        let (stream, unread) = open(address, path, more).await?;
        let (reader, writer) = stream.into_split();
        Ok(Self {
            reader: Box::new(reader),
            writer: Box::new(writer),
            framing: Framing::WebSocket {
                deframer: Deframer::default(),
                internal: false,
            },
            unread,
            out: Vec::new(),
        })
    }

    /// Connects to a guacd, or to what passes all on to one.
    ///
    /// # Errors
    /// Where the handshake fails.
    pub(super) async fn bare(address: SocketAddr, spec: Spec) -> Result<Self> {
        let guacd = Guacd::new(GuacdConfig::new(vec![address.to_string()]));
        let connection = guacd
            .connect(&target(&spec.to_string()), &display())
            .await?;
        Ok(Self {
            reader: connection.reader,
            writer: connection.writer,
            framing: Framing::Bare,
            unread: connection.read_ahead,
            out: Vec::new(),
        })
    }

    /// Reads once, and calls `each` for what is of the desktop. False at the end.
    /// Nothing is lost where the future is dropped.
    ///
    /// # Errors
    /// Where the connection breaks, or `each` has something against it.
    pub(super) async fn receive(&mut self, each: impl FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        let mut room = [0; READ];
        if self.unread.is_empty() {
            let length = self.reader.read(&mut room).await?;
            return match length {
                0 => Ok(false),
                _ => self.framing.take(&room[..length], each),
            };
        }
        let unread = std::mem::take(&mut self.unread);
        self.framing.take(&unread, each)
    }

    /// Sends instructions, each as a message of its own, as a browser does.
    ///
    /// # Errors
    /// Where the connection breaks.
    pub(super) async fn send(&mut self, instructions: &[String]) -> Result<()> {
        self.out.clear();
        for instruction in instructions {
            match self.framing {
                Framing::Bare => self.out.extend_from_slice(instruction.as_bytes()),
                Framing::WebSocket { .. } => put_text(instruction.as_bytes(), &mut self.out),
            }
        }
        self.writer.write_all(&self.out).await?;
        Ok(())
    }
}

impl Framing {
    /// Whether more is to come.
    fn take(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        let Self::WebSocket { deframer, internal } = self else {
            return each(bytes).map(|()| true);
        };
        while let Some(part) = deframer.next(&mut bytes) {
            let Part::Text(text, begins) = part else {
                return Ok(false);
            };
            if begins {
                *internal = text[0] == INTERNAL;
            }
            if !*internal {
                each(text)?;
            }
        }
        Ok(true)
    }
}

/// A desktop, as far as a scripted guacd wants to know.
pub(super) fn target(password: &str) -> Target {
    Target::new(
        Protocol::Vnc,
        Endpoint {
            address: IpAddr::from([127, 0, 0, 1]),
            port: 5901,
        },
        Secret::new(password.to_owned()),
    )
}

fn display() -> Display {
    Display {
        width: 1024,
        height: 768,
        dpi: 96,
        images: vec!["image/png".to_owned()],
        audio: Vec::new(),
        timezone: None,
        name: None,
    }
}
