//! The tunnels that are open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daas_core::model::{InstanceId, Timestamp, UserId};
use daas_core::session::{Counters, Statistics, StopReason};
use daas_core::storage::Used;
use tokio::sync::watch;

/// Whose a tunnel is, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The instance that is shown.
    pub instance: InstanceId,
    /// Who looks.
    pub user: UserId,
    /// Hash of the session that this one logged in with.
    pub session: [u8; 32],
    /// From where.
    pub address: IpAddr,
}

/// Which tunnels are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// One, by its number.
    Tunnel(u64),
    /// Those that show an instance.
    Instance(InstanceId),
    /// Those of a user.
    User(UserId),
    /// Those of a session.
    Session([u8; 32]),
}

/// A tunnel that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTunnel {
    /// Its number in this process. (The id that the browser gets is a secret.)
    pub id: u64,
    /// Whose it is.
    pub about: About,
    /// Since when.
    pub since: Timestamp,
    /// What passed through so far.
    pub statistics: Statistics,
    /// When there was input last, if there was any.
    pub input_at: Option<Timestamp>,
}

/// Knows the tunnels that are open, and can end them. Clones are the same registry.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    open: HashMap<u64, Open>,
    /// What was looked at by tunnels that have ended since it was asked for.
    left: HashMap<InstanceId, Used>,
    /// Counts all changes of the table.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Open {
    about: About,
    since: Timestamp,
    counters: Arc<Counters>,
    stop: watch::Sender<Option<StopReason>>,
}

impl Registry {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a tunnel, which stays until the entry is dropped.
    pub(super) fn enter(&self, about: About) -> Entry {
        let (stop, stopped) = watch::channel(None);
        let counters = Arc::new(Counters::default());
        let mut inner = self.lock();
        inner.last += 1;
        let id = inner.last;
        let open = Open {
            about,
            since: Timestamp::now(),
            counters: Arc::clone(&counters),
            stop,
        };
        inner.open.insert(id, open);
        inner.changes.send_modify(|changes| *changes += 1);
        Entry {
            registry: self.clone(),
            id,
            counters,
            stopped,
        }
    }

    /// All that are open, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<OpenTunnel> {
        let describe = |(&id, open): (&u64, &Open)| OpenTunnel {
            id,
            about: open.about.clone(),
            since: open.since,
            statistics: open.counters.snapshot(),
            input_at: open.counters.input_at(),
        };
        let mut list: Vec<_> = self.lock().open.iter().map(describe).collect();
        list.sort_unstable_by_key(|open| open.id);
        list
    }

    /// How many of these are open.
    #[must_use]
    pub fn count(&self, which: Which) -> usize {
        let inner = self.lock();
        let open = inner.open.iter();
        open.filter(|(id, open)| which.is(**id, &open.about))
            .count()
    }

    /// What was looked at since this was last asked for, until when, and when there was input.
    /// What is not written then has to be [given back](Self::give_back).
    #[must_use]
    pub fn take_used(&self, now: Timestamp) -> Vec<Used> {
        let mut inner = self.lock();
        let mut used = std::mem::take(&mut inner.left);
        for open in inner.open.values() {
            add(&mut used, open.used(now));
        }
        used.into_values().collect()
    }

    /// Takes back what was not written.
    pub fn give_back(&self, used: Vec<Used>) {
        let mut inner = self.lock();
        for used in used {
            add(&mut inner.left, used);
        }
    }

    /// When there was last input to an instance by a tunnel that is open, if there was any.
    #[must_use]
    pub fn input_at(&self, instance: InstanceId) -> Option<Timestamp> {
        let inner = self.lock();
        let open = inner.open.values();
        let of_instance = open.filter(|open| open.about.instance == instance);
        of_instance
            .filter_map(|open| open.counters.input_at())
            .max()
    }

    /// The sessions that have one open, each once.
    #[must_use]
    pub fn sessions(&self) -> Vec<[u8; 32]> {
        let inner = self.lock();
        let mut sessions: Vec<_> = inner.open.values().map(|o| o.about.session).collect();
        drop(inner);
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    /// Ends these, and answers how many were not ended before. They tell their browsers first, which
    /// [`wait_for_none`](Self::wait_for_none) waits for.
    pub fn close(&self, which: Which, reason: StopReason) -> usize {
        let inner = self.lock();
        let open = inner.open.iter();
        let chosen = open.filter(|(id, open)| which.is(**id, &open.about));
        // The first reason stays.
        let stop = |sender: &watch::Sender<Option<StopReason>>| {
            sender.send_if_modified(|stop| stop.replace(stop.unwrap_or(reason)).is_none())
        };
        chosen.filter(|(_, open)| stop(&open.stop)).count()
    }

    /// Waits until none of these is open; bound it by a time limit.
    pub async fn wait_for_none(&self, which: Which) {
        let mut changes = self.lock().changes.subscribe();
        while self.count(which) > 0 {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Open {
    fn used(&self, now: Timestamp) -> Used {
        Used {
            instance: self.about.instance,
            seen_at: now,
            input_at: self.counters.input_at(),
        }
    }
}

/// Several may look at one instance: the latest of each time counts.
fn add(all: &mut HashMap<InstanceId, Used>, used: Used) {
    let known = all.entry(used.instance).or_insert(used);
    known.seen_at = known.seen_at.max(used.seen_at);
    known.input_at = known.input_at.max(used.input_at);
}

impl Which {
    fn is(self, id: u64, about: &About) -> bool {
        match self {
            Self::All => true,
            Self::Tunnel(tunnel) => tunnel == id,
            Self::Instance(instance) => instance == about.instance,
            Self::User(user) => user == about.user,
            Self::Session(session) => session == about.session,
        }
    }
}

/// The place of one tunnel.
pub(super) struct Entry {
    registry: Registry,
    id: u64,
    counters: Arc<Counters>,
    stopped: watch::Receiver<Option<StopReason>>,
}

impl Entry {
    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Waits until the tunnel is to end. Nothing is lost where the future is dropped.
    pub(super) async fn stopped(&mut self) -> StopReason {
        let stopped = self.stopped.wait_for(Option::is_some).await;
        // The sender lives as long as the entry.
        stopped.map_or(StopReason::ShuttingDown, |reason| {
            reason.unwrap_or(StopReason::ShuttingDown)
        })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut inner = self.registry.lock();
        if let Some(open) = inner.open.remove(&self.id) {
            add(&mut inner.left, open.used(Timestamp::now()));
        }
        inner.changes.send_modify(|changes| *changes += 1);
    }
}
