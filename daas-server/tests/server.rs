//! The server over real sockets, with backends in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[path = "../../daas-core/tests/support/guacd.rs"]
mod guacd;
#[path = "support/mod.rs"]
mod sockets;
#[path = "server/support/mod.rs"]
mod support;

#[path = "server/check.rs"]
mod check;
#[path = "server/connections.rs"]
mod connections;
#[path = "server/details.rs"]
mod details;
#[path = "server/doors.rs"]
mod doors;
#[path = "server/endings.rs"]
mod endings;
#[path = "server/errors.rs"]
mod errors;
#[path = "server/headers.rs"]
mod headers;
#[path = "server/hosts.rs"]
mod hosts;
#[path = "server/instances.rs"]
mod instances;
#[path = "server/limits.rs"]
mod limits;
#[path = "server/matrix.rs"]
mod matrix;
#[path = "server/monitoring.rs"]
mod monitoring;
#[path = "server/openapi.rs"]
mod openapi;
#[path = "server/page.rs"]
mod page;
#[path = "server/policies.rs"]
mod policies;
#[path = "server/pools.rs"]
mod pools;
#[path = "server/sessions.rs"]
mod sessions;
#[path = "server/tls.rs"]
mod tls;
#[path = "server/tunnels.rs"]
mod tunnels;
