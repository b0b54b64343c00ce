//! Every kernel that this machine can run, one after the other.

mod support;

use std::error::Error;
use std::hint::black_box;

use benches::chunks::{ROUND, Text};
use benches::streams::{self, Stream};
use benches::work;
use criterion::Criterion;
use guac_protocol::codepoint::{self, Level};
use guac_protocol::{Decoder, Limits, Scanner};
use support::measure;

/// Sizes of the pieces: one block, and a value of guacd's greatest length.
const SIZES: [usize; 2] = [64, 8 * 1024];

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = support::criterion();
    let levels = Level::ALL.into_iter().filter(|level| level.available());
    let levels: Vec<_> = levels.collect();
    for stream in &streams::all()? {
        for &level in &levels {
            scan(&mut criterion, stream, level);
            decode_all(&mut criterion, stream, level);
        }
    }
    for text in &Text::all() {
        for size in SIZES {
            for &level in &levels {
                codepoints(&mut criterion, text, size, level);
            }
        }
    }
    criterion.final_summary();
    Ok(())
}

/// Name of a bench of one kernel.
fn name(work: &str, level: Level) -> String {
    format!("{work}-{level:?}").to_lowercase()
}

fn scan(criterion: &mut Criterion, stream: &Stream, level: Level) {
    let id = ["levels", &name("scan", level), &stream.name];
    measure(criterion, id, stream.bytes.len(), || {
        let scanner = Scanner::with_level(Limits::GUACD, level);
        let opcodes = work::scan(scanner, black_box(&stream.bytes));
        assert_eq!(opcodes, stream.opcodes);
    });
}

fn decode_all(criterion: &mut Criterion, stream: &Stream, level: Level) {
    let id = ["levels", &name("decode_all", level), &stream.name];
    measure(criterion, id, stream.bytes.len(), || {
        let decoder = Decoder::with_level(Limits::GUACD, level);
        let values = work::decode_all(decoder, black_box(&stream.bytes));
        assert_eq!(values, stream.values);
    });
}

fn codepoints(criterion: &mut Criterion, text: &Text, size: usize, level: Level) {
    let pieces = &text.pieces(size)[..];
    let bytes: usize = pieces.iter().map(|piece| piece.text.len()).sum();
    let codepoints: usize = pieces.iter().map(|piece| piece.codepoints).sum();
    let input = &format!("{}-{size}", text.name);
    assert!(bytes <= ROUND);
    measure(
        criterion,
        ["levels", &name("count", level), input],
        bytes,
        || {
            let counts = black_box(pieces)
                .iter()
                .map(|piece| codepoint::count_with(level, piece.text.as_bytes()));
            assert_eq!(counts.sum::<usize>(), codepoints);
        },
    );
    measure(
        criterion,
        ["levels", &name("offset", level), input],
        bytes,
        || {
            let offsets = black_box(pieces).iter().map(|piece| {
                codepoint::offset_of_nth_with(level, piece.open.as_bytes(), piece.codepoints)
            });
            assert_eq!(offsets.flatten().sum::<usize>(), bytes);
        },
    );
    measure(
        criterion,
        ["levels", &name("validate", level), input],
        bytes,
        || {
            let valid = black_box(pieces)
                .iter()
                .flat_map(|piece| codepoint::validate_with(level, piece.text.as_bytes()));
            assert_eq!(valid.map(str::len).sum::<usize>(), bytes);
        },
    );
}
