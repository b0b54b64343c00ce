//! What the core talks about. No ids or words of a backend are in here.

mod app;
mod host;
mod id;
mod instance;
mod permission;
mod policy;
mod pool;
mod quota;
mod snapshot;
mod text;
mod time;
mod user;

pub use app::{App, AppKind, LogIn, Protocol, RdpSecurity, Reach, Resources};
pub use host::{HostName, HostNameError, Label};
pub use id::{AppId, GroupId, InstanceId, ParseIdError, SessionId, TokenId, UserId};
pub use instance::{Action, Endpoint, FailureReason, Instance, InstanceState, NotAllowed};
pub use permission::{Effect, Permission, Rights, Rule, Scope};
pub use policy::{Due, Ending, Policies, Policy, PolicyError, Why};
pub use pool::{Days, MinuteOfWeek, ParseWindowError, Pool, TimeOfDay, Window};
pub use quota::{Allowance, Exceeded, Quota, Usage};
pub use snapshot::{Snapshot, SnapshotName, SnapshotNameError};
pub use time::ParseTimeError;
pub use user::{
    ApiToken, External, Group, NAME_MAX, NameError, Role, Session, Source, User, check_name,
};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Now, by the clock of this machine.
    #[must_use]
    pub fn now() -> Self {
        Self(crate::random::now_ms())
    }

    /// This long after, in milliseconds.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}
