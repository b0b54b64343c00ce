//! From instructions to bytes.
//!
//! Every value is written behind its own length in codepoints, so no value can end its
//! element, let alone begin another instruction (CVE-2023-30575 of guacamole-client was
//! that). What the receiver's limits refuse is refused before a byte is written.

use core::fmt;

use crate::decode::Instruction;
use crate::{Limits, codepoint};

/// Something that can be written as an instruction.
pub trait Encode {
    /// Calls `each` with every element in order, the opcode first, and stops at its
    /// first error. Has to give the same elements every time.
    ///
    /// # Errors
    /// Only those of `each`.
    fn elements<E>(&self, each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E>;
}

/// Elements as they are, the opcode first.
impl Encode for [&str] {
    fn elements<E>(&self, each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        self.iter().copied().try_for_each(each)
    }
}

/// Elements as they are, the opcode first.
impl<const N: usize> Encode for [&str; N] {
    fn elements<E>(&self, each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        self.iter().copied().try_for_each(each)
    }
}

/// A decoded instruction, element by element; who passes it on unchanged copies
/// [`Instruction::raw`] instead.
impl Encode for Instruction<'_> {
    fn elements<E>(&self, each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        Instruction::elements(self).try_for_each(each)
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn elements<E>(&self, each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        (**self).elements(each)
    }
}

/// Why an instruction was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeError {
    /// There is no opcode.
    NoElements,
    /// An element has more codepoints than
    /// [`Limits::element_codepoints`](crate::Limits::element_codepoints), or its length
    /// more digits than [`Limits::length_digits`](crate::Limits::length_digits).
    ElementTooLong {
        /// Its index; 0 is the opcode.
        element: usize,
    },
    /// There are more elements than [`Limits::elements`](crate::Limits::elements).
    TooManyElements,
    /// More bytes or UTF-16 code units than the limits allow.
    InstructionTooLong,
    /// The destination has no room for the instruction.
    NoRoom,
    /// The [`fmt::Write`] failed. It may hold a part of the instruction.
    Write,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoElements => f.write_str("instruction has no opcode"),
            Self::ElementTooLong { element } => {
                write!(f, "element {element} has too many codepoints")
            }
            Self::TooManyElements => f.write_str("instruction has too many elements"),
            Self::InstructionTooLong => f.write_str("instruction is too long"),
            Self::NoRoom => f.write_str("no room for the instruction"),
            Self::Write => f.write_str("the destination could not be written to"),
        }
    }
}

impl core::error::Error for EncodeError {}

#[cfg(feature = "std")]
impl From<EncodeError> for std::io::Error {
    /// An error of kind [`InvalidInput`](std::io::ErrorKind::InvalidInput).
    fn from(error: EncodeError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}

/// Writes instructions within the limits of whoever receives them.
///
/// ```
/// use guac_protocol::{Encoder, Limits};
///
/// let encoder = Encoder::new(Limits::GUACD);
/// let mut out = String::new();
/// encoder.encode_fmt(&["name", "Grüße; 4.exit;"], &mut out)?;
/// assert_eq!(out, "4.name,14.Grüße; 4.exit;;");
/// # Ok::<(), guac_protocol::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Encoder {
    limits: Limits,
}

impl Encoder {
    /// An encoder for a receiver with these limits.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Length of the instruction on the wire in bytes.
    ///
    /// # Errors
    /// Where the limits refuse the instruction.
    pub fn encoded_len<T: Encode + ?Sized>(&self, instruction: &T) -> Result<usize, EncodeError> {
        self.measure(instruction).map(|(_, length)| length)
    }

    #[inline]
    fn measure<T: Encode + ?Sized>(&self, instruction: &T) -> Result<(Size, usize), EncodeError> {
        let mut size = Size::default();
        instruction.elements(|element| size.add(&self.limits, element))?;
        let length = size.finish(&self.limits)?;
        Ok((size, length))
    }

    /// Appends an instruction to a vector, and answers how many bytes that took.
    ///
    /// # Errors
    /// Where the limits refuse the instruction; nothing is written then.
    #[cfg(feature = "alloc")]
    pub fn encode_vec<T: Encode + ?Sized>(
        &self,
        instruction: &T,
        out: &mut alloc::vec::Vec<u8>,
    ) -> Result<usize, EncodeError> {
        let (size, length) = self.measure(instruction)?;
        out.reserve(length);
        write_elements(instruction, &size, |bytes| {
            out.extend_from_slice(bytes.as_bytes());
            Ok(())
        })?;
        Ok(length)
    }

