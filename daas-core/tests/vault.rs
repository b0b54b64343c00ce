//! Secrets at rest: nothing opens that was not sealed so, and rotation loses nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use daas_core::vault::{Vault, VaultError};
use daas_core::{Error, Secret};
use proptest::prelude::*;
use tempfile::TempDir;

const PURPOSE: &str = "instances.password:1";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn opened(vault: &Vault, purpose: &str, sealed: &str) -> Option<String> {
    let secret = vault.unseal(purpose, sealed).ok()?;
    Some(secret.expose().clone())
}

/// A folder with a key file.
fn key_file() -> (TempDir, PathBuf, Vault) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let vault = Vault::open_or_create(&path).unwrap();
    (folder, path, vault)
}

/// A database with one secret a row.
struct Rows(Vec<String>);

impl Rows {
    fn purpose(row: usize) -> String {
        format!("rows.secret:{row}")
    }

    fn sealed_by(vault: &Vault) -> Self {
        let seal = |row| vault.seal(&Self::purpose(row), &secret(&format!("secret {row}")));
        Self((0..20).map(|row| seal(row).unwrap()).collect())
    }

    /// One transaction.
    fn seal_again(&mut self, vault: &Vault) {
        for (row, sealed) in self.0.iter_mut().enumerate() {
            let secret = vault.unseal(&Self::purpose(row), sealed).unwrap();
            *sealed = vault.seal(&Self::purpose(row), &secret).unwrap();
        }
    }

    fn assert_open(&self, vault: &Vault) {
        for (row, sealed) in self.0.iter().enumerate() {
            let expected = Some(format!("secret {row}"));
            assert_eq!(opened(vault, &Self::purpose(row), sealed), expected);
        }
    }

    fn all_current(&self, vault: &Vault) -> bool {
        self.0.iter().all(|sealed| vault.is_current(sealed))
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let vault = Vault::in_memory().unwrap();
    let sealed = vault.seal(PURPOSE, &secret("correct horse")).unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut bytes = sealed.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let text = String::from_utf8_lossy(&bytes);
        assert!(vault.unseal(PURPOSE, &text).is_err(), "bit {bit}: {text}");
    }
    assert_eq!(
        opened(&vault, PURPOSE, &sealed).as_deref(),
        Some("correct horse")
    );
}

#[test]
fn whatever_is_cut_or_added_is_refused() {
    let vault = Vault::in_memory().unwrap();
    for text in ["", "x", "two", "three", "four bytes more"] {
        let sealed = vault.seal(PURPOSE, &secret(text)).unwrap();
        for end in 0..sealed.len() {
            assert!(vault.unseal(PURPOSE, &sealed[..end]).is_err());
            assert!(vault.unseal(PURPOSE, &sealed[end + 1..]).is_err());
        }
        for added in ["A", "AA", "AAAA", "=", "==", ".", "\n", " "] {
            assert!(vault.unseal(PURPOSE, &format!("{sealed}{added}")).is_err());
            assert!(vault.unseal(PURPOSE, &format!("{added}{sealed}")).is_err());
        }
    }
}

#[test]
fn secrets_cannot_be_moved() {
    let vault = Vault::in_memory().unwrap();
    let sealed = vault.seal(PURPOSE, &secret("mine")).unwrap();
    for other in ["", "instances.password:", "instances.password:11", "users"] {
        let refused = vault.unseal(other, &sealed);
        assert!(matches!(refused, Err(VaultError::Refused)), "{other}");
    }
    // Nor does the border between id and purpose move.
    let (head, text) = sealed.rsplit_once('.').unwrap();
    let moved = format!("{}.{text}", &head[..head.len() - 1]);
    let purpose = format!("{}{PURPOSE}", &head[head.len() - 1..]);
    assert!(vault.unseal(&purpose, &moved).is_err());
}

