//! Why sessions end.

use std::fmt;

use guac_protocol::{ArgumentError, Error, Opcode, Status};

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The browser said `disconnect`, or closed the connection.
    BrowserLeft {
        /// The code of its close frame, if there was one.
        code: Option<u16>,
    },
    /// The connection to the browser broke.
    BrowserLost(String),
    /// The browser sent what it may not, or what is no instruction.
    BrowserRefused(Refusal),
    /// Nothing came from the browser for too long.
    BrowserSilent,
    /// The browser took nothing for too long.
    BrowserStalled,
    /// The gateway ended the connection.
    GatewayEnded {
        /// Status of its `error`; none where it only said `disconnect`.
        status: Option<Status>,
        /// Text of its `error`.
        message: String,
    },
    /// The connection to the gateway broke.
    GatewayLost(String),
    /// What the gateway sent is no instruction.
    GatewayProtocol(Error),
    /// The gateway sent what has no place in a session.
    GatewayUnexpected(Opcode),
    /// The desktop asks for credentials.
    GatewayAsks,
    /// The gateway sent or took nothing for too long.
    GatewaySilent(Direction),
    /// The server ended it.
    Stopped(StopReason),
}

/// A way, seen from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the peer.
    Receiving,
    /// To the peer.
    Sending,
}

/// Why the server ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The instance is stopped, suspended or deleted.
    InstanceStopped,
    /// The person logged out, or was logged out.
    LoggedOut,
    /// The right to see the instance was taken back.
    Revoked,
    /// The server is about to end.
    ShuttingDown,
    /// Another session took this one's place.
    TakenOver,
    /// Nobody used it for too long.
    Idle,
    /// The hours that the desktops of the person may run are used up.
    OutOfTime,
    /// The time that the desktop was to run is over.
    LifetimeOver,
}

/// Why a message of a browser was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not made of whole instructions.
    Malformed(Error),
    /// It ends inside an instruction.
    Incomplete,
    /// Arguments of an instruction are missing, too many, or not what they should be.
    Arguments(ArgumentError),
    /// The instruction is known, but not for browsers in a session.
    Forbidden(Opcode),
    /// The instruction is not known; its opcode, cut at 32 characters.
    Unknown(String),
    /// Data of a blob is not base64.
    Blob,
    /// More is to be answered than may wait.
    Flood,
    /// Against the rules of the transport.
    Transport(String),
}

impl Refusal {
    fn status(&self) -> Status {
        match self {
            Self::Forbidden(_) => Status::ClientUnauthorized,
            Self::Flood => Status::ClientOverrun,
            _ => Status::ClientBadRequest,
        }
    }
}

impl End {
    /// The status that the browser is told.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::BrowserLeft { .. } => Status::Success,
            Self::BrowserLost(_) | Self::BrowserSilent | Self::BrowserStalled => {
                Status::ClientTimeout
            }
            Self::BrowserRefused(refusal) => refusal.status(),
            Self::GatewayEnded { status, .. } => status.unwrap_or(Status::UpstreamError),
            Self::GatewayLost(_) => Status::UpstreamError,
            Self::GatewayProtocol(_) | Self::GatewayUnexpected(_) => Status::ServerError,
            Self::GatewayAsks => Status::ClientUnauthorized,
            Self::GatewaySilent(_) => Status::UpstreamTimeout,
            Self::Stopped(reason) => reason.status(),
        }
    }

    /// The text that the person is told, in plain words.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::BrowserLeft { .. } => "The session has ended.",
            Self::BrowserLost(_) => "The connection to the browser was lost.",
            Self::BrowserRefused(_) => "The browser sent something that is not allowed.",
            Self::BrowserSilent => "The browser was silent for too long.",
            Self::BrowserStalled => "The browser was too slow to show the desktop.",
            Self::GatewayEnded { status: None, .. } => "The desktop closed the connection.",
            Self::GatewayEnded { .. } => "The connection to the desktop failed.",
            Self::GatewayLost(_) => "The connection to the desktop was lost.",
            Self::GatewayProtocol(_) | Self::GatewayUnexpected(_) => {
                "The gateway to the desktop does not keep to the protocol."
            }
            Self::GatewayAsks => "The desktop asks for credentials that the server does not have.",
            Self::GatewaySilent(_) => "The desktop does not answer any more.",
            Self::Stopped(reason) => reason.message(),
        }
    }

    /// Whether the browser has been told why by the gateway's own `error`.
    pub(super) fn is_told(&self) -> bool {
        matches!(
            self,
            Self::GatewayEnded {
                status: Some(_),
                ..
            }
        )
    }

    /// Whether there is nobody left to tell.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::BrowserLeft { .. } | Self::BrowserLost(_))
    }
}

