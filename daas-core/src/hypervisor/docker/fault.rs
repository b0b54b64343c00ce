//! Why the engine did not do something, and what that means to whoever asked.

use std::time::Duration;

use thiserror::Error;

use crate::error::{BoxError, Error};

/// The backend's name in errors.
pub(super) const BACKEND: &str = "Docker";

/// An error of the engine or of the way to it.
#[derive(Debug, Error)]
pub(super) enum Fault {
    /// The engine refused.
    #[error("the engine answered {status}: {message}")]
    Status { status: u16, message: String },
    /// Nobody is at the socket, or the connection broke.
    #[error("the engine cannot be reached")]
    Unreachable(#[source] BoxError),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// The answer is not what the interface says it is.
    #[error("the engine's answer cannot be read")]
    Unreadable(#[source] BoxError),
    /// A command inside a container failed, and said this.
    #[error("it said: {0}")]
    Failed(String),
    /// The engine was not asked, as something else is not right.
    #[error(transparent)]
    Core(#[from] Error),
}

impl Fault {
    /// A failure with what was put out about it.
    pub(super) fn failed(output: &[u8]) -> Self {
        Self::Failed(String::from_utf8_lossy(output).trim().to_owned())
    }

    /// The HTTP status, where the engine answered at all.
    pub(super) const fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The error for the caller, by what they can do about it. `what` is what is missing
    /// where the engine says that something is.
    pub(super) fn into_error(self, what: &'static str, operation: &'static str) -> Error {
        let unavailable = |source| Error::Unavailable {
            backend: BACKEND,
            operation,
            source: Some(source),
        };
        match self {
            Self::Core(error) => error,
            Self::Status { status: 404, .. } => Error::NotFound { what },
            Self::Status { status: 409, .. } => Error::Conflict {
                reason: format!("the {what} is in a state that does not allow {operation}"),
            },
            Self::Status { ref message, .. } if message.contains("no space left on device") => {
                Error::Exhausted {
                    reason: "the disk of the host is full".to_owned(),
                }
            }
            Self::Status { status: 503, .. } | Self::Unreachable(_) | Self::Silent(_) => {
                unavailable(Box::new(self))
            }
            Self::Status { .. } | Self::Unreadable(_) | Self::Failed(_) => Error::Backend {
                backend: BACKEND,
                operation,
                source: Box::new(self),
            },
        }
    }
}

// Never cloned: `clone` of most variants of this error calls itself for ever.
impl From<docker_api::Error> for Fault {
    fn from(error: docker_api::Error) -> Self {
        use docker_api::Error as Api;
        match error {
            Api::Fault { code, message } => Self::Status {
                status: code.as_u16(),
                message,
            },
            Api::SerdeJsonError(error) => Self::Unreadable(Box::new(error)),
            Api::InvalidResponse(_) | Api::MalformedVersion(_) => Self::Unreadable(Box::new(error)),
            error => Self::Unreachable(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, message: &str) -> Error {
        let fault = Fault::Status {
            status,
            message: message.to_owned(),
        };
        fault.into_error("instance", "start")
    }

    #[test]
    fn statuses_become_what_the_caller_can_do() {
        assert!(matches!(
            error(404, ""),
            Error::NotFound { what: "instance" }
        ));
        assert!(matches!(error(409, ""), Error::Conflict { .. }));
        assert!(matches!(error(503, ""), Error::Unavailable { .. }));
        assert!(matches!(error(400, ""), Error::Backend { .. }));
        assert!(matches!(error(500, ""), Error::Backend { .. }));
        let full = error(500, "write /x: no space left on device");
        assert!(matches!(full, Error::Exhausted { .. }));
    }

    #[test]
    fn what_is_not_known_is_unavailable() {
        let fault = Fault::Silent(Duration::from_secs(1));
        let error = fault.into_error("instance", "start");
        assert!(matches!(error, Error::Unavailable { .. }));
    }
}
