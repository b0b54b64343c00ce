//! TLS with certificates that are checked, always.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest as _, Sha256};

use super::settings::{Fingerprint, SettingError, Trust};

/// Most bytes of a file with certificates.
const FILE_MAX: u64 = 1024 * 1024;

/// How TLS is spoken with the nodes.
pub(super) fn config(trust: &Trust) -> Result<Arc<ClientConfig>, SettingError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingError::new("trust", error.to_string()))?;
    let builder = match trust {
        Trust::Fingerprints(pins) if pins.is_empty() => {
            return Err(SettingError::new("fingerprints", "there are none"));
        }
        Trust::Fingerprints(pins) => {
            let pinned = Pinned {
                pins: pins.clone(),
                provider,
            };
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(pinned))
        }
        Trust::Authorities(path) => builder.with_root_certificates(of_file(path)?),
        Trust::System => builder.with_root_certificates(of_system()?),
    };
    let mut config = builder.with_no_client_auth();
    // The node speaks nothing else, and says so in a way that is hard to understand.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn of_file(path: &Path) -> Result<RootCertStore, SettingError> {
    let wrong =
        |reason: String| SettingError::new("ca_file", format!("{}: {reason}", path.display()));
    let read = || {
        let mut content = Vec::new();
        File::open(path)?.take(FILE_MAX).read_to_end(&mut content)?;
        Ok::<_, std::io::Error>(content)
    };
    let content = read().map_err(|error| wrong(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let found = found.map_err(|error| wrong(format!("is not PEM: {error}")))?;
    usable(found).ok_or_else(|| wrong("there is no certificate in it".to_owned()))
}

fn of_system() -> Result<RootCertStore, SettingError> {
    let found = rustls_native_certs::load_native_certs().certs;
    let none = || SettingError::new("ca_file", "is needed: this system trusts no certificates");
    usable(found).ok_or_else(none)
}

fn usable(found: Vec<CertificateDer<'static>>) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found);
    (added > 0).then_some(roots)
}

/// Trusts the certificates with some fingerprints. That whoever shows one has its key is
/// checked as always.
#[derive(Debug)]
struct Pinned {
    pins: Vec<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let found = Fingerprint(Sha256::digest(end_entity).into());
        if self.pins.contains(&found) {
            return Ok(ServerCertVerified::assertion());
        }
        tracing::debug!(%found, "a certificate with another fingerprint");
        let refused = CertificateError::ApplicationVerificationFailure;
        Err(TlsError::InvalidCertificate(refused))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
