//! Starting up: runtimes, storage, the first user, the catalogue, and at last the server.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daas_core::access::{Access, By, NewUser, Passwords, Token};
use daas_core::blocking::Gate;
use daas_core::lifecycle::{Lifecycle, LifecycleConfig};
use daas_core::model::{HostName, Role, Timestamp};
use daas_core::storage::{Sqlite, Store};
use daas_core::{Secret, chain, files};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::http::{Limits, Listener, redirect, serve};
use crate::open_tunnels::OpenTunnels;
use crate::services::{Parts, Services, Settings};
use crate::sign_on::{SignOnFault, add_places};
#[cfg(feature = "acme")]
use crate::tls::Managed;
use crate::tls::{Certificates, TlsError};
use crate::tunnel::Registry;
use crate::{backend, check, log, threads};

/// Name of the first user.
const ADMIN: &str = "admin";
/// How often the files of the certificate are looked at.
const LOOK_AT_CERTIFICATE: Duration = Duration::from_secs(5);

/// Why the server does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The certificate cannot be used.
    #[error("TLS cannot be spoken")]
    Tls(#[from] TlsError),
    /// Another place that says who somebody is cannot be used.
    #[error("people could not log in as the configuration says")]
    SignOn(#[from] SignOnFault),
    /// A host cannot be used.
    #[error("the host {0} cannot be used as the configuration says")]
    Host(HostName, #[source] daas_core::Error),
    /// The password of an application cannot be read.
    #[error("the password of the application {0} cannot be used")]
    AppPassword(String, #[source] io::Error),
    /// A folder cannot be made.
    #[error("cannot make the folder of the database")]
    Folder(#[source] io::Error),
    /// The operating system refuses something else.
    #[error("the operating system refuses")]
    System(#[from] io::Error),
    /// Storage or hashing does not work.
    #[error("the server cannot start")]
    Core(#[from] daas_core::Error),
    /// The first password cannot be used.
    #[error("the password in DAAS_ADMIN_PASSWORD cannot be used")]
    Password(#[source] daas_core::Error),
    /// A mistake of this program.
    #[error("the table of routes contradicts itself")]
    Routes(#[from] matchit::InsertError),
    /// A mistake of this program.
    #[error("logging cannot begin")]
    Log(#[from] tracing_subscriber::util::TryInitError),
}

/// Runs the server until it is told to end by SIGTERM or SIGINT.
///
/// # Errors
/// Where it cannot start.
pub fn run(config: &Config, admin_password: Option<Secret<String>>) -> Result<(), RunError> {
    log::begin(&config.log)?;
    // Tunnels have threads of their own, so that nothing else makes a desktop stutter.
    let tunnels = threads::for_tunnels(config.tunnel.threads)?;
    let api = threads::for_requests(config.server.threads)?;
    let ended = api.block_on(run_here(config, admin_password, tunnels.handle().clone()));
    // What still blocks a thread is not waited for.
    api.shutdown_background();
    tunnels.shutdown_background();
    ended
}

/// Prints what is there and what is missing; answers whether all is well.
///
/// # Errors
/// Where it cannot even look.
pub fn run_check(config: &Config) -> Result<bool, RunError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (text, good) = runtime.block_on(async {
        let mut hosts = Vec::with_capacity(config.hosts.len());
        for host in &config.hosts {
            hosts.push((host.name.clone(), backend::to_look_at(host).await));
        }
        check::check(config, &hosts).await
    });
    print!("{text}");
    Ok(good)
}

async fn run_here(
    config: &Config,
    admin_password: Option<Secret<String>>,
    tunnel_runtime: Handle,
) -> Result<(), RunError> {
    // First, as these are what most often does not work.
    let listener = listen(config.server.listen).await?;
    let address = listener.local_addr()?;
    let (scheme, listener) = match secure(config).await? {
        None => ("http", Listener::from(listener)),
        Some(acceptor) => ("https", Listener::secured(listener, acceptor)),
    };
    let limits = Limits {
        connections: config.server.connections_max,
        ..Limits::default()
    };
    send_on(config, limits).await?;
    let services = assemble(config, admin_password, tunnel_runtime).await?;
    services.start();
    // Before anybody is told that it runs: whoever ends it at once ends it in order, too.
    let end = told_to_end()?;
    tracing::info!(%address, "listening on {scheme}://{address}");
    serve(listener, services, limits, end).await?;
    tracing::info!("ended");
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| RunError::Listen(address, error))
}

/// The certificate, if there is to be one. It is read again when its files change, which is
/// looked for now and then, and at once on SIGHUP; or it is renewed when it is due, and one
/// that failed to come is asked for again on SIGHUP.
async fn secure(config: &Config) -> Result<Option<TlsAcceptor>, RunError> {
    #[cfg(feature = "acme")]
    if let Some(acme) = &config.acme {
        let managed = Managed::begin(acme.clone()).await?;
        let acceptor = managed.acceptor()?;
        let mut told = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = managed.renew() => {}
                    _ = told.recv() => {}
                }
            }
        });
        return Ok(Some(acceptor));
    }
    let Some(files) = &config.tls else {
        return Ok(None);
    };
    let certificates = Certificates::load(files.clone()).await?;
    let mut told = signal(SignalKind::hangup())?;
    let watched = Arc::clone(&certificates);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = watched.watch(LOOK_AT_CERTIFICATE) => {}
                _ = told.recv() => {}
            }
        }
    });
    Ok(Some(certificates.acceptor()?))
}

