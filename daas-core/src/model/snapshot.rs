//! What the state of an instance is kept under.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Timestamp;
use super::text::words;

/// Fewest and most characters of a name.
const LENGTH: std::ops::RangeInclusive<usize> = 2..=40;
/// Names that mean something else where snapshots are kept.
const RESERVED: [&str; 3] = ["current", "pending", "vzdump"];

/// A text is not the name of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "must be 2 to 40 letters (a to z), digits, hyphens and underscores, a letter first, and not \
     `current`, `pending` or `vzdump`"
)]
pub struct SnapshotNameError;

/// The name of a snapshot, unique among those of an instance: 2 to 40 letters, digits, hyphens
/// and underscores, a letter first; not `current`, `pending` or `vzdump`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotName(String);

impl FromStr for SnapshotName {
    type Err = SnapshotNameError;

    fn from_str(text: &str) -> Result<Self, SnapshotNameError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_name = LENGTH.contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(plain)
            && !RESERVED.contains(&text);
        is_name
            .then(|| Self(text.to_owned()))
            .ok_or(SnapshotNameError)
    }
}

words!(SnapshotName: SnapshotNameError);

/// The state of an instance's disks at some time, to go back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub name: SnapshotName,
    /// When it was made.
    pub made_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_form() {
        for good in ["ab", "Before-update_2", &"x".repeat(40), "currents"] {
            assert!(good.parse::<SnapshotName>().is_ok(), "{good}");
        }
        let long = "x".repeat(41);
        for bad in [
            "", "a", "1a", "-a", "_a", "a b", "a/b", "a.b", "über", "a\n", &long, "current",
            "pending", "vzdump",
        ] {
            assert_eq!(bad.parse::<SnapshotName>(), Err(SnapshotNameError), "{bad}");
        }
    }
}
