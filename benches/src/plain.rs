//! The plain decoder: what a careful programmer writes in an hour with the standard
//! library alone. The yardstick of the benches.

use core::ops::Range;

/// Finds the places of the values of the instruction at the start of `buffer`, and its
/// length; `Ok(None)` where it is not whole.
///
/// # Errors
/// A short text, where the bytes are not an instruction.
pub fn decode(
    buffer: &[u8],
    fields: &mut Vec<Range<usize>>,
) -> Result<Option<usize>, &'static str> {
    fields.clear();
    let mut position = 0;
    loop {
        let Some((length, value)) = length(buffer, position)? else {
            return Ok(None);
        };
        let Some(bytes) = value_length(&buffer[value..], length)? else {
            return Ok(None);
        };
        position = value + bytes;
        fields.push(value..position);
        match buffer.get(position) {
            None => return Ok(None),
            Some(b',') => position += 1,
            Some(b';') => return Ok(Some(position + 1)),
            Some(_) => return Err("bad separator"),
        }
    }
}

fn length(buffer: &[u8], start: usize) -> Result<Option<(usize, usize)>, &'static str> {
    let mut length = 0;
    for (i, &byte) in buffer[start..].iter().enumerate() {
        match byte {
            b'0'..=b'9' if i < 5 => length = length * 10 + usize::from(byte - b'0'),
            b'.' if i > 0 => return Ok(Some((length, start + i + 1))),
            _ => return Err("bad length"),
        }
    }
    Ok(None)
}

fn value_length(rest: &[u8], length: usize) -> Result<Option<usize>, &'static str> {
    match rest.get(..length) {
        None => return Ok(None),
        Some(ascii) if ascii.is_ascii() => return Ok(Some(length)),
        Some(_) => {}
    }
    let window = &rest[..rest.len().min(length * 4)];
    let valid = match core::str::from_utf8(window) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&window[..error.valid_up_to()]).unwrap_or_default(),
    };
    match valid.char_indices().nth(length) {
        Some((end, _)) => Ok(Some(end)),
        None if valid.len() == window.len() => Ok(None),
        None => Err("bad UTF-8"),
    }
}
