//! What is measured, and what it answers. Each answer depends on all of the work, and
//! each bench asserts it.

use guac_protocol::{Decoded, Decoder, Encoder, Limits, Scanner};

use crate::plain::{self, TextBytes};

/// What was found in the values of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Instructions.
    pub instructions: usize,
    /// Elements, opcodes included.
    pub elements: usize,
    /// Lengths of all values in bytes, and the first byte of each: proof that somebody
    /// knew where they are.
    pub sum: u64,
}

impl Values {
    /// Reads a value, in the same way for all decoders.
    #[inline(always)]
    fn read(&mut self, value: &[u8]) {
        let first = value.first().copied().unwrap_or_default();
        self.elements += 1;
        self.sum += value.len() as u64 + u64::from(first);
    }
}

/// Instructions per opcode, as `Opcode as usize`.
pub type Opcodes = [u64; 256];

/// `Scanner::scan` over the whole stream, counting opcodes.
#[must_use]
pub fn scan(mut scanner: Scanner, bytes: &[u8]) -> Opcodes {
    let mut opcodes = [0; 256];
    let scan = scanner.scan(bytes, |found| opcodes[found.opcode as usize] += 1);
    assert_eq!(scan.length, bytes.len());
    opcodes
}

/// `Decoder::decode` in a loop, reading every value.
///
/// # Panics
/// Where the stream is not valid.
#[must_use]
pub fn decode(mut decoder: Decoder, bytes: &[u8]) -> Values {
    let (mut values, mut rest) = (Values::default(), bytes);
    loop {
        match decoder.decode(rest) {
            Ok(Decoded::Complete {
                instruction,
                consumed,
            }) => {
                values.instructions += 1;
                instruction
                    .elements()
                    .for_each(|value| values.read(value.as_bytes()));
                rest = &rest[consumed..];
            }
            Ok(Decoded::Incomplete) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(rest.is_empty());
    values
}

/// `Decoder::decode_all`, reading every value.
#[must_use]
pub fn decode_all(mut decoder: Decoder, bytes: &[u8]) -> Values {
    let mut values = Values::default();
    let scan = decoder.decode_all(bytes, |instruction| {
        instruction
            .elements()
            .for_each(|value| values.read(value.as_bytes()));
    });
    assert_eq!(scan.length, bytes.len());
    values.instructions = scan.instructions;
    values
}

/// The plain codec, looking only for the ends of instructions; answers how many there
/// are.
///
/// # Panics
/// Where the stream is not valid.
#[must_use]
pub fn plain_scan(bytes: &[u8], text_bytes: impl TextBytes + Copy) -> usize {
    let (mut instructions, mut rest) = (0, bytes);
    while let Some(length) = plain_answer(plain::walk(rest, text_bytes, |_| {})) {
        instructions += 1;
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    instructions
}

/// The plain codec, keeping the values of an instruction and then reading them: the same
/// service as a decoder's.
///
/// # Panics
/// Where the stream is not valid.
#[must_use]
pub fn plain_decode(bytes: &[u8], text_bytes: impl TextBytes + Copy) -> Values {
    let mut values = Values::default();
    let mut kept = [&[][..]; plain::ELEMENTS];
    let mut rest = bytes;
    while let Some((count, length)) = plain_answer(plain::decode(rest, text_bytes, &mut kept)) {
        values.instructions += 1;
        kept[..count].iter().for_each(|value| values.read(value));
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    values
}

/// The plain codec, reading each value as it is found, before anything is known of the
/// instruction: less than a decoder does, and the least that reads every value.
///
/// # Panics
/// Where the stream is not valid.
#[must_use]
pub fn plain_walk(bytes: &[u8]) -> Values {
    let (mut values, mut rest) = (Values::default(), bytes);
    while let Some(length) = plain_answer(plain::walk(rest, plain::by_blocks, |value| {
        values.read(value)
    })) {
        values.instructions += 1;
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    values
}

#[inline]
fn plain_answer<T>(found: Result<Option<T>, &'static str>) -> Option<T> {
    found.unwrap_or_else(|error| panic!("{error}"))
}

/// The instructions of a stream as texts, to be encoded again.
pub struct Texts<'a> {
    elements: Vec<&'a str>,
    /// Where the elements of each instruction end.
    ends: Vec<usize>,
}

impl<'a> Texts<'a> {
    /// Takes a stream apart.
    ///
    /// # Panics
    /// Where the stream is not valid.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let (mut elements, mut ends, mut rest) = (Vec::new(), Vec::new(), bytes);
        let text = |value| match core::str::from_utf8(value) {
            Ok(text) => text,
            Err(error) => panic!("{error}"),
        };
        while let Some(length) = plain_answer(plain::walk(rest, plain::by_blocks, |v| {
            elements.push(text(v))
        })) {
            ends.push(elements.len());
            rest = &rest[length..];
        }
        Self { elements, ends }
    }

    /// Elements of one instruction after the other.
    pub fn instructions(&self) -> impl Iterator<Item = &[&'a str]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let instruction = &self.elements[start..end];
            start = end;
            instruction
        })
    }
}

/// Bytes after which an output buffer is emptied, as by a write to a socket.
const FLUSH: usize = 64 * 1024;

/// Encodes all instructions into one vector, emptied now and then; answers how many
/// bytes that gave.
pub fn encode_each(
    texts: &Texts<'_>,
    out: &mut Vec<u8>,
    mut encode: impl FnMut(&[&str], &mut Vec<u8>),
) -> usize {
    let mut bytes = 0;
    for instruction in texts.instructions() {
        encode(instruction, out);
        if out.len() >= FLUSH {
            bytes += out.len();
            out.clear();
        }
    }
    bytes += out.len();
    out.clear();
    bytes
}

/// `Encoder::encode_vec` of every instruction.
///
/// # Panics
/// Where the limits refuse an instruction.
#[must_use]
pub fn encode(texts: &Texts<'_>, out: &mut Vec<u8>) -> usize {
    let encoder = Encoder::new(Limits::GUACD);
    encode_each(texts, out, |instruction, out| {
        if let Err(error) = encoder.encode_vec(instruction, out) {
            panic!("{error}");
        }
    })
}

/// The plain codec, encoding every instruction.
#[must_use]
pub fn plain_encode(texts: &Texts<'_>, out: &mut Vec<u8>) -> usize {
    encode_each(texts, out, plain::encode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{self, Profile};

    #[test]
    fn all_ways_agree() {
        for profile in Profile::ALL {
            let bytes = synthetic::stream(profile, 7, 100_000).bytes;
            let expected = plain_decode(&bytes, plain::by_blocks);
            let decoder = || Decoder::new(Limits::GUACD);
            assert_eq!(plain_walk(&bytes), expected);
            assert_eq!(plain_decode(&bytes, plain::by_indices), expected);
            assert_eq!(plain_scan(&bytes, plain::by_blocks), expected.instructions);
            assert_eq!(plain_scan(&bytes, plain::by_indices), expected.instructions);
            assert_eq!(decode(decoder(), &bytes), expected);
            assert_eq!(decode_all(decoder(), &bytes), expected);
            let opcodes = scan(Scanner::new(Limits::GUACD), &bytes);
            assert_eq!(opcodes.iter().sum::<u64>(), expected.instructions as u64);
        }
    }

    #[test]
    fn encoding_gives_the_stream_again() {
        for profile in Profile::ALL {
            let bytes = synthetic::stream(profile, 3, 2 * FLUSH).bytes;
            let texts = Texts::new(&bytes);
            let mut plain = Vec::new();
            texts
                .instructions()
                .for_each(|instruction| plain::encode(instruction, &mut plain));
            assert!(plain == bytes);
            assert_eq!(plain_encode(&texts, &mut Vec::new()), bytes.len());
            assert_eq!(encode(&texts, &mut Vec::new()), bytes.len());
        }
    }
}
