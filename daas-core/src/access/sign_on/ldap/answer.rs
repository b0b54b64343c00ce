//! What a directory answers (RFC 4511, section 4), as far as a log-in needs it.

use std::fmt;

use super::ber::{ENUMERATED, Elements, INTEGER, OCTETS, SEQUENCE, SET};
use super::fault::Fault;

/// Longest text of a server that is kept, in bytes.
const DIAGNOSTIC_MAX: usize = 200;

const BIND_ANSWER: u8 = 0x61;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED_ANSWER: u8 = 0x78;
const INTERMEDIATE: u8 = 0x79;

const REFERRAL: u8 = 0xA3;
const SASL_CREDENTIALS: u8 = 0x87;
const ANSWER_NAME: u8 = 0x8A;
const ANSWER_VALUE: u8 = 0x8B;

/// How an operation ended, as the server says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: u32,
    /// What the server says about it, without anything that cannot be seen.
    pub(super) diagnostic: String,
}

impl Outcome {
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const SIZE_LIMIT: u32 = 4;
    pub(super) const REFERRAL: u32 = 10;
    pub(super) const NO_SUCH_OBJECT: u32 = 32;

    pub(super) const fn is_success(&self) -> bool {
        self.code == Self::SUCCESS
    }

    /// Whether it may be another one later, without a change of the settings: operations
    /// error, time limit, administrative limit, busy, unavailable, other.
    pub(super) const fn may_pass(&self) -> bool {
        matches!(self.code, 1 | 3 | 11 | 51 | 52 | 80)
    }

    /// Whether a refused bind says that name or password is wrong, or that the account may
    /// not be used: referral (it is somebody else's), constraint violation (locked by a
    /// password policy), no such object, invalid DN syntax (a name that no DN can have),
    /// inappropriate authentication (it has no password), invalid credentials, insufficient
    /// access, unwilling to perform (locked or expired).
    pub(super) const fn means_wrong(&self) -> bool {
        matches!(self.code, 10 | 19 | 32 | 34 | 48 | 49 | 50 | 53)
    }

    const fn name(&self) -> &'static str {
        match self.code {
            0 => "success",
            1 => "operations error",
            2 => "protocol error",
            3 => "time limit exceeded",
            4 => "size limit exceeded",
            7 => "authentication method not supported",
            8 => "stronger authentication required",
            10 => "referral",
            11 => "administrative limit exceeded",
            13 => "confidentiality required",
            32 => "no such object",
            34 => "invalid DN syntax",
            48 => "inappropriate authentication",
            49 => "invalid credentials",
            50 => "insufficient access rights",
            51 => "busy",
            52 => "unavailable",
            53 => "unwilling to perform",
            _ => "refused",
        }
    }

    /// Reads what all answers begin with, but for entries and references.
    fn read(elements: &mut Elements<'_>) -> Result<Self, Fault> {
        let code = elements.expect_number(ENUMERATED)?;
        elements.expect(OCTETS)?;
        let diagnostic = readable(elements.expect(OCTETS)?);
        Ok(Self { code, diagnostic })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.code)?;
        if !self.diagnostic.is_empty() {
            write!(f, ", \"{}\"", self.diagnostic)?;
        }
        Ok(())
    }
}

/// As much of a text as may stand in a log.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..DIAGNOSTIC_MAX).unwrap_or(bytes));
    text.chars().filter(|c| !c.is_control()).collect()
}

/// An entry that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    /// Attributes with their values, as they come.
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    fn read(content: &[u8]) -> Result<Self, Fault> {
        let mut elements = Elements::new(content);
        let dn = text(elements.expect(OCTETS)?)?;
        let mut list = Elements::new(elements.expect(SEQUENCE)?);
        let mut attributes = Vec::new();
        while !list.is_empty() {
            let mut attribute = Elements::new(list.expect(SEQUENCE)?);
            let name = text(attribute.expect(OCTETS)?)?;
            let mut set = Elements::new(attribute.expect(SET)?);
            let mut values = Vec::new();
            while !set.is_empty() {
                values.push(set.expect(OCTETS)?.to_vec());
            }
            attributes.push((name, values));
        }
        Ok(Self { dn, attributes })
    }

    /// All values of an attribute. Active Directory gives long lists in parts, of which
    /// this is the first.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let wanted = self.attributes.iter().filter(move |(found, _)| {
            let (base, options) = found.split_at_checked(name.len()).unwrap_or_default();
            let in_parts = options
                .get(..7)
                .is_some_and(|o| o.eq_ignore_ascii_case(";range="));
            base.eq_ignore_ascii_case(name) && (options.is_empty() || in_parts)
        });
        wanted.flat_map(|(_, values)| values.iter().map(Vec::as_slice))
    }

    /// Those that are text.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name)
            .filter_map(|value| str::from_utf8(value).ok())
    }
}

fn text(bytes: &[u8]) -> Result<String, Fault> {
    let text = str::from_utf8(bytes).map_err(|_| Fault::Answer("a name is not UTF-8"))?;
    Ok(text.to_owned())
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Bind(Outcome),
    Entry(Entry),
    /// Somebody else may know more, who is not asked.
    Elsewhere,
    Done(Outcome),
    Extended {
        outcome: Outcome,
        value: Option<Vec<u8>>,
    },
    /// News on the way; nothing that is asked here has any.
    Intermediate,
}

