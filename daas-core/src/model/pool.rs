//! Desktops that wait for whoever launches them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::text::as_text;

/// Minutes of a day, and of a week.
const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;

/// How many desktops of an application are kept ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// At any time.
    #[serde(default)]
    pub ready: u32,
    /// At some times of the week; of several that hold, the greatest counts.
    #[serde(default)]
    pub windows: Vec<Window>,
}

/// A part of some days on which so many desktops are ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// On which days it begins.
    pub days: Days,
    /// From this time of the day on: they are ready by then.
    pub from: TimeOfDay,
    /// Until this one; where that is not later, until this one of the next day.
    pub to: TimeOfDay,
    /// How many.
    pub ready: u32,
}

/// A point in a week, by the clock on the wall: minutes since Monday, midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinuteOfWeek(u32);

impl MinuteOfWeek {
    /// Of a day, 0 being Monday, and a time in it. Greater numbers go round.
    #[must_use]
    pub const fn new(day: u32, hour: u32, minute: u32) -> Self {
        Self((day % 7 * DAY + hour % 24 * 60 + minute % 60) % WEEK)
    }

    /// How long after another one, by going forward.
    const fn since(self, other: Self) -> u32 {
        (self.0 + WEEK - other.0) % WEEK
    }

    const fn minus(self, minutes: u32) -> Self {
        Self((self.0 + WEEK - minutes % WEEK) % WEEK)
    }
}

impl Pool {
    /// How many are to be ready now, when they are made some minutes before a window begins.
    #[must_use]
    pub fn wanted(&self, now: MinuteOfWeek, ahead_minutes: u32) -> u32 {
        let windows = self.windows.iter();
        let holding = windows.filter(|window| window.holds(now, ahead_minutes));
        let most = holding.map(|window| window.ready).max();
        self.ready.max(most.unwrap_or(0))
    }

    /// The most that it ever wants.
    #[must_use]
    pub fn most(&self) -> u32 {
        let windows = self.windows.iter().map(|window| window.ready);
        windows.fold(self.ready, u32::max)
    }
}

impl Window {
    fn holds(&self, now: MinuteOfWeek, ahead: u32) -> bool {
        let (from, to) = (self.from.minutes(), self.to.minutes());
        let length = match to > from {
            true => to - from,
            false => to + DAY - from,
        };
        let (ahead, days) = (ahead.min(DAY), self.days);
        let mut begins = (0..7).filter(|day| days.has(*day));
        begins.any(|day| {
            let first = MinuteOfWeek::new(day, 0, 0);
            let first = MinuteOfWeek((first.0 + from) % WEEK).minus(ahead);
            now.since(first) < length + ahead
        })
    }
}

