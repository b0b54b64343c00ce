//! Scanner, decoder, encoder and the plain codec side by side: all of them on one
//! stream, then all of them on the next.

mod support;

use std::error::Error;
use std::hint::black_box;

use benches::plain;
use benches::streams::{self, Stream};
use benches::work::{self, Texts};
use criterion::Criterion;
use guac_protocol::{Decoder, Limits, Scanner, codepoint};
use support::measure;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = support::criterion();
    for stream in &streams::all()? {
        scan(&mut criterion, stream);
        decode(&mut criterion, stream);
        encode(&mut criterion, stream);
        floor(&mut criterion, stream);
    }
    criterion.final_summary();
    Ok(())
}

/// Measures `work` on the bytes of a stream.
fn on(
    criterion: &mut Criterion,
    [group, bench]: [&str; 2],
    stream: &Stream,
    mut work: impl FnMut(&[u8]),
) {
    let id = [group, bench, &stream.name];
    measure(criterion, id, stream.bytes.len(), || {
        work(black_box(&stream.bytes));
    });
}

fn scan(criterion: &mut Criterion, stream: &Stream) {
    on(criterion, ["indices", "scan"], stream, |bytes| {
        let found = work::plain_scan(bytes, plain::by_indices);
        assert_eq!(found, stream.values.instructions);
    });
    on(criterion, ["plain", "scan"], stream, |bytes| {
        let found = work::plain_scan(bytes, plain::by_blocks);
        assert_eq!(found, stream.values.instructions);
    });
    on(criterion, ["scanner", "scan"], stream, |bytes| {
        let scanner = Scanner::new(Limits::GUACD);
        assert_eq!(work::scan(scanner, bytes), stream.opcodes);
    });
}

fn decode(criterion: &mut Criterion, stream: &Stream) {
    on(criterion, ["indices", "decode"], stream, |bytes| {
        let found = work::plain_decode(bytes, plain::by_indices);
        assert_eq!(found, stream.values);
    });
    on(criterion, ["plain", "decode"], stream, |bytes| {
        let found = work::plain_decode(bytes, plain::by_blocks);
        assert_eq!(found, stream.values);
    });
    on(criterion, ["plain", "walk"], stream, |bytes| {
        assert_eq!(work::plain_walk(bytes), stream.values);
    });
    on(criterion, ["decoder", "decode"], stream, |bytes| {
        let decoder = Decoder::new(Limits::GUACD);
        assert_eq!(work::decode(decoder, bytes), stream.values);
    });
    on(criterion, ["decoder", "decode_all"], stream, |bytes| {
        let decoder = Decoder::new(Limits::GUACD);
        assert_eq!(work::decode_all(decoder, bytes), stream.values);
    });
}

fn encode(criterion: &mut Criterion, stream: &Stream) {
    let texts = Texts::new(&stream.bytes);
    let length = stream.bytes.len();
    let mut out = Vec::new();
    let id = ["plain", "encode", &stream.name];
    measure(criterion, id, length, || {
        assert_eq!(work::plain_encode(black_box(&texts), &mut out), length);
    });
    let id = ["encoder", "encode_vec", &stream.name];
    measure(criterion, id, length, || {
        assert_eq!(work::encode(black_box(&texts), &mut out), length);
    });
}

/// What the machine does with the same bytes as one text, without a protocol.
fn floor(criterion: &mut Criterion, stream: &Stream) {
    let mut copy = vec![0; stream.bytes.len()];
    on(criterion, ["floor", "memcpy"], stream, |bytes| {
        copy.copy_from_slice(bytes);
        assert_eq!(black_box(&copy).last(), Some(&b';'));
    });
    on(criterion, ["floor", "from_utf8"], stream, |bytes| {
        assert!(std::str::from_utf8(bytes).is_ok());
    });
    on(criterion, ["floor", "simdutf8"], stream, |bytes| {
        assert!(simdutf8::basic::from_utf8(bytes).is_ok());
    });
    on(criterion, ["floor", "validate"], stream, |bytes| {
        assert!(codepoint::validate(bytes).is_ok());
    });
}