impl Answer {
    /// Reads what is in a message: the id of what it answers, and the answer.
    pub(super) fn read(message: &[u8]) -> Result<(u32, Self), Fault> {
        let mut elements = Elements::new(message);
        let id = elements.expect_number(INTEGER)?;
        let (tag, content) = elements.next()?;
        let mut inner = Elements::new(content);
        let answer = match tag {
            BIND_ANSWER => Self::Bind(bind(&mut inner)?),
            SEARCH_ENTRY => Self::Entry(Entry::read(content)?),
            SEARCH_REFERENCE => Self::Elsewhere,
            SEARCH_DONE => Self::Done(Outcome::read(&mut inner)?),
            EXTENDED_ANSWER => extended(&mut inner)?,
            INTERMEDIATE => Self::Intermediate,
            _ => return Err(Fault::Answer("its kind is unknown")),
        };
        // Controls may follow; none was asked for.
        Ok((id, answer))
    }
}

fn bind(inner: &mut Elements<'_>) -> Result<Outcome, Fault> {
    let outcome = Outcome::read(inner)?;
    while !inner.is_empty() {
        let (tag, _) = inner.next()?;
        if tag != REFERRAL && tag != SASL_CREDENTIALS {
            return Err(Fault::Answer(
                "an answer to a bind has something strange in it",
            ));
        }
    }
    Ok(outcome)
}

fn extended(inner: &mut Elements<'_>) -> Result<Answer, Fault> {
    let outcome = Outcome::read(inner)?;
    let mut value = None;
    while !inner.is_empty() {
        match inner.next()? {
            (ANSWER_VALUE, content) => value = Some(content.to_vec()),
            (REFERRAL | ANSWER_NAME, _) => {}
            _ => {
                return Err(Fault::Answer(
                    "an extended answer has something strange in it",
                ));
            }
        }
    }
    Ok(Answer::Extended { outcome, value })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use proptest::prelude::*;

    use super::*;
    use crate::access::sign_on::ldap::ber::put;

    const SUCCESS: &[u8] = b"\x0A\x01\x00\x04\x00\x04\x00";
    const ENTRY: &[u8] = b"\x02\x01\x07\x64\x26\x04\x04uid=\
        \x30\x1E\x30\x0A\x04\x03uid\x31\x03\x04\x01a\
        \x30\x10\x04\x04mail\x31\x08\x04\x01b\x04\x03\xFFcd";

    fn answer(tag: u8, content: &[u8]) -> Result<Answer, Fault> {
        let mut message = vec![INTEGER, 1, 7];
        put(&mut message, tag, content);
        let (id, answer) = Answer::read(&message)?;
        assert_eq!(id, 7);
        Ok(answer)
    }

    fn outcome(code: u32, diagnostic: &str) -> Outcome {
        let diagnostic = diagnostic.to_owned();
        Outcome { code, diagnostic }
    }

    #[test]
    fn answers() {
        let success = outcome(0, "");
        assert_eq!(
            answer(BIND_ANSWER, SUCCESS).unwrap(),
            Answer::Bind(success.clone())
        );
        let with_credentials = [SUCCESS, b"\x87\x01x"].concat();
        assert_eq!(
            answer(BIND_ANSWER, &with_credentials).unwrap(),
            Answer::Bind(success.clone())
        );
        let strange = [SUCCESS, b"\x88\x01x"].concat();
        assert!(answer(BIND_ANSWER, &strange).is_err());
        let refused = answer(SEARCH_DONE, b"\x0A\x01\x31\x04\x00\x04\x04a\nb\xFF").unwrap();
        assert_eq!(refused, Answer::Done(outcome(49, "ab\u{FFFD}")));
        let value = [SUCCESS, b"\x8A\x011\x8B\x01x"].concat();
        let value = answer(EXTENDED_ANSWER, &value).unwrap();
        let expected = Answer::Extended {
            outcome: success,
            value: Some(b"x".to_vec()),
        };
        assert_eq!(value, expected);
        assert_eq!(answer(SEARCH_REFERENCE, b"").unwrap(), Answer::Elsewhere);
    }

    #[test]
    fn entries() {
        let (7, Answer::Entry(entry)) = Answer::read(ENTRY).unwrap() else {
            panic!("no entry");
        };
        assert_eq!(entry.dn, "uid=");
        assert_eq!(entry.texts("UID").collect::<Vec<_>>(), ["a"]);
        assert_eq!(entry.values("mail").count(), 2);
        assert_eq!(entry.texts("mail").collect::<Vec<_>>(), ["b"]);
        assert_eq!(entry.values("ui").count() + entry.values("uidx").count(), 0);
    }

    #[test]
    fn attributes_in_parts() {
        let list = |name: &str| Entry {
            dn: String::new(),
            attributes: vec![(name.to_owned(), vec![b"x".to_vec()])],
        };
        assert_eq!(list("memberOf;range=0-1499").values("memberof").count(), 1);
        assert_eq!(list("memberOf;lang-de").values("memberOf").count(), 0);
        assert_eq!(list("memberÖf").values("memberOf").count(), 0);
    }

    #[test]
    fn a_long_diagnostic_is_cut() {
        assert_eq!(readable(&[b'x'; 1000]).len(), DIAGNOSTIC_MAX);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = Answer::read(&bytes);
        }

        #[test]
        fn nothing_panics_near_what_is_right(place in 0..ENTRY.len(), byte: u8, end in 0..=ENTRY.len()) {
            let mut bytes = ENTRY.to_vec();
            bytes[place] = byte;
            let _ = Answer::read(&bytes[..end]);
        }
    }
}
