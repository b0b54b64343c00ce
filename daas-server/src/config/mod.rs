//! Configuration: read as it is written, checked once, and from then on known to be good.

mod acme;
mod error;
mod hosts;
mod load;
mod origin;
mod policies;
mod pools;
#[cfg(feature = "proxmox")]
mod proxmox;
mod proxy;
mod raw;
#[cfg(any(feature = "ldap", feature = "oidc"))]
mod sign_on;
mod web;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use daas_core::access::AccessConfig;
#[cfg(feature = "ldap")]
use daas_core::access::sign_on::ldap::LdapConfig;
#[cfg(feature = "oidc")]
use daas_core::access::sign_on::oidc::OidcConfig;
use daas_core::fleet::FleetConfig;
use daas_core::lifecycle::LifecycleConfig;
use daas_core::model::{
    App, AppId, LogIn, Policies, Protocol, Quota, RdpSecurity, Resources, Timestamp,
};

pub use acme::Acme;
pub use error::{ConfigError, Place};
pub use hosts::{HostConfig, HostKind};
pub use load::Sources;
pub use origin::Origin;
pub use pools::Pools;
#[cfg(feature = "proxmox")]
pub use proxmox::ProxmoxSettings;
pub use proxy::{AddressRange, RangeError};
pub use raw::LogFormat;
pub use web::{Server, Tls};

use crate::http::Rates;
use raw::Raw;

/// The variable with the password of the first user. It is read once and kept nowhere.
pub const ADMIN_PASSWORD: &str = "DAAS_ADMIN_PASSWORD";
/// Name of the database in the data folder.
const DATABASE: &str = "daas.sqlite3";

/// `[tunnel]`.
#[derive(Clone, Copy, Debug)]
pub struct Tunnel {
    /// Threads of the tunnels.
    pub threads: usize,
}

/// `[log]`.
#[derive(Clone, Debug)]
pub struct Log {
    /// Lines for people, or JSON.
    pub format: LogFormat,
    /// What is logged, such as `info` or `info,daas_core=debug`.
    pub filter: tracing_subscriber::filter::Targets,
}

/// A configuration that was checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[server]`.
    pub server: Server,
    /// `[tls]`; nothing where this server speaks none.
    pub tls: Option<Tls>,
    /// The rest of `[tls]`; nothing where certificates do not come by ACME.
    pub acme: Option<Acme>,
    /// The database.
    pub database: PathBuf,
    /// The keys that seal the secrets in it.
    pub key_file: PathBuf,
    /// What runs desktops: one at least.
    pub hosts: Vec<HostConfig>,
    /// `[placement]`.
    pub fleet: FleetConfig,
    /// Addresses of guacd, host and port.
    pub guacd: Vec<String>,
    /// `[tunnel]`.
    pub tunnel: Tunnel,
    /// `[limits]` of instances.
    pub lifecycle: LifecycleConfig,
    /// `[limits]` of sessions.
    pub access: AccessConfig,
    /// `[limits]` of requests.
    pub rates: Rates,
    /// For how long an end that comes by itself can be put off at a time; zero is never.
    pub extend: Duration,
    /// `[ldap]`; nothing where no directory is asked.
    #[cfg(feature = "ldap")]
    pub ldap: Option<LdapConfig>,
    /// `[[oidc]]`.
    #[cfg(feature = "oidc")]
    pub oidc: Vec<OidcConfig>,
    /// `[log]`.
    pub log: Log,
    /// `[pools]`, and those of the applications.
    pub pools: Pools,
    /// `[[catalogue.apps]]`.
    pub apps: Vec<App>,
    /// Files with the passwords of those whose desktops all have the same, by slug.
    pub passwords: BTreeMap<String, PathBuf>,
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// The first thing that is wrong, where it is, and what to do.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Self::check(sources.read()?)
    }

    /// Reads and checks a configuration, and answers all of it as TOML, but for the secrets
    /// in it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn show(sources: &Sources) -> Result<String, ConfigError> {
        let raw = sources.read()?;
        let text = toml::to_string_pretty(&raw);
        let text = text.map_err(|error| ConfigError::key("configuration", error.to_string()))?;
        Self::check(raw)?;
        Ok(text)
    }

    /// Whether this server itself speaks TLS.
    #[must_use]
    pub const fn speaks_tls(&self) -> bool {
        self.tls.is_some() || self.acme.is_some()
    }

    fn check(raw: Raw) -> Result<Self, ConfigError> {
        let limits = &raw.limits;
        let lifecycle = LifecycleConfig {
            orphans: raw.placement.orphans,
            ..lifecycle(limits)?
        };
        let hosts = hosts::hosts(
            raw.docker,
            #[cfg(feature = "proxmox")]
            raw.proxmox,
        )?;
        let pools = pools::pools(&raw.pools, &raw.catalogue.apps)?;
        let passwords = passwords(&raw.catalogue);
        let apps = apps(raw.catalogue, policies::general(&raw.policies)?)?;
        hosts::check_hosts(&apps, &hosts)?;
        let acme = acme::acme(&raw.tls, &raw.storage.path)?;
        let tls = web::tls(raw.tls)?;
        Ok(Self {
            lifecycle,
            access: access(limits)?,
            rates: web::rates(limits)?,
            extend: policies::extend(limits)?,
            server: web::server(raw.server, tls.is_some() || acme.is_some())?,
            tls,
            acme,
            key_file: key_file(&raw.storage)?,
            database: database(raw.storage)?,
            hosts,
            fleet: hosts::fleet(&raw.placement)?,
            guacd: guacd(raw.gateway)?,
            tunnel: tunnel(&raw.tunnel)?,
            #[cfg(feature = "ldap")]
            ldap: sign_on::ldap(raw.ldap)?,
            #[cfg(feature = "oidc")]
            oidc: sign_on::oidc(raw.oidc)?,
            log: log(&raw.log)?,
            pools,
            apps,
            passwords,
        })
    }
}

