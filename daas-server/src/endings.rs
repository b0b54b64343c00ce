//! Keeps the policies that end desktops by themselves.

use std::sync::Arc;
use std::time::Duration;

use daas_core::chain;
use daas_core::model::Timestamp;
use daas_core::storage::Begun;
use tokio::time::{MissedTickBehavior, interval};

use crate::Services;

/// How often it is written who looks at what, and what is due is begun. Far shorter than the time
/// that any policy leaves: nobody who looks is overlooked.
const POLICIES: Duration = Duration::from_secs(15);
/// Ticks of that after a start in which nothing is begun: the page waits up to 36 seconds between
/// two tries to come back.
const RETURN: usize = 3;

impl Services {
    /// After a start, pages come back first: what they look at is not to end before they do.
    pub(crate) async fn keep_policies(self: Arc<Self>) {
        let mut ticks = interval(POLICIES);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..RETURN {
            ticks.tick().await;
            self.note_use_or_say(Timestamp::now()).await;
        }
        loop {
            ticks.tick().await;
            self.carry_out_policies(Timestamp::now()).await;
        }
    }

    /// Writes who looks at what, begins what is due by policies, and tells who looks at it.
    pub async fn carry_out_policies(&self, now: Timestamp) {
        // Else somebody may look at what seems to be due.
        if !self.note_use_or_say(now).await {
            return;
        }
        match self.lifecycle.begin_due(now).await {
            Ok(begun) => {
                for Begun { instance, due } in begun {
                    let (id, why) = (instance.id, due.reason());
                    tracing::info!(instance = %id, why, "{} by policy", due.policy.action.done());
                    self.tunnels.end_due(id, due.why);
                }
            }
            Err(error) => tracing::warn!(error = chain(&error), "policies were not kept"),
        }
    }

    pub(crate) async fn note_use_or_say(&self, now: Timestamp) -> bool {
        let noted = self.note_use(now).await;
        if let Err(error) = &noted {
            tracing::warn!(error = chain(error), "who looks at what was not written");
        }
        noted.is_ok()
    }

    /// Writes who looks at what, and when there was input.
    async fn note_use(&self, now: Timestamp) -> daas_core::Result<()> {
        let used = self.tunnels.registry().take_used(now);
        if used.is_empty() {
            return Ok(());
        }
        let noted = self.store.note_use(used.clone()).await;
        if noted.is_err() {
            self.tunnels.registry().give_back(used);
        }
        noted
    }
}
