//! Whether what arrives is what was played, and how long it took.

use std::sync::Arc;

use super::guacd::last_words;
use super::script::{DIGITS, Script, Spec};
use super::{Result, now_us};

/// How the last words begin; no piece begins like that.
const LAST: &[u8] = b"3.log,";

/// Follows a script byte by byte. Bytes may come in parts of any length.
#[derive(Debug)]
pub(super) struct Check {
    script: Arc<Script>,
    spec: Spec,
    /// Whole pieces so far.
    pub(super) pieces: usize,
    /// Bytes so far.
    pub(super) bytes: u64,
    /// Bytes of the present piece so far.
    at: usize,
    time: u64,
    /// The last words, once they have begun.
    last: Option<Vec<u8>>,
}

impl Check {
    pub(super) fn new(script: Arc<Script>, spec: Spec) -> Self {
        Self {
            script,
            spec,
            pieces: 0,
            bytes: 0,
            at: 0,
            time: 0,
            last: None,
        }
    }

    /// Takes bytes, and calls `each` with the time at which each piece was sent.
    ///
    /// # Errors
    /// Where they are not what was played.
    pub(super) fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(u64)) -> Result<()> {
        while !bytes.is_empty() {
            if let Some(last) = &mut self.last {
                last.extend_from_slice(bytes);
                return Ok(());
            }
            bytes = match self.at {
                // A piece may begin with the same digit; the next byte tells.
                at if at < LAST.len() && !self.goes_on(bytes[0]) => self.end(bytes)?,
                _ => self.go_on(bytes, &mut each)?,
            };
        }
        Ok(())
    }

    fn goes_on(&self, byte: u8) -> bool {
        let piece = self.script.piece(self.spec, self.pieces);
        piece.bytes[self.at] == byte
    }

    /// The last words may share their first bytes with the piece in whose place they come.
    fn end<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8]> {
        let shared = LAST.get(..self.at).unwrap_or_default();
        if LAST.get(self.at) != Some(&bytes[0]) {
            return Err(self.differs());
        }
        self.bytes -= shared.len() as u64;
        self.last = Some(shared.to_vec());
        Ok(bytes)
    }

    fn go_on<'b>(&mut self, bytes: &'b [u8], each: &mut impl FnMut(u64)) -> Result<&'b [u8]> {
        let piece = self.script.piece(self.spec, self.pieces);
        let time = piece.time_at..piece.time_at + DIGITS;
        let until = match self.at {
            // One at a time, as the last words may come.
            at if at < LAST.len() => at + 1,
            at if at < time.start => time.start,
            at if at < time.end => time.end,
            _ => piece.bytes.len(),
        };
        let length = bytes.len().min(until - self.at);
        let (part, rest) = bytes.split_at(length);
        if time.contains(&self.at) {
            let time = later_digits(self.time, part);
            self.time = time.ok_or_else(|| self.differs())?;
        } else if part != &piece.bytes[self.at..self.at + length] {
            return Err(self.differs());
        }
        self.at += length;
        self.bytes += length as u64;
        if self.at == piece.bytes.len() {
            each(std::mem::take(&mut self.time));
            (self.at, self.pieces) = (0, self.pieces + 1);
        }
        Ok(rest)
    }

    fn differs(&self) -> super::Error {
        let (piece, byte) = (self.pieces, self.at);
        format!("not what was played: piece {piece}, byte {byte}").into()
    }

    /// Whether all that was played has come, by the last words.
    pub(super) fn is_complete(&self) -> bool {
        let words = last_words(self.pieces, self.bytes);
        // Without `disconnect`, which a server may say in words of its own.
        let log = words.len() - b"10.disconnect;".len();
        let last = self.last.as_deref().unwrap_or_default();
        self.at < LAST.len() && last.starts_with(&words[..log])
    }
}

/// A number with more digits behind it.
fn later_digits(number: u64, digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(number, |number, digit| {
        let value = u64::from(digit.wrapping_sub(b'0'));
        (value < 10).then_some(number * 10 + value)
    })
}

/// Microseconds since a piece was sent.
pub(super) fn latency_us(sent_us: u64) -> u32 {
    u32::try_from(now_us().saturating_sub(sent_us)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::io::Write as _;

    use super::super::script::{Kind, Library};
    use super::*;

    fn check() -> Check {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        // The second piece begins with `3.`, as the last words do.
        file.write_all(b"4.size,1.0,1.1,1.1;4.sync,1.1;3.png,1.a;")
            .unwrap();
        let script = Library::read(file.path()).unwrap().script(Kind::Busy);
        let spec = "busy-0-1".parse().unwrap();
        Check::new(script, spec)
    }

    const FIRST: &[u8] = b"4.size,1.0,1.1,1.1;4.sync,16.0000000000000012;";
    const SECOND: &[u8] = b"3.png,1.a;4.sync,16.0000000000000034;";

    #[test]
    fn what_was_played_is_recognised_however_it_is_cut() {
        let mut played = [FIRST, SECOND, FIRST].concat();
        played.extend(last_words(3, (2 * FIRST.len() + SECOND.len()) as u64));
        for size in 1..played.len() {
            let (mut check, mut times) = (check(), Vec::new());
            for part in played.chunks(size) {
                check.take(part, |time| times.push(time)).unwrap();
            }
            assert!(check.is_complete(), "{size}");
            assert_eq!(times, [12, 34, 12]);
        }
    }

    #[test]
    fn what_is_missing_or_changed_is_noticed() {
        let mut check = self::check();
        check.take(FIRST, |_| {}).unwrap();
        assert!(!check.is_complete());
        check.take(&last_words(1, 0), |_| {}).unwrap();
        assert!(!check.is_complete());
        let whole = [FIRST, SECOND].concat();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x40;
            assert!(self::check().take(&changed, |_| {}).is_err(), "{at}");
        }
    }

    #[test]
    fn last_words_in_place_of_a_piece_that_begins_alike() {
        let mut check = self::check();
        check.take(FIRST, |_| {}).unwrap();
        check
            .take(&last_words(1, FIRST.len() as u64), |_| {})
            .unwrap();
        assert!(check.is_complete());
    }
}
