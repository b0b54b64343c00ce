//! Guacamole
#![no_std]
#[cfg(any(feature = "alloc", test))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "tokio-util")]
mod codec;
pub mod codepoint;
mod decode;
mod encode;
mod error;
mod kernel;
mod limits;
mod opcode;
#[cfg(feature = "bytes")]
mod owned;
mod scan;
mod status;

#[cfg(feature = "tokio-util")]
pub use codec::{CodecError, GuacamoleCodec};
pub use decode::{Decoded, Decoder, Elements, Instruction};
pub use encode::{Encode, EncodeError, Encoder};
pub use error::{Error, ErrorKind};
pub use limits::Limits;
pub use opcode::Opcode;
#[cfg(feature = "bytes")]
pub use owned::{OwnedElements, OwnedInstruction};
pub use scan::{Scan, ScanEnd, Scanned, Scanner};
pub use status::Status;
