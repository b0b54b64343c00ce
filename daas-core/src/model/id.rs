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

fn random() -> Uuid {
    #[cfg(feature = "simulation")]
    {
        let mut bytes = [0; 16];
        if crate::simulation::fill(&mut bytes) {
            return uuid::Builder::from_random_bytes(bytes).into_uuid();
        }
    }
    Uuid::new_v4()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// A new one, random and so never given twice.
            #[must_use]
            pub fn random() -> Self {
                Self(random())
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

        /// In JSON an id has the one form that it has elsewhere.
        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn an_id_has_one_form() {
        let id = UserId::random();
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(text, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<UserId>(&text).unwrap(), id);
        let plain = id.to_string();
        for other in [
            plain.to_uppercase(),
            plain.replace('-', ""),
            format!("{{{plain}}}"),
            format!("urn:uuid:{plain}"),
            String::new(),
        ] {
            assert_eq!(other.parse::<UserId>(), Err(ParseIdError), "{other}");
            assert!(serde_json::from_value::<UserId>(other.into()).is_err());
        }
    }
}
