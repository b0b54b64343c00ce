//! Connections: accept, answer, and end without cutting anyone off.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::Body;
use super::router::answer;
use super::timed::{State, Timed, Times};
use crate::Services;

/// Most bytes of the head of a request.
const HEAD_MAX: usize = 16 * 1024;
/// Pause after an error of accept that will pass, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits of the server as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most connections at a time; others wait to be accepted.
    pub connections: usize,
    /// Time for the head of a request.
    pub head: Duration,
    /// Time between requests on one connection.
    pub idle: Duration,
    /// Time without progress while an answer is sent.
    pub send: Duration,
    /// Time for what is under way, once the server is to end.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            send: Duration::from_secs(30),
            shutdown: Duration::from_secs(10),
        }
    }
}

/// Serves until `shutdown` is ready. Then nobody new is let in, open desktops and streams
/// are told, and what is under way may finish in the time that the limits give.
///
/// # Errors
/// Where the listener is not usable at all.
pub async fn serve(
    listener: TcpListener,
    services: Arc<Services>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.local_addr()?;
    let (stop, stopped) = watch::channel(());
    let permits = Arc::new(Semaphore::new(limits.connections));
    tokio::select! {
        () = accept_all(&listener, &services, limits, &permits, &stopped) => {}
        () = shutdown => {}
    }
    drop((listener, stopped));
    // Past the limit, what is left is cut off.
    let ended = timeout(limits.shutdown, async {
        let _ = stop.send(());
        tokio::join!(services.stop(), stop.closed());
    });
    if ended.await.is_err() {
        tracing::warn!("some connections were cut off at the end");
    }
    Ok(())
}

async fn accept_all(
    listener: &TcpListener,
    services: &Arc<Services>,
    limits: Limits,
    permits: &Arc<Semaphore>,
    stopped: &watch::Receiver<()>,
) {
    while let Ok(permit) = Arc::clone(permits).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connection = Connection {
                    services: Arc::clone(services),
                    limits,
                    peer,
                    stopped: stopped.clone(),
                    _permit: permit,
                };
                tokio::spawn(connection.run(stream));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Connection {
    services: Arc<Services>,
    limits: Limits,
    peer: SocketAddr,
    stopped: watch::Receiver<()>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(mut self, stream: TcpStream) {
        // Answers are written whole: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let stream = Timed::new(stream, self.times());
        let (services, state, peer) = (self.services.clone(), stream.state(), self.peer);
        let service = service_fn(move |request| {
            let (services, state) = (services.clone(), state.clone());
            async move { Ok::<_, Infallible>(respond(services, state, request, peer).await) }
        });
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(HEAD_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        // What goes wrong on one connection is the client's to see.
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = self.stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "connection ended");
        }
    }

    fn times(&self) -> Times {
        Times {
            head: self.limits.head,
            idle: self.limits.idle,
            send: self.limits.send,
        }
    }
}

async fn respond(
    services: Arc<Services>,
    state: State,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Body> {
    let busy = state.busy();
    let mut response = answer(services, request, peer.ip()).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        busy.forever();
    } else {
        response.body_mut().keep(busy);
    }
    response
}

/// The TCP stream below an upgraded connection and what was read from it already, so that
/// it can be moved to another runtime.
///
/// # Errors
/// The connection as it was, where it did not come from [`serve`].
pub fn detach(upgraded: Upgraded) -> Result<(TcpStream, Bytes), Upgraded> {
    let parts = upgraded.downcast::<TokioIo<Timed>>()?;
    Ok((parts.io.into_inner().into_inner(), parts.read_buf))
}
