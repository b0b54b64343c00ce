//! A pool of guacd processes, reached over TCP.

mod open;
mod parameters;

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::Instant;

use self::open::{Opened, Refused};
use super::{ConnectError, Connection, Display, Gateway, Status, Target};
use crate::error::{Error, Result};

/// How to reach guacd.
#[derive(Clone, Debug)]
pub struct GuacdConfig {
    /// Each as `host:port`. guacd asks nobody who they are, so they must be reachable from
    /// here only.
    pub endpoints: Vec<String>,
    /// Most time for a TCP connection.
    pub connect_timeout: Duration,
    /// Most time from `select` to `ready`.
    pub handshake_timeout: Duration,
    /// How long an endpoint that failed is asked last.
    pub retry_after: Duration,
}

impl GuacdConfig {
    /// These endpoints; 2 seconds to connect, 10 for the handshake, 5 until one that
    /// failed is trusted again.
    #[must_use]
    pub const fn new(endpoints: Vec<String>) -> Self {
        Self {
            endpoints,
            connect_timeout: Duration::from_secs(2),
            handshake_timeout: Duration::from_secs(10),
            retry_after: Duration::from_secs(5),
        }
    }
}

/// guacd of Apache Guacamole as a gateway: one process, or several that share the load.
///
/// The endpoint with the fewest connections of this pool is asked first, those that failed
/// a moment ago last. Where one does not answer at all, the next one is asked.
#[derive(Debug)]
pub struct Guacd {
    config: GuacdConfig,
    endpoints: Vec<Arc<Endpoint>>,
}

#[derive(Debug)]
struct Endpoint {
    address: String,
    open: AtomicUsize,
    failed_at: Mutex<Option<Instant>>,
}

impl Endpoint {
    fn mark(&self, failed: bool) {
        let mut failed_at = self
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *failed_at = failed.then(Instant::now);
    }

    fn has_failed(&self, within: Duration) -> bool {
        let failed_at = self
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        failed_at.is_some_and(|at| at.elapsed() < within)
    }
}

/// Counts a connection as long as it lives.
struct Load(Arc<Endpoint>);

impl Load {
    fn new(endpoint: &Arc<Endpoint>) -> Self {
        endpoint.open.fetch_add(1, Relaxed);
        Self(Arc::clone(endpoint))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Guacd {
    /// A pool. It connects to nothing before it is asked to.
    #[must_use]
    pub fn new(config: GuacdConfig) -> Self {
        let endpoint = |address: &String| {
            Arc::new(Endpoint {
                address: address.clone(),
                open: AtomicUsize::new(0),
                failed_at: Mutex::new(None),
            })
        };
        let endpoints = config.endpoints.iter().map(endpoint).collect();
        Self { config, endpoints }
    }

    /// Connections that are open or being opened, by endpoint.
    #[must_use]
    pub fn load(&self) -> Vec<(&str, usize)> {
        let load = |endpoint: &'_ Arc<Endpoint>| endpoint.open.load(Relaxed);
        let endpoints = self.endpoints.iter();
        endpoints
            .map(|endpoint| (endpoint.address.as_str(), load(endpoint)))
            .collect()
    }

    /// The endpoints in the order to ask them.
    fn order(&self) -> Vec<Arc<Endpoint>> {
        let mut order = self.endpoints.clone();
        let rank = |endpoint: &Arc<Endpoint>| {
            let failed = endpoint.has_failed(self.config.retry_after);
            (failed, endpoint.open.load(Relaxed))
        };
        order.sort_by_cached_key(rank);
        order
    }
}

#[async_trait]
impl Gateway for Guacd {
    async fn check(&self) -> Result<()> {
        let mut last = None;
        for endpoint in &self.endpoints {
            let reached = open::reach(&endpoint.address, self.config.connect_timeout).await;
            endpoint.mark(reached.is_err());
            match reached {
                Ok(_) => return Ok(()),
                Err(error) => last = Some(error.into()),
            }
        }
        Err(Error::Unavailable {
            backend: "guacd",
            operation: "check",
            source: last,
        })
    }

    async fn connect(
        &self,
        target: &Target,
        display: &Display,
    ) -> Result<Connection, ConnectError> {
        let mut last = nothing_configured();
        let started = Instant::now();
        for endpoint in self.order() {
            // One that hangs leaves no time for another: somebody waits.
            if started.elapsed() >= self.config.handshake_timeout {
                break;
            }
            let load = Load::new(&endpoint);
            match open::open(&endpoint.address, target, display, &self.config).await {
                Ok(opened) => {
                    endpoint.mark(false);
                    return Ok(connection(opened, load));
                }
                Err(Refused::Answered(error)) => return Err(error),
                Err(Refused::Unusable(error)) => {
                    endpoint.mark(true);
                    last = error;
                }
            }
        }
        Err(last)
    }
}

fn nothing_configured() -> ConnectError {
    ConnectError {
        status: Status::ServerError,
        reason: "No gateway to the desktops is configured.".to_owned(),
        source: None,
    }
}

fn connection(opened: Opened, load: Load) -> Connection {
    let (reader, writer) = opened.stream.into_split();
    Connection {
        id: opened.id,
        reader: Box::new(reader),
        read_ahead: opened.read_ahead,
        writer: Box::new(Writer {
            writer,
            _load: load,
        }),
        resizes: opened.resizes,
    }
}

/// The way to guacd, which counts as load until it is dropped.
struct Writer {
    writer: OwnedWriteHalf,
    _load: Load,
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(context)
    }
}
