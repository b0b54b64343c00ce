//! Why another place does not say who somebody is.

use thiserror::Error;

use crate::error::{BoxError, Error};

/// Why a directory does not say who somebody is. No message has a password in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignOnError {
    /// Name or password is wrong; which one is not told.
    #[error("name or password is wrong")]
    Wrong,
    /// The directory cannot be reached, or gives no answer that can be used; trying later
    /// may help.
    #[error("the directory is not available")]
    Unavailable(#[source] BoxError),
    /// The directory works, but it is not what the settings say.
    #[error("the directory and the settings do not fit together")]
    Misconfigured(#[source] BoxError),
}

impl SignOnError {
    /// As an error of the core, unless it only says that somebody is not let in.
    #[must_use]
    pub fn into_core(self) -> Option<Error> {
        let (backend, operation) = ("the directory", "checking a password");
        match self {
            Self::Wrong => None,
            Self::Unavailable(source) => Some(Error::Unavailable {
                backend,
                operation,
                source: Some(source),
            }),
            Self::Misconfigured(source) => Some(Error::Backend {
                backend,
                operation,
                source,
            }),
        }
    }
}
