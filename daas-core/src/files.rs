//! Files that settings name: bounded, and closed to others where they hold secrets. They
//! block, so they are read behind the gate for blocking calls, or before anything else goes on.

use std::fmt::Display;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::string::FromUtf8Error;

use crate::secret::Secret;

/// Most bytes of a file with certificates or keys.
pub(crate) const PEM_MAX: u64 = 1024 * 1024;
/// Most bytes of a file with a password or token.
pub(crate) const SECRET_MAX: u64 = 4096;
/// Rights of those who are neither the owner of a file nor in its group.
const OTHERS: u32 = 0o007;

/// Whether a file may be read by settings: not one with a secret that every user of the machine
/// could read or change.
///
/// # Errors
/// Where it may not, with what to do.
pub(crate) fn check_closed(about: &Metadata) -> io::Result<()> {
    if about.mode() & OTHERS == 0 {
        return Ok(());
    }
    let text = "it is open to every user of this machine; chmod 600 closes it";
    Err(io::Error::other(text))
}

/// What is in a file of certain size, and closed to others if it is secret.
///
/// # Errors
/// Why not, without the name of the file.
pub(crate) fn read(path: &Path, most: u64, is_secret: bool) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if is_secret {
        check_closed(&file.metadata()?)?;
    }
    let mut content = Vec::new();
    let length = file.take(most + 1).read_to_end(&mut content)?;
    if u64::try_from(length).is_ok_and(|length| length <= most) {
        Ok(content)
    } else {
        Err(io::Error::other(format!("it has more than {most} bytes")))
    }
}

/// The password or token in the content of a file: all but the end of its line.
///
/// # Errors
/// Where it is not UTF-8.
pub(crate) fn line(content: Vec<u8>) -> Result<Secret<String>, FromUtf8Error> {
    let text = String::from_utf8(content)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    Ok(Secret::new(line.to_owned()))
}

fn named(path: &Path, what: impl Display) -> io::Error {
    io::Error::other(format!("{}: {what}", path.display()))
}

/// A file with certificates.
///
/// # Errors
/// Where it cannot be read, or is too long; names the file.
pub fn certificates(path: &Path) -> io::Result<Vec<u8>> {
    read(path, PEM_MAX, false).map_err(|error| named(path, error))
}

/// A file with a private key.
///
/// # Errors
/// As [`certificates`], and where every user of the machine can read it.
pub fn private_key(path: &Path) -> io::Result<Vec<u8>> {
    read(path, PEM_MAX, true).map_err(|error| named(path, error))
}

/// The password or token in a file, without the end of its line.
///
/// # Errors
/// As [`private_key`], and where it is not text.
pub fn secret(path: &Path) -> io::Result<Secret<String>> {
    let content = read(path, SECRET_MAX, true).map_err(|error| named(path, error))?;
    line(content).map_err(|_| named(path, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_are_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let check = |content: &[u8], mode, expected: Option<&str>| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let found = secret(&path);
            let found = found.as_ref().ok().map(|secret| secret.expose().as_str());
            assert_eq!(found, expected, "{content:?} {mode:o}");
            assert_eq!(private_key(&path).is_ok(), mode & 0o007 == 0);
        };
        check(b"hush\n", 0o600, Some("hush"));
        check(b"hush \r\n", 0o640, Some("hush "));
        check(b"hush", 0o644, None);
        check(b"\xFF", 0o600, None);
        check(&[b'x'; 5000], 0o600, None);
        let missing = secret(&folder.path().join("none")).unwrap_err();
        assert!(missing.to_string().contains("none: "), "{missing}");
    }
}
