//! The public keys of a provider: RFC 7517.

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::error::{OidcError, quoted};
use super::http::{Call, Http};
use super::signature::ALLOWED;

/// Longest set, in bytes.
const SET_MAX: u64 = 256 * 1024;
/// Most keys in it.
const KEYS_MAX: usize = 100;

/// Those keys of a provider that can be understood.
#[derive(Debug)]
pub(super) struct Keys(Vec<Jwk>);

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// What a token names its key by.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) kid: Option<String>,
    pub(super) algorithm: Algorithm,
}

/// Asks a provider.
pub(super) async fn fetch(http: &Http, place: Url) -> Result<Keys, OidcError> {
    let answer = http.call(Call::get(place, SET_MAX)).await?;
    Keys::read(&answer.json("its keys")?)
}

impl Keys {
    /// Reads a set; keys of other kinds than those known are passed over, as RFC 7517
    /// (section 5) wants it.
    pub(super) fn read(body: &[u8]) -> Result<Self, OidcError> {
        let set: Set = serde_json::from_slice(body).map_err(|error| {
            let error = quoted(&error.to_string());
            OidcError::refused(format!("its keys cannot be read: {error}"))
        })?;
        if set.keys.len() > KEYS_MAX {
            return Err(OidcError::refused("it has too many keys"));
        }
        let keys = set.keys.into_iter();
        let keys = keys.filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(keys.collect()))
    }

    /// Whether anything can be checked by them.
    pub(super) fn is_usable(&self) -> bool {
        let fits = |key: &Jwk| ALLOWED.iter().any(|algorithm| fits(key, *algorithm));
        self.0.iter().any(fits)
    }

    /// The only key that fits, if there is one. A token without a name for its key needs one
    /// key in all (OpenID Connect Core, section 10.1).
    pub(super) fn find(&self, wanted: &Wanted) -> Result<Option<DecodingKey>, OidcError> {
        let is_wanted = |key: &&Jwk| {
            let is_it = wanted.kid.is_none() || key.common.key_id == wanted.kid;
            is_it && fits(key, wanted.algorithm)
        };
        let mut found = self.0.iter().filter(is_wanted);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(key), None) => {
                let key = DecodingKey::from_jwk(key);
                let key = key.map_err(|_| OidcError::refused("the key of its token is broken"))?;
                Ok(Some(key))
            }
            (Some(_), Some(_)) => Err(OidcError::refused("several keys fit its token")),
        }
    }
}

/// Whether a key may be used for this: its kind, its curve, and what is said of its use.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let for_signatures = match &common.public_key_use {
        None => true,
        Some(purpose) => *purpose == PublicKeyUse::Signature,
    };
    let for_checking = match &common.key_operations {
        None => true,
        Some(operations) => operations.contains(&KeyOperations::Verify),
    };
    let for_this = match common.key_algorithm {
        None => true,
        Some(named) => named == KeyAlgorithm::from(algorithm),
    };
    for_signatures && for_checking && for_this && kind_fits(&key.algorithm, algorithm)
}

fn kind_fits(key: &AlgorithmParameters, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match key {
        AlgorithmParameters::RSA(_) => {
            matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
        }
        AlgorithmParameters::EllipticCurve(key) => matches!(
            (&key.curve, algorithm),
            (EllipticCurve::P256, ES256) | (EllipticCurve::P384, ES384)
        ),
        AlgorithmParameters::OctetKeyPair(key) => {
            matches!((&key.curve, algorithm), (EllipticCurve::Ed25519, EdDSA))
        }
        _ => false,
    }
}
