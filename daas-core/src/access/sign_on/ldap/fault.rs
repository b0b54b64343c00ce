//! What goes wrong with a directory, in words for whoever runs it.

use std::io;
use std::time::Duration;

use rustls::Error as TlsError;
use thiserror::Error;

use super::answer::Outcome;
use crate::access::sign_on::SignOnError;

/// What went wrong. No message has a password in it.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error("cannot connect to {address}")]
    Connect {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("no answer to {operation} within {} s", .within.as_secs())]
    Late {
        operation: &'static str,
        within: Duration,
    },
    #[error("too many log-ins are waiting for the directory")]
    Busy,
    #[error("no TLS with {host}")]
    Tls {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("the connection to the directory broke")]
    Lost(#[source] io::Error),
    #[error("the directory's answer cannot be understood: {0}")]
    Answer(&'static str),
    #[error("the directory ended the connection: {0}")]
    Ended(Outcome),
    #[error("the directory refused {operation}: {outcome}")]
    Refused {
        operation: &'static str,
        outcome: Outcome,
    },
    #[error("several entries match the user filter")]
    Ambiguous,
    #[error("the entry has no usable {0}")]
    Attribute(String),
    #[error("`{field}`: {reason}")]
    Setting { field: &'static str, reason: String },
    #[error("`{field}`: {path} cannot be used")]
    File {
        field: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
}

impl Fault {
    pub(super) fn setting(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting {
            field,
            reason: reason.into(),
        }
    }

    /// Whether it may work later without a change of the settings.
    fn may_pass(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Late { .. } | Self::Busy | Self::Lost(_) => true,
            Self::Answer(_) | Self::Ended(_) => true,
            // A certificate stays as it is until somebody does something about it.
            Self::Tls { source, .. } => {
                let error = source.get_ref().and_then(|error| error.downcast_ref());
                !matches!(error, Some(TlsError::InvalidCertificate(_)))
            }
            Self::Refused { outcome, .. } => outcome.may_pass(),
            Self::Ambiguous | Self::Attribute(_) | Self::Setting { .. } | Self::File { .. } => {
                false
            }
        }
    }
}

impl From<Fault> for SignOnError {
    fn from(fault: Fault) -> Self {
        if fault.may_pass() {
            Self::Unavailable(fault.into())
        } else {
            Self::Misconfigured(fault.into())
        }
    }
}
