//! Arguments that are one element: from its text, and back.

use super::ArgumentErrorKind::{self, NotANumber, OutOfRange};
use crate::encode::Decimal;

/// A value that stands in one element.
pub trait Argument<'a>: Sized {
    /// Reads the value from the text of the element.
    ///
    /// # Errors
    /// Where the text is not such a value in the one spelling that peers give it.
    fn parse(text: &'a str) -> Result<Self, ArgumentErrorKind>;

    /// Calls `each` with the text of the value.
    fn with_text<R>(&self, each: impl FnOnce(&str) -> R) -> R;
}

impl<'a> Argument<'a> for &'a str {
    #[inline]
    fn parse(text: &'a str) -> Result<Self, ArgumentErrorKind> {
        Ok(text)
    }

    #[inline]
    fn with_text<R>(&self, each: impl FnOnce(&str) -> R) -> R {
        each(self)
    }
}

/// `1` or `0`.
impl Argument<'_> for bool {
    #[inline]
    fn parse(text: &str) -> Result<Self, ArgumentErrorKind> {
        match text {
            "0" => Ok(false),
            "1" => Ok(true),
            other => Err(decimal(other).err().unwrap_or(OutOfRange)),
        }
    }

    #[inline]
    fn with_text<R>(&self, each: impl FnOnce(&str) -> R) -> R {
        each(if *self { "1" } else { "0" })
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Argument<'_> for $type {
            #[inline]
            fn parse(text: &str) -> Result<Self, ArgumentErrorKind> {
                Self::try_from(decimal(text)?).map_err(|_| OutOfRange)
            }

            #[inline]
            fn with_text<R>(&self, each: impl FnOnce(&str) -> R) -> R {
                with_decimal((*self).into(), each)
            }
        }
    )*};
}

integers!(u8, u16, u32, i32, i64);

/// Most digits that fit any `u64`.
const DIGITS: usize = 19;

/// An integer in decimal: `-` or not, then digits that do not begin with `0`; or `0`.
///
/// guacd reads integers with `atoi`, which takes more spellings and reads the first
/// digits of what is none (guacamole-server, `src/libguac/user-handlers.c`). It writes
/// only these (`src/libguac/protocol.c`, `__guac_socket_write_length_int`).
#[inline]
pub(super) fn decimal(text: &str) -> Result<i64, ArgumentErrorKind> {
    match text.as_bytes() {
        [b'-', b'0', ..] => Err(NotANumber),
        [b'-', digits @ ..] => 0_i64
            .checked_sub_unsigned(magnitude(digits)?)
            .ok_or(OutOfRange),
        digits => i64::try_from(magnitude(digits)?).map_err(|_| OutOfRange),
    }
}

#[inline]
fn magnitude(digits: &[u8]) -> Result<u64, ArgumentErrorKind> {
    match digits {
        [b'0'] => return Ok(0),
        [] | [b'0', ..] => return Err(NotANumber),
        _ => {}
    }
    let mut value = 0_u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(NotANumber);
        }
        // Wraps only where there are too many digits, which is found below.
        value = value.wrapping_mul(10).wrapping_add(digit.into());
    }
    if digits.len() > DIGITS {
        return Err(OutOfRange);
    }
    Ok(value)
}

/// Calls `each` with an integer in decimal.
#[inline]
fn with_decimal<R>(value: i64, each: impl FnOnce(&str) -> R) -> R {
    let mut digits = Decimal::default();
    let digits = digits.format(value.unsigned_abs());
    if value >= 0 {
        return each(digits);
    }
    let mut text = Text::default();
    text.push("-");
    text.push(digits);
    each(text.as_str())
}

/// A short text on the stack; longer than any number. What does not fit is left out.
#[derive(Default)]
pub(super) struct Text {
    bytes: [u8; 32],
    length: usize,
}

impl Text {
    fn push(&mut self, more: &str) -> bool {
        let end = self.length + more.len();
        let Some(room) = self.bytes.get_mut(self.length..end) else {
            return false;
        };
        room.copy_from_slice(more.as_bytes());
        self.length = end;
        true
    }

    pub(super) fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl core::fmt::Write for Text {
    fn write_str(&mut self, more: &str) -> core::fmt::Result {
        if self.push(more) {
            Ok(())
        } else {
            Err(core::fmt::Error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_spelling() {
        for value in [0, 1, 9, 10, -1, -10, 4_380_874, i64::MAX, i64::MIN] {
            let text = std::format!("{value}");
            assert_eq!(decimal(&text), Ok(value));
            with_decimal(value, |written| assert_eq!(written, text));
        }
        for text in [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1.0",
            "0x1",
            "1e3",
            "１",
            "--1",
            "1-",
            "1:",
            "1/",
            "99999999999999999999x",
        ] {
            assert_eq!(decimal(text), Err(NotANumber), "{text}");
        }
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "36893488147419103233",
            "99999999999999999999999999999999999999999",
        ] {
            assert_eq!(decimal(text), Err(OutOfRange), "{text}");
        }
    }

    #[test]
    fn integers_keep_to_their_type() {
        assert_eq!(u8::parse("255"), Ok(255));
        assert_eq!(u8::parse("256"), Err(OutOfRange));
        assert_eq!(u8::parse("-1"), Err(OutOfRange));
        assert_eq!(u16::parse("65536"), Err(OutOfRange));
        assert_eq!(u32::parse("4294967296"), Err(OutOfRange));
        assert_eq!(i32::parse("-2147483648"), Ok(i32::MIN));
        assert_eq!(i32::parse("2147483648"), Err(OutOfRange));
        assert_eq!(bool::parse("2"), Err(OutOfRange));
        assert_eq!(bool::parse("true"), Err(NotANumber));
        assert_eq!(bool::parse("01"), Err(NotANumber));
    }
}
