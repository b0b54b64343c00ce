//! The keys that seal secrets in the tables, as their file has them now.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Fault;
use crate::secret::Secret;
use crate::vault::Vault;

/// The keys of a file. Another process may rotate them: whoever seals does so inside a write,
/// so that a rotation has either not begun, and seals it again later, or its new key is in the
/// file by now.
#[derive(Debug)]
pub(super) struct Keyring {
    path: PathBuf,
    read: Mutex<(Stamp, Vault)>,
}

/// Tells one state of the file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let about = fs::metadata(path).ok()?;
        Some(Self {
            file: about.ino(),
            changed: (about.mtime(), about.mtime_nsec()),
        })
    }
}

impl Keyring {
    /// The keys of a file, which is made where it is not there, unless something was sealed
    /// already: no new key would open that.
    pub(super) fn open(path: &Path, sealed_before: bool) -> Result<Self, Fault> {
        let vault = if sealed_before {
            Vault::open(path)?
        } else {
            Vault::open_or_create(path)?
        };
        // A change between reading and this is found when something does not open.
        let stamp = Stamp::of(path).unwrap_or(Stamp {
            file: 0,
            changed: (0, 0),
        });
        Ok(Self {
            path: path.to_owned(),
            read: Mutex::new((stamp, vault)),
        })
    }

    fn vault(&self) -> Result<Vault, Fault> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match Stamp::of(&self.path) {
            // Where the file is gone, the keys are those that are known.
            None => {}
            Some(stamp) if stamp == read.0 => {}
            Some(stamp) => *read = (stamp, Vault::open(&self.path)?),
        }
        Ok(read.1.clone())
    }

    pub(super) fn seal(&self, purpose: &str, secret: &Secret<String>) -> Result<String, Fault> {
        Ok(self.vault()?.seal(purpose, secret)?)
    }

    pub(super) fn unseal(&self, purpose: &str, sealed: &str) -> Result<Secret<String>, Fault> {
        Ok(self.vault()?.unseal(purpose, sealed)?)
    }

    /// Whether the active key sealed a text.
    pub(super) fn is_current(&self, sealed: &str) -> Result<bool, Fault> {
        Ok(self.vault()?.is_current(sealed))
    }
}
