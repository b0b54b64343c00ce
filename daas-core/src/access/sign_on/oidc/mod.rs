//! Log-ins at an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core
//! 1.0, RFC 6749, RFC 7636, RFC 9207).
//!
//! 1. [`Oidc::start`] makes an address for the browser, and an [`OidcPending`] to be kept.
//! 2. The browser comes back with an [`OidcAnswer`].
//! 3. [`Oidc::finish`] asks the provider for tokens, and tells who it is.
//!
//! Whatever a provider says is taken for hostile until it is checked, and bounded even then.
//! Nothing is believed that is not signed by its keys or told by its own server over TLS.

mod cache;
mod config;
mod discovery;
mod error;
mod exchange;
mod http;
mod identity;
mod keys;
mod pending;
mod place;
mod signature;
mod token;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use url::Url;

use super::Identity;
use crate::model::Timestamp;
use crate::secret::Secret;
use cache::Cache;
use config::Settings;
use discovery::Metadata;
use http::Http;
use keys::{Keys, Wanted};
use token::Expected;

pub use config::OidcConfig;
pub use error::OidcError;
pub use pending::{OidcAnswer, OidcPending};

/// How long what a provider says of itself is good for.
const METADATA_AGE: Duration = Duration::from_secs(5 * 60);
/// How long its keys are. One that is taken back is good no longer than this.
const KEYS_AGE: Duration = Duration::from_secs(10 * 60);
/// How old keys must be to be asked for again when one is missing.
const KEYS_MISSING_AGE: Duration = Duration::from_secs(10);

/// An OpenID provider. Clones share everything.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    settings: Settings,
    http: Http,
    metadata: Cache<Metadata>,
    keys: Cache<Keys>,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oidc")
            .field("id", &self.id())
            .field("issuer", &self.0.settings.issuer)
            .finish_non_exhaustive()
    }
}

/// A log-in that begins.
#[derive(Debug)]
pub struct OidcStart {
    /// Where the browser has to go.
    pub url: String,
    /// What has to be kept until it comes back.
    pub pending: OidcPending,
}

/// A log-in that succeeded.
#[derive(Debug)]
pub struct OidcLogIn {
    /// Who it is.
    pub identity: Identity,
    /// What [`Oidc::log_out_url`] needs later.
    pub id_token: Secret<String>,
}

impl Oidc {
    /// A provider. Its files are read here, which blocks; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`OidcError::Misconfigured`] tells what is wrong with the configuration.
    pub fn new(config: OidcConfig) -> Result<Self, OidcError> {
        signature::install();
        let (settings, roots) = config::check(config)?;
        Ok(Self(Arc::new(Inner {
            http: Http::new(&settings, roots),
            settings,
            metadata: Cache::new(),
            keys: Cache::new(),
        })))
    }

