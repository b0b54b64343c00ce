//! What turns a desktop into Guacamole instructions: one trait, and its backends.

mod guacd;
mod probe;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

pub use probe::probe_guacd;

pub use guac_protocol::Status;
pub use guacd::{Guacd, GuacdConfig};

use crate::error::{Error, Result};
use crate::hypervisor::Hypervisor;
use crate::model::{Endpoint, InstanceId, LogIn, Protocol};
use crate::secret::Secret;

/// The desktop to connect to.
#[derive(Clone, Debug)]
pub struct Target {
    /// How it speaks.
    pub protocol: Protocol,
    /// How it is reached.
    pub way: Way,
    /// How the person is logged in.
    pub log_in: LogIn,
    /// Whether input is to be ignored.
    pub read_only: bool,
}

impl Target {
    /// One that listens, and takes its password alone; with input.
    #[must_use]
    pub fn new(protocol: Protocol, endpoint: Endpoint, password: Secret<String>) -> Self {
        Self {
            protocol,
            way: Way::Address { endpoint, password },
            log_in: LogIn::default(),
            read_only: false,
        }
    }
}

/// How a desktop is reached.
#[derive(Clone)]
pub enum Way {
    /// It listens.
    Address {
        /// Where.
        endpoint: Endpoint,
        /// What it asks for.
        password: Secret<String>,
    },
    /// By the console of its machine, which is opened for each connection.
    Console {
        /// What runs it.
        hypervisor: Arc<dyn Hypervisor>,
        /// Which instance it is.
        instance: InstanceId,
    },
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { endpoint, .. } => endpoint.fmt(f),
            Self::Console { instance, .. } => write!(f, "the console of {instance}"),
        }
    }
}

/// The display of whoever looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Display {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Dots per inch.
    pub dpi: u32,
    /// Image types that it can show.
    pub images: Vec<String>,
    /// Audio types that it can play.
    pub audio: Vec<String>,
    /// Name of its time zone, if known.
    pub timezone: Option<String>,
    /// Name of the person, if it may be shown to others.
    pub name: Option<String>,
}

/// An open connection: instructions flow both ways.
pub struct Connection {
    /// Id of the connection at the gateway; a secret, as it lets others join.
    pub id: Secret<String>,
    /// From the desktop.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// Bytes that were read along with the handshake, to be taken before the reader's.
    pub read_ahead: Vec<u8>,
    /// To the desktop.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Whether the gateway itself passes `size` on to the desktop.
    pub resizes: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// Why a connection was not opened.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct ConnectError {
    /// What the browser is told, for what it does next.
    pub status: Status,
    /// Why, in plain words for the person who waits, without secrets.
    pub reason: String,
    /// What went wrong, for the log.
    #[source]
    pub source: Option<Error>,
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::Unavailable {
            backend: "gateway",
            operation: "connect",
            source: Some(Box::new(error)),
        }
    }
}

/// Opens connections to desktops.
///
/// # Contract
/// - Answers within its own time limit, also where the other side says nothing.
/// - Dropping a connection ends it at the gateway.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Whether it can be reached.
    async fn check(&self) -> Result<()>;
    /// Opens a connection to a desktop.
    async fn connect(&self, target: &Target, display: &Display)
    -> Result<Connection, ConnectError>;
}
