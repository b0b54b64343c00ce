//! Snapshots of disks: look, do what is missing, look again.
//!
//! Whether one was taken or removed is seen by its name, so what was lost on the way is done
//! again only after it was seen that it is missing. Whether a guest went back to one cannot be
//! seen in the guest: that is looked up in its tasks, and where no task tells of it, it is not
//! known, and not asked for again by itself.

use std::collections::HashSet;

use super::Proxmox;
use super::client::{Class, Current, Fault, Upid};
use super::create::is_hopeless;
use super::inventory::Own;
use super::power::{REFUSALS, State};
use super::trouble::{BACKEND, Trouble};
use crate::error::Error;
use crate::model::{InstanceId, Snapshot, SnapshotName, Timestamp};

/// Noted with each.
const NOTE: &str = "Taken in DaaS.";
/// How often it is looked for the trace of a call whose answer was lost.
const LOOKS: u32 = 10;

/// What is there under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Nothing,
    Complete {
        with_memory: bool,
    },
    /// Being made or removed, or left half-way.
    Unfinished,
}

/// What was seen at once.
struct Look {
    own: Own,
    current: Current,
    kept: Kept,
}

/// What is missing.
#[derive(Clone, Copy, Debug)]
enum Step {
    Take,
    Remove,
}

/// Tries of one operation, and how many were in vain.
#[derive(Default)]
struct Tries {
    refused: u32,
    /// Looks at a lock that nobody seems to hold.
    abandoned: u32,
}

impl Proxmox {
    /// Those that are complete, and whose names could be ours.
    pub(super) async fn snapshots_of(&self, id: InstanceId) -> Result<Vec<Snapshot>, Trouble> {
        let own = self.instance(id).await?;
        let listed = match self.client.snapshots(&own.guest).await {
            // It may have moved to another node.
            Err(fault) if fault.class() == Class::Gone => {
                self.forget_places().await;
                let own = self.instance(id).await?;
                self.client.snapshots(&own.guest).await?
            }
            listed => listed?,
        };
        let complete = listed.into_iter().filter(|one| one.unfinished.is_none());
        let named = complete.filter_map(|one| {
            let made_at = i64::try_from(one.made_at).unwrap_or_default();
            Some(Snapshot {
                name: one.name.parse().ok()?,
                made_at: Timestamp(made_at.saturating_mul(1000)),
            })
        });
        let mut all: Vec<Snapshot> = named.collect();
        all.sort_by(|a, b| (a.made_at, &a.name).cmp(&(b.made_at, &b.name)));
        Ok(all)
    }

    pub(super) async fn snapshot_all(
        &self,
        id: InstanceId,
        name: &SnapshotName,
    ) -> Result<(), Trouble> {
        let step = |look: &Look| match (look.kept, State::from(&look.current)) {
            (Kept::Complete { .. }, _) => Ok(None),
            (_, State::Paused | State::Saved) => {
                Err(Trouble::conflict("the instance is suspended: resume it"))
            }
            // What is left of an earlier try has the name.
            (Kept::Unfinished, _) => Ok(Some(Step::Remove)),
            (Kept::Nothing, _) => Ok(Some(Step::Take)),
        };
        self.converge_snapshot(id, name, step).await
    }

    pub(super) async fn remove_snapshot_all(
        &self,
        id: InstanceId,
        name: &SnapshotName,
    ) -> Result<(), Trouble> {
        let step = |look: &Look| match (look.kept, State::from(&look.current)) {
            (Kept::Nothing, _) => Ok(None),
            // Its memory on disk is a lock.
            (_, State::Saved) => Err(Trouble::conflict("the instance is suspended: resume it")),
            _ => Ok(Some(Step::Remove)),
        };
        self.converge_snapshot(id, name, step).await
    }

    /// Looks what is missing and does that, until nothing is.
    async fn converge_snapshot(
        &self,
        id: InstanceId,
        name: &SnapshotName,
        step: impl Fn(&Look) -> Result<Option<Step>, Trouble> + Sync,
    ) -> Result<(), Trouble> {
        let _turn = self.turns.take(id).await;
        let mut tries = Tries::default();
        loop {
            let look = self.look_for(id, name).await?;
            let Some(step) = step(&look)? else {
                return Ok(());
            };
            if self.is_held(&look, &mut tries).await? {
                continue;
            }
            if let Err(fault) = self.take_step(&look.own, name, step).await {
                self.after_fault(&look.own, fault, &mut tries).await?;
            }
        }
    }

    async fn take_step(&self, own: &Own, name: &SnapshotName, step: Step) -> Result<(), Fault> {
        let (client, guest, name) = (&self.client, &own.guest, name.as_str());
        let upid = match step {
            Step::Take => client.snapshot(guest, name, NOTE, false).await?,
            Step::Remove => client.delete_snapshot(guest, name).await?,
        };
        client.wait(&upid, self.config.create_timeout).await
    }

