//! Where instances go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use daas_core::audit::AuditAction;
use daas_core::fleet::{Bounds, Capacity, FleetConfig, HostSetup, Room, Strategy};
use daas_core::hypervisor::{Origin, PowerState};
use daas_core::lifecycle::{Lifecycle, LifecycleConfig, Orphans};
use daas_core::model::{Action, App, HostName, InstanceId, InstanceState, Protocol, User, UserId};
use daas_core::{Error, Secret};
use tokio::task::JoinSet;

use crate::machine::Machine;
use crate::support::{NO_LIMIT, T0, admin, app, entry, fixture, instance};
use crate::{CONFIG, World, fleet, name, until, world};

/// A host with room for so many instances of the fixture's application, 2 GiB each.
fn room(text: &str, instances: u64) -> Room {
    Room {
        name: name(text),
        labels: Vec::new(),
        is_there: true,
        has_image: true,
        can_show: true,
        capacity: Some(Capacity {
            cpu_millis: 1_000_000,
            memory_mib: 2048 * instances,
        }),
    }
}

fn bounds(rooms: Vec<Room>) -> Bounds {
    Bounds {
        general: NO_LIMIT,
        hosts: rooms.into(),
        strategy: Strategy::Spread,
    }
}

fn is_exhausted<T>(result: &Result<T, Error>, words: &str) -> bool {
    matches!(result, Err(Error::Exhausted { reason }) if reason.contains(words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_launches_at_once_never_overfill() {
    let f = fixture().await;
    let bounds = bounds(vec![room("a", 10), room("b", 7), room("c", 0)]);
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let (store, bounds) = (f.store.clone(), bounds.clone());
        let new = instance(f.owner, f.app, T0);
        calls.spawn(async move { store.add_instance(new, bounds).await });
    }
    while let Some(added) = calls.join_next().await {
        let added = added.unwrap();
        assert!(
            added.is_ok() || is_exhausted(&added, "no host has room"),
            "{added:?}"
        );
    }
    let mut hosts: BTreeMap<HostName, u32> = BTreeMap::new();
    for row in f.store.instances(None).await.unwrap() {
        *hosts.entry(row.host.unwrap()).or_default() += 1;
    }
    assert_eq!(hosts, [(name("a"), 10), (name("b"), 7)].into());
    let committed = f.store.committed().await.unwrap();
    let counts = committed.into_iter();
    let counts: Vec<_> = counts.map(|(host, sum)| (host, sum.instances)).collect();
    assert_eq!(counts, [(Some(name("a")), 10), (Some(name("b")), 7)]);
}

#[tokio::test]
async fn what_was_stopped_starts_where_it_is_or_not_at_all() {
    let f = fixture().await;
    let stopped = instance(f.owner, f.app, T0);
    let id = stopped.id;
    let both = || bounds(vec![room("a", 1), room("b", 9)]);
    let only_a = bounds(vec![room("a", 1)]);
    f.store.add_instance(stopped, only_a.clone()).await.unwrap();
    let begin = |action, bounds: Bounds| f.store.begin(id, action, bounds, T0);
    begin(Action::Start, both()).await.unwrap();
    let row = begin(Action::Stop, both()).await.unwrap();
    let done = daas_core::storage::Outcome::Done { endpoint: None };
    f.store.finish(id, row.revision, done, T0).await.unwrap();
    // Its place is taken meanwhile, as what is stopped takes none.
    let other = instance(f.owner, f.app, T0);
    let other_id = other.id;
    f.store.add_instance(other, only_a).await.unwrap();
    let started = begin(Action::Start, both()).await;
    assert!(
        is_exhausted(&started, "the host of this desktop is full"),
        "{started:?}"
    );
    let row = f.store.instance(id).await.unwrap();
    assert_eq!(
        (row.state, row.host),
        (InstanceState::Stopped, Some(name("a")))
    );

    let gone = f
        .store
        .begin(other_id, Action::Delete, both(), T0)
        .await
        .unwrap();
    let done = daas_core::storage::Outcome::Done { endpoint: None };
    f.store
        .finish(other_id, gone.revision, done, T0)
        .await
        .unwrap();
    let drain = |drained| {
        let entry = entry(AuditAction::HostDrain);
        f.store.set_drained(name("a"), drained, entry)
    };
    drain(true).await.unwrap();
    let started = begin(Action::Start, both()).await;
    assert!(is_exhausted(&started, "emptied"), "{started:?}");
    drain(false).await.unwrap();
    // It is there still where nothing was seen of the host yet.
    let unseen = Room {
        capacity: None,
        ..room("a", 0)
    };
    begin(Action::Start, bounds(vec![unseen])).await.unwrap();
}

#[tokio::test]
async fn emptying_is_kept_and_told_once() {
    let f = fixture().await;
    let before = f.audit().await.len();
    for drained in [true, true, false, true] {
        let entry = entry(AuditAction::HostDrain);
        f.store
            .set_drained(name("a"), drained, entry)
            .await
            .unwrap();
    }
    assert_eq!(f.audit().await.len(), before + 3);
    let drained = f.store.drained_hosts().await.unwrap();
    assert_eq!(drained, [name("a")].into());
    let new = || instance(f.owner, f.app, T0);
    let only = f
        .store
        .add_instance(new(), bounds(vec![room("a", 9)]))
        .await;
    assert!(is_exhausted(&only, "no host has room"), "{only:?}");
    let both = bounds(vec![room("a", 9), room("b", 1)]);
    f.store.add_instance(new(), both).await.unwrap();
    let rows = f.store.instances(None).await.unwrap();
    assert_eq!(rows[0].host, Some(name("b")));
}

#[tokio::test]
async fn labels_are_asked_for() {
    let f = fixture().await;
    let mut wants = app("app");
    wants.hosts = vec!["gpu".parse().unwrap()];
    f.store.put_app(wants.clone()).await.unwrap();
    assert_eq!(f.store.app(f.app).await.unwrap().hosts, wants.hosts);
    let add = |rooms| {
        let new = instance(f.owner, f.app, T0);
        f.store.add_instance(new, bounds(rooms))
    };
    let refused = add(vec![room("a", 9)]).await;
    assert!(is_exhausted(&refused, "labels"), "{refused:?}");
    let mut able = room("b", 1);
    able.labels = wants.hosts;
    add(vec![room("a", 9), able]).await.unwrap();
    let rows = f.store.instances(None).await.unwrap();
    assert_eq!(rows[0].host, Some(name("b")));
}

#[tokio::test]
async fn rows_from_before_there_were_hosts_are_on_the_first() {
    let f = fixture().await;
    let id = f.launch().await;
    assert_eq!(f.store.instance(id).await.unwrap().host, None);
    // It takes the one place of the first host.
    let add = |rooms| {
        let new = instance(f.owner, f.app, T0);
        f.store.add_instance(new, bounds(rooms))
    };
    let full = add(vec![room("a", 1)]).await;
    assert!(is_exhausted(&full, "no host has room"), "{full:?}");
    assert_eq!(f.store.settle_hosts(name("a")).await.unwrap(), 1);
    assert_eq!(f.store.settle_hosts(name("b")).await.unwrap(), 0);
    assert_eq!(f.store.instance(id).await.unwrap().host, Some(name("a")));
    // Whatever is the first from now on.
    add(vec![room("b", 1), room("a", 1)]).await.unwrap();
}

#[tokio::test]
async fn hosts_share_the_load_and_each_desktop_stays_where_it_is() {
    let world = world(Orphans::Remove).await;
    let mut counts = [0, 0];
    for _ in 0..6 {
        let (id, n) = world.running().await;
        assert_eq!(world.machines[n].power(id), Some(PowerState::Running));
        assert_eq!(world.machines[1 - n].power(id), None);
        counts[n] += 1;
    }
    assert_eq!(counts, [3, 3]);
    let (id, n) = world.running().await;
    for (action, state, power) in [
        (
            Action::Suspend,
            InstanceState::Suspended,
            Some(PowerState::Suspended),
        ),
        (
            Action::Resume,
            InstanceState::Running,
            Some(PowerState::Running),
        ),
        (
            Action::Stop,
            InstanceState::Stopped,
            Some(PowerState::Stopped),
        ),
        (
            Action::Start,
            InstanceState::Running,
            Some(PowerState::Running),
        ),
        (Action::Delete, InstanceState::Deleted, None),
    ] {
        world.lifecycle.act(id, action).await.unwrap();
        world.until_state(id, state).await;
        assert_eq!(world.machines[n].power(id), power);
    }
}

#[tokio::test]
async fn a_host_with_the_image_is_taken_first() {
    let world = world(Orphans::Remove).await;
    world.machines[0].lacks_images.store(true, SeqCst);
    for _ in 0..3 {
        assert_eq!(world.running().await.1, 1);
    }
    assert!(world.fleet.has_image("image").await);
}

#[tokio::test]
async fn capacity_is_what_a_host_says_or_what_is_set_up() {
    let f = fixture().await;
    let machine = Arc::new(Machine::default());
    machine.memory_mib.store(5000, SeqCst);
    let config = FleetConfig {
        memory_reserve_mib: 1000,
        ..CONFIG
    };
    let small = fleet(&[("a", &machine)], config);
    assert_eq!(small.refresh().await, [true]);
    let capacity = Capacity {
        cpu_millis: 256_000,
        memory_mib: 4000,
    };
    assert_eq!(small.views()[0].capacity, Some(capacity));
    let setup = HostSetup {
        cpus: Some(2),
        memory_mib: Some(5000),
        ..HostSetup::new(name("a"), machine)
    };
    let set_up = daas_core::fleet::Fleet::new(vec![setup], config);
    set_up.refresh().await;
    let capacity = Capacity {
        cpu_millis: 8000,
        memory_mib: 5000,
    };
    assert_eq!(set_up.views()[0].capacity, Some(capacity));
    // Two of 2 GiB fit.
    let lifecycle = Lifecycle::new(f.store.clone(), set_up, LifecycleConfig::default());
    for _ in 0..2 {
        lifecycle.launch(f.owner, f.app).await.unwrap();
    }
    let full = lifecycle.launch(f.owner, f.app).await;
    assert!(is_exhausted(&full, "no host has room"), "{full:?}");
}

#[tokio::test]
async fn the_password_of_a_template_is_that_of_its_desktops() {
    let f = fixture().await;
    let machine = Arc::new(Machine::default());
    let fleet = fleet(&[("a", &machine)], CONFIG);
    let slug = f.store.app(f.app).await.unwrap().slug;
    let mut config = LifecycleConfig::default();
    let password = async |config: &LifecycleConfig| {
        let lifecycle = Lifecycle::new(f.store.clone(), fleet.clone(), config.clone());
        let launched = lifecycle.launch(f.owner, f.app).await.unwrap();
        let row = f.store.instance(launched.id).await.unwrap();
        row.password.expose().clone()
    };
    let own = password(&config).await;
    assert_eq!(own.len(), 8);
    assert_ne!(own, password(&config).await, "each has its own");
    let fixed = "of the template".to_owned();
    config.passwords.insert(slug, Secret::new(fixed.clone()));
    assert_eq!(password(&config).await, fixed);
    config.passwords.clear();
    assert_ne!(password(&config).await, fixed);
}

#[tokio::test]
async fn a_console_needs_a_host_that_shows_it() {
    let f = fixture().await;
    let machine = Arc::new(Machine::default());
    let app = App {
        protocol: Protocol::Console,
        ..app("console")
    };
    let app = f.store.put_app(app).await.unwrap();
    let fleet = fleet(&[("a", &machine)], CONFIG);
    let lifecycle = Lifecycle::new(f.store.clone(), fleet, LifecycleConfig::default());
    let refused = lifecycle.launch(f.owner, app).await;
    assert!(
        is_exhausted(&refused, "no host can show this application"),
        "{refused:?}"
    );
    machine.shows.store(true, SeqCst);
    lifecycle.launch(f.owner, app).await.unwrap();
}

#[tokio::test]
async fn orphans_are_removed_or_kept_and_counted() {
    for (orphans, left) in [(Orphans::Remove, 0), (Orphans::Keep, 1)] {
        let world = world(orphans).await;
        let (id, n) = world.running().await;
        let orphan = daas_core::model::InstanceId::random();
        world.machines[n].put(orphan, PowerState::Running);
        // A copy elsewhere of what a row knows is not ours to remove.
        world.machines[1 - n].put(id, PowerState::Running);
        world.lifecycle.reconcile().await.unwrap();
        assert_eq!(world.machines[n].power(orphan).is_some(), left == 1);
        assert_eq!(
            world.machines[1 - n].power(id),
            Some(PowerState::Running),
            "removed"
        );
        let views = world.fleet.views();
        assert_eq!((views[n].orphans, views[1 - n].orphans), (left, 1));
        assert_eq!(world.row(id).await.state, InstanceState::Running);
    }
}

/// What is written on a desktop whose row is lost.
fn lost(
    world: &World,
    n: usize,
    app: &str,
    owner: Option<UserId>,
    power: PowerState,
) -> InstanceId {
    let id = InstanceId::random();
    let origin = Origin {
        app: app.to_owned(),
        owner,
        password: Some(Secret::new("s3cr3t".to_owned())),
    };
    world.machines[n].origins.lock().unwrap().insert(id, origin);
    world.machines[n].put(id, power);
    id
}

#[tokio::test]
async fn orphans_are_adopted_as_far_as_it_is_known_what_they_are() {
    use InstanceState as S;
    use PowerState as P;
    let world = world(Orphans::Adopt).await;
    let owner = world.fixture.owner;
    let boss = world.fixture.add(admin("boss")).await;
    let deputy = User {
        created_at: T0.plus_ms(1),
        ..admin("deputy")
    };
    world.fixture.add(deputy).await;
    let states = [
        (P::Running, S::Running),
        (P::Unhealthy, S::Running),
        (P::Suspended, S::Suspended),
        (P::Stopped, S::Stopped),
    ];
    let theirs = states.map(|(power, state)| (lost(&world, 1, "app", Some(owner), power), state));
    let of_nobody = lost(&world, 0, "app", None, P::Stopped);
    let of_a_stranger = lost(&world, 0, "app", Some(UserId::random()), P::Stopped);
    let unknown = lost(&world, 1, "gone", Some(owner), P::Running);
    let silent = InstanceId::random();
    world.machines[1].put(silent, P::Running);
    // Its owner did not want it any more.
    let (deleted, n) = world.running().await;
    world.lifecycle.act(deleted, Action::Delete).await.unwrap();
    world.until_state(deleted, S::Deleted).await;
    world.machines[n].put(deleted, P::Running);

    for _ in 0..2 {
        world.lifecycle.reconcile().await.unwrap();
        for (id, state) in theirs {
            let row = world.until_state(id, state).await;
            assert!(row.is_of(owner));
            assert_eq!(row.host, Some(name("b")));
            assert_eq!(row.endpoint.is_some(), state == S::Running);
            assert_eq!(row.password.expose(), "s3cr3t");
        }
        for id in [of_nobody, of_a_stranger] {
            assert!(world.row(id).await.is_of(boss));
        }
        for id in [unknown, silent] {
            assert_eq!(world.machines[1].power(id), Some(P::Running));
            assert!(world.fixture.store.instance(id).await.is_err());
        }
        assert_eq!(world.fleet.views()[1].orphans, 2);
        assert_eq!(world.machines[n].power(deleted), None);
        assert_eq!(world.row(deleted).await.state, S::Deleted);
    }
    let noted = world.fixture.audit().await.into_iter();
    let noted = noted.filter(|entry| entry.action == AuditAction::InstanceAdopt);
    assert_eq!(noted.count(), 6);
}

#[tokio::test]
async fn what_ran_on_a_host_that_is_configured_no_more_is_left_alone() {
    let world = world(Orphans::Remove).await;
    let (id, n) = world.running().await;
    let other = ["b", "a"][n];
    let left = fleet(&[(other, &world.machines[1 - n])], CONFIG);
    let config = LifecycleConfig::default();
    let lifecycle = Lifecycle::new(world.fixture.store.clone(), left.clone(), config);
    lifecycle.reconcile().await.unwrap();
    let row = world.row(id).await;
    assert_eq!(row.state, InstanceState::Running);
    assert_eq!(left.state_of(&row), None);
    assert_eq!(world.machines[n].power(id), Some(PowerState::Running));
    // What is asked of it is done once it is configured again.
    lifecycle.act(id, Action::Delete).await.unwrap();
    lifecycle.reconcile().await.unwrap();
    assert_eq!(world.row(id).await.state, InstanceState::Deleting);
    let world = until(async || {
        world.lifecycle.reconcile().await.unwrap();
        let row = world.row(id).await;
        (row.state == InstanceState::Deleted).then_some(&world)
    })
    .await;
    assert_eq!(world.machines[n].power(id), None);
}
