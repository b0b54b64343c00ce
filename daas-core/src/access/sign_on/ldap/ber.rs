//! The part of BER that LDAP uses (RFC 4511, section 5.1): tags of one byte, definite
//! lengths.
//!
//! It only knows elements, one level at a time: nothing here calls itself, so that no answer
//! of a server can exhaust the stack by nesting.

use super::fault::Fault;

/// Most bytes of a length: four say up to 4 GiB, far more than is ever taken.
const LENGTH_BYTES_MAX: usize = 4;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0A;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Appends an element.
pub(super) fn put(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    put_length(out, content.len());
    out.extend_from_slice(content);
}

/// Appends an element whose content is written by a function.
pub(super) fn put_with(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let mut content = Vec::new();
    write(&mut content);
    put(out, tag, &content);
}

/// Appends an `INTEGER` or `ENUMERATED` that is not negative.
pub(super) fn put_number(out: &mut Vec<u8>, tag: u8, number: u32) {
    let bytes = u64::from(number).to_be_bytes();
    // Without the zeros in front, but with one where the number would look negative.
    let mut rest = &bytes[..];
    while let [0, tail @ ..] = rest
        && tail.first().is_some_and(|next| next & 0x80 == 0)
    {
        rest = tail;
    }
    put(out, tag, rest);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let rest = bytes.get(zeros..).unwrap_or_default();
            // At most eight bytes, by the size of the number.
            out.push(0x80 | u8::try_from(rest.len()).unwrap_or_default());
            out.extend_from_slice(rest);
        }
    }
}

/// Reads a length from its first byte and those that follow; how many follow is told by
/// [`length_bytes`].
pub(super) fn length(first: u8, rest: &[u8]) -> usize {
    if first < 0x80 {
        return usize::from(first);
    }
    rest.iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte))
}

/// How many bytes of a length follow its first one.
pub(super) fn length_bytes(first: u8) -> Result<usize, Fault> {
    match usize::from(first & 0x7F) {
        _ if first < 0x80 => Ok(0),
        0 => Err(Fault::Answer("a length is not definite")),
        many if many > LENGTH_BYTES_MAX => Err(Fault::Answer("a length is too long")),
        many => Ok(many),
    }
}

/// Reads elements, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let taken = self.0.split_at_checked(count);
        let (taken, rest) = taken.ok_or(Fault::Answer("an element is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let one = self.take(1)?;
        Ok(one.iter().copied().sum())
    }

    /// The next element: its tag, and what is in it.
    pub(super) fn next(&mut self) -> Result<(u8, &'a [u8]), Fault> {
        let tag = self.byte()?;
        if tag & 0x1F == 0x1F {
            return Err(Fault::Answer("a tag is too long"));
        }
        let first = self.byte()?;
        let rest = self.take(length_bytes(first)?)?;
        Ok((tag, self.take(length(first, rest))?))
    }

    /// What is in the next element, which has to have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], Fault> {
        match self.next()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(Fault::Answer("an element is another than it has to be")),
        }
    }

    /// The next element as a number, which has to have this tag.
    pub(super) fn expect_number(&mut self, tag: u8) -> Result<u32, Fault> {
        let bytes = self.expect(tag)?;
        let wrong = Fault::Answer("a number is out of range");
        match bytes {
            [first, ..] if bytes.len() <= 5 && first & 0x80 == 0 => {
                let number = bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
                u32::try_from(number).map_err(|_| wrong)
            }
            _ => Err(wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers() {
        let check = |number, bytes: &[u8]| {
            let mut out = Vec::new();
            put_number(&mut out, INTEGER, number);
            assert_eq!(out, bytes, "{number}");
        };
        check(0, &[2, 1, 0]);
        check(127, &[2, 1, 127]);
        check(128, &[2, 2, 0, 128]);
        check(256, &[2, 2, 1, 0]);
        check(u32::MAX, &[2, 5, 0, 255, 255, 255, 255]);
    }

    #[test]
    fn lengths() {
        for length in [0, 1, 127, 128, 255, 256, 65535, 65536] {
            let mut out = Vec::new();
            put(&mut out, OCTETS, &vec![7; length]);
            let mut elements = Elements::new(&out);
            assert_eq!(elements.expect(OCTETS).unwrap().len(), length);
            assert!(elements.is_empty());
        }
    }

    #[test]
    fn what_is_refused() {
        for bytes in [
            &[][..],
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x85, 0, 0, 0, 0, 0],
            &[4, 0x84, 255, 255, 255, 255, 0],
            &[0x1F, 1, 0],
            &[5, 0],
        ] {
            assert!(Elements::new(bytes).expect(OCTETS).is_err(), "{bytes:?}");
        }
        for bytes in [
            &[2, 0][..],
            &[2, 1, 0x80],
            &[2, 5, 1, 0, 0, 0, 0],
            &[2, 6, 0, 0, 0, 0, 0, 1],
        ] {
            assert!(
                Elements::new(bytes).expect_number(INTEGER).is_err(),
                "{bytes:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_it_was_written(number: u32) {
            let mut out = Vec::new();
            put_number(&mut out, ENUMERATED, number);
            prop_assert_eq!(Elements::new(&out).expect_number(ENUMERATED).unwrap(), number);
        }

        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let mut elements = Elements::new(&bytes);
            while let Ok((_, content)) = elements.next() {
                prop_assert!(content.len() < bytes.len());
            }
        }
    }
}
