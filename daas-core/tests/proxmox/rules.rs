//! What is made of a template, whose guests are touched, and which addresses are believed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use daas_core::Error;
use daas_core::hypervisor::proxmox::client::{Fingerprint, Trust};
use daas_core::hypervisor::proxmox::{Cloning, Config, Proxmox};
use daas_core::hypervisor::{Hypervisor, PowerState, Spec};
use daas_core::model::{InstanceId, Reach};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::lab::{self, Lab, POOL, config};
use crate::support::conformance::{Fixture as _, launch, spec, wait_for};
use crate::support::pve::{Guest, GuestKind, PowerIs, World};

fn with(lab: &Lab, vmid: u32, change: impl FnOnce(&mut Guest)) {
    lab.simulator
        .world(|world| change(world.guests.get_mut(&vmid).unwrap()));
}

fn config_of(lab: &Lab, vmid: u32) -> BTreeMap<String, String> {
    lab.simulator
        .world(|world| world.guests[&vmid].config.clone())
}

#[tokio::test]
async fn a_clone_is_set_up_before_it_is_started() {
    let lab = Lab::new(|_| {});
    let id = InstanceId::random();
    let mut spec = spec(&lab, id);
    spec.resources.cpu_millis = 2500;
    spec.resources.memory_mib = 3000;
    spec.resources.disk_mib = 20_000;
    lab.proxmox.create(&spec).await.unwrap();
    let vmid = lab.vmid(id);
    let of = config_of(&lab, vmid);
    assert!((5000..=5099).contains(&vmid));
    assert_eq!(of["name"], format!("lab-{id}"));
    assert_eq!(
        (of["cores"].as_str(), of["cpulimit"].as_str()),
        ("3", "2.5")
    );
    assert_eq!(of["memory"], "3000");
    assert_eq!(
        (of["ciuser"].as_str(), of["cipassword"].as_str()),
        ("desktop", "s3cr3t-p")
    );
    assert_eq!(of["scsi0"], format!("local-lvm:vm-{vmid}-disk-0,size=20G"));
    let port = lab.image().1;
    assert_eq!(
        of["tags"],
        format!("daas-{id};daas-at-lab;daas-port-{port}")
    );
    assert!(of["description"].contains("\ntest-desktop\n"));
    let (pool, linked) = lab.simulator.world(|world| {
        (
            world.guests[&vmid].pool.clone(),
            world.guests[&vmid].linked_to,
        )
    });
    assert_eq!((pool.as_deref(), linked), (Some(POOL), Some(900)));
    // Nothing shows the password.
    let calls = lab.simulator.world(|world| format!("{:?}", world.calls));
    assert!(!calls.contains("s3cr3t-p"));
}

/// Where a clone of `desktop`, whose template is on `pve1`, goes.
async fn node_of_a_clone(change: impl FnOnce(&mut World)) -> String {
    let lab = Lab::new(|_| {});
    lab.simulator.world(change);
    let id = InstanceId::random();
    lab.proxmox.create(&spec(&lab, id)).await.unwrap();
    // It can be used where it is.
    lab.proxmox.start(id).await.unwrap();
    let vmid = lab.vmid(id);
    let node = lab
        .simulator
        .world(|world| world.guests[&vmid].node.clone());
    lab.proxmox.remove(id).await.unwrap();
    node
}

fn share(world: &mut World) {
    for storage in world.storages.values_mut() {
        storage.shared = true;
    }
}

#[tokio::test]
async fn clones_go_to_the_node_with_the_most_memory_left() {
    let uses = |world: &mut World, node: &str, gib| {
        world.used_memory.insert(node.to_owned(), gib);
    };
    // Where only one node has the disks, there is no choice.
    let node = node_of_a_clone(|world| uses(world, "pve1", 60)).await;
    assert_eq!(node, "pve1");
    let node = node_of_a_clone(|world| {
        share(world);
        uses(world, "pve1", 60);
    });
    assert_eq!(node.await, "pve2");
    let node = node_of_a_clone(|world| {
        share(world);
        uses(world, "pve2", 60);
    });
    assert_eq!(node.await, "pve1");
    assert_eq!(node_of_a_clone(share).await, "pve1");
    let node = node_of_a_clone(|world| {
        share(world);
        uses(world, "pve1", 60);
        world.nodes.insert("pve2".to_owned(), false);
    });
    assert_eq!(node.await, "pve1");
}

