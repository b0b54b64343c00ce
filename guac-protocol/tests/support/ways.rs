//! All ways to parse a stream with the library, with one kind of answer.

use guac_protocol::codepoint::Level;
use guac_protocol::{
    Decoded, Decoder, Error, ErrorKind, Instruction, Limits, Opcode, Scan, ScanEnd, Scanner,
};

use super::reference::{self, End, Fault, Found, Outcome, Rules};

/// The same limits for the reference.
pub fn rules(limits: &Limits) -> Rules {
    Rules {
        digits: limits.length_digits.into(),
        codepoints: limits.element_codepoints,
        elements: limits.elements as u64,
        bytes: limits.instruction_bytes,
        units: limits.instruction_utf16_units,
    }
}

/// What the reference answers.
pub fn expected(limits: &Limits, stream: &[u8]) -> Outcome {
    // A limit that is not there: `u32::MAX` and `usize::MAX` are no numbers to reach.
    reference::parse(&rules(limits), stream)
}

/// The kernels that this machine has.
pub fn levels() -> Vec<Level> {
    let available = Level::ALL.into_iter().filter(|level| level.available());
    available.collect()
}

/// The fault that an error is.
pub fn fault(error: Error) -> End {
    let fault = match error.kind {
        ErrorKind::InvalidLength => Fault::InvalidLength,
        ErrorKind::EmptyLength => Fault::EmptyLength,
        ErrorKind::LeadingZero => Fault::LeadingZero,
        ErrorKind::LengthTooLong => Fault::LengthTooLong,
        ErrorKind::ElementTooLong => Fault::ElementTooLong,
        ErrorKind::TooManyElements => Fault::TooManyElements,
        ErrorKind::InstructionTooLong => Fault::InstructionTooLong,
        ErrorKind::InvalidUtf8 => Fault::InvalidUtf8,
        ErrorKind::InvalidTerminator => Fault::InvalidTerminator,
        _ => panic!("an error that the reference does not know: {error}"),
    };
    End::Fault(fault, error.offset)
}

/// A way to parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Decode,
    DecodeAll,
    Scan,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Decode, Self::DecodeAll, Self::Scan];
}

/// Parses a stream that arrives in pieces of the given sizes, and the rest in one piece.
/// Bytes that were taken are dropped, as a caller does.
pub fn outcome(
    way: Way,
    level: Level,
    limits: &Limits,
    stream: &[u8],
    pieces: impl IntoIterator<Item = usize>,
) -> Outcome {
    match way {
        Way::Decode => feed(
            OneByOne(Decoder::with_level(*limits, level)),
            stream,
            pieces,
        ),
        Way::DecodeAll => feed(
            AllAtOnce(Decoder::with_level(*limits, level)),
            stream,
            pieces,
        ),
        Way::Scan => feed(
            Boundaries(Scanner::with_level(*limits, level)),
            stream,
            pieces,
        ),
    }
}

/// The stream in one piece.
pub fn whole() -> impl IntoIterator<Item = usize> {
    std::iter::empty()
}

/// The stream byte by byte.
pub fn bytes() -> impl IntoIterator<Item = usize> {
    std::iter::repeat(1)
}

/// Checks that a stream in one piece gives the same in every way, under every kernel.
pub fn check_whole(name: &str, limits: &Limits, stream: &[u8], expected: &Outcome) {
    check(name, limits, stream, expected, whole);
}

/// As [`check_whole`], byte by byte.
pub fn check_by_bytes(name: &str, limits: &Limits, stream: &[u8], expected: &Outcome) {
    check(name, limits, stream, expected, bytes);
}

/// As [`check_whole`], in pieces.
pub fn check<I: IntoIterator<Item = usize>>(
    name: &str,
    limits: &Limits,
    stream: &[u8],
    expected: &Outcome,
    pieces: impl Fn() -> I,
) {
    for level in levels() {
        for way in Way::ALL {
            let found = outcome(way, level, limits, stream, pieces());
            assert_same(&found, expected, || {
                let pieces: Vec<usize> = pieces().into_iter().take(4).collect();
                format!("{name}: {way:?}, {level:?}, pieces {pieces:?}")
            });
        }
    }
}