impl StopReason {
    /// The status that the browser is told.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::InstanceStopped
            | Self::LoggedOut
            | Self::ShuttingDown
            | Self::OutOfTime
            | Self::LifetimeOver => Status::SessionClosed,
            Self::Revoked => Status::ClientUnauthorized,
            Self::TakenOver => Status::SessionConflict,
            Self::Idle => Status::SessionTimeout,
        }
    }

    /// The text that the person is told.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::InstanceStopped => "The desktop was stopped.",
            Self::LoggedOut => "You have been logged out.",
            Self::Revoked => "You may not use this desktop any more.",
            Self::ShuttingDown => "The server is being restarted.",
            Self::TakenOver => "The desktop was opened in another window.",
            Self::Idle => "The desktop was not used for a long time.",
            Self::OutOfTime => "The desktop was stopped, as its hours for this week are used up.",
            Self::LifetimeOver => "The desktop was ended, as its time is over.",
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InstanceStopped => "instance stopped",
            Self::LoggedOut => "logged out",
            Self::Revoked => "right taken back",
            Self::ShuttingDown => "server shuts down",
            Self::TakenOver => "taken over by another session",
            Self::Idle => "not used for too long",
            Self::OutOfTime => "hours used up",
            Self::LifetimeOver => "lifetime over",
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "malformed instruction: {error}"),
            Self::Incomplete => f.write_str("message ends inside an instruction"),
            Self::Arguments(error) => error.fmt(f),
            Self::Forbidden(opcode) => write!(f, "'{opcode}' is not allowed here"),
            Self::Unknown(opcode) => write!(f, "unknown opcode {opcode:?}"),
            Self::Blob => f.write_str("blob is not base64"),
            Self::Flood => f.write_str("more is asked for than is taken"),
            Self::Transport(violation) => f.write_str(violation),
        }
    }
}

impl fmt::Display for End {
    /// For the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrowserLeft { code: None } => f.write_str("browser left"),
            Self::BrowserLeft { code: Some(code) } => write!(f, "browser left with code {code}"),
            Self::BrowserLost(error) => write!(f, "browser lost: {error}"),
            Self::BrowserRefused(refusal) => write!(f, "browser refused: {refusal}"),
            Self::BrowserSilent => f.write_str("browser silent for too long"),
            Self::BrowserStalled => f.write_str("browser takes nothing"),
            Self::GatewayEnded {
                status: Some(status),
                message,
            } => write!(f, "gateway ended with status {status}: {message:?}"),
            Self::GatewayEnded { status: None, .. } => f.write_str("gateway ended"),
            Self::GatewayLost(error) => write!(f, "gateway lost: {error}"),
            Self::GatewayProtocol(error) => write!(f, "gateway broke the protocol: {error}"),
            Self::GatewayUnexpected(opcode) => write!(f, "gateway sent an unexpected '{opcode}'"),
            Self::GatewayAsks => f.write_str("gateway asks for parameters"),
            Self::GatewaySilent(Direction::Receiving) => f.write_str("gateway sends nothing"),
            Self::GatewaySilent(Direction::Sending) => f.write_str("gateway takes nothing"),
            Self::Stopped(reason) => write!(f, "stopped: {reason}"),
        }
    }
}
