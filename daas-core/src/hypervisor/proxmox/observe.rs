//! Looking.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::Proxmox;
use super::client::{Class, Current, Fault, Guest, Kind};
use super::inventory::Own;
use super::power::State;
use super::trouble::Trouble;
use crate::hypervisor::{Observed, PowerState, Usage, probe};
use crate::model::{Endpoint, InstanceId, Reach};

/// Time for a desktop to answer when it is looked at.
const ANSWER: Duration = Duration::from_millis(500);
/// Desktops that are looked at at the same time.
const LOOKS: usize = 16;
/// For how long it is believed that a desktop is still starting: whoever waits for one asks
/// very often, and each time its agent would be asked.
const STARTING: Duration = Duration::from_millis(500);
/// Most lines of a log that are read, and most tasks of which there are some.
const LINES: u32 = 500;
const TASKS: usize = 10;
/// Most bytes of a log that are kept.
const LOG_MAX: usize = 64 * 1024;

/// Processor time that was seen to be used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    at: Instant,
    uptime: u64,
    ns: u64,
}

impl Proxmox {
    /// Forgets what was seen of an instance, as something has happened to it; what is being
    /// looked at just now is not kept either.
    pub(super) fn forget(&self, id: InstanceId) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.changes += 1;
        seen.starting.remove(&id);
    }

    pub(super) async fn observe(&self, id: InstanceId) -> Result<Observed, Trouble> {
        let changes = match self.still_starting(id) {
            Ok(observed) => return Ok(observed),
            Err(changes) => changes,
        };
        let (own, current) = self.state(id).await?;
        let observed = self.observe_own(&own, &current).await;
        self.note(&observed, changes);
        Ok(observed)
    }

    /// What was seen a moment ago, or how many changes there were up to now.
    fn still_starting(&self, id: InstanceId) -> Result<Observed, u64> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.starting.get(&id) {
            Some((when, observed)) if when.elapsed() < STARTING => Ok(observed.clone()),
            _ => Err(seen.changes),
        }
    }

    fn note(&self, observed: &Observed, changes: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.starting
            .retain(|_, (when, _)| when.elapsed() < STARTING);
        if observed.power == PowerState::Starting && seen.changes == changes {
            let now = Instant::now();
            seen.starting.insert(observed.id, (now, observed.clone()));
        }
    }

    /// What an instance does, with its desktop looked at where it runs.
    async fn observe_own(&self, own: &Own, current: &Current) -> Observed {
        let of = |power, endpoint| Observed {
            id: own.id,
            power,
            endpoint,
        };
        match State::from(current) {
            State::Stopped => return of(PowerState::Stopped, None),
            State::Saved => return of(PowerState::Suspended, None),
            State::Paused => return of(PowerState::Suspended, None),
            State::Running => {}
        }
        let Some(Reach::Port(port)) = own.reach else {
            return of(PowerState::Running, None);
        };
        let endpoint = self.endpoint(own, port).await;
        if let Some(endpoint) = endpoint
            && probe::answers(endpoint, ANSWER).await
        {
            return of(PowerState::Running, Some(endpoint));
        }
        // A desktop that is silent has not come so far, or has gone wrong since.
        let is_new = current.uptime <= self.config.start_grace.as_secs();
        let power = if is_new {
            PowerState::Starting
        } else {
            PowerState::Unhealthy
        };
        of(power, endpoint)
    }

    /// Where a desktop is, by what its guest says, as far as that is believed.
    async fn endpoint(&self, own: &Own, port: u16) -> Option<Endpoint> {
        let interfaces = match self.client.interfaces(&own.guest).await {
            Ok(interfaces) => interfaces,
            Err(fault) => {
                tracing::debug!(instance = %own.id, error = %fault, "no address yet");
                return None;
            }
        };
        let macs = self.macs(own).await?;
        let known = interfaces.into_iter().filter(|one| macs.contains(&one.mac));
        let addresses = known.flat_map(|one| one.addresses);
        let mut allowed: Vec<IpAddr> = addresses.filter(|one| self.is_allowed(*one)).collect();
        allowed.sort_by_key(IpAddr::is_ipv6);
        let address = allowed.into_iter().next()?;
        Some(Endpoint { address, port })
    }

    fn is_allowed(&self, address: IpAddr) -> bool {
        let networks = &self.config.networks;
        networks.iter().any(|network| network.contains(address))
    }

    /// Hardware addresses that the cluster gave a guest; others are of networks inside it.
    async fn macs(&self, own: &Own) -> Option<Arc<BTreeSet<String>>> {
        let key = (own.id, own.guest.vmid);
        {
            let macs = self.macs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = macs.get(&key) {
                return Some(Arc::clone(known));
            }
        }
        let config = self.client.config(&own.guest).await.ok()?;
        let nets = config.iter().filter(|(key, _)| is_net(key));
        let found: BTreeSet<String> = nets.flat_map(|(_, net)| macs_of(net)).collect();
        let found = Arc::new(found);
        let mut macs = self.macs.lock().unwrap_or_else(PoisonError::into_inner);
        if macs.len() >= 10_000 {
            macs.clear();
        }
        macs.insert(key, Arc::clone(&found));
        Some(found)
    }
}

