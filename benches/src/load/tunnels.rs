//! Many clients at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Result;
use super::client::{self, Got, Group};
use super::script::{Library, Spec};
use super::target::{Target, Way};

/// Connections that are opened at the same time.
const OPENING: usize = 32;
/// Most time until all are open.
const PATIENCE: Duration = Duration::from_secs(60);

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
    clients: JoinSet<Result<Got>>,
}

/// What all clients of a group got.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) bytes: u64,
    /// In rising order.
    pub(super) latencies_us: Vec<u32>,
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
            counts: AtomicBool::new(false),
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

    /// Sets whether what comes counts.
    pub(super) fn count(&self, counts: bool) {
        self.group.counts.store(counts, Relaxed);
    }

    /// Ends them all, and sums up what they got.
    pub(super) async fn end(mut self) -> Sum {
        self.group.end.send_replace(true);
        let mut sum = Sum::default();
        while let Some(ended) = self.clients.join_next().await {
            match ended.map_err(super::Error::from).flatten() {
                Ok(got) => {
                    sum.bytes += got.bytes;
                    sum.latencies_us.extend(got.latencies_us);
                }
                Err(error) => sum.failures.push(error.to_string()),
            }
        }
        sum.latencies_us.sort_unstable();
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
) -> Result<Got> {
    let permit = opening.acquire_owned().await?;
    let link = way.open(address).await?;
    drop(permit);
    match behaviour {
        Behaviour::Read => client::run(group, link, spec).await,
        Behaviour::Stall => client::stall(group, link).await,
    }
}
