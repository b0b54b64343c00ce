//! Passwords as argon2id hashes.

mod argon2id;

use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::blocking::{Gate, pause};
use crate::error::{Error as CoreError, Result};
use crate::secret::Secret;

/// How long the memory of the last hash stays for the next one.
const KEPT: Duration = Duration::from_secs(2);
/// Shortest and longest password, in characters, as people count. The longest bounds the work
/// of hashing.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=1024;

/// Hash of nobody's password: for names that nobody has, so that they take as long. Whatever
/// fits it is refused.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw\
                      $//////////////////////////////////////////8";

/// Why a password is not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Too short or too long.
    #[error("a password has 8 to 1024 characters")]
    Length,
    /// It could not be hashed.
    #[error(transparent)]
    Failed(#[from] CoreError),
}

/// Hashes and checks passwords, a few at a time.
#[derive(Clone, Debug)]
pub struct Passwords {
    gate: Gate,
    memory: Memory,
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

fn verify(password: &str, hash: &str, memory: &Memory) -> bool {
    let hash = PasswordHash::new(hash).ok();
    let again = hash.and_then(|hash| Some((hash_as(password, &hash, memory)?, hash.hash?)));
    // Takes as long wherever they differ.
    again.is_some_and(|(again, hash)| again == hash)
}

/// Hashes a password once more, in the way and with the salt of a hash.
fn hash_as(password: &str, hash: &PasswordHash, memory: &Memory) -> Option<Output> {
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = Version::try_from(hash.version?).ok()?;
    let params = Params::try_from(hash).ok()?;
    let (salt, length) = (hash.salt?, hash.hash?.len());
    memory.with(params.block_count(), |memory| {
        if argon2id::can(algorithm, version, &params, length) {
            let hash = argon2id::hash(password.as_bytes(), &salt, &params, memory, pause);
            return Output::new(&hash).ok();
        }
        let mut hash = [0; Output::MAX_LENGTH];
        let hash = hash.get_mut(..length)?;
        let argon2 = Argon2::new(algorithm, version, params);
        argon2
            .hash_password_into_with_memory(password.as_bytes(), &salt, hash, memory)
            .ok()?;
        Output::new(hash).ok()
    })
}

/// What hashes are computed in, kept for those that follow soon.
///
/// To get 19 MiB from the kernel and to give them back would be about a third of the processor
/// time of a check, and kernels that are not preemptible let nothing else run meanwhile.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// Those in which nothing is computed now.
    free: Vec<Vec<Block>>,
    /// Gives them back after a while.
    end: Option<AbortHandle>,
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, blocks: usize, call: impl FnOnce(&mut [Block]) -> T) -> T {
        let mut memory = self.kept().free.pop().unwrap_or_default();
        memory.resize(blocks, Block::default());
        let answer = call(&mut memory);
        self.kept().free.push(memory);
        answer
    }

    /// Gives it back after a time in which nobody calls this again.
    fn give_back_later(&self, runtime: &Handle) {
        let memory = self.clone();
        let later = runtime.spawn(async move {
            sleep(KEPT).await;
            memory.kept().free = Vec::new();
        });
        if let Some(before) = self.kept().end.replace(later.abort_handle()) {
            before.abort();
        }
    }
}

/// Hashes at a time: each takes 19 MiB and a processor, and log-ins must not starve the rest.
/// Half of the processors are left to it, one at least, and two at most.
fn at_once() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    (processors / 2).clamp(1, 2)
}

impl Passwords {
    /// Ready to hash.
    ///
    /// # Errors
    /// Where the operating system gives no threads.
    pub fn new() -> Result<Self> {
        let gate = Gate::in_the_background(at_once(), "daas-hash").map_err(no_threads)?;
        Ok(Self {
            memory: Memory::default(),
            gate,
        })
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// Where its length is not fit.
    pub async fn hash(&self, password: Secret<String>) -> Result<String, PasswordError> {
        if !LENGTH.contains(&password.expose().chars().count()) {
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
        if password.expose().chars().count() > *LENGTH.end() {
            return Ok(false);
        }
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let (memory, runtime) = (self.memory.clone(), Handle::current());
        let check = move || {
            let right = verify(password.expose(), &hash, &memory);
            memory.give_back_later(&runtime);
            right
        };
        let right = self.gate.run(check).await;
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
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash(secret("Grüße, 世界")).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        // It takes as long as a real one.
        let costs = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(costs(NOBODY), costs(&hash));
        assert_eq!(NOBODY.len(), hash.len());
        let is = |text, hash: Option<&String>| passwords.verify(secret(text), hash.cloned());
        assert!(is("Grüße, 世界", Some(&hash)).await.unwrap());
        assert!(!is("grüße, 世界", Some(&hash)).await.unwrap());
        assert!(!is("nobody's password", None).await.unwrap());
        assert!(
            !is("anything", Some(&"not a hash".to_owned()))
                .await
                .unwrap()
        );
        for unfit in ["short", "Grüße, ", &"ü".repeat(1025)] {
            assert!(passwords.hash(secret(unfit)).await.is_err(), "{unfit}");
        }
        let long = "ü".repeat(1024);
        let hash = passwords.hash(secret(&long)).await.unwrap();
        let right = passwords.verify(secret(&long), Some(hash));
        assert!(right.await.unwrap());
    }

    #[test]
    fn passwords_of_other_kinds_are_right_too() {
        let memory = Memory::default();
        for (memory_kib, passes, lanes) in [(64, 1, 1), (100, 3, 1), (64, 2, 4)] {
            let params = Params::new(memory_kib, passes, lanes, None).unwrap();
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let hash = argon2.hash_password(b"password").unwrap().to_string();
            assert!(verify("password", &hash, &memory), "{hash}");
            assert!(!verify("passwort", &hash, &memory), "{hash}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_kept_for_the_next_and_then_given_back() {
        let (memory, hash) = (Memory::default(), hash("password").unwrap());
        let free = || memory.kept().free.len();
        for _ in 0..3 {
            assert!(verify("password", &hash, &memory));
            memory.give_back_later(&Handle::current());
            assert_eq!(free(), 1);
        }
        sleep(KEPT * 2).await;
        assert_eq!(free(), 0);
    }
}
