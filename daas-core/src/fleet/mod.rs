//! Hosts: what runs instances, and what was last seen of each.
//!
//! Whoever wants to know what a host does reads what was last seen, and never waits for the
//! host. Each is asked in a task of its own, so one that is silent delays no other; what is
//! not seen for a while is stale, and what answers again is taken back without a hand.

mod host;
mod placement;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::error::{Error, Result};
use crate::hypervisor::{Abilities, Hypervisor};
use crate::model::{App, HostName, Instance, Label, Quota, Reach};

pub use host::{HostState, HostView};
pub use placement::{Bounds, Candidate, Capacity, Committed, NoPlace, Room, Strategy, choose};

pub(crate) use host::Host;

/// Time for a host to answer before something is placed, and where no host has.
const LOOK: Duration = Duration::from_secs(2);
const LAST_LOOK: Duration = Duration::from_secs(10);

/// How hosts are filled, and how often they are asked.
#[derive(Clone, Copy, Debug)]
pub struct FleetConfig {
    /// Which host is taken for a new instance.
    pub strategy: Strategy,
    /// How often each processor may be promised.
    pub cpu_overcommit: f64,
    /// Memory in MiB that each host needs itself.
    pub memory_reserve_mib: u64,
    /// How often each host is asked.
    pub refresh: Duration,
    /// Time for a host to answer.
    pub patience: Duration,
    /// After this time without an answer nothing is known of a host any more.
    pub stale_after: Duration,
}

impl Default for FleetConfig {
    /// Spread, each processor four times, half a GiB; every five seconds, a minute for an
    /// answer, since what a backend needs itself may have to be started first; stale after
    /// twenty seconds.
    fn default() -> Self {
        Self {
            strategy: Strategy::Spread,
            cpu_overcommit: 4.0,
            memory_reserve_mib: 512,
            refresh: Duration::from_secs(5),
            patience: Duration::from_secs(60),
            stale_after: Duration::from_secs(20),
        }
    }
}

/// A host as it is set up.
#[allow(missing_debug_implementations, reason = "backends need not have one")]
pub struct HostSetup {
    /// Its name, which rows of instances keep.
    pub name: HostName,
    /// What it has that not all have.
    pub labels: BTreeSet<Label>,
    /// What runs instances there.
    pub hypervisor: Arc<dyn Hypervisor>,
    /// Processors that may be used, where these are not all.
    pub cpus: Option<u32>,
    /// Memory in MiB that may be used, where that is not all but the reserve.
    pub memory_mib: Option<u64>,
}

impl HostSetup {
    /// One without labels, of which all may be used.
    #[must_use]
    pub fn new(name: HostName, hypervisor: Arc<dyn Hypervisor>) -> Self {
        Self {
            name,
            labels: BTreeSet::new(),
            hypervisor,
            cpus: None,
            memory_mib: None,
        }
    }
}

/// All hosts. Clones share everything.
#[derive(Clone)]
pub struct Fleet {
    shared: Arc<Shared>,
}

