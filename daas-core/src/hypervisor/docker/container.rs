//! Containers of instances: what they are made of, and what the engine says of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;
use serde_json::{Value, json};

use super::config::{Config, Home, Probe};
use super::names::{self, Labels, Names};
use crate::hypervisor::Spec;
use crate::model::{Endpoint, Resources};

/// Who runs in a container.
const USER: &str = "1000:1000";
/// Folder of the password inside; a volume, as nothing can be put into a container whose
/// root is read-only but into its volumes, and nothing in memory before it has started.
pub(super) const SECRETS: &str = "/var/lib/daas";
/// Most processes and threads. Firefox with four processes for pages has about 250.
const PIDS_MAX: u32 = 512;
const FILES_MAX: u32 = 4096;
const MIB: u64 = 1 << 20;

/// What the engine is asked to make.
pub(super) fn body(
    spec: &Spec,
    port: u16,
    config: &Config,
    names: &Names,
    desktop: &Place,
) -> Value {
    let mut labels = names.labels(spec.id);
    labels[names::PORT] = json!(port.to_string());
    labels[names::APP] = json!(spec.app);
    if let Some(owner) = spec.owner {
        labels[names::OWNER] = json!(owner.to_string());
    }
    json!({
        "Image": spec.image,
        "Hostname": hostname(&spec.app),
        "User": USER,
        "Env": [
            format!("DAAS_WIDTH={}", spec.width),
            format!("DAAS_HEIGHT={}", spec.height),
            format!("DAAS_PORT={port}"),
        ],
        "Labels": labels,
        "Healthcheck": health_check(config.probe),
        "HostConfig": host_config(spec, config, names, desktop),
        "NetworkingConfig": {
            "EndpointsConfig": { &desktop.network: endpoint_config(desktop.address) },
        },
    })
}

fn health_check(probe: Probe) -> Value {
    match probe {
        // A look from outside is cheaper than a command inside every few seconds.
        Probe::Connect => json!({ "Test": ["NONE"] }),
        // That of the image, more often: somebody waits for the desktop. In nanoseconds.
        Probe::Engine => json!({ "Interval": 3_000_000_000_u64 }),
    }
}

fn host_config(spec: &Spec, config: &Config, names: &Names, desktop: &Place) -> Value {
    let mut host = json!({
        // Rights: none.
        "Privileged": false,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": true,
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "NetworkMode": &desktop.network,
        // Limits. The swap limit includes memory: equal means no swap.
        "PidsLimit": PIDS_MAX,
        "Ulimits": [
            { "Name": "nofile", "Soft": FILES_MAX, "Hard": FILES_MAX },
            { "Name": "core", "Soft": 0, "Hard": 0 },
        ],
        "LogConfig": { "Type": "json-file", "Config": { "max-size": "1m", "max-file": "2" } },
        // Desktops go before services of the host when memory runs out.
        "OomScoreAdj": 500,
        "Init": true,
        "RestartPolicy": { "Name": "no" },
    });
    let parts = [
        resources(spec.resources, desktop.cpus),
        storage(spec, config, names),
    ];
    for part in parts {
        if let (Value::Object(host), Value::Object(part)) = (&mut host, part) {
            host.extend(part);
        }
    }
    host
}

/// The engine refuses more processors than there are; an application for four runs on two.
fn resources(resources: Resources, cpus: u32) -> Value {
    let memory = u64::from(resources.memory_mib) * MIB;
    let nano_cpus = u64::from(resources.cpu_millis) * 1_000_000;
    json!({
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": nano_cpus.min(u64::from(cpus) * 1_000_000_000),
        "ShmSize": (memory / 4).clamp(16 * MIB, 256 * MIB),
    })
}

/// Where something can be written: memory, and volumes that go with the instance.
fn storage(spec: &Spec, config: &Config, names: &Names) -> Value {
    let volume = |name: &str, target: &str| {
        json!({
            "Type": "volume",
            "Source": name,
            "Target": target,
            "VolumeOptions": { "Labels": names.labels(spec.id) },
        })
    };
    let mut memory = json!({
        "/tmp": "rw,nosuid,nodev,exec,mode=1777,size=512m",
        "/run": "rw,nosuid,nodev,noexec,mode=0755,uid=1000,gid=1000,size=64m",
    });
    let [secrets, home] = names.volumes(spec.id);
    let mut volumes = vec![volume(&secrets, SECRETS)];
    match config.home {
        Home::Volume => volumes.push(volume(&home, "/home/user")),
        Home::Memory { mib } => {
            memory["/home/user"] = json!(format!(
                "rw,nosuid,nodev,exec,mode=0700,uid=1000,gid=1000,size={mib}m"
            ));
        }
    }
    json!({ "Tmpfs": memory, "Mounts": volumes })
}

/// Settings of a container in a network, with a fixed address.
pub(super) fn endpoint_config(address: Ipv4Addr) -> Value {
    json!({ "IPAMConfig": { "IPv4Address": address } })
}

/// A name for the prompt of a shell: letters, digits and hyphens between them.
fn hostname(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(63)
        .collect();
    match name.trim_matches('-') {
        "" => "desktop".to_owned(),
        name => name.to_owned(),
    }
}

/// Where a container is to be put, and what there is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Name of its network.
    pub(super) network: String,
    /// Its address in there.
    pub(super) address: Ipv4Addr,
    /// Processors of the host.
    pub(super) cpus: u32,
}

/// What the engine says of a container. Fields that are not needed are not read: newer
/// engines change them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Inspected {
    pub(super) id: String,
    pub(super) state: State,
    config: Described,
    #[serde(default)]
    network_settings: Attached,
    #[serde(default)]
    mounts: Vec<Mount>,
}