#[test]
fn other_keys_open_nothing() {
    let (folder, path, vault) = key_file();
    let sealed = vault.seal(PURPOSE, &secret("mine")).unwrap();
    let other = Vault::in_memory().unwrap();
    let unknown = other.unseal(PURPOSE, &sealed);
    assert!(matches!(unknown, Err(VaultError::UnknownKey { id }) if id == vault.active_id()));
    // Another key by the same name.
    let text = fs::read_to_string(&path).unwrap();
    let key = text.lines().last().unwrap();
    let id = key.split(' ').next().unwrap();
    let forged = folder.path().join("forged");
    fs::write(&forged, format!("{id} {}=\n", "A".repeat(43))).unwrap();
    fs::set_permissions(&forged, fs::Permissions::from_mode(0o600)).unwrap();
    let forged = Vault::open(&forged).unwrap();
    assert!(matches!(
        forged.unseal(PURPOSE, &sealed),
        Err(VaultError::Refused)
    ));
}

/// Sealed by libsodium (through PyNaCl) in the form that the docs of the module tell.
#[test]
fn others_seal_the_same_way() {
    let (_folder, path, _) = key_file();
    fs::write(&path, "a1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    let sealed = "v1.a1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXk0vGzBN_HDqvED8oSAnpBdA931nmB7Yf\
                  vdf-rXLCVg";
    let vault = Vault::open(&path).unwrap();
    let text = opened(&vault, "instances.password:7", sealed);
    assert_eq!(text.as_deref(), Some("Grüße, 世界"));
}

#[test]
fn the_same_secret_is_never_sealed_alike() {
    let vault = Vault::in_memory().unwrap();
    let seal = || vault.seal(PURPOSE, &secret("same")).unwrap();
    let texts = (0..1000)
        .map(|_| seal())
        .collect::<std::collections::HashSet<_>>();
    assert_eq!(texts.len(), 1000);
}

#[test]
fn length_is_bounded() {
    let vault = Vault::in_memory().unwrap();
    let longest = "x".repeat(64 * 1024);
    let sealed = vault.seal(PURPOSE, &secret(&longest)).unwrap();
    assert_eq!(opened(&vault, PURPOSE, &sealed), Some(longest.clone()));
    let longer = vault.seal(PURPOSE, &secret(&(longest + "x")));
    assert!(matches!(longer, Err(VaultError::TooLong)));
    let text = format!("v1.{}.{}", vault.active_id(), "A".repeat(1 << 20));
    assert!(vault.unseal(PURPOSE, &text).is_err());
}

#[test]
fn the_file_is_for_its_owner_only() {
    let (folder, path, vault) = key_file();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&path), 0o600);
    drop(vault);
    Vault::add_key(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    for wrong in [0o640, 0o604, 0o620, 0o602, 0o610, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(wrong)).unwrap();
        let error = Vault::open_or_create(&path).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("mode {wrong:04o}")), "{text}");
        let remedy = format!("chmod 600 '{}'", path.display());
        assert!(text.contains(&remedy), "{text}");
        assert!(Vault::add_key(&path).is_err());
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    Vault::open(&path).unwrap();
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "nothing is left over");
}

#[test]
fn what_is_no_key_file_is_refused_by_name_and_line() {
    let (folder, path, _) = key_file();
    let mut text = fs::read(&path).unwrap();
    text.extend(b"other \xff\n");
    fs::write(&path, &text).unwrap();
    let error = Vault::open(&path).unwrap_err();
    assert!(
        matches!(error, VaultError::Malformed { line: 4, .. }),
        "{error}"
    );
    fs::write(&path, "").unwrap();
    let error = Vault::open_or_create(&path).unwrap_err();
    assert!(
        matches!(error, VaultError::Malformed { line: 1, .. }),
        "{error}"
    );
    fs::write(&path, "#".repeat(1 << 20)).unwrap();
    assert!(Vault::open(&path).is_err());
    assert!(Vault::open_or_create(folder.path()).is_err());
    assert!(Vault::open_or_create(&folder.path().join("none/keys")).is_err());
    assert!(Vault::open(&folder.path().join("none")).is_err());
    assert!(Vault::add_key(&folder.path().join("none")).is_err());
    assert!(!folder.path().join("none").exists());
}

#[test]
fn nothing_prints_keys_or_secrets() {
    let (_folder, path, vault) = key_file();
    let text = fs::read_to_string(&path).unwrap();
    let key = text.lines().last().unwrap().split(' ').nth(1).unwrap();
    assert!(!format!("{vault:?}").contains(key));
    fs::write(&path, format!("{text}a {key}\n")).unwrap();
    let error = Vault::open(&path).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(key));
    let error = Error::from(error);
    assert!(!daas_core::chain(&error).contains(key));
}

