//! Secrets at rest: what the database holds is sealed by keys that it does not hold.
//!
//! A [`Vault`] is a set of 256-bit keys out of a file beside the database. One of them is
//! active and seals; the others only open what they sealed before. Who has the database, or
//! a copy of it, without that file can neither read what was sealed nor change it unseen.
//!
//! # What is written
//! `v1.<key id>.<base64url>`, without padding: 24 random bytes of nonce, then the secret
//! encrypted by XChaCha20-Poly1305, then the tag of 16 bytes. The associated data is
//! `v1.<key id>.` and the purpose; as an id has no dot, no two of them are alike. The length
//! of a secret can be seen.
//!
//! # Rotation
//! 1. [`Vault::add_key`] writes a new active key into the file, and keeps the older ones.
//! 2. The storage seals again what is not [current](Vault::is_current), in one transaction.
//! 3. [`Vault::drop_old_keys`] removes the older ones.
//!
//! Whatever breaks off in between, all keys that sealed something are in the file. A vault
//! with [old keys](Vault::has_old_keys) at the start of the program tells of such a rotation:
//! do the second and the third step again. Nobody else may seal by an older vault meanwhile.
//!
//! What reads or writes files here blocks: call it through [`Gate`](crate::blocking::Gate).

mod error;
mod file;
mod keys;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use crate::secret::Secret;
use file::Place;
use keys::{Key, Keys, is_id, random};

pub use error::VaultError;

const VERSION: &str = "v1";
const NONCE: usize = 24;
const TAG: usize = 16;
/// Longest secret, in bytes.
const SECRET_MAX: usize = 64 * 1024;
/// Longest text of a sealed secret, behind the id of its key: four characters hold three
/// bytes.
const SEALED_MAX: usize = (NONCE + SECRET_MAX + TAG).div_ceil(3) * 4;

/// Seals secrets, and opens what it sealed. Clones share the keys, which are cleared from
/// memory with the last one.
#[derive(Clone)]
pub struct Vault {
    keys: Arc<Keys>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("active", &self.active_id())
            .field("keys", &"…")
            .finish()
    }
}

impl Vault {
    /// The vault of a key file, which is made with a new key if there is none. Blocks.
    ///
    /// A database that was sealed before needs its own file: with a new one, nothing in it
    /// opens.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and where the file cannot be written.
    pub fn open_or_create(path: &Path) -> Result<Self, VaultError> {
        match Self::open(path) {
            Err(error) if error.is_not_found() => Place::lock(path)?.create().map(Self::of),
            opened => opened,
        }
    }

