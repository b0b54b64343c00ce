//! What is kept about people: accounts, groups, rules, quotas, second factors.

use async_trait::async_trait;

use crate::audit::NewEntry;
use crate::error::Result;
use crate::model::{
    Allowance, AppId, External, Group, GroupId, Quota, Rights, Rule, Timestamp, User, UserId,
};
use crate::secret::Secret;

/// Somebody, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub user: User,
    /// What they may do.
    pub rights: Rights,
}

/// Somebody, as lists of people show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub user: User,
    /// The groups that they are in, by name.
    pub groups: Vec<(GroupId, String)>,
    /// How many instances they have that are not deleted.
    pub instances: u64,
}

/// Which accounts to list: by name, and those behind a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountsQuery {
    /// Part of the name, whatever its case.
    pub part: Option<String>,
    /// Only those behind this one.
    pub after: Option<UserId>,
    /// At most so many.
    pub limit: u32,
}

/// Whom rules are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One person.
    User(UserId),
    /// The members of a group.
    Group(GroupId),
}

/// Whom or what a quota is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuotaOf {
    /// One person.
    User(UserId),
    /// Each member of a group.
    Group(GroupId),
    /// What one person may have of an application.
    App(AppId),
}

/// A second factor as it is kept.
#[derive(Clone, Debug)]
pub struct SecondFactor {
    /// The secret that is shared with the authenticator.
    pub secret: Secret<String>,
    /// The last step of time whose code was used.
    pub last_step: Option<u64>,
    /// Hashes of the recovery codes that are left.
    pub recovery: Vec<[u8; 32]>,
}

/// A link that lets somebody choose their first password. Its value itself is nowhere kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// SHA-256 of the value.
    pub hash: [u8; 32],
    /// Whose account it opens.
    pub user: UserId,
    /// When it is no longer good.
    pub expires_at: Timestamp,
}

/// Accounts, groups, rules, quotas, second factors.
///
/// What changes something takes its entry of the audit log along: both are kept, or neither.
#[async_trait]
pub trait People: Send + Sync + 'static {
    /// Adds a user; the name must not be taken, whatever its case.
    async fn add_user(&self, user: User, groups: Vec<GroupId>, entry: NewEntry) -> Result<()>;
    /// The user with a name, whatever its case.
    async fn user_by_name(&self, name: &str) -> Result<User>;
    /// The user that another place vouches for.
    async fn user_by_external(&self, external: External) -> Result<User>;
    /// The user with an id.
    async fn user(&self, id: UserId) -> Result<User>;
    /// The user with an id, and what they may do.
    async fn person(&self, id: UserId) -> Result<Person>;
    /// The account with an id.
    async fn account(&self, id: UserId) -> Result<Account>;
    /// Accounts by name.
    async fn accounts(&self, query: AccountsQuery) -> Result<Vec<Account>>;
    /// How many users there are.
    async fn count_users(&self) -> Result<u64>;
    /// Changes a user, if the row is still at the revision that was read (else `Conflict`),
    /// and the groups where they are given; answers the new row. Another role, another
    /// password or being disabled ends all their sessions, and links for them are no longer
    /// good; a second factor that is no longer enabled is gone. The last administrator who
    /// can log in stays one: else `Refused`.
    async fn change_user(
        &self,
        user: User,
        groups: Option<Vec<GroupId>>,
        entry: NewEntry,
    ) -> Result<User>;
    /// Removes a user: they are gone for everybody, and the name is free again, but for the
    /// record of their instances. `Refused` for the last administrator, and for who has
    /// instances, unless these are to be deleted by the caller.
    async fn delete_user(
        &self,
        id: UserId,
        with_instances: bool,
        now: Timestamp,
        entry: NewEntry,
    ) -> Result<()>;

    /// Adds a group; the name must not be taken, whatever its case.
    async fn add_group(&self, group: Group, entry: NewEntry) -> Result<()>;
    /// All groups by name, and how many are in each.
    async fn groups(&self) -> Result<Vec<(Group, u64)>>;
    /// The group with an id.
    async fn group(&self, id: GroupId) -> Result<Group>;
    /// Changes a group.
    async fn change_group(&self, group: Group, entry: NewEntry) -> Result<()>;
    /// Removes a group.
    async fn delete_group(&self, id: GroupId, entry: NewEntry) -> Result<()>;
    /// Who is in a group, by name.
    async fn members(&self, id: GroupId) -> Result<Vec<(UserId, String)>>;
    /// Sets who is in a group. Whom another place puts in stays in.
    async fn set_members(&self, id: GroupId, users: Vec<UserId>, entry: NewEntry) -> Result<()>;
    /// Puts somebody into the groups that these groups of another place stand for, and out
    /// of those that they were in for that reason alone.
    async fn follow_external_groups(&self, user: UserId, names: Vec<String>) -> Result<()>;

    /// The rules about somebody.
    async fn rules(&self, of: Subject) -> Result<Vec<Rule>>;
    /// Sets the rules about somebody.
    async fn set_rules(&self, of: Subject, rules: Vec<Rule>, entry: NewEntry) -> Result<()>;

    /// A quota; without any limit where none was set.
    async fn quota(&self, of: QuotaOf) -> Result<Quota>;
    /// Sets a quota.
    async fn set_quota(&self, of: QuotaOf, quota: Quota, entry: NewEntry) -> Result<()>;
    /// The quotas of applications that have one.
    async fn app_quotas(&self) -> Result<Vec<(AppId, Quota)>>;
    /// What somebody has and may have. The general quota counts where neither the person
    /// nor a group of theirs has a limit.
    async fn allowance(&self, id: UserId, general: Quota, now: Timestamp) -> Result<Allowance>;

    /// Keeps a link for somebody instead of those before.
    async fn add_invitation(&self, invitation: Invitation, entry: NewEntry) -> Result<()>;
    /// Whose account a link opens, if it is good.
    async fn invited(&self, hash: [u8; 32], now: Timestamp) -> Result<User>;
    /// Uses a link, once: sets the password of the user that it is for, whose sessions end.
    async fn accept_invitation(
        &self,
        hash: [u8; 32],
        password_hash: String,
        now: Timestamp,
        entry: NewEntry,
    ) -> Result<User>;

    /// Keeps a secret that is not asked for yet.
    async fn set_pending_totp(&self, id: UserId, secret: Secret<String>) -> Result<()>;
    /// That secret.
    async fn pending_totp(&self, id: UserId) -> Result<Secret<String>>;
    /// From now on asks for codes of the pending secret, whose code of a step was shown.
    async fn enable_totp(
        &self,
        id: UserId,
        step: u64,
        recovery: Vec<[u8; 32]>,
        entry: NewEntry,
    ) -> Result<()>;
    /// No longer asks for codes.
    async fn disable_totp(&self, id: UserId, entry: NewEntry) -> Result<()>;
    /// The second factor of somebody, if there is one.
    async fn second_factor(&self, id: UserId) -> Result<Option<SecondFactor>>;
    /// Notes that the code of a step is used; `NotFound` where it, or a later one, was.
    async fn use_totp_step(&self, id: UserId, step: u64) -> Result<()>;
    /// Uses a recovery code; `NotFound` where it is not there any more.
    async fn use_recovery_code(&self, id: UserId, hash: [u8; 32]) -> Result<()>;
}
