//! What the settings of a directory mean, checked once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use url::{Host, Url};

use super::config::LdapConfig;
use super::dn::{Dn, Template};
use super::fault::Fault;
use super::files;
use super::filter::{Filter, Known};
use crate::secret::Secret;

/// Seconds that a step may have.
const TIMEOUT_S: std::ops::RangeInclusive<u64> = 1..=60;
/// Longest name of an attribute in bytes.
const ATTRIBUTE_MAX: usize = 100;

/// Where the directory is, and how it is spoken to.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
}

/// What keeps others from reading along.
#[derive(Clone, Debug)]
pub(super) enum Security {
    None,
    Tls(Tls),
    StartTls(Tls),
}

#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    /// Whom the certificate has to name.
    pub(super) name: ServerName<'static>,
}

/// An account that is no user's.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) dn: String,
    pub(super) password: Secret<String>,
}

/// How the entry of a user is found.
#[derive(Clone, Debug)]
pub(super) enum Find {
    /// By its name.
    Direct(Template),
    /// By a search below a base, of an account or of nobody in particular.
    Search {
        account: Option<Account>,
        base: String,
    },
}

/// How the groups of a user are found.
#[derive(Clone, Debug)]
pub(super) enum Groups {
    Ignored,
    Search {
        base: String,
        filter: Filter,
        name: String,
    },
    MemberOf {
        within: Option<Dn>,
    },
}

/// All that was set, ready for use.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) server: Server,
    pub(super) find: Find,
    pub(super) filter: Filter,
    pub(super) groups: Groups,
    pub(super) name: String,
    pub(super) subject: String,
    pub(super) email: String,
    /// Time for each step.
    pub(super) step: Duration,
}

impl Settings {
    pub(super) fn new(config: &LdapConfig) -> Result<Self, Fault> {
        if !TIMEOUT_S.contains(&config.timeout_s) {
            return Err(Fault::setting("timeout_s", "has to be from 1 to 60"));
        }
        Ok(Self {
            server: server(config)?,
            find: find(config)?,
            filter: user_filter(&config.user_filter)?,
            groups: groups(config)?,
            name: attribute("name_attribute", &config.name_attribute)?,
            subject: attribute("subject_attribute", &config.subject_attribute)?,
            email: attribute("email_attribute", &config.email_attribute)?,
            step: Duration::from_secs(config.timeout_s),
        })
    }
}

fn server(config: &LdapConfig) -> Result<Server, Fault> {
    let wrong = |reason: &str| Fault::setting("url", reason);
    let url = Url::parse(&config.url).map_err(|error| wrong(&error.to_string()))?;
    let begins_with_tls = match url.scheme() {
        "ldaps" => true,
        "ldap" => false,
        _ => return Err(wrong("has to begin with ldaps:// or ldap://")),
    };
    let rest = [
        url.username(),
        url.query().unwrap_or_default(),
        url.fragment().unwrap_or_default(),
    ];
    let is_short = matches!(url.path(), "" | "/") && rest.iter().all(|part| part.is_empty());
    if !is_short || url.password().is_some() {
        return Err(wrong("must have nothing but a host and a port"));
    }
    let host = match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => return Err(wrong("has no host")),
    };
    let default = if begins_with_tls { 636 } else { 389 };
    Ok(Server {
        security: security(config, begins_with_tls, &host)?,
        port: url.port().unwrap_or(default),
        host,
    })
}

fn security(config: &LdapConfig, begins: bool, host: &str) -> Result<Security, Fault> {
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| Fault::setting("url", "its host is no name and no address"))?;
    if begins && config.start_tls {
        return Err(Fault::setting(
            "start_tls",
            "is for ldap://; ldaps:// has TLS at once",
        ));
    }
    if begins || config.start_tls {
        let config = files::tls(config.ca_file.as_deref())?;
        let tls = Tls { config, name };
        return Ok(if begins {
            Security::Tls(tls)
        } else {
            Security::StartTls(tls)
        });
    }
    if config.ca_file.is_some() {
        return Err(Fault::setting(
            "ca_file",
            "is for TLS: set start_tls, or use ldaps://",
        ));
    }
    if !config.allow_plain && !is_loopback(host) {
        let reason = "passwords would cross the network readable: use ldaps://, or set start_tls";
        return Err(Fault::setting("url", reason));
    }
    Ok(Security::None)
}