    /// Its short word, which accounts are kept under.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.settings.id
    }

    /// What people see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// Begins a log-in. `redirect_uri` is where the browser shall come back to; the provider
    /// has to know it.
    ///
    /// # Errors
    /// [`OidcError::Unavailable`], [`OidcError::Misconfigured`], or [`OidcError::Refused`]
    /// where what the provider says of itself cannot be used.
    pub async fn start(&self, redirect_uri: &str) -> Result<OidcStart, OidcError> {
        let settings = &self.0.settings;
        let metadata = self.metadata(METADATA_AGE).await?;
        let pending = OidcPending::new(self.id(), &absolute(redirect_uri)?)?;
        let mut url = metadata.authorization.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", pending.redirect_uri())
            .append_pair("scope", &settings.scope)
            .append_pair("state", pending.state())
            .append_pair("nonce", pending.nonce())
            .append_pair("code_challenge", &pending.challenge())
            .append_pair("code_challenge_method", "S256");
        let url = url.into();
        Ok(OidcStart { url, pending })
    }

    /// Ends a log-in that began with this provider.
    ///
    /// # Errors
    /// [`OidcError::Denied`] where the person was not willing, [`OidcError::Refused`] where
    /// something is not right, [`OidcError::Unavailable`] and [`OidcError::Misconfigured`].
    /// After all of them the log-in has to begin anew.
    pub async fn finish(
        &self,
        pending: OidcPending,
        answer: &OidcAnswer,
        now: Timestamp,
    ) -> Result<OidcLogIn, OidcError> {
        let Inner { settings, http, .. } = &*self.0;
        if pending.provider() != self.id() {
            return Err(OidcError::refused("it began with another provider"));
        }
        pending.check_state(answer)?;
        let metadata = self.metadata(METADATA_AGE).await?;
        let code = answer.code(&settings.issuer, metadata.names_issuer)?;
        let tokens = exchange::exchange(http, settings, &metadata, &pending, code).await?;

        let id_token = tokens.id_token.expose();
        let wanted = token::wanted_key(id_token)?;
        let key = self.key(&metadata, &wanted).await?;
        let mut claims = token::verify(id_token, &key, wanted.algorithm)?;
        let expected = Expected {
            issuer: &settings.issuer,
            client_id: &settings.client_id,
            nonce: pending.nonce(),
            access_token: tokens.access_token.expose(),
            now,
        };
        let subject = token::check(&claims, wanted.algorithm, &expected)?;
        if let Some(place) = &metadata.userinfo
            && identity::is_partial(&claims, settings)
        {
            let (place, access) = (place.clone(), &tokens.access_token);
            identity::complete(http, place, access, &subject, &mut claims).await?;
        }
        Ok(OidcLogIn {
            identity: identity::identity(subject, &claims, settings)?,
            id_token: tokens.id_token,
        })
    }

    /// Where the browser has to go to be logged out at the provider too (OpenID Connect
    /// RP-Initiated Logout 1.0), if the provider can do that. From there it comes back to
    /// `back`, which the provider has to know. The address holds the token: it is for that
    /// browser and for nobody else.
    ///
    /// # Errors
    /// As [`start`](Self::start) has them.
    pub async fn log_out_url(
        &self,
        id_token: &Secret<String>,
        back: &str,
    ) -> Result<Option<String>, OidcError> {
        let metadata = self.metadata(METADATA_AGE).await?;
        let Some(mut url) = metadata.end_session.clone() else {
            return Ok(None);
        };
        url.query_pairs_mut()
            .append_pair("id_token_hint", id_token.expose())
            .append_pair("post_logout_redirect_uri", &absolute(back)?)
            .append_pair("client_id", &self.0.settings.client_id);
        Ok(Some(url.into()))
    }

    /// Asks the provider for its metadata and its keys, as the first log-in would.
    ///
    /// # Errors
    /// Why nobody could log in now.
    pub async fn check(&self) -> Result<(), OidcError> {
        let metadata = self.metadata(Duration::ZERO).await?;
        let keys = self.keys(&metadata, Duration::ZERO).await?;
        if !keys.is_usable() {
            return Err(OidcError::misconfigured("it has no key that can be used"));
        }
        Ok(())
    }

    async fn metadata(&self, max_age: Duration) -> Result<Arc<Metadata>, OidcError> {
        let Inner { settings, http, .. } = &*self.0;
        let fetch = discovery::fetch(http, settings);
        self.0.metadata.current(max_age, fetch).await
    }

    async fn keys(&self, metadata: &Metadata, max_age: Duration) -> Result<Arc<Keys>, OidcError> {
        let fetch = keys::fetch(&self.0.http, metadata.keys.clone());
        self.0.keys.current(max_age, fetch).await
    }

    /// The key of a token. A provider changes its keys when it likes to, so one that is
    /// missing is asked for, though not by each token that somebody made up.
    async fn key(&self, metadata: &Metadata, wanted: &Wanted) -> Result<DecodingKey, OidcError> {
        for max_age in [KEYS_AGE, KEYS_MISSING_AGE] {
            let keys = self.keys(metadata, max_age).await?;
            if let Some(key) = keys.find(wanted)? {
                return Ok(key);
            }
        }
        Err(OidcError::refused("no key of it fits its token"))
    }
}

/// An address of this server, as it is given.
fn absolute(text: &str) -> Result<String, OidcError> {
    let url = Url::parse(text).ok();
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none();
    if !url.is_some_and(|url| is_web(&url)) {
        return Err(OidcError::misconfigured(
            "an address of this server is none of the web",
        ));
    }
    Ok(text.to_owned())
}
