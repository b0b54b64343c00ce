//! Events: what has changed from one look to the next.
//!
//! The cluster tells nobody what happens, and its own list of guests is late by ten seconds.
//! The lists of nodes are not: each node with instances on it is asked for its own.

use std::collections::HashMap;
use std::sync::PoisonError;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Proxmox;
use super::observe::Listed;
use super::power::State;
use super::trouble::Trouble;
use crate::hypervisor::HypervisorEvent;
use crate::model::InstanceId;

/// Most notes that are kept while nobody watches.
const NOTES_MAX: usize = 10_000;

/// What each instance did; `None` where its node cannot be asked.
pub(super) type Picture = HashMap<InstanceId, Option<State>>;

impl Proxmox {
    pub(super) async fn send_events(&self, events: mpsc::Sender<HypervisorEvent>) {
        let mut last: Option<Picture> = None;
        loop {
            let done = self.take_done();
            if let Some(last) = &mut last {
                last.extend(done);
            }
            let sent = match self.picture().await {
                Ok(now) => {
                    let sent = self.tell(last.as_ref(), &now, &events).await;
                    last = Some(now);
                    sent
                }
                Err(trouble) => {
                    if last.take().is_some() {
                        tracing::warn!(error = %trouble, "the cluster cannot be watched");
                    }
                    true
                }
            };
            tokio::select! {
                () = sleep(self.config.watch_every), if sent => {}
                () = events.closed() => return,
                else => return,
            }
        }
    }

    /// Notes what an instance was made to do. Without it, one that was started and ended
    /// between two looks would be as it was before, and nobody would be told.
    pub(super) fn note_done(&self, id: InstanceId, state: State) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.len() < NOTES_MAX {
            done.insert(id, Some(state));
        }
    }

    fn take_done(&self) -> Picture {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *done)
    }

    async fn picture(&self) -> Result<Picture, Trouble> {
        let list = self.all().await?;
        let own: Vec<_> = list
            .iter()
            .filter_map(|resource| self.own(resource))
            .collect();
        let states = self.states(&own).await?;
        let picture = own.iter().filter_map(|own| {
            let state = match states.get(&own.guest)? {
                Listed::Guest(current) => Some(State::from(current)),
                Listed::Silent => None,
            };
            Some((own.id, state))
        });
        Ok(picture.collect())
    }

    /// Sends what is different; answers whether somebody listens.
    async fn tell(
        &self,
        last: Option<&Picture>,
        now: &Picture,
        events: &mpsc::Sender<HypervisorEvent>,
    ) -> bool {
        let Some(last) = last else {
            now.keys().for_each(|id| self.forget(*id));
            return events.send(HypervisorEvent::Reconnected).await.is_ok();
        };
        let changed = now.iter().filter(|(id, state)| last.get(id) != Some(state));
        let gone = last.iter().filter(|(id, _)| !now.contains_key(id));
        for (id, _) in changed.chain(gone) {
            // Whoever is told looks, and must not see what was before.
            self.forget(*id);
            if events.send(HypervisorEvent::Changed(*id)).await.is_err() {
                return false;
            }
        }
        true
    }
}
