//! What each starting instance waits for at the moment.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use daas_core::lifecycle::{Event, Step};
use daas_core::model::{InstanceId, InstanceState};

/// The last step of each instance that starts.
#[derive(Debug, Default)]
pub(crate) struct Steps(Mutex<HashMap<InstanceId, Step>>);

/// Whether an instance in this state has a step at all.
pub(crate) const fn has_step(state: InstanceState) -> bool {
    matches!(state, InstanceState::Requested | InstanceState::Starting)
}

impl Steps {
    pub(crate) fn note(&self, event: &Event) {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event.step {
            Some(step) if has_step(event.instance.state) => steps.insert(event.instance.id, step),
            _ => steps.remove(&event.instance.id),
        };
    }

    pub(crate) fn of(&self, id: InstanceId) -> Option<Step> {
        let steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        steps.get(&id).copied()
    }
}
