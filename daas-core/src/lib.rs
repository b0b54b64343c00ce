//! Desktop-as-a-Service without HTTP.
//!
//! No HTTP, no WebSocket, no cookie and no page is known here: a server brings those, and
//! calls this crate. Today it holds the one gate for blocking calls; storage, hypervisors,
//! gateways and the lifecycle of instances join it as they are built.

#![forbid(unsafe_code)]

pub mod blocking;
