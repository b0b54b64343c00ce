//! The configuration as it is written: only shapes, no meaning.

mod hosts;

use std::path::PathBuf;

#[cfg(feature = "ldap")]
use daas_core::access::sign_on::ldap::LdapConfig;
#[cfg(feature = "oidc")]
use daas_core::access::sign_on::oidc::OidcConfig;
use daas_core::model::{AppKind, Pool, Protocol, RdpSecurity};
use serde::{Deserialize, Serialize};

#[cfg(feature = "proxmox")]
pub(super) use hosts::{Cloning, Proxmox};
pub(super) use hosts::{Docker, DockerHost, Placement, Probe};

/// The whole file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Raw {
    pub(super) server: Server,
    pub(super) tls: Tls,
    pub(super) storage: Storage,
    pub(super) docker: Docker,
    #[cfg(feature = "proxmox")]
    pub(super) proxmox: Vec<Proxmox>,
    pub(super) placement: Placement,
    pub(super) gateway: Gateway,
    pub(super) tunnel: Tunnel,
    pub(super) limits: Limits,
    pub(super) policies: Policies,
    pub(super) log: Log,
    #[cfg(feature = "ldap")]
    pub(super) ldap: LdapConfig,
    #[cfg(feature = "oidc")]
    pub(super) oidc: Vec<OidcConfig>,
    pub(super) pools: Pools,
    pub(super) catalogue: Catalogue,
}

/// `[server]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Server {
    pub(super) listen: String,
    pub(super) public_origins: Vec<String>,
    pub(super) insecure_http: bool,
    pub(super) redirect_http: String,
    pub(super) trusted_proxies: Vec<String>,
    pub(super) public_metrics: bool,
    pub(super) threads: usize,
    pub(super) connections_max: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_origins: Vec::new(),
            insecure_http: false,
            redirect_http: String::new(),
            trusted_proxies: Vec::new(),
            public_metrics: false,
            threads: 2,
            connections_max: 4096,
        }
    }
}

/// `[tls]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    /// Empty where there is none; so is the other.
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Empty where certificates do not come by ACME.
    pub(super) acme_domains: Vec<String>,
    pub(super) acme_terms_agreed: bool,
    pub(super) acme_contact: Vec<String>,
    pub(super) acme_directory: String,
    pub(super) acme_root: PathBuf,
    /// Empty is beside the database.
    pub(super) acme_cache: PathBuf,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            acme_domains: Vec::new(),
            acme_terms_agreed: false,
            acme_contact: Vec::new(),
            acme_directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            acme_root: PathBuf::new(),
            acme_cache: PathBuf::new(),
        }
    }
}

/// `[storage]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Storage {
    pub(super) path: PathBuf,
    pub(super) key_file: PathBuf,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data").join(super::DATABASE),
            key_file: PathBuf::new(),
        }
    }
}

/// `[gateway]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Gateway {
    pub(super) guacd: Vec<String>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            guacd: vec!["127.0.0.1:4822".to_owned()],
        }
    }
}

/// `[tunnel]`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tunnel {
    /// 0 is as many as there are processors.
    pub(super) threads: usize,
}

/// `[limits]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    /// 0 is no limit; so for the four that follow.
    pub(super) instances_per_user: u32,
    pub(super) cpu_millis_per_user: u32,
    pub(super) memory_mib_per_user: u32,
    pub(super) disk_mib_per_user: u32,
    pub(super) hours_week_per_user: u32,
    pub(super) start_timeout_s: u64,
    pub(super) stop_timeout_s: u64,
    pub(super) session_idle_s: u64,
    pub(super) session_absolute_s: u64,
    pub(super) ticket_s: u64,
    pub(super) invitation_s: u64,
    /// 0 is never.
    pub(super) extend_s: u64,
    /// 0 is no limit; so for accounts.
    pub(super) requests_per_second_per_address: u32,
    pub(super) requests_burst_per_address: u32,
    pub(super) requests_per_second_per_account: u32,
    pub(super) requests_burst_per_account: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            instances_per_user: 5,
            cpu_millis_per_user: 0,
            memory_mib_per_user: 0,
            disk_mib_per_user: 0,
            hours_week_per_user: 0,
            start_timeout_s: 120,
            stop_timeout_s: 10,
            session_idle_s: 30 * 60,
            session_absolute_s: 12 * 60 * 60,
            ticket_s: 30,
            invitation_s: 7 * 24 * 60 * 60,
            extend_s: 60 * 60,
            // A school or an office may be behind one address.
            requests_per_second_per_address: 100,
            requests_burst_per_address: 500,
            requests_per_second_per_account: 50,
            requests_burst_per_account: 300,
        }
    }
}

