//! Names of tasks.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A text is not the name of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the name of a task")]
pub struct ParseUpidError;

/// The name of a task: `UPID:node:pid:pstart:starttime:type:id:user:`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upid {
    text: String,
    node: String,
    kind: String,
    of: String,
}

impl Upid {
    /// As the cluster writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The node on which it runs.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// What it does, such as `qmclone`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What it does it to: for most, the number of a guest. Cloning names the template.
    #[must_use]
    pub fn of(&self) -> &str {
        &self.of
    }
}

/// Longest name that is taken, in bytes.
const UPID_MAX: usize = 512;

/// Letters, digits and hyphens, a hyphen neither first nor last; a name of a node.
pub(crate) fn is_node(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_hex(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Without what would end it elsewhere.
fn is_plain(text: &str, also_not: &[char]) -> bool {
    !text.contains(|c: char| c.is_whitespace() || c.is_control() || also_not.contains(&c))
}

impl FromStr for Upid {
    type Err = ParseUpidError;

    fn from_str(text: &str) -> Result<Self, ParseUpidError> {
        if text.len() > UPID_MAX {
            return Err(ParseUpidError);
        }
        let parts: Vec<&str> = text.split(':').collect();
        let [upid, node, pid, pstart, start, kind, of, user, end] = parts[..] else {
            return Err(ParseUpidError);
        };
        let is_one = upid == "UPID"
            && is_node(node)
            && is_hex(pid, 8..=8)
            && is_hex(pstart, 8..=9)
            && is_hex(start, 8..=8)
            && !kind.is_empty()
            && is_plain(kind, &['/'])
            && is_plain(of, &['/'])
            && !user.is_empty()
            && is_plain(user, &['/'])
            && end.is_empty();
        if !is_one {
            return Err(ParseUpidError);
        }
        Ok(Self {
            text: text.to_owned(),
            node: node.to_owned(),
            kind: kind.to_owned(),
            of: of.to_owned(),
        })
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_tasks_are_taken_apart() {
        let text = "UPID:pve-1:0000C0FE:1234ABCDE:66AABBCC:qmclone:9000:daas@pve!main:";
        let upid: Upid = text.parse().unwrap();
        assert_eq!(
            (upid.as_str(), upid.node(), upid.kind(), upid.of()),
            (text, "pve-1", "qmclone", "9000")
        );
        let without_id = "UPID:a:00000000:00000000:00000000:vncshell::root@pam:";
        assert_eq!(without_id.parse::<Upid>().unwrap().of(), "");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "OK",
            "UPID:a:00000000:00000000:00000000:qmstart:1:u@pam",
            "UPID:a:0000000:00000000:00000000:qmstart:1:u@pam:",
            "UPID:a:00000000:0000000000:00000000:qmstart:1:u@pam:",
            "UPID:a:0000000g:00000000:00000000:qmstart:1:u@pam:",
            "UPID:-a:00000000:00000000:00000000:qmstart:1:u@pam:",
            "UPID:a/b:00000000:00000000:00000000:qmstart:1:u@pam:",
            "UPID:a:00000000:00000000:00000000::1:u@pam:",
            "UPID:a:00000000:00000000:00000000:qmstart:1/..:u@pam:",
            "UPID:a:00000000:00000000:00000000:qmstart:1:u m:",
            "UPID:a:00000000:00000000:00000000:qmstart:1::",
            "UPID:a:00000000:00000000:00000000:qmstart:1:u@pam:x",
        ] {
            assert_eq!(text.parse::<Upid>(), Err(ParseUpidError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "(UPID:)?[a-z0-9:/ -]{0,120}|\\PC{0,80}") {
            if let Ok(upid) = text.parse::<Upid>() {
                prop_assert_eq!(upid.as_str(), &text);
                prop_assert!(is_node(upid.node()));
            }
        }
    }
}
