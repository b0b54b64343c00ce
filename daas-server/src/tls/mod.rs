//! TLS of this server: one certificate, read from files and read again when they change.
//! Somebody renews them, or this server does by ACME.
//!
//! Versions 1.2 and 1.3, HTTP/1.1 only. Nothing else in the server knows the TLS library,
//! but for the connection that it wraps.

#[cfg(feature = "acme")]
mod acme;
mod files;
mod validity;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use daas_core::blocking::Gate;
use daas_core::chain;
use daas_core::model::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::config::Tls;

#[cfg(feature = "acme")]
pub(crate) use acme::{Managed, make_folder};
pub(crate) use files::Loaded;
use files::Stamps;
pub use files::TlsError;

const HTTP_1_1: &[u8] = b"http/1.1";
/// What whoever checks a domain speaks, and nothing else (RFC 8737).
pub(crate) const ACME_TLS_1: &[u8] = b"acme-tls/1";
/// From then on, that a certificate ends is told.
pub(crate) const SOON_MS: i64 = 14 * DAY_MS;
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The certificate in use, with the key, for all connections that begin.
pub struct Certificates {
    files: Tls,
    /// Nothing where the first one is still to come.
    current: RwLock<Option<Arc<CertifiedKey>>>,
    state: Mutex<State>,
    gate: Gate,
}

/// What is known of the files.
struct State {
    /// Of what is in use.
    stamps: Stamps,
    /// What was said last of files that cannot be used, so that it is said once.
    complaint: Option<String>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub async fn load(files: Tls) -> Result<Arc<Self>, TlsError> {
        let gate = Gate::new(1);
        let reading = files.clone();
        let loaded = gate.run(move || Loaded::read(&reading)).await??;
        warn_of_end(&loaded);
        let current = Some(Arc::new(loaded.certified));
        Ok(Arc::new(Self::new(files, current, loaded.stamps, gate)))
    }

    fn new(files: Tls, current: Option<Arc<CertifiedKey>>, stamps: Stamps, gate: Gate) -> Self {
        Self {
            files,
            current: RwLock::new(current),
            state: Mutex::new(State {
                stamps,
                complaint: None,
            }),
            gate,
        }
    }

    /// Reads the files again if they changed. Where they cannot be used, what was in use
    /// stays so, and the log says why, once. Answers whether there is something new.
    pub async fn reload(&self) -> bool {
        let (files, known) = (self.files.clone(), self.state().stamps);
        let read = move || (Stamps::of(&files) != known).then(|| Loaded::read(&files));
        match self.gate.run(read).await {
            Ok(None) => false,
            Ok(Some(Ok(loaded))) => {
                self.replace(loaded);
                true
            }
            Ok(Some(Err(error))) => self.complain(&error),
            Err(error) => self.complain(&error.into()),
        }
    }

    /// Looks for changes again and again, and never ends.
    pub async fn watch(&self, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.reload().await;
        }
    }

    fn replace(&self, loaded: Loaded) {
        warn_of_end(&loaded);
        let mut state = self.state();
        (state.stamps, state.complaint) = (loaded.stamps, None);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Some(Arc::new(loaded.certified));
        tracing::info!("the certificate was read anew");
    }

    fn complain(&self, error: &TlsError) -> bool {
        let text = chain(error);
        let mut state = self.state();
        if state.complaint.as_ref() != Some(&text) {
            tracing::warn!(
                error = text,
                "the new certificate cannot be used; the old one stays"
            );
            state.complaint = Some(text);
        }
        false
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What takes connections.
    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        acceptor(self.clone(), &[HTTP_1_1])
    }
}

fn acceptor(
    resolver: Arc<dyn ResolvesServerCert>,
    protocols: &[&[u8]],
) -> Result<TlsAcceptor, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let mut config = builder
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }
}

fn warn_of_end(loaded: &Loaded) {
    match loaded.good_for_ms(Timestamp::now()) {
        Some(ms) if ms < 0 => tracing::warn!("the certificate has expired; browsers refuse it"),
        Some(ms) if ms < SOON_MS => {
            let days = ms / DAY_MS;
            tracing::warn!(days, "the certificate expires soon");
        }
        _ => {}
    }
}
