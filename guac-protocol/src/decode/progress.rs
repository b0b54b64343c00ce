//! The careful parser: one element after the other, able to stop at any byte.

use crate::error::ErrorKind::{
    self, ElementTooLong, EmptyLength, InstructionTooLong, InvalidLength, InvalidTerminator,
    InvalidUtf8, LeadingZero, LengthTooLong, TooManyElements,
};
use crate::kernel::{Cursor, Kernel};
use crate::{Error, Limits};

/// Lengths from here on cannot be met by any stream, whatever the limits.
const LENGTH_END: u64 = 1_000_000_000_000;

/// Takes the places of the values as they are found, as offsets in the instruction.
pub(crate) trait Values {
    fn value(&mut self, start: usize, end: usize);
}

/// For those who do not want them.
pub(crate) struct NoTable;

impl Values for NoTable {
    #[inline(always)]
    fn value(&mut self, _: usize, _: usize) {}
}

pub(crate) enum Step<'b> {
    /// The cursor stands after the terminator.
    Complete(Cursor<'b>),
    Incomplete,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Length,
    Value,
    Terminator,
}

/// How far an instruction is parsed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    expect: Expect,
    /// Bytes parsed.
    position: usize,
    /// Elements that are complete.
    elements: usize,
    /// Offset of the first digit of the present element, and of its value.
    element: usize,
    value: usize,
    digits: u32,
    /// Codepoints: of the whole value while its length is read, then those to come.
    codepoints: u64,
    /// Codepoints outside the basic plane, which are two units in UTF-16, and bytes
    /// that are not the first of a codepoint. Kept only where a limit needs them.
    surrogates: u64,
    continuations: u64,
}

impl Progress {
    pub(crate) const START: Self = Self {
        expect: Expect::Length,
        position: 0,
        elements: 0,
        element: 0,
        value: 0,
        digits: 0,
        codepoints: 0,
        surrogates: 0,
        continuations: 0,
    };

    #[inline(always)]
    pub(crate) fn is_start(&self) -> bool {
        self.position == 0
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// The error of a caller who changed the bytes in front of `position`.
    pub(crate) const fn changed(position: usize) -> Error {
        Error::new(InvalidUtf8, position as u64)
    }

    /// Parses on in a buffer that starts with the instruction.
    #[inline(always)]
    pub(crate) fn go_on<'b, K: Kernel, V: Values>(
        &mut self,
        kernel: K,
        limits: &Limits,
        buffer: &'b [u8],
        values: &mut V,
    ) -> Result<Step<'b>, Error> {
        let mut cursor = Cursor::new(buffer, self.position);
        loop {
            let done = match self.expect {
                Expect::Length => self.length(limits, &mut cursor),
                Expect::Value => self.value(kernel, limits, &mut cursor),
                Expect::Terminator => self.terminator(limits, &mut cursor, values),
            };
            self.position = cursor.position();
            match done? {
                Some(true) => return Ok(Step::Complete(cursor)),
                Some(false) => {}
                None => return Ok(Step::Incomplete),
            }
        }
    }

    /// Reads digits and the `.` after them. `None` where the buffer ends.
    #[inline(always)]
    fn length(&mut self, limits: &Limits, cursor: &mut Cursor<'_>) -> Result<Option<bool>, Error> {
        while let Some(byte) = cursor.peek() {
            match byte {
                b'0'..=b'9' => self.digit(limits, byte, cursor.position())?,
                b'.' if self.digits == 0 => return Err(error(EmptyLength, cursor.position())),
                b'.' => {
                    cursor.step_over(byte);
                    self.value = cursor.position();
                    self.expect = Expect::Value;
                    if self.codepoints >= LENGTH_END {
                        return Err(error(LengthTooLong, self.element));
                    }
                    return Ok(Some(false));
                }
                _ => return Err(error(InvalidLength, cursor.position())),
            }
            cursor.step_over(byte);
        }
        Ok(None)
    }

    #[inline(always)]
    fn digit(&mut self, limits: &Limits, byte: u8, position: usize) -> Result<(), Error> {
        let kind = if self.digits > 0 && self.codepoints == 0 {
            Some(LeadingZero)
        } else {
            self.digits = self.digits.saturating_add(1);
            let digit = u64::from(byte - b'0');
            self.codepoints = self.codepoints.saturating_mul(10).saturating_add(digit);
            if self.digits > limits.length_digits {
                Some(LengthTooLong)
            } else if self.codepoints > limits.element_codepoints {
                Some(ElementTooLong)
            } else {
                None
            }
        };
        match kind {
            Some(kind) => Err(error(kind, self.element)),
            // The dot is still to come. Not left to it: digits need not end.
            None => self.check_total(limits, position + 2),
        }
    }

    /// Whether the instruction can still fit, with `parsed` bytes so far, as many more
    /// codepoints as are to come, and the terminator.
    #[inline(always)]
    fn check_total(&self, limits: &Limits, parsed: usize) -> Result<(), Error> {
        let bytes = (parsed as u64)
            .saturating_add(self.codepoints)
            .saturating_add(1);
        // A caller who passes fewer bytes than before makes this sum meaningless.
        let units = bytes
            .saturating_add(self.surrogates)
            .saturating_sub(self.continuations);
        if bytes > limits.instruction_bytes || units > limits.instruction_utf16_units {
            return Err(error(InstructionTooLong, self.element));
        }
        Ok(())
    }

    #[inline(always)]
    fn value<K: Kernel>(
        &mut self,
        kernel: K,
        limits: &Limits,
        cursor: &mut Cursor<'_>,
    ) -> Result<Option<bool>, Error> {
        let before = cursor.rest();
        let wanted = usize::try_from(self.codepoints).unwrap_or(usize::MAX);
        let invalid = if cursor.step_codepoints(kernel, wanted) {
            self.codepoints = 0;
            false
        } else {
            let (found, invalid) = cursor.step_carefully(kernel, wanted);
            self.codepoints -= found as u64;
            invalid
        };
        if limits.instruction_utf16_units != u64::MAX {
            self.count_units(&before[..before.len() - cursor.rest().len()]);
        }
        self.check_total(limits, cursor.position())?;
        if invalid {
            return Err(error(InvalidUtf8, cursor.position()));
        }
        if self.codepoints > 0 {
            return Ok(None);
        }
        self.expect = Expect::Terminator;
        Ok(Some(false))
    }

    fn count_units(&mut self, text: &[u8]) {
        self.surrogates += text.iter().filter(|&&byte| byte >= 0xF0).count() as u64;
        self.continuations += (text.len() - crate::codepoint::count(text)) as u64;
    }

    #[inline(always)]
    fn terminator<V: Values>(
        &mut self,
        limits: &Limits,
        cursor: &mut Cursor<'_>,
        values: &mut V,
    ) -> Result<Option<bool>, Error> {
        let Some(byte) = cursor.peek() else {
            return Ok(None);
        };
        if byte != b',' && byte != b';' {
            return Err(error(InvalidTerminator, cursor.position()));
        }
        values.value(self.value, cursor.position());
        cursor.step_over(byte);
        self.elements += 1;
        if byte == b';' {
            return Ok(Some(true));
        }
        if self.elements >= limits.elements {
            return Err(error(TooManyElements, cursor.position()));
        }
        self.expect = Expect::Length;
        self.element = cursor.position();
        self.digits = 0;
        self.codepoints = 0;
        Ok(Some(false))
    }
}

#[cold]
fn error(kind: ErrorKind, offset: usize) -> Error {
    Error::new(kind, offset as u64)
}
