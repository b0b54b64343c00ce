//! Passwords as argon2id hashes.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use thiserror::Error;

use crate::blocking::Gate;
use crate::error::{Error as CoreError, Result};
use crate::secret::Secret;

/// Hashes at a time: each takes 19 MiB and a processor, and log-ins must not starve the
/// rest.
const AT_ONCE: usize = 2;
/// Shortest and longest password, in bytes. The longest bounds the work of hashing.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=1024;

/// Why a password is not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Too short or too long.
    #[error("a password has 8 to 1024 bytes")]
    Length,
    /// It could not be hashed.
    #[error(transparent)]
    Failed(#[from] CoreError),
}

/// Hashes and checks passwords, a few at a time.
#[derive(Clone, Debug)]
pub struct Passwords {
    gate: Gate,
    /// Hash of nobody's password: for names that nobody has, so that they take as long.
    nobody: String,
}

fn hash(password: &str) -> Result<String> {
    // Argon2id with 19 MiB, two passes, one lane, and a random salt.
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(failed)
}

fn failed(error: argon2::password_hash::Error) -> CoreError {
    CoreError::Backend {
        backend: "argon2",
        operation: "hashing a password",
        source: error.into(),
    }
}

fn verify(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        return false;
    };
    let verified = Argon2::default().verify_password(password.as_bytes(), &hash);
    verified.is_ok()
}

impl Passwords {
    /// Ready to hash.
    ///
    /// # Errors
    /// Where the operating system gives no random bits or no threads.
    pub async fn new() -> Result<Self> {
        let gate = Gate::in_the_background(AT_ONCE, "daas-hash").map_err(no_threads)?;
        let nobody = gate.run(|| hash("nobody's password")).await;
        Ok(Self {
            nobody: nobody.map_err(blocked)??,
            gate,
        })
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// Where its length is not fit.
    pub async fn hash(&self, password: Secret<String>) -> Result<String, PasswordError> {
        if !LENGTH.contains(&password.expose().len()) {
            return Err(PasswordError::Length);
        }
        let hashed = self.gate.run(move || hash(password.expose())).await;
        Ok(hashed.map_err(blocked)??)
    }

    /// Whether a password is that of a hash; of nobody's, if there is no hash.
    ///
    /// # Errors
    /// Where hashing does not work at all.
    pub async fn verify(&self, password: Secret<String>, hash: Option<String>) -> Result<bool> {
        if password.expose().len() > *LENGTH.end() {
            return Ok(false);
        }
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let right = self
            .gate
            .run(move || verify(password.expose(), &hash))
            .await;
        Ok(right.map_err(blocked)? && known)
    }
}

fn no_threads(error: std::io::Error) -> CoreError {
    CoreError::Unavailable {
        backend: "argon2",
        operation: "starting threads",
        source: Some(error.into()),
    }
}

fn blocked(error: crate::blocking::BlockingError) -> CoreError {
    CoreError::Unavailable {
        backend: "argon2",
        operation: "hashing a password",
        source: Some(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let passwords = Passwords::new().await.unwrap();
        let hash = passwords.hash(secret("Grüße, 世界")).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        let is = |text, hash: Option<&String>| passwords.verify(secret(text), hash.cloned());
        assert!(is("Grüße, 世界", Some(&hash)).await.unwrap());
        assert!(!is("grüße, 世界", Some(&hash)).await.unwrap());
        assert!(!is("nobody's password", None).await.unwrap());
        assert!(
            !is("anything", Some(&"not a hash".to_owned()))
                .await
                .unwrap()
        );
        assert!(passwords.hash(secret("short")).await.is_err());
    }
}
