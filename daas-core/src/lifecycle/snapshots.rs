//! Keeping the state of instances, and going back to it.
//!
//! It is done under the lock of the instance, so that nothing is started or removed meanwhile,
//! and in a task of its own, so that who stops waiting ends nothing half-way. Rows are not
//! changed: what is kept is known to the host alone.

use tokio::task::JoinError;

use super::Lifecycle;
use crate::error::{Error, Result};
use crate::hypervisor::Hypervisor;
use crate::model::{Instance, InstanceId, InstanceState, Snapshot, SnapshotName};

/// Most snapshots of an instance: each takes room on its host.
pub const SNAPSHOTS_MAX: usize = 16;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Take,
    GoBack,
    Remove,
}

impl Wanted {
    /// Whether the state of an instance allows it.
    fn check(self, instance: &Instance) -> Result<()> {
        use InstanceState as S;
        let help = match (self, instance.state) {
            (_, S::Deleted) => return Err(Error::NotFound { what: "instance" }),
            (Self::Take, S::Running | S::Stopped) | (Self::GoBack, S::Stopped) => return Ok(()),
            (Self::Remove, state) if state.pending().is_none() => return Ok(()),
            (Self::GoBack, S::Running | S::Suspended | S::Starting | S::Failed) => "Stop it first",
            (Self::Take, S::Suspended) => "Resume or stop it first",
            (Self::Take, S::Failed) => "Start or stop it first",
            _ => "Wait until that is done",
        };
        Err(Error::Conflict {
            reason: format!("the desktop is {}. {help}", instance.state),
        })
    }

    async fn carry_out(
        self,
        hypervisor: &dyn Hypervisor,
        id: InstanceId,
        name: &SnapshotName,
    ) -> Result<()> {
        match self {
            Self::Take => take(hypervisor, id, name).await,
            Self::GoBack => hypervisor.rollback(id, name).await,
            Self::Remove => hypervisor.remove_snapshot(id, name).await,
        }
    }
}

async fn take(hypervisor: &dyn Hypervisor, id: InstanceId, name: &SnapshotName) -> Result<()> {
    let kept = hypervisor.snapshots(id).await?;
    let is_new = kept.iter().all(|one| one.name != *name);
    if is_new && kept.len() >= SNAPSHOTS_MAX {
        return Err(Error::Exhausted {
            reason: format!("a desktop has at most {SNAPSHOTS_MAX} snapshots. Remove one first"),
        });
    }
    hypervisor.snapshot(id, name).await
}

impl Lifecycle {
    /// The snapshots of an instance, the oldest first; none of one that was never created.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the instance, [`Error::Unsupported`] where its host keeps
    /// none, or where the host does not answer.
    pub async fn snapshots(&self, id: InstanceId) -> Result<Vec<Snapshot>> {
        let instance = self.shared.store.instance(id).await?;
        match self.hypervisor(&instance)?.snapshots(id).await {
            Err(Error::NotFound { .. }) => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// Keeps the state of the disks of an instance that runs or is stopped, and answers when
    /// that is done. It goes on where this is dropped.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the instance, [`Error::Conflict`] where its state does not
    /// allow it, [`Error::Exhausted`] at [`SNAPSHOTS_MAX`], [`Error::Unsupported`] where its
    /// host keeps none, or where the host does not answer.
    pub async fn snapshot(&self, id: InstanceId, name: SnapshotName) -> Result<()> {
        self.change(id, name, Wanted::Take).await
    }

    /// Goes back to a snapshot with an instance that is stopped, and stays so. What was on its
    /// disks since then is lost. It goes on where this is dropped.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the instance or the snapshot, [`Error::Conflict`] where it
    /// is not stopped, [`Error::Unsupported`] where its host keeps none, or where the host
    /// does not answer.
    pub async fn rollback(&self, id: InstanceId, name: SnapshotName) -> Result<()> {
        self.change(id, name, Wanted::GoBack).await
    }

    /// Removes a snapshot; one that is gone is fine. It goes on where this is dropped.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the instance, [`Error::Conflict`] while something is being
    /// done to it, [`Error::Unsupported`] where its host keeps none, or where the host does
    /// not answer.
    pub async fn remove_snapshot(&self, id: InstanceId, name: SnapshotName) -> Result<()> {
        self.change(id, name, Wanted::Remove).await
    }

    async fn change(&self, id: InstanceId, name: SnapshotName, wanted: Wanted) -> Result<()> {
        // Who asks in vain need not wait for the lock to hear it.
        wanted.check(&self.shared.store.instance(id).await?)?;
        let lifecycle = self.clone();
        let task = tokio::spawn(async move { lifecycle.change_now(id, &name, wanted).await });
        task.await.unwrap_or_else(ended)
    }

    async fn change_now(&self, id: InstanceId, name: &SnapshotName, wanted: Wanted) -> Result<()> {
        let _lock = self.shared.locks.lock(id).await;
        // It may have changed while it was waited for.
        let instance = self.shared.store.instance(id).await?;
        wanted.check(&instance)?;
        let hypervisor = self.hypervisor(&instance)?;
        wanted.carry_out(&*hypervisor, id, name).await
    }
}

/// A task that did not come to its end.
fn ended(error: JoinError) -> Result<()> {
    if error.is_panic() {
        std::panic::resume_unwind(error.into_panic());
    }
    Err(Error::Unavailable {
        backend: "the server",
        operation: "going on while it ends",
        source: Some(Box::new(error)),
    })
}
