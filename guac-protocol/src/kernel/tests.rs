//! Each kernel that this machine has against plain code; small enough for Miri.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::{BLOCK, Kernel, Level, Selected, Task, run};
use crate::codepoint::{count_with, offset_of_nth_with, validate_with};
use crate::{Decoded, Decoder, Error, ErrorKind, Limits, Opcode, ScanEnd, Scanner};

/// The kernels of this machine; under Miri, which is slow and looks for undefined
/// behaviour, those alone that use vectors, where there are any.
fn levels() -> impl Iterator<Item = Level> {
    let plain = |level| matches!(level, Level::Scalar | Level::Swar);
    let all = !cfg!(miri) || plain(Level::detect());
    let wanted = move |level: &Level| level.available() && (all || !plain(*level));
    Level::ALL.into_iter().filter(wanted)
}

/// Numbers without a pattern, the same ones every time (xorshift64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Valid UTF-8, cut wherever the length says.
    fn text(&mut self, length: usize) -> Vec<u8> {
        let mut text = String::new();
        while text.len() < length {
            text.push(self.pick(&['a', ';', '\0', 'é', '\u{7FF}', '世', '\u{FFFF}', '🚀']));
        }
        text.into_bytes()[..length].to_vec()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// Miri looks for undefined behaviour; a part of the tables and rounds shows that.
const STEP: usize = if cfg!(miri) { 5 } else { 1 };

/// Lengths around all borders, and without Miri all up to eight blocks.
fn lengths() -> Vec<usize> {
    if cfg!(miri) {
        vec![
            0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 127, 128, 255, 256, 257, 325,
        ]
    } else {
        (0..=512).collect()
    }
}

/// ASCII, cut text and noise of each length, each at several alignments.
fn samples(mut check: impl FnMut(&[u8])) {
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    for length in lengths() {
        for i in 0..if cfg!(miri) { 1 } else { 4 } {
            let shift = (length + 17 * i) % BLOCK;
            let kinds = [
                vec![b'a'; shift + length],
                [vec![0xBF; shift], noise.text(length)].concat(),
                noise.bytes(shift + length),
            ];
            for bytes in kinds {
                check(&bytes[shift..]);
            }
        }
    }
}

/// Byte sequences that are not UTF-8, and some that nearly are not.
const SEQUENCES: [&[u8]; 26] = [
    b"\x80",
    b"\xBF\xBF",
    b"\xC0\x80",
    b"\xC1\xBF",
    b"\xC2",
    b"\xC2\x80",
    b"\xDF\xBF\x80",
    b"\xE0\x9F\xBF",
    b"\xE0\xA0\x80",
    b"\xE1\x80",
    b"\xE4\xB8\x96\x96",
    b"\xED\x9F\xBF",
    b"\xED\xA0\x80",
    b"\xEF\xBF\xBF",
    b"\xF0\x80\x80\x80",
    b"\xF0\x8F\xBF\xBF",
    b"\xF0\x90\x80\x80",
    b"\xF0\x9F\x9A",
    b"\xF0\x9F",
    b"\xF0",
    b"\xF1\x80\x80\x80\x80",
    b"\xF4\x8F\xBF\xBF",
    b"\xF4\x90\x80\x80",
    b"\xF5\x80\x80\x80",
    b"\xF8\x88\x80\x80\x80",
    b"\xFF",
];

/// Each sequence at each offset, or under Miri at the borders of vectors, blocks and
/// groups of blocks, within ASCII and after text of longer codepoints. Only what stands
/// before a group of ASCII shows whether that is taken to end a sequence.
fn sequences(mut check: impl FnMut(&[u8])) {
    let offsets: Vec<usize> = if cfg!(miri) {
        vec![0, 253]
    } else {
        (0..=330).collect()
    };
    let wide = "世é🚀".repeat(40);
    for offset in offsets {
        let cut = wide.floor_char_boundary(offset);
        let text = [&wide.as_bytes()[..cut], &b"aaa"[..offset - cut]].concat();
        for sequence in SEQUENCES.into_iter().step_by(STEP) {
            check(&[&vec![b'a'; offset], sequence, b"the end"].concat());
            check(&[&text, sequence, &[b'a'; 5 * BLOCK]].concat());
            check(&[&text, sequence].concat());
        }
    }
}

#[test]
fn the_best_kernel_is_that_of_the_target() {
    let expected: &[Level] = if cfg!(guac_no_simd) {
        &[Level::Swar]
    } else if cfg!(target_arch = "x86_64") {
        &[Level::Sse2, Level::Avx2, Level::Avx512]
    } else if cfg!(target_arch = "aarch64") {
        &[Level::Neon]
    } else if cfg!(all(target_arch = "wasm32", target_feature = "simd128")) {
        &[Level::Simd128]
    } else {
        &[Level::Swar]
    };
    assert!(expected.contains(&Level::detect()), "{:?}", Level::detect());
    // Whoever runs the tests may know better which one it has to be.
    if let Ok(name) = std::env::var("GUAC_KERNEL") {
        assert_eq!(format!("{:?}", Level::detect()), name);
    }
}

/// What the primitives of a kernel say of four blocks.
#[derive(Debug, PartialEq)]
struct Answers {
    masks: Vec<[u64; 9]>,
    any_non_ascii: bool,
    tally: usize,
    selected: Vec<u32>,
}

struct Ask<'a>(&'a [[u8; BLOCK]; 4]);

