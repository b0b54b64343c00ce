//! The model as JSON shows it.

use std::time::Duration;

use daas_core::access::LoggedIn;
use daas_core::fleet::{Fleet, HostState};
use daas_core::lifecycle::Step;
use daas_core::model::{
    App, AppId, AppKind, Due, Ending, FailureReason, HostName, Instance, InstanceId, InstanceState,
    Quota, Resources, Snapshot, SnapshotName, Timestamp, Why,
};
use daas_core::storage::Transition;
use serde::Serialize;

use super::people::OneselfView;
use crate::Services;

#[derive(Serialize)]
pub(super) struct SessionView<'a> {
    user: OneselfView<'a>,
    csrf_token: String,
}

impl<'a> SessionView<'a> {
    pub(super) fn new(who: &'a LoggedIn) -> Self {
        let caller = &who.caller;
        Self {
            user: OneselfView::new(&caller.user, caller.rights.permissions()),
            csrf_token: who.csrf.expose(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct AppView<'a> {
    #[serde(flatten)]
    summary: SummaryView<'a>,
    description: &'a str,
    image_ready: bool,
    #[serde(flatten)]
    resources: Resources,
    /// For those who set quotas.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<Quota>,
}

impl<'a> AppView<'a> {
    pub(super) fn new(app: &'a App, image_ready: bool, quota: Option<Quota>) -> Self {
        Self {
            summary: SummaryView::new(app),
            description: &app.description,
            image_ready,
            resources: app.resources,
            quota,
        }
    }
}

#[derive(Serialize)]
struct SummaryView<'a> {
    id: AppId,
    slug: &'a str,
    name: &'a str,
    icon: &'a str,
    kind: AppKind,
}

impl<'a> SummaryView<'a> {
    fn new(app: &'a App) -> Self {
        Self {
            id: app.id,
            slug: &app.slug,
            name: &app.name,
            icon: &app.icon,
            kind: app.kind,
        }
    }
}

#[derive(Serialize)]
pub(super) struct InstanceView<'a> {
    id: InstanceId,
    app: SummaryView<'a>,
    state: InstanceState,
    step: Option<&'static str>,
    failure: Option<&'a FailureReason>,
    created_at: String,
    changed_at: String,
    /// Whether it is nobody's, and waits for somebody.
    waits: bool,
    tunnels: usize,
    abilities: AbilitiesView,
    ends: Option<EndView>,
    can_extend: bool,
    /// Whether its host does not answer, so that all this may be otherwise by now.
    stale: bool,
    #[serde(flatten)]
    place: Option<PlaceView<'a>>,
}

/// What can be done with an instance where it is.
#[derive(Default, Serialize)]
struct AbilitiesView {
    suspend: bool,
    snapshot: bool,
}

/// Where an instance is, for those who may see hosts.
#[derive(Serialize)]
struct PlaceView<'a> {
    host: Option<&'a HostName>,
    host_state: &'static str,
}

/// What is to be done with it by itself, if nothing comes in between.
#[derive(Serialize)]
struct EndView {
    at: String,
    action: Ending,
    reason: Why,
    after_s: u64,
}

impl From<Due> for EndView {
    fn from(due: Due) -> Self {
        Self {
            at: due.at.rfc3339(),
            action: due.policy.action,
            reason: due.why,
            after_s: due.policy.after_s,
        }
    }
}

/// What is to come, by what is known here: the storage learns of it a little later.
fn next_end(services: &Services, instance: &Instance, app: &App, tunnels: usize) -> Option<Due> {
    let input_at = services.tunnels.registry().input_at(instance.id);
    let known = Instance {
        input_at: instance.input_at.max(input_at),
        ..instance.clone()
    };
    app.policies.due(&known, tunnels > 0)
}

/// By how much an end can be put off; nothing where there is none, or it cannot be.
pub(super) fn extension(services: &Services, app: &App) -> Option<Duration> {
    let longest = Duration::from_secs(app.policies.longest_s()?);
    Some(longest.min(services.settings.extend)).filter(|by| !by.is_zero())
}

impl<'a> InstanceView<'a> {
    pub(super) fn new(
        services: &Services,
        instance: &'a Instance,
        app: &'a App,
        step: Option<Step>,
    ) -> Self {
        let step = step.filter(|_| crate::steps::has_step(instance.state));
        let tunnels = services.tunnels.count(instance.id);
        let runs = instance.state == InstanceState::Running;
        Self {
            id: instance.id,
            app: SummaryView::new(app),
            state: instance.state,
            step: step.map(step_name),
            failure: instance.failure.as_ref(),
            created_at: instance.created_at.rfc3339(),
            changed_at: instance.changed_at.rfc3339(),
            waits: instance.owner.is_none(),
            tunnels,
            abilities: AbilitiesView::default(),
            ends: next_end(services, instance, app, tunnels).map(Into::into),
            can_extend: runs && extension(services, app).is_some(),
            stale: false,
            place: None,
        }
    }

    /// With what is known of its host, which is shown to those who may see it.
    pub(super) fn on(mut self, fleet: &Fleet, instance: &'a Instance, may_see: bool) -> Self {
        let state = fleet.state_of(instance);
        let can = fleet.abilities_of(instance);
        self.abilities = AbilitiesView {
            suspend: can.suspend,
            snapshot: can.snapshot,
        };
        self.stale = fleet.is_stale(instance);
        self.place = may_see.then(|| PlaceView {
            host: instance.host.as_ref(),
            host_state: state.map_or("unknown", HostState::as_str),
        });
        self
    }
}

const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Image => "image",
        Step::Container => "container",
        Step::Desktop => "desktop",
        Step::Ready => "ready",
    }
}

/// A state that an instance was in.
#[derive(Serialize)]
pub(super) struct StepView<'a> {
    at: String,
    state: InstanceState,
    /// How long it was; nothing where it still is.
    duration_ms: Option<i64>,
    failure: Option<&'a FailureReason>,
}

impl<'a> StepView<'a> {
    pub(super) fn new(step: &'a Transition, until: Option<Timestamp>) -> Self {
        Self {
            at: step.at.rfc3339(),
            state: step.state,
            // Clocks may be put back.
            duration_ms: until.map(|until| until.0.saturating_sub(step.at.0).max(0)),
            failure: step.failure.as_ref(),
        }
    }
}

/// A state that is kept.
#[derive(Serialize)]
pub(super) struct SnapshotView<'a> {
    name: &'a SnapshotName,
    made_at: String,
}

impl<'a> SnapshotView<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            name: &snapshot.name,
            made_at: snapshot.made_at.rfc3339(),
        }
    }
}

/// A list that is never so long that it needs pages.
#[derive(Serialize)]
pub(super) struct ItemsView<T> {
    pub(super) items: Vec<T>,
}

/// One page of a list.
#[derive(Serialize)]
pub(super) struct PageView<T> {
    pub(super) items: Vec<T>,
    /// Asks for the next page, if there is one.
    pub(super) next_cursor: Option<String>,
}
