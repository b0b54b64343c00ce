//! Times as the engine writes them.

use crate::model::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// A time in UTC by RFC 3339, such as `2026-11-24T14:05:57.134872535Z`; `None` for anything
/// else, and for the year 1 that the engine writes where there is no time.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let millis = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
    let in_range = (1970..=9999).contains(&year) && (1..=12).contains(&month);
    let days = in_range.then(|| days_since_1970(year, month, day))?;
    let seconds = (hour * 60 + minute) * 60 + second;
    Some(Timestamp(days * DAY_MS + seconds * 1000 + millis))
}

/// Three numbers of at most four digits.
fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut next = || {
        let part = parts.next().filter(|part| part.len() <= 4)?;
        part.parse::<u16>().ok().map(i64::from)
    };
    Some([next()?, next()?, next()?])
}

/// Days of the civil calendar, counted in years that begin in March, so that the leap day
/// is the last of its year.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_1970() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.0019Z", 1),
            ("2000-02-29T12:00:00.5Z", 951_825_600_500),
            ("2026-11-24T14:05:57.134872535Z", 1_795_529_157_134),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000),
        ] {
            assert_eq!(timestamp(text), Some(Timestamp(millis)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "0001-01-01T00:00:00Z",
            "2026-11-24T14:05:57",
            "2026-11-24 14:05:57Z",
            "2026-13-24T14:05:57Z",
            "2026-11-24T14:05Z",
            "2026-11-24T14:05:57.éZ",
            "99999-01-01T00:00:00Z",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }
}
