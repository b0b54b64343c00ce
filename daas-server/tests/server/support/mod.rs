//! A server with backends in memory, and a client that behaves like the page.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test uses the part that it needs"
)]

pub mod client;
pub mod fake;
pub mod fixtures;
pub mod tls;

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daas_core::Secret;
use daas_core::access::{Access, AccessConfig, By, Passwords, Token};
use daas_core::audit::{AuditAction, Target, TargetKind};
use daas_core::fleet::{Fleet, FleetConfig, HostSetup};
use daas_core::gateway::{Gateway, Guacd, GuacdConfig};
use daas_core::lifecycle::{Lifecycle, LifecycleConfig};
use daas_core::model::{AppId, Quota, Role, Session, SessionId, Timestamp, User};
use daas_core::storage::{Sqlite, Store};
use daas_server::tls::Certificates;
use daas_server::tunnel::Registry;
use daas_server::{
    Limits, Listener, NoTunnels, OpenTunnels, Parts, Services, Settings, SignOn, Tunnels,
};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use client::Client;
use fake::Fake;

/// Name of the cookie of a session, where TLS is not spoken.
const COOKIE: &str = "daas_session";
pub const PASSWORD: &str = "correct horse";
/// A test that waits longer than this has failed.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Hashing takes a while, and one password is enough.
static HASH: OnceCell<String> = OnceCell::const_new();

pub struct Server {
    pub address: SocketAddr,
    pub fake: Arc<Fake>,
    pub store: Arc<dyn Store>,
    pub apps: Vec<AppId>,
    pub services: Arc<Services>,
    pub access: Access,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
    /// Of the database.
    pub folder: Arc<tempfile::TempDir>,
}

