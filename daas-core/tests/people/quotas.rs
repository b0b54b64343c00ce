//! Quotas, and what counts against them.

use super::support::{Fixture, NO_LIMIT, T0, app, entry, fixture, group, instance, user};
use super::{at, done, two};
use daas_core::Error;
use daas_core::audit::AuditAction as A;
use daas_core::model::{
    Action, AppId, FailureReason, InstanceId, InstanceState, Quota, Resources, Timestamp, UserId,
};
use daas_core::storage::{Outcome, QuotaOf};
use tokio::task::JoinSet;

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

impl Fixture {
    async fn limit(&self, of: QuotaOf, quota: Quota) {
        let set = self.store.set_quota(of, quota, entry(A::QuotaChange));
        set.await.unwrap();
    }

    async fn limits(&self, general: Quota) -> Quota {
        let allowance = self.store.allowance(self.owner, general, T0).await;
        allowance.unwrap().limits
    }

    /// Does an action to an end.
    async fn go(&self, id: InstanceId, action: Action, at: Timestamp) {
        let begun = self
            .store
            .begin(id, action, NO_LIMIT.into(), at)
            .await
            .unwrap();
        let outcome = Outcome::Done { endpoint: None };
        let finish = self.store.finish(id, begun.revision, outcome, at);
        finish.await.unwrap();
    }

    async fn used_ms(&self, at: Timestamp) -> u64 {
        let allowance = self.store.allowance(self.owner, NO_LIMIT, at).await;
        allowance.unwrap().used.week_ms
    }
}

#[tokio::test]
async fn the_tightest_limit_counts_and_the_general_one_in_silence() {
    let f = fixture().await;
    let general = Quota {
        instances: Some(9),
        cpu_millis: Some(9000),
        memory_mib: Some(900),
        disk_mib: Some(90),
        hours_week: None,
    };
    assert_eq!(f.limits(general).await, general);
    let own = Quota {
        instances: Some(20),
        cpu_millis: Some(1000),
        ..NO_LIMIT
    };
    f.limit(QuotaOf::User(f.owner), own).await;
    assert_eq!(f.store.quota(QuotaOf::User(f.owner)).await.unwrap(), own);
    let id = f.add_group(group("group", &[])).await;
    let of_group = Quota {
        instances: Some(30),
        cpu_millis: Some(500),
        hours_week: Some(3),
        ..NO_LIMIT
    };
    f.limit(QuotaOf::Group(id), of_group).await;
    let expected = Quota {
        instances: Some(20),
        cpu_millis: Some(1000),
        ..general
    };
    assert_eq!(f.limits(general).await, expected);
    let put = f
        .store
        .set_members(id, vec![f.owner], entry(A::GroupChange));
    put.await.unwrap();
    let expected = Quota {
        cpu_millis: Some(500),
        hours_week: Some(3),
        ..expected
    };
    assert_eq!(f.limits(general).await, expected);
    f.limit(QuotaOf::User(f.owner), NO_LIMIT).await;
    f.store
        .delete_group(id, entry(A::GroupDelete))
        .await
        .unwrap();
    assert_eq!(f.limits(general).await, general);
    for nobody in [
        QuotaOf::User(UserId::random()),
        QuotaOf::Group(id),
        QuotaOf::App(AppId::random()),
    ] {
        let set = f
            .store
            .set_quota(nobody, two(), entry(A::QuotaChange))
            .await;
        assert!(matches!(set, Err(Error::NotFound { .. })), "{set:?}");
        assert_eq!(f.store.quota(nobody).await.unwrap(), NO_LIMIT);
    }
}

#[tokio::test]
async fn quotas_of_applications_are_for_each_person() {
    let f = fixture().await;
    let other_app = f.store.put_app(app("other")).await.unwrap();
    let other = f.add(user("other")).await;
    f.limit(QuotaOf::App(f.app), two()).await;
    let launch = |owner, app| {
        f.store
            .add_instance(instance(owner, app, T0), NO_LIMIT.into())
    };
    for _ in 0..2 {
        launch(f.owner, f.app).await.unwrap();
        launch(other, f.app).await.unwrap();
    }
    let refusal = launch(f.owner, f.app).await.unwrap_err().to_string();
    assert!(refusal.contains("of this application"), "{refusal}");
    launch(f.owner, other_app).await.unwrap();
    let allowance = f.store.allowance(f.owner, NO_LIMIT, T0).await.unwrap();
    assert_eq!(allowance.used.instances, 3);
    assert_eq!(allowance.apps.len(), 1);
    let (id, limits, used) = allowance.apps[0];
    assert_eq!((id, limits, used.instances), (f.app, two(), 2));
    assert_eq!(f.store.app_quotas().await.unwrap(), [(f.app, two())]);
}