/// Something that is mounted; volumes have names.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mount {
    #[serde(default)]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    pub(super) status: Status,
    #[serde(default)]
    pub(super) started_at: String,
    /// Missing where there is no health check.
    #[serde(default)]
    health: Option<Health>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    status: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    #[serde(default)]
    labels: Option<Labels>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attached {
    #[serde(default)]
    networks: Option<HashMap<String, Address>>,
}

#[derive(Debug, Deserialize)]
struct Address {
    #[serde(rename = "IPAddress", default)]
    ip: String,
}

/// One line of the engine's list of containers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    state: Status,
    /// For people: "Up 5 minutes (healthy)".
    #[serde(default)]
    status: String,
    #[serde(default)]
    labels: Option<Labels>,
    #[serde(default)]
    network_settings: Attached,
}

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Created,
    Running,
    Paused,
    /// Exited, dead, being removed, or whatever a newer engine may call it.
    #[serde(other)]
    Ended,
}

/// What both answers say.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: Status,
    pub(super) labels: Labels,
    pub(super) endpoint: Option<Endpoint>,
    /// Whether the engine says nothing else.
    pub(super) is_healthy: bool,
}

impl From<Inspected> for Seen {
    fn from(inspected: Inspected) -> Self {
        let labels = inspected.config.labels.unwrap_or_default();
        let health = inspected.state.health.as_ref();
        let is_wrong = |health: &Health| matches!(&*health.status, "starting" | "unhealthy");
        let is_healthy = !health.is_some_and(is_wrong);
        let status = inspected.state.status;
        Self::new(status, labels, &inspected.network_settings, is_healthy)
    }
}

impl From<Listed> for Seen {
    fn from(listed: Listed) -> Self {
        let labels = listed.labels.unwrap_or_default();
        let wrong = ["(health: starting)", "(unhealthy)"];
        let is_healthy = !wrong.iter().any(|text| listed.status.contains(text));
        Self::new(listed.state, labels, &listed.network_settings, is_healthy)
    }
}

impl Seen {
    fn new(status: Status, labels: Labels, attached: &Attached, is_healthy: bool) -> Self {
        let endpoint = endpoint(&labels, attached);
        Self {
            status,
            labels,
            endpoint,
            is_healthy,
        }
    }
}

impl Inspected {
    pub(super) const fn labels(&self) -> Option<&Labels> {
        self.config.labels.as_ref()
    }

    /// Names of its volumes.
    pub(super) fn volumes(&self) -> impl Iterator<Item = &str> {
        self.mounts.iter().filter_map(|mount| mount.name.as_deref())
    }
}

/// Where the desktop listens: a container of an instance is in one network only.
fn endpoint(labels: &Labels, attached: &Attached) -> Option<Endpoint> {
    let port = labels.get(names::PORT)?.parse().ok()?;
    let networks = attached.networks.as_ref()?;
    let address: IpAddr = networks
        .values()
        .find_map(|network| network.ip.parse().ok())?;
    Some(Endpoint { address, port })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn hostnames_are_narrow() {
        for (name, expected) in [
            ("desktop", "desktop"),
            ("Text Editor", "text-editor"),
            ("-x-", "x"),
            ("桌面", "desktop"),
            ("", "desktop"),
        ] {
            assert_eq!(hostname(name), expected);
        }
        assert_eq!(hostname(&"a".repeat(100)).len(), 63);
    }

    #[test]
    fn states_of_newer_engines_are_read() {
        let text = r#"{"Id":"1","State":{"Status":"melting","New":1},"Config":{"Labels":null}}"#;
        let inspected: Inspected = serde_json::from_str(text).unwrap();
        assert_eq!(Seen::from(inspected).status, Status::Ended);
    }

    #[test]
    fn health_is_read_from_both_answers() {
        for (health, status, expected) in [
            ("", "Up 2 seconds", true),
            (r#","Health":{"Status":"none"}"#, "Up 2 seconds", true),
            (
                r#","Health":{"Status":"starting"}"#,
                "Up 2 seconds (health: starting)",
                false,
            ),
            (
                r#","Health":{"Status":"healthy"}"#,
                "Up 1 minute (healthy)",
                true,
            ),
            (
                r#","Health":{"Status":"unhealthy"}"#,
                "Up 1 minute (unhealthy)",
                false,
            ),
        ] {
            let text =
                format!(r#"{{"Id":"1","State":{{"Status":"running"{health}}},"Config":{{}}}}"#);
            let inspected: Inspected = serde_json::from_str(&text).unwrap();
            assert_eq!(Seen::from(inspected).is_healthy, expected, "{health}");
            let text = format!(r#"{{"State":"running","Status":"{status}"}}"#);
            let listed: Listed = serde_json::from_str(&text).unwrap();
            assert_eq!(Seen::from(listed).is_healthy, expected, "{status}");
        }
    }

    #[test]
    fn an_address_is_known_while_there_is_one() {
        let text = |ip: &str| {
            format!(
                r#"{{"State":"running","Labels":{{"daas.port":"5901"}},
                    "NetworkSettings":{{"Networks":{{"n":{{"IPAddress":"{ip}"}}}}}}}}"#
            )
        };
        let seen = |ip: &str| Seen::from(serde_json::from_str::<Listed>(&text(ip)).unwrap());
        let endpoint = seen("10.213.0.2").endpoint.unwrap();
        assert_eq!(endpoint.address.to_string(), "10.213.0.2");
        assert_eq!(endpoint.port, 5901);
        assert_eq!(seen("").endpoint, None);
    }
}
