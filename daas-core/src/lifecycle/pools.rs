//! Keeps desktops ready for whoever launches one.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use super::{Lifecycle, Step};
use crate::error::{Error, Result, chain};
use crate::fleet::Bounds;
use crate::model::{App, AppId, Instance, InstanceState, Timestamp, UserId};
use crate::storage::Waiting;

/// Desktops of an application that start at the same time: whoever launches one that is not
/// ready must not wait behind all of a pool.
const AT_ONCE: u32 = 4;
/// Pauses after a failure, in milliseconds: the first, and the longest.
const PAUSES_MS: (i64, i64) = (10_000, 600_000);

/// Pools in which something failed: until when nothing is added, and for how long that is.
pub(super) type Pauses = HashMap<AppId, (Timestamp, i64)>;

/// What has to be done about a pool.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    /// What is no good, or too many, by places.
    discard: Vec<usize>,
    /// How many are to be added.
    add: u32,
    has_failed: bool,
}

/// Compares what waits, the oldest first, with how many are wanted.
fn plan(waiting: &[Waiting], wanted: u32) -> Plan {
    use InstanceState as S;
    let mut plan = Plan::default();
    let (mut running, mut coming) = (Vec::new(), Vec::new());
    for (place, Waiting { instance, drained }) in waiting.iter().enumerate() {
        match instance.state {
            S::Running | S::Requested | S::Starting if *drained => plan.discard.push(place),
            S::Running => running.push(place),
            S::Requested | S::Starting => coming.push(place),
            S::Failed | S::Stopped | S::Suspended => plan.discard.push(place),
            S::Suspending | S::Resuming | S::Stopping | S::Deleting | S::Deleted => {}
        }
        plan.has_failed |= instance.state == S::Failed;
    }
    let starting = u32::try_from(coming.len()).unwrap_or(u32::MAX);
    // Those that run are given up last, the oldest of them at the very end.
    let good: Vec<usize> = running.into_iter().chain(coming).collect();
    let wanted_places = usize::try_from(wanted).unwrap_or(usize::MAX);
    plan.discard.extend(good.iter().skip(wanted_places));
    let missing = wanted.saturating_sub(u32::try_from(good.len()).unwrap_or(u32::MAX));
    plan.add = missing.min(AT_ONCE.saturating_sub(starting));
    plan
}

impl Lifecycle {
    /// Gives somebody a desktop that waits, if there is one.
    pub(super) async fn claim(
        &self,
        owner: UserId,
        app: AppId,
        now: Timestamp,
    ) -> Result<Option<Instance>> {
        let general = self.shared.config.quota;
        let claimed = self.shared.store.claim(app, owner, general, now).await?;
        if let Some(instance) = &claimed {
            self.publish(instance, Some(Step::Ready));
            self.shared.claimed.notify_one();
            let (lifecycle, id) = (self.clone(), instance.id);
            // It ran when it was last looked at; whoever has it now is told if it does not.
            tokio::spawn(async move {
                if let Err(error) = lifecycle.look_at(id).await {
                    tracing::warn!(instance = %id, error = chain(&error), "not looked at");
                }
            });
        }
        Ok(claimed)
    }

    /// Waits until a desktop was taken out of a pool since this was last asked.
    pub async fn claimed(&self) {
        self.shared.claimed.notified().await;
    }

    /// Adds to pools what is missing in them, at most a few at a time, and removes what is too
    /// many or no good. Applications that are not named want none.
    ///
    /// # Errors
    /// Where the storage does not answer; then it has to be done again.
    pub async fn fill_pools(&self, wanted: &[(AppId, u32)], now: Timestamp) -> Result<()> {
        let mut pools: BTreeMap<AppId, (u32, Vec<Waiting>)> = BTreeMap::new();
        for (app, ready) in wanted {
            pools.entry(*app).or_default().0 = *ready;
        }
        for waiting in self.shared.store.waiting().await? {
            let app = waiting.instance.app;
            pools.entry(app).or_default().1.push(waiting);
        }
        for (app, (ready, waiting)) in pools {
            let plan = plan(&waiting, ready);
            for place in &plan.discard {
                if let Some(Waiting { instance, .. }) = waiting.get(*place) {
                    self.discard(instance, now).await?;
                }
            }
            if self.may_add(app, &plan, now) {
                self.add_all(app, ready, &plan, now).await?;
            }
        }
        Ok(())
    }

