//! Why a call did not do what was asked.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use super::classify::{Origin, classify};
use super::upid::Upid;
use crate::error::BoxError;

/// What a failure means to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nothing has happened; the same call may succeed later.
    Retryable,
    /// Something else is being done to the guest; later it may be done.
    Busy,
    /// It is not there, or not where it was looked for: guests move.
    Gone,
    /// Whoever asked may not, or is not who they say.
    Permission,
    /// The state that it is in does not allow it, or it is so already.
    Conflict,
    /// There is no room, or no number, left.
    Exhausted,
    /// It may or may not have happened.
    Unknown,
    /// Trying again does not help.
    Fatal,
}

/// Why a call failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// None of the endpoints could be connected to; nothing was asked.
    #[error("no endpoint can be reached")]
    Unreachable(#[source] BoxError),
    /// Too many calls wait already; nothing was asked.
    #[error("too many calls at once")]
    Crowded,
    /// The connection ended, or the time did, while the call was under way.
    #[error("there was no answer")]
    Lost {
        /// Whether it would have changed something.
        changes: bool,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// An answer that says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A task that ended badly.
    #[error("the task {upid} failed: {exit}")]
    Task {
        /// Which.
        upid: Upid,
        /// What it says.
        exit: String,
    },
    /// A task that is not at its end.
    #[error("the task {upid} has not ended within {within:?}")]
    Unfinished {
        /// Which.
        upid: Upid,
        /// How long it was waited for.
        within: Duration,
    },
    /// An answer that is not what the interface says it is.
    #[error("the answer cannot be read: {what}")]
    Unreadable {
        /// What is wrong.
        what: String,
        /// Whether the call would have changed something.
        changes: bool,
    },
    /// What was to be asked is not possible; nothing was asked.
    #[error("{0}")]
    Invalid(String),
}

impl Fault {
    /// What it means to whoever asked.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable(_) | Self::Crowded => Class::Retryable,
            Self::Lost { changes, .. } | Self::Unreadable { changes, .. } if *changes => {
                Class::Unknown
            }
            Self::Lost { .. } => Class::Retryable,
            Self::Refused(refusal) => {
                let origin = Origin::Status {
                    status: refusal.status,
                    changes: refusal.changes,
                };
                classify(origin, &refusal.full())
            }
            Self::Task { exit, .. } => classify(Origin::Task, exit),
            Self::Unfinished { .. } => Class::Unknown,
            Self::Unreadable { .. } | Self::Invalid(_) => Class::Fatal,
        }
    }

    /// The text of a refusal or of a task, to be looked into.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.full(),
            Self::Task { exit, .. } => exit.clone(),
            _ => String::new(),
        }
    }
}

/// An answer that says no.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    /// Why: the reason phrase, or what the body says.
    pub text: String,
    /// What is wrong with parameters, by their names.
    pub parameters: Vec<(String, String)>,
    /// Whether the call would have changed something.
    pub changes: bool,
}

impl Refusal {
    /// The text with all that is said of parameters.
    fn full(&self) -> String {
        let mut text = self.text.clone();
        for (name, wrong) in &self.parameters {
            text.push_str(&format!(" {name}: {wrong}"));
        }
        text
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}: {}", self.status, self.full())
    }
}
