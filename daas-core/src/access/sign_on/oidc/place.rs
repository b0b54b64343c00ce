//! Addresses: which ones are spoken to.

use url::{Host, Url};

use super::error::{OidcError, quoted};

/// Longest address, in bytes.
const URL_MAX: usize = 2048;

/// Whether an address is on this machine. Of names only `localhost` is, which nobody may give
/// to another one (RFC 6761, section 6.3).
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The address of a provider: OpenID Connect Discovery, section 3.
pub(super) fn issuer_url(text: &str) -> Result<Url, OidcError> {
    let wrong = |reason| OidcError::misconfigured(format!("`issuer`: {reason}"));
    let url = parse(text).ok_or_else(|| wrong("this is no address"))?;
    if url.query().is_some() {
        return Err(wrong("it must not have a query"));
    }
    if !is_safe(&url, is_loopback(&url)) {
        return Err(wrong("it must be https, or http on a loopback address"));
    }
    Ok(url)
}

/// Where the metadata of a provider is.
pub(super) fn discovery_url(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    let path = issuer.path().trim_end_matches('/');
    url.set_path(&format!("{path}/.well-known/openid-configuration"));
    url
}

/// An address that a provider names. One on another machine has to use `https`.
pub(super) fn endpoint(field: &str, text: &str, is_local: bool) -> Result<Url, OidcError> {
    let url = parse(text).filter(|url| is_safe(url, is_local));
    url.ok_or_else(|| {
        let text = quoted(text);
        OidcError::misconfigured(format!("its {field} {text} is no https address"))
    })
}

fn parse(text: &str) -> Option<Url> {
    if text.len() > URL_MAX {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    (is_plain && url.fragment().is_none() && url.has_host()).then_some(url)
}

fn is_safe(url: &Url, may_be_http: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => may_be_http && is_loopback(url),
        _ => false,
    }
}
