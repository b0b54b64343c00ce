//! What holds for every stream: it does not matter how it is cut, nor which parser and
//! which kernel reads it; the reference parser finds the same; and what was encoded is
//! decoded again.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use guac_protocol::codepoint::Level;
use guac_protocol::{
    Decoded, Decoder, EncodeError, Encoder, Error, Instruction, Limits, Scanned, Scanner,
};
use proptest::collection::vec;
use proptest::prelude::*;

use support::reference::End;
use support::synthetic::{self, Random};
use support::ways;

/// Values of all kinds: such as look like syntax, of all codepoints, long ones.
fn element() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[0-9a-z]{0,12}",
        2 => "[0-9.,;a]{0,12}",
        2 => "[ -~]{0,90}",
        2 => any::<String>(),
        1 => vec(prop::sample::select(BORDERS), 0..40).prop_map(String::from_iter),
        1 => (any::<char>(), 0_usize..600).prop_map(|(c, n)| c.to_string().repeat(n)),
        1 => Just(String::new()),
    ]
}

/// First and last codepoints of each length in UTF-8, and around the surrogates.
const BORDERS: &[char] = &[
    '\0',
    'a',
    ',',
    ';',
    '.',
    '\u{7f}',
    '\u{80}',
    '\u{7ff}',
    '\u{800}',
    '\u{d7ff}',
    '\u{e000}',
    '\u{ffff}',
    '\u{10000}',
    '\u{10ffff}',
];

fn instruction() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![
        20 => vec(element(), 1..8),
        1 => vec("[a-c]{0,2}", 120..140),
    ]
}

fn encoded(instructions: &[Vec<String>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for elements in instructions {
        synthetic::put(&mut bytes, &texts(elements));
    }
    bytes
}

fn texts(elements: &[String]) -> Vec<&str> {
    elements.iter().map(String::as_str).collect()
}

fn valid_stream() -> impl Strategy<Value = Vec<u8>> {
    vec(instruction(), 0..12).prop_map(|instructions| encoded(&instructions))
}

/// Instructions so short that a block is full of them: up to 21 elements.
fn dense_stream() -> impl Strategy<Value = Vec<u8>> {
    let element = prop_oneof![3 => Just(String::new()), 2 => "[0-9a;,]", 1 => "[a-z]{2}"];
    vec(vec(element, 1..6), 1..40).prop_map(|instructions| encoded(&instructions))
}

/// A stream that was valid once.
fn mutated_stream() -> impl Strategy<Value = Vec<u8>> {
    (valid_stream(), 1_usize..5, any::<u64>()).prop_map(|(mut bytes, changes, seed)| {
        let mut random = Random::new(seed);
        for _ in 0..changes {
            synthetic::mutate(&mut random, &mut bytes);
        }
        bytes
    })
}

/// Bytes that get far in a parser: pieces of syntax and of UTF-8 in any order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let pieces: &[&[u8]] = &[
        b"0",
        b"1",
        b"2",
        b"3",
        b"10",
        b"64",
        b".",
        b",",
        b";",
        b"0.,",
        b"0.;",
        b"1.a,",
        b"1.a;",
        b"3.nop;",
        b"a",
        b"abcdefgh",
        b"1.\xc3\xa9,",
        b"\xc3\xa9",
        b"\xe4\xb8\x96",
        b"\xc3",
        b"\xf0\x9f\x98\x80",
        b"\xf0\x9f",
        b"\x80",
        b"\xff",
        b"\0",
    ];
    vec(prop::sample::select(pieces), 0..80).prop_map(|pieces| pieces.concat())
}

fn limits() -> impl Strategy<Value = Limits> {
    prop_oneof![
        2 => Just(Limits::GUACD),
        2 => Just(Limits::JAVA),
        2 => Just(Limits::NONE),
        2 => limits_within(1..5, 0..40, 1..6, 1..80),
        // Around the size of a block, from where the quick parser is allowed.
        1 => limits_within(1..3, 60..68, 60..68, 60..68),
    ]
}

fn limits_within(
    digits: std::ops::Range<u32>,
    codepoints: std::ops::Range<u64>,
    elements: std::ops::Range<usize>,
    sizes: std::ops::Range<u64>,
) -> impl Strategy<Value = Limits> {
    let sizes = prop_oneof![sizes, Just(u64::MAX)];
    (digits, codepoints, elements, sizes.clone(), sizes).prop_map(
        |(length_digits, element_codepoints, elements, bytes, units)| Limits {
            length_digits,
            element_codepoints,
            elements,
            instruction_bytes: bytes,
            instruction_utf16_units: units,
        },
    )
}

/// Sizes of the pieces in which a stream arrives; what is left comes in one.
fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        vec(0_usize..4, 0..400),
        vec(0_usize..90, 0..60),
        vec(Just(1_usize), 2000),
    ]
}

