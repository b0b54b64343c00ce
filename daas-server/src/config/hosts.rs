//! What runs desktops: `[docker]`, `[[docker.hosts]]`, `[[proxmox]]` and `[placement]`.

use std::collections::BTreeSet;
use std::fmt;

use daas_core::fleet::FleetConfig;
use daas_core::hypervisor::docker::{self, Endpoint, Home, Network, Probe, SshFiles, TlsFiles};
use daas_core::model::{App, HostName, Label, Protocol};

use super::error::ConfigError;
#[cfg(feature = "proxmox")]
use super::proxmox::{self, ProxmoxSettings};
use super::raw;
use super::{endpoints, in_range, limit, parse, wrong_app};

/// Most hosts.
const HOSTS_MAX: usize = 256;
/// Most labels of one host, or of one application.
const LABELS_MAX: usize = 32;

/// One host that runs desktops.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Its name.
    pub name: HostName,
    /// What it has that not all have.
    pub labels: BTreeSet<Label>,
    /// Processors that may be used, where these are not all.
    pub cpus: Option<u32>,
    /// Memory in MiB that may be used, where that is not all but the reserve.
    pub memory_mib: Option<u64>,
    /// Its own guacd, as host and port; without any those of `[gateway]`.
    pub guacd: Vec<String>,
    /// What it is.
    pub kind: HostKind,
}

impl HostConfig {
    /// Whether it has all labels that an application asks for, and can show its desktops.
    pub(crate) fn fits(&self, app: &App) -> bool {
        self.shows(app) && app.hosts.iter().all(|label| self.labels.contains(label))
    }

    const fn shows(&self, app: &App) -> bool {
        match self.kind {
            HostKind::Docker { .. } => !matches!(app.protocol, Protocol::Console),
            #[cfg(feature = "proxmox")]
            HostKind::Proxmox(_) => true,
        }
    }
}

/// What a host is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HostKind {
    /// A Docker engine.
    Docker {
        /// What an installation may do on it.
        config: Box<docker::Config>,
        /// Where it is.
        endpoint: Endpoint,
    },
    /// A Proxmox VE cluster.
    #[cfg(feature = "proxmox")]
    Proxmox(Box<ProxmoxSettings>),
}

/// Where it is, for people.
impl fmt::Display for HostKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker { endpoint, .. } => endpoint.fmt(f),
            #[cfg(feature = "proxmox")]
            Self::Proxmox(settings) => settings.fmt(f),
        }
    }
}

/// Hosts, the one of `[docker]` first.
pub(super) fn hosts(
    docker: raw::Docker,
    #[cfg(feature = "proxmox")] clusters: Vec<raw::Proxmox>,
) -> Result<Vec<HostConfig>, ConfigError> {
    let mut hosts = Vec::new();
    let common = engine(&docker)?;
    if docker.enabled {
        hosts.push(here(&docker, &common)?);
    }
    for host in docker.hosts {
        hosts.push(elsewhere(host, &common)?);
    }
    #[cfg(feature = "proxmox")]
    for cluster in clusters {
        hosts.push(proxmox::host(cluster, &docker.installation)?);
    }
    check_all(&hosts)?;
    Ok(hosts)
}

fn check_all(hosts: &[HostConfig]) -> Result<(), ConfigError> {
    if hosts.is_empty() || hosts.len() > HOSTS_MAX {
        let text = format!(
            "needs 1 to {HOSTS_MAX} hosts: docker.enabled = true, [[docker.hosts]] or [[proxmox]]"
        );
        return Err(ConfigError::key("docker.hosts", text));
    }
    for (n, host) in hosts.iter().enumerate() {
        let mut before = hosts.iter().take(n);
        if before.any(|other| other.name == host.name) {
            let text = format!("`{}` is the name of two hosts", host.name);
            return Err(ConfigError::key("docker.hosts.name", text));
        }
        let mut before = hosts.iter().take(n);
        if let Some(other) = before.find(|other| is_ambiguous(other, host)) {
            let text = format!(
                "`{}` and `{}` have the same addresses for desktops and the same guacd, which \
                 could not tell their desktops apart; set range or guacd of one of them",
                other.name, host.name
            );
            return Err(ConfigError::key("docker.hosts.range", text));
        }
    }
    Ok(())
}

fn is_ambiguous(one: &HostConfig, other: &HostConfig) -> bool {
    match (range(one), range(other)) {
        (Some(range), Some(others)) => range.overlaps(others) && one.guacd == other.guacd,
        _ => false,
    }
}

fn range(host: &HostConfig) -> Option<docker::Subnet> {
    match &host.kind {
        HostKind::Docker { config, .. } => Some(config.network.range),
        #[cfg(feature = "proxmox")]
        HostKind::Proxmox(_) => None,
    }
}

/// What all engines have in common.
fn engine(raw: &raw::Docker) -> Result<docker::Config, ConfigError> {
    let home = match raw.home_memory_mib {
        0 => Home::Volume,
        mib => Home::Memory { mib },
    };
    let installation = parse("docker.installation", &raw.installation)?;
    let allow = raw.allow.iter();
    let allow = allow.map(|subnet| parse("docker.allow", subnet));
    Ok(docker::Config {
        socket: raw.socket.clone(),
        home,
        network: Network {
            range: parse("docker.range", &raw.range)?,
            internet: raw.internet,
            allow: allow.collect::<Result<_, _>>()?,
            gateways: raw.gateways.clone(),
            guard: Some(raw.guard.clone()).filter(|guard| !guard.is_empty()),
        },
        ..docker::Config::new(installation)
    })
}