    /// Appends an instruction to a buffer, and answers how many bytes that took.
    ///
    /// # Errors
    /// Where the limits refuse the instruction, or the buffer has no room for all of it;
    /// nothing is written then.
    #[cfg(feature = "bytes")]
    pub fn encode_buf<T: Encode + ?Sized>(
        &self,
        instruction: &T,
        out: &mut impl bytes::BufMut,
    ) -> Result<usize, EncodeError> {
        let (size, length) = self.measure(instruction)?;
        if out.remaining_mut() < length {
            return Err(EncodeError::NoRoom);
        }
        write_elements(instruction, &size, |bytes| {
            out.put_slice(bytes.as_bytes());
            Ok(())
        })?;
        Ok(length)
    }

    /// Writes an instruction as text, and answers how many bytes that took.
    ///
    /// # Errors
    /// Where the limits refuse the instruction; nothing is written then. Or
    /// [`EncodeError::Write`], where the destination fails.
    pub fn encode_fmt<T: Encode + ?Sized>(
        &self,
        instruction: &T,
        out: &mut impl fmt::Write,
    ) -> Result<usize, EncodeError> {
        let (size, length) = self.measure(instruction)?;
        write_elements(instruction, &size, |text| {
            out.write_str(text).map_err(|_| EncodeError::Write)
        })?;
        Ok(length)
    }

    /// Writes an instruction to the start of a slice, and answers how many bytes that
    /// took.
    ///
    /// # Errors
    /// Where the limits refuse the instruction, or the slice is too short; nothing is
    /// written then.
    pub fn encode_slice<T: Encode + ?Sized>(
        &self,
        instruction: &T,
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let (size, length) = self.measure(instruction)?;
        let mut rest = out.get_mut(..length).ok_or(EncodeError::NoRoom)?;
        write_elements(instruction, &size, |text| {
            let all = core::mem::take(&mut rest);
            let (here, after) = all
                .split_at_mut_checked(text.len())
                .ok_or(EncodeError::NoRoom)?;
            here.copy_from_slice(text.as_bytes());
            rest = after;
            Ok(())
        })?;
        Ok(length)
    }
}

/// Elements whose codepoints are counted once; those after them are counted again when
/// they are written.
const KEPT: usize = 16;

/// Adds up what the limits are about.
#[derive(Default)]
struct Size {
    elements: usize,
    /// Codepoints of the first elements.
    codepoints: [usize; KEPT],
    bytes: u64,
    /// Bytes that are no unit in UTF-16, less those codepoints that are two.
    not_units: u64,
}

impl Size {
    #[inline]
    fn add(&mut self, limits: &Limits, text: &str) -> Result<(), EncodeError> {
        let codepoints = codepoint::count(text.as_bytes());
        let digits = digits(codepoints);
        if codepoints as u64 > limits.element_codepoints || digits > limits.length_digits {
            return Err(EncodeError::ElementTooLong {
                element: self.elements,
            });
        }
        if self.elements >= limits.elements {
            return Err(EncodeError::TooManyElements);
        }
        if let Some(kept) = self.codepoints.get_mut(self.elements) {
            *kept = codepoints;
        }
        self.elements += 1;
        // The length, the dot, the value, and the separator or terminator.
        self.bytes += u64::from(digits) + text.len() as u64 + 2;
        if limits.instruction_utf16_units != u64::MAX {
            let outside = text.bytes().filter(|&byte| byte >= 0xF0).count();
            self.not_units += (text.len() - codepoints - outside) as u64;
        }
        Ok(())
    }

    fn finish(&self, limits: &Limits) -> Result<usize, EncodeError> {
        if self.elements == 0 {
            return Err(EncodeError::NoElements);
        }
        let units = self.bytes - self.not_units;
        if self.bytes > limits.instruction_bytes || units > limits.instruction_utf16_units {
            return Err(EncodeError::InstructionTooLong);
        }
        usize::try_from(self.bytes).map_err(|_| EncodeError::InstructionTooLong)
    }
}

