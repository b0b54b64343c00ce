//! Load on tunnels: a guacd that plays recordings, clients that check and time what
//! arrives, and the processes between them that are measured.
//!
//! All of it stays on this machine and ends by itself.

mod api;
mod check;
mod client;
pub mod guacd;
mod link;
mod measure;
mod process;
mod report;
mod script;
mod target;
mod tunnels;
mod websocket;

pub use api::Beside;
pub use measure::{Load, Smoke, run};
pub use report::Report;
pub use script::{Kind, Library, Script, Spec};
pub use target::Target;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Why something could not be measured.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// What can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// Microseconds since 1970, the clock that all processes share. It has 16 digits until
/// the year 2286.
#[must_use]
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

/// The user of `tunnel-server` who makes requests beside the tunnels.
pub const USER: &str = "load";
/// Others whose tunnels are measured: each is one person at one place, and has a share of all.
pub const PEOPLE: usize = 40;

/// The name of one of them.
#[must_use]
pub fn person(number: usize) -> String {
    format!("person-{number}")
}

/// One who reads the catalogue as often as it is answered.
pub const FLOODER: &str = "flood";
/// One whose password is guessed.
pub const VICTIM: &str = "victim";
/// The password of all of them; it protects nothing.
pub const PASSWORD: &str = "a load of tunnels";

/// Tells whoever started this process where it listens, by the first line of its output.
///
/// # Errors
/// Where nobody reads it.
pub fn say_listening(address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{LISTENING}{address}")?;
    out.flush()
}

/// What stands before the address in that line.
const LISTENING: &str = "listening on ";