/// `[policies]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Policies {
    pub(super) on_disconnect: String,
    pub(super) on_idle: String,
    pub(super) on_lifetime: String,
}

impl Default for Policies {
    fn default() -> Self {
        let keep = || "keep".to_owned();
        Self {
            on_disconnect: keep(),
            on_idle: keep(),
            on_lifetime: keep(),
        }
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Plain,
    /// One JSON object a line.
    Json,
}

/// `[log]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) format: LogFormat,
    pub(super) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info".to_owned(),
        }
    }
}

/// `[pools]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Pools {
    pub(super) time_zone: String,
    pub(super) ahead_minutes: u32,
}

impl Default for Pools {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            ahead_minutes: 10,
        }
    }
}

/// `[catalogue]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Catalogue {
    pub(super) apps: Vec<App>,
}

impl Default for Catalogue {
    fn default() -> Self {
        let app = |slug: &str, name: &str, description: &str, kind| App {
            slug: slug.to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
            icon: slug.to_owned(),
            kind,
            image: format!("daas/{slug}"),
            protocol: Protocol::Vnc,
            port: 5901,
            user: String::new(),
            domain: String::new(),
            password_file: PathBuf::new(),
            rdp_security: RdpSecurity::Any,
            rdp_certificate_unchecked: false,
            cpu_millis: 2000,
            memory_mib: 2048,
            disk_mib: 0,
            on_disconnect: None,
            on_idle: None,
            on_lifetime: None,
            hosts: Vec::new(),
            pool: Pool::default(),
        };
        let desktop = "A whole Linux desktop with a file manager and a terminal.";
        let editor = "A text editor, full screen.";
        let browser = "A web browser, full screen.";
        Self {
            apps: vec![
                app("desktop", "Desktop", desktop, AppKind::Desktop),
                app("editor", "Editor", editor, AppKind::Application),
                app("browser", "Browser", browser, AppKind::Application),
            ],
        }
    }
}

/// `[[catalogue.apps]]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct App {
    pub(super) slug: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default = "icon")]
    pub(super) icon: String,
    #[serde(default = "kind")]
    pub(super) kind: AppKind,
    pub(super) image: String,
    #[serde(default = "protocol")]
    pub(super) protocol: Protocol,
    #[serde(default = "port")]
    pub(super) port: u16,
    /// Empty is no name; so for the domain.
    #[serde(default)]
    pub(super) user: String,
    #[serde(default)]
    pub(super) domain: String,
    /// Empty is a password for each instance.
    #[serde(default)]
    pub(super) password_file: PathBuf,
    #[serde(default)]
    pub(super) rdp_security: RdpSecurity,
    #[serde(default)]
    pub(super) rdp_certificate_unchecked: bool,
    #[serde(default = "cpu_millis")]
    pub(super) cpu_millis: u32,
    #[serde(default = "memory_mib")]
    pub(super) memory_mib: u32,
    #[serde(default)]
    pub(super) disk_mib: u32,
    /// None is as in `[policies]`; so for the two that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) on_disconnect: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) on_idle: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) on_lifetime: Option<String>,
    #[serde(default)]
    pub(super) hosts: Vec<String>,
    #[serde(default)]
    pub(super) pool: Pool,
}

fn icon() -> String {
    "app".to_owned()
}

const fn kind() -> AppKind {
    AppKind::Application
}

const fn protocol() -> Protocol {
    Protocol::Vnc
}

const fn port() -> u16 {
    5901
}

const fn cpu_millis() -> u32 {
    2000
}

const fn memory_mib() -> u32 {
    2048
}
