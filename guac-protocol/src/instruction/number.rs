//! Numbers that need not be whole.

use core::fmt::Write;

use super::ArgumentErrorKind::{self, NotANumber, OutOfRange};
use super::argument::{Argument, Text};

/// A finite number that need not be whole: an angle, a force, a part of a matrix.
///
/// guacd writes such numbers with `%.16g` (guacamole-server, `src/libguac/protocol.c`,
/// `__guac_socket_write_length_double`), browsers with their shortest form: the same
/// number has more than one spelling. So the spelling of a parsed one is kept, and
/// numbers are compared by value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Number<'a> {
    value: f64,
    text: Option<&'a str>,
}

impl Number<'_> {
    /// A number; none where it is infinite or not a number.
    #[must_use]
    pub const fn new(value: f64) -> Option<Self> {
        if value.is_finite() {
            Some(Self { value, text: None })
        } else {
            None
        }
    }

    /// Its value.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.value
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Each finite number is equal to itself.
impl Eq for Number<'_> {}

impl From<Number<'_>> for f64 {
    fn from(number: Number<'_>) -> Self {
        number.value
    }
}

impl<'a> Argument<'a> for Number<'a> {
    fn parse(text: &'a str) -> Result<Self, ArgumentErrorKind> {
        if !is_decimal(text.as_bytes()) {
            return Err(NotANumber);
        }
        let value: f64 = text.parse().map_err(|_| NotANumber)?;
        if !value.is_finite() {
            return Err(OutOfRange);
        }
        let text = Some(text);
        Ok(Self { value, text })
    }

    /// The text that was parsed, or the shortest one that reads back as the value.
    fn with_text<R>(&self, each: impl FnOnce(&str) -> R) -> R {
        if let Some(text) = self.text {
            return each(text);
        }
        let mut text = Text::default();
        let size = self.value.abs();
        let plain = size == 0.0 || (1e-5..1e17).contains(&size);
        // Neither is longer than a sign, a point, five zeros, 17 digits and an exponent
        // of five characters, so it fits.
        let _ = if plain {
            write!(text, "{}", self.value)
        } else {
            write!(text, "{:e}", self.value)
        };
        each(text.as_str())
    }
}

/// Whether a text is digits, with or without a sign, a fraction and an exponent, in a
/// form that `%.16g` or a browser gives.
fn is_decimal(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, mut rest) = split_digits(text);
    if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let (digits, after) = split_digits(fraction);
        if digits.is_empty() {
            return false;
        }
        rest = after;
    }
    rest.is_empty() || is_exponent(rest)
}

fn is_exponent(text: &[u8]) -> bool {
    match text {
        [b'e', b'+' | b'-', digits @ ..] | [b'e', digits @ ..] => {
            !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// A width or height that a client asks for, in pixels: 0 to 65535, the range that RFB
/// and X11 have for it, as the browser computed it.
///
/// The page of guacamole-client multiplies a whole number by the ratio of device pixels
/// (`guacClient.js`, the call of `sendSize`), so that with a ratio of 1.25 the size may
/// be `1707.5`. guacd reads the whole part (guacamole-server,
/// `src/libguac/user-handlers.c`, `__guac_handle_size`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent<'a> {
    whole: u16,
    /// The text, where there is more than the whole part.
    text: Option<&'a str>,
}

impl Extent<'_> {
    /// A whole number of pixels.
    #[must_use]
    pub const fn new(pixels: u16) -> Self {
        Self {
            whole: pixels,
            text: None,
        }
    }

    /// The whole part, which is what counts.
    #[must_use]
    pub const fn pixels(self) -> u16 {
        self.whole
    }
}

impl From<u16> for Extent<'_> {
    fn from(pixels: u16) -> Self {
        Self::new(pixels)
    }
}

impl<'a> Argument<'a> for Extent<'a> {
    #[inline]
    fn parse(text: &'a str) -> Result<Self, ArgumentErrorKind> {
        let Some((whole, fraction)) = text.split_once('.') else {
            return u16::parse(text).map(Self::new);
        };
        if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotANumber);
        }
        let whole = u16::parse(whole)?;
        let text = Some(text);
        Ok(Self { whole, text })
    }

    #[inline]
    fn with_text<R>(&self, each: impl FnOnce(&str) -> R) -> R {
        match self.text {
            Some(text) => each(text),
            None => self.whole.with_text(each),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_peers_are_kept() {
        for (text, value) in [
            ("0", 0.0),
            ("-0", 0.0),
            ("1", 1.0),
            ("-12.5", -12.5),
            ("0.3", 0.3),
            ("0.30000000000000004", 0.1 + 0.2),
            ("6.123233995736766e-17", 6.123_233_995_736_766e-17),
            ("1e-07", 1e-7),
            ("1e-7", 1e-7),
            ("1e+16", 1e16),
            ("4.940656458412465e-324", 5e-324),
        ] {
            let number = Number::parse(text).unwrap();
            assert_eq!(number.value(), value, "{text}");
            number.with_text(|written| assert_eq!(written, text));
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "", "-", ".", "1.", ".5", "00", "01.5", "+1", "1e", "1e+", "1e1.5", "1E5", "0x1p3",
            "nan", "NaN", "-nan", "inf", "Infinity", " 1", "1 ", "1,5", "１", "1_0",
        ] {
            assert_eq!(Number::parse(text), Err(NotANumber), "{text}");
        }
        // The second is the largest number as `%.16g` rounds it: up.
        for text in ["1e309", "1.797693134862316e+308"] {
            assert_eq!(Number::parse(text), Err(OutOfRange), "{text}");
        }
        assert_eq!(Number::new(f64::NAN), None);
        assert_eq!(Number::new(f64::NEG_INFINITY), None);
    }

    #[test]
    fn values_are_written_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (1e16, "10000000000000000"),
            (1e17, "1e17"),
            (0.00001, "0.00001"),
            (0.000001, "1e-6"),
            (-f64::MAX, "-1.7976931348623157e308"),
            (-5e-324, "-5e-324"),
            (-1.234_567_890_123_456_8e-5, "-0.000012345678901234568"),
        ] {
            Number::new(value)
                .unwrap()
                .with_text(|written| assert_eq!(written, text));
        }
    }

    #[test]
    fn extents_may_have_fractions() {
        for (text, pixels) in [("0", 0), ("1024", 1024), ("65535.99", 65535), ("0.5", 0)] {
            let extent = Extent::parse(text).unwrap();
            assert_eq!(extent.pixels(), pixels);
            extent.with_text(|written| assert_eq!(written, text));
        }
        for text in ["", ".", "1.", ".5", "01.5", "1.5e3", "1.-5", "1.5.5", "1e3"] {
            assert_eq!(Extent::parse(text), Err(NotANumber), "{text}");
        }
        for text in ["-1", "-1.5", "65536", "99999.5"] {
            assert_eq!(Extent::parse(text), Err(OutOfRange), "{text}");
        }
    }
}