fn address(key: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    let wrong = |_| {
        let text = format!("`{text}` is not an address and port, such as 127.0.0.1:8080");
        ConfigError::key(key, text)
    };
    text.parse().map_err(wrong)
}

fn parse<T>(key: &'static str, text: &str) -> Result<T, ConfigError>
where
    T: FromStr<Err: std::fmt::Display>,
{
    let wrong = |error| ConfigError::key(key, format!("`{text}`: {error}"));
    text.parse().map_err(wrong)
}

fn parse_all<T: FromStr>(
    key: &'static str,
    texts: &[String],
    what: &str,
) -> Result<Vec<T>, ConfigError> {
    let parse = |text: &String| {
        let wrong = |_| ConfigError::key(key, format!("`{text}` is not {what}"));
        text.parse().map_err(wrong)
    };
    texts.iter().map(parse).collect()
}

fn in_range(
    key: &'static str,
    value: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, ConfigError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let text = format!(
        "{value} is not between {} and {}",
        range.start(),
        range.end()
    );
    Err(ConfigError::key(key, text))
}

fn seconds(key: &'static str, value: u64) -> Result<Duration, ConfigError> {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    in_range(key, value, 1..=YEAR).map(Duration::from_secs)
}

fn database(raw: raw::Storage) -> Result<PathBuf, ConfigError> {
    if raw.path.file_name().is_none() {
        return Err(ConfigError::key(
            "storage.path",
            "is not the path of a file",
        ));
    }
    Ok(raw.path)
}

fn key_file(raw: &raw::Storage) -> Result<PathBuf, ConfigError> {
    if raw.key_file.as_os_str().is_empty() {
        return Ok(raw.path.with_extension("keys"));
    }
    if raw.key_file.file_name().is_none() || raw.key_file == raw.path {
        let text = "is not the path of a file of its own";
        return Err(ConfigError::key("storage.key_file", text));
    }
    Ok(raw.key_file.clone())
}

fn guacd(raw: raw::Gateway) -> Result<Vec<String>, ConfigError> {
    let key = "gateway.guacd";
    if raw.guacd.is_empty() {
        return Err(ConfigError::key(key, "needs one address at least"));
    }
    endpoints(key, raw.guacd)
}

/// Addresses of guacd.
fn endpoints(key: &'static str, endpoints: Vec<String>) -> Result<Vec<String>, ConfigError> {
    for endpoint in &endpoints {
        let port = endpoint
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty());
        if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            let text = format!("`{endpoint}` is not a host and port, such as 127.0.0.1:4822");
            return Err(ConfigError::key(key, text));
        }
    }
    Ok(endpoints)
}

fn tunnel(raw: &raw::Tunnel) -> Result<Tunnel, ConfigError> {
    let threads = in_range("tunnel.threads", raw.threads as u64, 0..=256)? as usize;
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    Ok(Tunnel {
        threads: if threads == 0 { processors } else { threads },
    })
}

fn lifecycle(raw: &raw::Limits) -> Result<LifecycleConfig, ConfigError> {
    Ok(LifecycleConfig {
        quota: Quota {
            instances: limit(raw.instances_per_user),
            cpu_millis: limit(raw.cpu_millis_per_user),
            memory_mib: limit(raw.memory_mib_per_user),
            disk_mib: limit(raw.disk_mib_per_user),
            hours_week: limit(raw.hours_week_per_user),
        },
        start_timeout: seconds("limits.start_timeout_s", raw.start_timeout_s)?,
        stop_timeout: seconds("limits.stop_timeout_s", raw.stop_timeout_s)?,
        ..LifecycleConfig::default()
    })
}

