//! Who uses the system.

use serde::{Deserialize, Serialize};

use super::{Timestamp, UserId};

/// What a user may do in general.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Launches applications and uses their own instances.
    User,
    /// Sees and ends all instances, watches hosts.
    Operator,
    /// May do everything.
    Admin,
}

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The name to log in with; unique without regard to case.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Hash of the password in PHC format; never leaves the server.
    pub password_hash: String,
    /// Whether logging in is refused.
    pub disabled: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// A log-in that is still good. The cookie's value itself is nowhere kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the cookie's value.
    pub hash: [u8; 32],
    /// Who logged in.
    pub user: UserId,
    /// When.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
}
