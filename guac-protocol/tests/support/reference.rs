//! A parser to compare with: the grammar and the limits as they are written down, one
//! codepoint after the other, and nothing but `std`. It shares no line and no idea with
//! the parsers of the library, and is too slow for anything else.
//!
//! It takes a whole stream. What it answers must not depend on how a stream is cut, so
//! each error is reported at the first byte that makes it certain.

use std::ops::Range;

/// Limits on one instruction; the fields mean what those of the library's `Limits` do.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub digits: u64,
    pub codepoints: u64,
    pub elements: u64,
    pub bytes: u64,
    pub units: u64,
}

impl Rules {
    /// The grammar alone.
    pub const GRAMMAR: Self = Self {
        digits: u64::MAX,
        codepoints: u64::MAX,
        elements: u64::MAX,
        bytes: u64::MAX,
        units: u64::MAX,
    };

    /// The limits of guacd on digits, codepoints and elements.
    pub const LIMITED: Self = Self {
        digits: 5,
        codepoints: 8192,
        elements: 128,
        ..Self::GRAMMAR
    };

    /// All limits of guacd: also that of its buffer.
    pub const BOUNDED: Self = Self {
        bytes: 32_768,
        ..Self::LIMITED
    };
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    InvalidLength,
    EmptyLength,
    LeadingZero,
    LengthTooLong,
    ElementTooLong,
    TooManyElements,
    InstructionTooLong,
    InvalidUtf8,
    InvalidTerminator,
}

/// How a stream ends: with an instruction, inside one, or with a fault at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Whole,
    Incomplete,
    Fault(Fault, u64),
}

/// An instruction: its elements, and its bytes in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub elements: Vec<String>,
    pub range: Range<usize>,
}

/// Everything that a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub instructions: Vec<Found>,
    pub end: End,
}

/// Parses a whole stream.
pub fn parse(rules: &Rules, stream: &[u8]) -> Outcome {
    let mut instructions: Vec<Found> = Vec::new();
    loop {
        let start = instructions.last().map_or(0, |last| last.range.end);
        if start == stream.len() {
            let end = End::Whole;
            return Outcome { instructions, end };
        }
        let mut reader = Reader {
            rules,
            stream,
            start,
            at: start,
            units: 0,
        };
        match reader.instruction() {
            Ok(elements) => instructions.push(Found {
                elements,
                range: start..reader.at,
            }),
            Err(end) => return Outcome { instructions, end },
        }
    }
}

/// Reads one instruction.
struct Reader<'a> {
    rules: &'a Rules,
    stream: &'a [u8],
    start: usize,
    at: usize,
    /// UTF-16 code units read.
    units: u64,
}

fn fault<T>(fault: Fault, at: usize) -> Result<T, End> {
    Err(End::Fault(fault, at as u64))
}

impl Reader<'_> {
    fn instruction(&mut self) -> Result<Vec<String>, End> {
        let mut elements = Vec::new();
        loop {
            if elements.len() as u64 == self.rules.elements {
                return fault(Fault::TooManyElements, self.at);
            }
            elements.push(self.element()?);
            match self.stream.get(self.at) {
                None => return Err(End::Incomplete),
                Some(b',' | b';') => {}
                Some(_) => return fault(Fault::InvalidTerminator, self.at),
            }
            if self.codepoint()? == ';' {
                return Ok(elements);
            }
        }
    }

    fn element(&mut self) -> Result<String, End> {
        let element = self.at;
        let length = self.length()?;
        let mut value = String::new();
        for left in (0..length).rev() {
            value.push(self.codepoint()?);
            self.check_room(element, left)?;
        }
        Ok(value)
    }

    fn length(&mut self) -> Result<u64, End> {
        let (element, mut length) = (self.at, 0_u64);
        loop {
            let digits = (self.at - element) as u64;
            let Some(&byte) = self.stream.get(self.at) else {
                return Err(End::Incomplete);
            };
            match byte {
                b'0'..=b'9' if digits > 0 && length == 0 => {
                    return fault(Fault::LeadingZero, element);
                }
                b'0'..=b'9' if digits == self.rules.digits => {
                    return fault(Fault::LengthTooLong, element);
                }
                b'0'..=b'9' => {}
                b'.' if digits == 0 => return fault(Fault::EmptyLength, self.at),
                b'.' if length >= 1_000_000_000_000 => {
                    return fault(Fault::LengthTooLong, element);
                }
                b'.' => {
                    self.codepoint()?;
                    return Ok(length);
                }
                _ => return fault(Fault::InvalidLength, self.at),
            }
            self.codepoint()?;
            length = length
                .saturating_mul(10)
                .saturating_add((byte - b'0').into());
            if length > self.rules.codepoints {
                return fault(Fault::ElementTooLong, element);
            }
            // The dot is still to come, too.
            self.check_room(element, length.saturating_add(1))?;
        }
    }

    /// Reads one codepoint of one to four bytes.
    fn codepoint(&mut self) -> Result<char, End> {
        let ahead = &self.stream[self.at..];
        let ahead = &ahead[..ahead.len().min(4)];
        let valid = match std::str::from_utf8(ahead) {
            Ok(text) => text,
            Err(error) if error.valid_up_to() > 0 => {
                std::str::from_utf8(&ahead[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(error) if error.error_len().is_none() => "",
            Err(_) => return fault(Fault::InvalidUtf8, self.at),
        };
        let next = valid.chars().next().ok_or(End::Incomplete)?;
        self.at += next.len_utf8();
        self.units += next.len_utf16() as u64;
        Ok(next)
    }

    /// Whether the instruction can fit with as many more characters, were they all
    /// ASCII, and its terminator.
    fn check_room(&self, element: usize, left: u64) -> Result<(), End> {
        let bytes = ((self.at - self.start) as u64)
            .saturating_add(left)
            .saturating_add(1);
        let units = self.units.saturating_add(left).saturating_add(1);
        if bytes > self.rules.bytes || units > self.rules.units {
            return fault(Fault::InstructionTooLong, element);
        }
        Ok(())
    }
}
