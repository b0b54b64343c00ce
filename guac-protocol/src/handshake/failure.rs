//! Why a handshake fails: by the peer's fault, and by the caller's.

use core::fmt;

use crate::{EncodeError, Opcode, Status};

/// What a peer did wrong, or failed to do. A machine that answered one of these answers
/// the same from then on.
///
/// Where an instruction is named that the peer had to send, [`Opcode::Disconnect`] means
/// that the handshake wants nothing more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The time limit passed.
    Timeout {
        /// What the peer had to send.
        waiting_for: Opcode,
    },
    /// The stream ended.
    EndOfStream {
        /// What the peer had to send.
        waiting_for: Opcode,
    },
    /// An instruction that has no place here.
    Unexpected {
        /// What the peer had to send.
        waiting_for: Opcode,
        /// What it sent.
        found: Opcode,
    },
    /// An instruction lacks arguments.
    TooFewArguments {
        /// Its opcode.
        opcode: Opcode,
    },
    /// An instruction has more arguments than it may.
    TooManyArguments {
        /// Its opcode.
        opcode: Opcode,
    },
    /// An argument does not mean anything.
    InvalidArgument {
        /// Opcode of the instruction.
        opcode: Opcode,
        /// Index of the element; 0 is the opcode.
        element: usize,
    },
    /// The stream is not one of instructions. The machines do not see bytes: this is
    /// for callers that keep one kind of error.
    Malformed(crate::Error),
}

/// Who is at the other end of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// guacd, or what stands for it: seen from a [`Client`](super::Client).
    Guacd,
    /// Who connects to guacd: seen from a [`Server`](super::Server).
    Client,
}

impl Failure {
    /// The status to report to the other side: that of guacd to the browser, that of a
    /// client to itself.
    #[must_use]
    pub const fn status(self, peer: Peer) -> Status {
        match (self, peer) {
            (Self::Timeout { .. }, Peer::Guacd) => Status::UpstreamTimeout,
            (Self::EndOfStream { .. }, Peer::Guacd) => Status::UpstreamError,
            (_, Peer::Guacd) => Status::ServerError,
            (Self::Timeout { .. }, Peer::Client) => Status::ClientTimeout,
            (_, Peer::Client) => Status::ClientBadRequest,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout { waiting_for } => {
                write!(f, "time limit passed while waiting for '{waiting_for}'")
            }
            Self::EndOfStream { waiting_for } => {
                write!(f, "stream ended while waiting for '{waiting_for}'")
            }
            Self::Unexpected { waiting_for, found } => {
                write!(f, "'{found}' while waiting for '{waiting_for}'")
            }
            Self::TooFewArguments { opcode } => write!(f, "'{opcode}' lacks arguments"),
            Self::TooManyArguments { opcode } => write!(f, "'{opcode}' has too many arguments"),
            Self::InvalidArgument { opcode, element } => {
                write!(f, "element {element} of '{opcode}' is not valid")
            }
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Failure {}

impl From<crate::Error> for Failure {
    fn from(error: crate::Error) -> Self {
        Self::Malformed(error)
    }
}

#[cfg(feature = "std")]
impl From<Failure> for std::io::Error {
    /// An error of kind [`TimedOut`](std::io::ErrorKind::TimedOut),
    /// [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) or
    /// [`InvalidData`](std::io::ErrorKind::InvalidData).
    fn from(failure: Failure) -> Self {
        let kind = match failure {
            Failure::Timeout { .. } => std::io::ErrorKind::TimedOut,
            Failure::EndOfStream { .. } => std::io::ErrorKind::UnexpectedEof,
            _ => std::io::ErrorKind::InvalidData,
        };
        Self::new(kind, failure)
    }
}

/// Why a machine wrote nothing. It is then as it was before, so that the caller can try
/// again, with more room for example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteError {
    /// It is not the time for this: the peer has not asked for it, it was written
    /// already, or the handshake is over.
    OutOfOrder,
    /// Name, type or value of an [`Argument`](super::Argument) is longer than guacd
    /// keeps.
    ArgumentTooLong,
    /// The limits refuse an instruction, or the output has no room.
    Encode(EncodeError),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfOrder => f.write_str("not at this point of the handshake"),
            Self::ArgumentTooLong => f.write_str("argument is longer than guacd keeps"),
            Self::Encode(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for WriteError {}

impl From<EncodeError> for WriteError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

#[cfg(feature = "std")]
impl From<WriteError> for std::io::Error {
    /// An error of kind [`InvalidInput`](std::io::ErrorKind::InvalidInput).
    fn from(error: WriteError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}