/// Every number of elements that fits a block, however they are spread over instructions,
/// after others that left their places behind.
#[test]
fn elements_of_a_block() {
    let mut random = Random::new(1);
    for count in 1..=22 {
        for _ in 0..200 {
            let mut stream = synthetic::instruction(&["mouse", "1000", "200", "0"]);
            for i in 0..count {
                let end = i + 1 == count || random.percent(20);
                stream.extend_from_slice(random.choose(&[
                    &b"0."[..],
                    b"0.",
                    b"0.",
                    b"1.a",
                    b"1.;",
                ]));
                stream.push(if end { b';' } else { b',' });
            }
            stream.extend_from_slice(b"40.");
            let expected = ways::expected(&Limits::GUACD, &stream);
            ways::check_whole("block", &Limits::GUACD, &stream, &expected);
        }
    }
}

/// Checks a stream whole and in pieces against the reference.
fn check(limits: &Limits, stream: &[u8], pieces: &[usize]) {
    let expected = ways::expected(limits, stream);
    ways::check_whole("property", limits, stream, &expected);
    ways::check("property", limits, stream, &expected, || {
        pieces.iter().copied()
    });
}

/// More cases than by default, or than `PROPTEST_CASES` says.
fn cases_times(factor: u32) -> ProptestConfig {
    let mut config = ProptestConfig::default();
    config.cases = config.cases.saturating_mul(factor);
    config
}

proptest! {
    #![proptest_config(cases_times(4))]

    #[test]
    fn valid_streams(limits in limits(), stream in valid_stream(), pieces in pieces()) {
        check(&limits, &stream, &pieces);
    }

    #[test]
    fn dense_streams(limits in limits(), stream in dense_stream(), pieces in pieces()) {
        check(&limits, &stream, &pieces);
    }

    #[test]
    fn mutated_streams(limits in limits(), stream in mutated_stream(), pieces in pieces()) {
        check(&limits, &stream, &pieces);
    }

    #[test]
    fn arbitrary_bytes(
        limits in limits(),
        stream in vec(any::<u8>(), 0..300),
        pieces in pieces(),
    ) {
        check(&limits, &stream, &pieces);
    }

    #[test]
    fn arbitrary_syntax(limits in limits(), stream in soup(), pieces in pieces()) {
        check(&limits, &stream, &pieces);
    }

    /// Every cut into two pieces.
    #[test]
    fn every_cut(
        limits in limits(),
        instructions in vec(vec("[0-9;é世🚀]{0,5}", 1..4), 1..5),
        change in prop::option::of(any::<u64>()),
    ) {
        let mut stream = encoded(&instructions);
        if let Some(seed) = change {
            synthetic::mutate(&mut Random::new(seed), &mut stream);
        }
        let expected = ways::expected(&limits, &stream);
        for cut in 0..=stream.len() {
            ways::check("cut", &limits, &stream, &expected, || [cut]);
        }
    }

    #[test]
    fn encoded_is_decoded(instructions in vec(instruction(), 1..6)) {
        let encoder = Encoder::new(Limits::NONE);
        let mut stream = Vec::new();
        for elements in &instructions {
            stream.extend(encoded_every_way(&encoder, &texts(elements)).unwrap());
        }
        prop_assert_eq!(&stream, &encoded(&instructions));
        let found = ways::expected(&Limits::NONE, &stream).instructions;
        let found: Vec<Vec<String>> = found.into_iter().map(|found| found.elements).collect();
        prop_assert_eq!(found, instructions);
        let mut again = Vec::new();
        let scan = Decoder::new(Limits::NONE).decode_all(&stream, |instruction| {
            again.extend(encoded_again(&encoder, instruction));
        });
        prop_assert_eq!(scan.into_result(), Ok(stream.len()));
        prop_assert_eq!(again, stream);
    }

    /// An encoder refuses just what a decoder with the same limits refuses.
    #[test]
    fn encoder_and_decoder_agree_on_limits(limits in limits(), elements in instruction()) {
        let bytes = encoded(std::slice::from_ref(&elements));
        let accepted = ways::expected(&limits, &bytes).end == End::Whole;
        let written = encoded_every_way(&Encoder::new(limits), &texts(&elements));
        prop_assert_eq!(written.is_ok(), accepted, "{:?}", written);
        if let Ok(written) = written {
            prop_assert_eq!(written, bytes);
        }
    }
}

