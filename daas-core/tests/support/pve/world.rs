//! What a cluster is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::desktops::Desktops;
use super::faults::Faults;
use super::screen::Screen;
use super::tasks::Task;

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A task.
    pub task: Duration,
    /// From the start of a guest until its agent and its desktop answer.
    pub boot: Duration,
    /// How late lists of the cluster are.
    pub statistics: Duration,
    /// Until a wrong ticket is refused.
    pub refusal: Duration,
    /// How long workers wait for the lock of a guest or a storage.
    pub lock: Duration,
    /// For how long a console listens.
    pub console: Duration,
}

impl Timing {
    /// As short as they can be and still be seen.
    pub const fn short() -> Self {
        Self {
            task: Duration::from_millis(30),
            boot: Duration::from_millis(100),
            statistics: Duration::from_millis(400),
            refusal: Duration::from_millis(50),
            lock: Duration::from_millis(500),
            console: Duration::from_millis(1000),
        }
    }

    /// About as long as they really are.
    pub const fn real() -> Self {
        Self {
            task: Duration::from_secs(2),
            boot: Duration::from_secs(8),
            statistics: Duration::from_secs(10),
            refusal: Duration::from_secs(3),
            lock: Duration::from_secs(10),
            console: Duration::from_secs(10),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestKind {
    Qemu,
    Lxc,
}

impl GuestKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Lxc => "lxc",
        }
    }

    /// As sentences name it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Qemu => "VM",
            Self::Lxc => "CT",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerIs {
    Stopped,
    Running,
    Paused,
}

#[derive(Clone, Debug)]
pub struct SnapshotOf {
    pub name: String,
    pub description: String,
    pub with_memory: bool,
    pub config: BTreeMap<String, String>,
    /// `prepare` or `delete` while it is not complete.
    pub unfinished: Option<&'static str>,
}

/// What the nodes told each other last.
#[derive(Clone, Debug)]
pub struct Statistics {
    pub name: Option<String>,
    pub status: &'static str,
    pub template: bool,
}

#[derive(Clone, Debug)]
pub struct Guest {
    pub kind: GuestKind,
    pub node: String,
    pub config: BTreeMap<String, String>,
    pub power: PowerIs,
    pub started: Instant,
    pub lock: Option<String>,
    pub pool: Option<String>,
    pub snapshots: Vec<SnapshotOf>,
    pub statistics: Option<Statistics>,
    /// The template on whose disks its own are built.
    pub linked_to: Option<u32>,
    /// Whether it ends when it is asked to.
    pub obeys: bool,
    /// What its agent tells besides the truth.
    pub tells: Vec<String>,
    /// Whether it is watched over by the manager of HA, whose tasks end too early.
    pub is_managed: bool,
    /// What it will be later, without a task.
    pub later: Option<(Instant, PowerIs)>,
}

impl Guest {
    pub fn new(kind: GuestKind, node: &str) -> Self {
        Self {
            kind,
            node: node.to_owned(),
            config: BTreeMap::new(),
            power: PowerIs::Stopped,
            started: Instant::now(),
            lock: None,
            pool: None,
            snapshots: Vec::new(),
            statistics: None,
            linked_to: None,
            obeys: true,
            tells: Vec::new(),
            is_managed: false,
            later: None,
        }
    }

    pub fn is_template(&self) -> bool {
        self.config
            .get("template")
            .is_some_and(|value| value == "1")
    }

    pub fn name(&self) -> Option<&String> {
        self.config.get(match self.kind {
            GuestKind::Qemu => "name",
            GuestKind::Lxc => "hostname",
        })
    }