/// Sends browsers without TLS on, if that is wanted, as long as this runtime lives.
async fn send_on(config: &Config, limits: Limits) -> Result<(), RunError> {
    let (address, origin) = match (
        config.server.redirect_http,
        config.server.public_origins.first(),
    ) {
        (Some(address), Some(origin)) => (address, origin.clone()),
        _ => return Ok(()),
    };
    let listener = listen(address).await?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "sending http://{address} on to {origin}");
    tokio::spawn(async move { redirect(listener, &origin, limits).await });
    Ok(())
}

async fn assemble(
    config: &Config,
    admin_password: Option<Secret<String>>,
    tunnel_runtime: Handle,
) -> Result<Arc<Services>, RunError> {
    let store: Arc<dyn Store> = Arc::new(open_store(config).await?);
    let passwords = Passwords::new()?;
    let access = Access::new(store.clone(), passwords, config.access);
    let (access, sign_on) = add_places(config, access).await?;
    add_first_user(&*store, &access, admin_password).await?;
    for app in &config.apps {
        store.put_app(app.clone()).await?;
    }
    let fleet = backend::fleet(config).await;
    let fleet = fleet.map_err(|(name, error)| RunError::Host(name, error))?;
    if let Err(error) = fleet.check().await {
        let error = chain(&error);
        tracing::warn!(
            error,
            "no desktop can be launched yet; daas-server check says more"
        );
    }
    if let Some(first) = fleet.names().next() {
        store.settle_hosts(first.clone()).await?;
    }
    let lifecycle = LifecycleConfig {
        passwords: app_passwords(config).await?,
        ..config.lifecycle.clone()
    };
    let lifecycle = Lifecycle::new(store.clone(), fleet.clone(), lifecycle);
    let gateway = backend::gateway(config);
    let tunnels = OpenTunnels {
        access: access.clone(),
        store: store.clone(),
        fleet,
        gateway: gateway.clone(),
        gateways: backend::gateways(config),
        runtime: tunnel_runtime,
        registry: Registry::new(),
    };
    Ok(Services::new(Parts {
        access,
        lifecycle,
        store,
        gateway,
        tunnels: Arc::new(tunnels),
        sign_on,
        settings: Settings::new(config),
    })?)
}

/// Passwords of applications, by slug.
async fn app_passwords(config: &Config) -> Result<BTreeMap<String, Secret<String>>, RunError> {
    let mut passwords = BTreeMap::new();
    for (slug, path) in &config.passwords {
        let password = app_password(path).await;
        let password = password.map_err(|error| RunError::AppPassword(slug.clone(), error))?;
        passwords.insert(slug.clone(), password);
    }
    Ok(passwords)
}

pub(crate) async fn app_password(path: &Path) -> io::Result<Secret<String>> {
    let path = path.to_owned();
    let read = Gate::new(1).run(move || files::secret(&path)).await;
    read.map_err(io::Error::other)?
}

/// Opens the database of a configuration, and makes it where it is not there.
///
/// # Errors
/// Where it cannot be.
pub(crate) async fn open_store(config: &Config) -> Result<Sqlite, RunError> {
    make_folder(&config.database)?;
    make_folder(&config.key_file)?;
    Ok(Sqlite::open(&config.database, &config.key_file).await?)
}

/// The folder holds secrets, so nobody else may look into it.
fn make_folder(database: &Path) -> Result<(), RunError> {
    use std::os::unix::fs::DirBuilderExt as _;
    match database.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => {
            let mut builder = fs::DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(folder);
            made.map_err(RunError::Folder)
        }
        _ => Ok(()),
    }
}

/// A new system has one user. Its password is the one given, or a random one that is
/// printed once.
async fn add_first_user(
    store: &dyn Store,
    access: &Access,
    given: Option<Secret<String>>,
) -> Result<(), RunError> {
    if store.count_users().await? > 0 {
        return Ok(());
    }
    let (password, is_given) = match given {
        Some(given) => (given, true),
        None => (random_password()?, false),
    };
    let user = NewUser {
        name: ADMIN.to_owned(),
        role: Role::Admin,
        password: Some(password.clone()),
        groups: Vec::new(),
    };
    let by = By::system();
    let made = access.create_user(&by, user, Timestamp::now());
    made.await.map_err(|error| match error {
        error @ daas_core::Error::Invalid { .. } => RunError::Password(error),
        error => error.into(),
    })?;
    if is_given {
        tracing::info!("the first user is {ADMIN}, with the password of DAAS_ADMIN_PASSWORD");
    } else {
        // To the terminal and not into the log, which is kept.
        println!(
            "The first user is {ADMIN}, with the password {}",
            password.expose()
        );
        println!("It is shown this once only.");
    }
    Ok(())
}

/// 120 random bits, in 20 characters.
fn random_password() -> Result<Secret<String>, RunError> {
    let mut text = Token::random()?.expose();
    text.truncate(20);
    Ok(Secret::new(text))
}

fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("ending");
    })
}
