//! Times as texts.

use std::str::FromStr;

use thiserror::Error;

use super::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Timestamp {
    /// By RFC 3339 in UTC with milliseconds, such as `2026-01-31T23:59:59.999Z`. Different
    /// times have different texts, also those beyond the years that the RFC knows.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let (days, ms) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        let (year, month, day) = date(days);
        let (s, ms) = (ms / 1000, ms % 1000);
        let (hours, minutes, seconds) = (s / 3600, s / 60 % 60, s % 60);
        format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z")
    }
}

/// A text is no time by RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a time by RFC 3339, such as 2026-01-31T12:00:00Z")]
pub struct ParseTimeError;

/// Takes RFC 3339 with any offset; what is finer than milliseconds is cut off.
impl FromStr for Timestamp {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        parse(text).ok_or(ParseTimeError)
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (day, rest) = text.split_at_checked(10)?;
    let (time, rest) = rest.split_at_checked(9)?;
    let days = parse_day(day)?;
    let time = time.strip_prefix(['T', 't', ' '])?;
    let [hours, minutes, seconds] = numbers(time, ':')?;
    // A leap second is taken for the one after it.
    if hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?,
        None => ("0", rest),
    };
    if fraction.is_empty() {
        return None;
    }
    let ms: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = (hours * 60 + minutes) * 60 + seconds - parse_offset(offset)? * 60;
    Some(Timestamp(days * DAY_MS + seconds * 1000 + ms))
}

fn numbers<const N: usize>(text: &str, between: char) -> Option<[i64; N]> {
    let digits = |part: &str| {
        let digits = part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| digits)
    };
    let parts = text.split(between).map(digits);
    parts.collect::<Option<Vec<i64>>>()?.try_into().ok()
}

/// Days since 1970-01-01. A day is there if it leads back to itself.
fn parse_day(text: &str) -> Option<i64> {
    let [year, month, day] = numbers(text, '-')?;
    let from_march = (if month > 2 { year } else { year - 1 }, (month + 9) % 12);
    let (year_, month_) = from_march;
    let days = 365 * year_ + year_.div_euclid(4) - year_.div_euclid(100) + year_.div_euclid(400);
    let days = days + (153 * month_ + 2) / 5 + day - 1 - 719_468;
    (date(days) == (year, month, day)).then_some(days)
}

/// Minutes before UTC.
fn parse_offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let [hours, minutes] = numbers(text.strip_prefix(['+', '-'])?, ':')?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
}

/// Year, month and day of a number of days since 1970-01-01. Years are counted from March,
/// so that the day of a leap year comes last; 400 years have 146 097 days.
const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + (month <= 2) as i64, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_follows_the_one_before_and_leads_back() {
        const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut expected = (1970, 1, 1);
        for days in 0..150_000 {
            let (year, month, day) = date(days);
            assert_eq!((year, month, day), expected, "{days}");
            let text = Timestamp(days * DAY_MS).rfc3339();
            assert_eq!(text.parse(), Ok(Timestamp(days * DAY_MS)), "{text}");
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = LENGTHS[month as usize - 1] + i64::from(leap && month == 2);
            expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == length => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn times_are_read() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T01:00:00.5+01:00", 500),
            ("1969-12-31T18:30:00.001-05:30", 1),
            ("2026-12-31T23:59:59.123456Z", 1_798_761_599_123),
            ("2024-02-29t00:00:00z", 1_709_164_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp(ms)), "{text}");
        }
        for text in [
            "",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+00:60",
            "2026-01-01T00:00:00ZZ",
            "+026-01-01T00:00:00Z",
            "2026-01-01T-1:00:00Z",
            "２026-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn known_times() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (253_402_300_800_000, "10000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-001-12-31T23:59:59.999Z"),
            (i64::MAX, "292278994-08-17T07:12:55.807Z"),
            (i64::MIN, "-292275055-05-16T16:47:04.192Z"),
        ] {
            assert_eq!(Timestamp(ms).rfc3339(), expected);
        }
    }
}
