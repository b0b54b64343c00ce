//! The codepoint kernels against `std`, each one by name and never only through the
//! choice of the best: every length and alignment, every kind of text, and every
//! sequence of bytes that decides whether text is UTF-8.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use guac_protocol::codepoint::{self, Level};
use guac_protocol::{Decoded, Decoder, Limits};
use proptest::prelude::*;

use support::synthetic::{self, Profile, Random};
use support::ways::{self, levels};

/// Offsets at which codepoints begin, were the bytes UTF-8.
fn leads(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let leads = bytes.iter().enumerate();
    leads
        .filter(|(_, byte)| **byte & 0xC0 != 0x80)
        .map(|(at, _)| at)
}

fn count(bytes: &[u8]) -> usize {
    leads(bytes).count()
}

fn offset_of_nth(bytes: &[u8], n: usize) -> Option<usize> {
    let after_all = (count(bytes) == n).then_some(bytes.len());
    leads(bytes).nth(n).or(after_all)
}

fn validate(bytes: &[u8]) -> Result<&str, usize> {
    std::str::from_utf8(bytes).map_err(|error| error.valid_up_to())
}

/// Checks all three questions, the second one for some places.
fn check(bytes: &[u8], random: &mut Random) {
    let all = count(bytes);
    let places = [
        0,
        1,
        all / 2,
        random.below(all + 1),
        all.wrapping_sub(1),
        all,
        all + 1,
        usize::MAX,
    ];
    let offsets = places.map(|n| offset_of_nth(bytes, n));
    let text = validate(bytes);
    for level in levels() {
        let shown = || format!("{level:?}: {:?}", bytes.escape_ascii().to_string());
        assert_eq!(codepoint::count_with(level, bytes), all, "{}", shown());
        for (n, offset) in places.into_iter().zip(offsets) {
            let found = codepoint::offset_of_nth_with(level, bytes, n);
            assert_eq!(found, offset, "{n}: {}", shown());
        }
        assert_eq!(codepoint::validate_with(level, bytes), text, "{}", shown());
    }
    assert_eq!(codepoint::count(bytes), all);
    assert_eq!(codepoint::offset_of_nth(bytes, places[3]), offsets[3]);
    assert_eq!(codepoint::validate(bytes), text);
}

const LENGTHS: std::ops::RangeInclusive<usize> = 0..=512;

/// Room for a text of any length at any alignment.
#[repr(align(64))]
struct Aligned([u8; 64 + 512]);

/// Checks the front of a text at every length and alignment.
fn check_lengths(text: &[u8]) {
    let mut random = Random::new(1);
    let mut room = Aligned([0xA5; 64 + 512]);
    for alignment in 0..64 {
        room.0[alignment..alignment + 512].copy_from_slice(&text[..512]);
        for length in LENGTHS {
            check(&room.0[alignment..alignment + length], &mut random);
        }
    }
}

#[test]
fn lengths_of_ascii() {
    check_lengths("The quick brown fox; jumps, over.".repeat(16).as_bytes());
}

#[test]
fn lengths_of_mixed_text() {
    check_lengths("Grüße, 世界! 🚀 naïve ẞ; مرحبا. 👩‍👩‍👧".repeat(12).as_bytes());
}

#[test]
fn lengths_of_two_bytes() {
    check_lengths("éüßñøдждק".repeat(40).as_bytes());
}

#[test]
fn lengths_of_three_bytes() {
    check_lengths("世界你好€ก".repeat(40).as_bytes());
}

#[test]
fn lengths_of_four_bytes() {
    check_lengths("🚀😀𠮷\u{10ffff}\u{10000}".repeat(40).as_bytes());
}

#[test]
fn lengths_of_random_bytes() {
    check_lengths(&Random::new(2).bytes(512));
}

