//! The display, as a browser describes it when it opens a tunnel.

use std::fmt;

use daas_core::gateway::Display;

/// Longest side of a display in pixels.
const SIDE_MAX: u32 = 8192;
/// Most types of images, and of audio.
const TYPES_MAX: usize = 16;
/// Longest type.
const TYPE_MAX: usize = 128;
/// Longest name of a time zone.
const TIMEZONE_MAX: usize = 64;

/// A parameter of the display is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidQuery {
    /// Its name.
    pub parameter: &'static str,
}

impl fmt::Display for InvalidQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not valid", self.parameter)
    }
}

impl std::error::Error for InvalidQuery {}

/// Reads `GUAC_WIDTH`, `GUAC_HEIGHT`, `GUAC_DPI`, `GUAC_IMAGE`, `GUAC_AUDIO` and
/// `GUAC_TIMEZONE` of a query (guacamole-client, `TunnelRequest.java`). What is left out is
/// 1024 × 768 at 96 dpi without any types; all other parameters are the caller's.
///
/// # Errors
/// Where one of these is out of its bounds, is there twice, or is no text.
pub fn parse_display(query: &str) -> Result<Display, InvalidQuery> {
    let (mut width, mut height, mut dpi, mut timezone) = (None, None, None, None);
    let (mut images, mut audio) = (Vec::new(), Vec::new());
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "GUAC_WIDTH" => number("GUAC_WIDTH", value, 1..=SIDE_MAX, &mut width)?,
            "GUAC_HEIGHT" => number("GUAC_HEIGHT", value, 1..=SIDE_MAX, &mut height)?,
            "GUAC_DPI" => number("GUAC_DPI", value, 10..=600, &mut dpi)?,
            "GUAC_IMAGE" => mimetype("GUAC_IMAGE", value, &mut images)?,
            "GUAC_AUDIO" => mimetype("GUAC_AUDIO", value, &mut audio)?,
            "GUAC_TIMEZONE" => zone(value, &mut timezone)?,
            _ => {}
        }
    }
    Ok(Display {
        width: width.unwrap_or(1024),
        height: height.unwrap_or(768),
        dpi: dpi.unwrap_or(96),
        images,
        audio,
        timezone,
        name: None,
    })
}

fn number(
    parameter: &'static str,
    value: &str,
    range: std::ops::RangeInclusive<u32>,
    into: &mut Option<u32>,
) -> Result<(), InvalidQuery> {
    let invalid = InvalidQuery { parameter };
    let digits = (1..=5).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    let number = value.parse().ok().filter(|n| digits && range.contains(n));
    if into.replace(number.ok_or(invalid)?).is_some() {
        return Err(invalid);
    }
    Ok(())
}

fn mimetype(
    parameter: &'static str,
    value: &str,
    into: &mut Vec<String>,
) -> Result<(), InvalidQuery> {
    let invalid = InvalidQuery { parameter };
    let text = decode(value).ok_or(invalid)?;
    let is_type = text.contains('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_type || text.len() > TYPE_MAX || into.len() >= TYPES_MAX {
        return Err(invalid);
    }
    into.push(text);
    Ok(())
}

fn zone(value: &str, into: &mut Option<String>) -> Result<(), InvalidQuery> {
    let parameter = "GUAC_TIMEZONE";
    let invalid = InvalidQuery { parameter };
    let text = decode(value).ok_or(invalid)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
    if text.is_empty() || text.len() > TIMEZONE_MAX || !text.bytes().all(allowed) {
        return Err(invalid);
    }
    if into.replace(text).is_some() {
        return Err(invalid);
    }
    Ok(())
}

/// Undoes the percent-encoding of a value. A `+` stays: browsers write a space as `%20`
/// here (`encodeURIComponent`), and types have a plus sign in them.
fn decode(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let (high, low) = (hex(rest.next()?)?, hex(rest.next()?)?);
            high << 4 | low
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn as_browsers_write_it() {
        let query = "ticket=a%2Bb&GUAC_WIDTH=1280&GUAC_HEIGHT=720&GUAC_DPI=96\
            &GUAC_TIMEZONE=Europe%2FBerlin&GUAC_AUDIO=audio%2FL16&GUAC_IMAGE=image%2Fwebp\
            &GUAC_IMAGE=image/svg+xml&GUAC_OTHER=%ZZ&GUAC_ID";
        let display = parse_display(query).unwrap();
        assert_eq!(
            (display.width, display.height, display.dpi),
            (1280, 720, 96)
        );
        assert_eq!(display.images, ["image/webp", "image/svg+xml"]);
        assert_eq!(display.audio, ["audio/L16"]);
        assert_eq!(display.timezone.as_deref(), Some("Europe/Berlin"));
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let display = parse_display("").unwrap();
        assert_eq!(
            (display.width, display.height, display.dpi),
            (1024, 768, 96)
        );
        assert!(display.images.is_empty() && display.timezone.is_none());
    }

    #[test]
    fn bounds_are_kept() {
        for query in [
            "GUAC_WIDTH=0",
            "GUAC_WIDTH=8193",
            "GUAC_WIDTH=-1",
            "GUAC_WIDTH=+9",
            "GUAC_WIDTH=",
            "GUAC_WIDTH",
            "GUAC_WIDTH=000001",
            "GUAC_WIDTH=1&GUAC_WIDTH=1",
            "GUAC_HEIGHT=1e3",
            "GUAC_HEIGHT=99999999999",
            "GUAC_DPI=9",
            "GUAC_DPI=601",
            "GUAC_IMAGE=png",
            "GUAC_IMAGE=image%2Fp%0Ang",
            "GUAC_IMAGE=image/%F",
            "GUAC_IMAGE=image/%FF",
            "GUAC_AUDIO=",
            "GUAC_TIMEZONE=",
            "GUAC_TIMEZONE=a;b",
            "GUAC_TIMEZONE=A&GUAC_TIMEZONE=A",
        ] {
            assert!(parse_display(query).is_err(), "{query}");
        }
        assert!(parse_display("GUAC_WIDTH=8192&GUAC_HEIGHT=1&GUAC_DPI=600").is_ok());
        let many = "GUAC_IMAGE=a/b&".repeat(17);
        assert!(parse_display(&many).is_err());
        let long = format!("GUAC_AUDIO=a/{}", "b".repeat(127));
        assert!(parse_display(&long).is_err());
    }
}
