//! Drives instances from state to state.
//!
//! An intent is written before the hypervisor is asked, and the outcome after it answered.
//! Where nothing is known of a call, it is made again for a while, and an intent that has no
//! outcome stays written. Whatever happens in between — a crash, a lost connection —
//! [`Lifecycle::reconcile`] finds the intent and carries it out again. Both is safe, as every
//! operation of a hypervisor is idempotent by the instance's id.

mod carry_out;
mod lock;
mod pools;
mod reconcile;
mod snapshots;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, broadcast};

use crate::access::Token;
use crate::audit::NewEntry;
use crate::error::{Error, Result};
use crate::fleet::Fleet;
use crate::hypervisor::Hypervisor;
use crate::model::{Action, App, AppId, Instance, InstanceId, Quota, Timestamp, UserId};
use crate::secret::Secret;
use crate::storage::{Begun, Instances};

use lock::Locks;
use pools::Pauses;

pub use snapshots::SNAPSHOTS_MAX;

/// What becomes of desktops that no row knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Orphans {
    /// They are removed.
    #[default]
    Remove,
    /// They stay, and are counted.
    Keep,
    /// They become desktops of whom they were, or else of an administrator, as far as it is
    /// known what they are; others stay, and are counted.
    Adopt,
}

/// How launching behaves.
#[derive(Clone, Debug)]
pub struct LifecycleConfig {
    /// What a person may have who has no quota of their own, nor by a group.
    pub quota: Quota,
    /// Time for a desktop to answer after it was started.
    pub start_timeout: Duration,
    /// Time for a desktop to stop by itself.
    pub stop_timeout: Duration,
    /// What becomes of desktops that no row knows.
    pub orphans: Orphans,
    /// Passwords of applications whose images have one already, by slug. All other instances
    /// have one of their own.
    pub passwords: BTreeMap<String, Secret<String>>,
}

impl Default for LifecycleConfig {
    /// Five instances; two minutes; ten seconds; orphans are removed.
    fn default() -> Self {
        Self {
            quota: Quota {
                instances: Some(5),
                ..Quota::default()
            },
            start_timeout: Duration::from_secs(120),
            stop_timeout: Duration::from_secs(10),
            orphans: Orphans::Remove,
            passwords: BTreeMap::new(),
        }
    }
}

/// What an instance that is starting waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its image.
    Image,
    /// The hypervisor, to create and start it.
    Container,
    /// Its desktop, to answer.
    Desktop,
    /// Nothing: it is there.
    Ready,
}

/// Something about an instance has changed.
#[derive(Clone, Debug)]
pub struct Event {
    /// The instance, as it is now.
    pub instance: Instance,
    /// What it waits for, while it starts.
    pub step: Option<Step>,
}

/// Events that a slow listener may be behind before it misses some.
const EVENTS: usize = 256;
/// How often a starting desktop is looked at.
const POLL: Duration = Duration::from_millis(50);

struct Shared {
    store: Arc<dyn Instances>,
    fleet: Fleet,
    config: LifecycleConfig,
    events: broadcast::Sender<Event>,
    locks: Locks,
    claimed: Notify,
    pauses: Mutex<Pauses>,
}

/// Drives instances. Clones share everything.
#[derive(Clone)]
pub struct Lifecycle {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lifecycle").finish_non_exhaustive()
    }
}

