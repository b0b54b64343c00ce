//! Names and ids of bounded length.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest label, in bytes.
const MAX: usize = 256;
/// Stands at the end of what was cut.
const CUT: char = '…';

/// A text is too long for a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("longer than {MAX} bytes")]
pub struct TooLong;

/// A name or an id in the log: at most 256 bytes, whatever somebody typed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// A text, or as much of it as there is room for, with `…` at the end.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.len() <= MAX {
            return Self(text.to_owned());
        }
        let end = text.floor_char_boundary(MAX - CUT.len_utf8());
        let kept = text.get(..end).unwrap_or_default();
        Self(format!("{kept}{CUT}"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// For what was kept: a text that would have to be cut was not written by us.
impl TryFrom<String> for Label {
    type Error = TooLong;

    fn try_from(text: String) -> Result<Self, TooLong> {
        (text.len() <= MAX).then_some(Self(text)).ok_or(TooLong)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_cut_between_characters() {
        for (text, expected) in [
            (String::new(), String::new()),
            ("x".repeat(256), "x".repeat(256)),
            ("x".repeat(257), "x".repeat(253) + "…"),
            ("ä".repeat(129), "ä".repeat(126) + "…"),
            ("😀".repeat(65), "😀".repeat(63) + "…"),
        ] {
            let label = Label::new(&text);
            assert_eq!(label.as_str(), expected);
            assert_eq!(Label::try_from(expected), Ok(label));
        }
        assert_eq!(Label::try_from("x".repeat(257)), Err(TooLong));
    }
}
