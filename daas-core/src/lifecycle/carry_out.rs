//! Does what intents say, and writes what came of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Lifecycle, POLL, Step};
use crate::error::{Error, Result, chain};
use crate::hypervisor::{PowerState, Spec};
use crate::model::{
    Action, App, Ending, Endpoint, FailureReason, Instance, InstanceState, Timestamp,
};
use crate::storage::Outcome;

/// Pauses between tries: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// How long is tried what a hypervisor fails at. It may be about to end, or just have begun, and
/// not have cleaned up yet: Docker answers 500 then.
const FAILING: Duration = Duration::from_secs(15);
/// How long what nobody waits for is tried before it is left to the next reconciliation.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why an action is not done.
enum Stop {
    /// Something else is wanted now.
    Superseded,
    /// The desktop did not answer in time.
    Late,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What came of a try.
enum Tried {
    Known(Outcome),
    /// Nothing is known: it may have happened or not.
    Unknown(Error),
    /// Nothing is left to do.
    Superseded,
}

/// How long something is tried.
struct Patience {
    deadline: Instant,
    pause: Duration,
    /// Since when the hypervisor answers that it fails.
    failing: Option<Instant>,
}

impl Patience {
    fn new(within: Duration) -> Self {
        Self {
            deadline: Instant::now() + within,
            pause: PAUSES.0,
            failing: None,
        }
    }

    /// How long to wait before the next try; nothing where there is to be none.
    fn next(&mut self, error: &Error) -> Option<Duration> {
        let (now, pause) = (Instant::now(), self.pause);
        self.pause = PAUSES.1.min(pause * 2);
        self.failing = match error {
            Error::Backend { .. } => Some(self.failing.unwrap_or(now)),
            // It comes and goes, so it need not fail once it is back.
            _ => None,
        };
        let is_over = now + pause >= self.deadline
            || self.failing.is_some_and(|since| now - since >= FAILING);
        (!is_over).then_some(pause)
    }
}

impl Lifecycle {
    pub(super) fn carry_out_later(&self, instance: Instance) {
        let lifecycle = self.clone();
        tokio::spawn(async move {
            let id = instance.id;
            let _lock = lifecycle.shared.locks.lock(id).await;
            lifecycle.carry_out(instance).await;
        });
    }

    /// Takes up an intent that was found written, unless somebody is at it.
    pub(super) fn take_up(&self, instance: Instance) {
        let Some(lock) = self.shared.locks.try_lock(instance.id) else {
            return;
        };
        let lifecycle = self.clone();
        tokio::spawn(async move {
            lifecycle.carry_out(instance).await;
            drop(lock);
        });
    }

    /// Does what an intent says, again and again where nothing is known of a try. One at a
    /// time for each instance: a stop waits until a start has seen that it is no longer
    /// wanted.
    async fn carry_out(&self, instance: Instance) {
        let mut next = Some(instance);
        while let Some(instance) = next {
            next = self.carry_out_one(instance).await;
        }
    }

    /// Answers the row if something else is to be done instead.
    async fn carry_out_one(&self, mut instance: Instance) -> Option<Instance> {
        let action = instance.state.pending()?;
        let mut patience = Patience::new(self.patience(action));
        loop {
            let error = match self.try_once(&mut instance, action).await {
                Tried::Known(outcome) => return self.finish(&instance, outcome).await,
                Tried::Superseded => return None,
                Tried::Unknown(error) => error,
            };
            let Some(pause) = patience.next(&error) else {
                self.give_up(&instance, action, &error).await;
                return None;
            };
            tracing::debug!(instance = %instance.id, %action, error = chain(&error), "trying again");
            sleep(pause).await;
        }
    }

    fn patience(&self, action: Action) -> Duration {
        match action {
            Action::Start | Action::Resume => self.shared.config.start_timeout,
            _ => PATIENCE,
        }
    }

    /// Somebody waits for a desktop that is to start, and is told, as they are of what the
    /// hypervisor fails at. All else stays wanted.
    async fn give_up(&self, instance: &Instance, action: Action, error: &Error) {
        tracing::warn!(instance = %instance.id, %action, error = chain(error), "given up for now");
        let fails = matches!(error, Error::Backend { .. });
        if fails {
            self.leave_stopped(instance, action).await;
        }
        if fails || matches!(action, Action::Start | Action::Resume) {
            let outcome = failed(action, plain_words(action, error));
            drop(self.finish(instance, outcome).await);
        }
    }

