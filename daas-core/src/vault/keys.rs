//! The keys, and the text they are kept as.
//!
//! A line for each key, the active one first: its id, a space, and 32 bytes in base64 with
//! padding. Empty lines, and those that begin with `#`, say nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::VaultError;

const KEY: usize = 32;
/// Most keys of a file.
const KEYS_MAX: usize = 64;
/// Longest id, in characters.
const ID_MAX: usize = 16;
/// Length of a line with an id of the longest.
const LINE: usize = ID_MAX + 1 + KEY.div_ceil(3) * 4 + 1;
const ABOUT: &str = "\
    # Keys of the secrets in the database: the first one seals, the others only open.\n\
    # Without this file they are lost. Keep a copy of it, but not beside one of the database.\n";

/// A key and its name. The bytes stay where they are until they are cleared.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) bytes: Box<Zeroizing<[u8; KEY]>>,
}

/// At least one key.
pub(super) struct Keys {
    /// Seals.
    pub(super) active: Key,
    /// Only open.
    pub(super) old: Vec<Key>,
}

/// Where a text is wrong, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) reason: &'static str,
}

/// Whether a text may name a key: up to 16 small letters and digits.
pub(super) fn is_id(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=ID_MAX).contains(&text.len()) && text.bytes().all(word)
}

pub(super) fn random(bytes: &mut [u8]) -> Result<(), VaultError> {
    getrandom::fill(bytes).map_err(|error| VaultError::Random(error.into()))
}

impl Key {
    fn random() -> Result<Self, VaultError> {
        let mut id = [0; 4];
        random(&mut id)?;
        let id = format!("{:08x}", u32::from_be_bytes(id));
        let mut bytes = Box::new(Zeroizing::new([0; KEY]));
        random(bytes.as_mut_slice())?;
        Ok(Self { id, bytes })
    }

    fn parse(line: &str) -> Result<Self, &'static str> {
        let (id, text) = line.split_once(' ').ok_or("an id and a key are expected")?;
        if !is_id(id) {
            return Err("an id is 1 to 16 of a-z and 0-9");
        }
        // Room for what base64 may be, before it is known.
        let mut decoded = Zeroizing::new([0; KEY + 1]);
        let length = STANDARD.decode_slice(text, decoded.as_mut_slice());
        let length = length.map_err(|_| "a key is 32 bytes in base64")?;
        let key = decoded.get(..length).filter(|key| key.len() == KEY);
        let mut bytes = Box::new(Zeroizing::new([0; KEY]));
        bytes.copy_from_slice(key.ok_or("a key is 32 bytes in base64")?);
        let id = id.into();
        Ok(Self { id, bytes })
    }

    /// Whether it is another one than this, by name and by value.
    fn differs(&self, other: &Self) -> bool {
        self.id != other.id && *self.bytes != *other.bytes
    }

    /// Whether it is this one, by name and by value.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && *self.bytes == *other.bytes
    }
}

impl Keys {
    pub(super) fn random() -> Result<Self, VaultError> {
        let (active, old) = (Key::random()?, Vec::new());
        Ok(Self { active, old })
    }

    /// Takes what [`text`](Self::text) gives.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let mut keys = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let key = Key::parse(text).and_then(|key| joining(&keys, key));
            keys.push(key.map_err(|reason| Fault { line, reason })?);
        }
        let mut keys = keys.into_iter();
        let active = keys.next().ok_or_else(|| Fault {
            line: text.lines().count().max(1),
            reason: "there is no key",
        })?;
        let old = keys.collect();
        Ok(Self { active, old })
    }

    /// What the file holds.
    pub(super) fn text(&self) -> Zeroizing<String> {
        let length = ABOUT.len() + (1 + self.old.len()) * LINE;
        // Enough, so that no part of it is left behind by growing.
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(ABOUT);
        for key in self.all() {
            text.push_str(&key.id);
            text.push(' ');
            STANDARD.encode_string(key.bytes.as_slice(), &mut text);
            text.push('\n');
        }
        text
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.active).chain(&self.old)
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.all().find(|key| key.id == id)
    }

    /// With a new active key before these.
    pub(super) fn with_new(self) -> Result<Self, VaultError> {
        if self.old.len() + 1 == KEYS_MAX {
            return Err(VaultError::TooManyKeys);
        }
        let mut active = Key::random()?;
        while self.find(&active.id).is_some() {
            active = Key::random()?;
        }
        let mut old = self.old;
        old.insert(0, self.active);
        Ok(Self { active, old })
    }

    pub(super) fn without_old(self) -> Self {
        let (active, old) = (self.active, Vec::new());
        Self { active, old }
    }
}

/// A key that may stand behind others.
fn joining(keys: &[Key], key: Key) -> Result<Key, &'static str> {
    if keys.len() == KEYS_MAX {
        Err("there are more than 64 keys")
    } else if keys.iter().all(|other| key.differs(other)) {
        Ok(key)
    } else {
        Err("the same id or key stands further up")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn texts_lead_back() {
        let keys = Keys::random().unwrap().with_new().unwrap();
        let text = keys.text();
        let again = Keys::parse(&text).unwrap();
        assert!(again.active.is_same(&keys.active));
        assert!(keys.all().zip(again.all()).all(|(a, b)| a.is_same(b)));
        assert_eq!(again.old.len(), 1);
        assert!(text.len() <= text.capacity());
    }

    #[test]
    fn faults_are_named_by_their_line() {
        let (key, other) = ("A".repeat(43) + "=", "E".repeat(43) + "=");
        for (text, line, reason) in [
            (String::new(), 1, "there is no key"),
            ("# nothing\n\n".into(), 2, "there is no key"),
            ("one\n".into(), 1, "an id and a key are expected"),
            (format!(" {key}"), 1, "an id is 1 to 16 of a-z and 0-9"),
            (
                format!("\na {key}\nB {other}"),
                3,
                "an id is 1 to 16 of a-z and 0-9",
            ),
            ("a AAAA".into(), 1, "a key is 32 bytes in base64"),
            (format!("a {key} "), 1, "a key is 32 bytes in base64"),
            (format!("a A{key}"), 1, "a key is 32 bytes in base64"),
            (
                format!("a {}", key.replace('=', "")),
                1,
                "a key is 32 bytes in base64",
            ),
            (
                format!("a {key}\na {other}"),
                2,
                "the same id or key stands further up",
            ),
            (
                format!("a {key}\nb {key}"),
                2,
                "the same id or key stands further up",
            ),
        ] {
            let fault = Keys::parse(&text).err();
            assert_eq!(fault, Some(Fault { line, reason }), "{text}");
        }
    }

    #[test]
    fn keys_of_a_file_are_bounded() {
        let mut keys = Keys::random().unwrap();
        for _ in 1..KEYS_MAX {
            keys = keys.with_new().unwrap();
        }
        assert!(Keys::parse(&keys.text()).is_ok());
        let more = format!("{}z {}=", keys.text().as_str(), "A".repeat(43));
        let fault = Keys::parse(&more).err().unwrap();
        assert_eq!(fault.reason, "there are more than 64 keys");
        assert!(matches!(keys.with_new(), Err(VaultError::TooManyKeys)));
    }
}