    async fn discard(&self, instance: &Instance, now: Timestamp) -> Result<()> {
        if let Some(instance) = self.shared.store.discard(instance.id, now).await? {
            self.set_out(&instance);
        }
        Ok(())
    }

    async fn add_all(&self, app: AppId, most: u32, plan: &Plan, now: Timestamp) -> Result<()> {
        if plan.add == 0 {
            return Ok(());
        }
        let shared = &self.shared;
        let app = shared.store.app(app).await?;
        let bounds = shared.fleet.bounds_for(&app, shared.config.quota).await;
        for _ in 0..plan.add {
            match self.add_waiting(&app, most, bounds.clone(), now).await {
                // What has no room now may have some later.
                Err(Error::Exhausted { reason }) => {
                    tracing::info!(app = app.slug, reason, "not all that is to be ready is");
                    return Ok(());
                }
                added => added?,
            }
        }
        Ok(())
    }

    async fn add_waiting(
        &self,
        app: &App,
        most: u32,
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<()> {
        let instance = Instance::requested(None, app.id, self.desktop_password(app)?, now);
        let store = &self.shared.store;
        if !store.add_waiting(instance.clone(), most, bounds).await? {
            return Ok(());
        }
        self.start_added(instance).await.map(drop)
    }

    /// Whether a pool may be added to: not for a while after something in it failed, and for
    /// longer each time, until it is full again.
    fn may_add(&self, app: AppId, plan: &Plan, now: Timestamp) -> bool {
        let pauses = &self.shared.pauses;
        let mut pauses = pauses.lock().unwrap_or_else(PoisonError::into_inner);
        if plan.has_failed {
            let last = pauses.get(&app).map_or(0, |(_, pause)| *pause);
            let pause = (last * 2).clamp(PAUSES_MS.0, PAUSES_MS.1);
            tracing::warn!(%app, pause_ms = pause, "a desktop that was to be ready has failed");
            pauses.insert(app, (now.plus_ms(pause), pause));
        }
        if plan.add == 0 && !plan.has_failed {
            pauses.remove(&app);
        }
        pauses.get(&app).is_none_or(|(until, _)| *until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn waiting(states: &[InstanceState]) -> Vec<Waiting> {
        let app = AppId::random();
        let instance = |state: &InstanceState| {
            let password = Secret::new(String::new());
            let instance = Instance::requested(None, app, password, Timestamp(0));
            Waiting {
                instance: Instance {
                    state: *state,
                    ..instance
                },
                drained: false,
            }
        };
        states.iter().map(instance).collect()
    }

    #[test]
    fn pools_are_filled_a_few_at_a_time() {
        use InstanceState as S;
        let add = |states: &[S], wanted| plan(&waiting(states), wanted).add;
        assert_eq!(add(&[], 0), 0);
        assert_eq!(add(&[], 3), 3);
        assert_eq!(add(&[], 30), AT_ONCE);
        assert_eq!(add(&[S::Starting, S::Requested], 30), AT_ONCE - 2);
        assert_eq!(add(&[S::Starting; 9], 30), 0);
        assert_eq!(add(&[S::Running; 28], 30), 2);
        assert_eq!(add(&[S::Deleting, S::Stopping], 2), 2);
    }

    #[test]
    fn what_is_no_good_goes_and_of_what_is_too_many_the_youngest() {
        use InstanceState as S;
        let states = [S::Failed, S::Running, S::Starting, S::Running, S::Stopped];
        let discard = |wanted| plan(&waiting(&states), wanted).discard;
        assert_eq!(discard(9), [0, 4]);
        assert_eq!(discard(2), [0, 4, 2]);
        assert_eq!(discard(1), [0, 4, 3, 2]);
        assert_eq!(discard(0), [0, 4, 1, 3, 2]);
        let mut moving = waiting(&states);
        moving[1].drained = true;
        assert_eq!(plan(&moving, 9).discard, [0, 1, 4]);
        assert!(plan(&waiting(&states), 9).has_failed);
        assert!(!plan(&waiting(&[S::Stopped]), 1).has_failed);
    }
}
