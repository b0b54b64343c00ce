//! What was launched, and which states it passes through.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{AppId, HostName, InstanceId, Timestamp, UserId};
use crate::secret::Secret;

/// Where an instance is in its life.
///
/// `requested → starting → running ⇄ suspended → stopping → stopped → deleted`, and
/// `failed` from any of them. `starting`, `stopping` and so on are intents: they are
/// written before the hypervisor is asked, so that a crash in between can be made good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Wanted; nothing was done yet.
    Requested,
    /// Being created or started; done when the desktop answers.
    Starting,
    /// The desktop answers.
    Running,
    /// Being frozen.
    Suspending,
    /// Frozen; keeps its memory.
    Suspended,
    /// Being thawed.
    Resuming,
    /// Being stopped.
    Stopping,
    /// Not running; can be started again.
    Stopped,
    /// Being removed.
    Deleting,
    /// Gone; the row stays for the record.
    Deleted,
    /// Something went wrong; see the reason. Can be started again or deleted.
    Failed,
}

/// What somebody wants an instance to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Create it if need be, start it, and wait for the desktop.
    Start,
    /// Freeze it.
    Suspend,
    /// Thaw it.
    Resume,
    /// Stop it.
    Stop,
    /// Stop and remove it with all that belongs to it.
    Delete,
}

/// An action is not allowed in the present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("cannot {action} an instance that is {state}")]
pub struct NotAllowed {
    /// The action.
    pub action: Action,
    /// The state.
    pub state: InstanceState,
}

impl Action {
    /// The state that stands for the intent to do this.
    #[must_use]
    pub const fn intent(self) -> InstanceState {
        match self {
            Self::Start => InstanceState::Starting,
            Self::Suspend => InstanceState::Suspending,
            Self::Resume => InstanceState::Resuming,
            Self::Stop => InstanceState::Stopping,
            Self::Delete => InstanceState::Deleting,
        }
    }

    /// The state once it is done.
    #[must_use]
    pub const fn outcome(self) -> InstanceState {
        match self {
            Self::Start | Self::Resume => InstanceState::Running,
            Self::Suspend => InstanceState::Suspended,
            Self::Stop => InstanceState::Stopped,
            Self::Delete => InstanceState::Deleted,
        }
    }

    /// The intent to write when the action is wanted in a state.
    ///
    /// # Errors
    /// Where the action is not allowed there.
    pub const fn begin(self, state: InstanceState) -> Result<InstanceState, NotAllowed> {
        use InstanceState as S;
        let allowed = match self {
            Self::Start => matches!(state, S::Requested | S::Stopped | S::Failed),
            Self::Suspend => matches!(state, S::Running),
            Self::Resume => matches!(state, S::Suspended),
            Self::Stop => matches!(state, S::Running | S::Suspended | S::Starting | S::Failed),
            Self::Delete => !matches!(state, S::Deleting | S::Deleted),
        };
        if allowed {
            Ok(self.intent())
        } else {
            Err(NotAllowed {
                action: self,
                state,
            })
        }
    }
}

impl InstanceState {
    /// The action under way, where the state is an intent.
    #[must_use]
    pub const fn pending(self) -> Option<Action> {
        match self {
            Self::Requested | Self::Starting => Some(Action::Start),
            Self::Suspending => Some(Action::Suspend),
            Self::Resuming => Some(Action::Resume),
            Self::Stopping => Some(Action::Stop),
            Self::Deleting => Some(Action::Delete),
            Self::Running | Self::Suspended | Self::Stopped | Self::Deleted | Self::Failed => None,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Suspending => "suspending",
            Self::Suspended => "suspended",
            Self::Resuming => "resuming",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Delete => "delete",
        })
    }
}

/// Why an instance failed, or was stopped or frozen without anybody's wanting it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReason {
    /// What was being done.
    pub action: Action,
    /// What went wrong and what to do, in plain words, without secrets.
    pub text: String,
}

/// Where a desktop listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its address in the network of the instance.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}

/// A desktop or application that somebody launched.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its id, also known to the hypervisor.
    pub id: InstanceId,
    /// Whose it is; nobody's as long as it waits in a pool.
    pub owner: Option<UserId>,
    /// What it is.
    pub app: AppId,
    /// Where it is in its life.
    pub state: InstanceState,
    /// Grows by one with each change of the row; who read an older one must not write.
    pub revision: i64,
    /// Why it failed, where it did, or why it was stopped or frozen without anybody's wanting it.
    pub failure: Option<FailureReason>,
    /// Where the desktop listens, once that is known.
    pub endpoint: Option<Endpoint>,
    /// The password of the desktop, of this instance alone.
    pub password: Secret<String>,
    /// When it was launched; one of a pool, when it was claimed.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
    /// Where it runs, once that was chosen. Those of before there was a choice run on the
    /// first host.
    pub host: Option<HostName>,
    /// When somebody last looked at it.
    pub seen_at: Option<Timestamp>,
    /// When there was last input, of keyboard or pointer.
    pub input_at: Option<Timestamp>,
    /// Until when it was asked to be kept, whatever else would end it.
    pub extended_to: Option<Timestamp>,
    /// When it last began to run after it had been started; being frozen changes nothing.
    pub started_at: Option<Timestamp>,
    /// When it last began to run, be it started or thawed.
    pub running_since: Option<Timestamp>,
}

impl Instance {
    /// One that is wanted, with an id of its own.
    #[must_use]
    pub fn requested(
        owner: Option<UserId>,
        app: AppId,
        password: Secret<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            id: InstanceId::random(),
            owner,
            app,
            state: InstanceState::Requested,
            revision: 0,
            failure: None,
            endpoint: None,
            password,
            created_at: now,
            changed_at: now,
            host: None,
            seen_at: None,
            input_at: None,
            extended_to: None,
            started_at: None,
            running_since: None,
        }
    }

    /// Whether it is somebody's.
    #[must_use]
    pub fn is_of(&self, user: UserId) -> bool {
        self.owner == Some(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_lead_back_to_their_actions() {
        for action in [
            Action::Start,
            Action::Suspend,
            Action::Resume,
            Action::Stop,
            Action::Delete,
        ] {
            assert_eq!(action.intent().pending(), Some(action));
            assert_eq!(action.outcome().pending(), None);
        }
    }

    #[test]
    fn what_is_gone_stays_gone() {
        for action in [Action::Start, Action::Stop, Action::Delete, Action::Resume] {
            assert!(action.begin(InstanceState::Deleted).is_err());
            assert!(action.begin(InstanceState::Deleting).is_err());
        }
    }
}
