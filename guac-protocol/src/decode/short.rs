//! The quick parser: instructions of ASCII that end within the block they start in.
//!
//! A serial parser learns only from one length where the next one stands, and guesses
//! wrong wherever the number of digits changes. Here the separators of a whole block
//! are found at once, and each guessed element is then checked by itself, so that
//! nothing waits. A `,` or `;` inside a value fails the check, and the careful parser
//! takes over.

use core::ops::Range;

use crate::kernel::BLOCK;
use crate::{Limits, Opcode};

/// Whether no limit can be passed within a block: then none is checked.
pub(crate) const fn allowed(limits: &Limits) -> bool {
    let most = BLOCK as u64;
    limits.length_digits >= 2
        && limits.element_codepoints >= most
        && limits.elements >= BLOCK
        && limits.instruction_bytes >= most
        && limits.instruction_utf16_units >= most
}

/// One instruction of a run.
pub(crate) struct Part {
    /// Its bytes in the block.
    pub(crate) bytes: Range<usize>,
    /// Its elements among those of the run.
    pub(crate) elements: Range<usize>,
}

/// The instructions of a run.
pub(crate) struct Parts {
    ends: u64,
    terminators: u64,
    start: usize,
    first: usize,
}

impl Parts {
    #[inline(always)]
    pub(crate) fn new(ends: u64, terminators: u64) -> Self {
        Self {
            ends,
            terminators,
            start: 0,
            first: 0,
        }
    }

    /// The first of at least one.
    #[inline(always)]
    pub(crate) fn first(ends: u64, terminators: u64) -> Part {
        let within = terminators ^ terminators.wrapping_sub(1);
        Part {
            bytes: 0..terminators.trailing_zeros() as usize + 1,
            elements: 0..(ends & within).count_ones() as usize,
        }
    }
}

impl Iterator for Parts {
    type Item = Part;

    #[inline(always)]
    fn next(&mut self) -> Option<Part> {
        if self.terminators == 0 {
            return None;
        }
        let within = self.terminators ^ self.terminators.wrapping_sub(1);
        let part = Part {
            bytes: self.start..self.terminators.trailing_zeros() as usize + 1,
            elements: self.first..self.first + (self.ends & within).count_ones() as usize,
        };
        self.ends &= !within;
        self.terminators &= !within;
        self.start = part.bytes.end;
        self.first = part.elements.end;
        Some(part)
    }
}

/// Opcode of the instruction that starts at an offset of a block.
#[inline(always)]
pub(crate) fn opcode(bytes: &[u8; BLOCK], part: &Part, ends: u64) -> Opcode {
    let start = part.bytes.start;
    let digits = if bytes[(start + 1) % BLOCK] == b'.' {
        1
    } else {
        2
    };
    let end = (ends & (u64::MAX << (start % BLOCK))).trailing_zeros() as usize;
    Opcode::from_range(bytes, start + digits + 1, end)
}