    /// The vault of a key file. Blocks.
    ///
    /// # Errors
    /// Where the file cannot be read, anybody but its owner may reach it, or it is not
    /// [as it should be](VaultError::Malformed).
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        file::read(path).map(Self::of)
    }

    /// A vault with a key that no file has: for databases that end with the process.
    ///
    /// # Errors
    /// Where the operating system gives no random bits.
    pub fn in_memory() -> Result<Self, VaultError> {
        Keys::random().map(Self::of)
    }

    /// Adds a new key to a key file and makes it the active one: the first step of a
    /// [rotation](self#rotation). When it answers, the file is on the disk. Blocks.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and where the file cannot be written; then it is as
    /// it was, or has one more key.
    pub fn add_key(path: &Path) -> Result<Self, VaultError> {
        let place = Place::lock(path)?;
        let keys = place.read()?.with_new()?;
        place.write(&keys)?;
        Ok(Self::of(keys))
    }

    /// Removes all keys but the active one from the key file: the last step of a
    /// [rotation](self#rotation), after everything was sealed again. When it answers, the
    /// file is on the disk. Blocks.
    ///
    /// # Errors
    /// [`VaultError::Changed`] where the active key of the file is not the one of this
    /// vault, so that others may have sealed with what would be removed; else as for
    /// [`add_key`](Self::add_key).
    pub fn drop_old_keys(&self, path: &Path) -> Result<Self, VaultError> {
        let place = Place::lock(path)?;
        let keys = place.read()?;
        if !keys.active.is_same(&self.keys.active) {
            return Err(VaultError::Changed { path: path.into() });
        }
        let keys = keys.without_old();
        place.write(&keys)?;
        Ok(Self::of(keys))
    }

    fn of(keys: Keys) -> Self {
        let keys = Arc::new(keys);
        Self { keys }
    }

    /// The id of the key that seals. Ids are no secrets.
    #[must_use]
    pub fn active_id(&self) -> &str {
        &self.keys.active.id
    }

    /// Whether there are keys that only open.
    #[must_use]
    pub fn has_old_keys(&self) -> bool {
        !self.keys.old.is_empty()
    }

    /// Seals a secret for a purpose, such as `instances.password:<id>`. It opens for the
    /// same purpose only, so that it cannot be moved to another row or column.
    ///
    /// # Errors
    /// Where the secret is longer than 64 KiB, or the operating system gives no random bits.
    pub fn seal(&self, purpose: &str, secret: &Secret<String>) -> Result<String, VaultError> {
        if secret.expose().len() > SECRET_MAX {
            return Err(VaultError::TooLong);
        }
        let key = &self.keys.active;
        let (mut sealed, head) = ([0; NONCE].to_vec(), head(&key.id));
        random(&mut sealed)?;
        let message = secret.expose().as_bytes();
        let nonce = XNonce::try_from(sealed.as_slice()).map_err(|_| VaultError::Refused)?;
        sealed.extend(encrypt(key, &nonce, message, &format!("{head}{purpose}"))?);
        Ok(head + &URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens what was sealed for a purpose.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`] where the key that sealed it is not here, and
    /// [`VaultError::Refused`] for anything that was not sealed so.
    pub fn unseal(&self, purpose: &str, sealed: &str) -> Result<Secret<String>, VaultError> {
        let (id, text) = parts(sealed).ok_or(VaultError::Refused)?;
        let key = self.keys.find(id).ok_or_else(|| unknown(id))?;
        let sealed = URL_SAFE_NO_PAD.decode(text).ok();
        let secret = sealed.and_then(|sealed| {
            let (nonce, message) = sealed.split_at_checked(NONCE)?;
            let nonce = XNonce::try_from(nonce).ok()?;
            let secret = decrypt(key, &nonce, message, &format!("{}{purpose}", head(id)))?;
            String::from_utf8(secret).ok()
        });
        secret.map(Secret::new).ok_or(VaultError::Refused)
    }

    /// Whether a text says that the active key sealed it. Whether it opens is another
    /// matter.
    #[must_use]
    pub fn is_current(&self, sealed: &str) -> bool {
        parts(sealed).is_some_and(|(id, _)| id == self.active_id())
    }
}

/// What stands before the secret, and is authenticated with it.
fn head(id: &str) -> String {
    format!("{VERSION}.{id}.")
}

/// The id of the key and the rest of a sealed text.
fn parts(sealed: &str) -> Option<(&str, &str)> {
    let (version, rest) = sealed.split_once('.')?;
    let (id, text) = rest.split_once('.')?;
    let known = version == VERSION && is_id(id) && text.len() <= SEALED_MAX;
    known.then_some((id, text))
}

fn unknown(id: &str) -> VaultError {
    VaultError::UnknownKey { id: id.into() }
}

fn encrypt(key: &Key, nonce: &XNonce, msg: &[u8], aad: &str) -> Result<Vec<u8>, VaultError> {
    let aad = aad.as_bytes();
    let sealed = cipher(key).encrypt(nonce, Payload { msg, aad });
    // The one reason of the cipher to fail: more bytes than it can count.
    sealed.map_err(|_| VaultError::TooLong)
}

fn decrypt(key: &Key, nonce: &XNonce, msg: &[u8], aad: &str) -> Option<Vec<u8>> {
    let aad = aad.as_bytes();
    cipher(key).decrypt(nonce, Payload { msg, aad }).ok()
}

/// Clears its copy of the key when it is dropped.
fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&**key.bytes).into())
}
