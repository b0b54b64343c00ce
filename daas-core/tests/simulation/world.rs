//! What outlives the server: the disk, the desktops, and chance.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use daas_core::hypervisor::HypervisorEvent;
use daas_core::model::{Action, Endpoint, InstanceId, Timestamp};
use daas_core::storage::Used;

use crate::support::T0;

/// The hosts.
pub const HOSTS: [&str; 2] = ["one", "two"];

/// How often each kind of thing happened, over all seeds.
static TOTALS: [AtomicU64; Happening::ALL.len()] = [const { AtomicU64::new(0) }; 15];

#[derive(Clone, Copy, Debug)]
pub enum Happening {
    Launch,
    /// One got a desktop that waited.
    Claim,
    Act,
    FailedBefore,
    FailedAfter,
    Kill,
    Outage,
    DesktopEnded,
    DesktopLost,
    DesktopTouched,
    DesktopFound,
    Look,
    Extend,
    EndByPolicy,
    StopInstead,
}

impl Happening {
    const ALL: [Self; 15] = [
        Self::Launch,
        Self::Claim,
        Self::Act,
        Self::FailedBefore,
        Self::FailedAfter,
        Self::Kill,
        Self::Outage,
        Self::DesktopEnded,
        Self::DesktopLost,
        Self::DesktopTouched,
        Self::DesktopFound,
        Self::Look,
        Self::Extend,
        Self::EndByPolicy,
        Self::StopInstead,
    ];
}

pub fn totals() -> String {
    let count = |kind: &Happening| TOTALS[*kind as usize].load(Ordering::Relaxed);
    let texts = Happening::ALL
        .iter()
        .map(|kind| format!("{kind:?} {}", count(kind)));
    texts.collect::<Vec<_>>().join(", ")
}

/// A world in which nothing happens proves nothing.
pub fn assert_enough(seeds: u64) {
    for kind in Happening::ALL {
        let count = TOTALS[kind as usize].load(Ordering::Relaxed);
        assert!(count >= seeds / 8, "{kind:?} happened {count} times only");
    }
}

/// A desktop, as the hypervisor has it.
#[derive(Clone, Copy, Debug)]
pub struct Desktop {
    /// The host that it is on, by its place.
    pub host: usize,
    pub power: Power,
    pub endpoint: Endpoint,
    /// It cannot be frozen.
    pub is_rigid: bool,
}

/// What the storage has promised to know of an instance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promise {
    pub seen_at: Option<Timestamp>,
    pub input_at: Option<Timestamp>,
    pub extended_to: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    Stopped,
    /// Runs; its desktop answers from then on.
    Runs {
        ready_at: Timestamp,
    },
    Frozen {
        ready_at: Timestamp,
    },
}

pub struct Inner {
    random: u64,
    now: Timestamp,
    digest: DefaultHasher,
    pub desktops: BTreeMap<InstanceId, Desktop>,
    /// Desktops that something is done with at the moment.
    pub busy: BTreeSet<InstanceId>,
    pub events: [Vec<HypervisorEvent>; HOSTS.len()],
    /// Each host cannot be reached until then.
    pub outage_until: [Timestamp; HOSTS.len()],
    pub faults: bool,
    /// What somebody was told to be under way, last.
    pub told: BTreeMap<InstanceId, Action>,
    pub promises: BTreeMap<InstanceId, Promise>,
    /// When it was last seen to that policies are kept.
    pub policies_kept: Timestamp,
    /// From then on nobody sees to it.
    pub policies_until: Timestamp,
    addresses: u32,
}

pub struct World {
    tell: bool,
    inner: Mutex<Inner>,
    folder: tempfile::TempDir,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Good,
    FailsBefore,
    FailsAfter,
    KillsBefore,
    KillsAfter,
}

impl World {
    pub fn new(seed: u64, tell: bool) -> Arc<Self> {
        // Writing to a disk again and again would only be slow.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let inner = Inner {
            random: seed,
            now: T0,
            digest: DefaultHasher::new(),
            desktops: BTreeMap::new(),
            busy: BTreeSet::new(),
            events: Default::default(),
            outage_until: [T0; HOSTS.len()],
            faults: true,
            told: BTreeMap::new(),
            promises: BTreeMap::new(),
            policies_kept: T0,
            policies_until: Timestamp(i64::MAX),
            addresses: 0,
        };
        Arc::new(Self {
            tell,
            inner: Mutex::new(inner),
            folder: folder.unwrap(),
        })
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn files(&self) -> (PathBuf, PathBuf) {
        let path = self.folder.path();
        (path.join("db"), path.join("keys"))
    }

    /// The time at which a life begins: a little after the end of the one before.
    pub fn begin_life(&self) -> (u64, Timestamp) {
        let pause = self.between(1, 20_000) as i64;
        let mut inner = self.inner();
        inner.now = inner.now.plus_ms(pause);
        inner.busy.clear();
        let (seed, now) = (inner.next(), inner.now);
        (seed, now)
    }

    pub fn end_life(&self, now: Timestamp) {
        self.inner().now = now;
    }

    /// Writes down what happens, which makes the number of the run.
    pub fn note(&self, what: impl Display) {
        let text = format!("{} {what}", Timestamp::now().0 - T0.0);
        if self.tell {
            println!("{text}");
        }
        text.hash(&mut self.inner().digest);
    }

    pub fn count(&self, kind: Happening) {
        TOTALS[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn digest(&self) -> u64 {
        self.inner().digest.finish()
    }

    pub fn between(&self, from: u64, to: u64) -> u64 {
        from + self.inner().next() % (to - from + 1)
    }

    pub fn pick<T: Copy>(&self, of: &[T]) -> Option<T> {
        let last = (of.len() as u64).checked_sub(1)?;
        of.get(self.between(0, last) as usize).copied()
    }

    pub fn promise_use(&self, used: &[Used]) {
        let mut inner = self.inner();
        for used in used {
            let promise = inner.promises.entry(used.instance).or_default();
            promise.seen_at = promise.seen_at.max(Some(used.seen_at));
            promise.input_at = promise.input_at.max(used.input_at);
        }
    }

    pub fn promise_extension(&self, id: InstanceId, until: Timestamp) {
        let mut inner = self.inner();
        let promise = inner.promises.entry(id).or_default();
        promise.extended_to = promise.extended_to.max(Some(until));
    }

    /// What becomes of the next call.
    pub fn fate(&self) -> Fate {
        if !self.inner().faults {
            return Fate::Good;
        }
        match self.between(0, 999) {
            0..15 => Fate::FailsBefore,
            15..30 => Fate::FailsAfter,
            30..34 => Fate::KillsBefore,
            34..38 => Fate::KillsAfter,
            _ => Fate::Good,
        }
    }

    /// From now on nothing goes wrong any more.
    pub fn calm_down(&self) {
        let mut inner = self.inner();
        inner.faults = false;
        inner.outage_until = [T0; HOSTS.len()];
    }
}

impl Inner {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.random;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The desktop has something to tell.
    pub fn tell_of(&mut self, id: InstanceId, host: usize) {
        self.events[host].push(HypervisorEvent::Changed(id));
    }

    /// An address that no desktop ever had.
    pub fn new_endpoint(&mut self) -> Endpoint {
        self.addresses += 1;
        let address = std::net::Ipv4Addr::from(0x0AD5_0000 + self.addresses);
        Endpoint {
            address: address.into(),
            port: 5901,
        }
    }
}
