//! Keys, and tokens signed by them.

use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
};
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::sha2::{Sha256, Sha384, Sha512};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key.
pub(super) enum Signer {
    Rsa(Box<rsa::PrivateKey>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Secret(Vec<u8>),
    Nobody,
}

impl Signer {
    pub(super) fn rsa(bits: usize) -> Self {
        Self::Rsa(Box::new(rsa::PrivateKey::new(&mut System, bits).unwrap()))
    }

    pub(super) fn p256() -> Self {
        Self::P256(ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING))
    }

    pub(super) fn p384() -> Self {
        Self::P384(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING))
    }

    pub(super) fn ed25519() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    /// The bytes of the public key, as many put them into a file.
    pub(super) fn public(&self) -> Vec<u8> {
        match self {
            Self::P256(key) | Self::P384(key) => key.public_key().as_ref().to_vec(),
            Self::Ed25519(key) => key.public_key().as_ref().to_vec(),
            Self::Rsa(key) => key.n().to_be_bytes().to_vec(),
            Self::Secret(_) | Self::Nobody => Vec::new(),
        }
    }

    pub(super) fn jwk(&self, kid: &str) -> Value {
        let public = self.public();
        let halves = |curve: &str| {
            let (x, y) = public[1..].split_at(public.len() / 2);
            json!({ "kty": "EC", "crv": curve, "x": base64(x), "y": base64(y), "kid": kid })
        };
        match self {
            Self::Rsa(_) => json!({
                "kty": "RSA", "n": base64(public), "e": "AQAB", "kid": kid, "use": "sig",
            }),
            Self::P256(_) => halves("P-256"),
            Self::P384(_) => halves("P-384"),
            Self::Ed25519(_) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(public), "kid": kid })
            }
            Self::Secret(secret) => json!({ "kty": "oct", "k": base64(secret), "kid": kid }),
            Self::Nobody => json!({}),
        }
    }

    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            base64(header.to_string()),
            base64(claims.to_string())
        );
        let algorithm = header["alg"].as_str().unwrap_or_default();
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", base64(signature))
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(key) => match algorithm {
                "RS384" => key.pkcs1v15_sign::<Sha384>(message).unwrap(),
                "RS512" => key.pkcs1v15_sign::<Sha512>(message).unwrap(),
                "PS256" => key.pss_sign::<Sha256>(message).unwrap(),
                "PS384" => key.pss_sign::<Sha384>(message).unwrap(),
                "PS512" => key.pss_sign::<Sha512>(message).unwrap(),
                _ => key.pkcs1v15_sign::<Sha256>(message).unwrap(),
            },
            Self::P256(key) | Self::P384(key) => {
                let signature = key.sign(&SystemRandom::new(), message);
                signature.unwrap().as_ref().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::Secret(secret) => {
                let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
                mac.update(message);
                mac.finalize().into_bytes().to_vec()
            }
            Self::Nobody => Vec::new(),
        }
    }
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()
}

/// Random bits of the system.
struct System;

impl TryRng for System {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(getrandom::u32().unwrap())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(getrandom::u64().unwrap())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        getrandom::fill(bytes).unwrap();
        Ok(())
    }
}

impl TryCryptoRng for System {}
