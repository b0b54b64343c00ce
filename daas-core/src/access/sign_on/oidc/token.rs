//! ID tokens: OpenID Connect Core 1.0, section 3.1.3.7.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq as _;

use super::error::{OidcError, quoted};
use super::keys::Wanted;
use super::signature::ALLOWED;
use crate::model::Timestamp;

/// How much clocks may differ, in seconds.
const LEEWAY_S: f64 = 60.0;
/// Longest name of a key, in bytes.
const KID_MAX: usize = 1024;
/// Longest subject, in bytes: OpenID Connect Core, section 2.
const SUBJECT_MAX: usize = 255;

/// Claims by their names.
pub(super) type Claims = Map<String, Value>;

/// Those claims that say whether a token counts.
#[derive(Deserialize)]
struct Registered {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    at_hash: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn all(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

/// What a token has to fit.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) access_token: &'a str,
    pub(super) now: Timestamp,
}

fn refused(reason: &str) -> OidcError {
    OidcError::refused(format!("its token {reason}"))
}

/// By which key a token says that it is signed. Nothing of it is to be believed before
/// [`verify`].
pub(super) fn wanted_key(token: &str) -> Result<Wanted, OidcError> {
    // An unknown algorithm, such as `none`, is none that can be read.
    let header = decode_header(token).map_err(|_| refused("has a head that is not allowed"))?;
    if !ALLOWED.contains(&header.alg) {
        return Err(refused("is signed by an algorithm that is not allowed"));
    }
    // RFC 7515, section 4.1.11: nothing critical is understood here.
    if header.crit.is_some() {
        return Err(refused("has critical parameters"));
    }
    // Tokens for other ends may be signed by the same key.
    if header
        .typ
        .is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT"))
    {
        return Err(refused("is of another type"));
    }
    let kid = header.kid;
    if kid.as_ref().is_some_and(|kid| kid.len() > KID_MAX) {
        return Err(refused("has too long a name for its key"));
    }
    Ok(Wanted {
        kid,
        algorithm: header.alg,
    })
}

/// The claims of a token with a good signature.
pub(super) fn verify(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
) -> Result<Claims, OidcError> {
    let mut validation = Validation::new(algorithm);
    // Claims are checked here, by the time of the caller.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded = decode::<Claims>(token, key, &validation);
    let decoded = decoded.map_err(|_| refused("has no good signature"))?;
    Ok(decoded.claims)
}

/// Checks the claims of a token, and answers whom it is about.
pub(super) fn check(
    claims: &Claims,
    algorithm: Algorithm,
    expected: &Expected<'_>,
) -> Result<String, OidcError> {
    let registered = serde_json::from_value::<Registered>(Value::Object(claims.clone()));
    let registered = registered.map_err(|error| {
        let error = quoted(&error.to_string());
        refused(&format!("lacks what it needs: {error}"))
    })?;
    if registered.iss != expected.issuer {
        return Err(refused("is of another issuer"));
    }
    check_audience(&registered, expected.client_id)?;
    check_times(&registered, expected.now)?;
    let nonce = registered.nonce.unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(refused("is for another log-in"));
    }
    let hash = registered.at_hash;
    if hash.is_some_and(|hash| hash != half_hash(algorithm, expected.access_token)) {
        return Err(refused("is for another access token"));
    }
    check_subject(registered.sub)
}

fn check_audience(registered: &Registered, client_id: &str) -> Result<(), OidcError> {
    let audience = registered.aud.all();
    if !audience.iter().any(|name| name == client_id) {
        return Err(refused("is for another client"));
    }
    match &registered.azp {
        Some(azp) if azp != client_id => Err(refused("was given to another client")),
        None if audience.len() > 1 => Err(refused("does not say to whom it was given")),
        _ => Ok(()),
    }
}

fn check_times(registered: &Registered, now: Timestamp) -> Result<(), OidcError> {
    let now = now.0 as f64 / 1000.0;
    // JSON has no number that cannot be compared.
    if registered.exp <= now - LEEWAY_S {
        return Err(refused("has expired"));
    }
    if registered.iat > now + LEEWAY_S {
        return Err(refused("is of the future"));
    }
    if registered.nbf.is_some_and(|nbf| nbf > now + LEEWAY_S) {
        return Err(refused("is not good yet"));
    }
    Ok(())
}

/// Accounts are found by it: one that cannot be told from another by eye is none.
fn check_subject(subject: String) -> Result<String, OidcError> {
    let fits = (1..=SUBJECT_MAX).contains(&subject.len());
    if !fits || subject.chars().any(char::is_control) {
        return Err(refused("has no subject that can be used"));
    }
    Ok(subject)
}

/// The left half of a hash, which belongs to an algorithm: OpenID Connect Core, section
/// 3.1.3.6. For `EdDSA` it is that of Ed25519.
fn half_hash(algorithm: Algorithm, text: &str) -> String {
    use Algorithm::{ES256, ES384, PS256, PS384, RS256, RS384};
    let hash = match algorithm {
        RS256 | PS256 | ES256 => Sha256::digest(text).to_vec(),
        RS384 | PS384 | ES384 => Sha384::digest(text).to_vec(),
        _ => Sha512::digest(text).to_vec(),
    };
    URL_SAFE_NO_PAD.encode(hash.get(..hash.len() / 2).unwrap_or_default())
}
