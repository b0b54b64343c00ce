//! Desktop-as-a-Service without HTTP.
//!
//! No HTTP, no WebSocket, no cookie and no page is known here: a server brings those, and
//! calls this crate.

#![forbid(unsafe_code)]

pub mod access;
pub mod audit;
pub mod blocking;
mod error;
pub mod files;
pub mod fleet;
pub mod gateway;
pub mod hypervisor;
pub mod lifecycle;
pub mod model;
mod random;
mod secret;
pub mod session;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod storage;
pub mod vault;

pub use error::{BoxError, Error, Result, chain};
pub use secret::Secret;
