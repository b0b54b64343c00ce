//! A way to the screen of an instance for gateways that speak plain VNC, and neither TLS nor
//! WebSocket.
//!
//! It works for guests without a network, and on any node. The gateway is given a port of this
//! machine that takes one connection, from the address of the gateway, within ten seconds; all
//! others are refused. Connecting again needs a new one.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Proxmox;
use super::client::WebSocket;
use super::trouble::{BACKEND, Trouble};
use crate::error::{Error, Result};
use crate::model::InstanceId;
use crate::secret::Secret;

/// For how long a node and the port here wait for a connection.
pub const WAITS: Duration = Duration::from_secs(10);

/// Where a gateway finds the screen of an instance, once.
#[derive(Debug)]
pub struct Bridge {
    /// The port of this machine.
    pub address: SocketAddr,
    /// What the VNC server asks for; it looks at eight characters. It changes each time.
    pub password: Secret<String>,
    relay: JoinHandle<io::Result<()>>,
}

impl Bridge {
    /// Waits until it is not used any more. Without that it ends by itself too: when nobody
    /// came in time, or when one side hangs up.
    ///
    /// # Errors
    /// Where nobody came, or a connection broke.
    pub async fn ended(self) -> io::Result<()> {
        self.relay.await.map_err(io::Error::other)?
    }
}

impl Proxmox {
    /// Opens a way to the screen of an instance that runs: at an address of this machine, for
    /// a gateway with a certain address.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the instance, [`Error::Unavailable`] where the cluster does
    /// not answer or the console was not there in time.
    pub async fn bridge(&self, id: InstanceId, listen: IpAddr, gateway: IpAddr) -> Result<Bridge> {
        self.asked("opening the screen", self.open(id, listen, gateway))
            .await
    }

    async fn open(
        &self,
        id: InstanceId,
        listen: IpAddr,
        gateway: IpAddr,
    ) -> Result<Bridge, Trouble> {
        let (own, current) = self.state(id).await?;
        if current.status != "running" {
            return Err(Trouble::conflict("the instance is not running"));
        }
        let listener = TcpListener::bind((listen, 0)).await.map_err(no_port)?;
        let address = listener.local_addr().map_err(no_port)?;
        let console = self.client.vncproxy(&own.guest).await?;
        // Connected to at once: what goes wrong is told to whoever asked, and not to a gateway.
        let socket = self.client.vncwebsocket(&own.guest, &console).await?;
        let relay = tokio::spawn(serve(listener, gateway, socket));
        Ok(Bridge {
            address,
            password: console.password,
            relay,
        })
    }
}

fn no_port(source: io::Error) -> Trouble {
    Trouble::Core(Error::Unavailable {
        backend: BACKEND,
        operation: "opening a port of this machine",
        source: Some(Box::new(source)),
    })
}

/// Takes the connection of a gateway, closes the port, and carries bytes.
async fn serve(listener: TcpListener, gateway: IpAddr, socket: WebSocket) -> io::Result<()> {
    let stream = timeout(WAITS, accept(&listener, gateway)).await;
    drop(listener);
    let stream = stream.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    socket.relay(stream).await
}

async fn accept(listener: &TcpListener, gateway: IpAddr) -> io::Result<TcpStream> {
    loop {
        let (stream, peer) = listener.accept().await?;
        if peer.ip().to_canonical() == gateway.to_canonical() {
            return Ok(stream);
        }
        tracing::warn!(%peer, "somebody else came to the port of a screen");
    }
}
