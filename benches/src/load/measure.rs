//! One target after the other, under the same load.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::api::{Beside, Requests, Visitors};
use super::client::Phase;
use super::process::{Process, check_files};
use super::report::{Flow, Row};
use super::script::{Kind, Library, Spec};
use super::target::{Target, beside};
use super::tunnels::{Behaviour, Sum, Tunnels};
use super::{Report, Result};

/// Time for memory and caches to come to rest.
const SETTLE: Duration = Duration::from_secs(2);
/// Rate for readers that stall: well above what buffers of the kernel take.
const STALLED_RATE: u64 = 4 << 20;
/// How long they stall; servers may give them up some time later.
const STALLED: Duration = Duration::from_secs(8);
/// How long the server is alone with its tunnels, and then beside requests, at a time.
const TURN: Duration = Duration::from_secs(2);
/// Time for requests to be under way, and for the last of them to end.
const BETWEEN: Duration = Duration::from_millis(500);
/// Tunnels that are opened and closed before anything is measured.
const FIRST: usize = 16;

/// The load.
#[derive(Clone, Debug)]
pub struct Load {
    /// Tunnels on which next to nothing happens.
    pub idle: usize,
    /// Tunnels on which something happens all the time.
    pub busy: usize,
    /// Bytes in a second on each of these.
    pub rate: u64,
    /// Readers that read nothing.
    pub stalled: usize,
    /// What daas has to do beside tunnels.
    pub beside: Beside,
    /// Whether the connections that are measured go past the server: what grows there too
    /// while it answers requests is not of its making.
    pub control: bool,
    /// Whether daas limits requests as it does by default.
    pub limits: bool,
    /// How long to measure.
    pub time: Duration,
    /// The recording to play.
    pub stream: PathBuf,
    /// Whether to look at the outcome alone.
    pub smoke: Smoke,
}

/// Whether a run is only to show that all works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Smoke {
    /// It is: nothing is waited for that only matters to figures.
    Yes,
    /// Figures are wanted.
    No,
}

impl Load {
    fn settle(&self) -> Duration {
        match self.smoke {
            Smoke::Yes => Duration::from_millis(200),
            Smoke::No => SETTLE,
        }
    }

    fn specs(&self, kind: Kind, count: usize, rate: u64) -> Vec<Spec> {
        (0..count).map(|start| Spec { kind, start, rate }).collect()
    }

    fn idle_specs(&self) -> Vec<Spec> {
        self.specs(Kind::Idle, self.idle, self.rate)
    }

    fn busy_specs(&self) -> Vec<Spec> {
        self.specs(Kind::Busy, self.busy, self.rate)
    }

    /// Two for each tunnel at the server, and some for the process itself.
    fn files(&self) -> usize {
        2 * (self.idle + self.busy).max(self.stalled) + 100
    }
}

/// Measures targets one after the other.
///
/// # Errors
/// Where one of them cannot be started or reached, or too few files can be opened.
pub async fn run(load: &Load, targets: &[Target]) -> Result<Report> {
    check_files(load.files())?;
    let library = Library::read(&load.stream)?;
    let mut rows = Vec::new();
    for &target in targets {
        eprintln!("{}: measuring", target.name());
        let row = Bench::start(target, load, &library)?.measure().await?;
        rows.push(row);
    }
    Ok(Report::new(load.clone(), rows))
}

/// A target, and the guacd behind it.
struct Bench<'l> {
    target: Target,
    load: &'l Load,
    library: &'l Library,
    guacd: Process,
    server: Option<Process>,
}

impl<'l> Bench<'l> {
    fn start(target: Target, load: &'l Load, library: &'l Library) -> Result<Self> {
        let mut command = Command::new(beside("scripted-guacd")?);
        let guacd = Process::start(command.arg("--stream").arg(&load.stream))?;
        Ok(Self {
            server: target.start(guacd.address, load.limits)?,
            target,
            load,
            library,
            guacd,
        })
    }

    async fn open(&self, specs: &[Spec], behaviour: Behaviour) -> Result<Tunnels> {
        let (target, process) = match &self.server {
            Some(server) if !self.load.control => (self.target, server),
            _ => (Target::Direct, &self.guacd),
        };
        Tunnels::open(target, process.address, self.library, specs, behaviour).await
    }

    fn resident_kib(&self) -> Result<f64> {
        self.server.as_ref().map_or(Ok(0.0), Process::resident_kib)
    }