#[tokio::test]
async fn a_cluster_says_how_busy_its_nodes_are() {
    let lab = Lab::new(|_| {});
    let id = launch(&lab).await;
    lab.simulator.world(|world| {
        world.used_memory.insert("pve1".to_owned(), 20);
        world.nodes.insert("pve2".to_owned(), false);
    });
    let report = lab.proxmox.report().await.unwrap();
    assert!(report.version.starts_with("Proxmox VE 9"), "{report:?}");
    // Those that are off have nothing for anybody.
    assert_eq!((report.cpus, report.memory_mib), (16, 64 << 10));
    assert_eq!(report.memory_used_mib, Some(20 << 10));
    let nodes = report.nodes.iter();
    let nodes: Vec<_> = nodes.map(|node| (&*node.name, node.is_on)).collect();
    assert_eq!(nodes, [("pve1", true), ("pve2", false)]);
    lab.proxmox.remove(id).await.unwrap();
}

#[tokio::test]
async fn it_is_known_which_cannot_be_suspended() {
    let mut lab = Lab::new(|_| {});
    let (machine, container) = (InstanceId::random(), InstanceId::random());
    lab.proxmox.create(&spec(&lab, machine)).await.unwrap();
    lab.template = "small";
    lab.proxmox.create(&spec(&lab, container)).await.unwrap();
    lab.proxmox.inspect(container).await.unwrap();
    let suspends = |id| lab.proxmox.can_with(id).suspend;
    assert!(suspends(machine));
    assert!(!suspends(container));
    assert!(lab.proxmox.can_with(container).snapshot);
    // Another run of the program knows it as soon as it has looked.
    let other = lab::open(&lab.simulator);
    other.list().await.unwrap();
    assert!(!other.can_with(container).suspend);
}

#[tokio::test]
async fn a_desktop_that_is_seen_by_its_console_says_so() {
    let lab = Lab::new(|_| {});
    let id = InstanceId::random();
    let spec = Spec {
        reach: Reach::Console,
        ..spec(&lab, id)
    };
    lab.proxmox.create(&spec).await.unwrap();
    let of = config_of(&lab, lab.vmid(id));
    assert_eq!(of["tags"], format!("daas-{id};daas-at-lab;daas-console"));
    lab.proxmox.start(id).await.unwrap();
    // No guest is asked for an address that nobody needs.
    lab.proxmox.inspect(id).await.unwrap();
    let calls = lab.simulator.world(|world| format!("{:?}", world.calls));
    assert!(!calls.contains("network-get-interfaces"), "{calls}");
    let here = IpAddr::from([127, 0, 0, 1]);
    let console = lab.proxmox.console(id, here, here).await.unwrap();
    let mut stream = TcpStream::connect(console.address).await.unwrap();
    let mut greeting = [0; 12];
    stream.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"RFB 003.008\n");
}

#[tokio::test]
async fn disks_are_never_made_smaller() {
    let lab = Lab::new(|_| {});
    let id = InstanceId::random();
    let mut spec = spec(&lab, id);
    spec.resources.disk_mib = 1024;
    lab.proxmox.create(&spec).await.unwrap();
    assert!(config_of(&lab, lab.vmid(id))["scsi0"].ends_with("size=8G"));
}

