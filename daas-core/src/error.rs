//! Errors by what the caller can do about them.

use thiserror::Error;

/// An error of a backend itself, kept as the source.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why storage, hypervisor or gateway did not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing.
    #[error("{what} not found")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// There is one already.
    #[error("{what} exists already")]
    AlreadyExists {
        /// What was to be made.
        what: &'static str,
    },
    /// The present state does not allow it.
    #[error("{reason}")]
    Conflict {
        /// Why, in plain words.
        reason: String,
    },
    /// What is wanted is not as it has to be.
    #[error("`{field}`: {reason}")]
    Invalid {
        /// Which part of it.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Whoever wants it may not.
    #[error("{reason}")]
    Forbidden {
        /// Why, in plain words.
        reason: &'static str,
    },
    /// It must not be, whatever the state of things.
    #[error("{reason}")]
    Refused {
        /// A word for it, for programs.
        code: &'static str,
        /// Why, in plain words.
        reason: String,
    },
    /// A limit is reached.
    #[error("{reason}")]
    Exhausted {
        /// Which, in plain words.
        reason: String,
    },
    /// The backend cannot be reached or does not answer; trying later may help.
    #[error("{backend} is not available: {operation} failed")]
    Unavailable {
        /// Which backend.
        backend: &'static str,
        /// What was asked of it.
        operation: &'static str,
        /// What it answered, if anything.
        #[source]
        source: Option<BoxError>,
    },
    /// The backend cannot do this at all.
    #[error("{backend} does not support {operation}")]
    Unsupported {
        /// Which backend.
        backend: &'static str,
        /// What was asked of it.
        operation: &'static str,
    },
    /// The backend refused, or failed in a way that trying again does not change.
    #[error("{backend} failed: {operation}")]
    Backend {
        /// Which backend.
        backend: &'static str,
        /// What was asked of it.
        operation: &'static str,
        /// What it answered.
        #[source]
        source: BoxError,
    },
}

/// A result with the error of the core.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error with all its sources, for the log.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
