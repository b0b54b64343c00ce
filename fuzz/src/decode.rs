//! Decoder and scanner, by each kernel and however the stream is cut, find what the
//! reference finds.

use guac_protocol::codepoint::Level;
use guac_protocol::{Decoded, Decoder, Error, Instruction, Limits, Opcode, Scan, ScanEnd, Scanner};

use crate::reference::{self, End, Parsed};

/// A stream, the limits for it, and how it is cut.
struct Case<'a> {
    stream: &'a [u8],
    limits: Limits,
    /// Lengths of the pieces, less one; used over and over. Without any, the stream
    /// comes in one piece.
    pieces: &'a [u8],
    expected: Parsed,
}

/// Input: the number of the limits; that of the way to parse, and above it that of the
/// kernel; how many lengths of pieces follow (modulo 8); these; the stream. With one way
/// and one kernel at a time, the fuzzer is several times as fast, and finds its way
/// through the code of each.
pub fn run(data: &[u8]) {
    let [limits, way, pieces, rest @ ..] = data else {
        return;
    };
    let Some((pieces, stream)) = rest.split_at_checked(usize::from(pieces % 8)) else {
        return;
    };
    let limits = crate::limits(*limits);
    let case = Case {
        stream,
        limits,
        pieces,
        expected: reference::parse(stream, &limits),
    };
    let level = crate::level(way / 3);
    match way % 3 {
        0 => case.decode(level),
        1 => case.decode_all(level),
        _ => case.scan(level),
    }
}

impl<'a> Case<'a> {
    /// Ends of what has arrived: after each piece, and of all of the stream.
    fn arrivals(&self) -> impl Iterator<Item = usize> {
        let pieces = self.pieces.iter().cycle();
        let ends = pieces.scan(0, |end, &piece| {
            *end += 1 + usize::from(piece);
            Some(*end)
        });
        ends.take_while(|&end| end < self.stream.len())
            .chain([self.stream.len()])
    }

    fn values(&self, index: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a, '_> {
        let values = self.expected.instructions[index].values.clone();
        let places = self.expected.values[values].iter();
        places.map(|place| &self.stream[place.clone()])
    }

    fn check_instruction(&self, index: usize, instruction: &Instruction<'_>) {
        let bytes = self.expected.instructions[index].bytes.clone();
        assert_eq!(instruction.raw(), &self.stream[bytes]);
        let values = self.values(index);
        assert_eq!(instruction.len(), values.len());
        assert_eq!(instruction.get(values.len()), None);
        assert_eq!(instruction.elements().len(), values.len());
        let mut elements = instruction.elements();
        for (i, value) in values.enumerate() {
            let element = elements.next().unwrap_or("none");
            assert_eq!(element.as_bytes(), value);
            assert_eq!(instruction.get(i), Some(element));
            // The library promises text without having the compiler's word for it.
            assert!(core::str::from_utf8(element.as_bytes()).is_ok());
        }
        assert_eq!(elements.next(), None);
        assert_eq!(instruction.opcode(), Opcode::from(instruction.opcode_str()));
    }

    fn check_error(&self, error: Error) {
        let end = End::Error(error.kind, error.offset as usize);
        assert_eq!(end, self.expected.end);
    }

    fn check_count(&self, found: usize) {
        assert_eq!(found, self.expected.instructions.len());
    }

    fn decode(&self, level: Level) {
        let mut decoder = Decoder::with_level(self.limits, level);
        let (mut found, mut done) = (0, 0);
        for end in self.arrivals() {
            loop {
                assert_eq!(decoder.stream_offset(), done as u64);
                match decoder.decode(&self.stream[done..end]) {
                    Ok(Decoded::Incomplete) => break,
                    Ok(Decoded::Complete {
                        instruction,
                        consumed,
                    }) => {
                        self.check_instruction(found, &instruction);
                        found += 1;
                        done += consumed;
                    }
                    Err(error) => {
                        self.check_error(error);
                        assert_eq!(decoder.decode(b"3.nop;").err(), Some(error));
                        return self.check_count(found);
                    }
                }
            }
        }
        self.check_count(found);
        let left = done < self.stream.len();
        let end = if left { End::Incomplete } else { End::Boundary };
        assert_eq!(end, self.expected.end);
    }

    fn decode_all(&self, level: Level) {
        let mut decoder = Decoder::with_level(self.limits, level);
        let mut found = 0;
        self.feed(|buffer| {
            decoder.decode_all(buffer, |instruction| {
                self.check_instruction(found, &instruction);
                found += 1;
            })
        });
        self.check_count(found);
    }

    fn scan(&self, level: Level) {
        let mut scanner = Scanner::with_level(self.limits, level);
        let mut found = 0;
        self.feed(|buffer| {
            let offset = scanner.stream_offset() as usize;
            scanner.scan(buffer, |scanned| {
                let expected = &self.expected.instructions[found];
                let range = offset + scanned.range.start..offset + scanned.range.end;
                assert_eq!(range, expected.bytes);
                let opcode = scanned.opcode_str(buffer);
                assert_eq!(Some(opcode.as_bytes()), self.values(found).next());
                assert_eq!(scanned.opcode, Opcode::from(opcode));
                found += 1;
            })
        });
        self.check_count(found);
    }

    /// Gives each piece to `take`, and checks what it says of where the stream ends.
    fn feed(&self, mut take: impl FnMut(&[u8]) -> Scan) {
        let (mut done, mut instructions) = (0, 0);
        let mut last = ScanEnd::Boundary;
        for end in self.arrivals() {
            let scan = take(&self.stream[done..end]);
            done += scan.length;
            instructions += scan.instructions;
            last = scan.end;
            if let ScanEnd::Error(error) = last {
                self.check_error(error);
                let again = take(b"3.nop;");
                assert_eq!((again.length, again.end), (0, last));
                break;
            }
            let boundary = last == ScanEnd::Boundary;
            assert_eq!(boundary, done == end);
        }
        self.check_count(instructions);
        match last {
            ScanEnd::Boundary => assert_eq!(self.expected.end, End::Boundary),
            ScanEnd::Incomplete => assert_eq!(self.expected.end, End::Incomplete),
            ScanEnd::Error(_) => {}
        }
    }
}
