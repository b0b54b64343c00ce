//! Why there is no log-in.

use thiserror::Error;

/// Longest text of a provider that is passed on, in characters.
const QUOTED: usize = 200;

/// Why nobody is logged in. The texts are for the log and for administrators: they hold words
/// of the provider, escaped and cut, but no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OidcError {
    /// The person, or the provider for them, said no.
    #[error("the log-in was denied at the provider")]
    Denied,
    /// What came back is not what it has to be: forged, stale, used before, or malformed.
    #[error("the answer of the provider is refused: {0}")]
    Refused(String),
    /// The provider cannot be reached or fails; trying later may help.
    #[error("the provider is not available: {0}")]
    Unavailable(String),
    /// Nobody can log in until an administrator changes something, here or at the provider.
    #[error("the provider is not configured rightly: {0}")]
    Misconfigured(String),
}

impl OidcError {
    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }

    pub(super) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable(reason.into())
    }

    pub(super) fn misconfigured(reason: impl Into<String>) -> Self {
        Self::Misconfigured(reason.into())
    }
}

/// Text of a provider, so that it can do no harm in a log.
pub(super) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(QUOTED).collect();
    format!("{cut:?}")
}
