//! Hosts as they are written.

use std::path::PathBuf;

use daas_core::fleet::Strategy;
use daas_core::lifecycle::Orphans;
use serde::{Deserialize, Serialize};

/// `[docker]`: the engine here, and what all engines have in common.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Docker {
    pub(in crate::config) enabled: bool,
    pub(in crate::config) name: String,
    pub(in crate::config) socket: PathBuf,
    pub(in crate::config) installation: String,
    pub(in crate::config) range: String,
    pub(in crate::config) internet: bool,
    pub(in crate::config) allow: Vec<String>,
    pub(in crate::config) gateways: Vec<String>,
    pub(in crate::config) guard: String,
    pub(in crate::config) home_memory_mib: u32,
    pub(in crate::config) labels: Vec<String>,
    /// 0 is all of them; so for memory.
    pub(in crate::config) cpus: u32,
    pub(in crate::config) memory_mib: u64,
    pub(in crate::config) hosts: Vec<DockerHost>,
}

impl Default for Docker {
    fn default() -> Self {
        Self {
            enabled: true,
            name: "docker".to_owned(),
            socket: "/var/run/docker.sock".into(),
            installation: "daas".to_owned(),
            range: range(),
            internet: true,
            allow: Vec::new(),
            gateways: Vec::new(),
            guard: "daas/guard".to_owned(),
            home_memory_mib: 0,
            labels: Vec::new(),
            cpus: 0,
            memory_mib: 0,
            hosts: Vec::new(),
        }
    }
}

fn range() -> String {
    "10.213.0.0/16".to_owned()
}

/// How it is found out whether desktops answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Probe {
    /// By a connection for an engine here, by the engine for others.
    #[default]
    Auto,
    Connect,
    Engine,
}

/// `[[docker.hosts]]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct DockerHost {
    pub(in crate::config) name: String,
    pub(in crate::config) endpoint: String,
    /// Of TLS.
    #[serde(default)]
    pub(in crate::config) ca_file: PathBuf,
    #[serde(default)]
    pub(in crate::config) cert_file: PathBuf,
    #[serde(default)]
    pub(in crate::config) key_file: PathBuf,
    /// Of SSH; empty is as ssh finds them itself.
    #[serde(default)]
    pub(in crate::config) ssh_key_file: PathBuf,
    #[serde(default)]
    pub(in crate::config) known_hosts_file: PathBuf,
    #[serde(default = "range")]
    pub(in crate::config) range: String,
    #[serde(default)]
    pub(in crate::config) gateways: Vec<String>,
    /// Empty is those of `[gateway]`.
    #[serde(default)]
    pub(in crate::config) guacd: Vec<String>,
    #[serde(default)]
    pub(in crate::config) labels: Vec<String>,
    #[serde(default)]
    pub(in crate::config) cpus: u32,
    #[serde(default)]
    pub(in crate::config) memory_mib: u64,
    #[serde(default)]
    pub(in crate::config) probe: Probe,
}

/// How templates are cloned.
#[cfg(feature = "proxmox")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Cloning {
    #[default]
    Linked,
    Full,
}

/// `[[proxmox]]`.
#[cfg(feature = "proxmox")]
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Proxmox {
    pub(in crate::config) name: String,
    pub(in crate::config) urls: Vec<String>,
    /// Either these two.
    #[serde(default)]
    pub(in crate::config) token_id: String,
    #[serde(default)]
    pub(in crate::config) token_secret_file: PathBuf,
    /// Or these.
    #[serde(default)]
    pub(in crate::config) user: String,
    #[serde(default)]
    pub(in crate::config) password_file: PathBuf,
    /// Empty is who the system trusts; either this or the other.
    #[serde(default)]
    pub(in crate::config) ca_file: PathBuf,
    #[serde(default)]
    pub(in crate::config) fingerprints: Vec<String>,
    /// First and last.
    pub(in crate::config) vmids: Vec<u32>,
    pub(in crate::config) networks: Vec<String>,
    #[serde(default)]
    pub(in crate::config) pool: String,
    #[serde(default)]
    pub(in crate::config) cloning: Cloning,
    /// Empty is that of the template.
    #[serde(default)]
    pub(in crate::config) storage: String,
    #[serde(default)]
    pub(in crate::config) cloud_init_user: String,
    #[serde(default)]
    pub(in crate::config) suspend_to_disk: bool,
    #[serde(default)]
    pub(in crate::config) guacd: Vec<String>,
    #[serde(default)]
    pub(in crate::config) labels: Vec<String>,
    #[serde(default)]
    pub(in crate::config) cpus: u32,
    #[serde(default)]
    pub(in crate::config) memory_mib: u64,
}

/// `[placement]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Placement {
    pub(in crate::config) strategy: Strategy,
    pub(in crate::config) cpu_overcommit: f64,
    pub(in crate::config) memory_reserve_mib: u64,
    pub(in crate::config) orphans: Orphans,
}

impl Default for Placement {
    fn default() -> Self {
        Self {
            strategy: Strategy::Spread,
            cpu_overcommit: 4.0,
            memory_reserve_mib: 512,
            orphans: Orphans::Remove,
        }
    }
}
