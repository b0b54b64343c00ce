//! The words of the log. They are kept and hashed, so none is ever changed or used again for
//! something else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::Action;

/// A text is none of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a word of the audit log")]
pub struct UnknownWord;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$about])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                let word = Self::ALL.iter().find(|word| word.as_str() == text);
                word.copied().ok_or(UnknownWord)
            }
        }
    )*};
}

words! {
    /// What was done, or tried.
    AuditAction {
        /// Somebody logged in.
        SessionLogIn = "session.log_in",
        /// Somebody logged out.
        SessionLogOut = "session.log_out",
        /// A session was ended by another one, or by somebody else.
        SessionRevoke = "session.revoke",
        /// An account was made.
        UserCreate = "user.create",
        /// An account was changed.
        UserChange = "user.change",
        /// An account was removed.
        UserDelete = "user.delete",
        /// A link was given out that opens an account.
        UserInvite = "user.invite",
        /// Such a link was used.
        UserAccept = "user.accept",
        /// A password was changed.
        UserPassword = "user.password",
        /// The second factor was set up or removed.
        UserTotp = "user.totp",
        /// A group was made.
        GroupCreate = "group.create",
        /// A group was changed, or who is in it.
        GroupChange = "group.change",
        /// A group was removed.
        GroupDelete = "group.delete",
        /// The rules of a user or group were changed.
        RulesChange = "rules.change",
        /// The quota of a user, group or application was changed.
        QuotaChange = "quota.change",
        /// A token for programs was made.
        TokenCreate = "token.create",
        /// A token for programs was removed.
        TokenDelete = "token.delete",
        /// An application was launched.
        InstanceLaunch = "instance.launch",
        /// An instance was started again.
        InstanceStart = "instance.start",
        /// An instance was stopped.
        InstanceStop = "instance.stop",
        /// An instance was frozen.
        InstanceSuspend = "instance.suspend",
        /// An instance was thawed.
        InstanceResume = "instance.resume",
        /// An instance was removed.
        InstanceDelete = "instance.delete",
        /// The state of an instance was kept.
        InstanceSnapshot = "instance.snapshot",
        /// An instance was put back to a state that was kept.
        InstanceRollback = "instance.rollback",
        /// A state that was kept was removed.
        InstanceSnapshotRemove = "instance.snapshot_remove",
        /// A desktop that no row knew got one.
        InstanceAdopt = "instance.adopt",
        /// What would end an instance by itself was put off.
        InstanceExtend = "instance.extend",
        /// A tunnel to an instance was opened.
        InstanceOpen = "instance.open",
        /// A tunnel was ended by somebody else.
        TunnelEnd = "tunnel.end",
        /// A host was to be emptied, or was taken back.
        HostDrain = "host.drain",
        /// Secrets in the database were sealed again by a new key.
        SecretsRotate = "secrets.rotate",
        /// The log itself was exported.
        AuditExport = "audit.export",
    }

    /// What something was done to.
    TargetKind {
        /// A user.
        User = "user",
        /// A group.
        Group = "group",
        /// An application of the catalogue.
        App = "app",
        /// An instance.
        Instance = "instance",
        /// A session.
        Session = "session",
        /// A token for programs.
        Token = "token",
        /// A tunnel.
        Tunnel = "tunnel",
        /// A host that runs instances.
        Host = "host",
        /// The secrets in the database.
        Secrets = "secrets",
        /// This log.
        Audit = "audit",
    }

    /// What came of it.
    Outcome {
        /// It was done.
        Done = "done",
        /// It was not allowed.
        Refused = "refused",
        /// It was allowed, but did not work.
        Failed = "failed",
    }
}

impl From<Action> for AuditAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Start => Self::InstanceStart,
            Action::Suspend => Self::InstanceSuspend,
            Action::Resume => Self::InstanceResume,
            Action::Stop => Self::InstanceStop,
            Action::Delete => Self::InstanceDelete,
        }
    }
}
