//! A stream under some limits, cut into pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| guac_protocol_fuzz::decode::run(data));
