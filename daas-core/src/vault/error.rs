//! Why a vault does not do what was asked.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::error::{BoxError, Error as CoreError};

/// Why keys cannot be had, or a secret is neither sealed nor opened. No message has a key or
/// a secret in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The operating system refused something.
    #[error("key file {}: {operation} failed", path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// What it answered.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may reach the key file.
    #[error(
        "key file {} has mode {mode:04o}, so not only its owner may reach it; \
         run: chmod 600 '{}'",
        path.display(),
        path.display()
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The key file is not what one looks like.
    #[error("key file {}, line {line}: {reason}", path.display())]
    Malformed {
        /// The key file.
        path: PathBuf,
        /// Where; the first line is 1.
        line: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The active key of the file is not the one of the vault.
    #[error("the active key of {} was changed meanwhile; open it again", path.display())]
    Changed {
        /// The key file.
        path: PathBuf,
    },
    /// The key that sealed it is not here.
    #[error("sealed by the key {id}, which the key file does not have")]
    UnknownKey {
        /// The id of the key.
        id: String,
    },
    /// It was never sealed for this purpose, or changed afterwards.
    #[error("not what was sealed for this purpose")]
    Refused,
    /// The secret is too long to be sealed.
    #[error("a secret has at most 65536 bytes")]
    TooLong,
    /// No key can be added to so many.
    #[error("a key file has at most 64 keys; finish a rotation, which drops the old ones")]
    TooManyKeys,
    /// There are no random bits.
    #[error("the operating system gives no random bits")]
    Random(#[source] BoxError),
}

impl VaultError {
    /// Whether there is no key file.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl From<VaultError> for CoreError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Changed { .. } => Self::Conflict {
                reason: error.to_string(),
            },
            error => Self::Backend {
                backend: "the vault",
                operation: "keeping a secret",
                source: error.into(),
            },
        }
    }
}