#[tokio::test]
async fn hours_are_those_that_desktops_ran_in_seven_days() {
    let f = fixture().await;
    let id = f.launch().await;
    assert_eq!(f.used_ms(at(HOUR)).await, 0, "nothing ran yet");
    f.go(id, Action::Start, at(HOUR)).await;
    assert_eq!(f.used_ms(at(3 * HOUR)).await, 2 * HOUR as u64);
    f.go(id, Action::Suspend, at(3 * HOUR)).await;
    assert_eq!(f.used_ms(at(9 * HOUR)).await, 2 * HOUR as u64, "frozen");
    f.go(id, Action::Resume, at(10 * HOUR)).await;
    f.go(id, Action::Stop, at(11 * HOUR)).await;
    assert_eq!(f.used_ms(at(12 * HOUR)).await, 3 * HOUR as u64);
    // Two at once count twice.
    let other = f.launch().await;
    f.go(other, Action::Start, at(10 * HOUR)).await;
    assert_eq!(f.used_ms(at(12 * HOUR)).await, 5 * HOUR as u64);
    f.go(other, Action::Delete, at(12 * HOUR)).await;
    let used = async |ms| f.used_ms(at(ms)).await;
    assert_eq!(used(7 * DAY).await, 5 * HOUR as u64, "deleted ones count");
    assert_eq!(
        used(7 * DAY + 2 * HOUR).await,
        4 * HOUR as u64,
        "half is over"
    );
    assert_eq!(used(7 * DAY + 11 * HOUR).await, HOUR as u64);
    assert_eq!(used(7 * DAY + 12 * HOUR).await, 0);
    // One that has run for longer than that.
    f.go(id, Action::Start, at(20 * DAY)).await;
    assert_eq!(used(40 * DAY).await, 7 * DAY as u64);
}

#[tokio::test]
async fn no_hours_left_no_start() {
    let f = fixture().await;
    let id = f.launch().await;
    let hours = Quota {
        hours_week: Some(2),
        ..NO_LIMIT
    };
    f.limit(QuotaOf::User(f.owner), hours).await;
    f.go(id, Action::Start, T0).await;
    f.go(id, Action::Stop, at(2 * HOUR)).await;
    let start = |ms| f.store.begin(id, Action::Start, NO_LIMIT.into(), at(ms));
    for ms in [2 * HOUR, 6 * DAY] {
        let refusal = start(ms).await;
        assert!(
            matches!(refusal, Err(Error::Exhausted { .. })),
            "{refusal:?}"
        );
        let another = f
            .store
            .add_instance(instance(f.owner, f.app, at(ms)), NO_LIMIT.into());
        assert!(matches!(another.await, Err(Error::Exhausted { .. })));
    }
    start(7 * DAY + 1).await.unwrap();
}

/// The hours of a quota.
fn hours(hours: u32) -> Quota {
    Quota {
        hours_week: Some(hours),
        ..NO_LIMIT
    }
}

impl Fixture {
    /// An instance that runs since a moment.
    async fn run(&self, owner: UserId, app: AppId, since: i64) -> InstanceId {
        let new = instance(owner, app, at(since));
        let id = new.id;
        self.store.add_instance(new, NO_LIMIT.into()).await.unwrap();
        self.go(id, Action::Start, at(since)).await;
        id
    }

    /// What is stopped at a moment, as it is out of time.
    async fn stopped(&self, general: Quota, ms: i64) -> Vec<InstanceId> {
        let stopped = self.store.stop_out_of_time(general, at(ms)).await.unwrap();
        for row in &stopped {
            assert_eq!(row.state, InstanceState::Stopping);
            assert_eq!(row.changed_at, at(ms));
        }
        stopped.into_iter().map(|row| row.id).collect()
    }
}

