//! Why a stream is not a stream of Guacamole instructions.

use core::fmt;

/// A malformed or over-long instruction: what is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Offset in the stream, counted in bytes from the first byte that the decoder
    /// or scanner was given. See [`ErrorKind`] for the byte that is meant.
    pub offset: u64,
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind, offset: u64) -> Self {
        Self { kind, offset }
    }
}

/// What is wrong with an instruction. Each variant says which byte
/// [`Error::offset`] points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A byte other than `0`–`9` or `.` in a length prefix (at that byte).
    InvalidLength,
    /// A `.` with no digit before it (at the `.`).
    EmptyLength,
    /// A length prefix that starts with `0` and goes on (at the `0`).
    LeadingZero,
    /// More digits than [`Limits::length_digits`](crate::Limits::length_digits), or a
    /// length of 10^12 or more (at the first digit).
    LengthTooLong,
    /// More codepoints than
    /// [`Limits::element_codepoints`](crate::Limits::element_codepoints) (at the first
    /// digit of the element's length).
    ElementTooLong,
    /// More elements than [`Limits::elements`](crate::Limits::elements) (at the first
    /// byte of the element that is too many).
    TooManyElements,
    /// More bytes or UTF-16 code units than the limits allow for an instruction (at
    /// the first digit of the length of the element that goes over).
    InstructionTooLong,
    /// A value is not valid UTF-8 (at the first byte of the invalid sequence).
    InvalidUtf8,
    /// Neither `,` nor `;` after a value (at that byte).
    InvalidTerminator,
}

impl ErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::InvalidLength => "length is not a decimal number",
            Self::EmptyLength => "length has no digits",
            Self::LeadingZero => "length has a leading zero",
            Self::LengthTooLong => "length has too many digits",
            Self::ElementTooLong => "element has too many codepoints",
            Self::TooManyElements => "instruction has too many elements",
            Self::InstructionTooLong => "instruction is too long",
            Self::InvalidUtf8 => "value is not valid UTF-8",
            Self::InvalidTerminator => "value is not followed by ',' or ';'",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    /// An error of kind [`InvalidData`](std::io::ErrorKind::InvalidData).
    fn from(error: Error) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}
