//! Connections: accept, answer, and end without cutting anyone off.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Body;
use super::redirect::Redirect;
use super::router::answer;
use super::timed::{State, Timed, Times};
use super::wire::Wire;
use crate::Services;
use crate::config::Origin;
use crate::tls::{ACME_TLS_1, Certificates, TlsError};

/// Most bytes of the head of a request.
const HEAD_MAX: usize = 16 * 1024;
/// Pause after an error of accept that will pass, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits of the server as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most connections at a time; others wait to be accepted.
    pub connections: usize,
    /// Time for the handshake of TLS.
    pub handshake: Duration,
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
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            send: Duration::from_secs(30),
            shutdown: Duration::from_secs(10),
        }
    }
}

/// Where connections come from, and whether they speak TLS.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Listener {
    /// One that speaks TLS.
    ///
    /// # Errors
    /// Where the TLS library refuses.
    pub fn tls(tcp: TcpListener, certificates: &Arc<Certificates>) -> Result<Self, TlsError> {
        Ok(Self::secured(tcp, certificates.acceptor()?))
    }

    pub(crate) const fn secured(tcp: TcpListener, acceptor: TlsAcceptor) -> Self {
        let tls = Some(acceptor);
        Self { tcp, tls }
    }
}

/// One without TLS.
impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = self.tls.is_some();
        let mut debug = f.debug_struct("Listener");
        debug.field("tcp", &self.tcp).field("tls", &tls).finish()
    }
}

/// Serves until `shutdown` is ready. Then nobody new is let in, open desktops and streams
/// are told, and what is under way may finish in the time that the limits give.
///
/// # Errors
/// Where the listener is not usable at all.
pub async fn serve(
    listener: impl Into<Listener>,
    services: Arc<Services>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let Listener { tcp, tls } = listener.into();
    tcp.local_addr()?;
    let (stop, stopped) = watch::channel(());
    let door = Door::new(tls, Content::Server(Arc::clone(&services)), limits, stopped);
    tokio::select! {
        () = door.accept_all(&tcp) => {}
        () = shutdown => {}
    }
    drop((tcp, door));
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

/// Sends everybody who comes without TLS to the same path at an origin, until this is
/// dropped. What a request says of its host is not looked at.
pub async fn redirect(listener: TcpListener, origin: &Origin, limits: Limits) {
    let content = Content::Redirect(Redirect::new(origin));
    // Kept to the end: connections end with it.
    let (_stop, stopped) = watch::channel(());
    let door = Door::new(None, content, limits, stopped);
    door.accept_all(&listener).await;
}

/// What requests are answered with.
#[derive(Clone)]
enum Content {
    Server(Arc<Services>),
    Redirect(Redirect),
}

/// What all connections of a listener share.
struct Door {
    tls: Option<TlsAcceptor>,
    content: Content,
    limits: Limits,
    permits: Arc<Semaphore>,
    stopped: watch::Receiver<()>,
}

impl Door {
    fn new(
        tls: Option<TlsAcceptor>,
        content: Content,
        limits: Limits,
        stopped: watch::Receiver<()>,
    ) -> Self {
        Self {
            tls,
            content,
            limits,
            permits: Arc::new(Semaphore::new(limits.connections)),
            stopped,
        }
    }

    async fn accept_all(&self, listener: &TcpListener) {
        while let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = Connection {
                        tls: self.tls.clone(),
                        content: self.content.clone(),
                        limits: self.limits,
                        peer,
                        stopped: self.stopped.clone(),
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
}

struct Connection {
    tls: Option<TlsAcceptor>,
    content: Content,
    limits: Limits,
    peer: SocketAddr,
    stopped: watch::Receiver<()>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(mut self, stream: TcpStream) {
        // Answers are written whole: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let (peer, mut stopped) = (self.peer, self.stopped.clone());
        let secured = tokio::select! {
            secured = self.secure(stream) => secured,
            _ = stopped.changed() => return,
        };
        // What goes wrong on one connection is the client's to see.
        let ended = match secured {
            Ok(wire) => self.serve(wire).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, error, "connection ended");
        }
    }

    /// Speaks TLS where the listener does, and lets the time for the first head begin.
    async fn secure(&self, stream: TcpStream) -> io::Result<Wire> {
        let stream = Timed::new(stream, self.times());
        let wire = match &self.tls {
            None => Wire::Plain(stream),
            Some(tls) => {
                let handshake = timeout(self.limits.handshake, tls.accept(stream));
                let stream = handshake.await??;
                if stream.get_ref().1.alpn_protocol() == Some(ACME_TLS_1) {
                    // Who checks a domain has seen all that there is (RFC 8737, section 3).
                    return Err(io::Error::other("a domain was checked"));
                }
                Wire::Tls(Box::new(stream))
            }
        };
        wire.state().begin();
        Ok(wire)
    }

    async fn serve(&mut self, wire: Wire) -> hyper::Result<()> {
        let (content, state, peer) = (self.content.clone(), wire.state(), self.peer);
        let service = service_fn(move |request| {
            let (content, state) = (content.clone(), state.clone());
            async move { Ok::<_, Infallible>(respond(content, state, request, peer).await) }
        });
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(HEAD_MAX)
            .serve_connection(TokioIo::new(wire), service)
            .with_upgrades();
        tokio::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => ended,
            _ = self.stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
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
    content: Content,
    state: State,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Body> {
    let busy = state.busy();
    let mut response = match content {
        Content::Server(services) => answer(services, request, peer.ip()).await,
        Content::Redirect(redirect) => redirect.answer(&request),
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        busy.forever();
    } else {
        response.body_mut().keep(busy);
    }
    response
}
