//! Snapshots, with answers that are lost and locks that stay: nothing is done twice that must
//! not be, and nothing is said to be done that is not.

use std::time::Duration;

use daas_core::Error;
use daas_core::hypervisor::Hypervisor;
use daas_core::model::{InstanceId, SnapshotName};

use crate::faults::{hasty, quick};
use crate::lab::Lab;
use crate::support::conformance::spec;
use crate::support::pve::{Action, Guest, PowerIs, Rule, SnapshotOf};

fn name(text: &str) -> SnapshotName {
    text.parse().unwrap()
}

/// An instance that is stopped.
async fn stopped(template: &'static str) -> (Lab, InstanceId, u32) {
    let mut lab = Lab::with(quick(), hasty);
    lab.template = template;
    let id = InstanceId::random();
    lab.proxmox.create(&spec(&lab, id)).await.unwrap();
    let vmid = lab.vmid(id);
    (lab, id, vmid)
}

fn with<T>(lab: &Lab, vmid: u32, change: impl FnOnce(&mut Guest) -> T) -> T {
    lab.simulator
        .world(|world| change(world.guests.get_mut(&vmid).unwrap()))
}

/// Stands for what is on its disk.
fn write(lab: &Lab, vmid: u32, text: &str) {
    with(lab, vmid, |guest| {
        guest.config.insert("x-disk".to_owned(), text.to_owned());
    });
}

fn read(lab: &Lab, vmid: u32) -> String {
    with(lab, vmid, |guest| {
        guest.config.get("x-disk").cloned().unwrap_or_default()
    })
}

/// Tasks of a kind that there ever were.
fn tasks(lab: &Lab, kind: &str) -> usize {
    lab.simulator.world(|world| {
        let tasks = world.tasks.iter();
        tasks.filter(|task| task.kind.ends_with(kind)).count()
    })
}

async fn names(lab: &Lab, id: InstanceId) -> Vec<String> {
    let all = lab.proxmox.snapshots(id).await.unwrap();
    all.iter().map(|one| one.name.to_string()).collect()
}

fn is_unavailable<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Unavailable { .. }))
}

fn is_conflict<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Conflict { .. }))
}

/// What may happen to a call so that whoever made it does not know.
fn lost() -> [Action; 4] {
    [
        Action::DropBefore,
        Action::DropAfter,
        Action::Delay(Duration::from_millis(1500)),
        Action::RefuseAfter(596, "Broken pipe".to_owned()),
    ]
}

#[tokio::test]
async fn what_was_lost_is_looked_into_and_made_once() {
    for template in ["desktop", "small"] {
        for action in lost() {
            let (lab, id, vmid) = stopped(template).await;
            write(&lab, vmid, "first");
            lab.simulator
                .rule(Rule::once("POST", "/snapshot", action.clone()));
            lab.proxmox.snapshot(id, &name("before")).await.unwrap();
            assert_eq!(names(&lab, id).await, ["before"], "{action:?}");
            assert_eq!(tasks(&lab, "msnapshot") + tasks(&lab, "vzsnapshot"), 1);
            // Asking for it again changes nothing.
            write(&lab, vmid, "second");
            lab.proxmox.snapshot(id, &name("before")).await.unwrap();
            lab.proxmox.rollback(id, &name("before")).await.unwrap();
            assert_eq!(read(&lab, vmid), "first");
            lab.simulator
                .rule(Rule::once("DELETE", "/snapshot/before", action.clone()));
            lab.proxmox
                .remove_snapshot(id, &name("before"))
                .await
                .unwrap();
            assert!(names(&lab, id).await.is_empty(), "{action:?}");
            assert_eq!(tasks(&lab, "delsnapshot"), 1, "{action:?}");
        }
    }
}

#[tokio::test]
async fn going_back_is_never_done_twice_by_itself() {
    for action in lost() {
        let (lab, id, vmid) = stopped("desktop").await;
        write(&lab, vmid, "first");
        lab.proxmox.snapshot(id, &name("before")).await.unwrap();
        write(&lab, vmid, "second");
        lab.simulator
            .rule(Rule::once("POST", "/rollback", action.clone()));
        let answer = lab.proxmox.rollback(id, &name("before")).await;
        if action == Action::DropBefore {
            // Nobody knows, so it is said, and whoever wants it asks again.
            assert!(is_unavailable(&answer), "{answer:?}");
            assert_eq!(tasks(&lab, "rollback"), 0);
            assert_eq!(read(&lab, vmid), "second");
            lab.proxmox.rollback(id, &name("before")).await.unwrap();
        } else {
            // The task tells that it was done.
            answer.unwrap();
        }
        assert_eq!(tasks(&lab, "rollback"), 1, "{action:?}");
        assert_eq!(read(&lab, vmid), "first", "{action:?}");
    }
}

