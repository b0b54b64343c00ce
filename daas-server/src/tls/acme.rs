//! Certificates by ACME (RFC 8555): ordered, kept in a folder, and renewed.
//!
//! Domains are checked by TLS-ALPN-01 (RFC 8737), which needs nothing but the port where
//! TLS is spoken anyway. What comes is written into one file, which is read as any other.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daas_core::blocking::{BlockingError, Gate};
use daas_core::chain;
use daas_core::model::Timestamp;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use serde_json::Value;
use thiserror::Error;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::files::Stamps;
use super::{ACME_TLS_1, Certificates, HTTP_1_1, Loaded, TlsError, warn_of_end};
use crate::config::{Acme, Tls};

/// Time for one order, from the first request to the certificate.
const ORDER: Duration = Duration::from_secs(10 * 60);
/// Time for the directory to look at all domains, and then to make the certificate.
const ANSWER: Duration = Duration::from_secs(4 * 60);
/// Pauses after orders that failed: the first one, and the longest, as each is twice the one
/// before. Directories count failures and refuse more than some in an hour.
const PAUSES: [Duration; 2] = [
    Duration::from_secs(2 * 60),
    Duration::from_secs(6 * 60 * 60),
];
/// How often it is looked whether a certificate is due, at least: clocks are set.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// Rights of anybody but the owner.
const OTHERS: u32 = 0o077;
/// Most bytes of the file with the account.
const ACCOUNT_MAX: u64 = 64 * 1024;