impl Task for Ask<'_> {
    type Output = Answers;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Answers {
        let blocks = [0, 1, 2, 3].map(|i| kernel.load(&self.0[i]));
        let masks = |block| {
            let [bit_0, bit_1, bit_2, bit_3] = [0, 1, 2, 3].map(|bit| kernel.bit(block, bit));
            let (commas, ends) = (kernel.equal(block, b','), kernel.equal(block, b';'));
            let (digits, leads) = (kernel.digits(block), kernel.leads(block));
            let others = kernel.non_ascii(block);
            [
                commas, ends, digits, leads, others, bit_0, bit_1, bit_2, bit_3,
            ]
        };
        let leads = kernel.leads(blocks[0]);
        let tally = blocks.into_iter().fold(kernel.tally(), |tally, block| {
            kernel.tally_add(tally, block)
        });
        Answers {
            masks: blocks.into_iter().map(masks).collect(),
            any_non_ascii: kernel.any_non_ascii(blocks),
            tally: kernel.tally_sum(tally),
            selected: (0..leads.count_ones())
                .map(|n| kernel.select(leads, n))
                .collect(),
        }
    }
}

#[test]
fn primitives_agree_with_the_reference() {
    let mut noise = Noise(1);
    let ascii = [[b'a'; BLOCK]; 4];
    for round in 0..if cfg!(miri) { 1 } else { 300 } {
        let bytes = if round % 2 == 0 {
            noise.bytes(4 * BLOCK)
        } else {
            noise.text(4 * BLOCK)
        };
        let mut rare = ascii;
        rare[noise.below(4)][noise.below(BLOCK)] = noise.next() as u8;
        let mut single_bit = [[0; BLOCK]; 4];
        single_bit[noise.below(4)][noise.below(BLOCK)] = 1 << noise.below(8);
        for blocks in [
            bytes.as_chunks().0.as_chunks().0[0],
            rare,
            single_bit,
            ascii,
        ] {
            let expected = run(Selected::new(Level::Scalar), Ask(&blocks));
            for level in levels() {
                let found = run(Selected::new(level), Ask(&blocks));
                assert_eq!(found, expected, "{level:?} {blocks:?}");
            }
        }
    }
}

fn is_first(byte: u8) -> bool {
    !(0x80..=0xBF).contains(&byte)
}

#[test]
fn counts() {
    samples(|bytes| {
        let expected = bytes.iter().filter(|&&byte| is_first(byte)).count();
        for level in levels() {
            assert_eq!(count_with(level, bytes), expected, "{level:?} {bytes:?}");
        }
    });
}

