//! Keeping states of instances, and going back to them.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering::SeqCst;

use daas_core::Error;
use daas_core::hypervisor::PowerState;
use daas_core::lifecycle::{Orphans, SNAPSHOTS_MAX};
use daas_core::model::{Action, InstanceId, InstanceState, SnapshotName};

use crate::{World, until, world};

fn name(text: &str) -> SnapshotName {
    text.parse().unwrap()
}

async fn stop(world: &World, id: InstanceId) {
    world.lifecycle.act(id, Action::Stop).await.unwrap();
    world.until_state(id, InstanceState::Stopped).await;
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Conflict { reason } | Error::Exhausted { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

/// Begins something, and stops waiting for it once it is under way.
async fn begin(future: impl Future, is_under_way: impl Fn() -> bool) {
    let mut future = pin!(future);
    until(async || {
        let waited = std::time::Duration::from_millis(1);
        let _ = tokio::time::timeout(waited, future.as_mut()).await;
        is_under_way().then_some(())
    })
    .await;
}

#[tokio::test]
async fn only_what_is_stopped_goes_back_and_no_row_changes() {
    let world = world(Orphans::Remove).await;
    let (id, n) = world.running().await;
    let lifecycle = &world.lifecycle;
    lifecycle.snapshot(id, name("before")).await.unwrap();
    let running = world.row(id).await;
    let why = reason(lifecycle.rollback(id, name("before")).await);
    assert!(why.contains("running. Stop it first"), "{why}");
    stop(&world, id).await;
    let before = world.row(id).await;
    assert_eq!(before.revision, running.revision + 2);
    let none = lifecycle.rollback(id, name("other")).await;
    assert!(matches!(none, Err(Error::NotFound { what: "snapshot" })));
    lifecycle.rollback(id, name("before")).await.unwrap();
    assert_eq!(world.machines[n].went_back.load(SeqCst), 1);
    assert_eq!(lifecycle.snapshots(id).await.unwrap().len(), 1);
    lifecycle.remove_snapshot(id, name("before")).await.unwrap();
    lifecycle.remove_snapshot(id, name("before")).await.unwrap();
    assert_eq!(lifecycle.snapshots(id).await.unwrap(), []);
    let after = world.row(id).await;
    assert_eq!(
        (after.revision, after.state),
        (before.revision, before.state)
    );
    assert_eq!(world.machines[n].power(id), Some(PowerState::Stopped));
}

#[tokio::test]
async fn states_that_do_not_allow_it_say_what_to_do() {
    let world = world(Orphans::Remove).await;
    let (id, _) = world.running().await;
    let lifecycle = &world.lifecycle;
    lifecycle.act(id, Action::Suspend).await.unwrap();
    world.until_state(id, InstanceState::Suspended).await;
    let why = reason(lifecycle.snapshot(id, name("before")).await);
    assert!(why.contains("suspended. Resume or stop it first"), "{why}");
    let why = reason(lifecycle.rollback(id, name("before")).await);
    assert!(why.contains("suspended. Stop it first"), "{why}");
    lifecycle.act(id, Action::Delete).await.unwrap();
    world.until_state(id, InstanceState::Deleted).await;
    let gone = lifecycle.snapshot(id, name("before")).await;
    assert!(matches!(gone, Err(Error::NotFound { what: "instance" })));
    let none = lifecycle
        .remove_snapshot(InstanceId::random(), name("x1"))
        .await;
    assert!(matches!(none, Err(Error::NotFound { what: "instance" })));
}

#[tokio::test]
async fn it_goes_on_where_nobody_waits_for_it() {
    let world = world(Orphans::Remove).await;
    let (id, n) = world.running().await;
    let machine = &world.machines[n];
    let gate = machine.gate.lock().await;
    let asked = || machine.asked.load(SeqCst) > 0;
    begin(world.lifecycle.snapshot(id, name("kept")), asked).await;
    assert!(machine.kept.lock().unwrap().is_empty());
    drop(gate);
    until(async || (machine.kept.lock().unwrap().len() == 1).then_some(())).await;
}

#[tokio::test]
async fn nothing_is_started_while_it_goes_back() {
    let world = world(Orphans::Remove).await;
    let (id, n) = world.running().await;
    let (lifecycle, machine) = (&world.lifecycle, &world.machines[n]);
    lifecycle.snapshot(id, name("before")).await.unwrap();
    stop(&world, id).await;
    let gate = machine.gate.lock().await;
    let going_back = tokio::spawn({
        let lifecycle = lifecycle.clone();
        async move { lifecycle.rollback(id, name("before")).await }
    });
    // The first was for the snapshot.
    until(async || (machine.asked.load(SeqCst) == 2).then_some(())).await;
    lifecycle.act(id, Action::Start).await.unwrap();
    assert_eq!(world.row(id).await.state, InstanceState::Starting);
    let why = reason(lifecycle.rollback(id, name("before")).await);
    assert!(why.contains("starting"), "{why}");
    assert_eq!(machine.power(id), Some(PowerState::Stopped));
    drop(gate);
    // The machine itself panics where something goes back that runs.
    going_back.await.unwrap().unwrap();
    assert_eq!(machine.went_back.load(SeqCst), 1);
    world.until_state(id, InstanceState::Running).await;
}

#[tokio::test]
async fn there_are_so_many_and_no_more() {
    let world = world(Orphans::Remove).await;
    let (id, _) = world.running().await;
    let lifecycle = &world.lifecycle;
    for n in 0..SNAPSHOTS_MAX {
        lifecycle
            .snapshot(id, name(&format!("s{n}")))
            .await
            .unwrap();
    }
    let why = reason(lifecycle.snapshot(id, name("more")).await);
    assert!(
        why.contains("at most 16 snapshots. Remove one first"),
        "{why}"
    );
    // One of a name that is there is none more.
    lifecycle.snapshot(id, name("s0")).await.unwrap();
    lifecycle.remove_snapshot(id, name("s0")).await.unwrap();
    lifecycle.snapshot(id, name("more")).await.unwrap();
}

#[tokio::test]
async fn what_a_host_can_do_is_known_without_asking_it() {
    let world = world(Orphans::Remove).await;
    let (id, n) = world.running().await;
    let row = world.row(id).await;
    let before = world.machines[n].calls.load(SeqCst);
    let can = world.fleet.abilities_of(&row);
    assert!(can.suspend && can.snapshot);
    assert_eq!(world.machines[n].calls.load(SeqCst), before);
    let mut elsewhere = row;
    elsewhere.host = Some("gone".parse().unwrap());
    assert_eq!(world.fleet.abilities_of(&elsewhere), Default::default());
}