/// As `assert_eq`, but says only where the first difference is.
pub fn assert_same(found: &Outcome, expected: &Outcome, name: impl Fn() -> String) {
    let pairs = found.instructions.iter().zip(&expected.instructions);
    for (i, (found, expected)) in pairs.enumerate() {
        assert_eq!(found, expected, "{}: instruction {i}", name());
    }
    assert_eq!(found.end, expected.end, "{}: end", name());
    let (found, expected) = (found.instructions.len(), expected.instructions.len());
    assert_eq!(found, expected, "{}: instructions", name());
}

/// A parser that is given the bytes which it has not taken yet.
trait Parse {
    /// Parses as far as it goes; what it found goes to `found`, with ranges in the
    /// buffer. Answers how many bytes it took, and the error.
    fn parse(&mut self, buffer: &[u8], found: &mut Vec<Found>) -> (usize, Option<Error>);
    /// Bytes of the stream that were taken.
    fn stream_offset(&self) -> u64;
}

fn feed(mut parser: impl Parse, stream: &[u8], pieces: impl IntoIterator<Item = usize>) -> Outcome {
    let mut pieces = pieces.into_iter();
    let (mut buffer, mut rest) = (Vec::new(), stream);
    let (mut instructions, mut taken) = (Vec::new(), 0);
    loop {
        let piece = pieces.next().unwrap_or(rest.len()).min(rest.len());
        buffer.extend_from_slice(&rest[..piece]);
        rest = &rest[piece..];
        let mut found = Vec::new();
        let (length, error) = parser.parse(&buffer, &mut found);
        for Found { elements, range } in found {
            let range = taken + range.start..taken + range.end;
            instructions.push(Found { elements, range });
        }
        taken += length;
        assert_eq!(parser.stream_offset(), taken as u64, "stream_offset");
        buffer.drain(..length);
        if let Some(error) = error {
            assert_stays_failed(&mut parser, error);
            let end = fault(error);
            return Outcome { instructions, end };
        }
        if rest.is_empty() {
            let end = if buffer.is_empty() {
                End::Whole
            } else {
                End::Incomplete
            };
            return Outcome { instructions, end };
        }
    }
}

fn assert_stays_failed(parser: &mut impl Parse, error: Error) {
    let mut found = Vec::new();
    let again = parser.parse(b"3.nop;", &mut found);
    assert_eq!(again, (0, Some(error)), "a failed parser goes on");
    assert!(found.is_empty(), "a failed parser goes on");
}

struct OneByOne(Decoder);

impl Parse for OneByOne {
    fn parse(&mut self, buffer: &[u8], found: &mut Vec<Found>) -> (usize, Option<Error>) {
        let mut length = 0;
        loop {
            match self.0.decode(&buffer[length..]) {
                Ok(Decoded::Complete {
                    instruction,
                    consumed,
                }) => {
                    let range = length..length + consumed;
                    found.push(checked(&instruction, &buffer[range.clone()], range));
                    length += consumed;
                }
                Ok(Decoded::Incomplete) => return (length, None),
                Err(error) => return (length, Some(error)),
            }
        }
    }

    fn stream_offset(&self) -> u64 {
        self.0.stream_offset()
    }
}

struct AllAtOnce(Decoder);

impl Parse for AllAtOnce {
    fn parse(&mut self, buffer: &[u8], found: &mut Vec<Found>) -> (usize, Option<Error>) {
        let (mut length, mut count) = (0, 0);
        let scan = self.0.decode_all(buffer, |instruction| {
            let range = length..length + instruction.raw().len();
            length = range.end;
            count += 1;
            found.push(checked(&instruction, &buffer[range.clone()], range));
        });
        assert_eq!(scan.instructions, count, "instructions");
        assert_eq!(scan.length, length, "length");
        ended(&scan, buffer)
    }

