//! Which host an instance goes to: a pure choice, made inside the transaction that adds it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::{HostName, Label, Quota, Resources};

/// Whether hosts share the load, or few of them carry it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// To the host that has the largest share left.
    #[default]
    Spread,
    /// To the host that has the smallest share left, so that others stay empty.
    Pack,
}

/// How much may run on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Processors in thousandths, after what may be promised more than once.
    pub cpu_millis: u64,
    /// Memory in MiB, without what the host needs itself.
    pub memory_mib: u64,
}

/// How much is promised on a host: to all that is not stopped, failed or deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Instances.
    pub instances: u64,
    /// Processors in thousandths.
    pub cpu_millis: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
}

impl Committed {
    /// With one more instance.
    #[must_use]
    pub fn plus(self, needs: Resources) -> Self {
        Self {
            instances: self.instances + 1,
            cpu_millis: self.cpu_millis + u64::from(needs.cpu_millis),
            memory_mib: self.memory_mib + u64::from(needs.memory_mib),
        }
    }
}

/// What is known of a host when something is placed.
#[derive(Clone, Debug)]
pub struct Room {
    /// Its name.
    pub name: HostName,
    /// What it has that not all have.
    pub labels: Vec<Label>,
    /// Whether it answers.
    pub is_there: bool,
    /// Whether it has the image, as far as that is known.
    pub has_image: bool,
    /// Whether it can show the desktops of the application: not all have consoles.
    pub can_show: bool,
    /// How much may run on it, once that is known.
    pub capacity: Option<Capacity>,
}

impl Room {
    /// What would be left with one more instance, in millionths of all, where it fits: of
    /// processors or of memory, whatever is scarcer.
    fn left(&self, used: Committed, needs: Resources) -> Option<u64> {
        let (capacity, then) = (self.capacity?, used.plus(needs));
        let cpu = share(capacity.cpu_millis, then.cpu_millis)?;
        let memory = share(capacity.memory_mib, then.memory_mib)?;
        Some(cpu.min(memory))
    }

    /// Whether one more instance fits. A host that was not seen yet may have room.
    #[must_use]
    pub fn fits(&self, used: Committed, needs: Resources) -> bool {
        self.capacity.is_none() || self.left(used, needs).is_some()
    }
}

/// What is left of something, in millionths.
fn share(of: u64, used: u64) -> Option<u64> {
    let left = u128::from(of.checked_sub(used)?) * 1_000_000;
    u64::try_from(left.checked_div(u128::from(of)).unwrap_or(0)).ok()
}

/// A host that something could be placed on.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What is known of it.
    pub room: &'a Room,
    /// What is promised on it.
    pub used: Committed,
    /// Whether it is being emptied.
    pub drained: bool,
}

/// Why there is no place for an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// No host has consoles, by which people are to see the desktop.
    Consoles,
    /// No host has all the labels.
    Labels,
    /// Those that could take it do not answer.
    Unreachable,
    /// Those that answer are full, or are being emptied.
    Full,
}

/// In words for the person who is told.
impl From<NoPlace> for Error {
    fn from(why: NoPlace) -> Self {
        let reason = match why {
            NoPlace::Unreachable => {
                return Self::Unavailable {
                    backend: "the host of the desktops",
                    operation: "placing a desktop",
                    source: None,
                };
            }
            NoPlace::Consoles => {
                "no host can show this application, as it is seen by the console of its machine; \
                 an administrator has to add one that runs machines"
            }
            NoPlace::Labels => {
                "no host can run this application; an administrator has to give one of them its \
                 labels"
            }
            NoPlace::Full => {
                "no host has room for this desktop at the moment; stop one that you do not need, \
                 or try again later"
            }
        };
        let reason = reason.to_owned();
        Self::Exhausted { reason }
    }
}

