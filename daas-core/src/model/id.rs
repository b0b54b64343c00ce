//! Ids: random UUIDs, each of a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// A text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an id")]
pub struct ParseIdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one, random and so never given twice.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            /// Takes the hyphenated form only.
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let id = Uuid::try_parse(text).map_err(|_| ParseIdError)?;
                let mut canonical = Uuid::encode_buffer();
                let same = id.hyphenated().encode_lower(&mut canonical) == text;
                same.then_some(Self(id)).ok_or(ParseIdError)
            }
        }
    )*};
}

ids! {
    /// Of a user.
    UserId,
    /// Of a group of users.
    GroupId,
    /// Of a session, to name it; it opens nothing.
    SessionId,
    /// Of a token for programs, to name it; it opens nothing.
    TokenId,
    /// Of an application in the catalogue.
    AppId,
    /// Of an instance: a desktop or application that somebody launched.
    InstanceId,
}