/// What an instruction is on the wire, after checking that it is the same wherever it is
/// written to, and that what is refused leaves nothing behind.
fn encoded_every_way(encoder: &Encoder, elements: &[&str]) -> Result<Vec<u8>, EncodeError> {
    let length = encoder.encoded_len(elements);
    let mut text = String::from("before");
    assert_eq!(encoder.encode_fmt(elements, &mut text), length);
    let written = text.split_off("before".len()).into_bytes();
    assert_eq!(text, "before");
    assert_eq!(written.len(), length.unwrap_or(0));
    let mut room = vec![7; written.len() + 3];
    assert_eq!(encoder.encode_slice(elements, &mut room), length);
    assert_eq!(room[written.len()..], [7; 3]);
    assert_eq!(room[..written.len()], written);
    encoded_to_slices(encoder, elements, &written);
    #[cfg(feature = "alloc")]
    encoded_to_vec(encoder, elements, &written);
    #[cfg(feature = "bytes")]
    encoded_to_bufs(encoder, elements, &written);
    length.map(|_| written)
}

/// A slice of just the length is enough, and one byte less is not.
fn encoded_to_slices(encoder: &Encoder, elements: &[&str], expected: &[u8]) {
    let Some(less) = expected.len().checked_sub(1) else {
        return;
    };
    let mut room = vec![7; expected.len()];
    let refused = encoder.encode_slice(elements, &mut room[..less]);
    assert_eq!(refused, Err(EncodeError::NoRoom));
    assert!(room.iter().all(|&byte| byte == 7));
    assert_eq!(
        encoder.encode_slice(elements, &mut room),
        Ok(expected.len())
    );
    assert_eq!(room, expected);
}

#[cfg(feature = "alloc")]
fn encoded_to_vec(encoder: &Encoder, elements: &[&str], expected: &[u8]) {
    let mut out = b"before".to_vec();
    assert_eq!(
        encoder.encode_vec(elements, &mut out),
        encoder.encoded_len(elements)
    );
    assert_eq!(out, [b"before", expected].concat());
}

#[cfg(feature = "bytes")]
fn encoded_to_bufs(encoder: &Encoder, elements: &[&str], expected: &[u8]) {
    let mut out = bytes::BytesMut::from(&b"before"[..]);
    assert_eq!(
        encoder.encode_buf(elements, &mut out),
        encoder.encoded_len(elements)
    );
    assert_eq!(out, [b"before", expected].concat());
    if let Some(less) = expected.len().checked_sub(1) {
        let mut room = vec![7; less];
        let refused = encoder.encode_buf(elements, &mut &mut room[..]);
        assert_eq!(refused, Err(EncodeError::NoRoom));
        assert!(room.iter().all(|&byte| byte == 7));
    }
}

fn encoded_again(encoder: &Encoder, instruction: Instruction<'_>) -> Vec<u8> {
    let mut text = String::new();
    let length = encoder.encode_fmt(&instruction, &mut text);
    assert_eq!(length, Ok(text.len()));
    text.into_bytes()
}

/// A parser that is not told that its bytes change under its feet.
trait Misled {
    /// Parses, checks what is promised even so, and answers how much was taken.
    fn parse(&mut self, buffer: &[u8]) -> Result<usize, Error>;
}

fn check_misled(instruction: &Instruction<'_>) {
    assert!(
        std::str::from_utf8(instruction.raw()).is_ok(),
        "raw is not UTF-8"
    );
    let mut count = 0;
    for element in instruction.elements() {
        assert!(std::str::from_utf8(element.as_bytes()).is_ok(), "not UTF-8");
        assert_eq!(instruction.get(count), Some(element));
        count += 1;
    }
    assert_eq!(instruction.len(), count);
    let _ = (instruction.opcode(), instruction.opcode_str());
    let _ = encoded_again(&Encoder::new(Limits::NONE), *instruction);
}

struct MisledDecoder(Decoder);

impl Misled for MisledDecoder {
    fn parse(&mut self, buffer: &[u8]) -> Result<usize, Error> {
        match self.0.decode(buffer)? {
            Decoded::Complete {
                instruction,
                consumed,
            } => {
                check_misled(&instruction);
                assert_eq!(instruction.raw(), &buffer[..consumed]);
                Ok(consumed)
            }
            Decoded::Incomplete => Ok(0),
        }
    }
}

struct MisledForAll(Decoder);

impl Misled for MisledForAll {
    fn parse(&mut self, buffer: &[u8]) -> Result<usize, Error> {
        let scan = self
            .0
            .decode_all(buffer, |instruction| check_misled(&instruction));
        assert!(scan.length <= buffer.len());
        scan.into_result()
    }
}

struct MisledScanner(Scanner);

impl Misled for MisledScanner {
    fn parse(&mut self, buffer: &[u8]) -> Result<usize, Error> {
        let scan = self.0.scan(buffer, |found: Scanned| {
            assert!(buffer.get(found.range.clone()).is_some());
            let _ = found.opcode_str(buffer);
        });
        assert!(scan.length <= buffer.len());
        scan.into_result()
    }
}

