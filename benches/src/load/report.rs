//! Figures, as a table and as a file.

use std::fmt::Write as _;
use std::fs;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Result;
use super::api::{Answers, Beside};
use super::client::{Got, Phase};
use super::measure::Load;
use super::target::Target;
use super::tunnels::Sum;
use crate::machine::Machine;

/// What came through busy tunnels in one phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    time: Duration,
    /// Processor time of the server alone.
    cpu: Duration,
    /// Latencies are those of busy tunnels, in rising order.
    got: Got,
}

impl Flow {
    /// A time, and what the server used of processors in it. What came is known at the end.
    pub(super) fn new(time: Duration, cpu: Duration) -> Self {
        Self {
            time,
            cpu,
            ..Self::default()
        }
    }

    fn mb_per_s(&self) -> f64 {
        self.got.bytes as f64 / 1e6 / self.time.as_secs_f64()
    }

    fn cores(&self) -> f64 {
        self.cpu.as_secs_f64() / self.time.as_secs_f64()
    }

    fn cpu_ms_per_mb(&self) -> f64 {
        self.cores() * 1000.0 / self.mb_per_s()
    }

    /// In milliseconds.
    fn latency(&self, share: f64) -> f64 {
        let last = self.got.latencies_us.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.got
            .latencies_us
            .get(at)
            .map_or(f64::NAN, |&us| f64::from(us) / 1000.0)
    }

    /// Takes over what a group of clients got. Of the first one, which is busy, latencies
    /// count.
    fn take(&mut self, got: Got) {
        self.got.bytes += got.bytes;
        if self.got.latencies_us.is_empty() {
            self.got.latencies_us = got.latencies_us;
        }
    }
}

impl AddAssign for Flow {
    /// Another turn of the same phase.
    fn add_assign(&mut self, turn: Self) {
        self.time += turn.time;
        self.cpu += turn.cpu;
    }
}

/// What was found about one target.
#[derive(Clone, Debug)]
pub(super) struct Row {
    target: Target,
    pub(super) alone: Flow,
    /// Where requests were made beside the tunnels.
    pub(super) beside: Option<Flow>,
    pub(super) answers: Answers,
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
            alone: Flow::default(),
            beside: None,
            answers: Answers::default(),
            idle_cores: 0.0,
            idle_kib: 0.0,
            stalled_kib: 0.0,
            resident_mib: 0.0,
            load_average: 0.0,
            failures: Vec::new(),
        }
    }

    /// Adds what a group of clients got.
    pub(super) fn add(&mut self, sum: Sum) {
        self.failures.extend(sum.failures);
        let [alone, beside] = sum.got;
        self.alone.take(alone);
        if let Some(flow) = &mut self.beside {
            flow.take(beside);
        }
    }

    /// What was found, by phase.
    fn flows(&self) -> impl Iterator<Item = (Phase, &Flow)> {
        let beside = self.beside.as_ref().map(|flow| (Phase::Beside, flow));
        std::iter::once((Phase::Alone, &self.alone)).chain(beside)
    }

    /// The figures in the order of [`COLUMNS`]. Without a process there is none to measure.
    fn figures(&self, flow: &Flow) -> [Option<f64>; COLUMNS.len()] {
        let of_server = |figure| (self.target != Target::Direct).then_some(figure);
        [
            Some(self.failures.len() as f64),
            Some(flow.mb_per_s()),
            Some(flow.latency(0.5)),
            Some(flow.latency(0.99)),
            Some(flow.latency(1.0)),
            of_server(flow.cpu_ms_per_mb()),
            of_server(flow.cores()),
            of_server(self.idle_cores),
            of_server(self.idle_kib),
            of_server(self.stalled_kib),
            of_server(self.resident_mib),
            Some(self.load_average),
        ]
    }

    /// What requests changed, in words.
    fn growth(&self) -> Option<String> {
        let beside = self.beside.as_ref()?;
        let grown = 100.0 * (beside.latency(0.99) / self.alone.latency(0.99) - 1.0);
        let Answers {
            reads,
            log_ins,
            launches,
            wrk,
            wrk_refused,
            guesses,
            failures,
        } = self.answers;
        Some(format!(
            "Requests were made half of the time, by turns. Answered: {reads} reads, {log_ins} \
             log-ins, {launches} launches, {wrk} reads to wrk ({wrk_refused} of them refused, as \
             they were too many), {guesses} passwords guessed in vain; others refused or too late: \
             {failures}. The p99 beside them is {grown:+.0} %."
        ))
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

    fn flows(&self) -> impl Iterator<Item = (&Row, Phase, &Flow)> {
        let rows = self.rows.iter();
        rows.flat_map(|row| row.flows().map(move |(phase, flow)| (row, phase, flow)))
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
        let titles: Vec<_> = COLUMNS.iter().map(|(title, ..)| *title).collect();
        let _ = writeln!(out, "| target | {} |", titles.join(" | "));
        let _ = writeln!(out, "|---|{}", "---:|".repeat(COLUMNS.len()));
        for (row, phase, flow) in self.flows() {
            let figures = row.figures(flow).into_iter().zip(COLUMNS);
            let cells = figures.map(|(figure, (_, _, digits))| match figure {
                Some(figure) => format!("{figure:.digits$}"),
                None => String::new(),
            });
            let cells: Vec<_> = cells.collect();
            let name = match phase {
                Phase::Alone => row.target.name().to_owned(),
                Phase::Beside => format!("{}, {}", row.target.name(), phase.name()),
            };
            let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
        }
        for words in self.rows.iter().filter_map(Row::growth) {
            let _ = writeln!(out, "\n{words}");
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
        let first = "date,commit,cpu,rustc,target,phase,idle,busy,rate_bytes_per_s,seconds,stalled,reads_per_s,log_ins_per_s,launches_per_s,wrk_connections,guess_connections";
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
            beside,
            ..
        } = &self.load;
        for (row, phase, flow) in self.flows() {
            let (target, seconds) = (row.target.name(), time.as_secs_f64());
            // Those of a phase that had any.
            let Beside {
                reads,
                log_ins,
                launches,
                wrk,
                guesses,
            } = match phase {
                Phase::Alone => Beside::default(),
                Phase::Beside => *beside,
            };
            let _ = write!(
                out,
                "{date},{commit},{cpu},{rustc},{target},{},",
                phase.name()
            );
            let _ = write!(
                out,
                "{idle},{busy},{rate},{seconds},{stalled},{reads},{log_ins},{launches},{wrk},{guesses}"
            );
            for figure in row.figures(flow) {
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
