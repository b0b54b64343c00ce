//! Guacamole
#![no_std]
#[cfg(any(feature = "alloc", test))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod codepoint;
mod decode;
mod encode;
mod error;
pub mod instruction;
mod kernel;
mod limits;
mod opcode;
mod scan;
mod status;
pub mod tunnel;

pub use decode::{Decoded, Decoder, Elements, Instruction};
pub use encode::{Encode, EncodeError, Encoder};
pub use error::{Error, ErrorKind};
pub use instruction::{ArgumentError, ArgumentErrorKind, ClientInstruction, ServerInstruction};
pub use limits::Limits;
pub use opcode::Opcode;
pub use scan::{Scan, ScanEnd, Scanned, Scanner};
pub use status::Status;
