//! A decoded instruction.

use core::fmt;
use core::iter::FusedIterator;

use super::progress::Values;
use super::short::Part;
use crate::Opcode;
use crate::kernel::{Fields, Kept, Places};

impl Values for Places {
    #[inline(always)]
    fn value(&mut self, start: usize, end: usize) {
        self.push(start, end);
    }
}

/// A whole, valid instruction, borrowed from the buffer that holds it.
///
/// Element 0 is the opcode; arguments follow.
#[derive(Clone, Copy)]
pub struct Instruction<'a> {
    /// The text of a run of instructions, of which this is one.
    fields: Fields<'a>,
    bytes: (usize, usize),
    /// Index of the opcode among the elements of the run.
    first: usize,
    count: usize,
}

impl<'a> Instruction<'a> {
    /// The only instruction of a text.
    #[inline(always)]
    pub(super) fn whole(fields: Fields<'a>, count: usize) -> Self {
        Self {
            fields,
            bytes: (0, fields.text().len()),
            first: 0,
            count,
        }
    }

    /// One instruction of a run.
    #[inline(always)]
    pub(super) fn part(fields: Fields<'a>, part: &Part) -> Self {
        Self {
            fields,
            bytes: (part.bytes.start, part.bytes.end),
            first: part.elements.start,
            count: part.elements.len(),
        }
    }

    /// The opcode as an enum.
    #[inline]
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        let run = self.fields.text().as_bytes();
        match (self.fields.start(self.first), self.fields.end(self.first)) {
            (Some(start), Some(end)) => Opcode::from_range(run, start, end),
            _ => Opcode::from(self.opcode_str()),
        }
    }

    /// The opcode as it stands in the instruction.
    #[inline]
    #[must_use]
    pub fn opcode_str(&self) -> &'a str {
        self.get(0).unwrap_or_default()
    }

    /// Number of elements, the opcode included; at least one.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Never true: an instruction has at least an opcode.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Value of the element at an index. Takes constant time for the first 128; those
    /// after them, which only limits beyond guacd's let in, are searched for.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a str> {
        if index >= self.count {
            return None;
        }
        match self.fields.get(self.first + index) {
            Some(value) => Some(value),
            None => self.elements().nth(index),
        }
    }

    /// Offset in [`raw`](Self::raw) of the byte after an element, where its place is
    /// kept.
    #[cfg(feature = "bytes")]
    pub(crate) fn end(&self, index: usize) -> Option<usize> {
        let end = self.fields.end(self.first + index)?;
        (index < self.count).then_some(end - self.bytes.0)
    }

    /// Values of all elements, the opcode first.
    #[inline]
    #[must_use]
    pub fn elements(&self) -> Elements<'a> {
        Elements::new(self.fields, self.first, self.count)
    }

    /// Values of the arguments: all elements but the opcode.
    #[inline]
    #[must_use]
    pub fn args(&self) -> Elements<'a> {
        let mut elements = self.elements();
        elements.next();
        elements
    }

    /// The instruction as it stands on the wire, from its first digit to the `;`.
    #[inline]
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw_str().as_bytes()
    }

    /// [`raw`](Self::raw) as text.
    #[inline]
    #[must_use]
    pub fn raw_str(&self) -> &'a str {
        let (start, end) = self.bytes;
        self.fields.text().get(start..end).unwrap_or_default()
    }
}

impl fmt::Debug for Instruction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.elements()).finish()
    }
}

impl PartialEq for Instruction<'_> {
    /// Equal on the wire, which is the same as equal elements: each instruction has
    /// exactly one spelling.
    fn eq(&self, other: &Self) -> bool {
        self.raw_str() == other.raw_str()
    }
}

impl Eq for Instruction<'_> {}

/// Iterator over the values of an instruction.
#[derive(Clone)]
pub struct Elements<'a> {
    kept: Kept<'a>,
    /// Elements after those whose places are kept.
    others: usize,
    /// Where the next of them starts.
    after: usize,
}

impl fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> Elements<'a> {
    #[inline(always)]
    fn new(fields: Fields<'a>, first: usize, count: usize) -> Self {
        let kept = fields.range(first, first + count);
        Self {
            others: count - kept.len(),
            after: if kept.len() == count {
                0
            } else {
                fields.after_kept()
            },
            kept,
        }
    }

    /// The next value, once no more places are kept. Only limits beyond guacd's let so
    /// many in.
    #[inline(always)]
    fn next_other(&mut self) -> Option<&'a str> {
        if self.others == 0 {
            return None;
        }
        // By way of a local: were the callee given a part of `self`, all of it would live
        // in memory. And were the value returned, it would be one that calls between
        // instruction sets must not return, and callers could not be inlined.
        let mut found = Found {
            after: self.after,
            value: "",
        };
        walk(&self.kept.fields(), &mut found);
        self.others -= 1;
        self.after = found.after;
        Some(found.value)
    }
}

struct Found<'a> {
    after: usize,
    value: &'a str,
}

/// Finds the value of the element that starts at an offset, and where the next starts.
#[cold]
#[inline(never)]
fn walk<'a>(fields: &Fields<'a>, found: &mut Found<'a>) {
    if let Some((value, after)) = element_at(fields.text(), found.after) {
        *found = Found { after, value };
    }
}

/// Value of the element that starts at an offset of a valid instruction, and the offset
/// of the next one.
pub(crate) fn element_at(text: &str, start: usize) -> Option<(&str, usize)> {
    let (length, text) = text.get(start..)?.split_once('.')?;
    let end = crate::codepoint::offset_of_nth(text.as_bytes(), length.parse().ok()?)?;
    Some((text.get(..end)?, start + length.len() + 1 + end + 1))
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    #[inline(always)]
    fn next(&mut self) -> Option<&'a str> {
        match self.kept.next() {
            Some(value) => Some(value),
            None => self.next_other(),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.kept.len() + self.others;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Elements<'_> {}
impl FusedIterator for Elements<'_> {}
