//! Which guests are instances, and where they are.

use std::collections::HashSet;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Proxmox;
use super::client::{Class, Fault, Guest, Kind, Resource, ResourceKind};
use super::trouble::Trouble;
use crate::model::{InstanceId, Reach};

/// For how long the list of guests may be used again.
const CACHED: Duration = Duration::from_secs(1);

/// A guest that is an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) guest: Guest,
    pub(super) id: InstanceId,
    /// How people get to its desktop, once it is finished.
    pub(super) reach: Option<Reach>,
}

/// The list of guests, and when it was read.
pub(super) type Listed = Option<(Instant, Arc<Vec<Resource>>)>;

impl Proxmox {
    /// All guests of the cluster, at most a second old.
    async fn listed(&self, is_fresh: bool) -> Result<Arc<Vec<Resource>>, Fault> {
        let mut held = self.listed.lock().await;
        if let Some((when, list)) = held.as_ref().filter(|_| !is_fresh)
            && when.elapsed() < CACHED
        {
            return Ok(Arc::clone(list));
        }
        let when = Instant::now();
        let list = Arc::new(self.client.resources(ResourceKind::Guests).await?);
        self.note_containers(&list);
        *held = Some((when, Arc::clone(&list)));
        Ok(list)
    }

    fn note_containers(&self, list: &[Resource]) {
        let own = list.iter().filter_map(|resource| self.own(resource));
        let containers = own.filter(|own| own.guest.kind == Kind::Lxc);
        let found = containers.map(|own| own.id).collect();
        *self.containers() = found;
    }

    /// Instances that were seen to be containers.
    pub(super) fn containers(&self) -> MutexGuard<'_, HashSet<InstanceId>> {
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Between two looks at a guest that somebody works on.
    pub(super) async fn pause(&self) {
        sleep(self.config.cluster.poll_first).await;
    }

    /// All guests of the cluster, as they are now.
    pub(super) async fn all(&self) -> Result<Arc<Vec<Resource>>, Fault> {
        self.listed(true).await
    }

    /// Whether a guest could be ours at all.
    fn is_in_reach(&self, resource: &Resource) -> Option<Guest> {
        let guest = guest(resource)?;
        (self.config.vmids.contains(&guest.vmid) && !resource.template).then_some(guest)
    }

    fn is_in_pool(&self, resource: &Resource) -> bool {
        self.config.pool.is_none() || self.config.pool == resource.pool
    }

    /// The finished instance that a guest is, by its tags.
    pub(super) fn own(&self, resource: &Resource) -> Option<Own> {
        let guest = self.is_in_reach(resource)?;
        let marked = self.marks.tagged(&resource.tags)?;
        // A name comes late; one that is another's says that somebody cloned it by hand.
        let is_other = |name: &String| self.marks.named(name) != Some(marked.id);
        if !self.is_in_pool(resource) || resource.name.as_ref().is_some_and(is_other) {
            return None;
        }
        Some(Own {
            guest,
            id: marked.id,
            reach: Some(marked.reach),
        })
    }

    /// A finished instance.
    pub(super) async fn find(&self, id: InstanceId) -> Result<Option<Own>, Fault> {
        for is_fresh in [false, true] {
            let list = self.listed(is_fresh).await?;
            let found = list.iter().filter_map(|resource| self.own(resource));
            let mut found: Vec<Own> = found.filter(|own| own.id == id).collect();
            if found.len() > 1 {
                found = self.really_named(found).await?;
            }
            if let Some(own) = found.pop() {
                return Ok(Some(own));
            }
        }
        Ok(None)
    }

    /// Those that have the name of their instance now: a copy made by hand has its tags.
    pub(super) async fn really_named(&self, found: Vec<Own>) -> Result<Vec<Own>, Fault> {
        let mut named = Vec::new();
        for own in found {
            let config = match self.client.config(&own.guest).await {
                Err(fault) if fault.class() == Class::Gone => continue,
                config => config?,
            };
            let name = config.value("name").or_else(|| config.value("hostname"));
            if name.and_then(|name| self.marks.named(name)) == Some(own.id) {
                named.push(own);
            }
        }
        Ok(named)
    }

