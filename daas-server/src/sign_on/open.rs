//! Opens what the configuration says of other places. Files are read here, so it happens
//! behind the gate for blocking calls.

#[cfg(feature = "ldap")]
use std::sync::Arc;

use daas_core::access::Access;
#[cfg(any(feature = "ldap", feature = "oidc"))]
use daas_core::access::sign_on;
#[cfg(any(feature = "ldap", feature = "oidc"))]
use daas_core::blocking::Gate;
use thiserror::Error;

use super::SignOn;
use crate::config::Config;

/// Why another place cannot be used as it is configured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignOnFault {
    /// The directory.
    #[cfg(feature = "ldap")]
    #[error("[ldap] cannot be used")]
    Ldap(#[source] sign_on::SignOnError),
    /// An OpenID provider, by its id.
    #[cfg(feature = "oidc")]
    #[error("[[oidc]] `{0}` cannot be used")]
    Oidc(String, #[source] sign_on::oidc::OidcError),
    /// The server ends.
    #[error(transparent)]
    Blocking(#[from] daas_core::blocking::BlockingError),
}

/// All of them, and access that asks them. Nothing is sent to them yet.
#[cfg_attr(
    not(feature = "ldap"),
    allow(unused_variables, unused_mut, reason = "there may be none")
)]
pub(crate) async fn add_places(
    config: &Config,
    mut access: Access,
) -> Result<(Access, SignOn), SignOnFault> {
    let mut places = SignOn::default();
    #[cfg(feature = "ldap")]
    if let Some(directory) = directory(config).await? {
        tracing::info!(directory = directory.address(), "asking a directory");
        access = access.with_directory(directory);
        places = places.with_directory();
    }
    #[cfg(feature = "oidc")]
    {
        places = places.with_providers(providers(config).await?);
    }
    Ok((access, places))
}

/// The directory, if there is to be one.
#[cfg(feature = "ldap")]
pub(crate) async fn directory(
    config: &Config,
) -> Result<Option<Arc<sign_on::ldap::Ldap>>, SignOnFault> {
    let Some(config) = config.ldap.clone() else {
        return Ok(None);
    };
    let open = move || sign_on::ldap::Ldap::new(&config);
    let opened = Gate::new(1).run(open).await?;
    opened.map(Arc::new).map(Some).map_err(SignOnFault::Ldap)
}

/// The OpenID providers.
#[cfg(feature = "oidc")]
pub(crate) async fn providers(config: &Config) -> Result<Vec<sign_on::oidc::Oidc>, SignOnFault> {
    let configs = config.oidc.clone();
    let open = move || configs.into_iter().map(open_provider).collect();
    Gate::new(1).run(open).await?
}

#[cfg(feature = "oidc")]
fn open_provider(config: sign_on::oidc::OidcConfig) -> Result<sign_on::oidc::Oidc, SignOnFault> {
    let id = config.id.clone();
    sign_on::oidc::Oidc::new(config).map_err(|error| SignOnFault::Oidc(id, error))
}
