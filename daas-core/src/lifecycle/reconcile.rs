//! Makes rows and hypervisor agree.

use std::collections::{HashMap, HashSet};

use super::Lifecycle;
use crate::error::{Error, Result, chain};
use crate::hypervisor::{HypervisorEvent, Observed, PowerState};
use crate::model::{Action, FailureReason, Instance, InstanceId, InstanceState, Timestamp};
use crate::storage::Outcome;

use tokio::sync::mpsc;

/// Events of a hypervisor that wait to be looked at.
const WAITING: usize = 64;

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
        let known: HashSet<InstanceId> = rows.iter().map(|row| row.id).collect();
        let observed: HashMap<InstanceId, Observed> = observed
            .into_iter()
            .map(|observed| (observed.id, observed))
            .collect();
        for row in rows {
            let seen = observed.get(&row.id);
            self.settle(row, seen).await;
        }
        for id in observed.keys().filter(|id| !known.contains(id)) {
            self.remove_orphan(*id).await;
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
        tracing::warn!(instance = %id, "removing a desktop that no row knows");
        if let Err(error) = self.shared.hypervisor.remove(id).await {
            tracing::warn!(instance = %id, error = chain(&error), "orphan not removed");
        }
    }

    async fn settle(&self, row: Instance, seen: Option<&Observed>) {
        if row.state.pending().is_some() {
            self.carry_out_later(row);
            return;
        }
        let power = seen.map(|seen| seen.power);
        match (row.state, power) {
            (InstanceState::Running | InstanceState::Suspended | InstanceState::Stopped, None) => {
                let text = "The desktop is gone. Delete it and launch it again.";
                self.fail(&row, text).await;
            }
            (InstanceState::Running | InstanceState::Suspended, Some(PowerState::Stopped)) => {
                // It ended by itself: stopping it again writes that down.
                self.note_end(&row).await;
            }
            _ => {}
        }
    }

    async fn note_end(&self, row: &Instance) {
        match self.act(row.id, Action::Stop).await {
            Ok(_) | Err(Error::Conflict { .. } | Error::NotFound { .. }) => {}
            Err(error) => {
                tracing::warn!(instance = %row.id, error = chain(&error), "end not noted");
            }
        }
    }

    async fn fail(&self, row: &Instance, text: &str) {
        let now = Timestamp::now();
        let failure = FailureReason {
            action: Action::Stop,
            text: text.to_owned(),
        };
        let begun = match row.state {
            // A stopped one cannot be stopped; deleting it is all that is left to do.
            InstanceState::Stopped => return,
            _ => {
                let general = self.shared.config.quota;
                let store = &self.shared.store;
                store.begin(row.id, Action::Stop, general, now).await
            }
        };
        if let Ok(begun) = begun {
            self.finish(&begun, Outcome::Failed(failure)).await;
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

    async fn look_at(&self, id: InstanceId) -> Result<()> {
        let row = match self.shared.store.instance(id).await {
            Err(Error::NotFound { .. }) => return Ok(()),
            row => row?,
        };
        // What is under way sees for itself.
        if row.state.pending().is_some() || row.state == InstanceState::Deleted {
            return Ok(());
        }
        match self.shared.hypervisor.inspect(id).await {
            Ok(seen) => self.settle(row, Some(&seen)).await,
            Err(Error::NotFound { .. }) => self.settle(row, None).await,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
