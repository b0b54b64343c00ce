//! The server of Desktop-as-a-Service: HTTP in front of [`daas_core`].
//!
//! It translates between HTTP and the core and decides nothing itself. Today it answers
//! health checks; routes join it as the core grows.

#![forbid(unsafe_code)]

mod problem;
mod router;
mod serve;
pub mod tunnel;
pub mod websocket;

pub use serve::serve;