fn here(raw: &raw::Docker, common: &docker::Config) -> Result<HostConfig, ConfigError> {
    Ok(HostConfig {
        name: parse("docker.name", &raw.name)?,
        labels: labels("docker.labels", &raw.labels)?,
        cpus: limit(raw.cpus),
        memory_mib: limit(raw.memory_mib),
        guacd: Vec::new(),
        kind: HostKind::Docker {
            config: Box::new(common.clone()),
            endpoint: Endpoint::Socket(raw.socket.clone()),
        },
    })
}

fn elsewhere(raw: raw::DockerHost, common: &docker::Config) -> Result<HostConfig, ConfigError> {
    let endpoint = endpoint(&raw)?;
    let probe = match raw.probe {
        raw::Probe::Auto if endpoint.is_local() => Probe::Connect,
        raw::Probe::Connect => Probe::Connect,
        raw::Probe::Auto | raw::Probe::Engine => Probe::Engine,
    };
    let config = docker::Config {
        network: Network {
            range: parse("docker.hosts.range", &raw.range)?,
            gateways: raw.gateways,
            ..common.network.clone()
        },
        probe,
        ..common.clone()
    };
    Ok(HostConfig {
        name: parse("docker.hosts.name", &raw.name)?,
        labels: labels("docker.hosts.labels", &raw.labels)?,
        cpus: limit(raw.cpus),
        memory_mib: limit(raw.memory_mib),
        guacd: endpoints("docker.hosts.guacd", raw.guacd)?,
        kind: HostKind::Docker {
            config: Box::new(config),
            endpoint,
        },
    })
}

/// An address, and the files that belong to it and no others.
fn endpoint(raw: &raw::DockerHost) -> Result<Endpoint, ConfigError> {
    let key = "docker.hosts.endpoint";
    let mut endpoint: Endpoint = parse(key, &raw.endpoint)?;
    let of_tls = [&raw.ca_file, &raw.cert_file, &raw.key_file];
    let of_ssh = [&raw.ssh_key_file, &raw.known_hosts_file];
    let given = |path: &&std::path::PathBuf| !path.as_os_str().is_empty();
    match &mut endpoint {
        Endpoint::Tls { files, .. } => {
            if !of_tls.iter().all(given) {
                let text = format!(
                    "{endpoint} needs ca_file, cert_file and key_file: without TLS whoever \
                     reaches it is root on that host. Without certificates use ssh://"
                );
                return Err(ConfigError::key(key, text));
            }
            *files = TlsFiles {
                ca: raw.ca_file.clone(),
                certificate: raw.cert_file.clone(),
                key: raw.key_file.clone(),
            };
        }
        Endpoint::Ssh { files, .. } => {
            *files = SshFiles {
                key: Some(raw.ssh_key_file.clone()).filter(|path| given(&path)),
                known_hosts: Some(raw.known_hosts_file.clone()).filter(|path| given(&path)),
            };
        }
        Endpoint::Socket(_) => {}
    }
    let (is_tls, is_ssh) = (
        matches!(endpoint, Endpoint::Tls { .. }),
        matches!(endpoint, Endpoint::Ssh { .. }),
    );
    if !is_tls && of_tls.iter().any(given) {
        let text = format!("{endpoint} takes no ca_file, cert_file or key_file; tcp:// does");
        return Err(ConfigError::key(key, text));
    }
    if !is_ssh && of_ssh.iter().any(given) {
        let text = format!("{endpoint} takes no ssh_key_file or known_hosts_file; ssh:// does");
        return Err(ConfigError::key(key, text));
    }
    Ok(endpoint)
}

pub(super) fn labels<C: FromIterator<Label>>(
    key: &'static str,
    texts: &[String],
) -> Result<C, ConfigError> {
    if texts.len() > LABELS_MAX {
        let text = format!("takes {LABELS_MAX} labels at most");
        return Err(ConfigError::key(key, text));
    }
    texts.iter().map(|text| parse(key, text)).collect()
}

/// Each application needs a host that has all its labels and can show its desktops.
pub(super) fn check_hosts(apps: &[App], hosts: &[HostConfig]) -> Result<(), ConfigError> {
    for app in apps {
        if !hosts.iter().any(|host| host.fits(app)) {
            let why = match hosts.iter().any(|host| host.shows(app)) {
                true => "no host has all labels of `hosts`",
                false => "no host shows consoles; Proxmox VE does",
            };
            return Err(wrong_app(&app.slug, why));
        }
    }
    Ok(())
}

pub(super) fn fleet(raw: &raw::Placement) -> Result<FleetConfig, ConfigError> {
    if !(0.1..=1000.0).contains(&raw.cpu_overcommit) {
        let text = format!("{} is not between 0.1 and 1000", raw.cpu_overcommit);
        return Err(ConfigError::key("placement.cpu_overcommit", text));
    }
    let key = "placement.memory_reserve_mib";
    Ok(FleetConfig {
        strategy: raw.strategy,
        cpu_overcommit: raw.cpu_overcommit,
        memory_reserve_mib: in_range(key, raw.memory_reserve_mib, 0..=1 << 40)?,
        ..FleetConfig::default()
    })
}