/// A text is no time of a pool; says what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected {0}")]
pub struct ParseWindowError(&'static str);

/// A time of the day, such as `08:45`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u32);

impl TimeOfDay {
    const fn minutes(self) -> u32 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = ParseWindowError;

    fn from_str(text: &str) -> Result<Self, ParseWindowError> {
        let error = ParseWindowError("a time of the day, from 00:00 to 24:00");
        let two = |digits: &str| -> Option<u32> {
            let all_digits = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
            all_digits.then(|| digits.parse().ok()).flatten()
        };
        let (hour, minute) = text.split_once(':').ok_or(error)?;
        let (hour, minute) = two(hour).zip(two(minute)).ok_or(error)?;
        let minutes = hour * 60 + minute;
        if minute < 60 && minutes <= DAY {
            Ok(Self(minutes))
        } else {
            Err(error)
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// Days of the week, such as `mon-fri`, `sat,sun` or `daily`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Days(u8);

/// In the order of a week.
const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    const fn has(self, day: u32) -> bool {
        self.0 & (1 << day) != 0
    }
}

impl FromStr for Days {
    type Err = ParseWindowError;

    fn from_str(text: &str) -> Result<Self, ParseWindowError> {
        let error = ParseWindowError("days such as mon-fri, sat,sun or daily");
        let number = |name: &str| NAMES.iter().position(|known| *known == name).ok_or(error);
        if text == "daily" {
            return Ok(Self(0x7F));
        }
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (mut day, last) = (number(first)?, number(last)?);
            days |= 1 << day;
            // Also past the end of a week, as in sat-mon.
            while day != last {
                day = (day + 1) % NAMES.len();
                days |= 1 << day;
            }
        }
        Ok(Self(days))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0x7F {
            return f.write_str("daily");
        }
        let mut between = "";
        for (day, name) in (0..).zip(NAMES) {
            if self.has(day) {
                write!(f, "{between}{name}")?;
                between = ",";
            }
        }
        Ok(())
    }
}

as_text!(TimeOfDay: ParseWindowError, Days: ParseWindowError);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn pool(ready: u32, windows: &[(&str, &str, &str, u32)]) -> Pool {
        let window = |(days, from, to, ready): &(&str, &str, &str, u32)| Window {
            days: days.parse().unwrap(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            ready: *ready,
        };
        Pool {
            ready,
            windows: windows.iter().map(window).collect(),
        }
    }

    #[test]
    fn a_school_morning() {
        let school = pool(
            2,
            &[
                ("mon-fri", "08:45", "12:00", 30),
                ("wed", "10:00", "11:00", 50),
            ],
        );
        let cases = [
            ((0, 8, 34), 2),
            ((0, 8, 35), 30),
            ((0, 8, 45), 30),
            ((0, 11, 59), 30),
            ((0, 12, 0), 2),
            ((2, 9, 49), 30),
            ((2, 9, 50), 50),
            ((2, 11, 0), 30),
            ((5, 9, 0), 2),
            ((6, 9, 0), 2),
        ];
        for ((day, hour, minute), expected) in cases {
            let now = MinuteOfWeek::new(day, hour, minute);
            assert_eq!(school.wanted(now, 10), expected, "{day} {hour}:{minute}");
        }
        assert_eq!(school.most(), 50);
    }

    #[test]
    fn windows_go_past_midnight_and_past_the_week() {
        let night = pool(0, &[("sun", "23:30", "01:00", 3)]);
        let wanted = |day, hour, minute| night.wanted(MinuteOfWeek::new(day, hour, minute), 0);
        assert_eq!((wanted(6, 23, 29), wanted(6, 23, 30)), (0, 3));
        assert_eq!((wanted(0, 0, 59), wanted(0, 1, 0)), (3, 0));
        // Made ready on Sunday for Monday.
        let early = pool(0, &[("mon", "00:05", "01:00", 3)]);
        let wanted = |day, hour, minute| early.wanted(MinuteOfWeek::new(day, hour, minute), 10);
        assert_eq!((wanted(6, 23, 54), wanted(6, 23, 55)), (0, 3));
        assert_eq!(wanted(1, 0, 10), 0);
    }

    #[test]
    fn the_whole_day_is_a_window() {
        let all = pool(0, &[("daily", "00:00", "24:00", 1)]);
        for minute in 0..WEEK {
            assert_eq!(all.wanted(MinuteOfWeek(minute), 0), 1);
        }
        let gapless = pool(0, &[("daily", "12:00", "12:00", 1)]);
        assert_eq!(gapless.wanted(MinuteOfWeek::new(3, 11, 59), 0), 1);
    }

    #[test]
    fn texts_are_strict() {
        for text in ["00:00", "08:45", "24:00"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for text in [
            "", "8:45", "08:60", "24:01", "+8:45", "08:45:00", "ab:cd", "0845",
        ] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text}");
        }
        for (text, canonical) in [
            ("mon-fri", "mon,tue,wed,thu,fri"),
            ("sat-mon", "mon,sat,sun"),
            ("sun,mon", "mon,sun"),
            ("mon-sun", "daily"),
            ("daily", "daily"),
        ] {
            assert_eq!(text.parse::<Days>().unwrap().to_string(), canonical);
        }
        for text in [
            "",
            "monday",
            "mon-",
            "mon,,tue",
            "Mon",
            "mon - fri",
            "daily,mon",
        ] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
    }
}
