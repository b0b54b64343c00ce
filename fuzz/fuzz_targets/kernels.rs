//! Counting, finding and validating by every kernel.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| guac_protocol_fuzz::kernels::run(data));
