//! The committed seeds, without the fuzzer.

use std::fs;
use std::path::Path;

/// Runs a target on each of its seeds, of which there are some; with many numbers
/// in place of the second byte, as that chooses kernels, ways and sinks.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    let seeds = fs::read_dir(&folder).unwrap();
    let mut replayed = 0;
    for seed in seeds {
        let mut data = fs::read(seed.unwrap().path()).unwrap();
        for number in 0..21 {
            data[1] = number;
            run(&data);
        }
        replayed += 1;
    }
    assert!(replayed > 5, "{}", folder.display());
}

#[test]
fn decode() {
    replay("decode", guac_protocol_fuzz::decode::run);
}

#[test]
fn round_trip() {
    replay("round_trip", guac_protocol_fuzz::round_trip::run);
}

#[test]
fn kernels() {
    replay("kernels", guac_protocol_fuzz::kernels::run);
}

#[test]
fn handshake() {
    replay("handshake", guac_protocol_fuzz::handshake::run);
}
