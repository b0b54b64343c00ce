//! The plain codec: what a careful programmer writes with the standard library alone.
//! The yardstick of the benches.
//!
//! It finds the end of a text in one of two ways: [`by_indices`], which comes to mind
//! first, and [`by_blocks`], the fastest of a dozen. It does less than `guac-protocol`: it knows no limits but the number of digits and elements, accepts
//! leading zeros, does not tell opcodes apart, names no offset of an error, and starts
//! an incomplete instruction again.

/// Most elements of an instruction that [`decode`] keeps.
pub const ELEMENTS: usize = 128;

/// Length in bytes of the value of so many codepoints that begins a buffer; `Ok(None)`
/// where it is not whole.
pub trait TextBytes: Fn(&[u8], usize) -> Result<Option<usize>, &'static str> {}

impl<F: Fn(&[u8], usize) -> Result<Option<usize>, &'static str>> TextBytes for F {}

/// Calls `each` for every value of the instruction at the start of `buffer`, and answers
/// the length of the instruction in bytes; `Ok(None)` where it is not whole.
///
/// # Errors
/// A short text, where the bytes are not an instruction.
#[inline]
pub fn walk<'a>(
    buffer: &'a [u8],
    text_bytes: impl TextBytes,
    mut each: impl FnMut(&'a [u8]),
) -> Result<Option<usize>, &'static str> {
    let mut rest = buffer;
    loop {
        let Some((length, after)) = length(rest)? else {
            return Ok(None);
        };
        let Some(bytes) = value_bytes(after, length, &text_bytes)? else {
            return Ok(None);
        };
        let (value, after) = after.split_at(bytes);
        each(value);
        match after {
            [b',', after @ ..] => rest = after,
            [b';', after @ ..] => return Ok(Some(buffer.len() - after.len())),
            [] => return Ok(None),
            _ => return Err("bad separator"),
        }
    }
}

/// As [`walk`], but keeps the values, and answers how many there are as well.
///
/// # Errors
/// A short text, where the bytes are not an instruction, or one of too many elements.
#[inline]
pub fn decode<'a>(
    buffer: &'a [u8],
    text_bytes: impl TextBytes,
    values: &mut [&'a [u8]; ELEMENTS],
) -> Result<Option<(usize, usize)>, &'static str> {
    let mut count = 0;
    let bytes = walk(buffer, text_bytes, |value| {
        if let Some(place) = values.get_mut(count) {
            *place = value;
        }
        count += 1;
    })?;
    if count > ELEMENTS {
        return Err("too many elements");
    }
    Ok(bytes.map(|bytes| (count, bytes)))
}

/// A length in codepoints, and what follows its dot.
#[inline]
fn length(mut rest: &[u8]) -> Result<Option<(usize, &[u8])>, &'static str> {
    let (mut length, mut digits) = (0, 0);
    loop {
        match rest {
            [digit @ b'0'..=b'9', after @ ..] if digits < 5 => {
                length = length * 10 + usize::from(digit - b'0');
                digits += 1;
                rest = after;
            }
            [b'.', after @ ..] if digits > 0 => return Ok(Some((length, after))),
            [] => return Ok(None),
            _ => return Err("bad length"),
        }
    }
}

#[inline]
fn value_bytes(
    rest: &[u8],
    length: usize,
    text_bytes: impl TextBytes,
) -> Result<Option<usize>, &'static str> {
    match rest.get(..length) {
        None => Ok(None),
        Some(value) if value.is_ascii() => Ok(Some(length)),
        Some(_) => text_bytes(rest, length),
    }
}

/// Validates as many bytes as the text can have, and walks over its characters.
///
/// # Errors
/// Where the text is not UTF-8.
#[inline(never)]
pub fn by_indices(rest: &[u8], length: usize) -> Result<Option<usize>, &'static str> {
    // What follows the text is one byte in any stream that goes on.
    let window = &rest[..rest.len().min(4 * length + 1)];
    let (text, broken) = match core::str::from_utf8(window) {
        Ok(text) => (text, false),
        // The window may end inside of a character behind the text, or be wrong there.
        Err(error) => {
            let valid = &window[..error.valid_up_to()];
            let text = core::str::from_utf8(valid).unwrap_or_default();
            (text, error.error_len().is_some())
        }
    };
    match text.char_indices().nth(length) {
        Some((end, _)) => Ok(Some(end)),
        None if broken => Err("bad UTF-8"),
        None => Ok(None),
    }
}

