//! Files that the settings name.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::fault::Fault;
use crate::files;
use crate::secret::Secret;

fn read(field: &'static str, path: &Path, most: u64, is_secret: bool) -> Result<Vec<u8>, Fault> {
    files::read(path, most, is_secret).map_err(|source| Fault::File {
        field,
        path: path.display().to_string(),
        source,
    })
}

/// The password in a file.
pub(super) fn password(path: &Path) -> Result<Secret<String>, Fault> {
    let field = "bind_password_file";
    let content = read(field, path, files::SECRET_MAX, true)?;
    files::line(content).map_err(|_| Fault::setting(field, "is not UTF-8"))
}

/// How TLS is spoken: with certificates checked by those in a file, or else by those that
/// the operating system trusts.
pub(super) fn tls(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Fault> {
    let field = "ca_file";
    let (certificates, origin) = match ca_file {
        Some(path) => {
            let content = read(field, path, files::PEM_MAX, false)?;
            let certificates = CertificateDer::pem_slice_iter(&content).collect::<Result<_, _>>();
            let wrong = |error| Fault::setting(field, format!("is not PEM: {error}"));
            (certificates.map_err(wrong)?, "is without certificates")
        }
        None => {
            let trusted = rustls_native_certs::load_native_certs().certs;
            (
                trusted,
                "is needed: the operating system has no certificates",
            )
        }
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(Fault::setting(field, origin));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| Fault::setting("url", error.to_string()))?;
    let config = versions.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn passwords() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let check = |content: &[u8], mode, expected: Option<&str>| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let found = password(&path);
            let found = found
                .as_ref()
                .ok()
                .map(|password| password.expose().as_str());
            assert_eq!(found, expected, "{content:?} {mode:o}");
        };
        check(b"hush", 0o600, Some("hush"));
        check(b"hush \r\n", 0o640, Some("hush "));
        check(b"a\n\n", 0o400, Some("a\n"));
        check(b"hush", 0o644, None);
        check(b"\xFF", 0o600, None);
        check(&[b'x'; 5000], 0o600, None);
        assert!(password(&folder.path().join("none")).is_err());
    }

    #[test]
    fn files_without_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        for content in ["", "no certificate", broken] {
            fs::write(&path, content).unwrap();
            assert!(tls(Some(&path)).is_err(), "{content:?}");
        }
    }
}
