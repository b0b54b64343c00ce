//! What the tests share.
//!
//! Each file in `tests/` is a crate of its own and uses only a part of this.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

pub mod recorded;
pub mod synthetic;
pub mod ways;

pub use synthetic::reference;