struct Shared {
    hosts: Vec<Arc<Host>>,
    config: FleetConfig,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Fleet {
    /// Hosts in the order of the configuration. Of several with one name, the first is it.
    #[must_use]
    pub fn new(hosts: Vec<HostSetup>, config: FleetConfig) -> Self {
        let hosts = hosts.into_iter();
        let hosts = hosts.map(|setup| Arc::new(Host::new(setup, config)));
        let hosts = hosts.collect();
        let shared = Arc::new(Shared { hosts, config });
        Self { shared }
    }

    /// One host alone, with everything as usual.
    #[must_use]
    pub fn single(name: HostName, hypervisor: Arc<dyn Hypervisor>) -> Self {
        let setup = HostSetup::new(name, hypervisor);
        Self::new(vec![setup], FleetConfig::default())
    }

    /// The names, in the order of the configuration.
    pub fn names(&self) -> impl Iterator<Item = &HostName> {
        self.shared.hosts.iter().map(|host| &host.name)
    }

    pub(crate) fn hosts(&self) -> &[Arc<Host>] {
        &self.shared.hosts
    }

    /// The host of an instance. Instances that do not know theirs are on the first.
    pub(crate) fn host_of(&self, name: Option<&HostName>) -> Option<&Arc<Host>> {
        let mut hosts = self.shared.hosts.iter();
        hosts.find(|host| name.is_none_or(|name| host.name == *name))
    }

    /// What runs an instance.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where its host is not configured any more.
    pub fn hypervisor_of(&self, instance: &Instance) -> Result<Arc<dyn Hypervisor>> {
        let host = self.host_of(instance.host.as_ref());
        let host = host.ok_or(Error::Unavailable {
            backend: "the host of the desktop",
            operation: "finding it in the configuration",
            source: None,
        })?;
        Ok(Arc::clone(&host.hypervisor))
    }

    /// How the host of an instance does; `None` where it is not configured any more.
    #[must_use]
    pub fn state_of(&self, instance: &Instance) -> Option<HostState> {
        let host = self.host_of(instance.host.as_ref())?;
        Some(host.state())
    }

    /// Whether what is known of an instance may be otherwise by now, as its host, or that part of
    /// it on which it is, does not answer.
    #[must_use]
    pub fn is_stale(&self, instance: &Instance) -> bool {
        let host = self.host_of(instance.host.as_ref());
        host.is_none_or(|host| host.state() != HostState::Fine || host.is_silent(instance.id))
    }

    /// What can be done with an instance on its host; nothing where it is not configured any more.
    #[must_use]
    pub fn abilities_of(&self, instance: &Instance) -> Abilities {
        let host = self.host_of(instance.host.as_ref());
        host.map(|host| host.hypervisor.can_with(instance.id))
            .unwrap_or_default()
    }

    /// What was last seen of all hosts.
    #[must_use]
    pub fn views(&self) -> Vec<HostView> {
        self.shared.hosts.iter().map(|host| host.view()).collect()
    }

    /// Asks all hosts again and again, each in a task of its own, until this is dropped.
    pub async fn keep_fresh(&self) {
        let mut tasks = JoinSet::new();
        for host in self.hosts() {
            let (host, every) = (Arc::clone(host), self.shared.config.refresh);
            tasks.spawn(async move {
                let mut ticks = interval(every);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    ticks.tick().await;
                    host.refresh_all().await;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Asks all hosts at once, and waits until all have answered or had their time. Answers
    /// whether each is there.
    pub async fn refresh(&self) -> Vec<bool> {
        self.ask(self.hosts().to_vec(), self.shared.config.patience)
            .await
    }

    /// Asks each of some hosts; answers, in their order, whether it answered in time.
    async fn ask(&self, hosts: Vec<Arc<Host>>, within: Duration) -> Vec<bool> {
        let mut answers = vec![false; hosts.len()];
        let mut asked = JoinSet::new();
        for (n, host) in hosts.into_iter().enumerate() {
            asked.spawn(async move { (n, timeout(within, host.refresh()).await == Ok(true)) });
        }
        while let Some(answer) = asked.join_next().await {
            if let Ok((n, is_there)) = answer
                && let Some(answer) = answers.get_mut(n)
            {
                *answer = is_there;
            }
        }
        answers
    }

    /// What bounds a new instance of an application. Hosts that seem to be there are asked
    /// first, shortly, as they may be gone since; one that is away is asked where no other is
    /// there.
    pub(crate) async fn bounds_for(&self, app: &App, general: Quota) -> Bounds {
        let hosts = self.hosts();
        let well = hosts.iter().filter(|host| host.state() == HostState::Fine);
        let mut there = self.names_of(well.cloned().collect(), LOOK).await;
        if there.is_empty() {
            let longer = self.shared.config.patience.min(LAST_LOOK);
            there = self.names_of(hosts.to_vec(), longer).await;
        }
        let mut rooms = Vec::with_capacity(hosts.len());
        for host in hosts {
            let is_there = there.contains(&host.name);
            // With one host there is nothing to choose.
            let has_image = match is_there && hosts.len() > 1 {
                true => timeout(LOOK, host.has_image(&app.image)).await == Ok(true),
                false => false,
            };
            rooms.push(Room {
                can_show: app.reach() != Reach::Console || host.hypervisor.can().console,
                ..host.room(is_there, has_image)
            });
        }
        self.bounds(rooms, general)
    }

    /// The names of those that answer in time.
    async fn names_of(&self, hosts: Vec<Arc<Host>>, within: Duration) -> BTreeSet<HostName> {
        let answers = self.ask(hosts.clone(), within).await;
        let there = hosts.into_iter().zip(answers);
        let there = there.filter(|(_, is_there)| *is_there);
        there.map(|(host, _)| host.name.clone()).collect()
    }

    /// What bounds an instance that is there already, by what was last seen.
    pub(crate) fn known_bounds(&self, general: Quota) -> Bounds {
        let rooms = self.hosts().iter();
        let rooms = rooms.map(|host| host.room(host.state() == HostState::Fine, true));
        self.bounds(rooms.collect(), general)
    }

    fn bounds(&self, rooms: Vec<Room>, general: Quota) -> Bounds {
        Bounds {
            general,
            hosts: rooms.into(),
            strategy: self.shared.config.strategy,
        }
    }

    /// Whether some host that answers has an image. What is not known yet is asked, of all of
    /// them at once; what was asked once is known from then on, and asked again with all else.
    pub async fn has_image(&self, image: &str) -> bool {
        let mut asked = JoinSet::new();
        for host in self.hosts() {
            if host.state() == HostState::Fine || host.was_never_asked() {
                let (host, image) = (Arc::clone(host), image.to_owned());
                asked.spawn(async move { timeout(LOOK, host.has_image(&image)).await });
            }
        }
        while let Some(answer) = asked.join_next().await {
            if let Ok(Ok(true)) = answer {
                return true;
            }
        }
        false
    }

    /// Checks that instances can be created on some host. The first that says so is enough.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where none does, with why that is.
    pub async fn check(&self) -> Result<()> {
        let mut asked = JoinSet::new();
        for host in self.hosts() {
            let host = Arc::clone(host);
            asked.spawn(async move { host.refresh().await });
        }
        while let Some(answer) = asked.join_next().await {
            if let Ok(true) = answer {
                return Ok(());
            }
        }
        let faults = self.views().into_iter().filter_map(|view| {
            let fault = view.fault?;
            Some(format!("{}: {fault}", view.name))
        });
        let faults: Vec<String> = faults.collect();
        Err(Error::Unavailable {
            backend: "the host of the desktops",
            operation: "asking all of them",
            source: Some(faults.join("; ").into()),
        })
    }
}
