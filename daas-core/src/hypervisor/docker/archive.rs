//! One file as an archive, to be put into a container.

/// Owner of the file: who runs in the container.
const OWNER: u64 = 1000;

/// An archive with one file that only its owner reads.
///
/// # Errors
/// Where the name is too long for an archive.
pub(super) fn secret_file(name: &str, content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o400);
    header.set_uid(OWNER);
    header.set_gid(OWNER);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, content)?;
    archive.into_inner()
}
