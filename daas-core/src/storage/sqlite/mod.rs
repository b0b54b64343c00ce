//! Storage in one SQLite file, for one server.
//!
//! SQLite blocks, so every call passes through the gate. There is one connection for
//! writing and a few for reading: in WAL mode readers never wait for the writer. A write
//! begins as `IMMEDIATE`, as one that reads first and then wants to write may find that it
//! has been overtaken, and waiting does not help it.

mod audit_log;
mod hosts;
mod keyring;
mod people;
mod policies;
mod pools;
mod query;
mod quotas;
mod rows;
mod schema;
mod sealed;
mod sessions;
mod totp;

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use r2d2::Pool;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use scheduled_thread_pool::ScheduledThreadPool;

use super::{Begun, Instances, Outcome, Store, Transition, Used, Waiting};
use crate::audit::NewEntry;
use crate::blocking::Gate;
use crate::error::{BoxError, Error, Result};
use crate::fleet::Bounds;
use crate::model::{Action, App, AppId, Instance, InstanceId, Quota, Timestamp, UserId};
use crate::vault::VaultError;

use keyring::Keyring;

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
    keys: Arc<Keyring>,
}

/// What went wrong inside a call.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Pool(#[from] r2d2::Error),
    #[error(transparent)]
    Vault(#[from] VaultError),
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
            Self::Vault(error) => Error::Backend {
                backend: "the key file",
                operation,
                source: error.into(),
            },
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

/// Opens connections. All pools share it: each would bring three threads of its own, which stay
/// for half a minute when it is gone.
static CONNECTING: LazyLock<Arc<ScheduledThreadPool>> = LazyLock::new(|| {
    let pool = ScheduledThreadPool::builder().num_threads(1);
    Arc::new(pool.thread_name_pattern("daas-sqlite").build())
});

fn pool(path: &Path, size: u32) -> Result<Pool<SqliteConnectionManager>, r2d2::Error> {
    Pool::builder()
        .max_size(size)
        .min_idle(Some(1))
        .connection_timeout(WAIT)
        .thread_pool(Arc::clone(&CONNECTING))
        .build(SqliteConnectionManager::file(path).with_init(prepare))
}

impl Sqlite {
    /// Opens a file, creates it if need be, and brings its tables up to date. Secrets in it
    /// are sealed by the keys of another file, which is made with it; keep the two apart in
    /// backups.
    ///
    /// # Errors
    /// Where the file cannot be opened, is not a database, or is from a newer version; and
    /// where the keys are not those that its secrets were sealed by.
    pub async fn open(path: &Path, key_file: &Path) -> Result<Self> {
        let (path, key_file) = (path.to_owned(), key_file.to_owned());
        let write_gate = Gate::new(1);
        let opened = write_gate.run(move || open(&path, &key_file)).await;
        let opened = opened.map_err(closed)?;
        let (writer, readers, keys) = opened.map_err(|fault| fault.into_error("opening it"))?;
        Ok(Self {
            readers,
            writer,
            read_gate: Gate::new(READERS as usize),
            write_gate,
            keys: Arc::new(keys),
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

type Pools = (
    Pool<SqliteConnectionManager>,
    Pool<SqliteConnectionManager>,
    Keyring,
);

fn open(path: &Path, key_file: &Path) -> Result<Pools, Fault> {
    let writer = pool(path, 1)?;
    let mut connection = writer.get()?;
    // A table that is made anew would take along what refers to the old one.
    connection.pragma_update(None, "foreign_keys", false)?;
    schema::migrations().to_latest(&mut connection)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let keys = Keyring::open(key_file, sealed::any(&transaction)?)?;
    // Also finds out whether all secrets open: better now than when somebody needs one.
    sealed::seal_again(&transaction, &keys)?;
    transaction.commit()?;
    drop(connection);
    Ok((writer, pool(path, READERS)?, keys))
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

    async fn seal_again(&self) -> Result<u64> {
        let keys = self.keys.clone();
        self.write("sealing secrets again", move |db| {
            sealed::seal_again(db, &keys)
        })
        .await
    }
}

#[async_trait]
impl Instances for Sqlite {
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

    async fn add_instance(&self, instance: Instance, bounds: Bounds) -> Result<()> {
        let keys = self.keys.clone();
        self.write("adding an instance", move |db| {
            query::add_instance(db, &keys, &instance, &bounds)
        })
        .await
    }

    async fn instance(&self, id: InstanceId) -> Result<Instance> {
        let keys = self.keys.clone();
        self.read("reading an instance", move |db| {
            query::instance(db, &keys, id)
        })
        .await
    }

    async fn instances(&self, owner: Option<UserId>) -> Result<Vec<Instance>> {
        let keys = self.keys.clone();
        self.read("reading instances", move |db| {
            query::instances(db, &keys, owner)
        })
        .await
    }

    async fn adopt(&self, instance: Instance) -> Result<Instance> {
        let keys = self.keys.clone();
        self.write("keeping an instance", move |db| {
            query::adopt(db, &keys, instance)
        })
        .await
    }

    async fn add_waiting(&self, instance: Instance, most: u32, bounds: Bounds) -> Result<bool> {
        let keys = self.keys.clone();
        self.write("keeping an instance", move |db| {
            pools::add(db, &keys, &instance, most, &bounds)
        })
        .await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>> {
        let keys = self.keys.clone();
        self.read("reading instances", move |db| pools::waiting(db, &keys))
            .await
    }

    async fn claim(
        &self,
        app: AppId,
        owner: UserId,
        general: Quota,
        now: Timestamp,
    ) -> Result<Option<Instance>> {
        let keys = self.keys.clone();
        self.write("giving an instance to somebody", move |db| {
            pools::claim(db, &keys, app, owner, general, now)
        })
        .await
    }

    async fn discard(&self, id: InstanceId, now: Timestamp) -> Result<Option<Instance>> {
        let keys = self.keys.clone();
        self.write("keeping an intent", move |db| {
            pools::discard(db, &keys, id, now)
        })
        .await
    }

    async fn ownerless_instances(&self) -> Result<Vec<InstanceId>> {
        self.read("reading instances", query::ownerless_instances)
            .await
    }

    async fn begin(
        &self,
        id: InstanceId,
        action: Action,
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<Instance> {
        let keys = self.keys.clone();
        self.write("writing an intent", move |db| {
            query::begin(db, &keys, id, action, &bounds, now)
        })
        .await
    }

    async fn stop_out_of_time(&self, general: Quota, now: Timestamp) -> Result<Vec<Instance>> {
        let keys = self.keys.clone();
        self.write("stopping what is out of time", move |db| {
            query::stop_out_of_time(db, &keys, general, now)
        })
        .await
    }

    async fn note_use(&self, used: Vec<Used>) -> Result<()> {
        self.write("noting what is in use", move |db| {
            policies::note_use(db, &used)
        })
        .await
    }

    async fn extend(&self, id: InstanceId, until: Timestamp, entry: NewEntry) -> Result<Instance> {
        let keys = self.keys.clone();
        self.write("putting an end off", move |db| {
            policies::extend(db, &keys, id, until, entry)
        })
        .await
    }

    async fn begin_due(&self, now: Timestamp) -> Result<Vec<Begun>> {
        let keys = self.keys.clone();
        self.write("ending what is due", move |db| {
            policies::begin_due(db, &keys, now)
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
        let keys = self.keys.clone();
        self.write("writing an outcome", move |db| {
            query::finish(db, &keys, id, revision, &outcome, now)
        })
        .await
    }

    async fn record(
        &self,
        id: InstanceId,
        revision: i64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Instance> {
        let keys = self.keys.clone();
        self.write("writing what was found out", move |db| {
            query::record(db, &keys, id, revision, &outcome, now)
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