    /// Looks until that succeeds, as long as it may.
    async fn look_for(&self, id: InstanceId, name: &SnapshotName) -> Result<Look, Trouble> {
        loop {
            let (own, current) = match self.state(id).await {
                Err(Trouble::Fault(fault)) if fault.class() == Class::Retryable => {
                    self.pause().await;
                    continue;
                }
                state => state?,
            };
            match self.client.snapshots(&own.guest).await {
                Ok(all) => {
                    let found = all.iter().find(|one| one.name == name.as_str());
                    let kept = found.map_or(Kept::Nothing, |one| match one.unfinished {
                        Some(_) => Kept::Unfinished,
                        None => Kept::Complete {
                            with_memory: one.with_memory,
                        },
                    });
                    return Ok(Look { own, current, kept });
                }
                // Where it is gone from a node, it may be on another.
                Err(fault) if matches!(fault.class(), Class::Retryable | Class::Gone) => {
                    self.forget_places().await;
                    self.pause().await;
                }
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// Whether somebody works on a guest; then it is waited for that to end. A lock that stays
    /// though nobody works is nobody's to open but root's.
    async fn is_held(&self, look: &Look, tries: &mut Tries) -> Result<bool, Trouble> {
        if look.current.lock.is_none() {
            return Ok(false);
        }
        let (node, vmid) = (&look.own.guest.node, look.own.guest.vmid);
        let is_worked_on = match self.client.tasks(node, Some(vmid), true).await {
            Ok(tasks) => !tasks.is_empty(),
            Err(fault) if is_hopeless(&fault) => return Err(fault.into()),
            Err(_) => true,
        };
        tries.abandoned = if is_worked_on { 0 } else { tries.abandoned + 1 };
        if tries.abandoned > REFUSALS {
            let lock = look.current.lock.as_deref().unwrap_or_default();
            return Err(Trouble::Core(Error::Unavailable {
                backend: BACKEND,
                operation: "working on a guest that is locked",
                source: Some(format!("guest {vmid} is locked ({lock}), by no task").into()),
            }));
        }
        self.pause().await;
        Ok(true)
    }

    /// Waits where looking again may help.
    async fn after_fault(&self, own: &Own, fault: Fault, tries: &mut Tries) -> Result<(), Trouble> {
        tracing::debug!(instance = %own.id, error = %fault, "looking again");
        tries.refused += u32::from(fault.class() == Class::Conflict);
        if is_hopeless(&fault) || tries.refused >= REFUSALS {
            return Err(in_words(fault));
        }
        self.until_quiet(own).await
    }
}

/// Going back.
impl Proxmox {
    pub(super) async fn rollback_all(
        &self,
        id: InstanceId,
        name: &SnapshotName,
    ) -> Result<(), Trouble> {
        let _turn = self.turns.take(id).await;
        self.forget(id);
        let mut tries = Tries::default();
        loop {
            let look = self.look_for(id, name).await?;
            may_go_back(&look)?;
            if self.is_held(&look, &mut tries).await? {
                continue;
            }
            if look.kept == Kept::Unfinished {
                return Err(Trouble::missing("snapshot"));
            }
            let before = match self.rollbacks(&look.own).await {
                Err(fault) if fault.class() == Class::Retryable => {
                    self.pause().await;
                    continue;
                }
                before => before?,
            };
            match self.go_back(&look.own, name, &before).await {
                Ok(()) => return Ok(()),
                // Nobody knows, and this is nothing to do once more by mistake.
                Err(fault) if fault.class() == Class::Unknown => return Err(fault.into()),
                Err(fault) => self.after_fault(&look.own, fault, &mut tries).await?,
            }
        }
    }

    async fn go_back(
        &self,
        own: &Own,
        name: &SnapshotName,
        before: &HashSet<Upid>,
    ) -> Result<(), Fault> {
        let upid = match self.client.rollback(&own.guest, name.as_str(), false).await {
            Err(fault) if fault.class() == Class::Unknown => {
                self.begun_since(own, before).await.ok_or(fault)?
            }
            upid => upid?,
        };
        self.client.wait(&upid, self.config.create_timeout).await
    }

    /// The task that a call has begun whose answer was lost.
    async fn begun_since(&self, own: &Own, before: &HashSet<Upid>) -> Option<Upid> {
        for _ in 0..LOOKS {
            self.pause().await;
            // What goes wrong with looking may pass.
            let now = self.rollbacks(own).await.unwrap_or_default();
            if let Some(new) = now.into_iter().find(|upid| !before.contains(upid)) {
                return Some(new);
            }
        }
        None
    }

    /// Tasks of a guest that went back, or do.
    async fn rollbacks(&self, own: &Own) -> Result<HashSet<Upid>, Fault> {
        let (node, vmid) = (&own.guest.node, own.guest.vmid);
        let tasks = self.client.tasks(node, Some(vmid), false).await?;
        let parsed = tasks.iter().filter_map(|task| task.upid.parse().ok());
        let back = parsed.filter(|upid: &Upid| matches!(upid.kind(), "qmrollback" | "vzrollback"));
        Ok(back.collect())
    }
}

/// The cluster would switch off what runs, and start what has memory.
fn may_go_back(look: &Look) -> Result<(), Trouble> {
    match (State::from(&look.current), look.kept) {
        (State::Running | State::Paused | State::Saved, _) => {
            Err(Trouble::conflict("the instance is not stopped"))
        }
        (State::Stopped, Kept::Nothing) => Err(Trouble::missing("snapshot")),
        (State::Stopped, Kept::Complete { with_memory: true }) => Err(Trouble::conflict(
            "this snapshot holds memory too: go back to it in Proxmox VE",
        )),
        (State::Stopped, Kept::Complete { .. } | Kept::Unfinished) => Ok(()),
    }
}

/// What somebody can do about it.
fn in_words(fault: Fault) -> Trouble {
    let text = fault.text();
    if text.contains("snapshot feature is not available") {
        let operation = "snapshots on the storage of this desktop";
        return Trouble::Core(Error::Unsupported {
            backend: BACKEND,
            operation,
        });
    }
    if text.contains("is not most recent snapshot") {
        return Trouble::conflict("there are newer snapshots: remove them first");
    }
    fault.into()
}
