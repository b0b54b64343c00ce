//! Who uses the system.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{GroupId, SessionId, Timestamp, TokenId, UserId};

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

/// Who vouches for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// This system, by a password.
    Local,
    /// An OpenID provider.
    Oidc,
    /// A directory.
    Ldap,
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
    /// Hash of the password in PHC format; never leaves the server. Empty where there is
    /// none.
    pub password_hash: String,
    /// Whether logging in is refused.
    pub disabled: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// Who vouches for them.
    pub source: Source,
    /// Where somebody else vouches for them: which provider, and what it calls them.
    pub external: Option<External>,
    /// Whether a code of an authenticator is asked for beside the password.
    pub totp_enabled: bool,
    /// When they last logged in.
    pub last_login_at: Option<Timestamp>,
    /// Grows by one with each change of the row; who read an older one must not write.
    pub revision: i64,
}

impl User {
    /// Somebody new, who can log in with a password once there is its hash.
    #[must_use]
    pub fn new(name: &str, role: Role, password_hash: String, now: Timestamp) -> Self {
        Self {
            id: UserId::random(),
            name: name.to_owned(),
            role,
            password_hash,
            disabled: false,
            created_at: now,
            source: Source::Local,
            external: None,
            totp_enabled: false,
            last_login_at: None,
            revision: 0,
        }
    }
}

/// Somebody as another place knows them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct External {
    /// Which place: `ldap`, or the id of an OpenID provider.
    pub provider: String,
    /// What that place calls them and nobody else, for ever.
    pub subject: String,
}

/// A log-in that is still good. The cookie's value itself is nowhere kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the cookie's value.
    pub hash: [u8; 32],
    /// Names it to people; opens nothing.
    pub id: SessionId,
    /// Who logged in.
    pub user: UserId,
    /// When.
    pub created_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
    /// From where.
    pub address: String,
    /// With which program, as it calls itself.
    pub user_agent: String,
    /// By which OpenID provider, if by one.
    pub provider: Option<String>,
}

/// Several people, for rules and quotas. Groups are in no other groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name; unique without regard to case.
    pub name: String,
    /// One line about it.
    pub description: String,
    /// Groups of directories and OpenID providers whose members are in it.
    pub external: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What lets a program in, in the name of somebody. The token's value itself is nowhere
/// kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// SHA-256 of its value.
    pub hash: [u8; 32],
    /// In whose name.
    pub user: UserId,
    /// What it is for, in the words of its owner.
    pub name: String,
    /// What it is good for, as far as its owner may do that.
    pub scopes: Vec<super::Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// Longest name of users, groups, tokens in characters.
pub const NAME_MAX: usize = 100;

/// A text cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing to see in it.
    #[error("must not be empty")]
    Empty,
    /// Too long.
    #[error("must have at most {NAME_MAX} characters")]
    TooLong,
    /// It begins or ends with a space.
    #[error("must not begin or end with a space")]
    Space,
    /// There is something in it that cannot be seen.
    #[error("must not have control characters in it")]
    Control,
}

/// Whether a text can be the name of a user, group or token: 1 to 100 characters that can
/// be seen.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Empty);
    }
    if name.trim().len() != name.len() {
        return Err(NameError::Space);
    }
    if name.chars().count() > NAME_MAX {
        return Err(NameError::TooLong);
    }
    if name.chars().any(is_hidden) {
        return Err(NameError::Control);
    }
    Ok(())
}

/// Control characters, and those that turn the direction of a text or have no width: one
/// name must not look like another.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "Zoë Müller", "世界", "<b>", &"x".repeat(NAME_MAX)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for (bad, error) in [
            ("", NameError::Empty),
            (" ", NameError::Empty),
            (" a", NameError::Space),
            ("a\n", NameError::Space),
            ("a\tb", NameError::Control),
            ("a\u{202E}b", NameError::Control),
            (&"ä".repeat(NAME_MAX + 1), NameError::TooLong),
        ] {
            assert_eq!(check_name(bad), Err(error), "{bad:?}");
        }
    }
}
