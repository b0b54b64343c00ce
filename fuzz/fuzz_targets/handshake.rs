//! Operations on both sides of a handshake.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| guac_protocol_fuzz::handshake::run(data));
