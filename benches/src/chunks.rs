//! Text in pieces of one size, for the benches of codepoints.

use crate::plain;
use crate::synthetic::{self, Profile};

/// Bytes that are worked on in one round, whatever the size of a piece, so that all sizes
/// are measured from the same cache.
pub const ROUND: usize = 64 * 1024;
/// Sizes of pieces in bytes.
pub const SIZES: [usize; 7] = [8, 16, 64, 256, 1024, 8 * 1024, ROUND];

/// A text to be cut into pieces.
pub struct Text {
    /// Its name in the results.
    pub name: &'static str,
    /// A round, and at least one more codepoint.
    text: String,
}

impl Text {
    /// One text of ASCII alone, and one of all lengths of codepoints: Chinese, Arabic,
    /// emoji, combining characters, some ASCII.
    #[must_use]
    pub fn all() -> [Self; 2] {
        let shortest_of_text = 1024;
        [
            ("ascii", values(Profile::Small, 0)),
            ("multi", values(Profile::Text, shortest_of_text)),
        ]
        .map(|(name, text)| Self { name, text })
    }

    /// The text in pieces of up to `size` bytes that end between codepoints, and as many
    /// of them as a round takes.
    #[must_use]
    pub fn pieces(&self, size: usize) -> Vec<Piece<'_>> {
        let (mut start, mut pieces) = (0, Vec::new());
        for _ in 0..ROUND / size {
            let end = self.text.floor_char_boundary(start + size);
            pieces.push(Piece {
                text: &self.text[start..end],
                open: &self.text[start..],
                codepoints: self.text[start..end].chars().count(),
            });
            start = end;
        }
        pieces
    }
}

/// A piece of text.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// The piece.
    pub text: &'a str,
    /// The piece and all that follows it, as a value stands in a buffer.
    pub open: &'a str,
    /// Codepoints in the piece.
    pub codepoints: usize,
}

/// Values of a synthetic stream that have at least so many bytes, one after the other.
fn values(profile: Profile, bytes_min: usize) -> String {
    let stream = synthetic::stream(profile, 1, 8 * ROUND).bytes;
    let (mut text, mut rest) = (String::new(), &stream[..]);
    while let Ok(Some(length)) = plain::walk(rest, plain::by_blocks, |value| {
        if value.len() >= bytes_min {
            text.push_str(&String::from_utf8_lossy(value));
        }
    }) {
        rest = &rest[length..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_up_a_round() {
        for text in Text::all() {
            for size in SIZES {
                let pieces = text.pieces(size);
                let bytes: usize = pieces.iter().map(|piece| piece.text.len()).sum();
                let least = ROUND - pieces.len() * 3;
                assert!((least..=ROUND).contains(&bytes), "{} {size}", text.name);
                assert!(
                    pieces
                        .iter()
                        .all(|piece| piece.open.len() > piece.text.len())
                );
            }
        }
    }

    #[test]
    fn the_second_text_is_not_ascii() {
        let [ascii, multi] = Text::all();
        assert!(ascii.text.is_ascii());
        assert!(multi.text.chars().count() * 2 < multi.text.len());
    }
}
