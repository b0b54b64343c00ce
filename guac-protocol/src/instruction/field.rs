//! Fields of instructions: one argument, or several, or as many as there are.

use super::argument::Argument;
use super::{ArgumentError, ArgumentErrorKind, List};
use crate::{Instruction, Opcode};

/// What a field of an instruction takes of its arguments.
pub(super) trait Field<'a>: Sized {
    /// How many arguments it takes at least.
    const MIN: usize;
    /// How many arguments it takes at most.
    const MAX: usize;

    fn read(reader: &mut Reader<'_, 'a>) -> Result<Self, ArgumentError>;

    /// Calls `each` with the text of each argument.
    fn write<E>(&self, each: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E>;
}

impl<'a, T: Argument<'a>> Field<'a> for T {
    const MIN: usize = 1;
    const MAX: usize = 1;

    #[inline]
    fn read(reader: &mut Reader<'_, 'a>) -> Result<Self, ArgumentError> {
        reader.argument()
    }

    #[inline]
    fn write<E>(&self, each: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        self.with_text(each)
    }
}

/// Only for the last field.
impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    const MIN: usize = 0;
    const MAX: usize = T::MAX;

    #[inline]
    fn read(reader: &mut Reader<'_, 'a>) -> Result<Self, ArgumentError> {
        if reader.is_at_end() {
            return Ok(None);
        }
        T::read(reader).map(Some)
    }

    #[inline]
    fn write<E>(&self, each: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        self.as_ref().map_or(Ok(()), |value| value.write(each))
    }
}

/// Only for the last field.
impl<'a, T: Argument<'a> + Copy> Field<'a> for List<'a, T> {
    const MIN: usize = 0;
    const MAX: usize = usize::MAX;

    fn read(reader: &mut Reader<'_, 'a>) -> Result<Self, ArgumentError> {
        let list = List::of_elements(*reader.instruction, reader.next);
        while !reader.is_at_end() {
            reader.argument::<T>()?;
        }
        Ok(list)
    }

    fn write<E>(&self, each: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        self.iter()
            .try_for_each(|value| value.with_text(&mut *each))
    }
}

/// Reads the arguments of an instruction one after the other.
pub(super) struct Reader<'r, 'a> {
    instruction: &'r Instruction<'a>,
    opcode: Opcode,
    /// Index of the next element.
    next: usize,
}

impl<'r, 'a> Reader<'r, 'a> {
    /// A reader at the first argument, where there are as many as there should be.
    #[inline]
    pub(super) fn new(
        instruction: &'r Instruction<'a>,
        opcode: Opcode,
        min: usize,
        max: usize,
    ) -> Result<Self, ArgumentError> {
        let given = instruction.len().saturating_sub(1);
        let reader = Self {
            instruction,
            opcode,
            next: 1,
        };
        if given < min {
            Err(reader.error(given + 1, ArgumentErrorKind::Missing))
        } else if given > max {
            Err(reader.error(max + 1, ArgumentErrorKind::Unexpected))
        } else {
            Ok(reader)
        }
    }

    #[inline]
    fn argument<T: Argument<'a>>(&mut self) -> Result<T, ArgumentError> {
        let element = self.next;
        self.next += 1;
        self.instruction
            .get(element)
            .ok_or(ArgumentErrorKind::Missing)
            .and_then(T::parse)
            .map_err(|kind| self.error(element, kind))
    }

    #[inline]
    fn is_at_end(&self) -> bool {
        self.next >= self.instruction.len()
    }

    fn error(&self, element: usize, kind: ArgumentErrorKind) -> ArgumentError {
        ArgumentError::new(self.opcode, element, kind)
    }
}