    async fn try_once(&self, instance: &mut Instance, action: Action) -> Tried {
        match self.is_wanted(instance).await {
            Ok(true) => {}
            Ok(false) => return Tried::Superseded,
            Err(error) => return Tried::Unknown(error),
        }
        if instance.state == InstanceState::Requested {
            match self.begin(instance.id, action).await {
                Ok(row) => *instance = row,
                Err(error @ Error::Unavailable { .. }) => return Tried::Unknown(error),
                Err(_) => return Tried::Superseded,
            }
        }
        match self.perform(instance, action).await {
            Ok(outcome) => Tried::Known(outcome),
            Err(Stop::Superseded) => Tried::Superseded,
            Err(Stop::Failed(error @ (Error::Unavailable { .. } | Error::Backend { .. }))) => {
                Tried::Unknown(error)
            }
            Err(Stop::Failed(error @ Error::Unsupported { .. })) if action == Action::Suspend => {
                Tried::Known(not_suspended(instance, &error))
            }
            Err(stop) => {
                self.leave_stopped(instance, action).await;
                Tried::Known(failed(action, words(instance, action, &stop)))
            }
        }
    }

    /// A desktop that did not start well must not go on beside a row that says so.
    async fn leave_stopped(&self, instance: &Instance, action: Action) {
        if matches!(action, Action::Start | Action::Resume) {
            let within = self.shared.config.stop_timeout;
            // Reconciliation looks after it where this fails.
            if let Ok(hypervisor) = self.hypervisor(instance) {
                let _ = hypervisor.stop(instance.id, within).await;
            }
        }
    }

    /// Writes an outcome, and answers the row if something is to be done by it.
    async fn finish(&self, instance: &Instance, outcome: Outcome) -> Option<Instance> {
        let now = Timestamp::now();
        let store = &self.shared.store;
        let finished = store.finish(instance.id, instance.revision, outcome, now);
        match finished.await {
            Ok(instance) => {
                let ready = instance.state == InstanceState::Running;
                self.publish(&instance, ready.then_some(Step::Ready));
                Some(instance).filter(|row| row.state.pending().is_some())
            }
            // Something else was wanted meanwhile, and carries on from here.
            Err(Error::Conflict { .. }) => None,
            // The intent stays written: the next reconciliation takes it up.
            Err(error) => {
                tracing::error!(instance = %instance.id, error = chain(&error), "outcome not kept");
                None
            }
        }
    }

