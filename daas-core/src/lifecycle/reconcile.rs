//! Makes rows and hypervisor agree.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::{Lifecycle, Step};
use crate::error::{Error, Result, chain};
use crate::hypervisor::{HypervisorEvent, Observed, PowerState};
use crate::model::{
    Action, Endpoint, FailureReason, Instance, InstanceId, InstanceState, Timestamp,
};
use crate::storage::Outcome;

/// Events of a hypervisor that wait to be looked at.
const WAITING: usize = 64;

/// What has to be done about an instance that nobody wants anything of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Row and desktop agree.
    Fine,
    /// There is no desktop.
    Gone,
    /// The desktop ended by itself.
    Ended,
    /// It listens somewhere else than the row says.
    Moved(Endpoint),
    /// It was frozen or thawed by somebody else: do what the row says.
    Redo(Action),
    /// It runs, though the row says that it does not.
    Halt,
}

impl Verdict {
    fn of(row: &Instance, seen: Option<&Observed>) -> Self {
        use InstanceState as S;
        use PowerState as P;
        let Some(seen) = seen.filter(|seen| seen.power != P::Absent) else {
            return match row.state {
                S::Running | S::Suspended | S::Stopped => Self::Gone,
                _ => Self::Fine,
            };
        };
        match (row.state, seen.power) {
            (S::Running | S::Suspended, P::Stopped) => Self::Ended,
            (S::Running, P::Suspended) => Self::Redo(Action::Resume),
            (S::Suspended, P::Running | P::Starting | P::Unhealthy) => Self::Redo(Action::Suspend),
            (S::Stopped | S::Failed, P::Running | P::Starting | P::Unhealthy | P::Suspended) => {
                Self::Halt
            }
            (S::Running, P::Running) => match seen.endpoint {
                Some(endpoint) if row.endpoint != Some(endpoint) => Self::Moved(endpoint),
                _ => Self::Fine,
            },
            _ => Self::Fine,
        }
    }
}

impl Lifecycle {
    /// Compares all rows with what the hypervisor has: intents are carried out again, what
    /// ended by itself becomes `stopped`, what is gone `failed`, and desktops that no row
    /// knows are removed.
    ///
    /// # Errors
    /// Where storage or hypervisor do not answer; then it has to be done again.
    pub async fn reconcile(&self) -> Result<()> {
        let shared = &self.shared;
        // The rows are read last: whatever was made for a new row is then not an orphan.
        let observed = shared.hypervisor.list().await?;
        let rows = shared.store.instances(None).await?;
        let mut observed: BTreeMap<InstanceId, Observed> = observed
            .into_iter()
            .map(|observed| (observed.id, observed))
            .collect();
        for row in rows {
            let seen = observed.remove(&row.id);
            if row.state.pending().is_some() {
                self.take_up(row);
            } else if Verdict::of(&row, seen.as_ref()) != Verdict::Fine {
                // What was seen may be older than the row.
                self.look_at(row.id).await?;
            }
        }
        for id in observed.into_keys() {
            self.remove_orphan(id).await;
        }
        self.delete_ownerless().await
    }

    /// Deletes instances whose owner is gone.
    ///
    /// # Errors
    /// Where the storage does not answer; then it has to be done again.
    pub async fn delete_ownerless(&self) -> Result<()> {
        for id in self.shared.store.ownerless_instances().await? {
            if let Err(error) = self.act(id, Action::Delete).await {
                tracing::warn!(instance = %id, error = chain(&error), "not deleted");
            }
        }
        Ok(())
    }

    async fn remove_orphan(&self, id: InstanceId) {
        let Some(_lock) = self.shared.locks.try_lock(id) else {
            return;
        };
        tracing::warn!(instance = %id, "removing a desktop that no row knows");
        if let Err(error) = self.shared.hypervisor.remove(id).await {
            tracing::warn!(instance = %id, error = chain(&error), "orphan not removed");
        }
    }

    /// Looks at an instance that nobody wants anything of, and makes row and desktop agree.
    async fn look_at(&self, id: InstanceId) -> Result<()> {
        // Who holds it sees for themselves.
        let Some(_lock) = self.shared.locks.try_lock(id) else {
            return Ok(());
        };
        let row = match self.shared.store.instance(id).await {
            Err(Error::NotFound { .. }) => return Ok(()),
            row => row?,
        };
        if row.state.pending().is_some() || row.state == InstanceState::Deleted {
            return Ok(());
        }
        // After the row: if that is still the same when it is written, this is what it is.
        let seen = match self.shared.hypervisor.inspect(id).await {
            Ok(seen) => Some(seen),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        self.settle(&row, Verdict::of(&row, seen.as_ref())).await
    }

    async fn settle(&self, row: &Instance, verdict: Verdict) -> Result<()> {
        let outcome = match verdict {
            Verdict::Fine => return Ok(()),
            // Nobody lost anything in what never ran, and starting it makes it again.
            Verdict::Gone if !self.has_run(row).await? => return Ok(()),
            Verdict::Gone => Outcome::Failed(FailureReason {
                action: Action::Stop,
                text: "The desktop is gone. Delete it and launch it again.".to_owned(),
            }),
            Verdict::Ended => Outcome::Ended,
            Verdict::Moved(endpoint) => Outcome::Done {
                endpoint: Some(endpoint),
            },
            Verdict::Redo(Action::Resume) => return self.shared.hypervisor.resume(row.id).await,
            Verdict::Redo(_) => return self.shared.hypervisor.suspend(row.id).await,
            Verdict::Halt => {
                let within = self.shared.config.stop_timeout;
                return self.shared.hypervisor.stop(row.id, within).await;
            }
        };
        tracing::warn!(instance = %row.id, state = %row.state, ?verdict, "not as it was left");
        self.record(row, outcome).await
    }

    /// Writes what was found out about an instance, unless its row changed meanwhile.
    async fn record(&self, row: &Instance, outcome: Outcome) -> Result<()> {
        let recorded = self
            .shared
            .store
            .record(row.id, row.revision, outcome, Timestamp::now());
        match recorded.await {
            Ok(row) => {
                let ready = row.state == InstanceState::Running;
                self.publish(&row, ready.then_some(Step::Ready));
                Ok(())
            }
            Err(Error::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Looks after instances until the hypervisor's events end: after each change of one,
    /// and at all of them after a reconnection.
    pub async fn watch(&self) {
        let (sender, mut events) = mpsc::channel(WAITING);
        let hypervisor = self.shared.hypervisor.clone();
        let watching = tokio::spawn(async move { hypervisor.watch(sender).await });
        while let Some(event) = events.recv().await {
            let looked = match event {
                HypervisorEvent::Changed(id) => self.look_at(id).await,
                HypervisorEvent::Reconnected => self.reconcile().await,
            };
            if let Err(error) = looked {
                tracing::warn!(error = chain(&error), "reconciliation failed");
            }
        }
        watching.abort();
    }
}
