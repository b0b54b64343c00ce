//! Counting, finding and validating codepoints, beside the standard library, simdutf8
//! and a copy of the same bytes.

mod support;

use std::hint::black_box;

use benches::chunks::{Piece, SIZES, Text};
use criterion::Criterion;
use guac_protocol::codepoint;
use support::measure;

fn main() {
    let mut criterion = support::criterion();
    for text in &Text::all() {
        for size in SIZES {
            let pieces = &text.pieces(size);
            let name = &format!("{}-{size}", text.name);
            count(&mut criterion, name, pieces);
            offset(&mut criterion, name, pieces);
            validate(&mut criterion, name, pieces);
            copy(&mut criterion, name, pieces);
        }
    }
    criterion.final_summary();
}

fn bytes(pieces: &[Piece<'_>]) -> usize {
    pieces.iter().map(|piece| piece.text.len()).sum()
}

/// Measures the sum of a function over all pieces.
fn sum(
    criterion: &mut Criterion,
    [group, bench, input]: [&str; 3],
    pieces: &[Piece<'_>],
    expected: usize,
    each: impl Fn(&Piece<'_>) -> usize,
) {
    measure(criterion, [group, bench, input], bytes(pieces), || {
        let sum = black_box(pieces).iter().map(&each).sum::<usize>();
        assert_eq!(sum, expected);
    });
}

fn count(criterion: &mut Criterion, input: &str, pieces: &[Piece<'_>]) {
    let all = pieces.iter().map(|piece| piece.codepoints).sum();
    sum(criterion, ["count", "chars", input], pieces, all, |piece| {
        piece.text.chars().count()
    });
    sum(criterion, ["count", "count", input], pieces, all, |piece| {
        codepoint::count(piece.text.as_bytes())
    });
}

fn offset(criterion: &mut Criterion, input: &str, pieces: &[Piece<'_>]) {
    let all = bytes(pieces);
    let id = ["offset", "char_indices", input];
    sum(criterion, id, pieces, all, |piece| {
        let found = piece.open.char_indices().nth(piece.codepoints);
        found.map_or(0, |(offset, _)| offset)
    });
    let id = ["offset", "offset_of_nth", input];
    sum(criterion, id, pieces, all, |piece| {
        codepoint::offset_of_nth(piece.open.as_bytes(), piece.codepoints).unwrap_or(0)
    });
}

fn validate(criterion: &mut Criterion, input: &str, pieces: &[Piece<'_>]) {
    let all = bytes(pieces);
    let id = ["validate", "from_utf8", input];
    sum(criterion, id, pieces, all, |piece| {
        std::str::from_utf8(piece.text.as_bytes()).map_or(0, str::len)
    });
    let id = ["validate", "simdutf8", input];
    sum(criterion, id, pieces, all, |piece| {
        simdutf8::basic::from_utf8(piece.text.as_bytes()).map_or(0, str::len)
    });
    let id = ["validate", "validate", input];
    sum(criterion, id, pieces, all, |piece| {
        codepoint::validate(piece.text.as_bytes()).map_or(0, str::len)
    });
}

/// Copies every piece to the same place.
fn copy(criterion: &mut Criterion, input: &str, pieces: &[Piece<'_>]) {
    let mut room = vec![0; bytes(pieces)];
    let all = bytes(pieces);
    measure(criterion, ["floor", "memcpy", input], all, || {
        let mut copied = 0;
        for piece in black_box(pieces) {
            let text = piece.text.as_bytes();
            room[..text.len()].copy_from_slice(text);
            copied += black_box(&mut room[..text.len()]).len();
        }
        assert_eq!(copied, all);
    });
}
