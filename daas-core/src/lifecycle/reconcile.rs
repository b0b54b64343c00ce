//! Makes rows and hosts agree.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::{Lifecycle, Orphans, Step};
use crate::error::{Error, Result, chain};
use crate::fleet::Host;
use crate::hypervisor::{HypervisorEvent, Observed, PowerState};
use crate::model::{
    Action, Endpoint, FailureReason, Instance, InstanceId, InstanceState, Timestamp,
};
use crate::secret::Secret;
use crate::storage::Outcome;

/// Events of a hypervisor that wait to be looked at.
const WAITING: usize = 64;
/// Pause before a host is watched again whose events ended.
const WATCH_PAUSE: Duration = Duration::from_secs(5);

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
    /// Compares all rows with what their hosts have: intents are carried out again, what
    /// ended by itself becomes `stopped`, what is gone `failed`, and desktops that no row
    /// knows are removed. Rows of a host that does not answer, or that is not configured any
    /// more, stay as they are.
    ///
    /// # Errors
    /// Where storage or a host do not answer; then it has to be done again. All other hosts
    /// are done all the same.
    pub async fn reconcile(&self) -> Result<()> {
        let mut hosts = JoinSet::new();
        for host in self.shared.fleet.hosts() {
            let (lifecycle, host) = (self.clone(), Arc::clone(host));
            hosts.spawn(async move { lifecycle.reconcile_host(&host).await });
        }
        let mut all = Ok(());
        while let Some(done) = hosts.join_next().await {
            // One that panicked has said so.
            all = all.and(done.unwrap_or(Ok(())));
        }
        self.delete_ownerless().await?;
        all
    }

    /// Compares again and again, each host in a task of its own, so that one that is silent
    /// delays no other. It ends when this is dropped.
    pub async fn keep_reconciled(&self, every: Duration) {
        let mut tasks = JoinSet::new();
        for host in self.shared.fleet.hosts() {
            let (lifecycle, host) = (self.clone(), Arc::clone(host));
            tasks.spawn(async move {
                let mut ticks = ticks(every);
                loop {
                    ticks.tick().await;
                    lifecycle.try_to_reconcile(&host).await;
                }
            });
        }
        let lifecycle = self.clone();
        tasks.spawn(async move {
            let mut ticks = ticks(every);
            loop {
                ticks.tick().await;
                if let Err(error) = lifecycle.delete_ownerless().await {
                    tracing::warn!(error = chain(&error), "instances could not be looked at");
                }
            }
        });
        while tasks.join_next().await.is_some() {}
    }

    async fn try_to_reconcile(&self, host: &Host) {
        match self.reconcile_host(host).await {
            // Who asks the host again and again has said so once.
            Err(error @ Error::Unavailable { .. }) => {
                tracing::debug!(host = %host.name, error = chain(&error), "not looked at");
            }
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(host = %host.name, error, "instances could not be looked at");
            }
            Ok(()) => {}
        }
    }

    async fn reconcile_host(&self, host: &Host) -> Result<()> {
        let shared = &self.shared;
        // The rows are read last: whatever was made for a new row is then not an orphan.
        let observed = host.hypervisor.list().await?;
        let rows = shared.store.instances(None).await?;
        let mut observed: BTreeMap<InstanceId, Observed> = observed
            .into_iter()
            .map(|observed| (observed.id, observed))
            .collect();
        let silent = observed.values();
        let silent = silent.filter(|seen| seen.power == PowerState::Unreachable);
        host.set_silent(silent.map(|seen| seen.id).collect());
        let (mut misplaced, mut all) = (0, Ok(()));
        for row in rows {
            let seen = observed.remove(&row.id);
            if !self.is_on(&row, host) {
                misplaced += usize::from(seen.is_some());
            } else if row.state.pending().is_some() {
                self.take_up(row);
            } else if Verdict::of(&row, seen.as_ref()) != Verdict::Fine {
                // What was seen may be older than the row. Others are looked at all the same
                // where this one cannot be.
                all = all.and(self.look_at(row.id).await);
            }
        }
        // What a row of another host knows is not there by us, and nobody knows what it is.
        let mut left = misplaced;
        for seen in observed.into_values() {
            left += usize::from(!self.settle_orphan(host, &seen).await);
        }
        host.set_orphans(left);
        all
    }

    fn is_on(&self, row: &Instance, host: &Host) -> bool {
        let own = self.shared.fleet.host_of(row.host.as_ref());
        own.is_some_and(|own| own.name == host.name)
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

    /// Answers whether it is no orphan any more, or never was one.
    async fn settle_orphan(&self, host: &Host, seen: &Observed) -> bool {
        let id = seen.id;
        let Some(_lock) = self.shared.locks.try_lock(id) else {
            return true;
        };
        match self.shared.config.orphans {
            _ if seen.power == PowerState::Unreachable => false,
            Orphans::Remove => remove_orphan(host, id).await,
            // Of what is gone there is nothing to be kept.
            Orphans::Adopt if seen.power == PowerState::Absent => remove_orphan(host, id).await,
            Orphans::Adopt => self.adopt(host, seen).await.unwrap_or_else(|error| {
                let error = chain(&error);
                tracing::warn!(host = %host.name, instance = %id, error, "orphan not adopted");
                false
            }),
            Orphans::Keep => {
                tracing::warn!(host = %host.name, instance = %id, "no row knows this desktop");
                false
            }
        }
    }

    /// Makes a row of what is written on a desktop. What was deleted by somebody is no orphan.
    async fn adopt(&self, host: &Host, seen: &Observed) -> Result<bool> {
        let shared = &self.shared;
        let origin = host.hypervisor.origin(seen.id).await?;
        let apps = shared.store.apps().await?;
        let app = apps.into_iter().find(|app| app.slug == origin.app);
        let app = app.ok_or(Error::NotFound {
            what: "application",
        })?;
        let fixed = shared.config.passwords.get(&app.slug).cloned();
        let password = origin.password.or(fixed);
        let password = password.unwrap_or_else(|| Secret::new(String::new()));
        let row = Instance {
            id: seen.id,
            state: adopted(seen.power),
            host: Some(host.name.clone()),
            ..Instance::requested(origin.owner, app.id, password, Timestamp::now())
        };
        match shared.store.adopt(row).await {
            Ok(row) => {
                tracing::warn!(host = %host.name, instance = %row.id, "adopted a desktop");
                self.set_out(&row);
                Ok(true)
            }
            Err(Error::AlreadyExists { .. }) => match shared.store.instance(seen.id).await?.state {
                InstanceState::Deleted => Ok(remove_orphan(host, seen.id).await),
                _ => Ok(true),
            },
            Err(error) => Err(error),
        }
    }

    /// Looks at an instance that nobody wants anything of, and makes row and desktop agree.
    pub(super) async fn look_at(&self, id: InstanceId) -> Result<()> {
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
        let seen = match self.hypervisor(&row)?.inspect(id).await {
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
            Verdict::Redo(Action::Resume) => return self.hypervisor(row)?.resume(row.id).await,
            Verdict::Redo(_) => return self.hypervisor(row)?.suspend(row.id).await,
            Verdict::Halt => {
                let within = self.shared.config.stop_timeout;
                return self.hypervisor(row)?.stop(row.id, within).await;
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

    /// Looks after instances by what their hosts tell: after each change of one, and at all
    /// of a host after a reconnection. Each host has a task of its own; where its events end,
    /// it is watched again. It ends when this is dropped.
    pub async fn watch(&self) {
        let mut tasks = JoinSet::new();
        for host in self.shared.fleet.hosts() {
            let (lifecycle, host) = (self.clone(), Arc::clone(host));
            tasks.spawn(async move {
                loop {
                    lifecycle.watch_host(&host).await;
                    sleep(WATCH_PAUSE).await;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn watch_host(&self, host: &Host) {
        let (sender, mut events) = mpsc::channel(WAITING);
        let hypervisor = Arc::clone(&host.hypervisor);
        let mut watching = JoinSet::new();
        watching.spawn(async move { hypervisor.watch(sender).await });
        while let Some(event) = events.recv().await {
            match event {
                HypervisorEvent::Changed(id) => {
                    if let Err(error) = self.look_at(id).await {
                        tracing::warn!(error = chain(&error), "reconciliation failed");
                    }
                }
                HypervisorEvent::Reconnected => self.try_to_reconcile(host).await,
            }
        }
    }
}

/// The state of a row for a desktop that does something. One that runs is started: that
/// changes nothing, and finds out where it listens.
const fn adopted(power: PowerState) -> InstanceState {
    match power {
        PowerState::Stopped | PowerState::Absent => InstanceState::Stopped,
        PowerState::Suspended => InstanceState::Suspended,
        PowerState::Starting
        | PowerState::Running
        | PowerState::Unhealthy
        | PowerState::Unreachable => InstanceState::Starting,
    }
}

/// Answers whether it is gone.
async fn remove_orphan(host: &Host, id: InstanceId) -> bool {
    tracing::warn!(host = %host.name, instance = %id, "removing a desktop that no row knows");
    let removed = host.hypervisor.remove(id).await;
    if let Err(error) = &removed {
        tracing::warn!(instance = %id, error = chain(error), "orphan not removed");
    }
    removed.is_ok()
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
