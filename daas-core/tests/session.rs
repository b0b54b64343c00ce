//! Sessions: the machine on its own, and the driver between streams in memory on a clock
//! that does not wait.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[path = "session/browser.rs"]
mod browser;
#[path = "session/clipboard.rs"]
mod clipboard;
#[path = "session/driver.rs"]
mod driver;
#[path = "session/gateway.rs"]
mod gateway;

use std::time::Duration;

use daas_core::session::{Machine, Output, Settings};
use guac_protocol::{Encoder, Limits};

const START: Duration = Duration::ZERO;

fn machine() -> Machine {
    Machine::new(Settings::default(), START)
}

/// A machine whose desktop has shown its first frame.
fn open(settings: Settings) -> Machine {
    let mut machine = Machine::new(settings, START);
    let forward = machine.handle_gateway(START, b"4.sync,1.1;", &mut Output::default());
    assert_eq!((forward.length, forward.end), (11, None));
    machine
}

fn encode(elements: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(Limits::GUACD)
        .encode_vec(elements, &mut out)
        .unwrap();
    out
}