impl Lifecycle {
    /// Over a storage and hosts. Call [`reconcile`](Self::reconcile) next.
    #[must_use]
    pub fn new(store: Arc<dyn Instances>, fleet: Fleet, config: LifecycleConfig) -> Self {
        let shared = Shared {
            store,
            fleet,
            config,
            events: broadcast::channel(EVENTS).0,
            locks: Locks::default(),
            claimed: Notify::new(),
            pauses: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// What a person may have who has no quota of their own, nor by a group.
    #[must_use]
    pub fn general_quota(&self) -> Quota {
        self.shared.config.quota
    }

    /// The hosts.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.shared.fleet
    }

    /// What runs an instance.
    fn hypervisor(&self, instance: &Instance) -> Result<Arc<dyn Hypervisor>> {
        self.shared.fleet.hypervisor_of(instance)
    }

    /// Changes from now on. Who falls behind misses some and has to read all again.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// Launches an application for somebody, and answers at once, while it starts; or gives
    /// them one that waits, and runs already.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the application, [`Error::Exhausted`] at the limit or where
    /// no host has room, [`Error::Unavailable`] where the storage or all hosts do not answer
    /// before it is kept.
    pub async fn launch(&self, owner: UserId, app: AppId) -> Result<Instance> {
        let shared = &self.shared;
        let app = shared.store.app(app).await?;
        let now = Timestamp::now();
        if let Some(claimed) = self.claim(owner, app.id, now).await? {
            return Ok(claimed);
        }
        let bounds = shared.fleet.bounds_for(&app, shared.config.quota).await;
        let password = self.desktop_password(&app)?;
        let instance = Instance::requested(Some(owner), app.id, password, now);
        shared.store.add_instance(instance.clone(), bounds).await?;
        self.start_added(instance).await
    }

    /// Starts what was just added. It is kept, so it is launched, be it a little later.
    async fn start_added(&self, instance: Instance) -> Result<Instance> {
        match self.act(instance.id, Action::Start).await {
            Err(Error::Unavailable { .. }) => {
                self.set_out(&instance);
                Ok(instance)
            }
            begun => begun,
        }
    }

    /// Tells of an intent that is written, and carries it out.
    fn set_out(&self, instance: &Instance) {
        self.publish(instance, None);
        self.carry_out_later(instance.clone());
    }

    /// Begins to do something with an instance, and answers at once.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`] where its state does not allow it, or
    /// [`Error::Exhausted`] where starting it would pass a limit.
    pub async fn act(&self, id: InstanceId, action: Action) -> Result<Instance> {
        let instance = self.begin(id, action).await?;
        self.set_out(&instance);
        Ok(instance)
    }

    /// Writes the intent to do something.
    async fn begin(&self, id: InstanceId, action: Action) -> Result<Instance> {
        let shared = &self.shared;
        let bounds = shared.fleet.known_bounds(shared.config.quota);
        let begun = shared.store.begin(id, action, bounds, Timestamp::now());
        begun.await
    }

    /// Stops what runs though the hours of its owner are used up, and answers what that was.
    ///
    /// # Errors
    /// Where the storage does not answer; then it has to be done again.
    pub async fn stop_out_of_time(&self, now: Timestamp) -> Result<Vec<Instance>> {
        let (store, general) = (&self.shared.store, self.shared.config.quota);
        let stopped = store.stop_out_of_time(general, now).await?;
        for instance in &stopped {
            self.set_out(instance);
        }
        Ok(stopped)
    }

    /// Begins what the policies of applications want by now, and answers what that was. Who
    /// looks at what has to be known to the storage before.
    ///
    /// # Errors
    /// Where the storage does not answer; then it has to be done again.
    pub async fn begin_due(&self, now: Timestamp) -> Result<Vec<Begun>> {
        let begun = self.shared.store.begin_due(now).await?;
        for Begun { instance, .. } in &begun {
            self.set_out(instance);
        }
        Ok(begun)
    }

    /// Puts off all that would end an instance by itself, with an entry of the audit log.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::Conflict`] where it does not run.
    pub async fn extend(
        &self,
        id: InstanceId,
        until: Timestamp,
        entry: NewEntry,
    ) -> Result<Instance> {
        let instance = self.shared.store.extend(id, until, entry).await?;
        self.publish(&instance, None);
        Ok(instance)
    }

    /// A password for the desktop of one instance, unless all of its application have the same.
    /// VNC looks at no more than eight characters.
    fn desktop_password(&self, app: &App) -> Result<Secret<String>> {
        if let Some(password) = self.shared.config.passwords.get(&app.slug) {
            return Ok(password.clone());
        }
        let mut text = Token::random()?.expose();
        text.truncate(8);
        Ok(Secret::new(text))
    }

    fn publish(&self, instance: &Instance, step: Option<Step>) {
        let event = Event {
            instance: instance.clone(),
            step,
        };
        // Nobody may be listening.
        let _ = self.shared.events.send(event);
    }
}