    pub fn status(&self) -> &'static str {
        match self.power {
            PowerIs::Stopped => "stopped",
            PowerIs::Running | PowerIs::Paused => "running",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Storage {
    /// Whether clones can be linked to templates on it.
    pub links: bool,
    /// Whether both nodes reach it.
    pub shared: bool,
    /// Until when its lock is held.
    pub locked_until: Instant,
}

/// A console that listens.
#[derive(Clone, Debug)]
pub struct Listening {
    pub vmid: u32,
    pub ticket: String,
    pub user: String,
    pub until: Instant,
}

#[derive(Debug)]
pub struct World {
    pub timing: Timing,
    /// Such as 9.1.2.
    pub version: &'static str,
    pub nodes: BTreeMap<String, bool>,
    /// Memory that nodes use, in GiB; eight where nothing is said.
    pub used_memory: BTreeMap<String, u64>,
    pub has_quorum: bool,
    pub guests: BTreeMap<u32, Guest>,
    pub storages: BTreeMap<String, Storage>,
    pub pools: BTreeSet<String>,
    pub tasks: Vec<Task>,
    pub tickets: BTreeMap<String, (String, String)>,
    pub consoles: BTreeMap<u16, Listening>,
    /// What is behind all consoles, if it is not made up.
    pub screen: Option<Screen>,
    pub faults: Faults,
    /// Method and path of all calls, without what is secret.
    pub calls: Vec<(String, String)>,
    /// Calls that are being worked on, and the most of them at a time.
    pub in_flight: usize,
    pub in_flight_most: usize,
    /// What was wrong with frames of WebSockets.
    pub bad_frames: Vec<String>,
    pub(super) desktops: Desktops,
    /// Port on which the desktops of guests listen.
    pub desktop_port: u16,
    pub count: u64,
    published: Instant,
    /// Clones that were ever begun, by the number of the new guest.
    pub cloned: Vec<u32>,
}

pub const DISK: &str = "local-lvm";

impl World {
    pub fn new(timing: Timing) -> Self {
        let now = Instant::now();
        let storage = |links| Storage {
            links,
            shared: false,
            locked_until: now,
        };
        Self {
            timing,
            version: "9.1.2",
            nodes: [("pve1".to_owned(), true), ("pve2".to_owned(), true)].into(),
            used_memory: BTreeMap::new(),
            has_quorum: true,
            guests: BTreeMap::new(),
            storages: [
                (DISK.to_owned(), storage(true)),
                ("plain".to_owned(), storage(false)),
            ]
            .into(),
            pools: ["desktops".to_owned(), "others".to_owned()].into(),
            tasks: Vec::new(),
            tickets: BTreeMap::new(),
            consoles: BTreeMap::new(),
            screen: None,
            faults: Faults::default(),
            calls: Vec::new(),
            in_flight: 0,
            in_flight_most: 0,
            bad_frames: Vec::new(),
            desktops: Desktops::default(),
            desktop_port: free_port(),
            count: 0,
            published: now,
            cloned: Vec::new(),
        }
    }

    /// With templates: `desktop` (900) and `heavy` (901, on a storage that links nothing) of
    /// machines on the first node, and `small` (910) of containers on the second.
    pub fn with_templates(timing: Timing) -> Self {
        let mut world = Self::new(timing);
        for (vmid, name, storage) in [(900, "desktop", DISK), (901, "heavy", "plain")] {
            let mut guest = Guest::new(GuestKind::Qemu, "pve1");
            guest.config = [
                ("name", name),
                ("template", "1"),
                ("memory", "2048"),
                ("cores", "1"),
                ("agent", "1"),
                ("boot", "order=scsi0;net0"),
                ("net0", "virtio=BC:24:11:00:00:00,bridge=vmbr1,firewall=1"),
                ("ide2", "local-lvm:vm-900-cloudinit,media=cdrom"),
                ("tags", "golden"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
            let disk = format!("{storage}:base-{vmid}-disk-0,size=8G");
            guest.config.insert("scsi0".to_owned(), disk);
            world.guests.insert(vmid, guest);
        }
        let mut small = Guest::new(GuestKind::Lxc, "pve2");
        small.config = [
            ("hostname", "small"),
            ("template", "1"),
            ("memory", "512"),
            ("rootfs", "local-lvm:base-910-disk-0,size=4G"),
            (
                "net0",
                "name=eth0,bridge=vmbr1,hwaddr=BC:24:11:00:00:01,ip=dhcp",
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        world.guests.insert(910, small);
        world.publish();
        world
    }

    /// A number that was not given before.
    pub fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// The address of a guest.
    pub const fn address(vmid: u32) -> Ipv4Addr {
        let [_, b, c, d] = vmid.to_be_bytes();
        Ipv4Addr::new(127, 64 | (b & 63), c, d)
    }

    /// Whether a guest has got so far that its agent and its desktop answer.
    pub fn is_up(&self, guest: &Guest) -> bool {
        guest.power == PowerIs::Running && guest.started.elapsed() >= self.timing.boot
    }

    /// What time brings: tasks end, nodes tell what they know, desktops open and close.
    pub fn tick(&mut self) {
        self.finish_tasks();
        let now = Instant::now();
        for guest in self.guests.values_mut() {
            if let Some((_, power)) = guest.later.take_if(|(when, _)| *when <= now) {
                guest.power = power;
                guest.started = now;
            }
        }
        if self.published.elapsed() >= self.timing.statistics {
            self.publish();
        }
        let up = self.guests.iter();
        let up = up.filter(|(_, guest)| self.is_up(guest));
        let up: BTreeSet<Ipv4Addr> = up.map(|(vmid, _)| Self::address(*vmid)).collect();
        self.desktops.keep(&up, self.desktop_port);
    }

    /// Nodes tell each other what their guests do.
    pub fn publish(&mut self) {
        self.published = Instant::now();
        for guest in self.guests.values_mut() {
            guest.statistics = Some(Statistics {
                name: guest.name().cloned(),
                status: guest.status(),
                template: guest.is_template(),
            });
        }
    }

    /// Ends a guest as a crash would.
    pub fn crash(&mut self, vmid: u32) {
        let guest = self.guests.get_mut(&vmid).unwrap();
        guest.power = PowerIs::Stopped;
    }

    /// Moves a guest, as the manager of HA does.
    pub fn relocate(&mut self, vmid: u32, node: &str) {
        self.guests.get_mut(&vmid).unwrap().node = node.to_owned();
    }

    /// Numbers of guests whose names have a part.
    pub fn named(&self, part: &str) -> Vec<u32> {
        let named = self.guests.iter();
        let named = named.filter(|(_, guest)| guest.name().is_some_and(|name| name.contains(part)));
        named.map(|(vmid, _)| *vmid).collect()
    }
}

/// A port that is free, and that no other simulator of this program has.
fn free_port() -> u16 {
    static LAST: AtomicU16 = AtomicU16::new(0);
    loop {
        let port = 20_000 + LAST.fetch_add(1, Ordering::Relaxed) % 8000;
        if TcpListener::bind((World::address(5000), port)).is_ok() {
            return port;
        }
    }
}
