//! The tunnel of daas-server without what is around it: whoever opens a WebSocket gets a
//! session with the one guacd, and says in the query what is to be played.
//!
//! ```text
//! tunnel-server GUACD_ADDRESS
//! ```
//!
//! Upgrade, session and registry are those of the server, and so are the threads: some for
//! HTTP, others for tunnels. Log-in, tickets and storage are left out, as they are done once
//! for each tunnel.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::env;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use benches::load::{Result, say_listening};
use daas_core::Secret;
use daas_core::gateway::{Gateway, Guacd, GuacdConfig, Target};
use daas_core::model::{Endpoint, InstanceId, Protocol, UserId};
use daas_core::session::Settings;
use daas_server::tunnel::{About, Registry, Tunnel, parse_display, spawn_tunnel};
use daas_server::websocket::{Origins, accept};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};

/// Threads for HTTP, as by default in daas-server.
const HTTP_THREADS: usize = 2;

struct Server {
    gateway: Arc<dyn Gateway>,
    registry: Registry,
    tunnels: Handle,
    origins: Origins,
}

fn main() -> Result<()> {
    let guacd: SocketAddr = env::args().nth(1).ok_or("which guacd?")?.parse()?;
    let tunnels = runtime("daas-tunnel", None)?;
    let http = runtime("daas-api", Some(HTTP_THREADS))?;
    http.block_on(serve(guacd, tunnels.handle().clone()))
}

fn runtime(name: &str, threads: Option<usize>) -> std::io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder.thread_name(name).enable_all().build()
}

async fn serve(guacd: SocketAddr, tunnels: Handle) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Arc::new(Server {
        gateway: Arc::new(Guacd::new(GuacdConfig::new(vec![guacd.to_string()]))),
        registry: Registry::new(),
        tunnels,
        origins: Origins::new([format!("http://{address}")]),
    });
    say_listening(address)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(connection(Arc::clone(&server), stream));
    }
}

async fn connection(server: Arc<Server>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let response = server.answer(request);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // The browser may leave at any time.
    drop(connection.with_upgrades().await);
}

impl Server {
    fn answer(&self, mut request: Request<Incoming>) -> Response<Empty<Bytes>> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let accepted = self
            .tunnel(&query)
            .zip(accept(&mut request, &self.origins).ok());
        let Some((tunnel, (response, socket))) = accepted else {
            let mut refused = Response::new(Empty::new());
            *refused.status_mut() = StatusCode::BAD_REQUEST;
            return refused;
        };
        let registry = self.registry.clone();
        drop(spawn_tunnel(&self.tunnels, socket, tunnel, registry));
        response.map(|()| Empty::new())
    }

    fn tunnel(&self, query: &str) -> Option<Tunnel> {
        let script = query.strip_prefix("script=")?;
        Some(Tunnel {
            gateway: Arc::clone(&self.gateway),
            target: Target {
                protocol: Protocol::Vnc,
                endpoint: Endpoint {
                    address: IpAddr::from([127, 0, 0, 1]),
                    port: 5901,
                },
                password: Secret::new(script.to_owned()),
                read_only: false,
            },
            display: parse_display("").ok()?,
            about: About {
                instance: InstanceId::random(),
                user: UserId::random(),
                session: [7; 32],
            },
            resize: None,
            settings: Settings::default(),
        })
    }
}