    /// Whether the row is still as it was when the intent was written.
    async fn is_wanted(&self, instance: &Instance) -> Result<bool> {
        match self.shared.store.instance(instance.id).await {
            Ok(row) => Ok(row.revision == instance.revision),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn perform(&self, instance: &Instance, action: Action) -> Result<Outcome, Stop> {
        let endpoint = match action {
            Action::Start => self.start(instance).await?,
            Action::Suspend => return self.suspend(instance).await,
            Action::Resume => return self.resume(instance).await,
            Action::Stop => return self.stop(instance).await,
            Action::Delete => {
                let hypervisor = self.hypervisor(instance)?;
                hypervisor.remove(instance.id).await?;
                None
            }
        };
        Ok(Outcome::Done { endpoint })
    }

    async fn suspend(&self, instance: &Instance) -> Result<Outcome, Stop> {
        match self.hypervisor(instance)?.suspend(instance.id).await {
            Err(Error::Conflict { .. }) => self.ended(instance).await,
            done => {
                done?;
                let endpoint = instance.endpoint;
                Ok(Outcome::Done { endpoint })
            }
        }
    }

    async fn resume(&self, instance: &Instance) -> Result<Outcome, Stop> {
        let resumed = self.hypervisor(instance)?.resume(instance.id).await;
        let awake = match resumed {
            Ok(()) => self.wait_for_desktop(instance).await,
            Err(error) => Err(error.into()),
        };
        match awake {
            Err(Stop::Failed(Error::Conflict { .. })) => self.ended(instance).await,
            awake => Ok(Outcome::Done { endpoint: awake? }),
        }
    }

    async fn stop(&self, instance: &Instance) -> Result<Outcome, Stop> {
        let within = self.shared.config.stop_timeout;
        match self.hypervisor(instance)?.stop(instance.id, within).await {
            // What never ran is as good as stopped.
            Err(Error::NotFound { .. }) if !self.has_run(instance).await? => {}
            stopped => stopped?,
        }
        Ok(Outcome::Done { endpoint: None })
    }

    /// It does not do what it should as it has ended by itself, unless there is more to it.
    async fn ended(&self, instance: &Instance) -> Result<Outcome, Stop> {
        let observed = self.hypervisor(instance)?.inspect(instance.id).await?;
        match observed.power {
            PowerState::Stopped => Ok(Outcome::Ended),
            power => Err(Stop::Failed(Error::Conflict {
                reason: format!("the hypervisor says that it is {power:?}"),
            })),
        }
    }

    /// Whether the desktop ever answered, so that somebody may have left something in it.
    pub(super) async fn has_run(&self, instance: &Instance) -> Result<bool> {
        let steps = self.shared.store.transitions(instance.id).await?;
        let mut states = steps.iter().map(|step| step.state);
        Ok(states.any(|state| state == InstanceState::Running))
    }

    async fn start(&self, instance: &Instance) -> Result<Option<Endpoint>, Stop> {
        let hypervisor = self.hypervisor(instance)?;
        self.publish(instance, Some(Step::Image));
        let app = self.shared.store.app(instance.app).await?;
        if !hypervisor.has_image(&app.image).await? {
            return Err(Stop::Failed(Error::NotFound { what: "image" }));
        }
        self.publish(instance, Some(Step::Container));
        hypervisor.create(&spec(instance, &app)).await?;
        if !self.is_wanted(instance).await? {
            return Err(Stop::Superseded);
        }
        hypervisor.start(instance.id).await?;
        self.publish(instance, Some(Step::Desktop));
        self.wait_for_desktop(instance).await
    }

    /// Answers where it listens, if it is not seen by its console.
    async fn wait_for_desktop(&self, instance: &Instance) -> Result<Option<Endpoint>, Stop> {
        let deadline = Instant::now() + self.shared.config.start_timeout;
        let hypervisor = self.hypervisor(instance)?;
        loop {
            let observed = hypervisor.inspect(instance.id).await?;
            match observed.power {
                PowerState::Running => return Ok(observed.endpoint),
                PowerState::Stopped => {
                    return Err(Stop::Failed(Error::Conflict {
                        reason: "the desktop ended while it was starting".to_owned(),
                    }));
                }
                _ => {}
            }
            if Instant::now() >= deadline {
                return Err(Stop::Late);
            }
            if !self.is_wanted(instance).await? {
                return Err(Stop::Superseded);
            }
            sleep(POLL).await;
        }
    }
}

/// The size that a screen has until somebody looks at it.
const SCREEN: (u32, u32) = (1280, 800);

fn spec(instance: &Instance, app: &App) -> Spec {
    Spec {
        id: instance.id,
        image: app.image.clone(),
        app: app.slug.clone(),
        owner: instance.owner,
        resources: app.resources,
        reach: app.reach(),
        password: instance.password.clone(),
        width: SCREEN.0,
        height: SCREEN.1,
    }
}

/// What becomes of a desktop that cannot be frozen. A policy was to spare something, which
/// going on would not: it is stopped, and says why. Where a person asked, it goes on.
fn not_suspended(instance: &Instance, error: &Error) -> Outcome {
    let (was, is) = (Ending::Suspend.done(), Ending::Stop.done());
    let cannot = format!("Desktops of this kind cannot be {was}.");
    // Only of a policy a row says why it is frozen.
    let (action, text) = match &instance.failure {
        Some(why) => {
            let why = why.text.replacen(was, is, 1);
            (Action::Stop, format!("{why} {cannot}"))
        }
        None => (Action::Resume, cannot),
    };
    tracing::warn!(instance = %instance.id, error = chain(error), "cannot be suspended");
    Outcome::Instead(FailureReason { action, text })
}

fn failed(action: Action, text: String) -> Outcome {
    Outcome::Failed(FailureReason { action, text })
}

fn words(instance: &Instance, action: Action, stop: &Stop) -> String {
    let id = instance.id;
    match stop {
        Stop::Failed(error) => {
            tracing::warn!(instance = %id, %action, error = chain(error), "failed");
            plain_words(action, error)
        }
        _ => {
            tracing::warn!(instance = %id, %action, "the desktop does not answer");
            "The desktop does not answer after its start. Try again; if that does not help, ask \
             an administrator to look at its log."
                .to_owned()
        }
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
