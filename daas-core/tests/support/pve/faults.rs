//! What goes wrong.

use std::time::Duration;

/// What happens to a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The connection ends, and nothing was done.
    DropBefore,
    /// It is done, and the connection ends.
    DropAfter,
    /// The connection ends, and it is done only after that.
    DoneLater(Duration),
    /// It is done, and the answer comes late.
    Delay(Duration),
    /// It is not done, and refused with a status and a reason.
    Refuse(u16, String),
    /// It is done, and refused all the same, as when the way between nodes breaks.
    RefuseAfter(u16, String),
    /// The task that it begins fails with this text, and changes nothing.
    TaskFails(String),
    /// The worker of the task dies before it has changed anything; locks stay.
    WorkerDies,
    /// The ticket is no longer good, and all others neither.
    Expire,
}

/// What goes wrong, and how often.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The method; any where it is empty.
    pub method: &'static str,
    /// A part of the path.
    pub path: String,
    pub action: Action,
    /// How many calls it happens to.
    pub times: u32,
    /// How many calls pass before that.
    pub after: u32,
}

impl Rule {
    /// Once, to the next call that fits.
    pub fn once(method: &'static str, path: impl Into<String>, action: Action) -> Self {
        Self {
            method,
            path: path.into(),
            action,
            times: 1,
            after: 0,
        }
    }

    /// To so many calls.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Only after so many calls.
    pub fn after(mut self, after: u32) -> Self {
        self.after = after;
        self
    }
}

/// All that goes wrong.
#[derive(Debug, Default)]
pub struct Faults {
    pub rules: Vec<Rule>,
    /// Seed and part in 1000 of the calls that lose their connection.
    pub chaos: Option<(u64, u64)>,
}

impl Faults {
    /// What happens to a call.
    pub fn of(&mut self, method: &str, path: &str) -> Option<Action> {
        for rule in &mut self.rules {
            let fits = rule.method.is_empty() || rule.method == method;
            if !fits || !path.contains(&rule.path) || rule.times == 0 {
                continue;
            }
            if rule.after > 0 {
                rule.after -= 1;
                continue;
            }
            rule.times -= 1;
            return Some(rule.action.clone());
        }
        self.chance()
    }

    fn chance(&mut self) -> Option<Action> {
        let (state, part) = self.chaos.as_mut()?;
        // SplitMix64.
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        (mixed % 1000 < *part).then(|| {
            [
                Action::DropBefore,
                Action::DropAfter,
                Action::RefuseAfter(596, "Broken pipe".to_owned()),
                Action::Refuse(595, "No route to host".to_owned()),
                Action::TaskFails("can't lock file '/var/lock/x' - got timeout".to_owned()),
            ][usize::try_from(mixed >> 33).unwrap() % 5]
                .clone()
        })
    }
}
