//! The data of blobs.

use core::fmt;

/// Data in base64: the standard alphabet of RFC 4648, padded with `=`, with no other bits
/// set than those of the data, so that each data has exactly one text.
///
/// guacd and browsers write it so. guacd reads more: it takes any other character for an
/// `A`, and all ends at the first `=` (guacamole-server, `src/libguac/protocol.c`,
/// `guac_protocol_decode_base64`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Base64<'a>(&'a str);

/// Why a text is not [`Base64`], or was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Base64Error {
    /// The number of characters is no multiple of four.
    Length,
    /// A character that is not one of the alphabet, or an `=` elsewhere than at the end.
    Character {
        /// Its offset in the text, in bytes.
        offset: usize,
    },
    /// The last character has bits that belong to no byte of the data.
    TrailingBits,
    /// The destination is too short.
    NoRoom,
}

impl fmt::Display for Base64Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("length of base64 is no multiple of four"),
            Self::Character { offset } => write!(f, "no base64 character at byte {offset}"),
            Self::TrailingBits => f.write_str("base64 ends with bits of no byte"),
            Self::NoRoom => f.write_str("no room for the data"),
        }
    }
}

impl core::error::Error for Base64Error {}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a character that is none has for a value: more than six bits.
const NONE: u8 = 0xFF;

/// Value of each character.
static VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut i = 0;
    while i < ALPHABET.len() {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
};

fn value(character: u8) -> u8 {
    VALUES[usize::from(character)]
}

impl<'a> Base64<'a> {
    /// Checks a text.
    ///
    /// # Errors
    /// Where it is not base64.
    pub fn new(text: &'a str) -> Result<Self, Base64Error> {
        if !text.len().is_multiple_of(4) {
            return Err(Base64Error::Length);
        }
        let characters = text.trim_end_matches('=').as_bytes();
        let padding = text.len() - characters.len();
        let all = characters.iter().fold(0, |all, &c| all | value(c));
        if all == NONE || padding > 2 {
            let offset = characters.iter().position(|&c| value(c) == NONE);
            let offset = offset.unwrap_or(characters.len());
            return Err(Base64Error::Character { offset });
        }
        let unused = (1_u8 << (2 * padding)) - 1;
        match characters.last() {
            Some(&last) if value(last) & unused != 0 => Err(Base64Error::TrailingBits),
            _ => Ok(Self(text)),
        }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Length of the data in bytes.
    #[must_use]
    pub fn decoded_len(self) -> usize {
        let padding = self.0.bytes().rev().take(2).filter(|&c| c == b'=').count();
        self.0.len() / 4 * 3 - padding
    }

    /// Writes the data to the start of a slice, and answers how many bytes that took.
    ///
    /// # Errors
    /// [`Base64Error::NoRoom`], where the slice is shorter than the data; nothing is
    /// written then.
    pub fn decode_into(self, out: &mut [u8]) -> Result<usize, Base64Error> {
        let length = self.decoded_len();
        let out = out.get_mut(..length).ok_or(Base64Error::NoRoom)?;
        for (group, bytes) in self.0.as_bytes().chunks(4).zip(out.chunks_mut(3)) {
            bytes.copy_from_slice(&decode_group(group)[..bytes.len()]);
        }
        Ok(length)
    }

    /// Length of the text for so many bytes of data.
    #[must_use]
    pub const fn encoded_len(bytes: usize) -> usize {
        bytes.div_ceil(3).saturating_mul(4)
    }

    /// Writes data as base64 to the start of a slice, and answers that text.
    ///
    /// # Errors
    /// [`Base64Error::NoRoom`], where the slice is shorter than the text; nothing is
    /// written then.
    pub fn encode_into(data: &[u8], out: &'a mut [u8]) -> Result<Self, Base64Error> {
        let out = out.get_mut(..Self::encoded_len(data.len()));
        let out = out.ok_or(Base64Error::NoRoom)?;
        for (bytes, group) in data.chunks(3).zip(out.chunks_mut(4)) {
            group.copy_from_slice(&encode_group(bytes));
        }
        Ok(Self(core::str::from_utf8(out).unwrap_or_default()))
    }
}

/// The three bytes of four characters; 0 for those that the padding leaves out.
fn decode_group(group: &[u8]) -> [u8; 3] {
    let bits = group.iter().fold(0_u32, |bits, &character| {
        let value = if character == b'=' {
            0
        } else {
            value(character)
        };
        (bits << 6) | u32::from(value)
    });
    let [_, first, second, third] = bits.to_be_bytes();
    [first, second, third]
}

/// The four characters of one to three bytes.
fn encode_group(bytes: &[u8]) -> [u8; 4] {
    let byte = |i: usize| u32::from(bytes.get(i).copied().unwrap_or(0));
    let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
    core::array::from_fn(|i| {
        if i > bytes.len() {
            b'='
        } else {
            ALPHABET[(bits >> (18 - 6 * i)) as usize & 63]
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use alloc::vec;

    /// The test vectors of RFC 4648, section 10.
    const VECTORS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn vectors_of_the_standard() {
        for (data, text) in VECTORS {
            let base64 = Base64::new(text).unwrap();
            let mut room = [0xAA; 9];
            assert_eq!(base64.decode_into(&mut room), Ok(data.len()));
            assert_eq!(&room[..data.len()], data.as_bytes());
            assert!(room[data.len()..].iter().all(|&byte| byte == 0xAA));
            assert_eq!(Base64::encoded_len(data.len()), text.len());
            let mut room = [0; 8];
            assert_eq!(Base64::encode_into(data.as_bytes(), &mut room), Ok(base64));
        }
    }

    #[test]
    fn every_byte_survives() {
        let data: vec::Vec<u8> = (0..=255).rev().chain(0..=255).collect();
        let mut text = vec![0; Base64::encoded_len(data.len())];
        let base64 = Base64::encode_into(&data, &mut text).unwrap();
        assert_eq!(Base64::new(base64.as_str()), Ok(base64));
        let mut back = vec![0; data.len()];
        assert_eq!(base64.decode_into(&mut back), Ok(data.len()));
        assert_eq!(back, data);
    }

    #[test]
    fn other_texts_are_refused() {
        let character = |offset| Base64Error::Character { offset };
        for (text, error) in [
            ("Zg=", Base64Error::Length),
            ("Z", Base64Error::Length),
            ("====", character(0)),
            ("Z===", character(1)),
            ("Zg==Zg==", character(2)),
            ("Zm=v", character(2)),
            ("Zm9 ", character(3)),
            ("Zm9-", character(3)),
            ("Zm\n9", character(2)),
            ("Zmé", character(2)),
            ("Zh==", Base64Error::TrailingBits),
            ("Zm9=", Base64Error::TrailingBits),
        ] {
            assert_eq!(Base64::new(text), Err(error), "{text}");
        }
    }

    #[test]
    fn short_destinations_are_left_alone() {
        let base64 = Base64::new("Zm9vYg==").unwrap();
        let mut room = [7; 3];
        assert_eq!(base64.decode_into(&mut room), Err(Base64Error::NoRoom));
        assert_eq!(room, [7; 3]);
        assert_eq!(
            Base64::encode_into(b"foob", &mut [0; 7]),
            Err(Base64Error::NoRoom)
        );
    }
}