/// Whether nothing that is sent there leaves this machine.
fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn find(config: &LdapConfig) -> Result<Find, Fault> {
    let account = account(config)?;
    if config.user_dn.is_empty() {
        let base = base("base_dn", &config.base_dn)?;
        return Ok(Find::Search { account, base });
    }
    if account.is_some() {
        return Err(Fault::setting("bind_dn", "is of no use beside user_dn"));
    }
    if !config.base_dn.is_empty() {
        return Err(Fault::setting("base_dn", "is of no use beside user_dn"));
    }
    let template = Template::parse(&config.user_dn);
    let template = template.map_err(|reason| Fault::setting("user_dn", reason))?;
    Ok(Find::Direct(template))
}

fn account(config: &LdapConfig) -> Result<Option<Account>, Fault> {
    let (field, password) = match (&config.bind_password, &config.bind_password_file) {
        (None, None) => ("bind_password", None),
        (Some(password), None) => ("bind_password", Some(password.clone())),
        (None, Some(path)) => ("bind_password_file", Some(files::password(path)?)),
        (Some(_), Some(_)) => {
            return Err(Fault::setting(
                "bind_password",
                "is set beside bind_password_file",
            ));
        }
    };
    match (config.bind_dn.as_str(), password) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err(Fault::setting(
            "bind_dn",
            "is missing, though there is a password",
        )),
        (_, None) => Err(Fault::setting(field, "is missing, though bind_dn is set")),
        // Many servers take an empty password from everybody (RFC 4513, section 5.1.2).
        (_, Some(password)) if password.expose().is_empty() || password.expose().contains('\0') => {
            Err(Fault::setting(
                field,
                "must be neither empty nor have NUL in it",
            ))
        }
        (dn, Some(password)) => Ok(Some(Account {
            dn: dn.to_owned(),
            password,
        })),
    }
}

fn base(field: &'static str, text: &str) -> Result<String, Fault> {
    Dn::parse(text).map_err(|reason| Fault::setting(field, reason))?;
    Ok(text.to_owned())
}

fn filter(field: &'static str, text: &str) -> Result<Filter, Fault> {
    Filter::parse(text).map_err(|reason| Fault::setting(field, reason))
}

fn user_filter(text: &str) -> Result<Filter, Fault> {
    let filter = filter("user_filter", text)?;
    let known = Known { name: "", dn: "" };
    if filter.name_comparisons(known).is_empty() {
        let reason = "has to compare an attribute with {name}, as in (uid={name})";
        return Err(Fault::setting("user_filter", reason));
    }
    if filter.has_dn() {
        return Err(Fault::setting("user_filter", "must not have {dn} in it"));
    }
    Ok(filter)
}

fn groups(config: &LdapConfig) -> Result<Groups, Fault> {
    let is_set = !config.group_base_dn.is_empty();
    if config.member_of {
        let parse = || Dn::parse(&config.group_base_dn);
        let within = is_set.then(parse).transpose();
        let within = within.map_err(|reason| Fault::setting("group_base_dn", reason))?;
        return Ok(Groups::MemberOf { within });
    }
    if !is_set {
        return Ok(Groups::Ignored);
    }
    let filter = filter("group_filter", &config.group_filter)?;
    if !filter.has_dn() && !filter.has_name() {
        return Err(Fault::setting(
            "group_filter",
            "has to have {dn} or {name} in it",
        ));
    }
    Ok(Groups::Search {
        base: base("group_base_dn", &config.group_base_dn)?,
        filter,
        name: attribute("group_name_attribute", &config.group_name_attribute)?,
    })
}

fn attribute(field: &'static str, name: &str) -> Result<String, Fault> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-.;".contains(c);
    if name.is_empty() || name.len() > ATTRIBUTE_MAX || !name.chars().all(is_word) {
        return Err(Fault::setting(field, "is no name of an attribute"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
