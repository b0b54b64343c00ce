//! Hosts that do not answer.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use daas_core::Error;
use daas_core::fleet::HostState;
use daas_core::hypervisor::PowerState;
use daas_core::lifecycle::Orphans;
use daas_core::model::{Action, InstanceId, InstanceState};
use tokio::time::timeout;

use crate::{DEADLINE, until, world};

/// A node of a cluster whose others answer.
#[tokio::test]
async fn what_is_on_a_part_that_is_silent_is_stale_and_left_alone() {
    let world = world(Orphans::Remove).await;
    world.fleet.refresh().await;
    let (id, n) = world.running().await;
    let (other, m) = world.running().await;
    let orphan = InstanceId::random();
    assert!(!world.fleet.is_stale(&world.row(id).await));
    for silent in [id, orphan] {
        world.machines[n].put(silent, PowerState::Unreachable);
    }
    // The rest is looked after all the same.
    world.machines[m].put(other, PowerState::Stopped);
    world.lifecycle.reconcile().await.unwrap();
    assert!(world.fleet.is_stale(&world.row(id).await));
    assert_eq!(world.row(id).await.state, InstanceState::Running);
    assert_eq!(world.row(other).await.state, InstanceState::Stopped);
    assert!(!world.fleet.is_stale(&world.row(other).await));
    assert!(world.machines[n].power(orphan).is_some(), "removed");
    world.machines[n].put(id, PowerState::Running);
    world.lifecycle.reconcile().await.unwrap();
    assert!(!world.fleet.is_stale(&world.row(id).await));
}

#[tokio::test]
async fn a_silent_host_delays_nobody_and_comes_back_without_a_hand() {
    let world = world(Orphans::Remove).await;
    world.go_on();
    world.until_host(0, HostState::Fine).await;
    world.until_host(1, HostState::Fine).await;
    let (mut on, mut tries) = ([None, None], 0);
    while on.contains(&None) && tries < 10 {
        let (id, n) = world.running().await;
        on[n] = Some(id);
        tries += 1;
    }
    let [silent, good] = on.map(Option::unwrap);
    let [machine, other] = &world.machines;

    machine.is_silent.store(true, SeqCst);
    world.until_host(0, HostState::Unreachable).await;
    let view = &world.fleet.views()[0];
    assert!(view.fault.as_ref().unwrap().contains("no answer"));
    assert!(view.report.is_some() && view.seen_at.is_some());
    // The other is looked after all the same, and takes what is new.
    other.put(good, PowerState::Stopped);
    world.until_state(good, InstanceState::Stopped).await;
    let (new, n) = world.running().await;
    assert_eq!(n, 1);
    assert_eq!(world.row(silent).await.state, InstanceState::Running);
    world.lifecycle.act(silent, Action::Stop).await.unwrap();

    machine.is_silent.store(false, SeqCst);
    world.until_host(0, HostState::Fine).await;
    world.until_state(silent, InstanceState::Stopped).await;
    assert_eq!(machine.power(silent), Some(PowerState::Stopped));
    assert_eq!(world.row(new).await.state, InstanceState::Running);
}

#[tokio::test]
async fn nothing_that_is_read_waits_for_a_host() {
    let world = world(Orphans::Remove).await;
    let (id, _) = world.running().await;
    for machine in &world.machines {
        machine.is_silent.store(true, SeqCst);
    }
    let row = world.row(id).await;
    let asked: u64 = calls(&world);
    assert_eq!(world.fleet.views().len(), 2);
    assert!(world.fleet.state_of(&row).is_some());
    assert_eq!(calls(&world), asked, "a host was asked");
}

fn calls(world: &crate::World) -> u64 {
    let calls = world.machines.iter();
    calls.map(|machine| machine.calls.load(SeqCst)).sum()
}

#[tokio::test]
async fn without_any_host_nothing_is_launched_and_the_first_that_is_back_is_taken() {
    let world = world(Orphans::Remove).await;
    world.machines[0].is_silent.store(true, SeqCst);
    world.machines[1].is_away.store(true, SeqCst);
    let launched = timeout(DEADLINE, world.launch()).await.unwrap();
    assert!(
        matches!(launched, Err(Error::Unavailable { .. })),
        "{launched:?}"
    );
    assert!(
        world
            .fixture
            .store
            .instances(None)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(world.fleet.check().await.is_err());
    // Nothing has gone on in between that would have seen it.
    world.machines[1].is_away.store(false, SeqCst);
    assert_eq!(world.running().await.1, 1);
    world.fleet.check().await.unwrap();
}

#[tokio::test]
async fn rows_of_a_host_that_refuses_stay_as_they_are() {
    let world = world(Orphans::Remove).await;
    let (id, n) = world.running().await;
    world.machines[n].is_away.store(true, SeqCst);
    let done = world.lifecycle.reconcile().await;
    assert!(matches!(done, Err(Error::Unavailable { .. })), "{done:?}");
    assert_eq!(world.row(id).await.state, InstanceState::Running);
    // Its desktop is lost meanwhile, which is seen once it is back.
    world.machines[n].desktops.lock().unwrap().clear();
    world.machines[n].is_away.store(false, SeqCst);
    let lost = until(async || {
        world.lifecycle.reconcile().await.unwrap();
        let row = world.row(id).await;
        (row.state == InstanceState::Failed).then_some(row)
    });
    let lost = timeout(Duration::from_secs(20), lost).await.unwrap();
    assert!(lost.failure.unwrap().text.contains("is gone"));
}
