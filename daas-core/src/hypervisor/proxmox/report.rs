//! How busy the cluster is, node by node.

use super::Proxmox;
use super::client::{Resource, ResourceKind};
use super::trouble::Trouble;
use crate::hypervisor::{HostReport, NodeReport};

/// Most nodes that are told of.
const NODES_MAX: usize = 64;

impl Proxmox {
    /// Processors and memory are those of all nodes that are on, together.
    pub(super) async fn busy(&self) -> Result<HostReport, Trouble> {
        let version = self.client.version().await?.version;
        let nodes = self.client.resources(ResourceKind::Nodes).await?;
        let guests = self.all().await?;
        let running = |node: &str| {
            let own = guests.iter().filter(|guest| guest.node == node);
            let own = own.filter(|guest| guest.status == "running" && self.own(guest).is_some());
            u32::try_from(own.count()).unwrap_or(u32::MAX)
        };
        let mut nodes: Vec<NodeReport> = nodes
            .iter()
            .take(NODES_MAX)
            .map(|node| report(node, running(&node.node)))
            .collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        let on = || nodes.iter().filter(|node| node.is_on);
        Ok(HostReport {
            version: format!("Proxmox VE {version}"),
            cpus: on().map(|node| node.cpus).sum(),
            memory_mib: on().map(|node| node.memory_mib).sum(),
            memory_used_mib: Some(on().map(|node| node.memory_used_mib).sum()),
            running: nodes.iter().map(|node| node.running).sum(),
            nodes,
        })
    }
}

fn report(node: &Resource, running: u32) -> NodeReport {
    NodeReport {
        name: node.node.clone(),
        is_on: node.status == "online",
        cpus: u32::try_from(node.maxcpu).unwrap_or(u32::MAX).min(1 << 16),
        memory_mib: node.maxmem >> 20,
        memory_used_mib: node.mem.min(node.maxmem) >> 20,
        running,
    }
}
