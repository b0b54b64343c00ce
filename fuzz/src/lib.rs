//! What the fuzz targets of guac-protocol do with their input, apart from the fuzzer, so
//! that tests can do the same with the committed seeds.
//!
//! Every check here compares the library with code that shares nothing with it: the
//! standard library, or the plain parser in [`reference`].

pub mod decode;
pub mod handshake;
pub mod kernels;
#[path = "../../guac-protocol/tests/handshake/operations.rs"]
mod operations;
pub mod reference;
pub mod round_trip;

use guac_protocol::Limits;
use guac_protocol::codepoint::Level;

/// The kernels of this machine.
pub fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| level.available())
}

/// A kernel of this machine, by number.
#[must_use]
pub fn level(number: u8) -> Level {
    let all = levels().count();
    levels()
        .nth(usize::from(number) % all)
        .unwrap_or(Level::Scalar)
}

/// Limits by number: the presets, and some so small that short input meets them.
#[must_use]
pub fn limits(number: u8) -> Limits {
    match number % 6 {
        0 => Limits::GUACD,
        1 => Limits::JAVA,
        2 => Limits::NONE,
        3 => Limits {
            length_digits: 2,
            element_codepoints: 20,
            elements: 4,
            ..Limits::GUACD
        },
        4 => Limits {
            instruction_bytes: 40,
            ..Limits::GUACD
        },
        _ => Limits {
            instruction_utf16_units: 40,
            ..Limits::NONE
        },
    }
}
