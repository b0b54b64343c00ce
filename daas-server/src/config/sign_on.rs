//! Other places that say who somebody is. What their settings mean is checked when they are
//! opened, as that reads files.

#[cfg(feature = "ldap")]
use daas_core::access::sign_on::ldap::LdapConfig;
#[cfg(feature = "oidc")]
use daas_core::access::sign_on::oidc::OidcConfig;

use super::error::ConfigError;

/// Most providers: each is a button on the page.
#[cfg(feature = "oidc")]
const PROVIDERS_MAX: usize = 16;

/// Without an address there is no directory.
#[cfg(feature = "ldap")]
pub(super) fn ldap(raw: LdapConfig) -> Result<Option<LdapConfig>, ConfigError> {
    if !raw.url.is_empty() {
        return Ok(Some(raw));
    }
    if raw != LdapConfig::default() {
        let text = "is needed where a directory is to be asked, such as ldaps://ldap.example.org";
        return Err(ConfigError::key("ldap.url", text));
    }
    Ok(None)
}

/// Accounts belong to the id of a provider, so each needs one of its own.
#[cfg(feature = "oidc")]
pub(super) fn oidc(raw: Vec<OidcConfig>) -> Result<Vec<OidcConfig>, ConfigError> {
    if raw.len() > PROVIDERS_MAX {
        let text = format!("takes {PROVIDERS_MAX} providers at most");
        return Err(ConfigError::key("oidc", text));
    }
    for (index, provider) in raw.iter().enumerate() {
        let mut before = raw.iter().take(index);
        if before.any(|other| other.id == provider.id) {
            let text = format!("`{}` is there twice", provider.id);
            return Err(ConfigError::key("oidc.id", text));
        }
    }
    Ok(raw)
}
