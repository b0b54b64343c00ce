//! What faults mean to whoever uses a hypervisor.

use std::time::Duration;

use thiserror::Error;

use super::client::{Class, Fault};
use crate::error::Error;

/// The backend's name in errors.
pub(super) const BACKEND: &str = "Proxmox VE";

/// Why something was not done.
#[derive(Debug, Error)]
pub(super) enum Trouble {
    /// A call or a task failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It took too long.
    #[error("it was not done within {0:?}")]
    Late(Duration),
    /// It is clear what it means.
    #[error(transparent)]
    Core(#[from] Error),
}

impl Trouble {
    pub(super) const fn missing(what: &'static str) -> Self {
        Self::Core(Error::NotFound { what })
    }

    pub(super) fn conflict(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Core(Error::Conflict { reason })
    }

    pub(super) fn class(&self) -> Option<Class> {
        match self {
            Self::Fault(fault) => Some(fault.class()),
            _ => None,
        }
    }

    /// The error for the caller, by what they can do about it. `what` is what is missing
    /// where something is.
    pub(super) fn into_error(self, what: &'static str, operation: &'static str) -> Error {
        let class = self.class();
        let source = match self {
            Self::Core(error) => return error,
            other => Box::new(other),
        };
        match class {
            Some(Class::Gone) => Error::NotFound { what },
            Some(Class::Conflict) => Error::Conflict {
                reason: format!("the {what} is in a state that does not allow {operation}"),
            },
            Some(Class::Exhausted) => Error::Exhausted {
                reason: "the cluster has no room left".to_owned(),
            },
            Some(Class::Retryable | Class::Busy | Class::Unknown) => Error::Unavailable {
                backend: BACKEND,
                operation,
                source: Some(source),
            },
            None if matches!(*source, Self::Late(_)) => Error::Unavailable {
                backend: BACKEND,
                operation,
                source: Some(source),
            },
            None | Some(Class::Permission | Class::Fatal) => Error::Backend {
                backend: BACKEND,
                operation,
                source,
            },
        }
    }
}
