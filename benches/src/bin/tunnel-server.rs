//! daas-server with one guacd for all tunnels: whoever is logged in and opens a WebSocket
//! says in the query what is to be played, instead of showing a ticket.
//!
//! ```text
//! tunnel-server [--limits] GUACD_ADDRESS
//! ```
//!
//! Connections, routes, log-in, storage, upgrade, session and threads are those of the
//! server; the hypervisor is that of its tests, and there are no desktops. The users are
//! [`USERS`], whose password is [`PASSWORD`]. With `--limits` requests are limited as by
//! default; proxies on this machine are believed, so that there can be several addresses.

#![forbid(unsafe_code)]

use std::env;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use async_trait::async_trait;
use benches::load::{FLOODER, PASSWORD, PEOPLE, Result, USER, VICTIM, person, say_listening};
use daas_core::Secret;
use daas_core::access::{Access, AccessConfig, By, LoggedIn, Passwords};
use daas_core::audit::{self, AuditAction, TargetKind};
use daas_core::fleet::Fleet;
use daas_core::gateway::{Gateway, Guacd, GuacdConfig, Target};
use daas_core::lifecycle::{Lifecycle, LifecycleConfig};
use daas_core::model::{Endpoint, InstanceId, Protocol, Quota, Role, Timestamp, User};
use daas_core::storage::{Sqlite, Store};
use daas_server::tunnel::{About, Registry, Tunnel, parse_display, spawn_tunnel};
use daas_server::websocket::{Origins, accept};
use daas_server::{
    Body, Limits, Parts, Problem, Rate, Rates, Services, Settings, SignOn, Tunnels, threads,
};
use hyper::body::Incoming;
use hyper::header::ORIGIN;
use hyper::{Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

#[allow(
    dead_code,
    unreachable_pub,
    reason = "it is made for tests, which use all of it"
)]
#[allow(clippy::unwrap_used, reason = "a failed test may panic")]
#[path = "../../../daas-server/tests/server/support/fake.rs"]
mod fake;
#[allow(unreachable_pub, reason = "it is made for tests")]
#[path = "../../../daas-server/tests/server/support/fixtures.rs"]
mod fixtures;

/// Threads for HTTP, as by default in daas-server.
const HTTP_THREADS: usize = 2;
/// Applications in the catalogue, as by default.
const APPS: [&str; 3] = ["desktop", "editor", "browser"];

/// Their images.
const IMAGES: [&str; 3] = ["daas/desktop", "daas/editor", "daas/browser"];

/// Those who may log in, beside the people whose tunnels are measured.
const USERS: [&str; 3] = [USER, FLOODER, VICTIM];

/// As by default in daas-server.
const RATES: Rates = Rates {
    per_address: Rate {
        per_second: 100,
        burst: 500,
    },
    per_account: Rate {
        per_second: 50,
        burst: 300,
    },
};

/// Opens tunnels to the one guacd.
struct OneGuacd {
    gateway: Arc<dyn Gateway>,
    registry: Registry,
    runtime: Handle,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let limits = arguments.iter().any(|argument| argument == "--limits");
    let guacd = arguments.last().ok_or("which guacd?")?.parse()?;
    let processors = available_parallelism().map_or(2, usize::from);
    let tunnels = threads::for_tunnels(processors)?;
    let http = threads::for_requests(HTTP_THREADS)?;
    http.block_on(serve(guacd, limits, tunnels.handle().clone()))
}

async fn serve(guacd: SocketAddr, limits: bool, runtime: Handle) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store: Arc<dyn Store> =
        Arc::new(Sqlite::open(&folder.path().join("db"), &folder.path().join("keys")).await?);
    let passwords = Passwords::new()?;
    fill(&*store, &passwords).await?;
    let hypervisor = Arc::new(fake::Fake::with_images(IMAGES));
    let fleet = Fleet::single("memory".parse()?, hypervisor);
    let gateway: Arc<dyn Gateway> = Arc::new(Guacd::new(GuacdConfig::new(vec![guacd.to_string()])));
    let lifecycle = LifecycleConfig {
        // One person launches for all.
        quota: Quota {
            instances: Some(100),
            ..Quota::default()
        },
        ..LifecycleConfig::default()
    };
    let services = Services::new(Parts {
        sign_on: SignOn::default(),
        access: Access::new(store.clone(), passwords, AccessConfig::default()),
        lifecycle: Lifecycle::new(store.clone(), fleet, lifecycle),
        tunnels: Arc::new(OneGuacd {
            gateway: gateway.clone(),
            registry: Registry::new(),
            runtime,
        }),
        settings: Settings {
            loopback: true,
            apps: APPS.map(str::to_owned).into(),
            session_idle: Duration::from_secs(1800),
            trusted_proxies: vec!["127.0.0.1".parse()?],
            rates: if limits { RATES } else { Rates::default() },
            ..Settings::default()
        },
        store,
        gateway,
    })?;
    services.start();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say_listening(listener.local_addr()?)?;
    // Whoever started it ends it.
    Ok(daas_server::serve(
        listener,
        services,
        Limits::default(),
        std::future::pending(),
    )
    .await?)
}

async fn fill(store: &dyn Store, passwords: &Passwords) -> Result<()> {
    let password = Secret::new(PASSWORD.to_owned());
    let hash = passwords.hash(password).await?;
    let now = Timestamp::now();
    let people = (0..PEOPLE).map(person);
    for name in people.chain(USERS.map(str::to_owned)) {
        let user = User::new(&name, Role::User, hash.clone(), now);
        let target = audit::Target::new(TargetKind::User, user.id, &name);
        let entry = By::system().did(AuditAction::UserCreate, target, now);
        store.add_user(user, Vec::new(), entry).await?;
    }
    for slug in APPS {
        store.put_app(fixtures::app(slug)).await?;
    }
    Ok(())
}

impl OneGuacd {
    fn tunnel(&self, query: &str, who: &LoggedIn) -> Option<Tunnel> {
        let script = query.strip_prefix("script=")?;
        Some(Tunnel {
            gateway: Arc::clone(&self.gateway),
            target: Target::new(
                Protocol::Vnc,
                Endpoint {
                    address: IpAddr::from([127, 0, 0, 1]),
                    port: 5901,
                },
                Secret::new(script.to_owned()),
            ),
            display: parse_display("").ok()?,
            about: About {
                instance: InstanceId::random(),
                user: who.caller.user.id,
                session: who.session.hash,
                address: who.caller.address,
            },
            resize: None,
            settings: daas_core::session::Settings::default(),
        })
    }
}

#[async_trait]
impl Tunnels for OneGuacd {
    async fn open(
        &self,
        mut request: Request<Incoming>,
        who: LoggedIn,
    ) -> std::result::Result<Response<Body>, Problem> {
        let refused = |text| Problem::because(StatusCode::BAD_REQUEST, text);
        let query = request.uri().query().unwrap_or_default().to_owned();
        let tunnel = self.tunnel(&query, &who);
        let tunnel = tunnel.ok_or_else(|| refused("There is no script in the query."))?;
        // The policy has found the origin to be right.
        let origin = request.headers().get(ORIGIN).cloned();
        let origin = origin.as_ref().and_then(|origin| origin.to_str().ok());
        let accepted = accept(&mut request, &Origins::new(origin));
        let (response, socket) = accepted.map_err(|refusal| refused(refusal.reason))?;
        let registry = self.registry.clone();
        drop(spawn_tunnel(&self.runtime, socket, tunnel, registry));
        Ok(response.map(|()| Body::empty()))
    }

    fn registry(&self) -> &Registry {
        &self.registry
    }
}