/// Lengths at which a running count fills its bytes: where each block adds the most, and
/// around every number of blocks at which a kernel must sum up.
#[test]
fn long_runs() {
    let mut random = Random::new(3);
    let (ascii, wide) = (vec![b'a'; 300_000], "é🚀".repeat(50_000).into_bytes());
    for blocks in [31, 62, 63, 126, 127, 254, 255, 256, 1024, 2048, 4096] {
        for near in 0..3 {
            let length = (blocks * 64 + near) - 1;
            check(&ascii[..length], &mut random);
            check(&wide[..length], &mut random);
        }
    }
    check(&vec![0x80; 100_000], &mut random);
    check(&vec![0xFF; 100_000], &mut random);
}

/// First, last and middle bytes of all ranges that the rules of UTF-8 tell apart.
const COVERING: [u8; 33] = [
    0x00, 0x2C, 0x3B, 0x41, 0x7F, 0x80, 0x81, 0x8F, 0x90, 0x9F, 0xA0, 0xAF, 0xB0, 0xBF, 0xC0, 0xC1,
    0xC2, 0xC3, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFE,
    0xFF,
];

/// Where sequences are placed: around the borders of vectors, of blocks, and of the groups
/// of four blocks that are looked at together.
const PLACES: [usize; 34] = [
    0, 1, 13, 14, 15, 16, 29, 30, 31, 32, 60, 61, 62, 63, 64, 65, 126, 127, 128, 252, 253, 254,
    255, 256, 257, 319, 508, 509, 510, 511, 512, 513, 767, 768,
];

/// Room in which sequences are placed; ASCII all around, so that whole groups of it are
/// before and after.
const ROOM: usize = 800;

/// Checks a sequence at a place, with ASCII behind, and at the end.
fn check_sequence(level: Level, room: &mut [u8], place: usize, sequence: &[u8]) {
    let end = place + sequence.len();
    room[place..end].copy_from_slice(sequence);
    for bytes in [&room[..], &room[..end]] {
        // The two differ in text and in error; compared without the text, which is long.
        let (found, expected) = (codepoint::validate_with(level, bytes), validate(bytes));
        let same = found.map(str::len) == expected.map(str::len);
        assert!(
            same,
            "{level:?}: {sequence:x?} at {place} of {}",
            bytes.len()
        );
    }
    room[place..end].fill(b'a');
}

/// The levels with a validation of their own; the others ask `std`.
fn vector_levels() -> Vec<Level> {
    let mut levels = levels();
    levels.retain(|level| !matches!(level, Level::Scalar | Level::Swar | Level::Sse2));
    levels
}

#[test]
fn all_sequences_of_two_bytes() {
    let mut room = [b'a'; ROOM];
    for level in vector_levels() {
        for place in PLACES {
            for sequence in 0..=u16::MAX {
                check_sequence(level, &mut room, place, &sequence.to_be_bytes());
            }
        }
    }
}

/// All over a border of blocks; the covering ones everywhere.
#[test]
fn all_sequences_of_three_bytes() {
    let mut room = [b'a'; 96];
    for level in vector_levels() {
        for sequence in 0..1_u32 << 24 {
            room[62..65].copy_from_slice(&sequence.to_be_bytes()[1..]);
            let found = codepoint::validate_with(level, &room).map(str::len);
            let expected = validate(&room).map(str::len);
            assert_eq!(found, expected, "{level:?}: {sequence:x}");
        }
    }
}

#[test]
fn covering_sequences_of_three_bytes() {
    let mut room = [b'a'; ROOM];
    for level in levels() {
        for place in PLACES {
            for first in COVERING {
                for second in COVERING {
                    for third in COVERING {
                        check_sequence(level, &mut room, place, &[first, second, third]);
                    }
                }
            }
        }
    }
}

#[test]
fn covering_sequences_of_four_bytes() {
    let mut room = [b'a'; 96];
    for level in vector_levels() {
        for place in [28, 29, 30, 31, 60, 61, 62, 63, 64] {
            for first in COVERING.into_iter().filter(|first| *first >= 0xC2) {
                for rest in 0..COVERING.len().pow(3) {
                    let at =
                        |power: u32| COVERING[rest / COVERING.len().pow(power) % COVERING.len()];
                    let sequence = [first, at(2), at(1), at(0)];
                    check_sequence(level, &mut room, place, &sequence);
                }
            }
        }
    }
}

