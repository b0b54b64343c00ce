//! What an administrator says of a provider, and what is left of it once checked.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use super::error::{OidcError, quoted};
use super::http::Roots;
use super::place::{is_loopback, issuer_url};
use crate::files;
use crate::secret::Secret;

/// Longest id of a provider, in bytes.
const ID_MAX: usize = 32;
/// Longest of all other texts, in bytes.
const TEXT_MAX: usize = 256;
/// Longest time for one call, in seconds.
const TIMEOUT_MAX_S: u64 = 60;

/// An OpenID provider, as it stands in a configuration. Written out, it has no secret in it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// A short word for it, in addresses and in the database: 1 to 32 of `a-z`, `0-9` and
    /// `-`, but neither `ldap` nor `local`. Accounts belong to it; with another id they are
    /// not found any more.
    pub id: String,
    /// What people see.
    pub name: String,
    /// Its address, just as it writes it itself. `https`, or `http` on a loopback address.
    pub issuer: String,
    /// What the provider calls this server.
    pub client_id: String,
    /// What this server shows to the provider. Without, and without a file, it is a public
    /// client, which only PKCE protects.
    #[serde(default, deserialize_with = "secret", skip_serializing)]
    pub client_secret: Option<Secret<String>>,
    /// A file with that secret, and nothing but perhaps a line feed behind it.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for; `openid` has to be among it.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim with the name of a person. There is no other one in its place: who has none
    /// is not let in, as a claim that people can choose must not slip in for one that they
    /// cannot.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim with the groups of a person, a list of texts.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// The claim with the address of a person.
    #[serde(default = "email_claim")]
    pub email_claim: String,
    /// Certificates in PEM that are trusted instead of those of the system.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Longest time for one call, 1 to 60 seconds.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret<String>>, D::Error> {
    // A message of the deserialiser would hold what was found instead.
    let text = Option::<String>::deserialize(from);
    let text = text.map_err(|_| D::Error::custom("a text in quotes is wanted"))?;
    Ok(text.map(Secret::new))
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn name_claim() -> String {
    "preferred_username".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

fn email_claim() -> String {
    "email".to_owned()
}

const fn timeout_s() -> u64 {
    10
}

impl OidcConfig {
    /// With nothing but what there is no default for: a public client.
    #[must_use]
    pub fn new(id: &str, name: &str, issuer: &str, client_id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: None,
            client_secret_file: None,
            scopes: scopes(),
            name_claim: name_claim(),
            groups_claim: groups_claim(),
            email_claim: email_claim(),
            ca_file: None,
            timeout_s: timeout_s(),
        }
    }
}

/// A configuration that was checked.
pub(super) struct Settings {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) issuer: String,
    pub(super) issuer_url: Url,
    /// Whether the provider is on this machine, so that its addresses may be `http`.
    pub(super) is_local: bool,
    pub(super) client_id: String,
    pub(super) client_secret: Option<Secret<String>>,
    pub(super) scope: String,
    pub(super) name_claim: String,
    pub(super) groups_claim: String,
    pub(super) email_claim: String,
    pub(super) timeout: Duration,
}

/// Checks all of it, and reads the files that it names.
pub(super) fn check(config: OidcConfig) -> Result<(Settings, Roots), OidcError> {
    let issuer_url = issuer_url(&config.issuer)?;
    let is_local = is_loopback(&issuer_url);
    check_texts(&config)?;
    let roots = match &config.ca_file {
        Some(path) => Roots::from_pem(&read("ca_file", path, files::PEM_MAX, false)?)?,
        // Nothing is encrypted there.
        None if issuer_url.scheme() == "http" => Roots::none(),
        None => Roots::system()?,
    };
    let client_secret = client_secret(&config)?;
    let settings = Settings {
        id: config.id,
        name: config.name,
        issuer: config.issuer,
        issuer_url,
        is_local,
        client_id: config.client_id,
        client_secret,
        scope: config.scopes.join(" "),
        name_claim: config.name_claim,
        groups_claim: config.groups_claim,
        email_claim: config.email_claim,
        timeout: Duration::from_secs(config.timeout_s),
    };
    Ok((settings, roots))
}

fn wrong(field: &str, reason: impl std::fmt::Display) -> OidcError {
    OidcError::misconfigured(format!("`{field}`: {reason}"))
}

fn check_texts(config: &OidcConfig) -> Result<(), OidcError> {
    let is_slug = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let id = config.id.as_str();
    if !(1..=ID_MAX).contains(&id.len()) || !id.bytes().all(is_slug) {
        return Err(wrong("id", "1 to 32 of a-z, 0-9 and - are wanted"));
    }
    if matches!(id, "ldap" | "local") {
        return Err(wrong("id", format_args!("{id} is something else")));
    }
    for (field, text) in [
        ("name", &config.name),
        ("client_id", &config.client_id),
        ("name_claim", &config.name_claim),
        ("groups_claim", &config.groups_claim),
        ("email_claim", &config.email_claim),
    ] {
        if text.trim().is_empty() || text.len() > TEXT_MAX || text.chars().any(char::is_control) {
            return Err(wrong(field, "1 to 256 bytes of text are wanted"));
        }
    }
    if !(1..=TIMEOUT_MAX_S).contains(&config.timeout_s) {
        return Err(wrong("timeout_s", "1 to 60 is wanted"));
    }
    check_scopes(&config.scopes)
}

/// Characters by RFC 6749, section 3.3.
fn check_scopes(scopes: &[String]) -> Result<(), OidcError> {
    let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    for scope in scopes {
        if scope.is_empty() || scope.len() > TEXT_MAX || !scope.bytes().all(fits) {
            return Err(wrong("scopes", format!("{} is none", quoted(scope))));
        }
    }
    if !scopes.iter().any(|scope| scope == "openid") {
        return Err(wrong("scopes", "openid is missing"));
    }
    Ok(())
}

fn client_secret(config: &OidcConfig) -> Result<Option<Secret<String>>, OidcError> {
    let secret = match (&config.client_secret, &config.client_secret_file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(wrong("client_secret_file", "there is `client_secret` too"));
        }
        (Some(secret), None) => secret.clone(),
        (None, Some(path)) => secret_of(path)?,
    };
    if secret.expose().is_empty() {
        return Err(wrong("client_secret", "it is empty"));
    }
    Ok(Some(secret))
}

fn secret_of(path: &Path) -> Result<Secret<String>, OidcError> {
    let bytes = read("client_secret_file", path, files::SECRET_MAX, true)?;
    let text = String::from_utf8(bytes);
    let mut text = text.map_err(|_| wrong("client_secret_file", "this is no text"))?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(Secret::new(text))
}

fn read(field: &str, path: &Path, max: u64, is_secret: bool) -> Result<Vec<u8>, OidcError> {
    let failed = |reason: &dyn std::fmt::Display| wrong(field, format!("{path:?}: {reason}"));
    // To open a pipe would wait for somebody to write.
    let about = std::fs::metadata(path).map_err(|error| failed(&error))?;
    if !about.is_file() {
        return Err(failed(&"this is no file"));
    }
    if is_secret {
        files::check_closed(&about).map_err(|error| failed(&error))?;
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| failed(&error))?;
    let read = file.take(max + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(&error))?;
    if bytes.len() as u64 > max {
        return Err(failed(&"it is too long"));
    }
    Ok(bytes)
}
