//! On whose behalf something is done.

use std::net::IpAddr;

use serde::Serialize;

use super::Token;
use crate::audit::{Actor, AuditAction, Details, NewEntry, Outcome, Target};
use crate::error::{Error, Result};
use crate::model::{Permission, Rights, Role, Scope, Session, Timestamp, User, UserId};
use crate::storage::Person;

/// Somebody who was let in, by a session or by a token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub user: User,
    /// What they may do.
    pub rights: Rights,
    /// What the token is good for; `None` for a session, which is good for all.
    pub scopes: Option<Vec<Scope>>,
    /// From where.
    pub address: IpAddr,
}

impl Caller {
    pub(super) fn new(person: Person, scopes: Option<Vec<Scope>>, address: IpAddr) -> Self {
        let Person { user, rights } = person;
        Self {
            user,
            rights,
            scopes,
            address,
        }
    }

    /// Whether the way they were let in is good for this.
    #[must_use]
    pub fn has_scope(&self, scope: Scope) -> bool {
        let scopes = self.scopes.as_ref();
        scopes.is_none_or(|scopes| scopes.contains(&scope))
    }

    /// For what is done on their behalf.
    #[must_use]
    pub fn by(&self) -> By {
        By {
            id: Some(self.user.id),
            name: self.user.name.clone(),
            address: Some(self.address),
            rights: self.rights.clone(),
        }
    }
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// Who.
    pub caller: Caller,
    /// By which session.
    pub session: Session,
    /// What unsafe requests of the session have to carry.
    pub csrf: Token,
}

/// On whose behalf something is done, for the audit log, and what they may do.
#[derive(Clone, Debug)]
pub struct By {
    id: Option<UserId>,
    name: String,
    address: Option<IpAddr>,
    rights: Rights,
}

impl By {
    /// Whoever has the machine of the server, and so may do all.
    #[must_use]
    pub fn console() -> Self {
        Self::somebody("console")
    }

    /// The server itself.
    #[must_use]
    pub fn system() -> Self {
        Self::somebody("system")
    }

    fn somebody(name: &str) -> Self {
        Self {
            id: None,
            name: name.to_owned(),
            address: None,
            rights: Rights::new(Role::Admin, Vec::new(), Vec::new()),
        }
    }

    /// Somebody who does something to their own account before they are let in.
    pub(super) fn oneself(user: &User, address: IpAddr) -> Self {
        Self {
            id: Some(user.id),
            name: user.name.clone(),
            address: Some(address),
            rights: Rights::new(user.role, Vec::new(), Vec::new()),
        }
    }

    /// What they may do.
    #[must_use]
    pub const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Whether this is the user.
    #[must_use]
    pub fn is(&self, id: UserId) -> bool {
        self.id == Some(id)
    }

    pub(super) fn needs(&self, permission: Permission) -> Result<()> {
        if self.rights.may(permission) {
            return Ok(());
        }
        let reason = "you may not do this; ask an administrator";
        Err(Error::Forbidden { reason })
    }

    /// Nobody may act on an account that can do more than they: its rights would be theirs.
    pub(super) fn needs_to_cover(&self, other: &Rights) -> Result<()> {
        if self.rights.cover(other) {
            return Ok(());
        }
        let reason = "they may do more than you; ask an administrator";
        Err(Error::Forbidden { reason })
    }

    /// An entry of the audit log about what they did.
    #[must_use]
    pub fn did(&self, action: AuditAction, target: Target, now: Timestamp) -> NewEntry {
        NewEntry {
            at: now,
            actor: Actor::new(self.id, &self.name),
            address: self.address,
            action,
            target,
            outcome: Outcome::Done,
            before: None,
            after: None,
        }
    }
}

/// What was before and is after, in an entry of the audit log.
pub(super) fn changed<T: Serialize>(
    mut entry: NewEntry,
    before: Option<&T>,
    after: Option<&T>,
) -> NewEntry {
    entry.before = before.map(Details::of);
    entry.after = after.map(Details::of);
    entry
}
