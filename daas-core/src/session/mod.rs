//! A session: what flows between the gateway of a desktop and a browser.
//!
//! [`Machine`] decides, and has neither sockets nor a clock; [`run`] moves the bytes between
//! a [`Connection`](crate::gateway::Connection) and whatever implements [`BrowserSink`] and
//! [`BrowserStream`].
//!
//! - From the gateway, leading whole instructions pass as they are, in one piece; a part of
//!   one waits for its rest. While the browser takes its time, the gateway is not read.
//! - From the browser, each instruction is checked first; guacd hardly checks at all
//!   (guacamole-server, `src/libguac/user-handlers.c`).
//! - Each way to end has a reason of its own: [`End`].

mod browser;
mod buffer;
mod clipboard;
mod counters;
mod driver;
mod end;
mod held;
mod machine;
mod peer;

pub use counters::{Counters, Statistics};
pub use driver::{Ended, Options, farewell, run};
pub use end::{Direction, End, Refusal, StopReason};
pub use guac_protocol::{Status, tunnel::SUBPROTOCOL};
pub use machine::{Forward, Machine, Output, Settings};
pub use peer::{BrowserSink, BrowserStream, Received, ScreenSize};

use guac_protocol::tunnel::{Internal, TunnelId};
use guac_protocol::{Encoder, Limits};

/// What a browser is told before all else: the id of its tunnel, made of random bytes
/// (guacamole-client, `Tunnel.js`, `Guacamole.Tunnel.INTERNAL_DATA_OPCODE`).
#[must_use]
pub fn greeting(random: [u8; 16]) -> Vec<u8> {
    let id = TunnelId::from_random(random);
    let mut out = Vec::new();
    // A UUID is within any limits.
    let _ = Encoder::new(Limits::NONE).encode_vec(&Internal::Uuid(id.as_str()), &mut out);
    out
}
