//! The real server on a real Docker engine, while one of the two is taken away: killed in the
//! middle of anything, restarted under a load, or asked for more than there may be. What it
//! answered must hold afterwards, and engine and rows must agree.
//!
//! Where there is no engine the tests say `SKIPPED: <reason>` and pass; with
//! `DAAS_REQUIRE_DOCKER=1` they fail. `ROUNDS` is how often the server is killed, `SEED` what it is
//! driven by.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "a failed test may panic, and has nobody else to serve"
)]

#[allow(dead_code, reason = "it is made for more tests")]
#[path = "../../daas-core/tests/support/docker.rs"]
mod docker;

#[path = "crash/api.rs"]
mod api;
#[path = "crash/cut_short.rs"]
mod cut_short;
#[path = "crash/desks.rs"]
mod desks;
#[path = "crash/engine.rs"]
mod engine;
#[path = "crash/installation.rs"]
mod installation;
#[path = "crash/kills.rs"]
mod kills;
#[path = "crash/many.rs"]
mod many;
#[path = "crash/outage.rs"]
mod outage;
#[path = "crash/own_engine.rs"]
mod own_engine;
#[path = "support/program.rs"]
mod program;
#[path = "crash/random.rs"]
mod random;
#[path = "crash/restored.rs"]
mod restored;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: each takes all of the processors.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
