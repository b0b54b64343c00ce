//! `[[proxmox]]`.

use std::fmt;
use std::path::PathBuf;

use daas_core::files;
use daas_core::hypervisor::proxmox::client::{
    Credentials, Endpoint, SettingError, Settings, Trust,
};
use daas_core::hypervisor::proxmox::{Cloning, Config, Installation, Network, Proxmox};
use daas_core::{BoxError, Error};

use super::error::ConfigError;
use super::hosts::{HostConfig, HostKind, labels};
use super::{endpoints, limit, parse, raw};

/// A cluster whose secret was not read yet.
#[derive(Clone, Debug)]
pub struct ProxmoxSettings {
    endpoints: Vec<Endpoint>,
    who: Who,
    trust: Trust,
    installation: Installation,
    first: u32,
    last: u32,
    networks: Vec<Network>,
    pool: Option<String>,
    cloning: Cloning,
    cloud_init_user: Option<String>,
    suspend_to_disk: bool,
}

/// Who we are there, and the file with what proves it.
#[derive(Clone, Debug)]
enum Who {
    Token(String, PathBuf),
    User(String, PathBuf),
}

impl fmt::Display for ProxmoxSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.endpoints.iter();
        if let Some(first) = all.next() {
            write!(f, "https://{first}")?;
        }
        all.try_for_each(|other| write!(f, ", https://{other}"))
    }
}

impl ProxmoxSettings {
    /// The cluster. It reads files, so it is called behind the gate for blocking calls.
    ///
    /// # Errors
    /// Where files cannot be used, or a setting is not as it has to be.
    pub(crate) fn open(self) -> Result<Proxmox, Error> {
        let credentials = match self.who {
            Who::Token(id, path) => {
                let secret = files::secret(&path).map_err(unusable)?;
                Credentials::Token { id, secret }
            }
            Who::User(user, path) => {
                let password = files::secret(&path).map_err(unusable)?;
                Credentials::Password { user, password }
            }
        };
        let cluster = Settings::new(self.endpoints, credentials, self.trust);
        let vmids = self.first..=self.last;
        let mut config = Config::new(cluster, self.installation, vmids, self.networks);
        config.pool = self.pool;
        config.cloning = self.cloning;
        config.cloud_init_user = self.cloud_init_user;
        config.suspend_to_disk = self.suspend_to_disk;
        Proxmox::new(config).map_err(unusable)
    }
}

fn unusable(source: impl Into<BoxError>) -> Error {
    Error::Backend {
        backend: "Proxmox VE",
        operation: "using its settings",
        source: source.into(),
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A cluster as a host.
pub(super) fn host(raw: raw::Proxmox, installation: &str) -> Result<HostConfig, ConfigError> {
    let [first, last] = raw.vmids[..] else {
        let text = "takes two numbers, the first and the last, such as [5000, 5999]";
        return Err(ConfigError::key("proxmox.vmids", text));
    };
    if raw.urls.is_empty() {
        let text = "needs one address at least, such as https://pve1.example.org:8006";
        return Err(ConfigError::key("proxmox.urls", text));
    }
    if raw.networks.is_empty() {
        let text = "needs one at least: addresses of desktops elsewhere are not believed";
        return Err(ConfigError::key("proxmox.networks", text));
    }
    let settings = ProxmoxSettings {
        endpoints: set("proxmox.urls", &raw.urls)?,
        who: who(&raw)?,
        trust: trust(&raw)?,
        installation: one("docker.installation", installation)?,
        first,
        last,
        networks: set("proxmox.networks", &raw.networks)?,
        pool: some(raw.pool),
        cloning: cloning(raw.cloning, raw.storage)?,
        cloud_init_user: some(raw.cloud_init_user),
        suspend_to_disk: raw.suspend_to_disk,
    };
    Ok(HostConfig {
        name: parse("proxmox.name", &raw.name)?,
        labels: labels("proxmox.labels", &raw.labels)?,
        cpus: limit(raw.cpus),
        memory_mib: limit(raw.memory_mib),
        guacd: endpoints("proxmox.guacd", raw.guacd)?,
        kind: HostKind::Proxmox(Box::new(settings)),
    })
}

fn who(raw: &raw::Proxmox) -> Result<Who, ConfigError> {
    let is_there = |path: &PathBuf| !path.as_os_str().is_empty();
    let token = !raw.token_id.is_empty() && is_there(&raw.token_secret_file);
    let user = !raw.user.is_empty() && is_there(&raw.password_file);
    match (token, user) {
        (true, false) => Ok(Who::Token(
            raw.token_id.clone(),
            raw.token_secret_file.clone(),
        )),
        (false, true) => Ok(Who::User(raw.user.clone(), raw.password_file.clone())),
        _ => {
            let text = "needs token_id with token_secret_file, or user with password_file";
            Err(ConfigError::key("proxmox.token_id", text))
        }
    }
}

fn trust(raw: &raw::Proxmox) -> Result<Trust, ConfigError> {
    let has_ca = !raw.ca_file.as_os_str().is_empty();
    match (has_ca, raw.fingerprints.is_empty()) {
        (true, false) => {
            let text = "cannot be set together with ca_file";
            Err(ConfigError::key("proxmox.fingerprints", text))
        }
        (true, true) => Ok(Trust::Authorities(raw.ca_file.clone())),
        (false, false) => {
            let fingerprints = set("proxmox.fingerprints", &raw.fingerprints)?;
            Ok(Trust::Fingerprints(fingerprints))
        }
        (false, true) => Ok(Trust::System),
    }
}

fn cloning(raw: raw::Cloning, storage: String) -> Result<Cloning, ConfigError> {
    match (raw, some(storage)) {
        (raw::Cloning::Linked, None) => Ok(Cloning::LinkedWherePossible),
        (raw::Cloning::Full, storage) => Ok(Cloning::Full { storage }),
        (raw::Cloning::Linked, Some(_)) => {
            let text = "is for cloning = \"full\": a linked clone is where its template is";
            Err(ConfigError::key("proxmox.storage", text))
        }
    }
}

fn one<T: std::str::FromStr<Err = SettingError>>(
    key: &'static str,
    text: &str,
) -> Result<T, ConfigError> {
    let wrong = |error: SettingError| ConfigError::key(key, format!("`{text}`: {}", error.reason));
    text.parse().map_err(wrong)
}

fn set<T: std::str::FromStr<Err = SettingError>>(
    key: &'static str,
    texts: &[String],
) -> Result<Vec<T>, ConfigError> {
    texts.iter().map(|text| one(key, text)).collect()
}
