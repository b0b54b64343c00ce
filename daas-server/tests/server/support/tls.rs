//! Certificates for tests, and clients that trust them.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use daas_server::config::Tls;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A certificate for this machine that vouches for itself, and its key.
pub struct Pair {
    pub certificate: String,
    pub key: String,
    pub der: CertificateDer<'static>,
}

impl Pair {
    pub fn new() -> Self {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            der: made.cert.der().clone(),
        }
    }

    /// Writes both files, the key for its owner alone.
    pub fn write(&self, folder: &Path) -> Tls {
        let files = files(folder);
        write(&files.key, &self.key, 0o600);
        write(&files.certificate, &self.certificate, 0o644);
        files
    }
}

/// Where the files are.
pub fn files(folder: &Path) -> Tls {
    Tls {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
    }
}

/// Writes a file whole, as whoever renews certificates should.
pub fn write(path: &Path, text: &str, mode: u32) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// A client that trusts these, and nobody else.
pub fn trusting(pairs: &[&Pair]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for pair in pairs {
        roots.add(pair.der.clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// Connects, and shakes hands.
pub async fn connect(
    address: SocketAddr,
    tls: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = address.ip().into();
    TlsConnector::from(tls.clone()).connect(name, stream).await
}

/// Which certificate a server shows.
pub async fn shown(
    address: SocketAddr,
    tls: &Arc<ClientConfig>,
) -> std::io::Result<CertificateDer<'static>> {
    let stream = connect(address, tls).await?;
    let chain = stream.get_ref().1.peer_certificates();
    Ok(chain.unwrap()[0].clone().into_owned())
}
