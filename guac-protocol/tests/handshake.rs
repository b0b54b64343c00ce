//! The handshake machines against each other, against peers that break the rules, and
//! against recorded streams.
#![cfg(feature = "alloc")]
// In a test, a panic is how something that must not happen is reported.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "handshake/client.rs"]
mod client;
#[path = "handshake/fuzz.rs"]
mod fuzz;
#[path = "handshake/operations.rs"]
mod operations;
#[path = "handshake/pair.rs"]
mod pair;
#[path = "handshake/recorded.rs"]
mod recorded;
#[path = "handshake/server.rs"]
mod server;

use guac_protocol::{Encoder, Limits};

/// An instruction on the wire.
fn instruction(elements: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    let encoder = Encoder::new(Limits::GUACD);
    encoder.encode_vec(elements, &mut out).unwrap();
    out
}

/// Instructions on the wire, written as words: `args VERSION_1_5_0 hostname; ready $1`.
/// `''` is an empty element.
fn wire(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for words in text
        .split(';')
        .map(str::trim)
        .filter(|words| !words.is_empty())
    {
        let elements: Vec<&str> = words
            .split_whitespace()
            .map(|word| if word == "''" { "" } else { word })
            .collect();
        out.extend(instruction(&elements));
    }
    out
}