/// The host for an instance. Those that have its image come first, since on others its start
/// would fail; of several that are as good the first.
///
/// # Errors
/// Where there is none, why that is.
pub fn choose<'a>(
    candidates: &[Candidate<'a>],
    needs: Resources,
    labels: &[Label],
    strategy: Strategy,
) -> Result<&'a HostName, NoPlace> {
    let able = |candidate: &&Candidate<'_>| {
        let has = |label| candidate.room.labels.contains(label);
        labels.iter().all(has)
    };
    let showing = candidates
        .iter()
        .filter(|candidate| candidate.room.can_show);
    if showing.clone().count() == 0 && !candidates.is_empty() {
        return Err(NoPlace::Consoles);
    }
    let able: Vec<_> = showing.filter(able).collect();
    if able.is_empty() && !candidates.is_empty() {
        return Err(NoPlace::Labels);
    }
    let open: Vec<_> = able.iter().filter(|candidate| !candidate.drained).collect();
    let there = open.iter().filter(|candidate| candidate.room.is_there);
    let fitting = there.clone().filter_map(|candidate| {
        let left = candidate.room.left(candidate.used, needs)?;
        let rank = match strategy {
            Strategy::Spread => u64::MAX - left,
            Strategy::Pack => left,
        };
        Some(((!candidate.room.has_image, rank), &candidate.room.name))
    });
    // The first one of those that are equal.
    match fitting.min_by_key(|(rank, _)| *rank) {
        Some((_, name)) => Ok(name),
        None if there.count() == 0 && (!open.is_empty() || candidates.is_empty()) => {
            Err(NoPlace::Unreachable)
        }
        None => Err(NoPlace::Full),
    }
}

/// What bounds an instance that is added or started.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// What a person may have who has no quota of their own, nor by a group.
    pub general: Quota,
    /// The hosts, in the order of the configuration; instances that do not know theirs are on
    /// the first. Without any, nothing is placed.
    pub hosts: Arc<[Room]>,
    /// Which host is taken.
    pub strategy: Strategy,
}

