//! Elements to bytes and back.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| guac_protocol_fuzz::round_trip::run(data));
