//! What has to be true once nothing goes wrong any more.

use std::collections::BTreeMap;

use daas_core::model::{Action, HostName, Instance, InstanceId, InstanceState};
use daas_core::storage::{Instances, Sqlite};

use crate::life::READY;
use crate::world::{Desktop, HOSTS, Power, World};

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
