//! What a provider says of itself: OpenID Connect Discovery 1.0.

use serde::Deserialize;
use url::Url;

use super::config::Settings;
use super::error::{OidcError, quoted};
use super::http::{Call, Http};
use super::place::{discovery_url, endpoint};
use super::signature::is_allowed;

/// Longest document, in bytes.
const DOCUMENT_MAX: u64 = 256 * 1024;

/// How this server proves to a provider who it is: RFC 6749, section 2.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    /// Not at all.
    None,
    /// In the head of a call.
    Basic,
    /// In the body of a call.
    Post,
}

/// What is needed of it, checked.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) keys: Url,
    pub(super) userinfo: Option<Url>,
    pub(super) end_session: Option<Url>,
    pub(super) client_auth: ClientAuth,
    /// Whether answers by way of the browser always tell whose they are (RFC 9207).
    pub(super) names_issuer: bool,
}

/// The document itself; what else is in it does not matter.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    response_types_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

/// Asks a provider.
pub(super) async fn fetch(http: &Http, settings: &Settings) -> Result<Metadata, OidcError> {
    let call = Call::get(discovery_url(&settings.issuer_url), DOCUMENT_MAX);
    let body = http.call(call).await?.json("its metadata")?;
    read(&body, settings)
}

/// Checks a document.
pub(super) fn read(body: &[u8], settings: &Settings) -> Result<Metadata, OidcError> {
    let document: Document = serde_json::from_slice(body).map_err(|error| {
        let error = quoted(&error.to_string());
        OidcError::refused(format!("its metadata cannot be read: {error}"))
    })?;
    // Without this, one provider could pass for another.
    if document.issuer != settings.issuer {
        let (found, wanted) = (quoted(&document.issuer), quoted(&settings.issuer));
        return Err(OidcError::misconfigured(format!(
            "it calls itself {found}, and `issuer` is {wanted}"
        )));
    }
    check_abilities(&document)?;
    let place = |field, text: &str| endpoint(field, text, settings.is_local);
    let optional = |field, text: Option<String>| text.map(|text| place(field, &text)).transpose();
    Ok(Metadata {
        authorization: place("authorization_endpoint", &document.authorization_endpoint)?,
        token: place("token_endpoint", &document.token_endpoint)?,
        keys: place("jwks_uri", &document.jwks_uri)?,
        userinfo: optional("userinfo_endpoint", document.userinfo_endpoint)?,
        end_session: optional("end_session_endpoint", document.end_session_endpoint)?,
        client_auth: client_auth(
            document.token_endpoint_auth_methods_supported.as_deref(),
            settings.client_secret.is_some(),
        )?,
        names_issuer: document.authorization_response_iss_parameter_supported == Some(true),
    })
}

/// What a provider does not tell is tried.
fn check_abilities(document: &Document) -> Result<(), OidcError> {
    let types = document.response_types_supported.as_deref();
    if types.is_some_and(|types| !types.iter().any(|name| name == "code")) {
        return Err(OidcError::misconfigured("it gives no authorization codes"));
    }
    let algorithms = document.id_token_signing_alg_values_supported.as_deref();
    if algorithms.is_some_and(|names| !names.iter().any(|name| is_allowed(name))) {
        return Err(OidcError::misconfigured(
            "it signs by no algorithm that is allowed here",
        ));
    }
    Ok(())
}

/// Without a word of the provider it is [`ClientAuth::Basic`] (OpenID Connect Discovery,
/// section 3).
fn client_auth(methods: Option<&[String]>, has_secret: bool) -> Result<ClientAuth, OidcError> {
    let knows = |wanted| methods.is_some_and(|names| names.iter().any(|name| name == wanted));
    if !has_secret {
        Ok(ClientAuth::None)
    } else if methods.is_none() || knows("client_secret_basic") {
        Ok(ClientAuth::Basic)
    } else if knows("client_secret_post") {
        Ok(ClientAuth::Post)
    } else {
        Err(OidcError::misconfigured("it takes no client secrets"))
    }
}