#[tokio::test]
async fn an_earlier_way_back_is_not_taken_for_this_one() {
    let (lab, id, vmid) = stopped("desktop").await;
    lab.proxmox.snapshot(id, &name("before")).await.unwrap();
    lab.proxmox.rollback(id, &name("before")).await.unwrap();
    write(&lab, vmid, "since");
    lab.simulator
        .rule(Rule::once("POST", "/rollback", Action::DropBefore));
    let answer = lab.proxmox.rollback(id, &name("before")).await;
    assert!(is_unavailable(&answer), "{answer:?}");
    assert_eq!(read(&lab, vmid), "since");
}

#[tokio::test]
async fn only_what_is_stopped_goes_back() {
    let (lab, id, vmid) = stopped("desktop").await;
    lab.proxmox.snapshot(id, &name("before")).await.unwrap();
    lab.proxmox.start(id).await.unwrap();
    write(&lab, vmid, "since");
    for power in [PowerIs::Running, PowerIs::Paused] {
        with(&lab, vmid, |guest| guest.power = power);
        let answer = lab.proxmox.rollback(id, &name("before")).await;
        assert!(is_conflict(&answer), "{answer:?}");
    }
    // What stands still with its memory is not kept, either.
    let answer = lab.proxmox.snapshot(id, &name("frozen")).await;
    assert!(is_conflict(&answer), "{answer:?}");
    assert_eq!(
        (tasks(&lab, "rollback"), read(&lab, vmid).as_str()),
        (0, "since")
    );
    with(&lab, vmid, |guest| guest.power = PowerIs::Stopped);
    lab.proxmox.rollback(id, &name("before")).await.unwrap();
    assert_eq!(
        with(&lab, vmid, |guest| guest.power),
        PowerIs::Stopped,
        "it is left stopped"
    );
}

#[tokio::test]
async fn a_snapshot_with_memory_is_not_gone_back_to() {
    let (lab, id, vmid) = stopped("desktop").await;
    with(&lab, vmid, |guest| {
        guest.snapshots.push(SnapshotOf {
            name: "by-hand".to_owned(),
            description: String::new(),
            with_memory: true,
            config: guest.config.clone(),
            unfinished: None,
        });
    });
    assert_eq!(names(&lab, id).await, ["by-hand"]);
    let answer = lab.proxmox.rollback(id, &name("by-hand")).await;
    assert!(is_conflict(&answer), "{answer:?}");
    assert_eq!(tasks(&lab, "rollback"), 0);
}

#[tokio::test]
async fn what_is_half_made_is_not_shown_and_made_anew() {
    let (lab, id, vmid) = stopped("desktop").await;
    let broken = |state| {
        with(&lab, vmid, |guest| {
            guest.snapshots.push(SnapshotOf {
                name: "broken".to_owned(),
                description: String::new(),
                with_memory: false,
                config: guest.config.clone(),
                unfinished: Some(state),
            });
        });
    };
    broken("prepare");
    assert!(names(&lab, id).await.is_empty());
    let answer = lab.proxmox.rollback(id, &name("broken")).await;
    assert!(
        matches!(answer, Err(Error::NotFound { what: "snapshot" })),
        "{answer:?}"
    );
    lab.proxmox.snapshot(id, &name("broken")).await.unwrap();
    assert_eq!(names(&lab, id).await, ["broken"]);
    let id_of_none = lab.proxmox.rollback(id, &name("other")).await;
    assert!(matches!(
        id_of_none,
        Err(Error::NotFound { what: "snapshot" })
    ));
    lab.proxmox
        .remove_snapshot(id, &name("broken"))
        .await
        .unwrap();
    broken("delete");
    lab.proxmox
        .remove_snapshot(id, &name("broken"))
        .await
        .unwrap();
    assert!(with(&lab, vmid, |guest| guest.snapshots.is_empty()));
}