/// Every codepoint there is, at every place in a block.
#[test]
fn all_codepoints() {
    for shift in [0, 1, 2, 3, 5, 17, 31] {
        let text: String = "a".repeat(shift) + &String::from_iter('\0'..=char::MAX);
        let all = text.chars().count();
        for level in levels() {
            assert_eq!(
                codepoint::validate_with(level, text.as_bytes()),
                Ok(&text[..])
            );
            assert_eq!(codepoint::count_with(level, text.as_bytes()), all);
            for (n, (offset, _)) in text.char_indices().enumerate().step_by(99_991) {
                let found = codepoint::offset_of_nth_with(level, text.as_bytes(), n);
                assert_eq!(found, Some(offset));
            }
        }
    }
}

/// The decoder asks the kernels in another way than [`codepoint::validate`]: whether so
/// many codepoints are there, in one pass. So the same sequences, as values.
#[test]
fn covering_sequences_as_values() {
    for place in [29, 30, 31, 61, 62, 63, 64, 253, 254, 255, 256] {
        for first in COVERING.into_iter().filter(|first| *first >= 0x80) {
            for second in COVERING {
                for third in COVERING {
                    let sequence = [first, second, third];
                    check_value(place, 7, &sequence);
                    check_value(place, 300, &sequence);
                }
            }
        }
    }
}

/// Decodes a value of ASCII with a sequence in it, counted as if it were UTF-8.
fn check_value(place: usize, after: usize, sequence: &[u8]) {
    let value = [&vec![b'a'; place], sequence, &vec![b'b'; after]].concat();
    let head = format!("{}.", count(&value));
    let stream = [head.as_bytes(), &value, b";3.nop;"].concat();
    let error = std::str::from_utf8(&value).map_err(|error| error.valid_up_to());
    for level in levels() {
        let mut decoder = Decoder::with_level(Limits::GUACD, level);
        match (decoder.decode(&stream), error) {
            (Ok(Decoded::Complete { instruction, .. }), Ok(text)) => {
                assert_eq!(instruction.get(0), Some(text));
                assert!(std::str::from_utf8(instruction.raw()).is_ok());
            }
            (Err(found), Err(at)) => assert_eq!(found.offset, (head.len() + at) as u64),
            (found, _) => panic!("{level:?}: {sequence:x?} at {place}: {found:?}"),
        }
    }
}

/// Valid text with one thing changed.
fn changed_text() -> impl Strategy<Value = Vec<u8>> {
    (any::<u64>(), 0_usize..2000, 0_usize..4).prop_map(|(seed, size, changes)| {
        let mut random = Random::new(seed);
        let mut bytes = synthetic::stream(Profile::Text, seed, size).bytes;
        let start = random.below(bytes.len().max(1));
        bytes.drain(..start);
        for _ in 0..changes {
            synthetic::mutate(&mut random, &mut bytes);
        }
        bytes
    })
}

proptest! {
    #[test]
    fn texts(text in any::<String>()) {
        check(text.as_bytes(), &mut Random::new(4));
    }

    #[test]
    fn changed_texts(bytes in changed_text()) {
        check(&bytes, &mut Random::new(5));
    }

    #[test]
    fn every_place(bytes in changed_text()) {
        let bytes = &bytes[..bytes.len().min(700)];
        for level in ways::levels() {
            for n in 0..count(bytes) + 2 {
                let found = codepoint::offset_of_nth_with(level, bytes, n);
                prop_assert_eq!(found, offset_of_nth(bytes, n));
            }
        }
    }
}

/// What a machine does not have must not be used: the reference answers.
#[test]
fn absent_levels() {
    for level in Level::ALL.into_iter().filter(|level| !level.available()) {
        assert_eq!(codepoint::count_with(level, "éa".as_bytes()), 2);
        assert_eq!(
            codepoint::offset_of_nth_with(level, "éa".as_bytes(), 1),
            Some(2)
        );
        assert_eq!(codepoint::validate_with(level, b"a\xff"), Err(1));
    }
    assert!(Level::detect().available());
}
