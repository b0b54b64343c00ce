//! daas-server for tools that try its interface: as it is run, but for a hypervisor and a
//! gateway in memory, so that desktops start at once and nothing else is needed.
//!
//! ```text
//! in-memory
//! ```
//!
//! It listens on a free port of this machine, says which, and keeps all in a folder that is
//! gone with it; SIGTERM ends it. The administrator is `admin`, with the password in
//! `DAAS_ADMIN_PASSWORD`. Requests are not limited, and `X-Forwarded-For` is believed, so that
//! a tool can come from as many addresses as it likes.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daas_core::Secret;
use daas_core::access::{Access, AccessConfig, By, NewUser, Passwords};
use daas_core::fleet::Fleet;
use daas_core::gateway::{ConnectError, Connection, Display, Gateway, Target};
use daas_core::lifecycle::{Lifecycle, LifecycleConfig};
use daas_core::model::{App, Ending, Policies, Policy, Quota, Role, Timestamp};
use daas_core::storage::{Sqlite, Store};
use daas_server::tunnel::Registry;
use daas_server::{Limits, OpenTunnels, Parts, Services, Settings, SignOn, serve, threads};
use tokio::io::{duplex, sink, split};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

#[allow(
    dead_code,
    unreachable_pub,
    reason = "it is made for tests, which use all of it"
)]
#[allow(clippy::unwrap_used, reason = "a failed test may panic")]
#[path = "../tests/server/support/fake.rs"]
mod fake;
#[allow(unreachable_pub, reason = "it is made for tests")]
#[path = "../tests/server/support/fixtures.rs"]
mod fixtures;

/// Applications in the catalogue; of the last, there is no image.
const APPS: [&str; 3] = ["desktop", "editor", "browser"];
const IMAGES: [&str; 2] = ["daas/desktop", "daas/editor"];

/// Desktops that show nothing and take whatever they are told.
struct Quiet;

#[async_trait]
impl Gateway for Quiet {
    async fn check(&self) -> daas_core::Result<()> {
        Ok(())
    }

    async fn connect(&self, _: &Target, _: &Display) -> Result<Connection, ConnectError> {
        let (near, far) = duplex(4096);
        tokio::spawn(async move {
            let (mut told, _kept) = split(far);
            tokio::io::copy(&mut told, &mut sink()).await
        });
        let (reader, writer) = split(near);
        Ok(Connection {
            id: Secret::new("quiet".to_owned()),
            read_ahead: Vec::new(),
            reader: Box::new(reader),
            writer: Box::new(writer),
            resizes: false,
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let password = std::env::var("DAAS_ADMIN_PASSWORD")?;
    let tunnels = threads::for_tunnels(1)?;
    let requests = threads::for_requests(2)?;
    requests.block_on(run(Secret::new(password), tunnels.handle().clone()))
}

async fn run(password: Secret<String>, tunnels: Handle) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (db, keys) = (folder.path().join("db"), folder.path().join("keys"));
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&db, &keys).await?);
    let passwords = Passwords::new()?;
    let access = Access::new(store.clone(), passwords, AccessConfig::default());
    fill(&*store, &access, password).await?;
    let services = assemble(store, access, tunnels)?;
    services.start();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    let mut told = signal(SignalKind::terminate())?;
    let told = async move { told.recv().await.unwrap_or_default() };
    serve(listener, services, Limits::default(), told).await?;
    Ok(())
}

async fn fill(
    store: &dyn Store,
    access: &Access,
    password: Secret<String>,
) -> Result<(), daas_core::Error> {
    // So far away that it never comes, but can be put off.
    let policies = Policies {
        lifetime: Some(Policy {
            action: Ending::Stop,
            after_s: 24 * 60 * 60,
        }),
        ..Policies::default()
    };
    for slug in APPS {
        let app = App {
            policies,
            ..fixtures::app(slug)
        };
        store.put_app(app).await?;
    }
    let admin = NewUser {
        name: "admin".to_owned(),
        role: Role::Admin,
        password: Some(password),
        groups: Vec::new(),
    };
    let by = By::system();
    access.create_user(&by, admin, Timestamp::now()).await?;
    Ok(())
}

fn assemble(
    store: Arc<dyn Store>,
    access: Access,
    runtime: Handle,
) -> Result<Arc<Services>, Box<dyn Error>> {
    let hypervisor = Arc::new(fake::Fake::with_images(IMAGES));
    let fleet = Fleet::single("memory".parse()?, hypervisor);
    let lifecycle = LifecycleConfig {
        quota: Quota::default(),
        ..LifecycleConfig::default()
    };
    let tunnels = OpenTunnels {
        access: access.clone(),
        store: store.clone(),
        fleet: fleet.clone(),
        gateway: Arc::new(Quiet),
        gateways: HashMap::new(),
        runtime,
        registry: Registry::new(),
    };
    Ok(Services::new(Parts {
        sign_on: SignOn::default(),
        access,
        lifecycle: Lifecycle::new(store.clone(), fleet, lifecycle),
        tunnels: Arc::new(tunnels),
        settings: Settings {
            loopback: true,
            trusted_proxies: vec!["127.0.0.1".parse()?],
            public_metrics: true,
            apps: APPS.map(str::to_owned).into(),
            session_idle: Duration::from_secs(1800),
            extend: Duration::from_secs(3600),
            ..Settings::default()
        },
        store,
        gateway: Arc::new(Quiet),
    })?)
}
