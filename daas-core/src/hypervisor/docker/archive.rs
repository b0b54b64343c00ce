//! One file as an archive, as it is put into a container and comes out of it.

use std::io::{self, Read as _};

/// Owner of the file: who runs in the container.
const OWNER: u64 = 1000;

/// An archive with one file that only its owner reads.
///
/// # Errors
/// Where the name is too long for an archive.
pub(super) fn secret_file(name: &str, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o400);
    header.set_uid(OWNER);
    header.set_gid(OWNER);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, content)?;
    archive.into_inner()
}

/// Most bytes of a file that is read back.
const FILE_MAX: u64 = 4096;

/// The file in an archive. Whoever works in the container may have put anything in its place.
///
/// # Errors
/// Where it is not an archive of a file that is short enough.
pub(super) fn only_file(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let file = archive.entries()?.next();
    let file = file.ok_or_else(|| io::Error::other("it is empty"))??;
    let is_fit = file.header().entry_type().is_file() && file.size() <= FILE_MAX;
    if !is_fit {
        return Err(io::Error::other("it is no short file"));
    }
    let mut content = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn a_file_goes_in_and_out() {
        let archive = secret_file("password", b"s3cr3t").unwrap();
        assert_eq!(only_file(&archive).unwrap(), b"s3cr3t");
        assert!(only_file(&archive[..700]).is_ok(), "the end is padding");
        assert!(only_file(&[]).is_err());
        assert!(only_file(&[7; 2048]).is_err());
        assert!(only_file(&secret_file("password", &[0; 5000]).unwrap()).is_err());
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_entry_type(tar::EntryType::Symlink);
        let mut link = tar::Builder::new(Vec::new());
        link.append_link(&mut header, "password", "/etc/shadow")
            .unwrap();
        assert!(only_file(&link.into_inner().unwrap()).is_err());
    }
}
