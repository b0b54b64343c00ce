//! Synthetic streams: that they are what they say, that every parser finds in them what
//! is there, and that the reference parser agrees with verdicts written by hand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use guac_protocol::{Decoder, Limits, Scanner};

use support::reference::{End, Outcome};
use support::synthetic::{self, Case, Counts, Ending, Profile, Random, Verdict};
use support::ways::{self, Way};

const SIZE: usize = 1 << 20;

fn decoded(limits: Limits, bytes: &[u8]) -> Counts {
    let mut counts = Counts::default();
    let scan = Decoder::new(limits).decode_all(bytes, |instruction| {
        counts.add(instruction.opcode_str(), instruction.len());
    });
    assert_eq!(scan.into_result(), Ok(bytes.len()));
    counts
}

fn scanned(limits: Limits, bytes: &[u8]) -> Counts {
    let mut counts = Counts::default();
    let scan = Scanner::new(limits).scan(bytes, |instruction| {
        counts.add(instruction.opcode_str(bytes), 0);
    });
    assert_eq!(scan.into_result(), Ok(bytes.len()));
    counts
}

#[test]
fn counts_are_as_stated() {
    for profile in Profile::ALL {
        for seed in 1..4 {
            let stream = synthetic::stream(profile, seed, SIZE);
            assert_eq!(decoded(Limits::GUACD, &stream.bytes), stream.counts);
            let scanned = scanned(Limits::GUACD, &stream.bytes);
            assert_eq!(scanned.opcodes, stream.counts.opcodes);
            assert_eq!(scanned.instructions, stream.counts.instructions);
        }
    }
}

#[test]
fn every_way_finds_the_same() {
    for profile in Profile::ALL {
        let stream = synthetic::stream(profile, 7, SIZE / 8);
        let expected = ways::expected(&Limits::GUACD, &stream.bytes);
        assert_eq!(expected.end, End::Whole);
        let name = format!("{profile:?}");
        ways::check_whole(&name, &Limits::GUACD, &stream.bytes, &expected);
        let mut random = Random::new(8);
        let pieces: Vec<usize> = (0..SIZE).map(|_| random.below(300)).collect();
        let pieces = || pieces.iter().copied();
        ways::check(&name, &Limits::GUACD, &stream.bytes, &expected, pieces);
    }
}

#[test]
fn a_seed_gives_the_same_stream() {
    for profile in Profile::ALL {
        let bytes = |seed| synthetic::stream(profile, seed, 100_000).bytes;
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }
}

#[test]
fn sizes_and_shares() {
    for profile in Profile::ALL {
        let stream = synthetic::stream(profile, 1, SIZE);
        // A group of `text` is at most eight blobs; a picture of `blob`, four.
        let over = stream.bytes.len() - SIZE;
        assert!(over < 25_000, "{profile:?} is {over} bytes longer");
    }
    let blob = synthetic::stream(Profile::Blob, 1, SIZE);
    let value = blob.counts.opcodes["blob"] * 6144;
    let percent = value * 100 / blob.bytes.len() as u64;
    assert!((57..=63).contains(&percent), "{percent} % in blobs");
    let small = synthetic::stream(Profile::Small, 1, SIZE).counts;
    let opcodes: Vec<&String> = small.opcodes.keys().collect();
    assert_eq!(opcodes, ["mouse", "nop", "sync"]);
    let text = synthetic::stream(Profile::Text, 1, SIZE).bytes;
    let beyond_ascii = text.iter().filter(|byte| !byte.is_ascii()).count();
    assert!(beyond_ascii * 10 > text.len() * 8, "too little text");
}

fn adversarial() -> Vec<Case> {
    let seeds = 1..4;
    let cases = seeds.flat_map(|seed| synthetic::adversarial(seed, 64 << 10, 20_000));
    cases.collect()
}

#[test]
fn reference_agrees_with_verdicts_by_hand() {
    let cases = adversarial();
    let named: Vec<&Case> = cases.iter().filter(|case| case.stated.is_some()).collect();
    for case in &named {
        assert_eq!(Some(case.verdicts), case.stated, "{}", case.name);
    }
    assert!(named.len() > 3 * 150, "only {} cases", named.len());
}

fn verdict(outcome: &Outcome) -> Verdict {
    Verdict {
        instructions: outcome.instructions.len(),
        ending: match outcome.end {
            End::Whole => Ending::Ok,
            End::Incomplete => Ending::Incomplete,
            End::Fault(..) => Ending::Error,
        },
    }
}

/// Checks a case under one set of limits.
fn check(case: &Case, limits: &Limits, expected: Verdict) {
    for level in ways::levels() {
        for way in Way::ALL {
            let piece = if case.bytes.len() < 20_000 { 1 } else { 997 };
            let pieces = std::iter::repeat(piece);
            let found = ways::outcome(way, level, limits, &case.bytes, pieces);
            assert_eq!(
                verdict(&found),
                expected,
                "{}: {way:?} {level:?}",
                case.name
            );
            let found = ways::outcome(way, level, limits, &case.bytes, ways::whole());
            assert_eq!(
                verdict(&found),
                expected,
                "{}: {way:?} {level:?}",
                case.name
            );
        }
    }
}

#[test]
fn adversarial_streams() {
    let limited = Limits {
        instruction_bytes: u64::MAX,
        ..Limits::GUACD
    };
    for case in adversarial() {
        check(&case, &Limits::NONE, case.verdicts.grammar);
        check(&case, &limited, case.verdicts.limited);
        check(&case, &Limits::GUACD, case.verdicts.bounded);
    }
}
