//! A code for tokens: RFC 6749, section 4.1.3, and RFC 7636, section 4.5.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::config::Settings;
use super::discovery::{ClientAuth, Metadata};
use super::error::{OidcError, quoted};
use super::http::{Answer, Call, Http};
use super::pending::OidcPending;
use crate::secret::Secret;

/// Longest answer, in bytes.
const TOKENS_MAX: u64 = 64 * 1024;

/// What a provider gives for a code.
pub(super) struct Tokens {
    pub(super) id_token: Secret<String>,
    pub(super) access_token: Secret<String>,
}

#[derive(Deserialize)]
struct Success {
    id_token: String,
    access_token: String,
    token_type: String,
}

#[derive(Deserialize)]
struct Failure {
    error: String,
}

/// Asks a provider, once: a code is good for one time.
pub(super) async fn exchange(
    http: &Http,
    settings: &Settings,
    metadata: &Metadata,
    pending: &OidcPending,
    code: &str,
) -> Result<Tokens, OidcError> {
    let call = Call {
        url: metadata.token.clone(),
        authorization: authorization(settings, metadata.client_auth),
        form: Some(form(settings, metadata.client_auth, pending, code)),
        max: TOKENS_MAX,
    };
    let answer = http.call(call).await?;
    if answer.status != 200 {
        return Err(failure(&answer));
    }
    read(&answer.json("its tokens")?)
}

/// Both are encoded before they are joined, so that a colon in them does no harm: RFC 6749,
/// section 2.3.1.
fn authorization(settings: &Settings, by: ClientAuth) -> Option<Secret<String>> {
    let secret = settings.client_secret.as_ref()?;
    (by == ClientAuth::Basic).then(|| {
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let (id, secret) = (encode(&settings.client_id), encode(secret.expose()));
        let pair = STANDARD.encode(format!("{id}:{secret}"));
        Secret::new(format!("Basic {pair}"))
    })
}

fn form(settings: &Settings, by: ClientAuth, pending: &OidcPending, code: &str) -> Secret<String> {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", pending.redirect_uri())
        .append_pair("code_verifier", pending.verifier());
    if by != ClientAuth::Basic {
        form.append_pair("client_id", &settings.client_id);
    }
    if let (ClientAuth::Post, Some(secret)) = (by, &settings.client_secret) {
        form.append_pair("client_secret", secret.expose());
    }
    Secret::new(form.finish())
}

/// RFC 6749, section 5.2.
fn failure(answer: &Answer) -> OidcError {
    let failure = serde_json::from_slice::<Failure>(&answer.body);
    let Some(failure) = failure.ok().filter(|_| matches!(answer.status, 400 | 401)) else {
        return match answer.status {
            401 => OidcError::misconfigured("it does not take this client, status 401"),
            _ => answer.failure("its tokens"),
        };
    };
    let error = quoted(&failure.error);
    match failure.error.as_str() {
        "invalid_client" | "unauthorized_client" | "unsupported_grant_type" => {
            OidcError::misconfigured(format!("it does not take this client: {error}"))
        }
        "temporarily_unavailable" | "server_error" => OidcError::Unavailable(error),
        _ => OidcError::refused(format!("it does not take the code: {error}")),
    }
}

fn read(body: &[u8]) -> Result<Tokens, OidcError> {
    // No word of the body: there may be secrets in it.
    let tokens = serde_json::from_slice::<Success>(body);
    let tokens = tokens.map_err(|_| OidcError::refused("its tokens cannot be read"))?;
    if !tokens.token_type.eq_ignore_ascii_case("Bearer") {
        return Err(OidcError::refused("its access token is of another type"));
    }
    // RFC 6749, appendix A.12.
    let is_visible = |byte: u8| matches!(byte, 0x20..=0x7e);
    if tokens.access_token.is_empty() || !tokens.access_token.bytes().all(is_visible) {
        return Err(OidcError::refused("its access token is malformed"));
    }
    Ok(Tokens {
        id_token: Secret::new(tokens.id_token),
        access_token: Secret::new(tokens.access_token),
    })
}
