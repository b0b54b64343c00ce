//! What goes wrong on the way, and what comes of it: nothing twice, nothing left, nothing
//! that is said to be done and is not.

use std::time::Duration;

use daas_core::Error;
use daas_core::hypervisor::proxmox::client::Credentials;
use daas_core::hypervisor::proxmox::{Config, Proxmox};
use daas_core::hypervisor::{Hypervisor, HypervisorEvent, PowerState};
use daas_core::model::{InstanceId, SnapshotName};
use daas_core::{Secret, chain as error_chain};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::lab::{Lab, config};
use crate::support::conformance::{launch, spec, wait_for};
use crate::support::pve::{Action, PASSWORD, PowerIs, Rule, Timing, USER, World};

const SOON: Duration = Duration::from_secs(5);

const NONE: [u32; 0] = [];

/// So short that a thousand lives take no minute.
pub(crate) const fn quick() -> Timing {
    Timing {
        task: Duration::from_millis(4),
        boot: Duration::from_millis(5),
        statistics: Duration::from_millis(40),
        refusal: Duration::from_millis(5),
        lock: Duration::from_millis(300),
        console: Duration::from_millis(500),
    }
}

pub(crate) fn hasty(config: &mut Config) {
    config.cluster.poll_first = Duration::from_millis(3);
    config.cluster.poll_last = Duration::from_millis(12);
    config.cluster.call_timeout = Duration::from_millis(1000);
    config.watch_every = Duration::from_millis(20);
}

/// Numbers in the range of the installation that are in use.
fn used(world: &World) -> Vec<u32> {
    world
        .guests
        .keys()
        .copied()
        .filter(|vmid| (5000..=5099).contains(vmid))
        .collect()
}

