//! A network for each instance: sixteen addresses of the configured range.
//!
//! | address | whose |
//! |---|---|
//! | second | the host's, through which it reaches the desktop and the desktop the internet |
//! | third | the desktop's |
//! | upper half | gateways' |
//!
//! The engine lets nothing pass from one bridge to another; what else a desktop must not
//! reach is up to the guard, which tells who is who by these addresses.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use docker_api::opts::{ContainerConnectionOpts, ContainerDisconnectionOpts};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::config::Subnet;
use super::container::endpoint_config;
use super::fault::{BACKEND, Fault};
use super::names::{self, Labels};
use super::raw::with_labels;
use super::{Docker, POLL};
use crate::error::Error;
use crate::model::InstanceId;

/// Bits of the addresses of one network that are the same.
const PREFIX: u8 = 28;
const HOST: u32 = 1;
const DESKTOP: u32 = 2;
/// First address of the upper half, and its prefix.
const GATEWAYS: (u32, u8) = (8, 29);
/// How often another network is tried when the engine says that one is taken, by somebody
/// who was quicker.
const TRIES: usize = 16;
/// How often a network is looked for that somebody is making.
const LOOKS: usize = 50;

/// What the engine says of a network.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    name: String,
    #[serde(default)]
    labels: Option<Labels>,
    #[serde(rename = "IPAM", default)]
    addresses: Addresses,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Addresses {
    #[serde(default)]
    config: Option<Vec<Pool>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pool {
    #[serde(default)]
    subnet: String,
}

/// Who is in a network: the keys are ids of containers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Members {
    #[serde(default)]
    containers: Option<HashMap<String, Value>>,
}

impl Listed {
    fn subnets(&self) -> impl Iterator<Item = Subnet> {
        let pools = self.addresses.config.iter().flatten();
        pools.filter_map(|pool| pool.subnet.parse().ok())
    }
}

impl Docker {
    /// Sees to it that an instance has its network, and answers its addresses.
    pub(super) async fn ensure_network(&self, id: InstanceId) -> Result<Subnet, Fault> {
        let mut looks = 0;
        loop {
            looks += 1;
            match self.find_or_make_network(id).await {
                // The name is taken, by a network that others may not see yet: a server that was
                // killed asked for it.
                Err(fault) if fault.status() == Some(409) && looks < LOOKS => sleep(POLL).await,
                network => return network,
            }
        }
    }

    async fn find_or_make_network(&self, id: InstanceId) -> Result<Subnet, Fault> {
        // One at a time, as two would choose the same addresses.
        let _lock = self.networks.lock().await;
        let networks: Vec<Listed> = self.raw.get("/networks").await?;
        let mut own = self.own(&networks, id);
        if let Some((_, subnet)) = own.next() {
            for (spare, _) in own {
                self.remove_spare(spare).await;
            }
            return Ok(subnet);
        }
        drop(own);
        let taken: Vec<Subnet> = networks.iter().flat_map(Listed::subnets).collect();
        for subnet in free(self.config.network.range, &taken, id).take(TRIES) {
            match self.create_network(id, subnet).await {
                // Taken meanwhile, or by something that is in no list.
                Err(fault) if fault.status() == Some(403) => {}
                created => return created.map(|()| subnet),
            }
        }
        let reason = "no network is left in the range for desktops".to_owned();
        Err(Fault::Core(Error::Exhausted { reason }))
    }

