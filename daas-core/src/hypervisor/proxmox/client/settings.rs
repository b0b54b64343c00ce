//! How a cluster is reached.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;
use url::{Host, Url};

use crate::secret::Secret;

/// Port of the interface.
const PORT: u16 = 8006;

/// A setting is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{field}`: {reason}")]
pub struct SettingError {
    /// Which.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl SettingError {
    pub(crate) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self {
            field,
            reason: reason.into(),
        }
    }
}

/// How a cluster is reached, and by whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Nodes of the cluster; one after the other is tried until one can be connected to.
    pub endpoints: Vec<Endpoint>,
    /// Who we are.
    pub credentials: Credentials,
    /// Which certificates are trusted.
    pub trust: Trust,
    /// Time for a connection, TLS included.
    pub connect_timeout: Duration,
    /// Time for an answer. Refusals of credentials take three seconds.
    pub call_timeout: Duration,
    /// Between two looks at a task, at first.
    pub poll_first: Duration,
    /// The same for a task that takes long.
    pub poll_last: Duration,
}

impl Settings {
    /// With five seconds for a connection and thirty for an answer; tasks are looked at after
    /// half a second, and then less and less often down to every five.
    #[must_use]
    pub const fn new(endpoints: Vec<Endpoint>, credentials: Credentials, trust: Trust) -> Self {
        Self {
            endpoints,
            credentials,
            trust,
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            poll_first: Duration::from_millis(500),
            poll_last: Duration::from_secs(5),
        }
    }
}

/// A node's interface: `https://host:8006`. Scheme and port may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromStr for Endpoint {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let wrong = |reason: &str| SettingError::new("endpoint", format!("{text:?} {reason}"));
        let full = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let url = Url::parse(&full).map_err(|error| wrong(&format!("is no address: {error}")))?;
        if url.scheme() != "https" {
            return Err(wrong("is not https"));
        }
        let is_bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !is_bare {
            return Err(wrong("is more than a host and a port"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(wrong("has no host")),
        };
        // Url does not tell a missing port from 443.
        let says_443 = text.trim_end_matches('/').ends_with(":443");
        let port = url.port().unwrap_or(if says_443 { 443 } else { PORT });
        Ok(Self { host, port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Who we are.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A token for programs; to be preferred, as its rights can be few.
    Token {
        /// `user@realm!name`.
        id: String,
        /// Its UUID.
        secret: Secret<String>,
    },
    /// A person. Tickets are asked for as needed.
    Password {
        /// `user@realm`.
        user: String,
        /// The password.
        password: Secret<String>,
    },
}

impl Credentials {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        let printable =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        match self {
            Self::Token { id, secret } => {
                let parts = id.split_once('!').and_then(|(user, name)| {
                    let (person, realm) = user.rsplit_once('@')?;
                    Some([person, realm, name])
                });
                let is_one = parts.is_some_and(|parts| parts.iter().all(|part| printable(part)));
                if !is_one || id.contains(['=', ':']) {
                    return Err(SettingError::new("token_id", "expected user@realm!name"));
                }
                if !printable(secret.expose()) {
                    let reason = "expected the UUID that belongs to the token";
                    return Err(SettingError::new("token_secret", reason));
                }
            }
            Self::Password { user, password } => {
                let parts = user.rsplit_once('@');
                let is_one =
                    parts.is_some_and(|(person, realm)| printable(person) && printable(realm));
                if !is_one || user.contains('!') {
                    return Err(SettingError::new("user", "expected user@realm"));
                }
                if password.expose().is_empty() {
                    return Err(SettingError::new("password", "is empty"));
                }
            }
        }
        Ok(())
    }
}

/// Which certificates are trusted. There is no way to trust all.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those that authorities vouch for which the operating system trusts.
    System,
    /// Those that the authorities in a file vouch for, in PEM. A cluster has an authority of
    /// its own, `/etc/pve/pve-root-ca.pem`.
    Authorities(PathBuf),
    /// Those with one of these fingerprints, whatever name and time they are for. Each node
    /// has a certificate of its own.
    Fingerprints(Vec<Fingerprint>),
}

/// SHA-256 of a certificate: 32 bytes in hexadecimal digits, with colons between them or
/// without.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub(super) [u8; 32]);

impl FromStr for Fingerprint {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let wrong = || SettingError::new("fingerprint", "expected 32 bytes such as AB:CD:…");
        let digits: Vec<char> = text.chars().filter(|c| *c != ':').collect();
        let colons = text.chars().filter(|c| *c == ':').count();
        if digits.len() != 64 || !matches!(colons, 0 | 31) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = [pair[0], pair[1]].map(|digit| digit.to_digit(16));
            let value = high.zip(low).map(|(high, low)| high * 16 + low);
            let value = value.and_then(|value| u8::try_from(value).ok());
            *byte = value.ok_or_else(wrong)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn endpoints_are_hosts_with_ports() {
        for (text, expected) in [
            ("pve1.example", "pve1.example:8006"),
            ("https://pve1.example/", "pve1.example:8006"),
            ("https://pve1.example:443", "pve1.example:443"),
            ("192.0.2.7:8443", "192.0.2.7:8443"),
            ("https://[2001:db8::1]:8006", "[2001:db8::1]:8006"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), expected);
        }
        for text in [
            "",
            "http://pve1",
            "https://u:p@pve1",
            "https://pve1/api2",
            "https://pve1/?x",
            "pve 1",
            "https://",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn fingerprints_have_32_bytes() {
        let plain = "ab".repeat(32);
        let fingerprint: Fingerprint = plain.parse().unwrap();
        assert_eq!(fingerprint.to_string(), ["AB"; 32].join(":"));
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        for text in [
            "",
            &"ab".repeat(31),
            &"ab".repeat(33),
            &"xy".repeat(32),
            &"€".repeat(32),
        ] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_are_checked() {
        let token = |id: &str, secret: &str| Credentials::Token {
            id: id.to_owned(),
            secret: Secret::new(secret.to_owned()),
        };
        assert!(token("daas@pve!main", "uuid").check().is_ok());
        for (id, secret) in [
            ("daas@pve", "uuid"),
            ("daas!main", "uuid"),
            ("daas@pve!", "uuid"),
            ("daas@pve!m\r\nX: y", "uuid"),
            ("daas@pve!main", ""),
            ("daas@pve!main", "a b"),
        ] {
            assert!(token(id, secret).check().is_err(), "{id:?} {secret:?}");
        }
        let person = |user: &str, password: &str| Credentials::Password {
            user: user.to_owned(),
            password: Secret::new(password.to_owned()),
        };
        assert!(person("daas@pve", "Grüße").check().is_ok());
        assert!(person("daas", "x").check().is_err());
        assert!(person("daas@pve", "").check().is_err());
    }
}
