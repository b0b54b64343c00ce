//! Ways to log in beside a password that is kept here: a second factor, a directory, an
//! OpenID provider.
//!
//! Nothing is stored and no session begins here: these only tell who somebody is.

#[cfg(feature = "ldap")]
mod error;
#[cfg(feature = "ldap")]
pub mod ldap;
#[cfg(feature = "oidc")]
pub mod oidc;
mod totp;

#[cfg(feature = "ldap")]
pub use error::SignOnError;
pub use totp::{RecoveryCodes, TotpSecret};

/// Who somebody is, as another place tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which place: `ldap`, or the id of an OpenID provider.
    pub provider: String,
    /// What that place calls them and nobody else, for ever. Accounts are found by it and
    /// never by the name, which may pass to somebody else.
    pub subject: String,
    /// What they call themselves; not unique.
    pub name: String,
    /// Their address; nothing says that it is theirs.
    pub email: Option<String>,
    /// Groups that they are in over there, each once, sorted.
    pub groups: Vec<String>,
}