#[test]
fn counts_more_than_a_tally_holds() {
    for (piece, length) in [("a", 1), ("é", 2), ("🚀", 4)] {
        let text = piece.repeat(if cfg!(miri) { 70 } else { 700 } * BLOCK / length);
        for level in levels() {
            let expected = text.len() / length;
            assert_eq!(count_with(level, text.as_bytes()), expected, "{level:?}");
        }
    }
}

#[test]
fn finds_the_nth() {
    let mut noise = Noise(2);
    samples(|bytes| {
        let firsts = (0..bytes.len()).filter(|&i| is_first(bytes[i]));
        let mut offsets: Vec<_> = firsts.map(Some).collect();
        let all = offsets.len();
        offsets.extend([Some(bytes.len()), None]);
        let some = [0, 1, noise.below(all + 1), noise.below(all + 1)];
        for n in some.into_iter().chain(all.saturating_sub(1)..all + 2) {
            let expected = offsets[n.min(all + 1)];
            for level in levels() {
                let found = offset_of_nth_with(level, bytes, n);
                assert_eq!(found, expected, "{level:?} {n} {bytes:?}");
            }
        }
    });
}

fn check_validate(bytes: &[u8]) {
    let expected = core::str::from_utf8(bytes).map_err(|error| error.valid_up_to());
    for level in levels() {
        let found = validate_with(level, bytes);
        assert_eq!(found, expected, "{level:?} {bytes:x?}");
    }
}

#[test]
fn validates() {
    samples(check_validate);
    sequences(check_validate);
}

/// Decodes one value that is cut out by the kernel, not by the parser of short
/// instructions.
fn check_value(value: &[u8]) {
    let lossy = String::from_utf8_lossy(value);
    let head = format!("4.blob,1.7,{}.", lossy.chars().count());
    let stream = [head.as_bytes(), value, b";3.nop;"].concat();
    let expected = core::str::from_utf8(value).map_err(|error| Error {
        kind: ErrorKind::InvalidUtf8,
        offset: (head.len() + error.valid_up_to()) as u64,
    });
    for level in levels() {
        let mut decoder = Decoder::with_level(Limits::NONE, level);
        let found = match decoder.decode(&stream) {
            Ok(Decoded::Complete { instruction, .. }) => Ok(instruction.get(2).unwrap_or("none")),
            Ok(Decoded::Incomplete) => Ok("incomplete"),
            Err(error) => Err(error),
        };
        assert_eq!(found, expected, "{level:?} {value:x?}");
    }
}

#[test]
fn decodes_values() {
    samples(check_value);
    sequences(check_value);
}

/// A stream and what it holds.
struct Stream {
    bytes: Vec<u8>,
    instructions: Vec<(Range<usize>, Vec<String>)>,
}

impl Stream {
    fn push(&mut self, elements: Vec<String>) {
        let start = self.bytes.len();
        for (i, element) in elements.iter().enumerate() {
            let separator = if i == 0 { "" } else { "," };
            let text = format!("{separator}{}.{element}", element.chars().count());
            self.bytes.extend_from_slice(text.as_bytes());
        }
        self.bytes.push(b';');
        self.instructions.push((start..self.bytes.len(), elements));
    }

    fn noisy(noise: &mut Noise, instructions: usize) -> Self {
        let (bytes, instructions_empty) = (Vec::new(), Vec::new());
        let mut stream = Self {
            bytes,
            instructions: instructions_empty,
        };
        let values = [
            "",
            "0",
            "-1",
            "1024",
            "image/png",
            "1.a,1.b;",
            ";",
            "Grüße 世界 🚀",
        ];
        for _ in 0..instructions {
            let mut elements = vec![String::from(
                noise.pick(&["sync", "mouse", "", "blob", "é"]),
            )];
            for _ in 0..noise.below(12) {
                let times = noise.pick(&[1, 1, 1, 1, 1, 1, 1, 9, 70]);
                elements.push(noise.pick(&values).repeat(times));
            }
            stream.push(elements);
        }
        stream
    }
}

