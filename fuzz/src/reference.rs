//! A plain parser of whole streams: one codepoint after the other, and no thought of
//! speed.

use core::ops::Range;

use guac_protocol::{ErrorKind, Limits};

/// Where an instruction is in a stream, and which of [`Parsed::values`] are its own.
#[derive(Debug)]
pub struct Instruction {
    /// Its bytes.
    pub bytes: Range<usize>,
    /// Indices of its values.
    pub values: Range<usize>,
}

/// What a stream holds.
#[derive(Debug)]
pub struct Parsed {
    /// The whole instructions in front.
    pub instructions: Vec<Instruction>,
    /// Places of the values of all elements.
    pub values: Vec<Range<usize>>,
    /// Why there are no more.
    pub end: End,
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After an instruction.
    Boundary,
    /// Inside one.
    Incomplete,
    /// With an error at an offset.
    Error(ErrorKind, usize),
}

/// Parses a stream.
#[must_use]
pub fn parse(stream: &[u8], limits: &Limits) -> Parsed {
    let (mut instructions, mut values, mut start) = (Vec::new(), Vec::new(), 0);
    let end = loop {
        if start == stream.len() {
            break End::Boundary;
        }
        let first = values.len();
        let mut parser = Parser {
            stream,
            limits,
            start,
            position: start,
            units: 0,
        };
        if let Err(end) = parser.instruction(&mut values) {
            values.truncate(first);
            break end;
        }
        instructions.push(Instruction {
            bytes: start..parser.position,
            values: first..values.len(),
        });
        start = parser.position;
    };
    Parsed {
        instructions,
        values,
        end,
    }
}

struct Parser<'a> {
    stream: &'a [u8],
    limits: &'a Limits,
    start: usize,
    position: usize,
    /// UTF-16 code units of the instruction so far.
    units: u64,
}

impl Parser<'_> {
    fn instruction(&mut self, values: &mut Vec<Range<usize>>) -> Result<(), End> {
        for elements in 1.. {
            values.push(self.element()?);
            match self.next()? {
                b';' => break,
                b',' if elements >= self.limits.elements => {
                    return Err(End::Error(ErrorKind::TooManyElements, self.position));
                }
                b',' => {}
                _ => return Err(End::Error(ErrorKind::InvalidTerminator, self.position - 1)),
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<u8, End> {
        let byte = self.stream.get(self.position).ok_or(End::Incomplete)?;
        self.position += 1;
        self.units += 1;
        Ok(*byte)
    }

    fn element(&mut self) -> Result<Range<usize>, End> {
        let first = self.position;
        let codepoints = self.length()?;
        let value = self.position;
        for left in (0..=codepoints).rev() {
            if self.too_long(left) {
                return Err(End::Error(ErrorKind::InstructionTooLong, first));
            }
            if left > 0 {
                self.codepoint()?;
            }
        }
        Ok(value..self.position)
    }

    /// Whether the instruction cannot end within the limits, as so many codepoints and a
    /// terminator are to come.
    fn too_long(&self, codepoints: u64) -> bool {
        let over = |parsed: u64, limit: u64| {
            // The greatest limit is none.
            limit != u64::MAX && u128::from(parsed) + u128::from(codepoints) + 1 > limit.into()
        };
        over(
            (self.position - self.start) as u64,
            self.limits.instruction_bytes,
        ) || over(self.units, self.limits.instruction_utf16_units)
    }

    fn length(&mut self) -> Result<u64, End> {
        let first = self.position;
        let mut length: u128 = 0;
        for digits in 0.. {
            let at = self.position;
            let error = match self.next()? {
                b'.' if digits == 0 => ErrorKind::EmptyLength,
                b'.' if length >= 1_000_000_000_000 => {
                    return Err(End::Error(ErrorKind::LengthTooLong, first));
                }
                b'.' => return Ok(length as u64),
                byte @ b'0'..=b'9' => {
                    if digits > 0 && length == 0 {
                        return Err(End::Error(ErrorKind::LeadingZero, first));
                    }
                    let more = length * 10 + u128::from(byte - b'0');
                    // So long that no limit can tell it from what is longer still.
                    length = more.min(u64::MAX.into());
                    if digits >= self.limits.length_digits {
                        return Err(End::Error(ErrorKind::LengthTooLong, first));
                    }
                    if length > self.limits.element_codepoints.into() {
                        return Err(End::Error(ErrorKind::ElementTooLong, first));
                    }
                    // As much as the digits so far promise, behind a dot.
                    if self.too_long((length as u64).saturating_add(1)) {
                        return Err(End::Error(ErrorKind::InstructionTooLong, first));
                    }
                    continue;
                }
                _ => ErrorKind::InvalidLength,
            };
            return Err(End::Error(error, at));
        }
        Err(End::Incomplete)
    }

    fn codepoint(&mut self) -> Result<(), End> {
        let rest = &self.stream[self.position..];
        let rest = &rest[..rest.len().min(4)];
        let valid = match core::str::from_utf8(rest) {
            Ok(text) => text,
            Err(error) if error.valid_up_to() > 0 => {
                core::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(error) if error.error_len().is_none() => return Err(End::Incomplete),
            Err(_) => return Err(End::Error(ErrorKind::InvalidUtf8, self.position)),
        };
        let codepoint = valid.chars().next().ok_or(End::Incomplete)?;
        self.position += codepoint.len_utf8();
        self.units += codepoint.len_utf16() as u64;
        Ok(())
    }
}
