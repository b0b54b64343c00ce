//! Base64 with padding, as `blob` wants it (RFC 4648, section 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Length of so many bytes in base64.
pub(super) const fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Encodes into the start of `room`, as far as that reaches.
pub(super) fn encode<'o>(bytes: &[u8], room: &'o mut [u8]) -> &'o str {
    let mut length = 0;
    for (group, quad) in bytes.chunks(3).zip(room.chunks_exact_mut(4)) {
        quad.copy_from_slice(&encode_group(group));
        length += quad.len();
    }
    core::str::from_utf8(&room[..length]).unwrap_or_default()
}

/// Encodes one to three bytes.
fn encode_group(group: &[u8]) -> [u8; 4] {
    let byte = |index| u32::from(group.get(index).copied().unwrap_or(0));
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    let mut quad = [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift) as usize % 64]);
    for unused in quad.iter_mut().skip(group.len() + 1) {
        *unused = b'=';
    }
    quad
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        let mut room = [0; 16];
        assert_eq!(encode(bytes, &mut room), expected);
        assert_eq!(encoded_len(bytes.len()), expected.len());
    }

    /// The examples of RFC 4648, section 10, and what uses the last two characters.
    #[test]
    fn known_answers() {
        check(b"", "");
        check(b"f", "Zg==");
        check(b"fo", "Zm8=");
        check(b"foo", "Zm9v");
        check(b"foob", "Zm9vYg==");
        check(b"fooba", "Zm9vYmE=");
        check(b"foobar", "Zm9vYmFy");
        check(&[0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF], "++++////");
    }
}