#[tokio::test]
async fn a_clone_whose_outcome_is_unknown_is_made_once() {
    let late = Action::Delay(Duration::from_millis(1500));
    let broken = Action::RefuseAfter(596, "Broken pipe".to_owned());
    let closed = Action::RefuseAfter(599, String::new());
    for action in [Action::DropBefore, Action::DropAfter, late, broken, closed] {
        for kind in ["desktop", "small"] {
            let mut lab = Lab::with(quick(), hasty);
            lab.template = kind;
            let id = InstanceId::random();
            lab.simulator
                .rule(Rule::once("POST", "/clone", action.clone()));
            lab.proxmox.create(&spec(&lab, id)).await.unwrap();
            let cloned = lab
                .simulator
                .world(|world| (world.cloned.clone(), used(world)));
            assert_eq!(
                cloned,
                (vec![lab.vmid(id)], vec![lab.vmid(id)]),
                "{action:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_clone_that_begins_late_is_made_once() {
    // The cluster does it after the connection has ended, and we have asked again.
    for late in [20, 60, 150] {
        for is_new_run in [false, true] {
            let lab = Lab::with(quick(), hasty);
            let spec = spec(&lab, InstanceId::random());
            let action = Action::DoneLater(Duration::from_millis(late));
            let mut rule = Rule::once("POST", "/clone", action);
            if is_new_run {
                // Each of its calls, until the program ends.
                rule = rule.times(2);
            }
            lab.simulator.rule(rule);
            if is_new_run {
                let create = lab.proxmox.create(&spec);
                let _ = timeout(Duration::from_millis(10), create).await;
            }
            let mut anew = config(&lab.simulator);
            hasty(&mut anew);
            let anew = Proxmox::new(anew).unwrap();
            let proxmox = if is_new_run { &anew } else { &lab.proxmox };
            proxmox.create(&spec).await.unwrap();
            sleep(Duration::from_millis(late + 50)).await;
            let guests = lab.simulator.world(|world| used(world));
            assert_eq!(guests, [lab.vmid(spec.id)], "{late} {is_new_run}");
        }
    }
}

#[tokio::test]
async fn what_fails_for_a_moment_is_done_again() {
    let storage =
        "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-x' - got timeout";
    let lock = "can't lock file '/var/lock/qemu-server/lock-5000.conf' - got timeout";
    let cases = [
        ("/clone", Action::TaskFails(storage.to_owned())),
        ("/clone", Action::Refuse(595, "No route to host".to_owned())),
        (
            "/clone",
            Action::Refuse(500, "cluster not ready - no quorum?".to_owned()),
        ),
        ("/clone", Action::Refuse(500, lock.to_owned())),
        ("/config", Action::Refuse(500, lock.to_owned())),
        ("/config", Action::DropAfter),
        ("/resize", Action::TaskFails(lock.to_owned())),
        (
            "/start",
            Action::TaskFails("VM is locked (backup)".to_owned()),
        ),
        ("/start", Action::DropAfter),
        ("/start", Action::WorkerDies),
        ("/stop", Action::DropBefore),
        (
            "/shutdown",
            Action::RefuseAfter(596, "Broken pipe".to_owned()),
        ),
        ("/suspend", Action::DropAfter),
        ("/resume", Action::DropBefore),
        ("/qemu/5", Action::DropAfter),
    ];
    for (path, action) in cases {
        let lab = Lab::with(quick(), hasty);
        for method in ["POST", "PUT", "DELETE"] {
            lab.simulator
                .rule(Rule::once(method, path, action.clone()).times(2));
        }
        let id = InstanceId::random();
        let mut spec = spec(&lab, id);
        spec.resources.disk_mib = 20 << 10;
        lab.proxmox.create(&spec).await.unwrap();
        let disk = lab
            .simulator
            .world(|world| world.guests[&lab_vmid(world, id)].config["scsi0"].clone());
        assert!(disk.ends_with("size=20G"), "{disk}");
        lab.proxmox.start(id).await.unwrap();
        wait_for(&lab.proxmox, id, PowerState::Running).await;
        lab.proxmox.suspend(id).await.unwrap();
        lab.proxmox.resume(id).await.unwrap();
        lab.proxmox.stop(id, SOON).await.unwrap();
        lab.proxmox.remove(id).await.unwrap();
        assert_eq!(
            lab.simulator.world(|world| used(world)),
            NONE,
            "{path} {action:?}"
        );
    }
}

fn lab_vmid(world: &World, id: InstanceId) -> u32 {
    world.named(&id.to_string())[0]
}

#[tokio::test]
async fn a_clone_whose_worker_died_is_left_to_people() {
    let lab = Lab::with(quick(), hasty);
    let id = InstanceId::random();
    lab.simulator
        .rule(Rule::once("POST", "/clone", Action::WorkerDies));
    // Nobody but root can do anything with it; it will never be a clone, so another is made.
    lab.proxmox.create(&spec(&lab, id)).await.unwrap();
    let cloned = lab.simulator.world(|world| world.cloned.clone());
    assert_eq!(cloned.len(), 2);
    assert_eq!(lab.vmid(id), cloned[1]);
    assert_eq!(lab.proxmox.list().await.unwrap().len(), 1);
    lab.proxmox.remove(id).await.unwrap();
    assert_eq!(lab.simulator.world(|world| used(world)), [cloned[0]]);
}

#[tokio::test]
async fn what_an_earlier_run_began_is_carried_on() {
    // The program ends at any moment of creating, and begins anew.
    for step in 0..40 {
        let lab = Lab::with(quick(), hasty);
        let id = InstanceId::random();
        let spec = spec(&lab, id);
        let moment = Duration::from_micros(700 * step);
        let _ = timeout(moment, lab.proxmox.create(&spec)).await;
        let mut anew = config(&lab.simulator);
        hasty(&mut anew);
        let anew = Proxmox::new(anew).unwrap();
        if step % 2 == 0 {
            anew.create(&spec).await.unwrap();
            assert_eq!(anew.list().await.unwrap().len(), 1);
        }
        let cloned = lab.simulator.world(|world| world.cloned.clone());
        assert!(cloned.len() <= 1, "{step}: {cloned:?}");
        // What no row knows is found and removed, finished or not.
        until_gone(&lab, &anew).await;
    }
}

/// Removes all that is listed, until nothing is left.
async fn until_gone(lab: &Lab, proxmox: &Proxmox) {
    for _ in 0..500 {
        for observed in proxmox.list().await.unwrap() {
            proxmox.remove(observed.id).await.unwrap();
        }
        if lab.simulator.world(|world| used(world).is_empty()) {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("left: {:?}", lab.simulator.world(|world| used(world)));
}

#[tokio::test]
async fn guests_that_move_are_followed() {
    let lab = Lab::with(quick(), hasty);
    let id = launch(&lab).await;
    let vmid = lab.vmid(id);
    let to = |node| lab.simulator.world(|world| world.relocate(vmid, node));
    to("pve2");
    assert_eq!(
        lab.proxmox.inspect(id).await.unwrap().power,
        PowerState::Running
    );
    to("pve1");
    lab.proxmox.suspend(id).await.unwrap();
    to("pve2");
    lab.proxmox.resume(id).await.unwrap();
    to("pve1");
    lab.proxmox.stop(id, SOON).await.unwrap();
    to("pve2");
    lab.proxmox.start(id).await.unwrap();
    assert!(!lab.proxmox.log(id).await.unwrap().is_empty());
    to("pve1");
    lab.proxmox.remove(id).await.unwrap();
    assert_eq!(lab.simulator.world(|world| used(world)), NONE);
}

#[tokio::test]
async fn guests_of_a_manager_of_ha_are_waited_for() {
    let lab = Lab::with(
        Timing {
            boot: Duration::from_millis(100),
            ..quick()
        },
        hasty,
    );
    let id = InstanceId::random();
    lab.proxmox.create(&spec(&lab, id)).await.unwrap();
    let vmid = lab.vmid(id);
    lab.simulator
        .world(|world| world.guests.get_mut(&vmid).unwrap().is_managed = true);
    // The task ends before the guest runs.
    lab.proxmox.start(id).await.unwrap();
    assert_eq!(
        lab.simulator.world(|world| world.guests[&vmid].power),
        PowerIs::Running
    );
    lab.proxmox.remove(id).await.unwrap();
}

#[tokio::test]
async fn a_node_that_is_off_takes_nothing_away() {
    let lab = Lab::with(quick(), |config| {
        hasty(config);
        config.power_timeout = Duration::from_millis(400);
        config.call_timeout = Duration::from_millis(400);
    });
    let id = launch(&lab).await;
    let (sender, mut events) = mpsc::channel(16);
    let watched = async {
        let next =
            async |events: &mut mpsc::Receiver<_>| timeout(SOON, events.recv()).await.unwrap();
        assert_eq!(next(&mut events).await, Some(HypervisorEvent::Reconnected));
        lab.simulator
            .world(|world| world.nodes.insert("pve1".to_owned(), false));
        assert_eq!(next(&mut events).await, Some(HypervisorEvent::Changed(id)));
        // Not gone: nobody knows.
        let listed = lab.proxmox.list().await.unwrap();
        assert_eq!(
            (listed[0].id, listed[0].power),
            (id, PowerState::Unreachable)
        );
        for answer in [
            lab.proxmox.start(id).await,
            lab.proxmox.stop(id, SOON).await,
        ] {
            assert!(
                matches!(answer, Err(Error::Unavailable { .. })),
                "{answer:?}"
            );
        }
        let looked = lab.proxmox.inspect(id).await;
        assert!(
            matches!(looked, Err(Error::Unavailable { .. })),
            "{looked:?}"
        );
        lab.simulator
            .world(|world| world.nodes.insert("pve1".to_owned(), true));
        assert_eq!(next(&mut events).await, Some(HypervisorEvent::Changed(id)));
        drop(events);
    };
    let both = async { tokio::join!(lab.proxmox.watch(sender), watched) };
    timeout(4 * SOON, both).await.unwrap();
    wait_for(&lab.proxmox, id, PowerState::Running).await;
}

#[tokio::test]
async fn a_cluster_that_is_away_is_told_when_it_is_back() {
    let lab = Lab::with(quick(), hasty);
    let (sender, mut events) = mpsc::channel(16);
    let watched = async {
        let next =
            async |events: &mut mpsc::Receiver<_>| timeout(SOON, events.recv()).await.unwrap();
        assert_eq!(next(&mut events).await, Some(HypervisorEvent::Reconnected));
        lab.simulator
            .rule(Rule::once("GET", "/cluster/resources", Action::DropBefore).times(3));
        assert_eq!(next(&mut events).await, Some(HypervisorEvent::Reconnected));
        drop(events);
    };
    let both = async { tokio::join!(lab.proxmox.watch(sender), watched) };
    timeout(4 * SOON, both).await.unwrap();
}

#[tokio::test]
async fn without_quorum_it_is_waited_but_not_for_ever() {
    let lab = Lab::with(quick(), |config| {
        hasty(config);
        config.power_timeout = Duration::from_millis(1500);
    });
    let id = InstanceId::random();
    lab.proxmox.create(&spec(&lab, id)).await.unwrap();
    lab.simulator.world(|world| world.has_quorum = false);
    let started = lab.proxmox.start(id).await;
    assert!(
        matches!(started, Err(Error::Unavailable { .. })),
        "{started:?}"
    );
    let back = async {
        sleep(Duration::from_millis(300)).await;
        lab.simulator.world(|world| world.has_quorum = true);
    };
    let (started, ()) = tokio::join!(lab.proxmox.start(id), back);
    started.unwrap();
}

#[tokio::test]
async fn tickets_end_in_the_middle() {
    let lab = Lab::with(quick(), |config| {
        hasty(config);
        config.cluster.credentials = Credentials::Password {
            user: USER.to_owned(),
            password: Secret::new(PASSWORD.to_owned()),
        };
    });
    for path in [
        "/clone",
        "/config",
        "/tasks/",
        "/start",
        "/current",
        "/resources",
        "/stop",
    ] {
        lab.simulator.rule(Rule::once("", path, Action::Expire));
        let id = launch(&lab).await;
        lab.proxmox.stop(id, Duration::ZERO).await.unwrap();
        lab.proxmox.remove(id).await.unwrap();
    }
    assert_eq!(lab.simulator.world(|world| world.cloned.len()), 7);
}

#[tokio::test]
async fn guests_that_do_not_obey_are_stopped() {
    for kind in ["desktop", "small"] {
        let mut lab = Lab::with(quick(), hasty);
        lab.template = kind;
        let id = launch(&lab).await;
        let vmid = lab.vmid(id);
        lab.simulator
            .world(|world| world.guests.get_mut(&vmid).unwrap().obeys = false);
        lab.proxmox.stop(id, Duration::from_secs(1)).await.unwrap();
        assert_eq!(
            lab.simulator.world(|world| world.guests[&vmid].power),
            PowerIs::Stopped
        );
    }
}

/// How many lives are tried; more where that is asked for.
fn seeds() -> u64 {
    let asked = std::env::var("DAAS_PVE_SEEDS").ok();
    asked.map_or(60, |text| text.parse().unwrap())
}

/// Does something until the cluster is there for it.
async fn insist<T>(seed: u64, act: impl AsyncFn() -> Result<T, Error>) -> T {
    for _ in 0..200 {
        match act().await {
            Ok(done) => return done,
            Err(Error::Unavailable { .. }) => sleep(Duration::from_millis(2)).await,
            Err(error) => panic!("seed {seed}: {}", error_chain(&error)),
        }
    }
    panic!("seed {seed}: the cluster is never there");
}

/// One life with a tenth of the calls lost, before or after they were done.
async fn life(seed: u64) {
    let mut lab = Lab::with(quick(), hasty);
    if seed.is_multiple_of(3) {
        lab.template = "small";
    }
    lab.simulator
        .world(|world| world.faults.chaos = Some((seed, 100)));
    let proxmox = &lab.proxmox;
    let id = InstanceId::random();
    let spec = spec(&lab, id);
    insist(seed, async || proxmox.create(&spec).await).await;
    let guests = lab.simulator.world(|world| used(world));
    assert_eq!(guests, [lab.vmid(id)], "seed {seed}");
    insist(seed, async || proxmox.start(id).await).await;
    let vmid = lab.vmid(id);
    let power = || lab.simulator.world(|world| world.guests[&vmid].power);
    assert_eq!(power(), PowerIs::Running, "seed {seed}");
    if lab.template == "desktop" {
        insist(seed, async || proxmox.suspend(id).await).await;
        assert_eq!(power(), PowerIs::Paused, "seed {seed}");
        insist(seed, async || proxmox.resume(id).await).await;
        assert_eq!(power(), PowerIs::Running, "seed {seed}");
    }
    insist(seed, async || proxmox.stop(id, SOON).await).await;
    assert_eq!(power(), PowerIs::Stopped, "seed {seed}");
    assert_eq!(
        insist(seed, async || proxmox.list().await).await.len(),
        1,
        "seed {seed}"
    );
    let name: SnapshotName = "before".parse().unwrap();
    insist(seed, async || proxmox.snapshot(id, &name).await).await;
    let kept = insist(seed, async || proxmox.snapshots(id).await).await;
    assert_eq!(kept.len(), 1, "seed {seed}");
    insist(seed, async || proxmox.rollback(id, &name).await).await;
    assert_eq!(power(), PowerIs::Stopped, "seed {seed}");
    if seed.is_multiple_of(2) {
        insist(seed, async || proxmox.remove_snapshot(id, &name).await).await;
        let kept = insist(seed, async || proxmox.snapshots(id).await).await;
        assert_eq!(kept, [], "seed {seed}");
    }
    insist(seed, async || proxmox.remove(id).await).await;
    assert_eq!(
        lab.simulator.world(|world| used(world)),
        NONE,
        "seed {seed}"
    );
}

#[test]
fn lives_on_a_bad_connection_end_well() {
    let seeds: Vec<u64> = (0..seeds()).collect();
    for some in seeds.chunks(8) {
        std::thread::scope(|scope| {
            for seed in some {
                scope.spawn(|| {
                    let mut runtime = tokio::runtime::Builder::new_current_thread();
                    let runtime = runtime.enable_all().build().unwrap();
                    runtime.block_on(life(*seed));
                });
            }
        });
    }
}