#[tokio::test]
async fn where_nothing_can_be_linked_all_is_copied() {
    let mut lab = Lab::new(|_| {});
    lab.template = "heavy";
    let id = InstanceId::random();
    lab.proxmox.create(&spec(&lab, id)).await.unwrap();
    let vmid = lab.vmid(id);
    assert_eq!(
        lab.simulator.world(|world| world.guests[&vmid].linked_to),
        None
    );
    assert!(config_of(&lab, vmid)["scsi0"].starts_with("plain:"));

    let lab = Lab::new(|config| {
        let storage = Some("plain".to_owned());
        config.cloning = Cloning::Full { storage };
    });
    let id = InstanceId::random();
    lab.proxmox.create(&spec(&lab, id)).await.unwrap();
    let vmid = lab.vmid(id);
    assert_eq!(
        lab.simulator.world(|world| world.guests[&vmid].linked_to),
        None
    );
    assert!(config_of(&lab, vmid)["scsi0"].starts_with("plain:"));
}

#[tokio::test]
async fn templates_have_names_and_numbers() {
    let mut lab = Lab::new(|_| {});
    lab.template = "900";
    assert!(lab.proxmox.has_image("desktop").await.unwrap());
    assert!(lab.proxmox.has_image("900").await.unwrap());
    let id = launch(&lab).await;
    // What is no template is no image, also if it has the name of one.
    let name = format!("lab-{id}");
    assert!(!lab.proxmox.has_image(&name).await.unwrap());
    assert!(
        !lab.proxmox
            .has_image(&lab.vmid(id).to_string())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn of_equal_templates_that_with_more_room_is_taken() {
    let lab = Lab::new(|_| {});
    lab.simulator.world(|world| {
        let mut twin = world.guests[&900].clone();
        twin.node = "pve2".to_owned();
        world.guests.insert(905, twin);
        // A node that is off has no room at all.
        world.nodes.insert("pve1".to_owned(), false);
    });
    let id = InstanceId::random();
    lab.proxmox.create(&spec(&lab, id)).await.unwrap();
    let vmid = lab.vmid(id);
    assert_eq!(
        lab.simulator
            .world(|world| world.guests[&vmid].node.clone()),
        "pve2"
    );
}

#[tokio::test]
async fn numbers_that_others_have_are_passed_over() {
    let lab = Lab::new(|config| config.vmids = 5000..=5002);
    let other = |world: &mut World| {
        world
            .guests
            .insert(5001, Guest::new(GuestKind::Qemu, "pve2"))
    };
    lab.simulator.world(other);
    let ids = [
        InstanceId::random(),
        InstanceId::random(),
        InstanceId::random(),
    ];
    let specs = ids.map(|id| spec(&lab, id));
    let (a, b) = tokio::join!(lab.proxmox.create(&specs[0]), lab.proxmox.create(&specs[1]));
    a.unwrap();
    b.unwrap();
    let mut used = [lab.vmid(ids[0]), lab.vmid(ids[1])];
    used.sort_unstable();
    assert_eq!(used, [5000, 5002]);
    let full = lab.proxmox.create(&specs[2]).await;
    assert!(matches!(full, Err(Error::Exhausted { .. })), "{full:?}");
}

#[tokio::test]
async fn what_others_made_is_not_touched() {
    let lab = Lab::new(|_| {});
    let id = launch(&lab).await;
    let vmid = lab.vmid(id);
    let own = lab.simulator.world(|world| world.guests[&vmid].clone());
    let id_of_others = InstanceId::random();
    let copy = |change: &dyn Fn(&mut Guest)| {
        let mut guest = own.clone();
        change(&mut guest);
        guest
    };
    let renamed = |guest: &mut Guest, name: &str| {
        guest.config.insert("name".to_owned(), name.to_owned());
    };
    let tagged = |guest: &mut Guest, tags: &str| {
        guest.config.insert("tags".to_owned(), tags.to_owned());
    };
    // In the range, but not where ours is.
    let free = if vmid < 5050 { 5090 } else { 5010 };
    let others = [
        // A copy that somebody made by hand: the tags are the same.
        (free, copy(&|guest| renamed(guest, "Copy-of-it"))),
        // Of another installation.
        (
            free + 1,
            copy(&|guest| {
                renamed(guest, &format!("other-{id_of_others}"));
                tagged(
                    guest,
                    &format!("daas-{id_of_others};daas-at-other;daas-port-1"),
                );
                guest.config.remove("description");
            }),
        ),
        // With our marks, but out of the range or the pool.
        (4000, copy(&|_| {})),
        (
            free + 2,
            copy(&|guest| guest.pool = Some("others".to_owned())),
        ),
        // With our name, but nobody noted that it is ours.
        (
            free + 3,
            copy(&|guest| {
                renamed(guest, &format!("lab-{id_of_others}"));
                guest.config.remove("tags");
                guest.config.remove("description");
            }),
        ),
        // A template.
        (
            free + 4,
            copy(&|guest| {
                guest.config.insert("template".to_owned(), "1".to_owned());
                guest.power = PowerIs::Stopped;
            }),
        ),
    ];
    lab.simulator.world(|world| {
        world.guests.extend(others.clone());
        world.publish();
    });
    let listed = lab.proxmox.list().await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
    for stranger in [id_of_others, InstanceId::random()] {
        let looked = lab.proxmox.inspect(stranger).await;
        assert!(matches!(looked, Err(Error::NotFound { .. })), "{looked:?}");
        lab.proxmox.remove(stranger).await.unwrap();
    }
    lab.proxmox
        .stop(id, std::time::Duration::ZERO)
        .await
        .unwrap();
    lab.proxmox.remove(id).await.unwrap();
    lab.simulator.world(|world| {
        for (vmid, before) in others {
            let after = world.guests.get(&vmid).unwrap();
            assert_eq!(after.power, before.power, "{vmid}");
            assert_eq!(after.config, before.config, "{vmid}");
        }
    });
}

#[tokio::test]
async fn a_copy_made_this_moment_is_told_from_its_original() {
    let lab = Lab::new(|_| {});
    let id = launch(&lab).await;
    let vmid = lab.vmid(id);
    // Its name is not in the list of the cluster yet, its tags are; on either side of it.
    let copies = [5000, 5099].into_iter().filter(|copy| *copy != vmid);
    let copies: Vec<u32> = copies.collect();
    lab.simulator.world(|world| {
        for copy in &copies {
            let mut guest = world.guests[&vmid].clone();
            guest.config.insert("name".to_owned(), "copy".to_owned());
            guest.statistics = None;
            world.guests.insert(*copy, guest);
        }
    });
    assert_eq!(lab.proxmox.list().await.unwrap().len(), 1);
    lab.proxmox.suspend(id).await.unwrap();
    let power = |vmid: u32| lab.simulator.world(|world| world.guests[&vmid].power);
    assert_eq!(power(vmid), PowerIs::Paused);
    lab.proxmox.remove(id).await.unwrap();
    for copy in copies {
        assert_eq!(power(copy), PowerIs::Running);
    }
}

#[tokio::test]
async fn only_addresses_of_the_network_are_believed() {
    let lab = Lab::new(|_| {});
    let id = launch(&lab).await;
    let vmid = lab.vmid(id);
    let own: IpAddr = World::address(vmid).into();
    // On another interface, before its own.
    let lies = [
        "127.0.0.1",
        "169.254.169.254",
        "127.64.0.1",
        "10.0.0.1",
        "x",
    ];
    with(&lab, vmid, |guest| {
        guest.tells = lies.map(str::to_owned).into()
    });
    let endpoint = lab.proxmox.inspect(id).await.unwrap().endpoint;
    assert_eq!(endpoint.map(|endpoint| endpoint.address), Some(own));

    // Where it may not be, there is no desktop, whatever answers there.
    let mut elsewhere = config(&lab.simulator);
    elsewhere.networks = vec!["10.0.0.0/8".parse().unwrap()];
    let elsewhere = Proxmox::new(elsewhere).unwrap();
    let observed = elsewhere.inspect(id).await.unwrap();
    assert_eq!(
        (observed.power, observed.endpoint),
        (PowerState::Starting, None)
    );
}

#[tokio::test]
async fn what_is_saved_to_disk_is_suspended() {
    let lab = Lab::new(|config| config.suspend_to_disk = true);
    let id = launch(&lab).await;
    let vmid = lab.vmid(id);
    for _ in 0..2 {
        lab.proxmox.suspend(id).await.unwrap();
    }
    let guest = lab.simulator.world(|world| world.guests[&vmid].clone());
    assert_eq!(
        (guest.power, guest.lock.as_deref()),
        (PowerIs::Stopped, Some("suspended"))
    );
    assert_eq!(
        lab.proxmox.inspect(id).await.unwrap().power,
        PowerState::Suspended
    );
    assert_eq!(
        lab.proxmox.list().await.unwrap()[0].power,
        PowerState::Suspended
    );
    let started = lab.proxmox.start(id).await;
    assert!(
        matches!(started, Err(Error::Conflict { .. })),
        "{started:?}"
    );
    lab.proxmox.resume(id).await.unwrap();
    wait_for(&lab.proxmox, id, PowerState::Running).await;
    lab.proxmox.suspend(id).await.unwrap();
    lab.proxmox
        .stop(id, std::time::Duration::from_secs(2))
        .await
        .unwrap();
    assert_eq!(
        lab.proxmox.inspect(id).await.unwrap().power,
        PowerState::Stopped
    );
    lab.proxmox.start(id).await.unwrap();
    lab.proxmox.suspend(id).await.unwrap();
    lab.proxmox.remove(id).await.unwrap();
}

#[tokio::test]
async fn a_desktop_that_stays_silent_is_unhealthy() {
    let lab = Lab::new(|config| config.start_grace = std::time::Duration::from_secs(1));
    let id = InstanceId::random();
    let mut spec = spec(&lab, id);
    // Nobody listens there.
    spec.reach = Reach::Port(1);
    lab.proxmox.create(&spec).await.unwrap();
    lab.proxmox.start(id).await.unwrap();
    assert_eq!(
        lab.proxmox.inspect(id).await.unwrap().power,
        PowerState::Starting
    );
    wait_for(&lab.proxmox, id, PowerState::Unhealthy).await;
}

#[tokio::test]
async fn a_cluster_that_nobody_trusts_is_not_asked() {
    let lab = Lab::new(|_| {});
    let mut distrustful = config(&lab.simulator);
    let other: Fingerprint = "ab".repeat(32).parse().unwrap();
    distrustful.cluster.trust = Trust::Fingerprints(vec![other]);
    let distrustful = Proxmox::new(distrustful).unwrap();
    let checked = distrustful.check().await;
    assert!(
        matches!(checked, Err(Error::Unavailable { .. })),
        "{checked:?}"
    );
    assert_eq!(lab.simulator.world(|world| world.calls.len()), 0);
}

#[test]
fn settings_are_checked() {
    let lab = Lab::new(|_| {});
    let refused = |change: &dyn Fn(&mut Config)| {
        let mut config = config(&lab.simulator);
        change(&mut config);
        Proxmox::new(config).unwrap_err().field
    };
    assert_eq!(refused(&|config| config.vmids = 99..=5000), "vmids");
    #[allow(clippy::reversed_empty_ranges, reason = "that is what is tried")]
    let backwards = 5001..=5000;
    assert_eq!(refused(&|config| config.vmids = backwards.clone()), "vmids");
    assert_eq!(refused(&|config| config.networks.clear()), "networks");
    assert_eq!(refused(&|config| config.pool = Some(String::new())), "pool");
    assert_eq!(
        refused(&|config| config.cloud_init_user = Some("a\nb".to_owned())),
        "cloud_init_user"
    );
    assert_eq!(
        refused(&|config| config.cluster.endpoints.clear()),
        "endpoints"
    );
}