#[test]
fn rotation_loses_nothing_wherever_it_breaks_off() {
    let (_folder, path, vault) = key_file();
    let mut rows = Rows::sealed_by(&vault);
    let first = fs::read(&path).unwrap();

    // While the new file was being written.
    let half = &first[..first.len() / 2];
    fs::write(path.with_extension("new"), half).unwrap();
    rows.assert_open(&Vault::open(&path).unwrap());

    // After the key was added, twice: the second finds the remains of the first.
    let once = Vault::add_key(&path).unwrap();
    rows.assert_open(&once);
    let twice = Vault::add_key(&path).unwrap();
    let reopened = Vault::open(&path).unwrap();
    assert_eq!(reopened.active_id(), twice.active_id());
    assert!(reopened.has_old_keys());
    rows.assert_open(&reopened);
    assert!(!rows.all_current(&reopened));

    // One row was sealed with the key in between.
    let between = once.seal(&Rows::purpose(0), &secret("secret 0")).unwrap();
    rows.0[0] = between;
    rows.assert_open(&reopened);

    // After everything was sealed again.
    rows.seal_again(&reopened);
    let reopened = Vault::open(&path).unwrap();
    assert!(rows.all_current(&reopened) && reopened.has_old_keys());
    rows.assert_open(&reopened);

    // After the old ones were dropped, and once more.
    let dropped = reopened.drop_old_keys(&path).unwrap();
    dropped.drop_old_keys(&path).unwrap();
    for vault in [dropped, Vault::open(&path).unwrap()] {
        assert!(!vault.has_old_keys());
        rows.assert_open(&vault);
    }
    let again = Vault::open(&path).unwrap();
    assert!(again.unseal(PURPOSE, &rows.0[0]).is_err());
}

#[test]
fn keys_that_others_use_are_not_dropped() {
    let (_folder, path, first) = key_file();
    let second = Vault::add_key(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = first.drop_old_keys(&path);
    assert!(matches!(refused, Err(VaultError::Changed { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(matches!(
        Error::from(refused.unwrap_err()),
        Error::Conflict { .. }
    ));
    second.drop_old_keys(&path).unwrap();
}

#[test]
fn many_at_once_make_one_file_and_lose_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let path = &path;
    let sealed = thread::scope(|scope| {
        let run = |add| {
            move || {
                let vault = Vault::open_or_create(path).unwrap();
                let first = vault.seal(PURPOSE, &secret("a")).unwrap();
                let vault = if add {
                    Vault::add_key(path).unwrap()
                } else {
                    vault
                };
                [first, vault.seal(PURPOSE, &secret("a")).unwrap()]
            }
        };
        let threads = (0..16).map(|at| scope.spawn(run(at % 2 == 0)));
        let threads = threads.collect::<Vec<_>>();
        let sealed = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        sealed.collect::<Vec<_>>()
    });
    let vault = Vault::open(path).unwrap();
    for sealed in sealed {
        assert_eq!(opened(&vault, PURPOSE, &sealed).as_deref(), Some("a"));
    }
}

#[test]
fn a_link_to_the_file_stays_a_link() {
    let (folder, path, vault) = key_file();
    let sealed = vault.seal(PURPOSE, &secret("a")).unwrap();
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    let added = Vault::add_key(&link).unwrap();
    assert!(link.is_symlink());
    let opened_again = Vault::open(&path).unwrap();
    assert_eq!(opened_again.active_id(), added.active_id());
    assert!(opened_again.unseal(PURPOSE, &sealed).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn texts_lead_back(text in any::<String>(), purpose in any::<String>()) {
        let vault = Vault::in_memory().unwrap();
        let sealed = vault.seal(&purpose, &secret(&text)).unwrap();
        prop_assert!(vault.is_current(&sealed));
        prop_assert_eq!(opened(&vault, &purpose, &sealed), Some(text));
    }

    #[test]
    fn no_text_panics_or_opens(text in "(v1\\.)?[a-z0-9]{0,17}\\.?\\PC*") {
        let vault = Vault::in_memory().unwrap();
        prop_assert!(vault.unseal(PURPOSE, &text).is_err());
        let ours = format!("v1.{}.{text}", vault.active_id());
        prop_assert!(vault.unseal(PURPOSE, &ours).is_err());
    }
}
