//! Images: templates, by name or by number.

use std::collections::HashMap;

use super::Proxmox;
use super::client::{Fault, Guest, Resource, ResourceKind};
use super::inventory::guest;

impl Proxmox {
    /// The template of an image. Of several with the same name on different nodes, that on the
    /// node with the most memory left is taken.
    pub(super) async fn template(&self, image: &str) -> Result<Option<Guest>, Fault> {
        if image.is_empty() {
            return Ok(None);
        }
        let list = self.all().await?;
        let is_it = |resource: &&Resource| {
            resource.template
                && (resource.name.as_deref() == Some(image) || resource.vmid.to_string() == image)
        };
        let mut found: Vec<Guest> = list.iter().filter(is_it).filter_map(guest).collect();
        found.sort_by_key(|template| template.vmid);
        if found.len() < 2 {
            return Ok(found.pop());
        }
        let left = self.memory_left().await?;
        // The first one of those that are equal.
        let best = found.into_iter().rev();
        Ok(best.max_by_key(|template| left.get(&template.node).copied()))
    }

    /// Memory that nodes have left, of those that are on.
    async fn memory_left(&self) -> Result<HashMap<String, u64>, Fault> {
        let nodes = self.client.resources(ResourceKind::Nodes).await?;
        let on = nodes.into_iter().filter(|node| node.status == "online");
        Ok(on
            .map(|node| (node.node, node.maxmem.saturating_sub(node.mem)))
            .collect())
    }
}