pub struct Options {
    pub settings: Settings,
    pub limits: Limits,
    pub lifecycle: LifecycleConfig,
    pub access: AccessConfig,
    pub tunnels: Arc<dyn Tunnels>,
    pub sign_on: SignOn,
    /// Where guacd is; then tunnels are those of a real server.
    pub guacd: Option<String>,
    /// Hosts beside the first one, which is `fake`.
    pub others: Vec<(&'static str, Arc<Fake>)>,
    pub fleet: FleetConfig,
    /// With a certificate, TLS is spoken.
    pub certificates: Option<Arc<Certificates>>,
}

impl Default for Options {
    fn default() -> Self {
        let apps = ["desktop", "editor"].map(str::to_owned);
        Self {
            settings: Settings {
                loopback: true,
                apps: apps.into(),
                session_idle: Duration::from_secs(60),
                extend: Duration::from_secs(60 * 60),
                ..Settings::default()
            },
            limits: Limits::default(),
            lifecycle: LifecycleConfig {
                quota: Quota {
                    instances: Some(2),
                    ..Quota::default()
                },
                ..LifecycleConfig::default()
            },
            access: AccessConfig::default(),
            tunnels: Arc::new(NoTunnels::default()),
            sign_on: SignOn::default(),
            guacd: None,
            others: Vec::new(),
            fleet: FleetConfig::default(),
            certificates: None,
        }
    }
}

async fn add_user(store: &dyn Store, passwords: &Passwords, name: &str, role: Role) {
    let secret = Secret::new(PASSWORD.to_owned());
    let hash = HASH.get_or_init(|| async { passwords.hash(secret).await.unwrap() });
    put_user(store, name, role, hash.await).await;
}

async fn put_user(store: &dyn Store, name: &str, role: Role, hash: &str) -> User {
    let user = User::new(name, role, hash.to_owned(), Timestamp::now());
    let target = Target::new(TargetKind::User, user.id, name);
    let entry = By::system().did(AuditAction::UserCreate, target, user.created_at);
    store
        .add_user(user.clone(), Vec::new(), entry)
        .await
        .unwrap();
    user
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Users `alice` and `bob`, `operator` and `admin`; applications `desktop`, whose image is there,
    /// `editor`, whose image is not, and `retired`, which the configuration has no more.
    pub async fn start_with(options: Options) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let store: Arc<dyn Store> = Arc::new(open(folder.path()).await);
        let passwords = Passwords::new().unwrap();
        for name in ["alice", "bob"] {
            add_user(&*store, &passwords, name, Role::User).await;
        }
        add_user(&*store, &passwords, "operator", Role::Operator).await;
        add_user(&*store, &passwords, "admin", Role::Admin).await;
        let mut apps = Vec::new();
        for slug in ["desktop", "editor", "retired"] {
            apps.push(store.put_app(fixtures::app(slug)).await.unwrap());
        }
        let fake = Arc::new(Fake::with_images(["daas/desktop"]));
        let mut hosts = vec![HostSetup::new("fake".parse().unwrap(), fake.clone())];
        for (name, other) in &options.others {
            hosts.push(HostSetup::new(name.parse().unwrap(), other.clone()));
        }
        let fleet = Fleet::new(hosts, options.fleet);
        let lifecycle = Lifecycle::new(store.clone(), fleet.clone(), options.lifecycle);
        let access = Access::new(store.clone(), passwords, options.access);
        let (gateway, tunnels): (Arc<dyn Gateway>, Arc<dyn Tunnels>) = match options.guacd {
            None => (fake.clone(), options.tunnels),
            Some(guacd) => {
                let gateway = Arc::new(Guacd::new(GuacdConfig::new(vec![guacd])));
                let tunnels = OpenTunnels {
                    access: access.clone(),
                    store: store.clone(),
                    fleet,
                    gateway: gateway.clone(),
                    gateways: HashMap::new(),
                    runtime: Handle::current(),
                    registry: Registry::new(),
                };
                (gateway, Arc::new(tunnels))
            }
        };
        let services = Services::new(Parts {
            sign_on: options.sign_on,
            store: store.clone(),
            gateway,
            access: access.clone(),
            lifecycle,
            tunnels,
            settings: options.settings,
        });
        let services = services.unwrap();
        services.start();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = match &options.certificates {
            None => Listener::from(listener),
            Some(certificates) => Listener::tls(listener, certificates).unwrap(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { drop(stopped.await) };
        let serve = daas_server::serve(listener, services.clone(), options.limits, shutdown);
        Self {
            address,
            fake,
            store,
            apps,
            services,
            access,
            stop: Some(stop),
            task: tokio::spawn(serve),
            folder,
        }
    }

    /// Somebody without a session.
    pub fn anonymous(&self) -> Client {
        Client::new(self.address)
    }

    /// Somebody with one.
    pub async fn log_in(&self, name: &str) -> Client {
        let mut client = self.anonymous();
        client.log_in(name, PASSWORD).await;
        client
    }

    /// Makes a user, whose password is as for all.
    pub async fn add(&self, name: &str, role: Role) -> User {
        put_user(&*self.store, name, role, HASH.get().unwrap()).await
    }

    /// Begins a session of a user without a password, which takes less time.
    pub async fn let_in(&self, user: &User) -> (Client, Session) {
        let (token, now) = (Token::random().unwrap(), Timestamp::now());
        let session = Session {
            hash: token.hash(),
            id: SessionId::random(),
            user: user.id,
            created_at: now,
            used_at: now,
            expires_at: now.plus_ms(60_000),
            address: "192.0.2.1".to_owned(),
            user_agent: "test".to_owned(),
            provider: None,
        };
        self.store.add_session(session.clone(), None).await.unwrap();
        let mut client = self.anonymous();
        client.cookie = Some(format!("{COOKIE}={}", token.expose()));
        client.csrf = Some(token.derive("csrf").expose());
        (client, session)
    }

    /// Tells the server to end, and waits for it.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        within(async { (&mut self.task).await.unwrap().unwrap() }).await;
    }
}

/// The storage of a folder.
pub async fn open(folder: &Path) -> Sqlite {
    let (db, keys) = (folder.join("db"), folder.join("keys"));
    Sqlite::open(&db, &keys).await.unwrap()
}

/// Fails a test that would wait for ever.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("took too long")
}

/// Looks again and again, until something is so.
pub async fn until<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "took too long");
        sleep(Duration::from_millis(5)).await;
    }
}