#[tokio::test]
async fn what_runs_out_of_time_is_stopped_and_says_why() {
    let f = fixture().await;
    f.limit(QuotaOf::User(f.owner), hours(2)).await;
    let (one, other) = (
        f.run(f.owner, f.app, 0).await,
        f.run(f.owner, f.app, 0).await,
    );
    let before = f.audit().await.len();
    // Two of them use two hours in one.
    assert_eq!(f.stopped(NO_LIMIT, HOUR - 1).await, []);
    assert_eq!(f.audit().await.len(), before);
    let mut stopped = f.stopped(NO_LIMIT, HOUR).await;
    stopped.sort_unstable();
    let mut both = [one, other];
    both.sort_unstable();
    assert_eq!(stopped, both);
    // Once is enough.
    assert_eq!(f.stopped(NO_LIMIT, HOUR).await, []);
    let words = "your desktops may run 2 hours in seven days, and that is used up";
    let told = Some(FailureReason {
        action: Action::Stop,
        text: format!("The desktop was stopped: {words}."),
    });
    let row = f.store.instance(one).await.unwrap();
    assert_eq!(row.failure, told);
    let (outcome, revision) = (Outcome::Done { endpoint: None }, row.revision);
    let finish = f.store.finish(one, revision, outcome, at(HOUR + 1));
    let row = finish.await.unwrap();
    assert_eq!((row.state, &row.failure), (InstanceState::Stopped, &told));
    let last = f.store.transitions(one).await.unwrap().pop().unwrap();
    assert_eq!((last.state, last.failure), (InstanceState::Stopped, told));
    for entry in &f.audit().await[before..] {
        assert_eq!((entry.action, entry.at), (A::InstanceStop, at(HOUR)));
        assert_eq!(entry.actor.name.as_str(), "system");
        let after = entry.after.as_ref().unwrap().text();
        assert_eq!(after, format!(r#"{{"reason":"{words}"}}"#));
    }
    assert_eq!(f.audit().await.len(), before + 2);
    let start = |ms| f.store.begin(one, Action::Start, NO_LIMIT.into(), at(ms));
    let refused = start(HOUR + 2).await;
    assert!(
        matches!(refused, Err(Error::Exhausted { .. })),
        "{refused:?}"
    );
    // With time again it starts, and what was is forgotten.
    assert_eq!(start(7 * DAY + HOUR).await.unwrap().failure, None);
}

#[tokio::test]
async fn time_runs_out_by_any_quota_and_for_whom_it_is() {
    let f = fixture().await;
    let other_app = f.store.put_app(app("other")).await.unwrap();
    let other = f.add(user("other")).await;
    let mine = f.run(f.owner, f.app, 0).await;
    let mine_too = f.run(f.owner, other_app, 0).await;
    let theirs = f.run(other, f.app, HOUR).await;
    assert_eq!(f.stopped(NO_LIMIT, DAY).await, [], "no quota, no end");
    // Of the application: each person has their own hours.
    f.limit(QuotaOf::App(f.app), hours(3)).await;
    assert_eq!(f.stopped(NO_LIMIT, 3 * HOUR).await, [mine]);
    let row = f.store.instance(mine).await.unwrap();
    let text = row.failure.unwrap().text;
    assert!(text.contains("of this application"), "{text}");
    assert_eq!(f.stopped(NO_LIMIT, 4 * HOUR).await, [theirs]);
    // Of a group, and only for who is in it.
    let theirs = f.run(other, other_app, 4 * HOUR).await;
    let group = f.add_group(group("group", &[])).await;
    f.limit(QuotaOf::Group(group), hours(4)).await;
    assert_eq!(f.stopped(NO_LIMIT, 5 * HOUR).await, []);
    let put = f
        .store
        .set_members(group, vec![other], entry(A::GroupChange));
    put.await.unwrap();
    assert_eq!(f.stopped(NO_LIMIT, 5 * HOUR).await, [theirs]);
    // The general one, where nothing else is said.
    assert_eq!(f.stopped(hours(9), 5 * HOUR).await, [], "3 + 5 hours");
    assert_eq!(f.stopped(hours(9), 6 * HOUR).await, [mine_too]);
}

#[tokio::test]
async fn what_is_frozen_stays_so_without_hours() {
    let f = fixture().await;
    let id = f.run(f.owner, f.app, 0).await;
    f.go(id, Action::Suspend, at(2 * HOUR)).await;
    assert_eq!(f.stopped(hours(2), DAY).await, [], "it uses no time");
    let resume = |ms| f.store.begin(id, Action::Resume, hours(2).into(), at(ms));
    let refused = resume(DAY).await;
    assert!(
        matches!(refused, Err(Error::Exhausted { .. })),
        "{refused:?}"
    );
    assert_eq!(
        f.store.instance(id).await.unwrap().state,
        InstanceState::Suspended
    );
    // A limit that is no longer kept otherwise does not keep it frozen.
    let few = Quota {
        instances: Some(0),
        memory_mib: Some(0),
        ..hours(2)
    };
    let resumed = f
        .store
        .begin(id, Action::Resume, few.into(), at(7 * DAY + 1));
    resumed.await.unwrap();
}

#[tokio::test]
async fn a_stopped_one_starts_within_what_is_left() {
    let f = fixture().await;
    for limit in [
        Quota {
            cpu_millis: Some(5999),
            ..NO_LIMIT
        },
        Quota {
            memory_mib: Some(3 * 2048 - 1),
            ..NO_LIMIT
        },
    ] {
        f.limit(QuotaOf::User(f.owner), NO_LIMIT).await;
        let (stopped, running) = (f.launch().await, f.launch().await);
        f.go(stopped, Action::Start, T0).await;
        f.go(stopped, Action::Stop, T0).await;
        f.go(running, Action::Start, T0).await;
        f.limit(QuotaOf::User(f.owner), limit).await;
        let another = f.launch().await;
        let before = f.store.instance(stopped).await.unwrap();
        let start = || f.store.begin(stopped, Action::Start, NO_LIMIT.into(), T0);
        let refusal = start().await;
        assert!(
            matches!(refusal, Err(Error::Exhausted { .. })),
            "{refusal:?}"
        );
        let after = f.store.instance(stopped).await.unwrap();
        assert_eq!(
            (after.state, after.revision),
            (before.state, before.revision)
        );
        // What is frozen keeps its memory.
        f.go(running, Action::Suspend, T0).await;
        assert!(start().await.is_err());
        f.go(running, Action::Stop, T0).await;
        start().await.unwrap();
        for id in [stopped, running, another] {
            f.go(id, Action::Delete, T0).await;
        }
    }
}

/// 100 launches at once against one limit; answers how many there are then.
async fn launched_at_once(f: &Fixture, quota: Quota, of: QuotaOf) -> usize {
    f.limit(of, quota).await;
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let (store, new) = (f.store.clone(), instance(f.owner, f.app, T0));
        calls.spawn(async move { store.add_instance(new, NO_LIMIT.into()).await });
    }
    let launched = done(calls, |error| matches!(error, Error::Exhausted { .. })).await;
    let kept = f.store.instances(Some(f.owner)).await.unwrap();
    assert_eq!(kept.len(), launched);
    let allowance = f.store.allowance(f.owner, NO_LIMIT, T0).await.unwrap();
    assert_eq!(allowance.limits.check(&allowance.used), Ok(()));
    for instance in kept {
        f.go(instance.id, Action::Delete, T0).await;
    }
    f.limit(of, NO_LIMIT).await;
    launched
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_launches_at_once_pass_no_limit() {
    let f = fixture().await;
    let Resources {
        cpu_millis,
        memory_mib,
        disk_mib,
    } = app("app").resources;
    let limits = [
        Quota {
            instances: Some(5),
            ..NO_LIMIT
        },
        // One less than six of them need.
        Quota {
            cpu_millis: Some(6 * cpu_millis - 1),
            ..NO_LIMIT
        },
        Quota {
            memory_mib: Some(6 * memory_mib - 1),
            ..NO_LIMIT
        },
        Quota {
            disk_mib: Some(6 * disk_mib - 1),
            ..NO_LIMIT
        },
    ];
    for limit in limits {
        for of in [QuotaOf::User(f.owner), QuotaOf::App(f.app)] {
            assert_eq!(launched_at_once(&f, limit, of).await, 5, "{limit:?} {of:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn starts_at_once_pass_no_limit() {
    let f = fixture().await;
    let mut stopped = Vec::new();
    for _ in 0..20 {
        let id = f.launch().await;
        f.go(id, Action::Start, T0).await;
        f.go(id, Action::Stop, T0).await;
        stopped.push(id);
    }
    let quota = Quota {
        memory_mib: Some(4 * 2048 - 1),
        ..NO_LIMIT
    };
    let mut calls = JoinSet::new();
    for id in stopped {
        let store = f.store.clone();
        calls.spawn(async move {
            store
                .begin(id, Action::Start, quota.into(), T0)
                .await
                .map(drop)
        });
    }
    let started = done(calls, |error| matches!(error, Error::Exhausted { .. })).await;
    assert_eq!(started, 3);
}
