//! Drives instances from state to state.
//!
//! An intent is written before the hypervisor is asked, and the outcome after it answered.
//! Whatever happens in between — a crash, a lost connection — [`Lifecycle::reconcile`]
//! finds the intent and carries it out again, which is safe as every operation of a
//! hypervisor is idempotent by the instance's id.

mod lock;
mod reconcile;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::{Instant, sleep};

use crate::access::Token;
use crate::error::{Error, Result, chain};
use crate::hypervisor::{Hypervisor, PowerState, Spec};
use crate::model::{
    Action, App, AppId, Endpoint, FailureReason, Instance, InstanceId, InstanceState, Quota,
    Timestamp, UserId,
};
use crate::secret::Secret;
use crate::storage::{Outcome, Store};

use lock::Locks;

/// How launching behaves.
#[derive(Clone, Copy, Debug)]
pub struct LifecycleConfig {
    /// What a person may have who has no quota of their own, nor by a group.
    pub quota: Quota,
    /// Time for a desktop to answer after it was started.
    pub start_timeout: Duration,
    /// Time for a desktop to stop by itself.
    pub stop_timeout: Duration,
}

impl Default for LifecycleConfig {
    /// Five instances; two minutes; ten seconds.
    fn default() -> Self {
        Self {
            quota: Quota {
                instances: Some(5),
                ..Quota::default()
            },
            start_timeout: Duration::from_secs(120),
            stop_timeout: Duration::from_secs(10),
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
    store: Arc<dyn Store>,
    hypervisor: Arc<dyn Hypervisor>,
    config: LifecycleConfig,
    events: broadcast::Sender<Event>,
    locks: Locks,
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
    /// Over a storage and a hypervisor. Call [`reconcile`](Self::reconcile) next.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        hypervisor: Arc<dyn Hypervisor>,
        config: LifecycleConfig,
    ) -> Self {
        let shared = Shared {
            store,
            hypervisor,
            config,
            events: broadcast::channel(EVENTS).0,
            locks: Locks::default(),
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

    /// Changes from now on. Who falls behind misses some and has to read all again.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// Launches an application for somebody, and answers at once, while it starts.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the application, [`Error::Exhausted`] at the limit,
    /// [`Error::Unavailable`] where the hypervisor does not answer: then nothing is left.
    pub async fn launch(&self, owner: UserId, app: AppId) -> Result<Instance> {
        let shared = &self.shared;
        let app = shared.store.app(app).await?;
        shared.hypervisor.check().await?;
        let now = Timestamp::now();
        let instance = Instance {
            id: InstanceId::random(),
            owner,
            app: app.id,
            state: InstanceState::Requested,
            revision: 0,
            failure: None,
            endpoint: None,
            password: desktop_password()?,
            created_at: now,
            changed_at: now,
        };
        let general = shared.config.quota;
        shared.store.add_instance(instance.clone(), general).await?;
        self.act(instance.id, Action::Start).await
    }

    /// Begins to do something with an instance, and answers at once.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`] where its state does not allow it, or
    /// [`Error::Exhausted`] where starting it would pass a limit.
    pub async fn act(&self, id: InstanceId, action: Action) -> Result<Instance> {
        let (store, general) = (&self.shared.store, self.shared.config.quota);
        let begun = store.begin(id, action, general, Timestamp::now());
        let instance = begun.await?;
        self.publish(&instance, None);
        self.carry_out_later(instance.clone());
        Ok(instance)
    }

    /// Stops what runs though the hours of its owner are used up, and answers what that was.
    ///
    /// # Errors
    /// Where the storage does not answer; then it has to be done again.
    pub async fn stop_out_of_time(&self, now: Timestamp) -> Result<Vec<Instance>> {
        let (store, general) = (&self.shared.store, self.shared.config.quota);
        let stopped = store.stop_out_of_time(general, now).await?;
        for instance in &stopped {
            self.publish(instance, None);
            self.carry_out_later(instance.clone());
        }
        Ok(stopped)
    }

    fn publish(&self, instance: &Instance, step: Option<Step>) {
        let event = Event {
            instance: instance.clone(),
            step,
        };
        // Nobody may be listening.
        let _ = self.shared.events.send(event);
    }

    fn carry_out_later(&self, instance: Instance) {
        let lifecycle = self.clone();
        tokio::spawn(async move {
            lifecycle.carry_out(instance).await;
        });
    }

    /// Does what an intent says, and writes what came of it. One at a time for each
    /// instance: a stop waits until a start has seen that it is no longer wanted.
    async fn carry_out(&self, instance: Instance) {
        let Some(action) = instance.state.pending() else {
            return;
        };
        let _lock = self.shared.locks.lock(instance.id).await;
        if !self.is_wanted(&instance).await {
            return;
        }
        let outcome = match self.perform(&instance, action).await {
            Ok(endpoint) => Outcome::Done { endpoint },
            Err(Stop::Superseded) => return,
            Err(Stop::Failed(error)) => {
                tracing::warn!(instance = %instance.id, %action, error = chain(&error), "failed");
                Outcome::Failed(FailureReason {
                    action,
                    text: plain_words(action, &error),
                })
            }
        };
        self.finish(&instance, outcome).await;
    }

    async fn finish(&self, instance: &Instance, outcome: Outcome) {
        let now = Timestamp::now();
        let store = &self.shared.store;
        let finished = store.finish(instance.id, instance.revision, outcome, now);
        match finished.await {
            Ok(instance) => {
                let ready = instance.state == InstanceState::Running;
                self.publish(&instance, ready.then_some(Step::Ready));
            }
            // Something else was wanted meanwhile, and carries on from here.
            Err(Error::Conflict { .. }) => {}
            // The intent stays written: the next reconciliation takes it up.
            Err(error) => {
                tracing::error!(instance = %instance.id, error = chain(&error), "outcome not kept");
            }
        }
    }

    /// Whether the row is still as it was when the intent was written.
    async fn is_wanted(&self, instance: &Instance) -> bool {
        match self.shared.store.instance(instance.id).await {
            Ok(row) => row.revision == instance.revision,
            Err(_) => false,
        }
    }

    async fn perform(&self, instance: &Instance, action: Action) -> Result<Option<Endpoint>, Stop> {
        let hypervisor = &self.shared.hypervisor;
        let id = instance.id;
        match action {
            Action::Start => return self.start(instance).await.map(Some),
            Action::Suspend => {
                hypervisor.suspend(id).await?;
                return Ok(instance.endpoint);
            }
            Action::Resume => {
                hypervisor.resume(id).await?;
                return self.wait_for_desktop(instance).await.map(Some);
            }
            Action::Stop => {
                let stopped = hypervisor.stop(id, self.shared.config.stop_timeout).await;
                // What was never created is as good as stopped.
                if !matches!(stopped, Err(Error::NotFound { .. })) {
                    stopped?;
                }
            }
            Action::Delete => hypervisor.remove(id).await?,
        }
        Ok(None)
    }

    async fn start(&self, instance: &Instance) -> Result<Endpoint, Stop> {
        let shared = &self.shared;
        self.publish(instance, Some(Step::Image));
        let app = shared.store.app(instance.app).await?;
        if !shared.hypervisor.has_image(&app.image).await? {
            return Err(Stop::Failed(Error::NotFound { what: "image" }));
        }
        self.publish(instance, Some(Step::Container));
        shared.hypervisor.create(&spec(instance, &app)).await?;
        if !self.is_wanted(instance).await {
            return Err(Stop::Superseded);
        }
        shared.hypervisor.start(instance.id).await?;
        self.publish(instance, Some(Step::Desktop));
        self.wait_for_desktop(instance).await
    }

    async fn wait_for_desktop(&self, instance: &Instance) -> Result<Endpoint, Stop> {
        let deadline = Instant::now() + self.shared.config.start_timeout;
        loop {
            let observed = self.shared.hypervisor.inspect(instance.id).await?;
            match (observed.power, observed.endpoint) {
                (PowerState::Running, Some(endpoint)) => return Ok(endpoint),
                (PowerState::Stopped, _) => {
                    return Err(Stop::Failed(Error::Conflict {
                        reason: "the desktop ended while it was starting".to_owned(),
                    }));
                }
                _ => {}
            }
            if Instant::now() >= deadline {
                return Err(Stop::Failed(Error::Unavailable {
                    backend: "the desktop",
                    operation: "answering after its start",
                    source: None,
                }));
            }
            if !self.is_wanted(instance).await {
                return Err(Stop::Superseded);
            }
            sleep(POLL).await;
        }
    }
}

/// Why an action is not done.
enum Stop {
    /// Something else is wanted now.
    Superseded,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A password for the desktop of one instance. VNC looks at no more than eight characters.
fn desktop_password() -> Result<Secret<String>> {
    let mut text = Token::random()?.expose();
    text.truncate(8);
    Ok(Secret::new(text))
}

/// The size that a screen has until somebody looks at it.
const SCREEN: (u32, u32) = (1280, 800);

fn spec(instance: &Instance, app: &App) -> Spec {
    Spec {
        id: instance.id,
        image: app.image.clone(),
        name: app.slug.clone(),
        resources: app.resources,
        port: app.port,
        password: instance.password.clone(),
        width: SCREEN.0,
        height: SCREEN.1,
    }
}

/// What to tell a person: what happened and what to do, without the insides.
fn plain_words(action: Action, error: &Error) -> String {
    match error {
        Error::NotFound { what: "image" } => {
            "The image of this application is missing. Ask an administrator to build it.".to_owned()
        }
        Error::NotFound { .. } => "The desktop is gone. Delete it and launch it again.".to_owned(),
        Error::Conflict { .. } => {
            "The desktop ended while it was starting. Try again; if that does not help, ask an \
             administrator to look at its log."
                .to_owned()
        }
        Error::Exhausted { reason } => reason.clone(),
        Error::Unavailable { backend, .. } => {
            format!(
                "Could not {action} the desktop, as {backend} does not answer. Try again later."
            )
        }
        _ => format!("Could not {action} the desktop. Ask an administrator to look at the log."),
    }
}
