//! What a tunnel says for itself: the opcode `""`, which guacd never sees.
//!
//! A tunnel over a WebSocket carries text frames of whole instructions. Its server first
//! sends the id of the tunnel; the browser then sends a ping from time to time, and wants
//! it back. Sources: guacamole-client, `Tunnel.js` (`Guacamole.WebSocketTunnel`) and
//! `GuacamoleWebSocketTunnelEndpoint.java`.
//!
//! ```
//! use guac_protocol::tunnel::{Internal, TunnelId};
//! use guac_protocol::{Decoded, Decoder, Encoder, Limits};
//!
//! let encoder = Encoder::new(Limits::NONE);
//! let id = TunnelId::from_random([7; 16]);
//! let mut first = Vec::new();
//! encoder.encode_vec(&Internal::Uuid(id.as_str()), &mut first)?;
//! assert_eq!(first, b"0.,36.07070707-0707-4707-8707-070707070707;");
//!
//! let ping = b"0.,4.ping,13.1790000000000;";
//! let mut decoder = Decoder::new(Limits::NONE);
//! let Decoded::Complete { instruction, .. } = decoder.decode(ping)? else {
//!     unreachable!();
//! };
//! let Some(internal @ Internal::Ping { .. }) = Internal::parse(instruction) else {
//!     unreachable!();
//! };
//! let mut answer = Vec::new();
//! encoder.encode_vec(&internal, &mut answer)?;
//! assert_eq!(answer, ping);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::{Encode, Instruction, Opcode};

/// The subprotocol that browsers ask for, and that the answer has to name
/// (guacamole-client, `Tunnel.js`, the `WebSocket` that is opened).
pub const SUBPROTOCOL: &str = "guacamole";

/// How often a browser sends a ping (guacamole-client, `Tunnel.js`, `PING_FREQUENCY`).
pub const PING_INTERVAL: Duration = Duration::from_millis(500);

/// Silence of the server after which a browser shows the connection as unstable
/// (guacamole-client, `Tunnel.js`, `unstableThreshold`).
pub const UNSTABLE_THRESHOLD: Duration = Duration::from_millis(1500);

/// Silence of the server after which a browser closes the tunnel (guacamole-client,
/// `Tunnel.js`, `receiveTimeout`).
pub const RECEIVE_TIMEOUT: Duration = Duration::from_secs(15);

/// How often a browser sends `nop` to guacd (guacamole-client, `Client.js`,
/// `KEEP_ALIVE_FREQUENCY`).
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// First argument of a ping.
const PING: &str = "ping";

/// An instruction of the tunnel itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Internal<'a> {
    /// A ping of a browser, or the answer to one, which is the same.
    Ping {
        /// When the browser sent it, in milliseconds since 1970; the answer has the same
        /// text, whatever it is.
        timestamp: &'a str,
    },
    /// The id of the tunnel, which the server sends first of all. [`TunnelId`] checks it.
    Uuid(&'a str),
    /// Anything else. Peers drop it.
    Unknown(Instruction<'a>),
}

impl<'a> Internal<'a> {
    /// Reads an instruction of a tunnel; none where it is not for the tunnel, but for
    /// whom it connects.
    ///
    /// A ping may have more arguments than its timestamp, as for guacamole-client
    /// (`GuacamoleWebSocketTunnelEndpoint.java`); they do not come back in the answer.
    #[must_use]
    pub fn parse(instruction: Instruction<'a>) -> Option<Self> {
        if instruction.opcode() != Opcode::Internal {
            return None;
        }
        Some(match (instruction.get(1), instruction.get(2)) {
            (Some(PING), Some(timestamp)) => Self::Ping { timestamp },
            (Some(uuid), None) => Self::Uuid(uuid),
            _ => Self::Unknown(instruction),
        })
    }
}

impl Encode for Internal<'_> {
    fn elements<E>(&self, each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        let opcode = Opcode::Internal.as_str();
        match self {
            Self::Ping { timestamp } => [opcode, PING, timestamp].elements(each),
            Self::Uuid(uuid) => [opcode, uuid].elements(each),
            Self::Unknown(instruction) => Encode::elements(instruction, each),
        }
    }
}

/// Characters of a UUID.
const UUID: usize = 36;

/// The id of a tunnel: a UUID, in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TunnelId {
    text: [u8; UUID],
}

/// A text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InvalidTunnelId;

impl fmt::Display for InvalidTunnelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tunnel id is not a UUID")
    }
}

impl core::error::Error for InvalidTunnelId {}

/// Whether a `-` stands at this offset of a UUID.
const fn is_hyphen(offset: usize) -> bool {
    matches!(offset, 8 | 13 | 18 | 23)
}

impl TunnelId {
    /// A UUID of version 4, the random one, from 16 random bytes of the caller's (RFC
    /// 9562, section 5.4). Six bits give way to version and variant.
    ///
    /// Who knows the id can name the tunnel, so the bytes should be hard to guess.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0F) | 0x40;
        bytes[8] = (bytes[8] & 0x3F) | 0x80;
        let mut digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
        let text = core::array::from_fn(|offset| {
            if is_hyphen(offset) {
                b'-'
            } else {
                let digit = usize::from(digits.next().unwrap_or(0));
                b"0123456789abcdef"[digit % 16]
            }
        });
        Self { text }
    }

    /// The id as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.text).unwrap_or_default()
    }
}

impl FromStr for TunnelId {
    type Err = InvalidTunnelId;

    /// Reads a UUID of any version, in upper or lower case.
    fn from_str(text: &str) -> Result<Self, InvalidTunnelId> {
        let mut text: [u8; UUID] = text.as_bytes().try_into().map_err(|_| InvalidTunnelId)?;
        let valid = text.iter().enumerate().all(|(offset, character)| {
            if is_hyphen(offset) {
                *character == b'-'
            } else {
                character.is_ascii_hexdigit()
            }
        });
        text.make_ascii_lowercase();
        valid.then_some(Self { text }).ok_or(InvalidTunnelId)
    }
}

impl fmt::Display for TunnelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TunnelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TunnelId").field(&self.as_str()).finish()
    }
}
