//! Where instances run.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::text::words;

/// A text is neither the name of a host nor a label of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected up to 32 lower-case letters, digits and hyphens, a letter first")]
pub struct HostNameError;

/// Name of a host: an engine for containers, or a node of a cluster. Up to 32 lower-case
/// letters, digits and hyphens, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        narrow(text).map(Self)
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

impl FromStr for Label {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        narrow(text).map(Self)
    }
}

words!(HostName: HostNameError, Label: HostNameError);

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
