//! One host, and what was last seen of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, timeout};

use super::{Capacity, FleetConfig, HostSetup, Room};
use crate::error::chain;
use crate::hypervisor::{Abilities, HostReport, Hypervisor};
use crate::model::{HostName, InstanceId, Label, Timestamp};

/// Most images of which it is remembered whether they are there.
const IMAGES_MAX: usize = 1024;

/// When it was last asked, and whether it was fine then.
type Asked = Option<(Instant, bool)>;

/// How a host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// It answers.
    Fine,
    /// It has not answered for a while, and has not refused either; or it was not asked yet.
    Stale,
    /// It cannot be reached, or is not able to run instances.
    Unreachable,
}

impl HostState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Stale => "stale",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What was last seen of a host.
#[derive(Clone, Debug)]
pub struct HostView {
    /// Its name.
    pub name: HostName,
    /// What it has that not all have.
    pub labels: Vec<Label>,
    /// How it does.
    pub state: HostState,
    /// When it answered last.
    pub seen_at: Option<Timestamp>,
    /// Why it cannot be used, for those who run it.
    pub fault: Option<String>,
    /// What it said last.
    pub report: Option<HostReport>,
    /// How much may run on it, once that is known.
    pub capacity: Option<Capacity>,
    /// What it is able to do at all.
    pub can: Abilities,
    /// Desktops on it that no row knows, and that were not removed.
    pub orphans: usize,
}

#[derive(Default)]
struct Seen {
    report: Option<HostReport>,
    /// When it last answered well, by both clocks.
    at: Option<(Instant, Timestamp)>,
    fault: Option<String>,
    /// Images that somebody asked for.
    images: BTreeMap<String, bool>,
}

pub(crate) struct Host {
    pub(crate) name: HostName,
    pub(crate) hypervisor: Arc<dyn Hypervisor>,
    labels: BTreeSet<Label>,
    cpus: Option<u32>,
    memory_mib: Option<u64>,
    config: FleetConfig,
    /// Held while it is asked, so that it is asked once for all who want to know.
    asking: tokio::sync::Mutex<Asked>,
    seen: Mutex<Seen>,
    orphans: AtomicUsize,
    /// Instances on parts of it that cannot be asked.
    silent: Mutex<BTreeSet<InstanceId>>,
}

impl Host {
    pub(super) fn new(setup: HostSetup, config: FleetConfig) -> Self {
        Self {
            name: setup.name,
            hypervisor: setup.hypervisor,
            labels: setup.labels,
            cpus: setup.cpus,
            memory_mib: setup.memory_mib,
            config,
            asking: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
            orphans: AtomicUsize::new(0),
            silent: Mutex::default(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks how it does; answers whether it is fine. Who waits while it is asked shares the
    /// next answer with all others that wait.
    pub(super) async fn refresh(&self) -> bool {
        let since = Instant::now();
        let mut asked = self.asking.lock().await;
        match *asked {
            Some((when, is_fine)) if when > since => is_fine,
            _ => {
                let began = Instant::now();
                let is_fine = self.look().await;
                *asked = Some((began, is_fine));
                is_fine
            }
        }
    }

    async fn look(&self) -> bool {
        let patience = self.config.patience;
        let fault = match timeout(patience, self.hypervisor.report()).await {
            Ok(Ok(report)) => {
                self.note(report);
                return true;
            }
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer within {} seconds", patience.as_secs()),
        };
        self.note_fault(fault);
        false
    }

    fn note(&self, report: HostReport) {
        let mut seen = self.seen();
        if seen.fault.take().is_some() {
            tracing::info!(host = %self.name, "the host answers again");
        }
        seen.report = Some(report);
        seen.at = Some((Instant::now(), Timestamp::now()));
    }

    fn note_fault(&self, fault: String) {
        let mut seen = self.seen();
        if seen.fault.as_ref() != Some(&fault) {
            tracing::warn!(host = %self.name, error = fault, "the host cannot be used");
        }
        seen.fault = Some(fault);
    }

    /// The same, and also which of the images are there that somebody asked for.
    pub(super) async fn refresh_all(&self) {
        if !self.refresh().await {
            return;
        }
        let images: Vec<String> = self.seen().images.keys().cloned().collect();
        for image in images {
            let asked = timeout(self.config.patience, self.ask_image(&image)).await;
            if !matches!(asked, Ok(Some(_))) {
                return;
            }
        }
    }

    async fn ask_image(&self, image: &str) -> Option<bool> {
        let there = match self.hypervisor.has_image(image).await {
            Ok(there) => there,
            Err(error) => {
                tracing::debug!(host = %self.name, error = chain(&error), "images are not known");
                return None;
            }
        };
        let mut seen = self.seen();
        if seen.images.contains_key(image) || seen.images.len() < IMAGES_MAX {
            seen.images.insert(image.to_owned(), there);
        }
        Some(there)
    }

    /// Whether an image is there, by what is remembered; else it is asked.
    pub(super) async fn has_image(&self, image: &str) -> bool {
        let known = self.seen().images.get(image).copied();
        match known {
            Some(known) => known,
            None => self.ask_image(image).await.unwrap_or(false),
        }
    }

    pub(super) fn was_never_asked(&self) -> bool {
        let seen = self.seen();
        seen.at.is_none() && seen.fault.is_none()
    }

    pub(super) fn state(&self) -> HostState {
        self.state_by(&self.seen())
    }

    fn state_by(&self, seen: &Seen) -> HostState {
        let age = seen.at.map(|(at, _)| at.elapsed());
        match (&seen.fault, age) {
            (Some(_), _) => HostState::Unreachable,
            (None, Some(age)) if age <= self.config.stale_after => HostState::Fine,
            (None, _) => HostState::Stale,
        }
    }

    /// How much may run on it.
    fn capacity(&self, report: &HostReport) -> Capacity {
        let cpus = self.cpus.unwrap_or(report.cpus);
        let millis = f64::from(cpus) * 1000.0 * self.config.cpu_overcommit;
        let reserve = self.config.memory_reserve_mib;
        let memory_mib = report.memory_mib.saturating_sub(reserve);
        Capacity {
            // Of what cannot be, the conversion makes the nearest number that can.
            cpu_millis: millis as u64,
            memory_mib: self.memory_mib.unwrap_or(memory_mib),
        }
    }

    pub(super) fn room(&self, is_there: bool, has_image: bool) -> Room {
        let seen = self.seen();
        Room {
            name: self.name.clone(),
            labels: self.labels.iter().cloned().collect(),
            is_there,
            has_image,
            can_show: true,
            capacity: seen.report.as_ref().map(|report| self.capacity(report)),
        }
    }

    pub(super) fn view(&self) -> HostView {
        let seen = self.seen();
        HostView {
            name: self.name.clone(),
            labels: self.labels.iter().cloned().collect(),
            state: self.state_by(&seen),
            seen_at: seen.at.map(|(_, at)| at),
            fault: seen.fault.clone(),
            report: seen.report.clone(),
            capacity: seen.report.as_ref().map(|report| self.capacity(report)),
            can: self.hypervisor.can(),
            orphans: self.orphans.load(Relaxed),
        }
    }

    pub(crate) fn set_silent(&self, instances: BTreeSet<InstanceId>) {
        *self.silent() = instances;
    }

    pub(super) fn is_silent(&self, instance: InstanceId) -> bool {
        self.silent().contains(&instance)
    }

    fn silent(&self) -> MutexGuard<'_, BTreeSet<InstanceId>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_orphans(&self, count: usize) {
        self.orphans.store(count, Relaxed);
    }
}