/// Counts the first bytes of codepoints, by blocks that the compiler makes vectors of
/// while more of them are wanted than a block can hold, and validates the text alone.
///
/// # Errors
/// Where the text is not UTF-8.
#[inline(never)]
pub fn by_blocks(rest: &[u8], length: usize) -> Result<Option<usize>, &'static str> {
    let (mut end, mut left) = (0, length);
    while left >= 64
        && let Some(block) = rest[end..].first_chunk::<64>()
    {
        let leads: u8 = block.iter().map(|&byte| u8::from(is_lead(byte))).sum();
        left -= usize::from(leads);
        end += block.len();
    }
    while let Some(&byte) = rest.get(end)
        && (left > 0 || !is_lead(byte))
    {
        left -= usize::from(is_lead(byte));
        end += 1;
    }
    if end == rest.len() {
        return Ok(None);
    }
    match core::str::from_utf8(&rest[..end]) {
        Ok(_) => Ok(Some(end)),
        Err(_) => Err("bad UTF-8"),
    }
}

#[inline]
fn is_lead(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

/// Appends an instruction.
#[inline]
pub fn encode(elements: &[&str], out: &mut Vec<u8>) {
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_number(element.chars().count(), out);
        out.push(b'.');
        out.extend_from_slice(element.as_bytes());
    }
    out.push(b';');
}

/// Appends a number in decimal; `write!` is slower.
#[inline]
fn push_number(mut number: usize, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found<'a> = Result<Option<(&'a [&'a str], usize)>, &'static str>;

    fn check(bytes: &[u8], expected: Found<'_>) {
        check_by(by_blocks, bytes, expected);
        check_by(by_indices, bytes, expected);
    }

    fn check_by(text_bytes: impl TextBytes, bytes: &[u8], expected: Found<'_>) {
        let mut values = [&[][..]; ELEMENTS];
        let found = decode(bytes, text_bytes, &mut values).map(|found| {
            let (count, bytes) = found?;
            Some((values[..count].to_vec(), bytes))
        });
        let expected = expected.map(|expected| {
            let (texts, bytes) = expected?;
            Some((texts.iter().map(|text| text.as_bytes()).collect(), bytes))
        });
        assert_eq!(found, expected, "{}", bytes.escape_ascii());
    }

    #[test]
    fn whole_instructions() {
        check(b"3.nop;3.nop;", Ok(Some((&["nop"], 6))));
        check(
            "4.name,2.é世,0.;".as_bytes(),
            Ok(Some((&["name", "é世", ""], 18))),
        );
        check(
            b"4.args,9.;,.3.nop;;",
            Ok(Some((&["args", ";,.3.nop;"], 19))),
        );
        let long = "世🚀a".repeat(100);
        let bytes = format!("4.blob,300.{long};1");
        check(
            bytes.as_bytes(),
            Ok(Some((&["blob", &long], bytes.len() - 1))),
        );
    }

    #[test]
    fn every_cut_is_incomplete() {
        let bytes = format!("4.blob,66.{};", "世🚀".repeat(33));
        for cut in 0..bytes.len() {
            check(&bytes.as_bytes()[..cut], Ok(None));
        }
    }

    #[test]
    fn wrong_bytes_are_errors() {
        check(b"x", Err("bad length"));
        check(b".;", Err("bad length"));
        check(b"123456.", Err("bad length"));
        check(b"3.nope;", Err("bad separator"));
        check(b"2.a\xFF;", Err("bad UTF-8"));
        check(b"1.\xE4\xB8;", Err("bad UTF-8"));
        let many = format!("1.a{};", ",1.b".repeat(128));
        check(many.as_bytes(), Err("too many elements"));
    }

    #[test]
    fn lengths_are_written_in_codepoints() {
        let mut out = Vec::new();
        encode(&["name", "é世", "", "0123456789"], &mut out);
        assert_eq!(out, "4.name,2.é世,0.,10.0123456789;".as_bytes());
    }
}