    fn cpu(&self) -> Result<Duration> {
        self.server
            .as_ref()
            .map_or(Ok(Duration::ZERO), Process::cpu)
    }

    async fn measure(mut self) -> Result<Row> {
        let mut row = Row::new(self.target);
        self.measure_flow(&mut row).await?;
        // What a process has had in use it may use again, and that would not show.
        drop(self.server.take());
        self.server = self.target.start(self.guacd.address, self.load.limits)?;
        self.measure_stalled(&mut row).await?;
        Ok(row)
    }

    /// Code and buffers that all tunnels share are not to count as those of the first ones.
    async fn warm_up(&self) -> Result<f64> {
        let specs = self.load.specs(Kind::Busy, FIRST, self.load.rate);
        let first = self.open(&specs, Behaviour::Read).await?;
        sleep(self.load.settle()).await;
        first.end().await.must_be_good()?;
        sleep(self.load.settle()).await;
        self.resident_kib()
    }

    async fn measure_flow(&self, row: &mut Row) -> Result<()> {
        let before = self.warm_up().await?;
        let idle = self.open(&self.load.idle_specs(), Behaviour::Read).await?;
        sleep(self.load.settle()).await;
        row.idle_cores = self.cores(self.load.settle()).await?;
        row.idle_kib = (self.resident_kib()? - before) / self.load.idle.max(1) as f64;
        let busy = self.open(&self.load.busy_specs(), Behaviour::Read).await?;
        sleep(self.load.settle()).await;
        match self.beside() {
            Some(server) => self.take_turns(row, &busy, server).await?,
            None => row.alone = self.phase(&busy, Phase::Alone, self.load.time).await?,
        }
        row.load_average = load_average()?;
        row.resident_mib = self.resident_kib()? / 1024.0;
        row.add(busy.end().await);
        row.add(idle.end().await);
        Ok(())
    }

    /// Where requests are to be made beside tunnels. Only daas answers any.
    fn beside(&self) -> Option<SocketAddr> {
        let server = self.server.as_ref()?;
        let wanted = self.target == Target::Daas && self.load.beside.is_wanted();
        wanted.then_some(server.address)
    }

    /// Alone and beside requests by turns, on the same tunnels: what else this machine has
    /// to do changes from one minute to the next by more than the difference.
    async fn take_turns(&self, row: &mut Row, busy: &Tunnels, server: SocketAddr) -> Result<()> {
        let visitors = Visitors::log_in(server).await?;
        let mut beside = Flow::default();
        let mut left = self.load.time;
        while !left.is_zero() {
            let turn = left.min(TURN);
            left -= turn;
            row.alone += self.phase(busy, Phase::Alone, turn).await?;
            let requests = Requests::start(&visitors, self.load.beside, turn + BETWEEN)?;
            sleep(BETWEEN).await;
            beside += self.phase(busy, Phase::Beside, turn).await?;
            row.answers += requests.end().await?;
            sleep(BETWEEN).await;
        }
        row.beside = Some(beside);
        Ok(())
    }

    async fn phase(&self, busy: &Tunnels, phase: Phase, time: Duration) -> Result<Flow> {
        let (started, before) = (Instant::now(), self.cpu()?);
        busy.count(Some(phase));
        sleep(time).await;
        busy.count(None);
        Ok(Flow::new(started.elapsed(), self.cpu()? - before))
    }

    /// Processors that the server keeps busy for a time.
    async fn cores(&self, time: Duration) -> Result<f64> {
        let (started, before) = (Instant::now(), self.cpu()?);
        sleep(time).await;
        let used = self.cpu()? - before;
        Ok(used.as_secs_f64() / started.elapsed().as_secs_f64())
    }

    async fn measure_stalled(&self, row: &mut Row) -> Result<()> {
        if self.load.stalled == 0 {
            return Ok(());
        }
        let before = self.warm_up().await?;
        let specs = self.load.specs(Kind::Busy, self.load.stalled, STALLED_RATE);
        let stalled = self.open(&specs, Behaviour::Stall).await?;
        sleep(STALLED).await;
        row.stalled_kib = (self.resident_kib()? - before) / self.load.stalled as f64;
        row.add(stalled.end().await);
        Ok(())
    }
}

impl Sum {
    fn must_be_good(self) -> Result<()> {
        self.failures
            .into_iter()
            .next()
            .map_or(Ok(()), |failure| Err(failure.into()))
    }
}

/// Processes that could run in the last minute, on average: of this run and of others.
fn load_average() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(f64::NAN))
}
