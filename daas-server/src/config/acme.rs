//! The part of `[tls]` about certificates by ACME.

use std::path::{Path, PathBuf};

use hyper::Uri;

use super::error::ConfigError;
use super::raw;

/// What a certificate names at most, as most directories have it.
const DOMAINS_MAX: usize = 100;
/// Longest address of a directory.
const URL_MAX: usize = 2048;
const DOMAINS: &str = "tls.acme_domains";

/// Certificates by ACME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// What the certificate is for, in small letters.
    pub domains: Vec<String>,
    /// Whom the directory may write to.
    pub contact: Vec<String>,
    /// The address of the directory.
    pub directory: String,
    /// Who vouches for the directory, where that is nobody whom this machine trusts.
    pub root: Option<PathBuf>,
    /// Where the key of the account, the certificate and its key are kept.
    pub folder: PathBuf,
}

pub(super) fn acme(raw: &raw::Tls, database: &Path) -> Result<Option<Acme>, ConfigError> {
    if raw.acme_domains.is_empty() {
        return Ok(None);
    }
    let wrong = |key, text: &str| Err(ConfigError::key(key, text));
    if !cfg!(feature = "acme") {
        let text = "needs a server that was built with the feature `acme`; this one was not";
        return wrong(DOMAINS, text);
    }
    if !raw.certificate.as_os_str().is_empty() || !raw.key.as_os_str().is_empty() {
        let text = "cannot be set beside tls.certificate: the certificate comes from one place";
        return wrong(DOMAINS, text);
    }
    if !raw.acme_terms_agreed {
        let text = format!(
            "has to be true, which says that you agree to the terms of service of {}",
            raw.acme_directory
        );
        return wrong("tls.acme_terms_agreed", &text);
    }
    Ok(Some(Acme {
        domains: domains(&raw.acme_domains)?,
        contact: contact(&raw.acme_contact)?,
        directory: directory(&raw.acme_directory)?,
        root: Some(raw.acme_root.clone()).filter(|path| !path.as_os_str().is_empty()),
        folder: if raw.acme_cache.as_os_str().is_empty() {
            database.with_file_name("acme")
        } else {
            raw.acme_cache.clone()
        },
    }))
}

fn domains(names: &[String]) -> Result<Vec<String>, ConfigError> {
    if names.len() > DOMAINS_MAX {
        let text = format!("has {} names; {DOMAINS_MAX} are possible", names.len());
        return Err(ConfigError::key(DOMAINS, text));
    }
    let mut domains = Vec::new();
    for name in names {
        if name.starts_with("*.") {
            let text = format!("`{name}`: there is no certificate for all names of a domain here");
            return Err(ConfigError::key(DOMAINS, text));
        }
        if !is_domain(name) {
            let text = format!("`{name}` is not the name of a host, such as desktops.example.org");
            return Err(ConfigError::key(DOMAINS, text));
        }
        let name = name.to_ascii_lowercase();
        if !domains.contains(&name) {
            domains.push(name);
        }
    }
    Ok(domains)
}

/// Labels of letters, digits and hyphens (RFC 1123); no address.
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(fit)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253 && !is_number && name.split('.').all(is_label)
}

fn contact(addresses: &[String]) -> Result<Vec<String>, ConfigError> {
    let is_address = |address: &str| {
        let fit = |byte: u8| byte.is_ascii_graphic() && !b",:;<>?\"%".contains(&byte);
        let (name, host) = address.split_once('@').unwrap_or_default();
        address.len() <= 254 && address.bytes().all(fit) && !name.is_empty() && is_domain(host)
    };
    match addresses.iter().find(|address| !is_address(address)) {
        None => Ok(addresses.to_vec()),
        Some(address) => {
            let text = format!("`{address}` is not an address of mail, such as admin@example.org");
            Err(ConfigError::key("tls.acme_contact", text))
        }
    }
}

fn directory(url: &str) -> Result<String, ConfigError> {
    let uri = url.parse::<Uri>().ok().filter(|uri| {
        let authority = uri.authority().map(|authority| authority.as_str());
        let is_host = authority.is_some_and(|host| !host.is_empty() && !host.contains('@'));
        uri.scheme_str() == Some("https") && is_host && url.len() <= URL_MAX
    });
    if uri.is_some() {
        return Ok(url.to_owned());
    }
    let text =
        format!("`{url}` is not the address of an ACME directory, which begins with https://");
    Err(ConfigError::key("tls.acme_directory", text))
}

#[cfg(all(test, feature = "acme"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn raw(change: impl FnOnce(&mut raw::Tls)) -> raw::Tls {
        let mut raw = raw::Tls {
            acme_domains: vec!["Desktops.example.org".to_owned()],
            acme_terms_agreed: true,
            ..raw::Tls::default()
        };
        change(&mut raw);
        raw
    }

    fn taken(raw: &raw::Tls) -> Result<Option<Acme>, ConfigError> {
        acme(raw, Path::new("data/daas.sqlite3"))
    }

    #[test]
    fn what_is_given_is_taken() {
        assert_eq!(taken(&raw::Tls::default()), Ok(None));
        let names = ["desktops.example.org", "a-1.b", "localhost"];
        let answer = taken(&raw(|raw| {
            raw.acme_domains.extend(names.map(str::to_owned));
            raw.acme_contact = vec!["admin+tls@example.org".to_owned()];
        }));
        let acme = answer.unwrap().unwrap();
        assert_eq!(acme.domains, names, "in small letters, and each once");
        assert_eq!(acme.contact, ["admin+tls@example.org"]);
        assert_eq!(acme.folder, PathBuf::from("data/acme"));
        assert_eq!(acme.root, None);
        assert!(acme.directory.starts_with("https://"));
    }

    #[test]
    fn what_cannot_be_is_told() {
        let refused = |change: fn(&mut raw::Tls)| taken(&raw(change)).unwrap_err().to_string();
        for (change, expected) in [
            (
                (|raw| raw.acme_terms_agreed = false) as fn(&mut raw::Tls),
                "tls.acme_terms_agreed: has to be true",
            ),
            (|raw| raw.certificate = "x".into(), "beside tls.certificate"),
            (|raw| raw.key = "x".into(), "beside tls.certificate"),
            (
                |raw| raw.acme_domains = vec!["x".to_owned(); 101],
                "101 names",
            ),
            (
                |raw| raw.acme_domains = vec!["*.example.org".to_owned()],
                "for all names of a domain",
            ),
        ] {
            let said = refused(change);
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn names_and_addresses_are_checked() {
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a_b",
            "a b",
            "192.0.2.1",
            "[::1]",
            "a:443",
            "https://a",
            "ä.example",
            "a/b",
            "*",
            "a.*.b",
            "a\n",
            &"a".repeat(64),
            &format!("{}a", "a.".repeat(127)),
        ] {
            let answer = taken(&raw(|raw| raw.acme_domains = vec![name.to_owned()]));
            assert!(answer.is_err(), "{name}");
        }
        for address in [
            "",
            "x",
            "@x.org",
            "x@",
            "mailto:x@y.org",
            "a@b@c",
            "x@y.org,z@y.org",
            "x @y.org",
        ] {
            let answer = taken(&raw(|raw| raw.acme_contact = vec![address.to_owned()]));
            assert!(answer.is_err(), "{address}");
        }
        for url in [
            "",
            "x",
            "http://ca.example/dir",
            "https://",
            "https:///x",
            "https://u@ca.example/",
            "file:///x",
        ] {
            let answer = taken(&raw(|raw| raw.acme_directory = url.to_owned()));
            assert!(answer.is_err(), "{url}");
        }
    }
}