#[tokio::test]
async fn locks_are_waited_for_but_not_for_ever() {
    let (lab, id, vmid) = stopped("desktop").await;
    with(&lab, vmid, |guest| guest.lock = Some("backup".to_owned()));
    // A lock that nobody holds stays until root opens it.
    for answer in [
        lab.proxmox.snapshot(id, &name("before")).await,
        lab.proxmox.snapshot(id, &name("before")).await,
    ] {
        assert!(is_unavailable(&answer), "{answer:?}");
    }
    assert_eq!(tasks(&lab, "snapshot"), 0);
    let opened = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        with(&lab, vmid, |guest| guest.lock = None);
    };
    let name_of = name("before");
    let (taken, ()) = tokio::join!(lab.proxmox.snapshot(id, &name_of), opened);
    taken.unwrap();
    assert_eq!(names(&lab, id).await, ["before"]);
}

#[tokio::test]
async fn what_a_worker_left_is_not_called_done() {
    let (lab, id, vmid) = stopped("desktop").await;
    lab.proxmox.snapshot(id, &name("before")).await.unwrap();
    write(&lab, vmid, "since");
    lab.simulator
        .rule(Rule::once("POST", "/rollback", Action::WorkerDies));
    for _ in 0..2 {
        let answer = lab.proxmox.rollback(id, &name("before")).await;
        assert!(is_unavailable(&answer), "{answer:?}");
    }
    // The lock of the first stayed, so there was no second.
    assert_eq!(tasks(&lab, "rollback"), 1);
    with(&lab, vmid, |guest| guest.lock = None);
    lab.proxmox.rollback(id, &name("before")).await.unwrap();
    assert_eq!(read(&lab, vmid), "");
}

#[tokio::test]
async fn what_fails_for_a_moment_is_done_again() {
    let lock = "can't lock file '/var/lock/qemu-server/lock-5000.conf' - got timeout";
    for action in [
        Action::Refuse(595, "No route to host".to_owned()),
        Action::Refuse(500, "cluster not ready - no quorum?".to_owned()),
        Action::TaskFails(lock.to_owned()),
        Action::TaskFails("VM is locked (backup)".to_owned()),
    ] {
        let (lab, id, vmid) = stopped("desktop").await;
        for (method, path) in [
            ("POST", "/snapshot"),
            ("POST", "/rollback"),
            ("DELETE", "/snapshot/"),
            ("GET", "/snapshot"),
        ] {
            let is_task = matches!(action, Action::TaskFails(_));
            if !(is_task && method == "GET") {
                lab.simulator
                    .rule(Rule::once(method, path, action.clone()).times(2));
            }
        }
        lab.proxmox.snapshot(id, &name("before")).await.unwrap();
        write(&lab, vmid, "since");
        lab.proxmox.rollback(id, &name("before")).await.unwrap();
        assert_eq!(read(&lab, vmid), "", "{action:?}");
        lab.proxmox
            .remove_snapshot(id, &name("before"))
            .await
            .unwrap();
        assert!(with(&lab, vmid, |guest| guest.snapshots.is_empty()));
    }
}

#[tokio::test]
async fn why_it_is_not_possible_is_said() {
    let (lab, id, _) = stopped("desktop").await;
    lab.simulator.rule(Rule::once(
        "POST",
        "/snapshot",
        Action::TaskFails("snapshot feature is not available".to_owned()),
    ));
    let answer = lab.proxmox.snapshot(id, &name("before")).await;
    assert!(
        matches!(answer, Err(Error::Unsupported { .. })),
        "{answer:?}"
    );
    lab.proxmox.snapshot(id, &name("before")).await.unwrap();
    let newer = "can't rollback, 'x@before' is not most recent snapshot";
    lab.simulator
        .rule(Rule::once("POST", "/rollback", Action::TaskFails(newer.to_owned())).times(9));
    let answer = lab.proxmox.rollback(id, &name("before")).await;
    let Err(Error::Conflict { reason }) = answer else {
        panic!("{answer:?}");
    };
    assert!(reason.contains("newer snapshots"), "{reason}");
}

#[tokio::test]
async fn guests_that_move_are_followed() {
    let (lab, id, vmid) = stopped("desktop").await;
    let to = |node| lab.simulator.world(|world| world.relocate(vmid, node));
    to("pve2");
    lab.proxmox.snapshot(id, &name("before")).await.unwrap();
    to("pve1");
    assert_eq!(names(&lab, id).await, ["before"]);
    to("pve2");
    lab.proxmox.rollback(id, &name("before")).await.unwrap();
    to("pve1");
    lab.proxmox
        .remove_snapshot(id, &name("before"))
        .await
        .unwrap();
    assert!(names(&lab, id).await.is_empty());
}