/// Why there is no certificate.
#[derive(Debug, Error)]
enum AcmeError {
    #[error("the directory")]
    Directory(#[from] instant_acme::Error),
    #[error("{0}")]
    Refused(String),
    #[error("a certificate for the check cannot be made")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS")]
    Tls(#[from] TlsError),
    #[error("{} cannot be used", .0.display())]
    File(PathBuf, #[source] io::Error),
    #[error("the account cannot be kept")]
    Account(#[from] serde_json::Error),
    #[error("no thread")]
    Blocking(#[from] BlockingError),
    #[error("the directory takes too long")]
    Late(#[from] tokio::time::error::Elapsed),
}

/// A certificate that this server gets for itself.
pub(crate) struct Managed {
    config: Acme,
    /// One file for all, so that what belongs together is replaced at once.
    files: Tls,
    certificates: Arc<Certificates>,
    resolver: Arc<Resolver>,
    gate: Gate,
}

/// Shows the certificate to browsers, and to whoever checks a domain what proves that it is
/// this server's.
struct Resolver {
    certificates: Arc<Certificates>,
    /// By domain.
    challenges: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Resolver {
    fn challenges(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.challenges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut protocols = hello.alpn().into_iter().flatten();
        // Who checks says so, and speaks nothing else.
        if protocols.next() != Some(ACME_TLS_1) || protocols.next().is_some() {
            return self.certificates.resolve(hello);
        }
        let name = hello.server_name()?.to_ascii_lowercase();
        self.challenges().get(&name).cloned()
    }
}

impl Managed {
    /// Takes what is in the folder, if that can be used.
    ///
    /// # Errors
    /// Where the folder cannot be used.
    pub(crate) async fn begin(config: Acme) -> Result<Self, TlsError> {
        let (gate, folder) = (Gate::new(1), config.folder.clone());
        let file = folder.join("certificate.pem");
        let files = Tls {
            certificate: file.clone(),
            key: file,
        };
        let reading = files.clone();
        let read = move || {
            let kept = make_folder(&folder).map(|()| Loaded::read(&reading));
            (kept, Stamps::of(&reading))
        };
        let (kept, stamps) = gate.run(read).await?;
        let (current, stamps) = match kept? {
            Ok(loaded) => {
                warn_of_end(&loaded);
                (Some(Arc::new(loaded.certified)), loaded.stamps)
            }
            Err(TlsError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                (None, stamps)
            }
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(error, "the certificate that was kept cannot be used");
                (None, stamps)
            }
        };
        let certificates = Certificates::new(files.clone(), current, stamps, Gate::new(1));
        let certificates = Arc::new(certificates);
        let resolver = Arc::new(Resolver {
            certificates: Arc::clone(&certificates),
            challenges: Mutex::default(),
        });
        Ok(Self {
            config,
            files,
            certificates,
            resolver,
            gate,
        })
    }

    /// What takes connections.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        super::acceptor(self.resolver.clone(), &[HTTP_1_1, ACME_TLS_1])
    }

    /// Gets a certificate whenever one is due, and never ends.
    pub(crate) async fn renew(&self) {
        let [first, longest] = PAUSES;
        let mut pause = first;
        loop {
            let left = self.time_left().await;
            if !left.is_zero() {
                sleep(left.min(LOOK)).await;
                continue;
            }
            tracing::info!(domains = ?self.config.domains, "getting a certificate");
            match self.order_in_time().await {
                Ok(()) => pause = first,
                Err(error) => {
                    let (error, next_s) = (chain(&error), pause.as_secs());
                    tracing::warn!(error, next_s, "there is no new certificate");
                    sleep(pause).await;
                    pause = (pause * 2).min(longest);
                }
            }
            self.resolver.challenges().clear();
        }
    }

    /// Time until a certificate is due: when a third of its time is left, and at once where
    /// it is not for all domains.
    async fn time_left(&self) -> Duration {
        let (files, domains) = (self.files.clone(), self.config.domains.clone());
        let read = move || {
            let kept = Loaded::read(&files).ok()?;
            let is_for_all = domains.iter().all(|domain| kept.is_for(domain));
            kept.validity.filter(|_| is_for_all)
        };
        let Ok(Some([from, until])) = self.gate.run(read).await else {
            return Duration::ZERO;
        };
        let due = until.0 - until.0.saturating_sub(from.0) / 3;
        let left = due.saturating_sub(Timestamp::now().0);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    async fn order_in_time(&self) -> Result<(), AcmeError> {
        let text = timeout(ORDER, self.order()).await??;
        self.write("certificate.pem", text).await?;
        self.certificates.reload().await;
        Ok(())
    }

    /// Orders a certificate; it and its key in PEM.
    async fn order(&self) -> Result<String, AcmeError> {
        let account = self.account().await?;
        let names = self.config.domains.iter().cloned().map(Identifier::Dns);
        let names: Vec<_> = names.collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        self.prove(&mut order).await?;
        let patience = RetryPolicy::new().timeout(ANSWER);
        let ready = order.poll_ready(&patience).await;
        if !matches!(ready, Ok(OrderStatus::Ready)) {
            return Err(match (why(&mut order).await, ready) {
                (Some(why), _) => AcmeError::Refused(why),
                (None, Err(error)) => error.into(),
                (None, Ok(status)) => AcmeError::Refused(format!("the order is {status:?}")),
            });
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&patience).await?;
        Ok(format!("{key}{chain}"))
    }

    /// Shows for each domain that it is this server's.
    async fn prove(&self, order: &mut Order) -> Result<(), AcmeError> {
        let mut all = order.authorizations();
        while let Some(next) = all.next().await {
            let mut next = next?;
            let domain = match next.identifier().identifier {
                Identifier::Dns(domain) => domain.to_ascii_lowercase(),
                _ => continue,
            };
            match next.status {
                AuthorizationStatus::Pending => {}
                AuthorizationStatus::Valid => continue,
                status => {
                    let text = format!("the check of {domain} is {status:?}");
                    return Err(AcmeError::Refused(text));
                }
            }
            let mut challenge = next.challenge(ChallengeType::TlsAlpn01).ok_or_else(|| {
                let text = format!("the directory does not check {domain} by tls-alpn-01");
                AcmeError::Refused(text)
            })?;
            let proof = proof(&domain, challenge.key_authorization().digest().as_ref())?;
            self.resolver.challenges().insert(domain, Arc::new(proof));
            challenge.set_ready().await?;
        }
        Ok(())
    }

    /// The account that is kept, or a new one. One of another directory is of no use.
    async fn account(&self) -> Result<Account, AcmeError> {
        let path = self.config.folder.join("account.json");
        let reading = path.clone();
        let kept = self.gate.run(move || read_account(&reading)).await?;
        let kept = kept.map_err(|error| AcmeError::File(path, error))?;
        let kept = kept.filter(|kept| kept["directory"] == self.config.directory.as_str());
        if let Some(kept) = kept {
            let credentials: AccountCredentials = serde_json::from_value(kept)?;
            return Ok(self.builder()?.from_credentials(credentials).await?);
        }
        let contact = self.config.contact.iter();
        let contact: Vec<_> = contact.map(|address| format!("mailto:{address}")).collect();
        let contact: Vec<_> = contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            // The configuration says so, or there would be none of this.
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let directory = self.config.directory.clone();
        let made = self.builder()?.create(&new, directory, None).await?;
        let (account, credentials) = made;
        let text = serde_json::to_string(&credentials)?;
        self.write("account.json", text).await?;
        Ok(account)
    }

    fn builder(&self) -> Result<instant_acme::AccountBuilder, AcmeError> {
        Ok(match &self.config.root {
            Some(root) => Account::builder_with_root(root)?,
            None => Account::builder()?,
        })
    }

    async fn write(&self, name: &str, text: String) -> Result<(), AcmeError> {
        let path = self.config.folder.join(name);
        let writing = path.clone();
        let written = self.gate.run(move || replace(&writing, &text)).await?;
        written.map_err(|error| AcmeError::File(path, error))
    }
}

/// What the directory says of a domain whose check failed.
async fn why(order: &mut Order) -> Option<String> {
    let mut all = order.authorizations();
    while let Some(Ok(next)) = all.next().await {
        let failed = next.challenges.iter().find_map(|one| one.error.as_ref());
        if let Some(problem) = failed {
            let text = format!("the check of {} failed: {problem}", next.identifier());
            return Some(text);
        }
    }
    None
}

/// What a domain is checked by (RFC 8737, section 3).
fn proof(domain: &str, digest: &[u8]) -> Result<CertifiedKey, AcmeError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new([domain.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let chain = vec![certificate.der().clone()];
    let key = default_provider().key_provider.load_private_key(key);
    // Not `from_der`, which refuses what must not be used for anything else.
    Ok(CertifiedKey::new(chain, key.map_err(TlsError::from)?))
}

/// The folder holds keys, so nobody else may look into it.
pub(crate) fn make_folder(folder: &Path) -> Result<(), TlsError> {
    let unusable = |source| TlsError::Read {
        path: folder.to_owned(),
        source,
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(unusable)?;
    let mode = fs::metadata(folder).map_err(unusable)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        let path = folder.to_owned();
        return Err(TlsError::OpenFolder { path, mode });
    }
    Ok(())
}

/// What is no account any more is as good as none.
fn read_account(path: &Path) -> io::Result<Option<Value>> {
    match fs::metadata(path) {
        Ok(data) if data.len() <= ACCOUNT_MAX => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    Ok(serde_json::from_slice(&fs::read(path)?).ok())
}

/// Writes a file that only its owner may read, whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    // What was left there by a crash may have other rights.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}