    /// The networks of an instance, each with its addresses: one, or none.
    fn own<'a>(
        &self,
        networks: &'a [Listed],
        id: InstanceId,
    ) -> impl Iterator<Item = (&'a Listed, Subnet)> {
        let own = networks.iter().filter(move |network| {
            let labels = network.labels.as_ref();
            labels.and_then(|labels| self.names.instance_of(labels)) == Some(id)
        });
        own.filter_map(|network| {
            let subnet = network.subnets().find(|subnet| subnet.prefix() == PREFIX);
            Some((network, subnet?))
        })
    }

    /// The engine looks for networks of one name before it makes one, and not once more: two
    /// that ask at the same time may each get theirs.
    async fn remove_spare(&self, network: &Listed) {
        tracing::warn!(network = network.name, "removing a second network");
        let removed = self.api.networks().get(&network.id).delete().await;
        // Somebody may be in there. It goes with the instance.
        drop(removed);
    }

    async fn create_network(&self, id: InstanceId, subnet: Subnet) -> Result<(), Fault> {
        let body = json!({
            "Name": self.names.instance(id),
            "CheckDuplicate": true,
            "Driver": "bridge",
            "Internal": !self.config.network.internet,
            "EnableIPv6": false,
            "Labels": self.names.labels(id),
            "IPAM": { "Driver": "default", "Config": [{
                "Subnet": subnet.to_string(),
                "Gateway": subnet.host(HOST),
                "IPRange": upper_half(subnet),
            }]},
            "Options": { "com.docker.network.bridge.name": bridge(subnet) },
        });
        let _: Value = self.raw.post("/networks/create", &body).await?;
        Ok(())
    }

    /// Puts the gateways into the network of an instance. Also fine if they are there.
    pub(super) async fn connect_gateways(&self, network: &str) -> Result<(), Fault> {
        for gateway in &self.config.network.gateways {
            let options = ContainerConnectionOpts::builder(gateway).build();
            let connected = self.api.networks().get(network).connect(&options).await;
            match connected.map_err(Fault::from) {
                // It is there already.
                Err(fault) if fault.status() == Some(403) => {}
                Err(fault) => return Err(without_gateway(fault)),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Puts a gateway that is new into the networks of all instances.
    pub(super) async fn connect_all_gateways(&self) -> Result<(), Fault> {
        let path = format!("/networks?{}", with_labels(&self.names.of_all()));
        let networks: Vec<Listed> = self.raw.get(&path).await?;
        for network in networks {
            self.connect_gateways(&network.name).await?;
        }
        Ok(())
    }

    /// Puts a container that is stopped into its network again, after the network was
    /// removed behind its back (`docker network prune` does that) and made anew.
    pub(super) async fn reattach(&self, id: InstanceId) -> Result<(), Fault> {
        let subnet = self.ensure_network(id).await?;
        let name = self.names.instance(id);
        let options = ContainerDisconnectionOpts::builder(&name)
            .force(true)
            .build();
        let disconnected = self.api.networks().get(&name).disconnect(&options).await;
        // It need not have been connected.
        drop(disconnected);
        let body = json!({
            "Container": name,
            "EndpointConfig": endpoint_config(desktop(subnet)?),
        });
        let path = format!("/networks/{name}/connect");
        self.raw.command(&path, &body).await?;
        self.connect_gateways(&name).await
    }

    /// Removes the networks of an instance, whoever is still in them.
    pub(super) async fn remove_networks(&self, id: InstanceId) -> Result<(), Fault> {
        let path = format!("/networks?{}", with_labels(&self.names.of_one(id)));
        let networks: Vec<Listed> = self.raw.get(&path).await?;
        for network in networks {
            gone(self.empty_network(&network.id).await)?;
            let removed = self.api.networks().get(&network.id).delete().await;
            gone(removed.map_err(Fault::from))?;
        }
        Ok(())
    }

    async fn empty_network(&self, network: &str) -> Result<(), Fault> {
        let members: Members = self.raw.get(&format!("/networks/{network}")).await?;
        for container in members.containers.unwrap_or_default().into_keys() {
            let options = ContainerDisconnectionOpts::builder(&container)
                .force(true)
                .build();
            let left = self.api.networks().get(network).disconnect(&options).await;
            gone(left.map_err(Fault::from))?;
        }
        Ok(())
    }
}

/// The desktop's address in a network.
pub(super) fn desktop(subnet: Subnet) -> Result<std::net::Ipv4Addr, Fault> {
    let error = || Error::Conflict {
        reason: "the network of the instance is too small".to_owned(),
    };
    subnet.host(DESKTOP).ok_or_else(|| Fault::Core(error()))
}

/// What is gone already need not be removed.
pub(super) fn gone(removed: Result<(), Fault>) -> Result<(), Fault> {
    match removed {
        Err(fault) if fault.status() == Some(404) => Ok(()),
        removed => removed,
    }
}

/// That a gateway is missing does not mean that the instance is.
fn without_gateway(fault: Fault) -> Fault {
    match fault.status() {
        Some(404 | 409) => Fault::Core(Error::Unavailable {
            backend: BACKEND,
            operation: "connecting the gateway to the network of a desktop",
            source: Some(Box::new(fault)),
        }),
        _ => fault,
    }
}

fn upper_half(subnet: Subnet) -> Option<String> {
    let (first, prefix) = GATEWAYS;
    Some(format!("{}/{prefix}", subnet.host(first)?))
}

/// Name of the bridge: no two networks on a host have the same addresses, so no two have
/// the same name, which can have 15 characters.
fn bridge(subnet: Subnet) -> String {
    format!("{}{:08x}", names::BRIDGES, subnet.address().to_bits())
}

/// Networks that are free. Where the search begins depends on the instance: an address that
/// was used last is then not the next to be given to somebody else.
fn free(range: Subnet, taken: &[Subnet], id: InstanceId) -> impl Iterator<Item = Subnet> {
    let count = range.count(PREFIX);
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let begin = hasher.finish() % u64::from(count.max(1));
    (0..u64::from(count))
        .filter_map(move |n| u32::try_from((begin + n) % u64::from(count)).ok())
        .filter_map(move |n| range.nth(n, PREFIX))
        .filter(|subnet| !taken.iter().any(|other| other.overlaps(*subnet)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_of_a_range_is_given_once() {
        let range: Subnet = "10.213.0.0/24".parse().unwrap();
        let mut taken = vec!["10.213.0.128/25".parse().unwrap()];
        let mut names = HashSet::new();
        loop {
            let next = free(range, &taken, InstanceId::random()).next();
            let Some(subnet) = next else { break };
            assert!(names.insert(bridge(subnet)));
            taken.push(subnet);
        }
        assert_eq!(names.len(), 8);
        assert!(names.contains("daas-0ad50070"), "{names:?}");
        assert!(names.iter().all(|name| name.len() <= 15));
    }

    #[test]
    fn a_range_that_is_too_small_has_nothing() {
        let range = "10.213.0.0/29".parse().unwrap();
        assert_eq!(free(range, &[], InstanceId::random()).next(), None);
    }

    #[test]
    fn gateways_and_desktop_do_not_share_addresses() {
        let subnet: Subnet = "10.213.0.16/28".parse().unwrap();
        let gateways: Subnet = upper_half(subnet).unwrap().parse().unwrap();
        assert_eq!(gateways.to_string(), "10.213.0.24/29");
        let desktop = Subnet::nth(subnet, DESKTOP, 32).unwrap();
        assert!(!gateways.overlaps(desktop));
    }
}
