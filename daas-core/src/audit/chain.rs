//! The chain of hashes that shows whether the log was changed afterwards.
//!
//! `hash(n) = SHA-256("daas audit v1\n" ‖ hash(n-1) ‖ canonical bytes of entry n)`, and
//! [`GENESIS`] before the first. The first two parts have a fixed length, so that nothing of
//! them can be taken for another.
//!
//! # What it shows, and what not
//! A changed, removed, added or moved entry breaks the chain at that place, if whoever did
//! it left the later hashes as they are. Nothing in it is secret: who may write to the
//! database can compute all hashes again from there on, or remove the newest entries, and
//! the chain is whole. Both are seen only by somebody who noted a hash elsewhere before, and
//! gives it as the [expected head](Verifier::expecting). **Without one, a log that was cut
//! at its end cannot be told from one that was not.**

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::Entry;

/// Stands before the first entry, and is the head of an empty log.
pub const GENESIS: [u8; 32] = [0; 32];
/// The place of the first entry.
pub const FIRST: u64 = 1;
const DOMAIN: &[u8] = b"daas audit v1\n";

/// The hash of an entry, given that of the entry before it.
#[must_use]
pub fn next(previous: &[u8; 32], entry: &Entry) -> [u8; 32] {
    next_of(previous, &entry.canonical())
}

fn next_of(previous: &[u8; 32], canonical: &str) -> [u8; 32] {
    let hash = Sha256::new().chain_update(DOMAIN).chain_update(previous);
    hash.chain_update(canonical).finalize().into()
}

/// A hash as 64 small hexadecimal digits.
#[must_use]
pub fn hex(hash: &[u8; 32]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}

/// The hash that was written so; capital letters are fine.
#[must_use]
pub fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.chars().map(|char| char.to_digit(16));
    let digits = digits.collect::<Option<Vec<_>>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high << 4 | low).ok();
    let bytes = pairs.iter().map(byte).collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some(bytes)?.try_into().ok()
}

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is not there: a later one follows.
    Missing,
    /// It comes again, or after one that should follow it.
    OutOfOrder,
    /// It, or its hash, is not what was written.
    Wrong,
    /// All that is there is right, but the expected head is not among it: entries are
    /// missing from here on, or the whole log was written again.
    HeadMissing,
}

/// The first place where a log is not right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("entry {seq} {}; {checked} before it are right", match fault {
    Fault::Missing => "is missing",
    Fault::OutOfOrder => "is out of order",
    Fault::Wrong => "is not what was written",
    Fault::HeadMissing => "is missing, or all was written again: the expected head is not there",
})]
pub struct Broken {
    /// The place of the entry.
    pub seq: u64,
    /// How many were right before it.
    pub checked: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// A log that is right as far as can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries were checked.
    pub checked: u64,
    /// The place of the last one; that before the first where there was none.
    pub seq: u64,
    /// The hash of the last one, to be noted elsewhere.
    pub head: [u8; 32],
    /// The place of the entry with the expected head. `None` says that none was expected,
    /// so that nothing is known about the end of the log.
    pub expected_at: Option<u64>,
}

/// Takes entries one after the other, the oldest first.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// The last that was right.
    seq: u64,
    head: [u8; 32],
    checked: u64,
    expected: Option<[u8; 32]>,
    expected_at: Option<u64>,
    broken: Option<Broken>,
}

impl Default for Verifier {
    fn default() -> Self {
        Self::new()
    }
}

impl Verifier {
    /// For a log from its first entry on.
    #[must_use]
    pub const fn new() -> Self {
        Self::after(FIRST - 1, GENESIS)
    }

    /// For a log from the entry on that follows a known one.
    #[must_use]
    pub const fn after(seq: u64, hash: [u8; 32]) -> Self {
        Self {
            seq,
            head: hash,
            checked: 0,
            expected: None,
            expected_at: None,
            broken: None,
        }
    }

    /// Wants a hash to be there that was noted before. It need not be the newest: the log
    /// may have grown since.
    #[must_use]
    pub fn expecting(mut self, head: [u8; 32]) -> Self {
        self.expected = Some(head);
        self.look_for_expected();
        self
    }

    /// Checks the next entry and the hash that was kept with it.
    ///
    /// # Errors
    /// The first fault; and the same one for whatever comes after it.
    pub fn check(&mut self, entry: &Entry, hash: &[u8; 32]) -> Result<(), Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        // Behind the last possible one there is nothing: it cannot come again.
        let seq = self.seq.saturating_add(1);
        if entry.seq > seq {
            return self.breaks(seq, Fault::Missing);
        }
        if entry.seq <= self.seq {
            return self.breaks(entry.seq, Fault::OutOfOrder);
        }
        if next(&self.head, entry) != *hash {
            return self.breaks(seq, Fault::Wrong);
        }
        (self.seq, self.head) = (seq, *hash);
        self.checked += 1;
        self.look_for_expected();
        Ok(())
    }

    /// After the last entry.
    ///
    /// # Errors
    /// The first fault, or that the expected head was not there.
    pub fn finish(mut self) -> Result<Verified, Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        if self.expected.is_some() && self.expected_at.is_none() {
            self.breaks(self.seq.saturating_add(1), Fault::HeadMissing)?;
        }
        Ok(Verified {
            checked: self.checked,
            seq: self.seq,
            head: self.head,
            expected_at: self.expected_at,
        })
    }

    fn look_for_expected(&mut self) {
        if self.expected == Some(self.head) {
            self.expected_at = Some(self.seq);
        }
    }

    fn breaks(&mut self, seq: u64, fault: Fault) -> Result<(), Broken> {
        let checked = self.checked;
        let broken = Broken {
            seq,
            checked,
            fault,
        };
        self.broken = Some(broken);
        Err(broken)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn hashes_as_texts_lead_back() {
        let hash = std::array::from_fn(|at| u8::try_from(at * 8 + 7).unwrap());
        let text = hex(&hash);
        assert!(text.starts_with("070f171f27"), "{text}");
        assert_eq!(parse_hex(&text), Some(hash));
        assert_eq!(parse_hex(&text.to_uppercase()), Some(hash));
        for wrong in ["", &text[1..], &text[2..], &format!("{text}00"), "ä"] {
            assert_eq!(parse_hex(wrong), None, "{wrong}");
        }
        assert_eq!(parse_hex(&"+f".repeat(32)), None);
    }
}
