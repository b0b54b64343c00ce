//! What ends a desktop, or freezes it, without anybody's asking: when nobody looks at it, when
//! nobody uses it, and at the end of its time.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Action, Instance, InstanceState, Timestamp};

/// What is done with a desktop by itself, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It is frozen.
    Suspend,
    /// It is stopped.
    Stop,
    /// It is deleted.
    Delete,
}

/// Something that is done after some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// What.
    pub action: Ending,
    /// After how many seconds.
    pub after_s: u64,
}

/// What is done with the desktops of an application by itself. Where there is none, they are
/// kept as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policies {
    /// When nobody looks at one that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect: Option<Policy>,
    /// When there is no input to one that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Policy>,
    /// At the end of its time, which begins with its start and goes on while it is frozen. It
    /// is also the time after which one that is stopped is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Policy>,
}

/// Which of the policies it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Nobody looks at it.
    Disconnect,
    /// There is no input.
    Idle,
    /// Its time is over.
    Lifetime,
}

/// What is to come, or should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// By which policy.
    pub why: Why,
    /// What is done.
    pub policy: Policy,
}

/// A text is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// It is not written as one.
    #[error(
        "is not `keep`, nor suspend, stop or delete after some time, such as `stop after 30m`; \
         units are s, m, h and d"
    )]
    Shape,
    /// Its time is out of range.
    #[error("must leave a minute at least, and a year at most")]
    Range,
}

/// Shortest time of a policy, in seconds: longer than it takes to notice that somebody looks.
const SHORTEST_S: u64 = 60;
/// Longest time of a policy, in seconds.
const LONGEST_S: u64 = 365 * DAY_S;
const DAY_S: u64 = 24 * HOUR_S;
const HOUR_S: u64 = 60 * 60;

impl Ending {
    /// As an action.
    #[must_use]
    pub const fn action(self) -> Action {
        match self {
            Self::Suspend => Action::Suspend,
            Self::Stop => Action::Stop,
            Self::Delete => Action::Delete,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Stop => "stop",
            Self::Delete => "delete",
        }
    }

    /// What was done, in a word.
    #[must_use]
    pub const fn done(self) -> &'static str {
        match self {
            Self::Suspend => "suspended",
            Self::Stop => "stopped",
            Self::Delete => "deleted",
        }
    }
}

impl Why {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
        }
    }
}

impl Policy {
    fn after_ms(self) -> i64 {
        i64::try_from(self.after_s)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000)
    }

    /// Reads `suspend after 10m`, or `keep` for none.
    ///
    /// # Errors
    /// Where the text is none, or its time not between a minute and a year.
    pub fn parse(text: &str) -> Result<Option<Self>, PolicyError> {
        match text {
            "keep" => Ok(None),
            text => text.parse().map(Some),
        }
    }
}

/// Reads `suspend after 10m`; units are s, m, h and d.
impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (action, time) = text.split_once(" after ").ok_or(PolicyError::Shape)?;
        let known = [Ending::Suspend, Ending::Stop, Ending::Delete];
        let action = known.into_iter().find(|known| known.as_str() == action);
        let after_s = seconds(time)?;
        if !(SHORTEST_S..=LONGEST_S).contains(&after_s) {
            return Err(PolicyError::Range);
        }
        let action = action.ok_or(PolicyError::Shape)?;
        Ok(Self { action, after_s })
    }
}

fn seconds(text: &str) -> Result<u64, PolicyError> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit = match text.get(digits.len()..) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => HOUR_S,
        Some("d") => DAY_S,
        _ => return Err(PolicyError::Shape),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PolicyError::Shape);
    }
    // So many digits are too much, whatever the unit.
    let number: u64 = digits.parse().map_err(|_| PolicyError::Range)?;
    Ok(number.saturating_mul(unit))
}

impl Policies {
    /// Whether nothing is ever done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The longest of their times, in seconds.
    #[must_use]
    pub fn longest_s(&self) -> Option<u64> {
        let all = [self.disconnect, self.idle, self.lifetime];
        all.iter().flatten().map(|policy| policy.after_s).max()
    }

    /// What is the first to come for an instance, or should have been done to it. Who looks at
    /// it now (and that may not be written yet) is no disconnect.
    #[must_use]
    pub fn due(&self, instance: &Instance, is_watched: bool) -> Option<Due> {
        // What waits in a pool is for others to look after.
        instance.owner?;
        let all = [
            (Why::Disconnect, self.disconnect.filter(|_| !is_watched)),
            (Why::Idle, self.idle),
            (Why::Lifetime, self.lifetime),
        ];
        let dues = all.into_iter().filter_map(|(why, policy)| {
            let policy = policy?;
            // Nobody had one before it was claimed.
            let since = since(instance, why, policy.action)?.max(instance.created_at);
            let at = Some(since.plus_ms(policy.after_ms())).max(instance.extended_to)?;
            Some(Due { at, why, policy })
        });
        // Of several at once, what does most: it would come right after the others.
        dues.min_by_key(|due| (due.at, Reverse(due.policy.action)))
    }
}

/// What the time of a policy counts from, if it is for an instance in its present state.
fn since(instance: &Instance, why: Why, action: Ending) -> Option<Timestamp> {
    use InstanceState as S;
    let running = instance.running_since;
    match (instance.state, why) {
        (S::Running, Why::Disconnect) => Some(running?.max(instance.seen_at.or(running)?)),
        (S::Running, Why::Idle) => Some(running?.max(instance.input_at.or(running)?)),
        // Who thawed it again would have it for no time at all.
        (S::Running, Why::Lifetime) if action == Ending::Suspend => running,
        (S::Running, Why::Lifetime) => instance.started_at,
        (S::Suspended, Why::Lifetime) if action != Ending::Suspend => instance.started_at,
        (S::Stopped | S::Failed, Why::Lifetime) if action == Ending::Delete => instance.started_at,
        _ => None,
    }
}

impl Due {
    /// What was done and why, for who finds it done.
    #[must_use]
    pub fn text(&self) -> String {
        let reason = self.reason();
        format!(
            "The desktop was {}, as {reason}.",
            self.policy.action.done()
        )
    }

    /// Why it is done.
    #[must_use]
    pub fn reason(&self) -> String {
        let time = Span(self.policy.after_s);
        match self.why {
            Why::Disconnect => format!("nobody looked at it for {time}"),
            Why::Idle => format!("nobody used it for {time}"),
            Why::Lifetime => format!("its time of {time} is over"),
        }
    }
}

/// Seconds in words, in the largest unit that they are whole in.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (DAY_S, "day"),
            (HOUR_S, "hour"),
            (60, "minute"),
            (1, "second"),
        ];
        for (length, unit) in units {
            if self.0.is_multiple_of(length) {
                let number = self.0 / length;
                let plural = if number == 1 { "" } else { "s" };
                return write!(f, "{number} {unit}{plural}");
            }
        }
        Ok(())
    }
}