    /// The same; what is not there is an error.
    pub(super) async fn instance(&self, id: InstanceId) -> Result<Own, Trouble> {
        let own = self.find(id).await?;
        own.ok_or_else(|| Trouble::missing("instance"))
    }

    /// Forgets where guests are, as one is not where it was.
    pub(super) async fn forget_places(&self) {
        *self.listed.lock().await = None;
    }

    /// A guest without tags that may be on its way to become an instance.
    fn candidate(&self, resource: &Resource) -> Option<Guest> {
        let guest = self.is_in_reach(resource)?;
        let name = resource.name.as_deref();
        let may_be = name.is_none_or(|name| self.marks.named(name).is_some());
        // The pool comes at the end of cloning.
        let is_near = self.is_in_pool(resource) || resource.lock.is_some();
        (may_be && is_near && self.marks.tagged(&resource.tags).is_none()).then_some(guest)
    }

    /// The instance that an unfinished guest is to become, by what is noted of it.
    pub(super) async fn unfinished(&self, guest: Guest) -> Result<Option<Own>, Fault> {
        let config = match self.client.config(&guest).await {
            Err(fault) if fault.class() == Class::Gone => return Ok(None),
            config => config?,
        };
        let name = config.value("name").or_else(|| config.value("hostname"));
        let id = name.and_then(|name| self.marks.named(name));
        let description = config.value("description").unwrap_or_default();
        let id = id.filter(|id| self.marks.described(description, *id));
        let marked = config
            .value("tags")
            .and_then(|tags| self.marks.tagged(tags));
        Ok(id.map(|id| Own {
            guest,
            id,
            reach: marked.map(|marked| marked.reach),
        }))
    }

    /// All unfinished instances that show what they are, and whether others may come to light.
    pub(super) async fn all_unfinished(
        &self,
        list: &[Resource],
    ) -> Result<(Vec<Own>, Option<Guest>), Fault> {
        let (mut found, mut hidden) = (Vec::new(), None);
        for resource in list {
            let Some(guest) = self.candidate(resource) else {
                continue;
            };
            let is_locked = matches!(resource.lock.as_deref(), Some("clone" | "create"));
            match self.unfinished(guest.clone()).await? {
                Some(own) => found.push(own),
                // What this program itself is cloning at the moment is no secret to it.
                None if is_locked && !self.is_cloning(guest.vmid) => hidden = Some(guest),
                None => {}
            }
        }
        Ok((found, hidden))
    }

    /// An instance, finished or not. A clone that an earlier run of this program began does not
    /// say yet whose it is: then it is waited for, so that nothing is cloned twice.
    pub(super) async fn find_any(&self, id: InstanceId) -> Result<Option<Own>, Trouble> {
        if let Some(own) = self.find(id).await? {
            return Ok(Some(own));
        }
        let mut quiet = 0;
        loop {
            let list = self.all().await?;
            let (found, hidden) = self.all_unfinished(&list).await?;
            if let Some(own) = found.into_iter().find(|own| own.id == id) {
                return Ok(Some(own));
            }
            let Some(hidden) = hidden else {
                return Ok(None);
            };
            // A lock that stays when nobody works is nobody's: it is never ours to finish.
            quiet = if self.is_worked_on(&hidden.node).await? {
                0
            } else {
                quiet + 1
            };
            if quiet > 3 {
                return Ok(None);
            }
            self.pause().await;
        }
    }

    /// Whether something is being cloned on a node.
    pub(super) async fn is_worked_on(&self, node: &str) -> Result<bool, Fault> {
        let tasks = self.client.tasks(node, None, true).await?;
        let clones = tasks.iter().filter_map(|task| task.upid.parse().ok());
        Ok(clones
            .into_iter()
            .any(|upid: super::client::Upid| matches!(upid.kind(), "qmclone" | "vzclone")))
    }
}

/// The guest that something in the list of a cluster is.
pub(super) fn guest(resource: &Resource) -> Option<Guest> {
    Some(Guest {
        kind: resource.guest_kind()?,
        node: resource.node.clone(),
        vmid: u32::try_from(resource.vmid).ok()?,
    })
}
