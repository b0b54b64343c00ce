//! Origins of pages.

use std::fmt;
use std::str::FromStr;

/// Scheme, host and port, as a browser writes them into `Origin`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// Whether pages of it come over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Name or address, without the port; IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self.authority();
        match rest.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => rest,
        }
    }

    /// Host and port, as a browser writes them into `Host`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, rest)| rest)
    }

    /// As a browser writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = ();

    /// Takes scheme, host and, where it is not the usual one, port. A path is refused, as
    /// it would never match.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.to_ascii_lowercase();
        let text = text.strip_suffix('/').unwrap_or(&text);
        let (scheme, host) = text.split_once("://").ok_or(())?;
        let usual = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return Err(()),
        };
        let host = host.strip_suffix(usual).unwrap_or(host);
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if host.is_empty() || host.starts_with(':') || !host.bytes().all(fit) {
            return Err(());
        }
        Ok(Self(format!("{scheme}://{host}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (text, expected) in [
            ("https://example.org", "example.org"),
            ("https://example.org:8443", "example.org"),
            ("https://192.0.2.1:8443", "192.0.2.1"),
            ("https://[2001:db8::1]", "[2001:db8::1]"),
            ("https://[::1]:8080", "[::1]"),
        ] {
            let origin = text.parse::<Origin>();
            assert_eq!(origin.as_ref().map(Origin::host), Ok(expected));
        }
    }

    #[test]
    fn origins() {
        for (text, expected) in [
            ("https://Example.org", Some("https://example.org")),
            ("https://example.org:443/", Some("https://example.org")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("https://example.org/page", None),
            ("ftp://example.org", None),
            ("https://", None),
            ("example.org", None),
            ("null", None),
            ("https://a b", None),
        ] {
            let origin = text.parse::<Origin>().ok();
            assert_eq!(origin.as_ref().map(Origin::as_str), expected, "{text}");
        }
    }
}
