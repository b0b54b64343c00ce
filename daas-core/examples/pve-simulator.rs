//! A Proxmox VE cluster in memory, for tests of other programs.
//!
//! It prints one line of JSON once it can be asked: where it is, and who may ask. It ends when
//! its standard input does: whoever started it cannot leave it behind.

#![forbid(unsafe_code)]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "it shares its parts with tests"
)]

use std::error::Error;
use std::io::{self, Read as _, Write as _};

use serde_json::json;

#[path = "../tests/support/pve/mod.rs"]
mod pve;

use pve::{PASSWORD, Simulator, TOKEN_ID, TOKEN_SECRET, Timing, USER};

fn main() -> Result<(), Box<dyn Error>> {
    let timing = match std::env::args().nth(1).as_deref() {
        None => Timing::short(),
        Some("real") => Timing::real(),
        Some(_) => return Err("usage: pve-simulator [real]".into()),
    };
    let simulator = Simulator::start(timing);
    let place = json!({
        "address": simulator.address().to_string(),
        "fingerprint": simulator.fingerprint,
        "ca_file": simulator.ca_file,
        "token_id": TOKEN_ID,
        "token_secret": TOKEN_SECRET,
        "user": USER,
        "password": PASSWORD,
    });
    writeln!(io::stdout(), "{place}")?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
