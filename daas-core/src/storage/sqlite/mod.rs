//! Storage in one SQLite file, for one server.
//!
//! SQLite blocks, so every call passes through the gate. There is one connection for
//! writing and a few for reading: in WAL mode readers never wait for the writer. A write
//! begins as `IMMEDIATE`, as one that reads first and then wants to write may find that it
//! has been overtaken, and waiting does not help it.

mod query;
mod rows;
mod schema;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use r2d2::Pool;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Outcome, Store, Ticket, Transition};
use crate::blocking::Gate;
use crate::error::{BoxError, Error, Result};
use crate::model::{Action, App, AppId, Instance, InstanceId, Session, Timestamp, User, UserId};

const BACKEND: &str = "the database";
/// Connections for reading.
const READERS: u32 = 4;
/// How long a call waits for a connection, or for another process's lock.
const WAIT: Duration = Duration::from_secs(5);

/// Storage in one SQLite file.
#[derive(Clone, Debug)]
pub struct Sqlite {
    readers: Pool<SqliteConnectionManager>,
    writer: Pool<SqliteConnectionManager>,
    read_gate: Gate,
    write_gate: Gate,
}

/// What went wrong inside a call.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Pool(#[from] r2d2::Error),
    #[error(transparent)]
    Migration(#[from] rusqlite_migration::Error),
    /// An answer of the storage, not a fault of SQLite.
    #[error(transparent)]
    Answer(#[from] Error),
}

impl Fault {
    fn into_error(self, operation: &'static str) -> Error {
        let unavailable = |source: BoxError| Error::Unavailable {
            backend: BACKEND,
            operation,
            source: Some(source),
        };
        match self {
            Self::Answer(error) => error,
            Self::Pool(error) => unavailable(error.into()),
            Self::Sqlite(error) if is_passing(&error) => unavailable(error.into()),
            other => Error::Backend {
                backend: BACKEND,
                operation,
                source: other.into(),
            },
        }
    }
}

/// Whether trying later may help: locked, full, or not readable at the moment.
fn is_passing(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    matches!(
        error.sqlite_error_code(),
        Some(
            Code::DatabaseBusy
                | Code::DatabaseLocked
                | Code::DiskFull
                | Code::SystemIoFailure
                | Code::CannotOpen
                | Code::ReadOnly
                | Code::OutOfMemory
        )
    )
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(WAIT)?;
    // FULL: what a call answered survives the loss of power too.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
    )
}

fn pool(path: &Path, size: u32) -> Result<Pool<SqliteConnectionManager>, r2d2::Error> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(1))
        .connection_timeout(WAIT)
        .build(SqliteConnectionManager::file(path).with_init(prepare))
}

