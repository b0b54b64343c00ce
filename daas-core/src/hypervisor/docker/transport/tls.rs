//! To an engine that speaks TLS, where both sides show certificates.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::TlsFiles;
use super::forward::Relay;
use crate::files;

/// Time for a connection, with TLS.
const CONNECT: Duration = Duration::from_secs(10);

pub(super) struct Tls {
    host: String,
    port: u16,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl Tls {
    /// Reads the files.
    pub(super) fn new(host: String, port: u16, files: &TlsFiles) -> io::Result<Self> {
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&files.ca)? {
            roots.add(certificate).map_err(io::Error::other)?;
        }
        let key = PrivateKeyDer::from_pem_slice(&files::private_key(&files.key)?);
        let key = key.map_err(|_| in_file(&files.key, "there is no private key in PEM in it"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(&files.certificate)?, key)
            .map_err(|error| in_file(&files.certificate, &error.to_string()))?;
        Ok(Self {
            host,
            port,
            name,
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        self.connector.connect(self.name.clone(), stream).await
    }
}

fn in_file(path: &std::path::Path, what: &str) -> io::Error {
    io::Error::other(format!("{}: {what}", path.display()))
}

fn certificates(path: &std::path::Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let content = files::certificates(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(in_file(path, "there are no certificates in PEM in it")),
    }
}

#[async_trait]
impl Relay for Tls {
    async fn relay(&self, stream: &mut UnixStream) -> Result<(), String> {
        let connected = timeout(CONNECT, self.connect()).await;
        let mut engine = match connected {
            Ok(Ok(engine)) => engine,
            Ok(Err(error)) => return Err(format!("no way to the engine: {error}")),
            Err(_) => return Err("no way to the engine: it does not answer in time".to_owned()),
        };
        match copy_bidirectional(stream, &mut engine).await {
            Ok(_) => Ok(()),
            // An engine that wants another certificate of ours says so after the handshake.
            Err(error) if is_alert(&error) => Err(format!("the engine refuses us: {error}")),
            Err(_) => Ok(()),
        }
    }
}

fn is_alert(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::AlertReceived(_)))
}