impl From<Quota> for Bounds {
    /// Without hosts.
    fn from(general: Quota) -> Self {
        Self {
            general,
            hosts: Arc::default(),
            strategy: Strategy::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use proptest::prelude::*;

    use super::Strategy;
    use super::*;

    const NEEDS: Resources = Resources {
        cpu_millis: 1000,
        memory_mib: 1024,
        disk_mib: 0,
    };

    fn room(name: &str, cpus: u64, memory_mib: u64) -> Room {
        Room {
            name: name.parse().unwrap(),
            labels: Vec::new(),
            is_there: true,
            has_image: true,
            can_show: true,
            capacity: Some(Capacity {
                cpu_millis: cpus * 1000,
                memory_mib,
            }),
        }
    }

    fn used(instances: u64) -> Committed {
        Committed {
            instances,
            cpu_millis: 1000 * instances,
            memory_mib: 1024 * instances,
        }
    }

    /// What is chosen of hosts with so many instances each.
    fn check(
        rooms: &[(Room, u64)],
        labels: &[&str],
        strategy: Strategy,
        expected: Result<&str, NoPlace>,
    ) {
        let candidates: Vec<_> = rooms.iter().map(|(room, n)| candidate(room, *n)).collect();
        let labels: Vec<Label> = labels.iter().map(|label| label.parse().unwrap()).collect();
        let chosen = choose(&candidates, NEEDS, &labels, strategy);
        assert_eq!(chosen.map(HostName::as_str), expected);
    }

    fn candidate(room: &Room, instances: u64) -> Candidate<'_> {
        Candidate {
            room,
            used: used(instances),
            drained: false,
        }
    }

    #[test]
    fn load_is_spread_or_packed() {
        let two = [(room("a", 16, 8192), 4), (room("b", 16, 8192), 2)];
        check(&two, &[], Strategy::Spread, Ok("b"));
        check(&two, &[], Strategy::Pack, Ok("a"));
        // Full in memory, though there are processors.
        let full = [(room("a", 16, 4096), 4), (room("b", 16, 8192), 2)];
        check(&full, &[], Strategy::Pack, Ok("b"));
        let equal = [(room("b", 8, 8192), 1), (room("a", 8, 8192), 1)];
        check(&equal, &[], Strategy::Spread, Ok("b"));
    }

    #[test]
    fn an_image_that_is_there_is_better_than_room() {
        let mut without = room("a", 16, 65536);
        without.has_image = false;
        let both = [(without, 0), (room("b", 16, 8192), 6)];
        check(&both, &[], Strategy::Spread, Ok("b"));
        // Full: then it is tried where the image is missing.
        let both = [(both[0].0.clone(), 0), (room("b", 16, 6144), 6)];
        check(&both, &[], Strategy::Spread, Ok("a"));
    }

    #[test]
    fn why_there_is_no_place_is_told() {
        let mut gpu = room("gpu", 1, 1024);
        gpu.labels = vec!["gpu".parse().unwrap()];
        let mut silent = room("silent", 16, 65536);
        silent.is_there = false;
        let mut unseen = room("unseen", 1, 1);
        unseen.capacity = None;
        check(&[], &[], Strategy::Spread, Err(NoPlace::Unreachable));
        let all = [(gpu, 0), (silent.clone(), 0)];
        check(&all, &["gpu"], Strategy::Spread, Ok("gpu"));
        check(&all, &["gpu", "ssd"], Strategy::Pack, Err(NoPlace::Labels));
        let all = [(all[0].0.clone(), 1), (silent.clone(), 0)];
        check(&all, &[], Strategy::Spread, Err(NoPlace::Full));
        let mut engine = room("engine", 16, 65536);
        engine.can_show = false;
        let engines = [(engine.clone(), 0)];
        check(&engines, &["gpu"], Strategy::Pack, Err(NoPlace::Consoles));
        let all = [(engine, 0), (room("cluster", 1, 1024), 0)];
        check(&all, &[], Strategy::Spread, Ok("cluster"));
        let away = [(silent, 0)];
        check(&away, &[], Strategy::Spread, Err(NoPlace::Unreachable));
        check(&[(unseen, 0)], &[], Strategy::Pack, Err(NoPlace::Full));
    }

    #[test]
    fn what_is_being_emptied_takes_nothing() {
        let room = room("a", 16, 65536);
        let candidate = Candidate {
            drained: true,
            ..candidate(&room, 0)
        };
        let chosen = choose(&[candidate], NEEDS, &[], Strategy::Spread);
        assert_eq!(chosen, Err(NoPlace::Full));
    }

    /// A host by numbers: its processors, its memory, whether it answers, whether it is being
    /// emptied, whether it has the image.
    type Numbers = (u64, u64, bool, bool, bool);

    fn hosts() -> impl proptest::strategy::Strategy<Value = Vec<Numbers>> {
        let host = (
            0_u64..9,
            0_u64..9000,
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
        );
        proptest::collection::vec(host, 0..5)
    }

    fn needs() -> impl proptest::strategy::Strategy<Value = Vec<(u32, u32)>> {
        proptest::collection::vec((0_u32..3000, 0_u32..3000), 0..40)
    }

    fn rooms(hosts: &[Numbers]) -> Vec<Room> {
        let rooms = hosts.iter().enumerate();
        rooms
            .map(|(n, (cpus, memory, is_there, _, has_image))| Room {
                is_there: *is_there,
                has_image: *has_image,
                ..room(&format!("host-{n}"), *cpus, *memory)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn no_host_is_ever_overfull(hosts in hosts(), needs in needs(), pack: bool) {
            let strategy = if pack { Strategy::Pack } else { Strategy::Spread };
            let rooms = rooms(&hosts);
            let mut used = vec![Committed::default(); rooms.len()];
            for (cpu_millis, memory_mib) in needs {
                let needs = Resources { cpu_millis, memory_mib, disk_mib: 0 };
                let candidates: Vec<_> = (0..rooms.len())
                    .map(|n| Candidate { room: &rooms[n], used: used[n], drained: hosts[n].3 })
                    .collect();
                let fits = |n: &usize| {
                    let (room, then) = (&rooms[*n], used[*n].plus(needs));
                    let capacity = room.capacity.unwrap();
                    room.is_there && !hosts[*n].3 && then.cpu_millis <= capacity.cpu_millis
                        && then.memory_mib <= capacity.memory_mib
                };
                let fitting: Vec<usize> = (0..rooms.len()).filter(fits).collect();
                match choose(&candidates, needs, &[], strategy) {
                    Ok(name) => {
                        let n = rooms.iter().position(|room| room.name == *name).unwrap();
                        prop_assert!(fitting.contains(&n));
                        // None that has the image is passed over for one that has not.
                        let with = fitting.iter().any(|n| rooms[*n].has_image);
                        prop_assert!(rooms[n].has_image || !with);
                        used[n] = used[n].plus(needs);
                    }
                    Err(_) => prop_assert!(fitting.is_empty()),
                }
            }
        }
    }
}
