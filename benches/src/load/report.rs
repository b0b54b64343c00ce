//! Figures, as a table and as a file.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Result;
use super::measure::Load;
use super::target::Target;
use super::tunnels::Sum;
use crate::machine::Machine;

/// What was found about one target.
#[derive(Clone, Debug)]
pub(super) struct Row {
    target: Target,
    pub(super) time: Duration,
    bytes: u64,
    latencies_us: Vec<u32>,
    /// Of the server alone.
    pub(super) cores: f64,
    pub(super) idle_cores: f64,
    pub(super) idle_kib: f64,
    pub(super) stalled_kib: f64,
    pub(super) resident_mib: f64,
    pub(super) load_average: f64,
    failures: Vec<String>,
}

impl Row {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            time: Duration::ZERO,
            bytes: 0,
            latencies_us: Vec::new(),
            cores: 0.0,
            idle_cores: 0.0,
            idle_kib: 0.0,
            stalled_kib: 0.0,
            resident_mib: 0.0,
            load_average: 0.0,
            failures: Vec::new(),
        }
    }

    /// Adds what a group of clients got; only one of them counts.
    pub(super) fn add(&mut self, sum: Sum) {
        self.bytes += sum.bytes;
        self.failures.extend(sum.failures);
        if self.latencies_us.is_empty() {
            self.latencies_us = sum.latencies_us;
        }
    }

    fn mb_per_s(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.time.as_secs_f64()
    }

    fn cpu_ms_per_mb(&self) -> f64 {
        self.cores * 1000.0 / self.mb_per_s()
    }

    /// In milliseconds.
    fn latency(&self, share: f64) -> f64 {
        let last = self.latencies_us.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies_us
            .get(at)
            .map_or(f64::NAN, |&us| f64::from(us) / 1000.0)
    }

    /// The figures in the order of [`COLUMNS`]. Without a process there is none to measure.
    fn figures(&self) -> [Option<f64>; COLUMNS.len()] {
        let of_server = |figure| (self.target != Target::Direct).then_some(figure);
        [
            Some(self.failures.len() as f64),
            Some(self.mb_per_s()),
            Some(self.latency(0.5)),
            Some(self.latency(0.99)),
            Some(self.latency(1.0)),
            of_server(self.cpu_ms_per_mb()),
            of_server(self.cores),
            of_server(self.idle_cores),
            of_server(self.idle_kib),
            of_server(self.stalled_kib),
            of_server(self.resident_mib),
            Some(self.load_average),
        ]
    }
}

/// Title in the table, name in the file, and digits after the point.
const COLUMNS: [(&str, &str, usize); 12] = [
    ("drops", "drops", 0),
    ("MB/s", "mb_per_s", 1),
    ("p50 ms", "p50_ms", 2),
    ("p99 ms", "p99_ms", 2),
    ("max ms", "max_ms", 1),
    ("CPU ms/MB", "cpu_ms_per_mb", 2),
    ("cores", "cores", 2),
    ("cores idle", "cores_idle", 2),
    ("KiB/idle", "kib_per_idle", 1),
    ("KiB/stalled", "kib_per_stalled", 1),
    ("MiB in all", "resident_mib", 1),
    ("load", "load_average", 1),
];

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    load: Load,
    rows: Vec<Row>,
}

impl Report {
    pub(super) const fn new(load: Load, rows: Vec<Row>) -> Self {
        Self { load, rows }
    }

    /// As a table of Markdown, with what was done and why tunnels failed.
    #[must_use]
    pub fn markdown(&self) -> String {
        let Load {
            idle,
            busy,
            rate,
            stalled,
            time,
            ..
        } = &self.load;
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let (rate, time) = (*rate as f64 / 1024.0, time.as_secs_f64());
        let mut out = format!(
            "{idle} idle and {busy} busy tunnels at {rate:.0} KiB/s for {time:.0} s, then \
             {stalled} stalled readers. Clients, guacd and server share {cores} processors.\n\n"
        );
        if self.load.reads + self.load.log_ins > 0 {
            let Load { reads, log_ins, .. } = &self.load;
            let _ = writeln!(
                out,
                "Beside the tunnels of daas {reads} requests for the catalogue and {log_ins} \
                 log-ins a second.\n"
            );
        }
        let titles: Vec<_> = COLUMNS.iter().map(|(title, ..)| *title).collect();
        let _ = writeln!(out, "| target | {} |", titles.join(" | "));
        let _ = writeln!(out, "|---|{}", "---:|".repeat(COLUMNS.len()));
        for row in &self.rows {
            let figures = row.figures().into_iter().zip(COLUMNS);
            let cells = figures.map(|(figure, (_, _, digits))| match figure {
                Some(figure) => format!("{figure:.digits$}"),
                None => String::new(),
            });
            let cells: Vec<_> = cells.collect();
            let _ = writeln!(out, "| {} | {} |", row.target.name(), cells.join(" | "));
        }
        for row in &self.rows {
            for failure in row.failures.iter().take(3) {
                let _ = writeln!(out, "\n{}: {failure}", row.target.name());
            }
        }
        out
    }

    /// Writes the figures into a folder, and answers the file.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn save(&self, folder: &Path, machine: &Machine) -> Result<PathBuf> {
        let file = folder.join(format!("{}-tunnels.csv", machine.date));
        fs::create_dir_all(folder)?;
        fs::write(&file, self.csv(machine))?;
        Ok(file)
    }

    fn csv(&self, machine: &Machine) -> String {
        let names: Vec<_> = COLUMNS.iter().map(|(_, name, _)| *name).collect();
        let first = "date,commit,cpu,rustc,target,idle,busy,rate_bytes_per_s,seconds,stalled,reads_per_s,log_ins_per_s";
        let mut out = format!("{first},{}\n", names.join(","));
        let Machine {
            date,
            commit,
            cpu,
            rustc,
            ..
        } = machine;
        let Load {
            idle,
            busy,
            rate,
            stalled,
            time,
            reads,
            log_ins,
            ..
        } = &self.load;
        for row in &self.rows {
            let (target, seconds) = (row.target.name(), time.as_secs_f64());
            let _ = write!(out, "{date},{commit},{cpu},{rustc},{target},");
            let _ = write!(
                out,
                "{idle},{busy},{rate},{seconds},{stalled},{reads},{log_ins}"
            );
            for figure in row.figures() {
                let _ = match figure {
                    Some(figure) => write!(out, ",{figure:.4}"),
                    None => write!(out, ","),
                };
            }
            out.push('\n');
        }
        out
    }

    /// How many tunnels ended before their time, or brought something else than was played.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.rows.iter().map(|row| row.failures.len()).sum()
    }
}
