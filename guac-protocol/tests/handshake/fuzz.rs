//! Random operations on both machines.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::operations::run;

/// Operations that mostly deliver, so that many handshakes get far.
fn mostly_in_order() -> impl Strategy<Value = Vec<u8>> {
    let header = [50..=255u8, 0..=255, 0..=255, 0..=255, 0..=255, 0..=255];
    let operation = prop_oneof![30 => 0..4u8, 1 => 0..13u8];
    let length = prop_oneof![1..20u8, Just(100)];
    let operations = vec((operation, length), 0..60);
    (header, operations).prop_map(|(header, operations)| {
        let operations = operations.iter().flat_map(|&(a, b)| [a, b]);
        header.into_iter().chain(operations).collect()
    })
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..300), mostly_in_order()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_operation_breaks_a_machine(data in data()) {
        let _ = run(&data);
    }
}

/// The operations can lead through a whole handshake, so that random ones get deep.
#[test]
fn the_operations_reach_the_end() {
    let mut data = vec![200, 1, 0, 3, 3, 0];
    for _ in 0..2 {
        data.extend([0, 255, 2, 255]);
    }
    assert_eq!(run(&data), (true, true));
}
