//! Instructions with their arguments as what they are: numbers, layers, streams, texts.
//!
//! [`ServerInstruction`] and [`ClientInstruction`] are the two directions; each has a
//! struct for every opcode in [`server`] and [`client`]. All borrow from the decoded
//! instruction, and all can be encoded again, which gives the same bytes.
//!
//! Parsing is strict: the exact number of arguments, integers in their one spelling and
//! within their range. Opcodes that are not known pass through as they are. Whether an
//! instruction makes sense – the stream is open, the layer exists, the size is sane – is
//! not looked at. Texts are taken as they are; mind that guacd, being written in C, ends
//! one at a NUL.

mod argument;
mod base64;
pub mod client;
mod direction;
mod error;
mod field;
mod list;
mod number;
pub mod server;
mod table;
mod values;

pub use argument::Argument;
pub use base64::{Base64, Base64Error};
pub use client::ClientInstruction;
pub use error::{ArgumentError, ArgumentErrorKind};
pub use list::{List, ListIter};
pub use number::{Extent, Number};
pub use server::ServerInstruction;
pub use values::{
    Buttons, ChannelMask, ClientStream, Keysym, Layer, LineCap, LineJoin, MessageCode, Mimetype,
    ObjectIndex, ServerStream, StatusCode, TransferFunction,
};

/// Most bytes of data that guacd puts into one blob, so that the instruction stays short
/// enough for every peer (guacamole-server, `src/libguac/guacamole/protocol-constants.h`,
/// `GUAC_PROTOCOL_BLOB_MAX_LENGTH`). In base64 that is 8064 characters.
pub const BLOB_BYTES_MAX: usize = 6048;
