//! What an administrator does at the machine of the server, on the database itself: it works
//! whether the server runs or not, and a server that runs follows at once.
//!
//! Whoever can read the database and its keys may do all; the audit log calls them
//! `console`.

mod audit;
mod password;
mod secrets;
mod token;
mod user;

use std::io;
use std::sync::Arc;

use clap::Subcommand;
use daas_core::access::{Access, Passwords};
use daas_core::audit::chain::Broken;
use daas_core::model::User;
use daas_core::storage::{Sqlite, Store};
use daas_core::vault::VaultError;
use thiserror::Error;
use tokio::runtime::Builder;

use crate::config::Config;
use crate::run::{RunError, open_store};

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make users, and change who may log in.
    #[command(subcommand)]
    User(user::User),
    /// Make tokens for programs.
    #[command(subcommand)]
    Token(token::Token),
    /// Look after the keys that seal secrets in the database.
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    /// Verify the audit log, and take it along.
    #[command(subcommand)]
    Audit(audit::Audit),
}

/// Why it is not done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] RunError),
    /// There is nobody with this name.
    #[error("there is no user {0:?}")]
    NoUser(String),
    /// There is no group with this name.
    #[error("there is no group {0:?}")]
    NoGroup(String),
    /// The password was not typed twice in the same way.
    #[error("the two passwords are not the same")]
    Differ,
    /// Nobody typed a password.
    #[error("there is no password: give it on a line of the standard input, or use --invite")]
    NoPassword,
    /// The core refuses.
    #[error(transparent)]
    Core(#[from] daas_core::Error),
    /// The file of the keys cannot be changed.
    #[error("the keys cannot be rotated")]
    Vault(#[from] VaultError),
    /// The log was tampered with.
    #[error("the audit log is broken")]
    Broken(#[from] Broken),
    /// Something cannot be read or written.
    #[error("cannot read or write")]
    Io(#[from] io::Error),
}

/// What a command works on.
struct Desk {
    store: Arc<dyn Store>,
    access: Access,
    /// Where the page is found, for links.
    origin: String,
}

impl Desk {
    async fn open(config: &Config) -> Result<Self, CommandError> {
        let store: Arc<dyn Store> = Arc::new(open_store(config).await?);
        let passwords = Passwords::new()?;
        let public = config.server.public_origins.first();
        let listen = config.server.listen;
        Ok(Self {
            access: Access::new(store.clone(), passwords, config.access),
            store,
            origin: public.map_or_else(|| format!("http://{listen}"), ToString::to_string),
        })
    }

    async fn user(&self, name: &str) -> Result<User, CommandError> {
        self.store.user_by_name(name).await.map_err(|error| {
            let nobody = matches!(error, daas_core::Error::NotFound { .. });
            match nobody {
                true => CommandError::NoUser(name.to_owned()),
                false => error.into(),
            }
        })
    }
}

/// Does what was asked for, and prints what came of it.
///
/// # Errors
/// Where it is not done.
pub fn run(config: &Config, command: Command) -> Result<(), CommandError> {
    // What is typed is read before anything asynchronous runs.
    let command = command.with_input()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::User(command) => command.run(&Desk::open(config).await?).await,
            Command::Token(command) => command.run(&Desk::open(config).await?).await,
            Command::Secrets(command) => command.run(config).await,
            Command::Audit(command) => command.run(&opened(config).await?).await,
        }
    })
}

async fn opened(config: &Config) -> Result<Sqlite, CommandError> {
    Ok(open_store(config).await?)
}

impl Command {
    fn with_input(self) -> Result<Self, CommandError> {
        match self {
            Self::User(command) => Ok(Self::User(command.with_input()?)),
            other => Ok(other),
        }
    }
}
