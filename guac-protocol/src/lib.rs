//! Zero-copy codec for the [Apache Guacamole] protocol.
//!
//! The crate turns bytes into instructions and back. It opens no sockets, reads no clock,
//! starts no threads and, but for the owned types behind features, allocates nothing. It
//! draws no pictures either: what an instruction does to a display is left to others.
//!
//! # Quick start
//!
//! ```
//! use guac_protocol::{Decoded, Decoder, Limits, Opcode};
//!
//! let mut decoder = Decoder::new(Limits::GUACD);
//! if let Decoded::Complete { instruction, .. } = decoder.decode(b"4.sync,7.1234567;")? {
//!     assert_eq!(instruction.opcode(), Opcode::Sync);
//!     assert_eq!(instruction.get(1), Some("1234567"));
//! }
//! # Ok::<(), guac_protocol::Error>(())
//! ```
//!
//! # What is in it
//!
//! | To | use |
//! |---|---|
//! | read instructions from a growing buffer | [`Decoder`] |
//! | find what may be passed on, without its values | [`Scanner`] |
//! | write instructions | [`Encoder`] |
//! | give meaning to elements | [`instruction`] |
//! | open a connection to guacd, or play guacd | [`handshake`] |
//! | speak to guacamole-common-js over a WebSocket | [`tunnel`], [`Status`] |
//! | count codepoints fast | [`codepoint`] |
//!
//! # The rules
//!
//! An instruction is one or more elements with `,` between them and `;` at the end. An
//! element is its length in decimal, a `.`, and a value of that many **Unicode
//! codepoints** in UTF-8; values may hold any character, `,` and `;` too (guacamole-server,
//! `src/libguac/parser.c`; guacamole-client, `GuacamoleParser`). Peers differ at the
//! edges. This crate takes only the canonical spelling, so that each instruction has
//! exactly one: plain digits without a leading zero, strict UTF-8, nothing between
//! instructions. What else a receiver bounds is a value, [`Limits`].
//!
//! # In a proxy
//!
//! A proxy between guacd and a browser passes on whole instructions and looks at few of
//! them. Keep a buffer per direction; after each read,
//!
//! 1. give what is in it to [`Scanner::scan`]: all of [`Scan::length`] may go out at once,
//!    as it is, in one piece;
//! 2. keep the rest in the buffer, and read more behind it. Nothing is scanned twice;
//! 3. on [`ScanEnd::Error`], send what came before, then end the connection: there is no
//!    way to find the next instruction.
//!
//! ```
//! use guac_protocol::{Limits, Opcode, ScanEnd, Scanner};
//!
//! fn pass_on(
//!     scanner: &mut Scanner,
//!     buffer: &mut Vec<u8>,
//!     out: &mut Vec<u8>,
//! ) -> Result<bool, guac_protocol::Error> {
//!     let mut ended = false;
//!     let scan = scanner.scan(buffer, |found| ended |= found.opcode == Opcode::Disconnect);
//!     out.extend_from_slice(&buffer[..scan.length]);
//!     buffer.drain(..scan.length);
//!     match scan.end {
//!         ScanEnd::Error(error) => Err(error),
//!         ScanEnd::Boundary | ScanEnd::Incomplete => Ok(ended),
//!     }
//! }
//!
//! let (mut scanner, mut out) = (Scanner::new(Limits::GUACD), Vec::new());
//! let mut buffer = "4.name,2.世".as_bytes().to_vec();
//! assert_eq!(pass_on(&mut scanner, &mut buffer, &mut out), Ok(false));
//! buffer.extend_from_slice("界;10.disconnect;".as_bytes());
//! assert_eq!(pass_on(&mut scanner, &mut buffer, &mut out), Ok(true));
//! assert_eq!(out, "4.name,2.世界;10.disconnect;".as_bytes());
//! ```
//!
//! Towards guacd a proxy has to look closer: [`instruction::ClientInstruction`] says
//! whether arguments are what guacd expects, and guacd itself hardly checks
//! (`src/libguac/user-handlers.c`).
//!
//! # Speed
//!
//! The inner loops exist for SSE2, AVX2, AVX-512, NEON and WebAssembly SIMD, and as plain
//! Rust; [`codepoint::Level`] names them. With the feature `std` the best one that the
//! processor has is chosen at run time, without it the best one that the target enables.
//! `--cfg guac_no_simd` leaves only plain Rust. `unsafe` is confined to that module.
//!
//! # Features
//!
//! | Feature | Default | Adds | Without it |
//! |---|---|---|---|
//! | `std` | yes | run-time choice of the kernel, conversion into `std::io::Error` | `no_std` |
//! | `alloc` | with `std` | encoding into `Vec<u8>`, collected handshakes | slices and `core::fmt::Write` |
//! | `bytes` | no | encoding into any `bytes::BufMut`, owned instructions over `Bytes` | borrowed ones |
//! | `tokio-util` | no | a `tokio_util::codec` decoder and encoder | your own loop |
//!
//! There are no dependencies but those of the last two features.
//!
//! [Apache Guacamole]: https://guacamole.apache.org/

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

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
pub mod handshake;
pub mod instruction;
#[allow(unsafe_code)]
mod kernel;
mod limits;
mod opcode;
#[cfg(feature = "bytes")]
mod owned;
mod scan;
mod status;
pub mod tunnel;

#[cfg(feature = "tokio-util")]
pub use codec::{CodecError, GuacamoleCodec};
pub use decode::{Decoded, Decoder, Elements, Instruction};
pub use encode::{Encode, EncodeError, Encoder};
pub use error::{Error, ErrorKind};
pub use instruction::{ArgumentError, ArgumentErrorKind, ClientInstruction, ServerInstruction};
pub use limits::Limits;
pub use opcode::Opcode;
#[cfg(feature = "bytes")]
pub use owned::{OwnedElements, OwnedInstruction};
pub use scan::{Scan, ScanEnd, Scanned, Scanner};
pub use status::Status;
