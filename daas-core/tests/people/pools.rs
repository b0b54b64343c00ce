//! Instances that wait for somebody.

use super::at;
use super::support::{Fixture, NO_LIMIT, T0, app, entry, fixture, instance, user};
use daas_core::Error;
use daas_core::audit::AuditAction as A;
use daas_core::model::{Action, Instance, InstanceId, InstanceState, Quota, Timestamp};
use daas_core::storage::Outcome;
use tokio::task::JoinSet;

const HOUR: i64 = 60 * 60 * 1000;

impl Fixture {
    /// One that waits, and runs since a time.
    async fn ready(&self, since: Timestamp) -> InstanceId {
        let waits = instance(self.owner, self.app, since);
        let id = waits.id;
        let added = self.store.add_waiting(waits, 99, NO_LIMIT.into()).await;
        assert!(added.unwrap());
        let begun = self
            .store
            .begin(id, Action::Start, NO_LIMIT.into(), since)
            .await;
        let begun = begun.unwrap();
        self.store
            .finish(id, begun.revision, Outcome::Done { endpoint: None }, since)
            .await
            .unwrap();
        id
    }

    async fn claim(&self, general: Quota, now: Timestamp) -> Result<Option<Instance>, Error> {
        self.store.claim(self.app, self.owner, general, now).await
    }
}

#[tokio::test]
async fn the_oldest_that_runs_is_claimed_as_if_it_were_launched_then() {
    let f = fixture().await;
    assert!(f.claim(NO_LIMIT, T0).await.unwrap().is_none());
    let (second, first) = (f.ready(at(2)).await, f.ready(at(1)).await);
    // One that only starts is not given out.
    let starts = instance(f.owner, f.app, T0);
    f.store
        .add_waiting(starts, 99, NO_LIMIT.into())
        .await
        .unwrap();
    assert_eq!(f.store.instances(Some(f.owner)).await.unwrap().len(), 0);
    for id in [first, second] {
        let before = f.store.instance(id).await.unwrap();
        assert_eq!(before.owner, None);
        let claimed = f.claim(NO_LIMIT, at(9)).await.unwrap().unwrap();
        assert_eq!((claimed.id, claimed.owner), (id, Some(f.owner)));
        assert_eq!(claimed.state, InstanceState::Running);
        assert_eq!(claimed.created_at, at(9));
        assert_eq!(claimed.endpoint, before.endpoint);
        assert_eq!(claimed.password.expose(), before.password.expose());
        assert!(claimed.revision > before.revision);
    }
    assert!(f.claim(NO_LIMIT, at(9)).await.unwrap().is_none());
    assert_eq!(f.store.instances(Some(f.owner)).await.unwrap().len(), 2);
    assert_eq!(f.store.waiting().await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_of_another_application_is_not_claimed() {
    let f = fixture().await;
    f.ready(T0).await;
    let other = f.store.put_app(app("other")).await.unwrap();
    let claimed = f.store.claim(other, f.owner, NO_LIMIT, T0).await;
    assert!(claimed.unwrap().is_none());
}

#[tokio::test]
async fn who_is_gone_claims_nothing() {
    let f = fixture().await;
    f.ready(T0).await;
    let gone = f.add(user("gone")).await;
    let deleted = f.store.delete_user(gone, false, T0, entry(A::UserDelete));
    deleted.await.unwrap();
    let claimed = f.store.claim(f.app, gone, NO_LIMIT, T0).await;
    assert!(matches!(claimed, Err(Error::NotFound { what: "user" })));
}

#[tokio::test]
async fn quotas_hold_for_what_is_claimed_and_not_for_what_waits() {
    let f = fixture().await;
    for _ in 0..4 {
        f.ready(T0).await;
    }
    let two = Quota {
        instances: Some(2),
        ..NO_LIMIT
    };
    let mut claims = JoinSet::new();
    for _ in 0..4 {
        let (store, app, owner) = (f.store.clone(), f.app, f.owner);
        claims.spawn(async move { store.claim(app, owner, two, T0).await });
    }
    let claims = claims.join_all().await;
    let given = claims.iter().filter(|claim| matches!(claim, Ok(Some(_))));
    assert_eq!(given.count(), 2);
    let refused = |claim: &&Result<_, Error>| matches!(claim, Err(Error::Exhausted { .. }));
    assert_eq!(claims.iter().filter(refused).count(), 2);
    assert_eq!(f.store.waiting().await.unwrap().len(), 2);
}

#[tokio::test]
async fn hours_count_from_when_it_was_claimed() {
    let f = fixture().await;
    f.ready(T0).await;
    f.claim(NO_LIMIT, at(5 * HOUR)).await.unwrap().unwrap();
    for (now, expected) in [(5 * HOUR, 0), (6 * HOUR, HOUR), (9 * HOUR, 4 * HOUR)] {
        let allowance = f.store.allowance(f.owner, NO_LIMIT, at(now)).await;
        assert_eq!(allowance.unwrap().used.week_ms, expected as u64);
    }
}

#[tokio::test]
async fn never_more_wait_than_are_to() {
    let f = fixture().await;
    let mut adding = JoinSet::new();
    for _ in 0..20 {
        let (store, waits) = (f.store.clone(), instance(f.owner, f.app, T0));
        adding.spawn(async move { store.add_waiting(waits, 3, NO_LIMIT.into()).await.unwrap() });
    }
    let added = adding.join_all().await;
    assert_eq!(added.iter().filter(|added| **added).count(), 3);
    assert_eq!(f.store.waiting().await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_somebodys_is_not_discarded() {
    let f = fixture().await;
    let (first, second) = (f.ready(at(1)).await, f.ready(at(2)).await);
    f.claim(NO_LIMIT, at(3)).await.unwrap().unwrap();
    assert!(f.store.discard(first, at(4)).await.unwrap().is_none());
    let discarded = f.store.discard(second, at(4)).await.unwrap().unwrap();
    assert_eq!(discarded.state, InstanceState::Deleting);
    assert!(f.store.discard(second, at(4)).await.unwrap().is_none());
    assert!(f.claim(NO_LIMIT, at(5)).await.unwrap().is_none());
    let states = [first, second].map(|id| f.store.instance(id));
    let [first, second] = states;
    assert_eq!(first.await.unwrap().state, InstanceState::Running);
    assert_eq!(second.await.unwrap().state, InstanceState::Deleting);
}

#[tokio::test]
async fn what_waits_on_a_host_that_is_drained_is_not_claimed() {
    let f = fixture().await;
    let id = f.ready(T0).await;
    let host: daas_core::model::HostName = "lab".parse().unwrap();
    f.store.settle_hosts(host.clone()).await.unwrap();
    let drain = |is_to_be| {
        let entry = entry(A::HostDrain);
        f.store.set_drained(host.clone(), is_to_be, entry)
    };
    drain(true).await.unwrap();
    assert!(f.claim(NO_LIMIT, T0).await.unwrap().is_none());
    assert!(f.store.waiting().await.unwrap()[0].drained);
    drain(false).await.unwrap();
    assert_eq!(f.claim(NO_LIMIT, T0).await.unwrap().unwrap().id, id);
}
