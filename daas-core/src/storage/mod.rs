//! What is kept: one trait, and its backends.

mod sqlite;

pub use sqlite::Sqlite;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{
    Action, App, AppId, Endpoint, FailureReason, Instance, InstanceId, InstanceState, Session,
    Timestamp, User, UserId,
};

/// A ticket for one WebSocket. The ticket's value itself is nowhere kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// SHA-256 of the ticket's value.
    pub hash: [u8; 32],
    /// SHA-256 of the session that asked for it.
    pub session: [u8; 32],
    /// What it opens.
    pub instance: InstanceId,
    /// When it is no longer good.
    pub expires_at: Timestamp,
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done. Starting tells where the desktop listens.
    Done {
        /// Where the desktop listens now, if anywhere.
        endpoint: Option<Endpoint>,
    },
    /// It failed.
    Failed(FailureReason),
}

/// One step in the life of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// The state from then on.
    pub state: InstanceState,
    /// What went wrong, where it did.
    pub failure: Option<FailureReason>,
}

/// Storage of everything that outlives the process.
///
/// # Contract
/// - Each method is one atomic operation: all of it is kept or nothing, also when the
///   process or the machine dies. When it answers, what it wrote is on the disk.
/// - [`Error::NotFound`](crate::Error::NotFound), `AlreadyExists` and `Conflict` say what
///   stood in the way; then nothing was changed. `Unavailable` says that nothing is known.
/// - Methods may be called from many tasks at once, and dropped at any moment: a dropped
///   call may still take effect, whole.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Whether the storage can be read and written.
    async fn check(&self) -> Result<()>;

    /// Adds a user; the name must not be taken, whatever its case.
    async fn add_user(&self, user: User) -> Result<()>;
    /// The user with a name, whatever its case.
    async fn user_by_name(&self, name: &str) -> Result<User>;
    /// The user with an id.
    async fn user(&self, id: UserId) -> Result<User>;
    /// How many users there are.
    async fn count_users(&self) -> Result<u64>;
    /// Changes the hash of a user's password, and ends all their sessions.
    async fn set_password(&self, id: UserId, password_hash: String) -> Result<()>;

    /// Keeps a session.
    async fn add_session(&self, session: Session) -> Result<()>;
    /// The session with a hash and its user, if it has not expired, was used after
    /// `idle_since`, and its user is not disabled. Notes that it is used `now`.
    async fn use_session(
        &self,
        hash: [u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<(Session, User)>;
    /// Ends a session, and its tickets. Also fine if there is none.
    async fn end_session(&self, hash: [u8; 32]) -> Result<()>;

    /// Keeps a ticket.
    async fn add_ticket(&self, ticket: Ticket) -> Result<()>;
    /// Takes a ticket: it can be taken once, by the session that asked for it, before it
    /// expires; whatever the answer, it is gone.
    async fn take_ticket(
        &self,
        hash: [u8; 32],
        session: [u8; 32],
        now: Timestamp,
    ) -> Result<Ticket>;
    /// Removes sessions and tickets that expired before `now`; answers how many.
    async fn remove_expired(&self, now: Timestamp) -> Result<u64>;

    /// Adds an application, or changes the one with the same slug and answers its id.
    async fn put_app(&self, app: App) -> Result<AppId>;
    /// All applications by name.
    async fn apps(&self) -> Result<Vec<App>>;
    /// The application with an id.
    async fn app(&self, id: AppId) -> Result<App>;

    /// Adds an instance in the state `requested`, if its owner has fewer than `most` that
    /// are not deleted; else `Exhausted`.
    async fn add_instance(&self, instance: Instance, most: u32) -> Result<()>;
    /// The instance with an id, deleted or not.
    async fn instance(&self, id: InstanceId) -> Result<Instance>;
    /// Instances that are not deleted, the newest first; of one owner, or of all.
    async fn instances(&self, owner: Option<UserId>) -> Result<Vec<Instance>>;
    /// Writes the intent to do something, if the state allows it (else `Conflict`), and
    /// answers the row with it.
    async fn begin(&self, id: InstanceId, action: Action, now: Timestamp) -> Result<Instance>;
    /// Writes what became of an action, if the row is still at the revision that
    /// [`begin`](Self::begin) answered (else `Conflict`), and answers the new row.
    async fn finish(
        &self,
        id: InstanceId,
        revision: i64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Instance>;
    /// The steps of an instance, the oldest first.
    async fn transitions(&self, id: InstanceId) -> Result<Vec<Transition>>;
}
