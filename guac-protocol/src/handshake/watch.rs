//! What ends either machine: its time limit, and the first failure.

use core::time::Duration;

use super::Failure;
use crate::Opcode;

/// Points in time count from an epoch of the caller's, as there is no clock here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    deadline: Option<Duration>,
    failed: Option<Failure>,
}

impl Watch {
    pub(super) fn start(&mut self, now: Duration, limit: Duration) {
        self.deadline = Some(now.saturating_add(limit));
    }

    pub(super) fn stop(&mut self) {
        self.deadline = None;
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The failure there was.
    pub(super) fn failure(&self) -> Result<(), Failure> {
        self.failed.map_or(Ok(()), Err)
    }

    /// The failure there was, or that the time limit passed.
    pub(super) fn check(&mut self, now: Duration, waiting_for: Opcode) -> Result<(), Failure> {
        self.failure()?;
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(self.fail(Failure::Timeout { waiting_for }));
        }
        Ok(())
    }

    /// Remembers a failure; there is none before it.
    pub(super) fn fail(&mut self, failure: Failure) -> Failure {
        self.stop();
        self.failed = Some(failure);
        failure
    }
}