/// What a caller does wrong between two calls.
#[derive(Clone, Debug)]
enum Mischief {
    None,
    /// Other bytes at a place.
    Overwrite(prop::sample::Index, Vec<u8>),
    /// Fewer bytes.
    Truncate(prop::sample::Index),
    /// Drops bytes that were not taken.
    Skip(prop::sample::Index),
    /// A byte more in front.
    Insert(u8),
    /// No bytes at all.
    Clear,
}

fn mischief() -> impl Strategy<Value = Mischief> {
    let index = any::<prop::sample::Index>;
    let bytes = prop_oneof![
        vec(any::<u8>(), 1..4),
        Just("é".into()),
        Just("世".into()),
        Just(b"\x80\x80".to_vec()),
        Just(b";3.nop;".to_vec()),
        Just(b",1.".to_vec()),
    ];
    prop_oneof![
        4 => Just(Mischief::None),
        4 => (index(), bytes).prop_map(|(at, bytes)| Mischief::Overwrite(at, bytes)),
        1 => index().prop_map(Mischief::Truncate),
        1 => index().prop_map(Mischief::Skip),
        1 => any::<u8>().prop_map(Mischief::Insert),
        1 => Just(Mischief::Clear),
    ]
}

impl Mischief {
    fn change(&self, buffer: &mut Vec<u8>) {
        let place = |at: &prop::sample::Index| at.index(buffer.len() + 1);
        match self {
            Self::None => {}
            Self::Overwrite(at, bytes) => {
                let at = place(at);
                for (to, from) in buffer[at..].iter_mut().zip(bytes) {
                    *to = *from;
                }
            }
            Self::Truncate(at) => buffer.truncate(place(at)),
            Self::Skip(at) => drop(buffer.drain(..place(at))),
            Self::Insert(byte) => buffer.insert(0, *byte),
            Self::Clear => buffer.clear(),
        }
    }
}

/// Feeds a stream in pieces, with mischief between them, until its end or an error.
fn mislead(parser: &mut dyn Misled, stream: &[u8], steps: &[(usize, Mischief)]) {
    let (mut buffer, mut rest) = (Vec::new(), stream);
    for (size, mischief) in steps.iter().cycle().take(500) {
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        buffer.extend_from_slice(piece);
        rest = after;
        loop {
            match parser.parse(&buffer) {
                Ok(0) => break,
                Ok(taken) => drop(buffer.drain(..taken)),
                Err(error) => return assert_eq!(parser.parse(b"3.nop;"), Err(error)),
            }
        }
        mischief.change(&mut buffer);
    }
}

fn mislead_all(limits: Limits, level: Level, stream: &[u8], steps: &[(usize, Mischief)]) {
    let decoder = Decoder::with_level(limits, level);
    mislead(&mut MisledDecoder(decoder.clone()), stream, steps);
    mislead(&mut MisledForAll(decoder), stream, steps);
    mislead(
        &mut MisledScanner(Scanner::with_level(limits, level)),
        stream,
        steps,
    );
}

proptest! {
    #![proptest_config(cases_times(4))]

    /// Whatever the caller does to the bytes: no panic, and no text that is not UTF-8.
    #[test]
    fn changed_bytes(
        limits in limits(),
        stream in valid_stream(),
        steps in vec((0_usize..60, mischief()), 1..30),
    ) {
        for level in ways::levels() {
            mislead_all(limits, level, &stream, &steps);
        }
    }

    /// The same where lengths and values stay as they are, so that more of it passes.
    #[test]
    fn changed_values(
        limits in limits(),
        value in prop::sample::select(&["é", "世", "🚀", "a"][..]),
        count in 1_usize..200,
        steps in vec((0_usize..200, mischief()), 1..30),
    ) {
        let value = value.repeat(count);
        let stream = encoded(&vec![vec![value.clone(), value]; 3]);
        for level in ways::levels() {
            mislead_all(limits, level, &stream, &steps);
        }
    }
}

/// A caller who passes fewer bytes than before, when many bytes of wide codepoints have
/// been counted already.
#[test]
fn fewer_bytes_than_before() {
    let mut stream = b"4000.".to_vec();
    stream.extend("😀".repeat(3000).bytes());
    for level in ways::levels() {
        let mut decoder = Decoder::with_level(Limits::JAVA, level);
        assert!(matches!(decoder.decode(&stream), Ok(Decoded::Incomplete)));
        for shorter in [&stream[..10], b"", b"4", &stream] {
            let _ = decoder.decode(shorter).map(|decoded| {
                assert!(matches!(decoded, Decoded::Incomplete));
            });
        }
    }
}
