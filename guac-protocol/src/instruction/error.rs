//! Why an instruction is not one of its opcode.

use core::fmt;

use crate::Opcode;

/// An argument that does not fit its opcode: which one, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ArgumentError {
    /// The opcode that the arguments were read for.
    pub opcode: Opcode,
    /// Index of the element, which for arguments counts from 1; 0 is the opcode.
    pub element: usize,
    /// What is wrong with it.
    pub kind: ArgumentErrorKind,
}

impl ArgumentError {
    #[cold]
    pub(super) fn new(opcode: Opcode, element: usize, kind: ArgumentErrorKind) -> Self {
        Self {
            opcode,
            element,
            kind,
        }
    }
}

/// What is wrong with an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArgumentErrorKind {
    /// The instruction has another opcode (element 0).
    OtherOpcode,
    /// The instruction ends before it.
    Missing,
    /// The instruction should have ended before it.
    Unexpected,
    /// Not a decimal number in the spelling of the peers: no space, no `+`, no leading
    /// zero, no `-0` as an integer.
    NotANumber,
    /// A number that its place cannot hold.
    OutOfRange,
    /// A text with a control character where none belongs.
    ControlCharacter,
}

impl ArgumentErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::OtherOpcode => "is not this opcode",
            Self::Missing => "is missing",
            Self::Unexpected => "is one too many",
            Self::NotANumber => "is not a decimal number",
            Self::OutOfRange => "is out of range",
            Self::ControlCharacter => "has a control character",
        }
    }
}

impl fmt::Display for ArgumentErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            opcode,
            element,
            kind,
        } = self;
        write!(f, "element {element} of \"{opcode}\" {kind}")
    }
}

impl core::error::Error for ArgumentError {}

#[cfg(feature = "std")]
impl From<ArgumentError> for std::io::Error {
    /// An error of kind [`InvalidData`](std::io::ErrorKind::InvalidData).
    fn from(error: ArgumentError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}
