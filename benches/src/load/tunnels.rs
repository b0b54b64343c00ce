//! Many clients at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Result;
use super::client::{self, Got, Group, PHASES, Phase};
use super::script::{Library, Spec};
use super::target::{Target, Way};

/// Connections that are opened at the same time.
const OPENING: usize = 32;
/// Most time until all are open.
const PATIENCE: Duration = Duration::from_secs(60);

/// No phase.
const NONE: usize = PHASES;

/// How clients behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Read,
    /// They read nothing.
    Stall,
}

/// Clients that are open.
pub(super) struct Tunnels {
    group: Arc<Group>,
    clients: JoinSet<Result<[Got; PHASES]>>,
}

/// What all clients of a group got.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// By phase; latencies in rising order.
    pub(super) got: [Got; PHASES],
    /// Why tunnels were no good, each.
    pub(super) failures: Vec<String>,
}

impl Tunnels {
    /// Opens one for each script, and waits until something has come on all of them.
    ///
    /// # Errors
    /// Where that does not happen.
    pub(super) async fn open(
        target: Target,
        address: SocketAddr,
        library: &Library,
        specs: &[Spec],
        behaviour: Behaviour,
    ) -> Result<Self> {
        let group = Arc::new(Group {
            library: library.clone(),
            phase: AtomicUsize::new(NONE),
            open: AtomicUsize::new(0),
            end: watch::channel(false).0,
        });
        let opening = Arc::new(Semaphore::new(OPENING));
        let mut clients = JoinSet::new();
        for (way, &spec) in target.ways(address, specs).await?.into_iter().zip(specs) {
            let (group, opening) = (Arc::clone(&group), Arc::clone(&opening));
            clients.spawn(one(group, opening, way, address, spec, behaviour));
        }
        let mut tunnels = Self { group, clients };
        tunnels.wait(specs.len()).await?;
        Ok(tunnels)
    }

    async fn wait(&mut self, count: usize) -> Result<()> {
        let open = async {
            while self.group.open.load(Relaxed) < count {
                if let Some(ended) = self.clients.try_join_next() {
                    ended??;
                }
                sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        };
        timeout(PATIENCE, open)
            .await
            .map_err(|_| "not all tunnels opened")?
    }

    /// Sets what it is that comes from now on; without a phase nothing counts.
    pub(super) fn count(&self, phase: Option<Phase>) {
        let phase = phase.map_or(NONE, |phase| phase as usize);
        self.group.phase.store(phase, Relaxed);
    }

    /// Ends them all, and sums up what they got.
    pub(super) async fn end(mut self) -> Sum {
        self.group.end.send_replace(true);
        let mut sum = Sum::default();
        while let Some(ended) = self.clients.join_next().await {
            match ended.map_err(super::Error::from).flatten() {
                Ok(of_one) => {
                    for (got, more) in sum.got.iter_mut().zip(of_one) {
                        *got += more;
                    }
                }
                Err(error) => sum.failures.push(error.to_string()),
            }
        }
        for got in &mut sum.got {
            got.latencies_us.sort_unstable();
        }
        sum
    }
}

async fn one(
    group: Arc<Group>,
    opening: Arc<Semaphore>,
    way: Way,
    address: SocketAddr,
    spec: Spec,
    behaviour: Behaviour,
) -> Result<[Got; PHASES]> {
    let permit = opening.acquire_owned().await?;
    let link = way.open(address).await?;
    drop(permit);
    match behaviour {
        Behaviour::Read => client::run(group, link, spec).await,
        Behaviour::Stall => client::stall(group, link).await,
    }
}
