//! A position in a buffer whose bytes so far are known to be UTF-8.

use super::Kernel;

/// Walks over a buffer and remembers, as an invariant, that `bytes[base..position]` is
/// valid UTF-8. Only the methods here move the position.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    base: usize,
    position: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at `position`; nothing is known of the bytes before it.
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8], position: usize) -> Self {
        let position = position.min(bytes.len());
        Self {
            bytes,
            base: position,
            position,
        }
    }

    #[inline(always)]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The bytes ahead.
    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    /// Steps over the next byte if it is `byte`, which must be ASCII.
    #[inline(always)]
    pub(crate) fn step_over(&mut self, byte: u8) -> bool {
        let is = byte.is_ascii() && self.peek() == Some(byte);
        self.position += usize::from(is);
        is
    }

    /// Steps over `n` codepoints if they are there whole, valid and followed by the
    /// first byte of another; else stays. `false` says only that the careful path
    /// ([`step_carefully`](Self::step_carefully)) must tell.
    #[inline(always)]
    pub(crate) fn step_codepoints<K: Kernel>(&mut self, kernel: K, n: usize) -> bool {
        if self.step_short(n) {
            return true;
        }
        match kernel.advance(self.rest(), n) {
            Some(length) => {
                self.position += length;
                true
            }
            None => false,
        }
    }

    /// The same for what most elements are: a few bytes, all of them ASCII, in two words.
    #[inline(always)]
    fn step_short(&mut self, n: usize) -> bool {
        let Some(head) = self.rest().first_chunk::<16>() else {
            return false;
        };
        // The byte after them as well: it is the first one of a codepoint.
        let not_ascii = u128::from_le_bytes(*head) & (u128::MAX / 0xFF * 0x80);
        let length = if not_ascii == 0 {
            head.len()
        } else {
            not_ascii.trailing_zeros() as usize / 8
        };
        let is = n < length;
        self.position += if is { n } else { 0 };
        is
    }

    /// Steps over up to `n` valid codepoints, as far as they are there whole. Answers
    /// how many, and whether what follows them is invalid.
    pub(crate) fn step_carefully<K: Kernel>(&mut self, kernel: K, n: usize) -> (usize, bool) {
        // No codepoint has more than four bytes: the rest belongs to others.
        let window = self.rest();
        let window = &window[..window.len().min(n.saturating_mul(4))];
        let (valid, broken) = valid_prefix(kernel, window);
        match super::offset_of_nth(kernel, &window[..valid], n) {
            Ok(length) => {
                self.position += length;
                (n, false)
            }
            Err(found) => {
                self.position += valid;
                (found, broken && found < n)
            }
        }
    }

    /// Everything before the position, where it is all known to be UTF-8.
    #[inline(always)]
    pub(crate) fn as_str(&self) -> Option<&'a str> {
        if self.base != 0 {
            return None;
        }
        // SAFETY: the invariant of the type. It holds with no bytes; `step_over` adds an
        // ASCII byte; `step_codepoints` adds what `Kernel::advance` found valid or is ASCII, and
        // `step_carefully` what `valid_prefix` did, cut before the first byte of one.
        Some(unsafe { core::str::from_utf8_unchecked(&self.bytes[..self.position]) })
    }
}

/// Length of the valid UTF-8 in front, and whether what follows is invalid and not just
/// cut short by the end.
fn valid_prefix<K: Kernel>(kernel: K, bytes: &[u8]) -> (usize, bool) {
    let whole = bytes.len() - cut_sequence(bytes);
    if kernel.is_utf8(&bytes[..whole]) {
        return (whole, false);
    }
    match core::str::from_utf8(bytes) {
        Ok(text) => (text.len(), false),
        Err(error) => (error.valid_up_to(), error.error_len().is_some()),
    }
}

/// Length of a sequence at the end that lacks continuation bytes and is right so far.
fn cut_sequence(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len() - bytes.len().min(3)..];
    let lead = tail.iter().rposition(|&byte| super::scalar::is_lead(byte));
    let Some(sequence) = lead.and_then(|at| tail.get(at..)) else {
        return 0;
    };
    match core::str::from_utf8(sequence) {
        Err(error) if error.error_len().is_none() => sequence.len(),
        _ => 0,
    }
}

/// The bytes as text, if they are UTF-8.
#[inline(always)]
pub(crate) fn text<K: Kernel>(kernel: K, bytes: &[u8]) -> Option<&str> {
    // SAFETY: the kernel found the bytes to be valid UTF-8.
    kernel
        .is_utf8(bytes)
        .then(|| unsafe { core::str::from_utf8_unchecked(bytes) })
}