    fn stream_offset(&self) -> u64 {
        self.0.stream_offset()
    }
}

struct Boundaries(Scanner);

impl Parse for Boundaries {
    fn parse(&mut self, buffer: &[u8], found: &mut Vec<Found>) -> (usize, Option<Error>) {
        let (mut length, mut count) = (0, 0);
        let scan = self.0.scan(buffer, |scanned| {
            assert_eq!(scanned.range.start, length, "a gap between instructions");
            length = scanned.range.end;
            count += 1;
            let raw = &buffer[scanned.range.clone()];
            let elements = elements(raw);
            assert_eq!(scanned.opcode_str(buffer), elements[0], "opcode");
            assert_eq!(scanned.opcode, opcode(&elements[0]), "opcode");
            let range = scanned.range;
            found.push(Found { elements, range });
        });
        assert_eq!(scan.instructions, count, "instructions");
        assert_eq!(scan.length, length, "length");
        ended(&scan, buffer)
    }

    fn stream_offset(&self) -> u64 {
        self.0.stream_offset()
    }
}

/// Checks that a scan says of its end what is so.
fn ended(scan: &Scan, buffer: &[u8]) -> (usize, Option<Error>) {
    let error = match scan.end {
        ScanEnd::Boundary => {
            assert_eq!(scan.length, buffer.len(), "a boundary that is none");
            None
        }
        ScanEnd::Incomplete => {
            assert!(
                scan.length < buffer.len(),
                "incomplete, but nothing is left"
            );
            None
        }
        ScanEnd::Error(error) => Some(error),
    };
    assert_eq!(scan.into_result(), error.map_or(Ok(scan.length), Err));
    (scan.length, error)
}

/// The elements of one instruction, as the reference finds them.
fn elements(raw: &[u8]) -> Vec<String> {
    let mut found = reference::parse(&Rules::GRAMMAR, raw).instructions;
    assert_eq!(
        found.len(),
        1,
        "not one instruction: {}",
        raw.escape_ascii()
    );
    found.remove(0).elements
}

/// The opcode with a text, found by comparing.
fn opcode(text: &str) -> Opcode {
    let mut all = Opcode::ALL.iter().copied();
    let found = all.find(|opcode| opcode.as_str() == text);
    found.unwrap_or(Opcode::Unknown)
}

/// The elements of an instruction, after checking that all its methods agree, and that
/// what calls itself text is UTF-8.
pub fn checked(instruction: &Instruction<'_>, raw: &[u8], range: std::ops::Range<usize>) -> Found {
    assert_eq!(instruction.raw(), raw, "raw");
    assert!(
        std::str::from_utf8(instruction.raw()).is_ok(),
        "raw is not UTF-8"
    );
    let mut elements = Vec::with_capacity(instruction.len());
    for element in instruction.elements() {
        let text = std::str::from_utf8(element.as_bytes());
        elements.push(text.expect("an element is not UTF-8").to_owned());
    }
    assert_eq!(instruction.len(), elements.len(), "len");
    assert!(!instruction.is_empty(), "is_empty");
    assert_eq!(
        instruction.elements().len(),
        elements.len(),
        "elements().len()"
    );
    // Beyond the first 128, each is searched for from the start: look at a few.
    let (near, far) = elements.split_at(elements.len().min(140));
    for (i, element) in near.iter().enumerate() {
        assert_eq!(instruction.get(i), Some(&element[..]), "get({i})");
    }
    if let Some(last) = far.last() {
        assert_eq!(instruction.get(elements.len() - 1), Some(&last[..]), "last");
    }
    assert_eq!(instruction.get(elements.len()), None, "get beyond the end");
    assert!(instruction.args().eq(&elements[1..]), "args");
    assert_eq!(instruction.opcode_str(), elements[0], "opcode_str");
    assert_eq!(instruction.opcode(), opcode(&elements[0]), "opcode");
    Found { elements, range }
}
