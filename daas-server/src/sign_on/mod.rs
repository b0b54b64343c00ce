//! Other places that say who somebody is: which there are, and log-ins that have begun at
//! them.

#[cfg(feature = "oidc")]
mod begun;
mod open;

#[cfg(feature = "oidc")]
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(feature = "oidc")]
use daas_core::access::sign_on::oidc::{Oidc, OidcPending};

#[cfg(feature = "oidc")]
pub(crate) use begun::{Begun, LASTS};
pub use open::SignOnFault;
pub(crate) use open::add_places;
#[cfg(feature = "ldap")]
pub(crate) use open::directory;
#[cfg(feature = "oidc")]
pub(crate) use open::providers;

/// The ways to log in beside passwords that are kept here.
#[derive(Default)]
pub struct SignOn {
    directory: bool,
    #[cfg(feature = "oidc")]
    providers: Vec<Oidc>,
    #[cfg(feature = "oidc")]
    begun: Mutex<Begun<OidcPending>>,
}

impl std::fmt::Debug for SignOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut about = f.debug_struct("SignOn");
        about.field("directory", &self.directory);
        #[cfg(feature = "oidc")]
        about.field("providers", &self.providers);
        about.finish_non_exhaustive()
    }
}

impl SignOn {
    /// With a directory, which whatever checks passwords has to know by itself: here it is
    /// only told that there is one.
    #[must_use]
    pub const fn with_directory(mut self) -> Self {
        self.directory = true;
        self
    }

    pub(crate) const fn has_directory(&self) -> bool {
        self.directory
    }
}

#[cfg(feature = "oidc")]
impl SignOn {
    /// With OpenID providers, in the order that people see them in. Of two with one id, the
    /// first counts.
    #[must_use]
    pub fn with_providers(mut self, providers: Vec<Oidc>) -> Self {
        self.providers = providers;
        self
    }

    pub(crate) fn providers(&self) -> &[Oidc] {
        &self.providers
    }

    pub(crate) fn provider(&self, id: &str) -> Option<&Oidc> {
        self.providers.iter().find(|provider| provider.id() == id)
    }

    /// Log-ins that have begun.
    pub(crate) fn begun(&self) -> MutexGuard<'_, Begun<OidcPending>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