impl Sqlite {
    /// Opens a file, creates it if need be, and brings its tables up to date. The file
    /// holds secrets: make its folder readable for the server alone.
    ///
    /// # Errors
    /// Where the file cannot be opened, is not a database, or is from a newer version.
    pub async fn open(path: &Path) -> Result<Self> {
        let path = path.to_owned();
        let open = move || -> Result<_, Fault> {
            let writer = pool(&path, 1)?;
            schema::migrations().to_latest(&mut *writer.get()?)?;
            Ok((writer, pool(&path, READERS)?))
        };
        let write_gate = Gate::new(1);
        let opened = write_gate.run(open).await.map_err(closed)?;
        let (writer, readers) = opened.map_err(|fault| fault.into_error("opening it"))?;
        Ok(Self {
            readers,
            writer,
            read_gate: Gate::new(READERS as usize),
            write_gate,
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let readers = self.readers.clone();
        let answer = self.read_gate.run(move || call(&*readers.get()?));
        answer
            .await
            .map_err(closed)?
            .map_err(|fault| fault.into_error(operation))
    }

    async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        call: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let writer = self.writer.clone();
        let answer = self.write_gate.run(move || -> Result<T, Fault> {
            let mut connection = writer.get()?;
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = call(&transaction)?;
            transaction.commit()?;
            Ok(answer)
        });
        answer
            .await
            .map_err(closed)?
            .map_err(|fault| fault.into_error(operation))
    }
}

fn closed(error: crate::blocking::BlockingError) -> Error {
    Error::Unavailable {
        backend: BACKEND,
        operation: "a call",
        source: Some(error.into()),
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn check(&self) -> Result<()> {
        self.write("checking it", query::check).await
    }

    async fn add_user(&self, user: User) -> Result<()> {
        self.write("adding a user", move |db| query::add_user(db, &user))
            .await
    }

    async fn user_by_name(&self, name: &str) -> Result<User> {
        let name = name.to_owned();
        self.read("reading a user", move |db| query::user_by_name(db, &name))
            .await
    }

    async fn user(&self, id: UserId) -> Result<User> {
        self.read("reading a user", move |db| query::user(db, id))
            .await
    }

    async fn count_users(&self) -> Result<u64> {
        self.read("counting users", query::count_users).await
    }

    async fn set_password(&self, id: UserId, password_hash: String) -> Result<()> {
        self.write("changing a password", move |db| {
            query::set_password(db, id, &password_hash)
        })
        .await
    }

    async fn add_session(&self, session: Session) -> Result<()> {
        self.write("keeping a session", move |db| {
            query::add_session(db, &session)
        })
        .await
    }

    async fn use_session(
        &self,
        hash: [u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<(Session, User)> {
        let found = self
            .read("reading a session", move |db| {
                query::session(db, hash, now, idle_since)
            })
            .await?;
        // Written at most once a minute, so that reading the catalogue stays a read.
        if found.0.used_at.plus_ms(60_000) < now {
            self.write("noting that a session is used", move |db| {
                query::note_session(db, hash, now)
            })
            .await?;
        }
        Ok(found)
    }

    async fn end_session(&self, hash: [u8; 32]) -> Result<()> {
        self.write("ending a session", move |db| query::end_session(db, hash))
            .await
    }

    async fn add_ticket(&self, ticket: Ticket) -> Result<()> {
        self.write("keeping a ticket", move |db| query::add_ticket(db, &ticket))
            .await
    }

    async fn take_ticket(
        &self,
        hash: [u8; 32],
        session: [u8; 32],
        now: Timestamp,
    ) -> Result<Ticket> {
        let taken = self
            .write("taking a ticket", move |db| query::take_ticket(db, hash))
            .await?;
        // It is gone, whoever came with it.
        if taken.session == session && taken.expires_at > now {
            Ok(taken)
        } else {
            Err(Error::NotFound { what: "ticket" })
        }
    }

    async fn remove_expired(&self, now: Timestamp) -> Result<u64> {
        self.write("removing what expired", move |db| {
            query::remove_expired(db, now)
        })
        .await
    }

    async fn put_app(&self, app: App) -> Result<AppId> {
        self.write("keeping an application", move |db| query::put_app(db, &app))
            .await
    }

    async fn apps(&self) -> Result<Vec<App>> {
        self.read("reading the catalogue", query::apps).await
    }

    async fn app(&self, id: AppId) -> Result<App> {
        self.read("reading an application", move |db| query::app(db, id))
            .await
    }

    async fn add_instance(&self, instance: Instance, most: u32) -> Result<()> {
        self.write("adding an instance", move |db| {
            query::add_instance(db, &instance, most)
        })
        .await
    }

    async fn instance(&self, id: InstanceId) -> Result<Instance> {
        self.read("reading an instance", move |db| query::instance(db, id))
            .await
    }

    async fn instances(&self, owner: Option<UserId>) -> Result<Vec<Instance>> {
        self.read("reading instances", move |db| query::instances(db, owner))
            .await
    }

    async fn begin(&self, id: InstanceId, action: Action, now: Timestamp) -> Result<Instance> {
        self.write("writing an intent", move |db| {
            query::begin(db, id, action, now)
        })
        .await
    }

    async fn finish(
        &self,
        id: InstanceId,
        revision: i64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Instance> {
        self.write("writing an outcome", move |db| {
            query::finish(db, id, revision, &outcome, now)
        })
        .await
    }

    async fn transitions(&self, id: InstanceId) -> Result<Vec<Transition>> {
        self.read("reading the steps of an instance", move |db| {
            query::transitions(db, id)
        })
        .await
    }
}
