//! Tunnels: from a WebSocket that is open to the end of the session.

mod query;
mod registry;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use daas_core::gateway::{ConnectError, Connection, Display, Gateway, Target};
use daas_core::session::{
    self, BrowserSink, BrowserStream, End, Ended, Machine, Options, Output, Received, Refusal,
    ScreenSize, Settings, StopReason,
};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument as _;

pub use query::{InvalidQuery, parse_display};
pub use registry::{About, OpenTunnel, Registry, Which};

use crate::websocket::{Sink, Socket, Stream};

/// Changes the size of a screen whose gateway cannot, such as by the hypervisor.
pub type Resize = Arc<dyn Fn(ScreenSize) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What a tunnel is to lead to. All of it was decided by the server.
#[derive(Clone)]
pub struct Tunnel {
    /// Opens the connection.
    pub gateway: Arc<dyn Gateway>,
    /// To this desktop.
    pub target: Target,
    /// For this display.
    pub display: Display,
    /// Whose it is, for the registry.
    pub about: About,
    /// What is done with sizes that the gateway does not pass on.
    pub resize: Option<Resize>,
    /// Time limits; rights are those of the target.
    pub settings: Settings,
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel")
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

/// How a tunnel ended.
#[derive(Debug)]
pub enum Outcome {
    /// There was a session.
    Session(Ended),
    /// There was none, for the browser's sake or the server's.
    NotConnected(End),
    /// There was none, as the gateway did not open a connection.
    Refused(ConnectError),
    /// The upgrade did not come about.
    NotUpgraded(String),
}

/// Serves a tunnel on the runtime of tunnels, so that the rest of the server cannot make a
/// desktop stutter. `upgraded` is what [`accept`](crate::websocket::accept) answers.
pub fn spawn_tunnel(
    runtime: &Handle,
    upgraded: impl Future<Output = Result<Socket, String>> + Send + 'static,
    tunnel: Tunnel,
    registry: Registry,
) -> JoinHandle<Outcome> {
    // Entered at once, so that a log-out that comes before the upgrade ends it, too.
    let entry = registry.enter(tunnel.about.clone());
    let About { user, instance, .. } = &tunnel.about;
    let span = tracing::info_span!("tunnel", %user, %instance);
    let served = async move {
        match upgraded.await {
            Ok(socket) => serve(socket, tunnel, entry).await,
            Err(error) => {
                tracing::info!(error, "tunnel was not upgraded");
                Outcome::NotUpgraded(error)
            }
        }
    };
    runtime.spawn(served.instrument(span))
}

/// Serves a tunnel: tells the browser its id, connects, runs the session, and closes.
pub async fn serve_tunnel(socket: Socket, tunnel: Tunnel, registry: &Registry) -> Outcome {
    let entry = registry.enter(tunnel.about.clone());
    serve(socket, tunnel, entry).await
}

async fn serve(socket: Socket, tunnel: Tunnel, mut entry: registry::Entry) -> Outcome {
    let (mut sink, mut stream) = socket.split();
    let settings = Settings {
        read_only: tunnel.target.read_only,
        ..tunnel.settings
    };
    let connected = tokio::select! {
        connected = connect(&tunnel, settings, &mut sink, &mut stream) => connected,
        reason = entry.stopped() => Err(NoSession::End(End::Stopped(reason))),
    };
    let (connection, size) = match connected {
        Ok(connected) => connected,
        Err(none) => return none.tell(&mut sink).await,
    };
    let (resize, sizes) = watch::channel(None);
    let resizing = (!connection.resizes).then(|| {
        resize.send_replace(Some(size));
        tunnel.resize.clone()
    });
    let options = Options {
        settings,
        counters: entry.counters(),
        resize: Some(resize),
    };
    let session = session::run(connection, &mut sink, &mut stream, options, entry.stopped());
    let resizes = apply_sizes(resizing.flatten(), sizes);
    let (ended, ()) = tokio::join!(session, resizes);
    Outcome::Session(ended)
}

/// Why there is no session.
enum NoSession {
    End(End),
    Refused(ConnectError),
}

impl NoSession {
    async fn tell(self, sink: &mut Sink) -> Outcome {
        match self {
            Self::End(end) => {
                tracing::info!(reason = %end, "tunnel ended before the session");
                session::farewell(sink, end.status(), end.message()).await;
                Outcome::NotConnected(end)
            }
            Self::Refused(error) => {
                let cause = daas_core::chain(&error);
                tracing::warn!(status = %error.status, cause, "no connection to the desktop");
                session::farewell(sink, error.status, &error.reason).await;
                Outcome::Refused(error)
            }
        }
    }
}

/// Connects, and answers the pings of the browser meanwhile. Answers the size that it
/// wants by then, too.
async fn connect(
    tunnel: &Tunnel,
    settings: Settings,
    sink: &mut Sink,
    stream: &mut Stream,
) -> Result<(Connection, ScreenSize), NoSession> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|_| NoSession::End(End::Stopped(StopReason::ShuttingDown)))?;
    send(sink, &session::greeting(random)).await?;
    let mut size = ScreenSize {
        width: tunnel.display.width,
        height: tunnel.display.height,
    };
    let early = Settings {
        // So that the machine tells the size.
        resizes: false,
        ..settings
    };
    let mut machine = Machine::new(early, std::time::Duration::ZERO);
    let epoch = Instant::now();
    let connecting = tunnel.gateway.connect(&tunnel.target, &tunnel.display);
    let mut connecting = std::pin::pin!(connecting);
    loop {
        let received = tokio::select! {
            connected = &mut connecting => {
                return connected.map(|c| (c, size)).map_err(NoSession::Refused);
            }
            received = stream.receive() => received,
        };
        let message = match received {
            Received::Message(message) => message,
            other => return Err(NoSession::End(gone(other))),
        };
        // What is for the desktop comes too early.
        let mut output = Output::default();
        let taken = machine.handle_browser(epoch.elapsed(), &message, &mut output);
        taken.map_err(NoSession::End)?;
        size = output.resize.unwrap_or(size);
        if !output.to_browser.is_empty() {
            send(sink, &output.to_browser).await?;
        }
    }
}

async fn send(sink: &mut Sink, text: &[u8]) -> Result<(), NoSession> {
    let sent = sink.send(text).await;
    sent.map_err(|error| NoSession::End(End::BrowserLost(error.to_string())))
}

fn gone(received: Received) -> End {
    match received {
        Received::Closed(code) => End::BrowserLeft { code },
        Received::Violation(text) => End::BrowserRefused(Refusal::Transport(text)),
        Received::Lost(error) => End::BrowserLost(error),
        Received::Message(_) => End::BrowserLeft { code: None },
    }
}

/// Passes sizes on one after the other, always the latest, until the session ends.
async fn apply_sizes(resize: Option<Resize>, mut sizes: watch::Receiver<Option<ScreenSize>>) {
    let Some(resize) = resize else {
        return;
    };
    loop {
        let size = *sizes.borrow_and_update();
        if let Some(size) = size {
            resize(size).await;
        }
        if sizes.changed().await.is_err() {
            return;
        }
    }
}
