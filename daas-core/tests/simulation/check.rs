//! What has to be true once nothing goes wrong any more.

use std::collections::BTreeMap;

use daas_core::model::{Action, HostName, Instance, InstanceId, InstanceState, Timestamp, Why};
use daas_core::storage::{Begun, Instances, Sqlite};

use crate::life::{Life, READY};
use crate::world::{Desktop, HOSTS, Happening, Power, World};

/// What policies end was not looked at, used or extended until then, as far as the storage has
/// promised to know.
pub fn not_early(life: &Life, begun: &Begun, now: Timestamp) {
    let (id, due) = (begun.instance.id, begun.due);
    life.world.count(Happening::EndByPolicy);
    life.world.note(format_args!("{id}: {}", due.text()));
    assert!(due.at <= now, "{due:?} is early");
    let promise = life.world.inner().promises.get(&id).copied();
    let promise = promise.unwrap_or_default();
    assert!(promise.extended_to <= Some(now), "{promise:?} {due:?}");
    let fact = match due.why {
        Why::Disconnect => promise.seen_at,
        Why::Idle => promise.input_at,
        Why::Lifetime => None,
    };
    let whole = i64::try_from(due.policy.after_s).unwrap() * 1000;
    let until = fact.map(|fact| fact.plus_ms(whole));
    assert!(until <= Some(now), "{promise:?} {due:?}");
    let is_watched = life.viewers().contains_key(&id);
    assert!(!(is_watched && due.why == Why::Disconnect), "{due:?}");
}

/// What was due when policies were last kept has been begun.
pub async fn nothing_is_left_due(world: &World, store: &Sqlite) {
    let kept = world.inner().policies_kept;
    for row in store.instances(None).await.unwrap() {
        let policies = store.app(row.app).await.unwrap().policies;
        let due = policies.due(&row, false);
        assert!(due.is_none_or(|due| due.at > kept), "{row:?} {due:?}");
    }
}

pub async fn agree(world: &World, store: &Sqlite) {
    let rows = store.instances(None).await.unwrap();
    let desktops = world.inner().desktops.clone();
    let told = world.inner().told.clone();
    for row in &rows {
        let desktop = desktops.get(&row.id);
        // A pool may be just at it.
        if row.owner.is_none() && row.state.pending().is_some() {
            continue;
        }
        fits(row, desktop, has_run(store, row.id).await);
        assert_ne!(
            told.get(&row.id),
            Some(&Action::Delete),
            "not deleted: {row:?}"
        );
    }
    no_orphans(&rows, &desktops);
    for id in told.keys() {
        // Whatever was promised left a row behind, deleted or not.
        store.instance(*id).await.unwrap();
    }
}

/// As many wait as are to, and all are good.
pub async fn is_full(store: &Sqlite) {
    let waiting = store.waiting().await.unwrap();
    let states: Vec<_> = waiting.iter().map(|row| row.instance.state).collect();
    assert_eq!(
        states,
        [InstanceState::Running; READY as usize],
        "{waiting:?}"
    );
}

/// Whether the desktop ever answered.
async fn has_run(store: &Sqlite, id: InstanceId) -> bool {
    let steps = store.transitions(id).await.unwrap();
    steps
        .iter()
        .any(|step| step.state == InstanceState::Running)
}

fn fits(row: &Instance, desktop: Option<&Desktop>, has_run: bool) {
    let power = desktop.map(|desktop| desktop.power);
    let fits = match row.state {
        InstanceState::Running => matches!(power, Some(Power::Runs { .. })),
        InstanceState::Suspended => matches!(power, Some(Power::Frozen { .. })),
        InstanceState::Stopped => power.map_or(!has_run, |power| power == Power::Stopped),
        InstanceState::Failed => power.is_none_or(|power| power == Power::Stopped),
        // Nothing is under way for ever.
        _ => false,
    };
    assert!(fits, "{row:?} has {desktop:?}");
    let host = row.host.as_ref().map(HostName::as_str);
    assert!(HOSTS.map(Some).contains(&host), "{row:?}");
    if let Some(desktop) = desktop {
        assert_eq!(host, Some(HOSTS[desktop.host]), "{row:?}");
    }
    if row.state == InstanceState::Running {
        assert_eq!(
            row.endpoint,
            desktop.map(|desktop| desktop.endpoint),
            "{row:?}"
        );
    }
    if row.state == InstanceState::Failed {
        let failure = row.failure.as_ref().expect("a reason");
        let is_lost = failure.text.contains("is gone");
        let is_start = matches!(failure.action, Action::Start | Action::Resume);
        assert!(
            is_lost || is_start,
            "it should have been tried again: {row:?}"
        );
    }
}

fn no_orphans(rows: &[Instance], desktops: &BTreeMap<InstanceId, Desktop>) {
    for (id, desktop) in desktops {
        let known = rows.iter().any(|row| row.id == *id);
        assert!(known, "nobody knows {id}: {desktop:?}");
    }
}