/// Decimal digits of a number.
#[inline]
fn digits(number: usize) -> u32 {
    match number {
        0..10 => 1,
        10..100 => 2,
        _ => number.ilog10() + 1,
    }
}

#[inline]
fn write_elements<T: Encode + ?Sized>(
    instruction: &T,
    size: &Size,
    mut put: impl FnMut(&str) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let mut index = 0;
    instruction.elements(|element| {
        let codepoints = match size.codepoints.get(index) {
            Some(&kept) => kept,
            None => codepoint::count(element.as_bytes()),
        };
        let mut head = Head::default();
        put(head.format(index > 0, codepoints as u64))?;
        index += 1;
        put(element)
    })?;
    put(";")
}

/// Room for what comes before a value: a separator, the length, and the dot.
#[derive(Default)]
struct Head {
    text: [u8; 22],
}

impl Head {
    #[inline]
    fn format(&mut self, separated: bool, length: u64) -> &str {
        let last = self.text.len() - 1;
        self.text[last] = b'.';
        let mut start = write_decimal(&mut self.text[..last], length);
        if separated {
            start -= 1;
            self.text[start] = b',';
        }
        core::str::from_utf8(&self.text[start..]).unwrap_or_default()
    }
}

/// Writes a number to the end of a slice that has room for it, and answers where it
/// starts.
#[inline]
fn write_decimal(room: &mut [u8], mut number: u64) -> usize {
    let mut start = room.len();
    loop {
        start -= 1;
        room[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return start;
        }
    }
}

/// Room for a number in decimal.
#[derive(Default)]
pub(crate) struct Decimal {
    digits: [u8; 20],
}

impl Decimal {
    #[inline]
    pub(crate) fn format(&mut self, number: u64) -> &str {
        let start = write_decimal(&mut self.digits, number);
        core::str::from_utf8(&self.digits[start..]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn check(elements: &[&str], expected: &str) {
        let mut text = String::new();
        let encoder = Encoder::new(Limits::GUACD);
        assert_eq!(encoder.encode_fmt(elements, &mut text), Ok(expected.len()));
        assert_eq!(text, expected);
    }

    #[test]
    fn lengths_count_codepoints() {
        check(&["nop"], "3.nop;");
        check(&[""], "0.;");
        check(&["name", "é", "世界", "👩‍👩‍👧"], "4.name,1.é,2.世界,5.👩‍👩‍👧;");
        check(&["args", "", ";,.3.nop;"], "4.args,0.,9.;,.3.nop;;");
    }

    #[test]
    fn limits_refuse() {
        let guacd = Encoder::new(Limits::GUACD);
        let java = Encoder::new(Limits::JAVA);
        let long = "a".repeat(8193);
        let too_long = Err(EncodeError::ElementTooLong { element: 1 });
        assert_eq!(guacd.encoded_len(&["blob", &long]), too_long);
        assert_eq!(guacd.encoded_len(&["blob", &long[1..]]), Ok(8205));
        let whole = Err(EncodeError::InstructionTooLong);
        assert_eq!(java.encoded_len(&["blob", &long[1..]]), whole);
        assert_eq!(guacd.encoded_len(&["a", &"🚀".repeat(8191)]), whole);
        // 4096 pairs of surrogates are 8192 units; "1.a," and "4.…;" leave less room.
        assert_eq!(java.encoded_len(&["a", &"🚀".repeat(4092)]), whole);
        assert!(java.encoded_len(&["a", &"🚀".repeat(4091)]).is_ok());
        let many = ["a"; 129];
        assert_eq!(guacd.encoded_len(&many), Err(EncodeError::TooManyElements));
        assert!(guacd.encoded_len(&many[1..]).is_ok());
        assert_eq!(
            guacd.encoded_len::<[&str]>(&[]),
            Err(EncodeError::NoElements)
        );
    }

    #[test]
    fn a_short_slice_stays_as_it_was() {
        let mut room = [7; 5];
        let encoder = Encoder::new(Limits::GUACD);
        let refused = encoder.encode_slice(&["nop"], &mut room);
        assert_eq!(refused, Err(EncodeError::NoRoom));
        assert_eq!(room, [7; 5]);
    }
}
