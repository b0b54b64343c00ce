//! Images: templates, by name or by number.

use std::collections::HashMap;

use super::Proxmox;
use super::client::{Fault, Guest, Resource, ResourceKind};
use super::config::Cloning;
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

    /// The node that a clone goes to, if it is another than that of the template: the one with
    /// the most memory left of those that are on and reach all disks. Clones that are made at
    /// once may go to the same one, as nodes tell what they use every ten seconds only.
    pub(super) async fn target(
        &self,
        template: &Guest,
        storage: &str,
    ) -> Result<Option<String>, Fault> {
        let listed = self.client.resources(ResourceKind::Storages).await?;
        let is_at = |node: &str, storage: &str| {
            let is_it = |one: &Resource| {
                one.shared && one.node == node && one.storage.as_deref() == Some(storage)
            };
            listed.iter().any(is_it)
        };
        let to = match &self.config.cloning {
            Cloning::Full { storage } => storage.as_deref(),
            Cloning::LinkedWherePossible => None,
        };
        let reaches =
            |node: &str| is_at(node, storage) && to.is_none_or(|storage| is_at(node, storage));
        if !reaches(&template.node) {
            return Ok(None);
        }
        let left = self.memory_left().await?;
        let nodes = left.into_iter().filter(|(node, _)| reaches(node));
        // Where it is as good it stays; else the first by name.
        let best = nodes.max_by_key(|(node, left)| {
            let is_own = *node == template.node;
            (*left, is_own, std::cmp::Reverse(node.clone()))
        });
        Ok(best
            .map(|(node, _)| node)
            .filter(|node| *node != template.node))
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
