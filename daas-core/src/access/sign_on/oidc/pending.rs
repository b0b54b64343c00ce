//! Log-ins that have begun, and what the browser brings back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::error::{OidcError, quoted};
use crate::secret::Secret;

/// Longest code, in bytes.
const CODE_MAX: usize = 8 * 1024;

/// A log-in that has begun. It must be kept where only the browser that began it leads to it,
/// for some minutes, and be taken out by the first answer.
#[derive(Clone, Debug)]
pub struct OidcPending {
    provider: String,
    state: Secret<String>,
    nonce: Secret<String>,
    verifier: Secret<String>,
    redirect_uri: String,
}

impl OidcPending {
    pub(super) fn new(provider: &str, redirect_uri: &str) -> Result<Self, OidcError> {
        Ok(Self {
            provider: provider.to_owned(),
            state: random()?,
            nonce: random()?,
            verifier: random()?,
            redirect_uri: redirect_uri.to_owned(),
        })
    }

    /// The id of the provider that it began with.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// What the answer is known by: 43 characters that nobody guesses.
    #[must_use]
    pub fn state(&self) -> &str {
        self.state.expose()
    }

    /// Where the answer has to come to.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    pub(super) fn nonce(&self) -> &str {
        self.nonce.expose()
    }

    pub(super) fn verifier(&self) -> &str {
        self.verifier.expose()
    }

    /// What the provider compares the verifier with: RFC 7636, section 4.2.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier()))
    }

    /// Whether an answer is for this.
    pub(super) fn check_state(&self, answer: &OidcAnswer) -> Result<(), OidcError> {
        let state = answer.state.as_deref().unwrap_or_default();
        let is_it = state.as_bytes().ct_eq(self.state().as_bytes());
        if !bool::from(is_it) {
            return Err(OidcError::refused("it is for another log-in"));
        }
        Ok(())
    }
}

/// 256 random bits as text.
fn random() -> Result<Secret<String>, OidcError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| OidcError::unavailable("this system gives no random bits"))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// The query that a browser brings back from a provider: RFC 6749, section 4.1.2. Anybody may
/// have made it up. Other parameters than these do not matter.
#[derive(Clone, Default, Deserialize)]
pub struct OidcAnswer {
    /// What tokens are given for.
    pub code: Option<String>,
    /// Which log-in it is for.
    pub state: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// Which provider it is of (RFC 9207).
    pub iss: Option<String>,
}

impl std::fmt::Debug for OidcAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A code that was not used yet is a secret.
        f.debug_struct("OidcAnswer")
            .field("error", &self.error)
            .field("iss", &self.iss)
            .finish_non_exhaustive()
    }
}

impl OidcAnswer {
    /// The code in it. The state was compared before.
    pub(super) fn code(&self, issuer: &str, names_issuer: bool) -> Result<&str, OidcError> {
        match self.iss.as_deref() {
            Some(iss) if iss != issuer => {
                return Err(OidcError::refused("it is of another issuer"));
            }
            None if names_issuer => {
                return Err(OidcError::refused("it does not say whose it is"));
            }
            _ => {}
        }
        if let Some(error) = &self.error {
            return Err(failure(error));
        }
        let code = self.code.as_deref().unwrap_or_default();
        if code.is_empty() || code.len() > CODE_MAX {
            return Err(OidcError::refused("there is no code in it"));
        }
        Ok(code)
    }
}

/// RFC 6749, section 4.1.2.1.
fn failure(error: &str) -> OidcError {
    let text = quoted(error);
    match error {
        "access_denied" => OidcError::Denied,
        "temporarily_unavailable" | "server_error" => OidcError::Unavailable(text),
        "unauthorized_client" | "unsupported_response_type" | "invalid_scope" => {
            OidcError::misconfigured(format!("it does not take this client: {text}"))
        }
        _ => OidcError::Refused(text),
    }
}
