//! Where instances run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text is neither the name of a host nor a label of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected up to 32 lower-case letters, digits and hyphens, a letter first")]
pub struct HostNameError;

/// Name of a host: an engine for containers, or a node of a cluster. Up to 32 lower-case
/// letters, digits and hyphens, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl HostName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        narrow(text).map(Self)
    }
}

impl TryFrom<String> for HostName {
    type Error = HostNameError;

    fn try_from(text: String) -> Result<Self, HostNameError> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn narrow(text: &str) -> Result<String, HostNameError> {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let first = text.starts_with(|c: char| c.is_ascii_lowercase());
    if first && text.bytes().all(inside) && text.len() <= 32 {
        Ok(text.to_owned())
    } else {
        Err(HostNameError)
    }
}

/// What a host has that not all have, such as `gpu`; applications may ask for it. Written as
/// names of hosts are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        narrow(text).map(Self)
    }
}

impl TryFrom<String> for Label {
    type Error = HostNameError;

    fn try_from(text: String) -> Result<Self, HostNameError> {
        text.parse()
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
    fn names_are_narrow() {
        for text in ["docker", "a", "lab-1f"] {
            assert!(text.parse::<HostName>().is_ok(), "{text}");
            assert!(text.parse::<Label>().is_ok(), "{text}");
        }
        for text in ["", "-a", "1a", "A", "a_b", "a/b", "é", &"a".repeat(33)] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
            assert!(text.parse::<Label>().is_err(), "{text}");
        }
    }
}
