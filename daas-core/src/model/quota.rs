//! How much somebody may have.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AppId, Resources};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// How much one person may have; `None` is as much as they like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Instances that are not deleted.
    pub instances: Option<u32>,
    /// CPU time in thousandths of one processor, of all that are started.
    pub cpu_millis: Option<u32>,
    /// Memory in MiB, of all that are started.
    pub memory_mib: Option<u32>,
    /// Disk in MiB, of all that are not deleted.
    pub disk_mib: Option<u32>,
    /// Hours that instances ran, all together, in the last seven days.
    pub hours_week: Option<u32>,
}

fn tightest(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Quota {
    /// The smaller of each limit.
    #[must_use]
    pub fn tightest(self, other: Self) -> Self {
        self.with(other, tightest)
    }

    /// This one, and another where it says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.with(other, Option::or)
    }

    fn with(self, other: Self, join: fn(Option<u32>, Option<u32>) -> Option<u32>) -> Self {
        Self {
            instances: join(self.instances, other.instances),
            cpu_millis: join(self.cpu_millis, other.cpu_millis),
            memory_mib: join(self.memory_mib, other.memory_mib),
            disk_mib: join(self.disk_mib, other.disk_mib),
            hours_week: join(self.hours_week, other.hours_week),
        }
    }

    /// The first limit that would be passed if this much were in use.
    ///
    /// # Errors
    /// That limit.
    pub fn check(&self, used: &Usage) -> Result<(), Exceeded> {
        let limits = [
            (
                self.instances,
                used.instances,
                Exceeded::Instances as fn(u32) -> Exceeded,
            ),
            (self.cpu_millis, used.cpu_millis, Exceeded::Cpu),
            (self.memory_mib, used.memory_mib, Exceeded::Memory),
            (self.disk_mib, used.disk_mib, Exceeded::Disk),
        ];
        for (limit, used, exceeded) in limits {
            if let Some(limit) = limit.filter(|limit| used > u64::from(*limit)) {
                return Err(exceeded(limit));
            }
        }
        self.check_hours(used)
    }

    /// Whether there is time left to run.
    ///
    /// # Errors
    /// [`Exceeded::Hours`] where there is none.
    pub fn check_hours(&self, used: &Usage) -> Result<(), Exceeded> {
        match self.hours_week {
            Some(hours) if used.week_ms >= u64::from(hours) * HOUR_MS => {
                Err(Exceeded::Hours(hours))
            }
            _ => Ok(()),
        }
    }
}

/// How much somebody has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Instances that are not deleted.
    pub instances: u64,
    /// CPU time in thousandths of one processor, of all that are started.
    pub cpu_millis: u64,
    /// Memory in MiB, of all that are started.
    pub memory_mib: u64,
    /// Disk in MiB, of all that are not deleted.
    pub disk_mib: u64,
    /// Milliseconds that instances ran in the last seven days.
    pub week_ms: u64,
}

impl Usage {
    /// With one more instance that is to run.
    #[must_use]
    pub fn plus_new(self, resources: Resources) -> Self {
        Self {
            instances: self.instances + 1,
            disk_mib: self.disk_mib + u64::from(resources.disk_mib),
            ..self.plus_started(resources)
        }
    }

    /// With one of the instances started.
    #[must_use]
    pub fn plus_started(self, resources: Resources) -> Self {
        Self {
            cpu_millis: self.cpu_millis + u64::from(resources.cpu_millis),
            memory_mib: self.memory_mib + u64::from(resources.memory_mib),
            ..self
        }
    }

    /// Hours that instances ran in the last seven days.
    #[must_use]
    pub fn hours_week(&self) -> f64 {
        let seconds = u32::try_from(self.week_ms / 1000).unwrap_or(u32::MAX);
        f64::from(seconds) / 3600.0
    }
}

/// What one person has, and may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// What they may have at most.
    pub limits: Quota,
    /// What they have.
    pub used: Usage,
    /// The same for each application that has a quota.
    pub apps: Vec<(AppId, Quota, Usage)>,
}

/// A limit that would be passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// Of instances.
    Instances(u32),
    /// Of CPU time, in thousandths of one processor.
    Cpu(u32),
    /// Of memory in MiB.
    Memory(u32),
    /// Of disk in MiB.
    Disk(u32),
    /// Of hours a week.
    Hours(u32),
}

/// In words for the person who is told.
impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instances(1) => f.write_str("you may have one desktop at a time"),
            Self::Instances(most) => write!(f, "you may have {most} desktops at a time"),
            Self::Cpu(most) => {
                let (whole, rest) = (most / 1000, most % 1000);
                write!(f, "your desktops may use {whole}")?;
                if rest > 0 {
                    let digits = format!("{rest:03}");
                    write!(f, ".{}", digits.trim_end_matches('0'))?;
                }
                f.write_str(" processors together")
            }
            Self::Memory(most) => write!(f, "your desktops may use {most} MiB of memory together"),
            Self::Disk(most) => write!(f, "your desktops may use {most} MiB of disk together"),
            Self::Hours(most) => write!(f, "your desktops may run {most} hours in seven days"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_counts_and_silence_is_filled() {
        let one = Quota {
            instances: Some(3),
            memory_mib: Some(100),
            ..Quota::default()
        };
        let other = Quota {
            instances: Some(2),
            disk_mib: Some(7),
            ..Quota::default()
        };
        let both = one.tightest(other);
        assert_eq!(
            (both.instances, both.memory_mib, both.disk_mib),
            (Some(2), Some(100), Some(7))
        );
        let filled = one.or(other);
        assert_eq!((filled.instances, filled.disk_mib), (Some(3), Some(7)));
    }

    #[test]
    fn each_limit_may_be_reached_and_not_passed() {
        let quota = Quota {
            instances: Some(1),
            cpu_millis: Some(1500),
            memory_mib: Some(10),
            disk_mib: Some(10),
            hours_week: Some(2),
        };
        let full = Usage {
            instances: 1,
            cpu_millis: 1500,
            memory_mib: 10,
            disk_mib: 10,
            week_ms: 2 * HOUR_MS - 1,
        };
        assert_eq!(quota.check(&full), Ok(()));
        for (more, exceeded, text) in [
            (
                Usage {
                    instances: 2,
                    ..full
                },
                Exceeded::Instances(1),
                "you may have one desktop at a time",
            ),
            (
                Usage {
                    cpu_millis: 1501,
                    ..full
                },
                Exceeded::Cpu(1500),
                "your desktops may use 1.5 processors together",
            ),
            (
                Usage {
                    memory_mib: 11,
                    ..full
                },
                Exceeded::Memory(10),
                "your desktops may use 10 MiB of memory together",
            ),
            (
                Usage {
                    disk_mib: 11,
                    ..full
                },
                Exceeded::Disk(10),
                "your desktops may use 10 MiB of disk together",
            ),
            (
                Usage {
                    week_ms: 2 * HOUR_MS,
                    ..full
                },
                Exceeded::Hours(2),
                "your desktops may run 2 hours in seven days",
            ),
        ] {
            assert_eq!(quota.check(&more), Err(exceeded));
            assert_eq!(exceeded.to_string(), text);
        }
        assert_eq!(
            Quota::default().check(&Usage {
                instances: u64::MAX,
                ..full
            }),
            Ok(())
        );
    }
}
