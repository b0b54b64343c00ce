//! Which entries somebody wants to see.

use super::{AuditAction, Entry, Label};
use crate::model::Timestamp;

/// Which entries somebody wants to see: those that are like all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Id or name of who did it; the case of ASCII letters does not matter.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<AuditAction>,
    /// Id or name of what it was done to; the case of ASCII letters does not matter.
    pub target: Option<String>,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// Whether an entry is one of them.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        let actor_id = entry.actor.id.map(|id| id.to_string());
        let target_id = entry.target.id.as_ref().map(Label::as_str);
        is_named(&self.actor, actor_id.as_deref(), &entry.actor.name)
            && self.action.is_none_or(|action| action == entry.action)
            && is_named(&self.target, target_id, &entry.target.name)
            && self.from.is_none_or(|from| from <= entry.at)
            && self.to.is_none_or(|to| entry.at < to)
    }
}

fn is_named(wanted: &Option<String>, id: Option<&str>, name: &Label) -> bool {
    let Some(wanted) = wanted else { return true };
    name.as_str().eq_ignore_ascii_case(wanted)
        || id.is_some_and(|id| id.eq_ignore_ascii_case(wanted))
}