/// Gives the stream piece by piece to `take`, which answers how many bytes it has
/// finished with.
fn feed(stream: &[u8], piece: usize, mut take: impl FnMut(&[u8]) -> usize) {
    let mut done = 0;
    for end in (0..stream.len()).step_by(piece).chain([stream.len()]) {
        done += take(&stream[done..end]);
    }
    assert_eq!(done, stream.len());
}

fn check_decoder(stream: &Stream, level: Level, piece: usize) {
    let mut decoder = Decoder::with_level(Limits::GUACD, level);
    let mut found = Vec::new();
    feed(&stream.bytes, piece, |buffer| {
        let start = decoder.stream_offset() as usize;
        let mut offset = start;
        let scan = decoder.decode_all(buffer, |instruction| {
            let range = offset..offset + instruction.raw().len();
            offset = range.end;
            found.push((range, instruction.elements().map(String::from).collect()));
        });
        assert!(!matches!(scan.end, ScanEnd::Error(_)), "{level:?} {scan:?}");
        assert_eq!(offset - start, scan.length);
        scan.length
    });
    assert!(found == stream.instructions, "{level:?} {piece} {found:?}");
}

fn check_scanner(stream: &Stream, level: Level, piece: usize) {
    let mut scanner = Scanner::with_level(Limits::GUACD, level);
    let mut found = Vec::new();
    feed(&stream.bytes, piece, |buffer| {
        let start = scanner.stream_offset() as usize;
        let scan = scanner.scan(buffer, |scanned| {
            let Range { start: from, end } = scanned.range;
            found.push((start + from..start + end, scanned.opcode));
        });
        scan.length
    });
    let expected = stream.instructions.iter();
    let expected = expected.map(|(range, elements)| (range.clone(), Opcode::from(&*elements[0])));
    assert!(found.iter().cloned().eq(expected), "{level:?} {piece}");
}

#[test]
fn decodes_and_scans_streams() {
    let mut noise = Noise(3);
    for _ in 0..if cfg!(miri) { 1 } else { 20 } {
        let stream = Stream::noisy(&mut noise, if cfg!(miri) { 6 } else { 60 });
        for level in levels() {
            for piece in [61, 128, usize::MAX] {
                check_decoder(&stream, level, piece);
                check_scanner(&stream, level, piece);
            }
        }
    }
}

/// Checks the error of a stream, also with enough in front of it and after it for the
/// parser of short instructions.
fn check_error(stream: &str, kind: ErrorKind, offset: u64) {
    for nops in [0, 1, 9, 11, 10, 31].into_iter().step_by(STEP) {
        let stream = ["3.nop;".repeat(nops).as_str(), stream, &"x".repeat(BLOCK)].concat();
        let offset = 6 * nops as u64 + offset;
        let expected = ScanEnd::Error(Error { kind, offset });
        for level in levels() {
            let mut decoder = Decoder::with_level(Limits::GUACD, level);
            let decoded = decoder.decode_all(stream.as_bytes(), |_| {});
            assert_eq!(decoded.end, expected, "{level:?} {stream}");
            assert_eq!(decoded.instructions, nops);
            let mut scanner = Scanner::with_level(Limits::GUACD, level);
            assert_eq!(scanner.scan(stream.as_bytes(), |_| {}), decoded);
        }
    }
}

#[test]
fn errors_are_the_same() {
    check_error(";", ErrorKind::InvalidLength, 0);
    check_error("4.sync,1x.1;", ErrorKind::InvalidLength, 8);
    check_error("4.sync,-1.1;", ErrorKind::InvalidLength, 7);
    check_error("4.sync,.;", ErrorKind::EmptyLength, 7);
    check_error("4.sync,01.1;", ErrorKind::LeadingZero, 7);
    check_error("4.sync,00.;", ErrorKind::LeadingZero, 7);
    check_error("4.sync,8193.1;", ErrorKind::ElementTooLong, 7);
    check_error("4.sync,2.1;3.nop;", ErrorKind::InvalidTerminator, 11);
    check_error("3.sync;", ErrorKind::InvalidTerminator, 5);
    check_error("4.sync,1.12;", ErrorKind::InvalidTerminator, 10);
    check_error("5.sync,1.1;", ErrorKind::InvalidTerminator, 7);
}
