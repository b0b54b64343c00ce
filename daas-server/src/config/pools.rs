//! `[pools]`, and the pools of applications.

use daas_core::model::{MinuteOfWeek, Pool};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::error::ConfigError;
use super::raw;

/// Most desktops that are ever ready of one application.
const READY_MAX: u32 = 500;
/// Most minutes that desktops are made before they are to be ready.
const AHEAD_MAX: u32 = 12 * 60;

/// Which desktops are kept ready.
#[derive(Clone, Debug)]
pub struct Pools {
    /// By whose clock times are read.
    pub zone: TimeZone,
    /// How many minutes before a window begins its desktops are made.
    pub ahead_minutes: u32,
    /// Slugs of applications, and their pools.
    pub of: Vec<(String, Pool)>,
}

impl Default for Pools {
    /// None, by the time of the world.
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            ahead_minutes: 10,
            of: Vec::new(),
        }
    }
}

impl Pools {
    /// How many of each application are to be ready now.
    #[must_use]
    pub fn wanted(&self, now: Timestamp) -> Vec<(&str, u32)> {
        let now = minute_of_week(now, &self.zone);
        let pools = self.of.iter();
        let wanted = pools.map(|(slug, pool)| (&**slug, pool.wanted(now, self.ahead_minutes)));
        wanted.collect()
    }
}

fn minute_of_week(now: Timestamp, zone: &TimeZone) -> MinuteOfWeek {
    let now = now.to_zoned(zone.clone());
    // None of them is negative.
    let number = |value: i8| u32::try_from(value).unwrap_or(0);
    let day = number(now.weekday().to_monday_zero_offset());
    MinuteOfWeek::new(day, number(now.hour()), number(now.minute()))
}

pub(super) fn pools(raw: &raw::Pools, apps: &[raw::App]) -> Result<Pools, ConfigError> {
    let zone = TimeZone::get(&raw.time_zone).map_err(|_| {
        let text = format!("`{}` is no time zone, such as Europe/Berlin", raw.time_zone);
        ConfigError::key("pools.time_zone", text)
    })?;
    if raw.ahead_minutes > AHEAD_MAX {
        let text = format!("at most {AHEAD_MAX} minutes are possible");
        return Err(ConfigError::key("pools.ahead_minutes", text));
    }
    let mut of = Vec::new();
    for app in apps {
        if app.pool.most() > READY_MAX {
            let text = format!("`{}`: at most {READY_MAX} can be ready", app.slug);
            return Err(ConfigError::key("catalogue.apps.pool", text));
        }
        if app.pool.most() > 0 {
            of.push((app.slug.clone(), app.pool.clone()));
        }
    }
    Ok(Pools {
        zone,
        ahead_minutes: raw.ahead_minutes,
        of,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn clocks_on_the_wall_are_followed_also_when_they_are_changed() {
        let pools = Pools {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            ahead_minutes: 0,
            of: vec![(
                "desktop".to_owned(),
                Pool {
                    ready: 1,
                    windows: vec![daas_core::model::Window {
                        days: "mon-fri".parse().unwrap(),
                        from: "08:45".parse().unwrap(),
                        to: "12:00".parse().unwrap(),
                        ready: 30,
                    }],
                },
            )],
        };
        // Friday in summer, and Monday in winter: 08:45 there.
        for (time, expected) in [
            ("2026-10-23T06:44:00Z", 1),
            ("2026-10-23T06:45:00Z", 30),
            ("2026-10-26T07:44:00Z", 1),
            ("2026-10-26T07:45:00Z", 30),
            ("2026-10-24T08:00:00Z", 1),
        ] {
            let wanted = pools.wanted(time.parse().unwrap());
            assert_eq!(wanted, [("desktop", expected)], "{time}");
        }
    }
}
