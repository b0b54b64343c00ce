//! Ways to an engine: a socket here, TLS, or SSH.
//!
//! An engine elsewhere is reached through a socket in a folder that is ours alone; whatever
//! connects to it is passed on. So all else knows sockets only.

mod forward;
mod ssh;
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

pub(super) use forward::Forwarder;

use super::config::ParseError;
use super::fault::BACKEND;
use crate::blocking::Gate;
use crate::error::{BoxError, Error, Result};

/// Port of an engine that speaks TLS.
const TLS_PORT: u16 = 2376;

/// Where an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket on this machine.
    Socket(PathBuf),
    /// A host and a port with TLS, where both sides show certificates.
    Tls {
        /// Name or address, which the certificate of the engine has to be for.
        host: String,
        /// Its port.
        port: u16,
        /// Files in PEM.
        files: TlsFiles,
    },
    /// A host with SSH, on which somebody may use the engine: `docker system dial-stdio` is
    /// run there.
    Ssh {
        /// Who logs in.
        user: String,
        /// Name or address.
        host: String,
        /// Its port; else as the configuration of ssh says.
        port: Option<u16>,
        /// Files other than those that ssh takes by itself.
        files: SshFiles,
    },
}

/// Files in PEM for TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of those who vouch for the engine.
    pub ca: PathBuf,
    /// Our certificate.
    pub certificate: PathBuf,
    /// The key that belongs to it, closed to all other users of this machine.
    pub key: PathBuf,
}

/// Files for SSH, where they are not those of the user that runs the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SshFiles {
    /// A private key without a password.
    pub key: Option<PathBuf>,
    /// Keys of hosts that are known. One that is not is refused.
    pub known_hosts: Option<PathBuf>,
}

impl Endpoint {
    /// Whether the engine is on this machine, so that its desktops can be reached from here.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Socket(_))
    }
}

const EXPECTED: ParseError =
    ParseError("unix:///run/docker.sock, tcp://host:2376 or ssh://user@host");

/// Without files.
impl FromStr for Endpoint {
    type Err = ParseError;

    fn from_str(text: &str) -> std::result::Result<Self, ParseError> {
        if text.starts_with('/') {
            return Ok(Self::Socket(text.into()));
        }
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Socket(path.into())),
            Some(("tcp" | "https", place)) => {
                let (host, port) = host_and_port(place)?;
                Ok(Self::Tls {
                    host,
                    port: port.unwrap_or(TLS_PORT),
                    files: TlsFiles::default(),
                })
            }
            Some(("ssh", place)) => {
                let (user, place) = place.split_once('@').ok_or(EXPECTED)?;
                let (host, port) = host_and_port(place)?;
                let user = is_narrow(user, b"._-").then(|| user.to_owned());
                Ok(Self::Ssh {
                    user: user.ok_or(EXPECTED)?,
                    host,
                    port,
                    files: SshFiles::default(),
                })
            }
            _ => Err(EXPECTED),
        }
    }
}

/// Names become arguments of a program, so none begins as an option does.
fn is_narrow(text: &str, also: &[u8]) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || also.contains(&byte);
    !text.is_empty() && text.len() <= 253 && text.bytes().all(inside) && !text.starts_with('-')
}

fn host_and_port(place: &str) -> std::result::Result<(String, Option<u16>), ParseError> {
    let place = place.strip_suffix('/').unwrap_or(place);
    let (host, rest) = match place.strip_prefix('[') {
        Some(place) => place.split_once(']').ok_or(EXPECTED)?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let also: &[u8] = if place.starts_with('[') { b":" } else { b".-" };
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(port.parse().map_err(|_| EXPECTED)?),
        None if rest.is_empty() => None,
        None => return Err(EXPECTED),
    };
    if is_narrow(host, also) && port != Some(0) {
        Ok((host.to_owned(), port))
    } else {
        Err(EXPECTED)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = |host: &str| match host.contains(':') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tls { host, port, .. } => write!(f, "tcp://{}:{port}", bracketed(host)),
            Self::Ssh {
                user, host, port, ..
            } => {
                write!(f, "ssh://{user}@{}", bracketed(host))?;
                port.map_or(Ok(()), |port| write!(f, ":{port}"))
            }
        }
    }
}

/// The way to an engine: where its socket is, and what passes on whatever connects to it.
///
/// # Errors
/// Where files cannot be used, or there is no place for a socket.
pub(super) async fn open(endpoint: &Endpoint) -> Result<(PathBuf, Option<Forwarder>)> {
    let forwarder = match endpoint {
        Endpoint::Socket(path) => return Ok((path.clone(), None)),
        Endpoint::Tls { host, port, files } => {
            let (host, port, files) = (host.clone(), *port, files.clone());
            let read = move || tls::Tls::new(host, port, &files);
            let read = Gate::new(1).run(read).await;
            Forwarder::open(read.map_err(failed)?.map_err(failed)?)
        }
        Endpoint::Ssh {
            user,
            host,
            port,
            files,
        } => Forwarder::open(ssh::Ssh::new(user, host, *port, files)),
    };
    let forwarder = forwarder.map_err(failed)?;
    Ok((forwarder.socket(), Some(forwarder)))
}

fn failed(source: impl Into<BoxError>) -> Error {
    Error::Backend {
        backend: BACKEND,
        operation: "opening the way to the engine",
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn endpoints_are_narrow() {
        for (text, shown) in [
            ("/run/docker.sock", "/run/docker.sock"),
            ("unix:///run/docker.sock", "/run/docker.sock"),
            (
                "tcp://lab-1.example.org:2377",
                "tcp://lab-1.example.org:2377",
            ),
            ("https://192.0.2.1", "tcp://192.0.2.1:2376"),
            ("tcp://[2001:db8::1]:99/", "tcp://[2001:db8::1]:99"),
            ("ssh://daas@lab1", "ssh://daas@lab1"),
            ("ssh://a_b.c@[::1]:2222", "ssh://a_b.c@[::1]:2222"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(shown.parse(), Ok(endpoint));
        }
        for text in [
            "",
            "docker.sock",
            "unix://run",
            "tcp://",
            "tcp://a:b",
            "tcp://a:0",
            "tcp://a:99999",
            "tcp://a/b",
            "tcp://-a",
            "tcp://[::1",
            "tcp://[::1]x",
            "tcp://u@a",
            "http://a",
            "ssh://a",
            "ssh://@a",
            "ssh://-oProxyCommand=x@a",
            "ssh://a@-oProxyCommand=x",
            "ssh://a b@c",
            "ssh://a@b c",
            "ssh://a@b;c",
            "ssh://a@b@c",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
