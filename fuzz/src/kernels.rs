//! Counting, finding and validating, by every kernel and at every alignment, answer as
//! the standard library does.

use guac_protocol::codepoint;

/// Input: how many bytes to skip (modulo 64), so that the alignment differs; the number
/// of a codepoint, in two bytes; bytes.
pub fn run(data: &[u8]) {
    let [shift, low, high, rest @ ..] = data else {
        return;
    };
    let Some(bytes) = rest.get(usize::from(shift % 64)..) else {
        return;
    };
    let n = usize::from(u16::from_le_bytes([*low, *high])) % (bytes.len() + 2);
    let firsts = || (0..bytes.len()).filter(|&i| !(0x80..=0xBF).contains(&bytes[i]));
    let count = firsts().count();
    let offset = firsts().chain([bytes.len()]).nth(n);
    let text = core::str::from_utf8(bytes).map_err(|error| error.valid_up_to());
    for level in crate::levels() {
        assert_eq!(codepoint::count_with(level, bytes), count, "{level:?}");
        let found = codepoint::offset_of_nth_with(level, bytes, n);
        assert_eq!(found, offset, "{level:?}");
        assert_eq!(codepoint::validate_with(level, bytes), text, "{level:?}");
    }
    assert_eq!(codepoint::count(bytes), count);
    assert_eq!(codepoint::offset_of_nth(bytes, n), offset);
    assert_eq!(codepoint::validate(bytes), text);
}
