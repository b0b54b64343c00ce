//! A certificate and its key, as they lie in files.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use daas_core::model::Timestamp;
use thiserror::Error;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, client::verify_server_name};

use super::validity::validity;
use crate::config::Tls;

/// Most bytes of each file; chains have some kilobytes.
const FILE_MAX: u64 = 1024 * 1024;
/// Rights of others on a file.
const OTHERS: u32 = 0o007;

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it is meant to be.
    #[error("{}: {text}", .path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        text: String,
    },
    /// Both files are fine, but not together.
    #[error("the key in {} is not that of the certificate in {}", .key.display(), .certificate.display())]
    Mismatch {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
    },
    /// Others can look into the folder with the keys.
    #[error("the folder {} is open to others (mode {mode:o}); chmod 700 closes it", .path.display())]
    OpenFolder {
        /// The folder.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// Others can read the key.
    #[error("{} is open to every user of this machine (mode {mode:o}); chmod 600 closes it", .path.display())]
    Exposed {
        /// The file with the key.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// The TLS library refuses something.
    #[error("TLS cannot begin")]
    Library(#[from] rustls::Error),
    /// A thread is missing, or failed.
    #[error("the certificate cannot be read now")]
    Blocking(#[from] daas_core::blocking::BlockingError),
}

/// What tells whether a file is another than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    size: u64,
    inode: (u64, u64),
}

impl From<&Metadata> for Stamp {
    fn from(data: &Metadata) -> Self {
        Self {
            modified: (data.mtime(), data.mtime_nsec()),
            size: data.len(),
            inode: (data.dev(), data.ino()),
        }
    }
}

/// What tells whether one of the two files is another than before; nothing for one that is
/// not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamps([Option<Stamp>; 2]);

impl Stamps {
    pub(super) fn of(files: &Tls) -> Self {
        Self([&files.certificate, &files.key].map(|path| {
            let data = fs::metadata(path).ok();
            data.as_ref().map(Stamp::from)
        }))
    }
}

/// A certificate with its key.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(super) certified: CertifiedKey,
    /// Of the files, from before they were read.
    pub(super) stamps: Stamps,
    /// The first and the last moment at which browsers take it; nothing where that is not
    /// known.
    pub(crate) validity: Option<[Timestamp; 2]>,
}

impl Loaded {
    /// Reads both files. It blocks.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn read(files: &Tls) -> Result<Self, TlsError> {
        let stamps = Stamps::of(files);
        let chain = chain(&files.certificate)?;
        let key = key(&files.key)?;
        let validity = chain.first().and_then(|first| validity(first));
        let certified = CertifiedKey::from_der(chain, key, &default_provider());
        let certified = certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch {
                certificate: files.certificate.clone(),
                key: files.key.clone(),
            },
            rustls::Error::InvalidCertificate(error) => {
                let text = format!("its certificate cannot be used: {error}");
                content(&files.certificate, text)
            }
            error => {
                let text = format!("its key cannot be used: {error}");
                content(&files.key, text)
            }
        })?;
        Ok(Self {
            certified,
            stamps,
            validity,
        })
    }

    /// Whether browsers take it for a host.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let Some(first) = self.certified.cert.first() else {
            return false;
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let names = ServerName::try_from(host).map(|name| {
            ParsedCertificate::try_from(first)
                .and_then(|certificate| verify_server_name(&certificate, &name))
        });
        matches!(names, Ok(Ok(())))
    }

    /// Milliseconds until browsers refuse it, less than 0 where they do; nothing where that
    /// is not known.
    pub(crate) fn good_for_ms(&self, now: Timestamp) -> Option<i64> {
        let [_, until] = self.validity?;
        Some(until.0.saturating_sub(now.0))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let data = metadata(path)?;
    if !data.is_file() || data.len() > FILE_MAX {
        return Err(content(path, "is not a file of at most a mebibyte"));
    }
    fs::read(path).map_err(|source| unreadable(path, source))
}

fn metadata(path: &Path) -> Result<Metadata, TlsError> {
    fs::metadata(path).map_err(|source| unreadable(path, source))
}

fn unreadable(path: &Path, source: io::Error) -> TlsError {
    let path = path.to_owned();
    TlsError::Read { path, source }
}

fn content(path: &Path, text: impl Into<String>) -> TlsError {
    TlsError::Content {
        path: path.to_owned(),
        text: text.into(),
    }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| content(path, not_pem(&error)))?;
    if chain.is_empty() {
        let text = "there is no certificate in it (nothing with BEGIN CERTIFICATE)";
        return Err(content(path, text));
    }
    Ok(chain)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    let mode = metadata(path)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        let path = path.to_owned();
        return Err(TlsError::Exposed { path, mode });
    }
    let is_encrypted = text.windows(9).any(|word| word == b"ENCRYPTED");
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        _ if is_encrypted => content(
            path,
            "its key is encrypted, and nobody can be asked for the password",
        ),
        pem::Error::NoItemsFound => content(
            path,
            "there is no key in it (nothing with BEGIN PRIVATE KEY)",
        ),
        error => content(path, not_pem(&error)),
    })
}

/// What is wrong with PEM. The library would repeat the line, and a key may be all in one.
fn not_pem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::IllegalSectionStart { .. } => {
            "is not PEM: in a line with BEGIN there must be nothing else"
        }
        pem::Error::MissingSectionEnd { .. } => "is not PEM: the line with END is missing",
        pem::Error::Base64Decode(_) => "is not PEM: between BEGIN and END must be base64",
        _ => "is not PEM",
    }
}
