//! Starting up: runtimes, storage, the first user, the catalogue, and at last the server.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use daas_core::access::{Access, PasswordError, Passwords, Token};
use daas_core::lifecycle::Lifecycle;
use daas_core::model::{Role, Timestamp, User, UserId};
use daas_core::storage::{Sqlite, Store};
use daas_core::{Secret, chain};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::http::{Limits, serve};
use crate::open_tunnels::OpenTunnels;
use crate::services::{Parts, Services, Settings};
use crate::tunnel::Registry;
use crate::{backend, check, log, threads};

/// Name of the first user.
const ADMIN: &str = "admin";

/// Why the server does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(std::net::SocketAddr, #[source] io::Error),
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
    Password(#[from] PasswordError),
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
    let hypervisor = backend::hypervisor(config);
    let (text, good) = runtime.block_on(check::check(config, &*hypervisor));
    print!("{text}");
    Ok(good)
}

async fn run_here(
    config: &Config,
    admin_password: Option<Secret<String>>,
    tunnel_runtime: Handle,
) -> Result<(), RunError> {
    let address = config.server.listen;
    // First, as it is what most often does not work.
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| RunError::Listen(address, error))?;
    let services = assemble(config, admin_password, tunnel_runtime).await?;
    services.start();
    let address = listener.local_addr()?;
    tracing::info!(%address, "listening on http://{address}");
    let limits = Limits {
        connections: config.server.connections_max,
        ..Limits::default()
    };
    serve(listener, services, limits, told_to_end()?).await?;
    tracing::info!("ended");
    Ok(())
}

async fn assemble(
    config: &Config,
    admin_password: Option<Secret<String>>,
    tunnel_runtime: Handle,
) -> Result<Arc<Services>, RunError> {
    make_folder(&config.database)?;
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&config.database).await?);
    let passwords = Passwords::new().await?;
    add_first_user(&*store, &passwords, admin_password).await?;
    for app in &config.apps {
        store.put_app(app.clone()).await?;
    }
    let hypervisor = backend::hypervisor(config);
    if let Err(error) = hypervisor.check().await {
        let error = chain(&error);
        tracing::warn!(
            error,
            "no desktop can be launched yet; daas-server check says more"
        );
    }
    let lifecycle = Lifecycle::new(store.clone(), hypervisor.clone(), config.lifecycle);
    let access = Access::new(store.clone(), passwords, config.access);
    let gateway = backend::gateway(config);
    let tunnels = OpenTunnels {
        access: access.clone(),
        store: store.clone(),
        hypervisor: hypervisor.clone(),
        gateway: gateway.clone(),
        runtime: tunnel_runtime,
        registry: Registry::new(),
    };
    Ok(Services::new(Parts {
        access,
        lifecycle,
        hypervisor,
        store,
        gateway,
        tunnels: Arc::new(tunnels),
        settings: Settings::new(config),
    })?)
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
    passwords: &Passwords,
    given: Option<Secret<String>>,
) -> Result<(), RunError> {
    if store.count_users().await? > 0 {
        return Ok(());
    }
    let (password, is_given) = match given {
        Some(given) => (given, true),
        None => (random_password()?, false),
    };
    let user = User {
        id: UserId::random(),
        name: ADMIN.to_owned(),
        role: Role::Admin,
        password_hash: passwords.hash(password.clone()).await?,
        disabled: false,
        created_at: Timestamp::now(),
    };
    store.add_user(user).await?;
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
