//! What stands between this server and the network: addresses, TLS, proxies, rates.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::error::ConfigError;
use super::{AddressRange, Origin, address, in_range, parse_all, raw};
use crate::http::{Rate, Rates};

/// `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where browsers find the page; requests from other pages are refused.
    pub public_origins: Vec<Origin>,
    /// Where to send browsers without TLS on to the first of the origins, if anywhere.
    pub redirect_http: Option<SocketAddr>,
    /// Addresses whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<AddressRange>,
    /// Whether `/readyz` and `/metrics` answer others than this machine.
    pub public_metrics: bool,
    /// Threads of the management API.
    pub threads: usize,
    /// Most connections at a time.
    pub connections_max: usize,
}

/// `[tls]`: two files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, followed by those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

pub(super) fn tls(raw: raw::Tls) -> Result<Option<Tls>, ConfigError> {
    let given = |path: PathBuf| Some(path).filter(|path| !path.as_os_str().is_empty());
    match (given(raw.certificate), given(raw.key)) {
        (Some(certificate), Some(key)) => Ok(Some(Tls { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => {
            let text = "is needed beside tls.certificate: the file with its private key";
            Err(ConfigError::key("tls.key", text))
        }
        (None, Some(_)) => {
            let text = "is needed beside tls.key: the file with the certificate of the key";
            Err(ConfigError::key("tls.certificate", text))
        }
    }
}

pub(super) fn server(raw: raw::Server, tls: bool) -> Result<Server, ConfigError> {
    let listen = address("server.listen", &raw.listen)?;
    let what = "an origin, such as https://desktops.example.org";
    let public_origins = parse_all("server.public_origins", &raw.public_origins, what)?;
    check_origins(&public_origins, tls)?;
    check_transport(listen, &public_origins, tls, raw.insecure_http)?;
    let connections = "server.connections_max";
    Ok(Server {
        listen,
        redirect_http: redirect(&raw.redirect_http, &public_origins, tls)?,
        public_origins,
        trusted_proxies: proxies(&raw.trusted_proxies)?,
        public_metrics: raw.public_metrics,
        threads: in_range("server.threads", raw.threads as u64, 1..=256)? as usize,
        connections_max: in_range(connections, raw.connections_max as u64, 16..=1_000_000)?
            as usize,
    })
}

fn check_origins(origins: &[Origin], tls: bool) -> Result<(), ConfigError> {
    let secure = origins.iter().filter(|origin| origin.is_secure()).count();
    if secure == origins.len() || (secure == 0 && !tls) {
        return Ok(());
    }
    let text = if tls {
        "must all begin with https://, as this server speaks TLS (tls.certificate)"
    } else {
        "http and https cannot be mixed, as the cookie is good for one of them only"
    };
    Err(ConfigError::key("server.public_origins", text))
}

/// Passwords and pictures must not cross a network in the clear without somebody having
/// said so.
fn check_transport(
    listen: SocketAddr,
    origins: &[Origin],
    tls: bool,
    insecure_http: bool,
) -> Result<(), ConfigError> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    if !tls && !insecure_http {
        let text = format!(
            "{listen} can be reached from other machines, and there is no certificate for TLS; \
             set tls.certificate and tls.key, or listen on 127.0.0.1 behind a proxy with TLS, \
             or set server.insecure_http = true where the network can be trusted"
        );
        return Err(ConfigError::key("server.listen", text));
    }
    if origins.is_empty() {
        let text = "is needed where the server listens for other machines: the addresses that \
                    people type into their browsers, such as [\"https://desktops.example.org\"]";
        return Err(ConfigError::key("server.public_origins", text));
    }
    Ok(())
}

fn redirect(text: &str, origins: &[Origin], tls: bool) -> Result<Option<SocketAddr>, ConfigError> {
    let key = "server.redirect_http";
    if text.is_empty() {
        return Ok(None);
    }
    if !tls || origins.is_empty() {
        let text = "leads to the first of server.public_origins with TLS, so it needs one, and \
                    tls.certificate";
        return Err(ConfigError::key(key, text));
    }
    address(key, text).map(Some)
}

fn proxies(texts: &[String]) -> Result<Vec<AddressRange>, ConfigError> {
    let parse = |text: &String| {
        let wrong = |error| {
            let text = format!("`{text}`: {error}");
            ConfigError::key("server.trusted_proxies", text)
        };
        text.parse().map_err(wrong)
    };
    texts.iter().map(parse).collect()
}

pub(super) fn rates(raw: &raw::Limits) -> Result<Rates, ConfigError> {
    Ok(Rates {
        per_address: rate(
            (
                "limits.requests_per_second_per_address",
                raw.requests_per_second_per_address,
            ),
            (
                "limits.requests_burst_per_address",
                raw.requests_burst_per_address,
            ),
        )?,
        per_account: rate(
            (
                "limits.requests_per_second_per_account",
                raw.requests_per_second_per_account,
            ),
            (
                "limits.requests_burst_per_account",
                raw.requests_burst_per_account,
            ),
        )?,
    })
}

/// Key and value of each number. Where the first is 0 there is no limit.
fn rate(per_second: (&'static str, u32), burst: (&'static str, u32)) -> Result<Rate, ConfigError> {
    let number = |(key, value): (_, u32), range| in_range(key, value.into(), range);
    number(per_second, 0..=1_000_000)?;
    number(burst, 1..=1_000_000)?;
    Ok(Rate {
        per_second: per_second.1,
        burst: burst.1,
    })
}
