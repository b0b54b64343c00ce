//! What an instance uses.

use serde::Deserialize;

use super::Docker;
use super::fault::Fault;
use crate::hypervisor::Usage;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    cpu_stats: Cpu,
    memory_stats: Memory,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cpu {
    cpu_usage: CpuUsage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CpuUsage {
    total_usage: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    usage: u64,
    stats: MemoryParts,
}

/// Pages of files that were not used lately, under its names in the two versions of control
/// groups: they count as used, but are given up as soon as anything needs memory.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MemoryParts {
    inactive_file: u64,
    total_inactive_file: Option<u64>,
}

impl From<Stats> for Usage {
    fn from(stats: Stats) -> Self {
        let Memory {
            usage,
            stats: parts,
        } = stats.memory_stats;
        let given_up = parts.total_inactive_file.unwrap_or(parts.inactive_file);
        Self {
            cpu_ns: stats.cpu_stats.cpu_usage.total_usage,
            memory_bytes: usage.saturating_sub(given_up),
        }
    }
}

impl Docker {
    /// Without `one-shot` the engine takes a second, to compare with.
    pub(super) async fn used(&self, container: &str) -> Result<Usage, Fault> {
        let path = format!("/containers/{container}/stats?stream=false&one-shot=true");
        let stats: Stats = self.raw.get(&path).await?;
        Ok(stats.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn check(text: &str, cpu_ns: u64, memory_bytes: u64) {
        let stats: Stats = serde_json::from_str(text).unwrap();
        let expected = Usage {
            cpu_ns,
            memory_bytes,
        };
        assert_eq!(Usage::from(stats), expected);
    }

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let text = |parts: &str| {
            format!(
                r#"{{"cpu_stats":{{"cpu_usage":{{"total_usage":7}},"online_cpus":2}},
                    "memory_stats":{{"usage":1000,"stats":{{{parts}}}}}}}"#
            )
        };
        check(
            &text(r#""total_inactive_file":100,"inactive_file":40"#),
            7,
            900,
        );
        check(&text(r#""inactive_file":100"#), 7, 900);
        check(&text(r#""inactive_file":2000"#), 7, 0);
    }

    #[test]
    fn what_does_not_run_uses_nothing() {
        check(r#"{"memory_stats":{}}"#, 0, 0);
    }
}