/// 0 is no limit.
fn limit<T: Default + PartialEq>(number: T) -> Option<T> {
    Some(number).filter(|number| *number != T::default())
}

fn access(raw: &raw::Limits) -> Result<AccessConfig, ConfigError> {
    Ok(AccessConfig {
        session_idle: seconds("limits.session_idle_s", raw.session_idle_s)?,
        session_absolute: seconds("limits.session_absolute_s", raw.session_absolute_s)?,
        ticket: seconds("limits.ticket_s", raw.ticket_s)?,
        invitation: seconds("limits.invitation_s", raw.invitation_s)?,
    })
}

fn log(raw: &raw::Log) -> Result<Log, ConfigError> {
    let wrong = |_| {
        let text = format!(
            "`{}` is not a filter, such as info,daas_core=debug",
            raw.filter
        );
        ConfigError::key("log.filter", text)
    };
    Ok(Log {
        format: raw.format,
        filter: raw.filter.parse().map_err(wrong)?,
    })
}

fn is_slug(text: &str) -> bool {
    let fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(fit) && !text.starts_with('-')
}

fn apps(raw: raw::Catalogue, general: Policies) -> Result<Vec<App>, ConfigError> {
    let mut slugs = HashSet::new();
    for app in &raw.apps {
        if !slugs.insert(app.slug.clone()) {
            let text = format!("`{}` is there twice", app.slug);
            return Err(ConfigError::key(APPS, text));
        }
    }
    raw.apps.into_iter().map(|raw| app(raw, general)).collect()
}

/// The key of applications.
const APPS: &str = "catalogue.apps";

/// What is wrong with an application.
fn wrong_app(slug: &str, text: &str) -> ConfigError {
    ConfigError::key(APPS, format!("`{slug}`: {text}"))
}

fn passwords(raw: &raw::Catalogue) -> BTreeMap<String, PathBuf> {
    let files = raw.apps.iter().map(|app| (&app.slug, &app.password_file));
    let files = files.filter(|(_, file)| !file.as_os_str().is_empty());
    files
        .map(|(slug, file)| (slug.clone(), file.clone()))
        .collect()
}

/// Characters of a name at most, here and there.
const NAME_MAX: usize = 256;

fn log_in(raw: &raw::App) -> Result<LogIn, ConfigError> {
    let wrong = |text: &str| Err(wrong_app(&raw.slug, text));
    let (is_rdp, is_vnc) = (raw.protocol == Protocol::Rdp, raw.protocol == Protocol::Vnc);
    let is_fit =
        |text: &str| text.chars().count() <= NAME_MAX && !text.chars().any(char::is_control);
    if !is_fit(&raw.user) || !is_fit(&raw.domain) {
        return wrong("user and domain take 256 characters at most, and none for control");
    }
    let of_rdp = !raw.domain.is_empty()
        || raw.rdp_security != RdpSecurity::Any
        || raw.rdp_certificate_unchecked;
    if of_rdp && !is_rdp {
        return wrong(
            "domain, rdp_security and rdp_certificate_unchecked are for protocol = \"rdp\"",
        );
    }
    if raw.protocol == Protocol::Console && !raw.user.is_empty() {
        return wrong("a console is reached without logging in: it takes no user");
    }
    if is_vnc && !raw.user.is_empty() && raw.password_file.as_os_str().is_empty() {
        return wrong("a user of VNC needs a password_file");
    }
    Ok(LogIn {
        user: raw.user.clone(),
        domain: raw.domain.clone(),
        security: raw.rdp_security,
        certificate_unchecked: raw.rdp_certificate_unchecked,
    })
}

fn app(raw: raw::App, general: Policies) -> Result<App, ConfigError> {
    let wrong = |text: &str| Err(wrong_app(&raw.slug, text));
    if !is_slug(&raw.slug) {
        return wrong("a slug takes lower-case letters, digits and hyphens, at most 63");
    }
    if raw.name.is_empty() || raw.image.is_empty() || raw.port == 0 {
        return wrong("name and image must not be empty, and the port not 0");
    }
    if raw.cpu_millis < 10 || raw.memory_mib < 16 {
        return wrong("needs cpu_millis of 10 and memory_mib of 16 at least");
    }
    let policies = policies::of_app(&raw, general)?;
    let log_in = log_in(&raw)?;
    Ok(App {
        id: AppId::random(),
        slug: raw.slug,
        name: raw.name,
        description: raw.description,
        icon: raw.icon,
        kind: raw.kind,
        image: raw.image,
        protocol: raw.protocol,
        port: raw.port,
        log_in,
        resources: Resources {
            cpu_millis: raw.cpu_millis,
            memory_mib: raw.memory_mib,
            disk_mib: raw.disk_mib,
        },
        policies,
        hosts: hosts::labels(APPS, &raw.hosts)?,
        created_at: Timestamp::now(),
    })
}
