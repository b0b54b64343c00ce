//! What the examples have in common: a buffer to decode from, and how a program ends.
//!
//! The examples themselves, each run with `cargo run --release -p examples --example NAME`:
//!
//! - `guac-dump` prints or counts the instructions of a stream of any length;
//! - `guac-relay` passes instructions on between client and guacd, with tokio;
//! - `guac-play` plays a recording with its timing.
#![forbid(unsafe_code)]

mod buffer;
mod failure;

pub use buffer::Buffer;
pub use failure::{Failure, finish, print_help};
