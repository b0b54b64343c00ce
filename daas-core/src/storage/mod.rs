//! What is kept: one trait in six parts, and its backends.

mod audit_log;
mod hosts;
mod people;
mod sessions;
mod sqlite;

pub use audit_log::{AuditLog, AuditQuery, ExportWalk, Kept, Order, Walk};
pub use hosts::Hosts;
pub use people::{
    Account, AccountsQuery, Invitation, People, Person, QuotaOf, SecondFactor, Subject,
};
pub use sessions::{Sessions, Ticket};
pub use sqlite::Sqlite;

use async_trait::async_trait;

use crate::audit::NewEntry;
use crate::error::Result;
use crate::fleet::Bounds;
use crate::model::{
    Action, App, AppId, Due, Endpoint, FailureReason, Instance, InstanceId, InstanceState, Quota,
    Timestamp, UserId,
};

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
    /// The desktop had ended by itself.
    Ended,
    /// It cannot be done, so something else is to be done, for a reason.
    Instead(FailureReason),
}

/// That an instance is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Which.
    pub instance: InstanceId,
    /// When somebody last looked at it.
    pub seen_at: Timestamp,
    /// When there was last input of theirs, if there was any.
    pub input_at: Option<Timestamp>,
}

/// What was begun by itself.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The row with the intent.
    pub instance: Instance,
    /// By which policy.
    pub due: Due,
}

/// An instance that is nobody's.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The instance.
    pub instance: Instance,
    /// Whether its host is not to have instances any more.
    pub drained: bool,
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
pub trait Store: Instances + People + Sessions + AuditLog + Hosts {
    /// Whether the storage can be read and written.
    async fn check(&self) -> Result<()>;
    /// Seals all secrets again that an older key of the vault sealed; answers how many.
    async fn seal_again(&self) -> Result<u64>;
}

/// Applications, and what was launched of them. The contract is that of [`Store`].
#[async_trait]
pub trait Instances: Send + Sync + 'static {
    /// Adds an application, or changes the one with the same slug and answers its id.
    async fn put_app(&self, app: App) -> Result<AppId>;
    /// All applications by name.
    async fn apps(&self) -> Result<Vec<App>>;
    /// The application with an id.
    async fn app(&self, id: AppId) -> Result<App>;

    /// Adds an instance in the state `requested`, if all quotas of its owner allow it, and
    /// places it on a host with room for it; else `Exhausted`, or `Unavailable` where no host
    /// answers. The general quota is as for [`People::allowance`].
    async fn add_instance(&self, instance: Instance, bounds: Bounds) -> Result<()>;
    /// Adds an instance that is there already, in the state and on the host that it has,
    /// whatever its owner may have. Without an owner who is known, the first administrator
    /// becomes it. Answers the row; `AlreadyExists` where there is or was one.
    async fn adopt(&self, instance: Instance) -> Result<Instance>;
    /// The instance with an id, deleted or not.
    async fn instance(&self, id: InstanceId) -> Result<Instance>;
    /// Instances that are not deleted, the newest first; of one owner, or of all.
    async fn instances(&self, owner: Option<UserId>) -> Result<Vec<Instance>>;
    /// Adds an instance that is nobody's in the state `requested`, to wait for somebody, if
    /// fewer than so many of its application wait or are to (else answers that it did not), and
    /// a host has room for it (else `Exhausted`).
    async fn add_waiting(&self, instance: Instance, most: u32, bounds: Bounds) -> Result<bool>;
    /// Instances that are nobody's and not deleted, the oldest first.
    async fn waiting(&self) -> Result<Vec<Waiting>>;
    /// Gives somebody the oldest instance of an application that is nobody's and runs, as if
    /// it were launched now: if all their quotas allow one more, else `Exhausted`. Answers
    /// nothing where none waits.
    async fn claim(
        &self,
        app: AppId,
        owner: UserId,
        general: Quota,
        now: Timestamp,
    ) -> Result<Option<Instance>>;
    /// Writes the intent to delete an instance, if it is still nobody's; answers the row.
    async fn discard(&self, id: InstanceId, now: Timestamp) -> Result<Option<Instance>>;
    /// Instances that are not deleted though their owner is, and that nobody deletes.
    async fn ownerless_instances(&self) -> Result<Vec<InstanceId>>;
    /// Writes the intent to do something, if the state allows it (else `Conflict`), and
    /// answers the row with it. Starting what was stopped needs to be within all quotas of
    /// its owner and room on its host, where it stays, and going on with what is frozen within
    /// quotas of hours; else `Exhausted`.
    async fn begin(
        &self,
        id: InstanceId,
        action: Action,
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<Instance>;
    /// Writes the intent to stop all that runs though the hours of its owner are used up, in
    /// all or with that application. Each row gets the reason in words as its failure, which
    /// stays when it is stopped, and the audit log an entry. Answers the rows.
    async fn stop_out_of_time(&self, general: Quota, now: Timestamp) -> Result<Vec<Instance>>;
    /// Writes that instances are in use. Times only grow, and revisions stay: who carries
    /// something out goes on.
    async fn note_use(&self, used: Vec<Used>) -> Result<()>;
    /// Puts off all that would end an instance by itself, with an entry of the audit log, and
    /// answers the row; `Conflict` where it does not run. Times only grow, and its revision
    /// stays.
    async fn extend(&self, id: InstanceId, until: Timestamp, entry: NewEntry) -> Result<Instance>;
    /// Writes the intents that the policies of applications want by now. As for
    /// [`stop_out_of_time`](Self::stop_out_of_time), rows and audit log say why.
    async fn begin_due(&self, now: Timestamp) -> Result<Vec<Begun>>;
    /// Writes what became of an action, if the row is still at the revision that
    /// [`begin`](Self::begin) answered (else `Conflict`), and answers the new row.
    async fn finish(
        &self,
        id: InstanceId,
        revision: i64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Instance>;
    /// Writes what was found out about an instance that nobody wants anything of, if the row
    /// is still at a revision (else `Conflict`), and answers the new row. `Done` tells where
    /// the desktop listens now.
    async fn record(
        &self,
        id: InstanceId,
        revision: i64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Instance>;
    /// The steps of an instance, the oldest first.
    async fn transitions(&self, id: InstanceId) -> Result<Vec<Transition>>;
}
