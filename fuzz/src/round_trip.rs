//! Whatever is encoded decodes to the same elements, and whatever decodes encodes to the
//! same bytes; an encoder refuses just what a decoder with the same limits does.

use core::fmt::Write;

use bytes::BufMut;
use guac_protocol::{Decoded, Decoder, EncodeError, Encoder, Limits, ScanEnd};

use crate::reference::{self, End};

/// Input: the numbers of the limits, and of what to do: 0 to 3 for a sink, 4 to decode
/// first (modulo 5); then elements with a byte FF between them, or a stream.
pub fn run(data: &[u8]) {
    let [limits, what, rest @ ..] = data else {
        return;
    };
    let limits = crate::limits(*limits);
    if what % 5 == 4 {
        return check_stream(limits, rest);
    }
    let texts = rest.split(|&byte| byte == 0xFF);
    let texts: Vec<_> = texts.map(String::from_utf8_lossy).collect();
    let elements: Vec<&str> = texts.iter().map(|text| &**text).collect();
    check_elements(limits, what % 5, &elements);
}

/// What the encoder has to write.
fn plain(elements: &[&str]) -> String {
    let mut text = String::new();
    for (i, element) in elements.iter().enumerate() {
        let separator = if i == 0 { "" } else { "," };
        let length = element.chars().count();
        let written = write!(text, "{separator}{length}.{element}");
        assert!(written.is_ok());
    }
    text + ";"
}

fn check_elements(limits: Limits, sink_number: u8, elements: &[&str]) {
    let expected = plain(elements);
    let encoder = Encoder::new(limits);
    let accepted = match reference::parse(expected.as_bytes(), &limits).end {
        End::Boundary => true,
        End::Incomplete => unreachable!("the plain text of an instruction is whole"),
        End::Error(..) => false,
    };
    let length = encoder.encoded_len(elements);
    assert_eq!(length.is_ok(), accepted, "{length:?}");
    let sink = Sink {
        encoder,
        elements,
        length,
        text: if accepted { &expected } else { "" },
    };
    sink.check(sink_number);
    if accepted {
        check_decode(limits, elements, &expected);
    }
}

/// Where an instruction goes.
struct Sink<'a> {
    encoder: Encoder,
    elements: &'a [&'a str],
    length: Result<usize, EncodeError>,
    /// All that is written, or nothing where the limits refuse.
    text: &'a str,
}

impl Sink<'_> {
    fn check(&self, number: u8) {
        match number {
            0 => self.vec(),
            1 => self.buf(),
            2 => self.fmt(),
            _ => self.slice(),
        }
    }

    fn vec(&self) {
        let mut vec = b"front".to_vec();
        assert_eq!(
            self.encoder.encode_vec(self.elements, &mut vec),
            self.length
        );
        let written = vec.strip_prefix(b"front").unwrap_or_default();
        assert_eq!(written, self.text.as_bytes());
    }

    fn fmt(&self) {
        let mut text = String::from("front");
        assert_eq!(
            self.encoder.encode_fmt(self.elements, &mut text),
            self.length
        );
        assert_eq!(text.strip_prefix("front"), Some(self.text));
    }

    fn slice(&self) {
        let mut room = vec![b'-'; self.text.len() + 1];
        let mut short = &mut room[..self.text.len().saturating_sub(1)];
        let encode = |room: &mut [u8]| self.encoder.encode_slice(self.elements, room);
        assert_eq!(encode(short), self.no_room());
        let refused = self.encoder.encode_buf(self.elements, &mut short);
        assert_eq!(refused, self.no_room());
        assert!(room.iter().all(|&byte| byte == b'-'));
        assert_eq!(encode(&mut room), self.length);
        assert_eq!(room, [self.text, "-"].concat().as_bytes());
    }

    fn buf(&self) {
        let mut buf = Vec::new().limit(self.text.len());
        assert_eq!(
            self.encoder.encode_buf(self.elements, &mut buf),
            self.length
        );
        assert_eq!(buf.get_ref(), self.text.as_bytes());
        assert_eq!(buf.remaining_mut(), 0);
    }

    /// The answer where a byte is missing.
    fn no_room(&self) -> Result<usize, EncodeError> {
        self.length.and(Err(EncodeError::NoRoom))
    }
}

fn check_decode(limits: Limits, elements: &[&str], text: &str) {
    let mut decoder = Decoder::new(limits);
    match decoder.decode(text.as_bytes()) {
        Ok(Decoded::Complete {
            instruction,
            consumed,
        }) => {
            assert_eq!(consumed, text.len());
            assert!(instruction.elements().eq(elements.iter().copied()));
        }
        other => unreachable!("{other:?}"),
    }
}

fn check_stream(limits: Limits, stream: &[u8]) {
    let encoder = Encoder::new(limits);
    let mut decoder = Decoder::new(limits);
    let mut encoded = Vec::new();
    let scan = decoder.decode_all(stream, |instruction| {
        let length = encoder.encode_vec(&instruction, &mut encoded);
        assert_eq!(length, Ok(instruction.raw().len()));
    });
    assert_eq!(encoded, &stream[..scan.length]);
    if scan.end == ScanEnd::Boundary {
        assert_eq!(encoded, stream);
    }
}