fn is_net(key: &str) -> bool {
    let number = key.strip_prefix("net");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// `virtio=BC:24:11:00:00:01,bridge=…` of machines, `…,hwaddr=BC:…` of containers.
fn macs_of(net: &str) -> impl Iterator<Item = String> {
    let values = net.split(',').filter_map(|part| part.split_once('='));
    let is_mac = |value: &str| {
        value.len() == 17
            && value
                .bytes()
                .all(|byte| byte == b':' || byte.is_ascii_hexdigit())
    };
    let macs = values.filter(move |(_, value)| is_mac(value));
    macs.map(|(_, mac)| mac.to_ascii_lowercase())
}

/// Looking at all of them.
impl Proxmox {
    /// All instances, unfinished ones too. Of those on nodes that cannot be asked it is said
    /// that they do not answer: they are not gone.
    pub(super) async fn observe_all(&self) -> Result<Vec<Observed>, Trouble> {
        let list = self.all().await?;
        let own: Vec<Own> = list
            .iter()
            .filter_map(|resource| self.own(resource))
            .collect();
        let own = self.without_copies(own).await?;
        let (unfinished, _) = self.all_unfinished(&list).await?;
        let states = self.states(&own).await?;
        let looks = own.into_iter().map(|own| {
            let current = states.get(&own.guest).cloned();
            self.observe_listed(own, current)
        });
        let mut looks = stream::iter(looks).buffer_unordered(LOOKS);
        let mut all: Vec<Observed> = Vec::new();
        while let Some(looked) = looks.next().await {
            all.extend(looked?);
        }
        all.extend(unfinished.into_iter().map(|own| Observed {
            id: own.id,
            power: PowerState::Stopped,
            endpoint: None,
        }));
        all.sort_by_key(|observed| observed.id);
        all.dedup_by_key(|observed| observed.id);
        Ok(all)
    }

    async fn without_copies(&self, own: Vec<Own>) -> Result<Vec<Own>, Fault> {
        let mut count: HashMap<InstanceId, usize> = HashMap::new();
        own.iter()
            .for_each(|own| *count.entry(own.id).or_default() += 1);
        let is_twice = |own: &Own| count.get(&own.id).is_some_and(|count| *count > 1);
        let (twice, mut once): (Vec<Own>, Vec<Own>) = own.into_iter().partition(is_twice);
        once.extend(self.really_named(twice).await?);
        Ok(once)
    }

    async fn observe_listed(
        &self,
        own: Own,
        current: Option<Listed>,
    ) -> Result<Option<Observed>, Trouble> {
        match current {
            Some(Listed::Guest(current)) if is_told(&own.guest, &current) => {
                Ok(Some(self.observe_own(&own, &current).await))
            }
            Some(Listed::Silent) => Ok(Some(Observed {
                id: own.id,
                power: PowerState::Unreachable,
                endpoint: None,
            })),
            // It moved between the two lists, or is gone, or its node does not say enough.
            Some(Listed::Guest(_)) | None => match self.observe(own.id).await {
                Err(trouble) if is_missing(&trouble) => Ok(None),
                observed => observed.map(Some),
            },
        }
    }

    /// What guests do, by the lists of their nodes.
    pub(super) async fn states(&self, own: &[Own]) -> Result<HashMap<Guest, Listed>, Fault> {
        let places: BTreeSet<(String, Kind)> = own
            .iter()
            .map(|own| (own.guest.node.clone(), own.guest.kind))
            .collect();
        let mut states = HashMap::new();
        for (node, kind) in places {
            let here = |own: &&Own| own.guest.node == node && own.guest.kind == kind;
            match self.client.guests(&node, kind).await {
                Ok(listed) => states.extend(listed.into_iter().filter_map(|listed| {
                    let vmid = u32::try_from(listed.vmid?).ok()?;
                    let node = node.clone();
                    Some((Guest { kind, node, vmid }, Listed::Guest(listed.current)))
                })),
                Err(fault) if fault.class() == Class::Retryable => {
                    let guests = own.iter().filter(here).map(|own| own.guest.clone());
                    states.extend(guests.map(|guest| (guest, Listed::Silent)));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(states)
    }
}

/// Whether a list says all: a machine that is frozen runs, and only its emulator knows more.
fn is_told(guest: &Guest, current: &Current) -> bool {
    guest.kind == Kind::Lxc || current.status != "running" || current.qmpstatus.is_some()
}

/// What a node says of a guest.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Listed {
    Guest(Current),
    /// The node cannot be asked.
    Silent,
}

pub(super) fn is_missing(trouble: &Trouble) -> bool {
    let is_not_found = matches!(trouble, Trouble::Core(crate::error::Error::NotFound { .. }));
    is_not_found || trouble.class() == Some(Class::Gone)
}

/// Measuring and reading.
impl Proxmox {
    /// The cluster says what part of the processors is used now, not how much was used: it is
    /// added up from one look to the next, and from the start of the guest to the first.
    pub(super) async fn measure(&self, id: InstanceId) -> Result<Usage, Trouble> {
        let (_, current) = self.state(id).await?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let before = used
            .get(&id)
            .filter(|before| before.uptime <= current.uptime);
        let (elapsed, ns) = match before {
            Some(before) => (now.duration_since(before.at), before.ns),
            None => (Duration::from_secs(current.uptime.max(1)), 0),
        };
        let part = (current.cpu * current.cpus.max(1.0)).clamp(0.0, 8192.0);
        let more = elapsed.mul_f64(part).as_nanos();
        let ns = ns.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        let at = now;
        let uptime = current.uptime;
        if used.len() >= 10_000 {
            used.clear();
        }
        used.insert(id, Used { at, uptime, ns });
        Ok(Usage {
            cpu_ns: ns,
            memory_bytes: current.mem,
        })
    }

    /// The logs of the last tasks of an instance, the oldest first.
    pub(super) async fn tail(&self, id: InstanceId) -> Result<Vec<u8>, Trouble> {
        let own = self.instance(id).await?;
        let vmid = Some(own.guest.vmid);
        let tasks = self.client.tasks(&own.guest.node, vmid, false).await?;
        let mut log = String::new();
        let newest = tasks.iter().take(TASKS);
        let newest: Vec<_> = newest.filter_map(|task| task.upid.parse().ok()).collect();
        for upid in newest.iter().rev() {
            let lines = match self.client.task_log(upid, 0, LINES).await {
                Err(fault) if fault.class() == Class::Gone => continue,
                lines => lines?,
            };
            log.push_str(&format!("{}:\n", upid.kind()));
            lines.iter().for_each(|line| {
                log.push_str(line);
                log.push('\n');
            });
        }
        let mut log = log.into_bytes();
        let over = log.len().saturating_sub(LOG_MAX);
        log.drain(..over);
        Ok(log)
    }
}

/// Instances that were seen to start a moment ago.
#[derive(Debug, Default)]
pub(super) struct Seen {
    starting: HashMap<InstanceId, (Instant, Observed)>,
    /// Grows with each change of any of them.
    changes: u64,
}

pub(super) type Macs = std::sync::Mutex<HashMap<(InstanceId, u32), Arc<BTreeSet<String>>>>;
pub(super) type Uses = std::sync::Mutex<HashMap<InstanceId, Used>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_are_found() {
        let of = |net| macs_of(net).collect::<Vec<_>>();
        assert_eq!(
            of("virtio=BC:24:11:00:00:0A,bridge=vmbr1,firewall=1"),
            ["bc:24:11:00:00:0a"]
        );
        assert_eq!(
            of("name=eth0,bridge=vmbr1,hwaddr=BC:24:11:00:00:0B,ip=dhcp"),
            ["bc:24:11:00:00:0b"]
        );
        assert!(of("virtio,bridge=vmbr0").is_empty());
        assert!(is_net("net0") && is_net("net12"));
        assert!(!is_net("net") && !is_net("netx") && !is_net("nets0"));
    }
}
