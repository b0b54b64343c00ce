//! What ends desktops by itself: the rule, for any desktop whatsoever, and what is kept for it.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "support/store.rs"]
mod support;

use std::path::Path;

use daas_core::Error;
use daas_core::audit::AuditAction as A;
use daas_core::model::{
    Action, App, AppId, Due, Ending, FailureReason, Instance, InstanceId, InstanceState, Policies,
    Policy, PolicyError, Timestamp, UserId, Why,
};
use daas_core::storage::{Outcome, Sqlite, Used};
use proptest::prelude::*;
use support::{Fixture, NO_LIMIT, T0, app, entry, fixture, instance, secret};

const MINUTE: i64 = 60_000;

fn at(ms: i64) -> Timestamp {
    T0.plus_ms(ms)
}

fn policy(text: &str) -> Option<Policy> {
    Policy::parse(text).unwrap()
}

fn policies(disconnect: &str, idle: &str, lifetime: &str) -> Policies {
    Policies {
        disconnect: policy(disconnect),
        idle: policy(idle),
        lifetime: policy(lifetime),
    }
}

#[test]
fn policies_are_written_in_one_way() {
    for (text, action, after_s) in [
        ("suspend after 60s", Ending::Suspend, 60),
        ("stop after 10m", Ending::Stop, 600),
        ("delete after 8h", Ending::Delete, 28_800),
        ("stop after 365d", Ending::Stop, 31_536_000),
    ] {
        assert_eq!(text.parse(), Ok(Policy { action, after_s }));
    }
    assert_eq!(Policy::parse("keep"), Ok(None));
    for text in [
        "stop after 59s",
        "stop after 0m",
        "stop after 366d",
        "stop after 99999999999999999999s",
    ] {
        assert_eq!(Policy::parse(text), Err(PolicyError::Range), "{text}");
    }
    for text in [
        "",
        "stop",
        "Keep",
        "keep ",
        "stop after",
        "stop after ",
        "stop after 10",
        "stop after m",
        "stop after 10 m",
        "stop after 10min",
        "stop after -10m",
        "stop after +10m",
        "stop after 1.5h",
        "stop  after 10m",
        "stop after 10m ",
        "halt after 10m",
        "STOP after 10m",
        "stop after 10M",
        "resume after 10m",
        "stop after １０m",
        "after 10m",
    ] {
        assert_eq!(Policy::parse(text), Err(PolicyError::Shape), "{text}");
    }
}

#[test]
fn reasons_are_told_in_words() {
    let told = |why, text: &str| {
        let due = Due {
            at: T0,
            why,
            policy: policy(text).unwrap(),
        };
        due.text()
    };
    for (why, policy, expected) in [
        (
            Why::Disconnect,
            "suspend after 10m",
            "The desktop was suspended, as nobody looked at it for 10 minutes.",
        ),
        (
            Why::Idle,
            "stop after 30m",
            "The desktop was stopped, as nobody used it for 30 minutes.",
        ),
        (
            Why::Idle,
            "stop after 90s",
            "The desktop was stopped, as nobody used it for 90 seconds.",
        ),
        (
            Why::Lifetime,
            "delete after 1h",
            "The desktop was deleted, as its time of 1 hour is over.",
        ),
        (
            Why::Lifetime,
            "stop after 24h",
            "The desktop was stopped, as its time of 1 day is over.",
        ),
    ] {
        assert_eq!(told(why, policy), expected);
    }
}

/// A desktop of somebody that was started at the beginning and thawed later.
fn running(since: i64) -> Instance {
    let owner = Some(UserId::random());
    Instance {
        state: InstanceState::Running,
        started_at: Some(T0),
        running_since: Some(at(since)),
        ..Instance::requested(owner, AppId::random(), secret("x"), T0)
    }
}

#[test]
fn each_policy_counts_from_its_own_fact() {
    let all = policies("suspend after 10m", "stop after 20m", "delete after 30m");
    let due = |row: &Instance| all.due(row, false).map(|due| (due.why, due.at));
    let mut row = running(0);
    assert_eq!(due(&row), Some((Why::Disconnect, at(10 * MINUTE))));
    row.seen_at = Some(at(11 * MINUTE));
    assert_eq!(due(&row), Some((Why::Idle, at(20 * MINUTE))));
    row.input_at = Some(at(5 * MINUTE));
    assert_eq!(due(&row), Some((Why::Disconnect, at(21 * MINUTE))));
    let watched = all.due(&row, true).unwrap();
    assert_eq!((watched.why, watched.at), (Why::Idle, at(25 * MINUTE)));
    row.input_at = Some(at(29 * MINUTE));
    let watched = all.due(&row, true).unwrap();
    assert_eq!((watched.why, watched.at), (Why::Lifetime, at(30 * MINUTE)));
    // What was looked at before it was frozen is of no account once it is thawed.
    assert_eq!(
        due(&Instance {
            running_since: Some(at(15 * MINUTE)),
            ..row.clone()
        })
        .unwrap()
        .1,
        at(25 * MINUTE)
    );
    row.extended_to = Some(at(60 * MINUTE));
    // Of all that were put off to the same moment, what does most.
    assert_eq!(due(&row), Some((Why::Lifetime, at(60 * MINUTE))));
}

#[test]
fn what_does_not_run_ends_by_its_time_only() {
    let all = |lifetime| policies("stop after 1m", "stop after 1m", lifetime);
    for (state, lifetime, ends) in [
        (InstanceState::Suspended, "suspend after 30m", false),
        (InstanceState::Suspended, "stop after 30m", true),
        (InstanceState::Suspended, "delete after 30m", true),
        (InstanceState::Stopped, "stop after 30m", false),
        (InstanceState::Stopped, "delete after 30m", true),
        (InstanceState::Failed, "stop after 30m", false),
        (InstanceState::Failed, "delete after 30m", true),
        (InstanceState::Stopping, "delete after 30m", false),
        (InstanceState::Deleted, "delete after 30m", false),
    ] {
        let row = Instance {
            state,
            ..running(10)
        };
        let due = all(lifetime).due(&row, false).map(|due| (due.why, due.at));
        let expected = ends.then_some((Why::Lifetime, at(30 * MINUTE)));
        assert_eq!(due, expected, "{state} {lifetime}");
    }
    // Nobody's desktop, which waits in a pool; and one that was claimed an hour later.
    let mut row = Instance {
        owner: None,
        ..running(0)
    };
    assert_eq!(all("stop after 1m").due(&row, false), None);
    row.owner = Some(UserId::random());
    row.created_at = at(60 * MINUTE);
    assert_eq!(
        all("stop after 1m").due(&row, false).unwrap().at,
        at(61 * MINUTE)
    );
    // Whoever thaws what was frozen at the end of its time has that time again.
    let freezes = policies("keep", "keep", "suspend after 30m");
    let due = freezes.due(&running(40 * MINUTE), false).unwrap();
    assert_eq!(due.at, at(70 * MINUTE));
}

fn any_policy() -> impl Strategy<Value = Option<Policy>> {
    let action = prop_oneof![
        Just(Ending::Suspend),
        Just(Ending::Stop),
        Just(Ending::Delete)
    ];
    proptest::option::of(
        (action, 60..5000_u64).prop_map(|(action, after_s)| Policy { action, after_s }),
    )
}

fn any_policies() -> impl Strategy<Value = Policies> {
    (any_policy(), any_policy(), any_policy()).prop_map(|(disconnect, idle, lifetime)| Policies {
        disconnect,
        idle,
        lifetime,
    })
}

fn any_time() -> impl Strategy<Value = Option<Timestamp>> {
    proptest::option::of((0..10_000_000_i64).prop_map(at))
}

fn any_instance() -> impl Strategy<Value = Instance> {
    use InstanceState as S;
    let states = [
        S::Requested,
        S::Starting,
        S::Running,
        S::Suspending,
        S::Suspended,
        S::Resuming,
        S::Stopping,
        S::Stopped,
        S::Deleting,
        S::Deleted,
        S::Failed,
    ];
    let times = (any_time(), any_time(), any_time(), any_time(), any_time());
    (proptest::sample::select(states.to_vec()), times).prop_map(|(state, times)| {
        let (seen_at, input_at, extended_to, started_at, running_since) = times;
        Instance {
            state,
            seen_at,
            input_at,
            extended_to,
            started_at,
            running_since,
            ..running(0)
        }
    })
}

proptest! {
    /// Whatever is due may be done in the state that the desktop is in.
    #[test]
    fn only_what_is_allowed_is_due(policies in any_policies(), row in any_instance()) {
        if let Some(due) = policies.due(&row, false) {
            prop_assert!(due.policy.action.action().begin(row.state).is_ok(), "{due:?}");
            prop_assert_eq!(row.state.pending(), None);
        }
    }

    /// Nothing ends before the whole time has passed since whatever it counts from.
    #[test]
    fn nothing_is_early(policies in any_policies(), row in any_instance(), is_watched: bool) {
        let Some(due) = policies.due(&row, is_watched) else { return Ok(()) };
        let facts = match due.why {
            Why::Disconnect => [row.seen_at, row.running_since],
            Why::Idle => [row.input_at, row.running_since],
            Why::Lifetime if due.policy.action == Ending::Suspend => [row.running_since, None],
            Why::Lifetime => [row.started_at, None],
        };
        for fact in facts.into_iter().flatten() {
            let whole = fact.plus_ms(i64::try_from(due.policy.after_s).unwrap() * 1000);
            prop_assert!(due.at >= whole, "{due:?}");
        }
        prop_assert!(Some(due.at) >= row.extended_to);
        prop_assert!(!(is_watched && due.why == Why::Disconnect));
    }

    /// It is the first of what each policy alone would do.
    #[test]
    fn the_first_comes_first(all in any_policies(), row in any_instance()) {
        let alone = [
            Policies { idle: None, lifetime: None, ..all },
            Policies { disconnect: None, lifetime: None, ..all },
            Policies { disconnect: None, idle: None, ..all },
        ];
        let each = alone.iter().filter_map(|policies| policies.due(&row, false));
        let first = each.map(|due| due.at).min();
        prop_assert_eq!(all.due(&row, false).map(|due| due.at), first);
    }

    /// To be looked at, used or extended never brings an end nearer.
    #[test]
    fn use_only_puts_off(all in any_policies(), row in any_instance(), ms in 0..20_000_000_i64) {
        let Some(before) = all.due(&row, false) else { return Ok(()) };
        let later = Some(at(ms));
        for used in [
            Instance { seen_at: row.seen_at.max(later), ..row.clone() },
            Instance { input_at: row.input_at.max(later), ..row.clone() },
            Instance { extended_to: row.extended_to.max(later), ..row.clone() },
        ] {
            prop_assert!(all.due(&used, false).unwrap().at >= before.at);
        }
    }

    /// What is written into the database is read again.
    #[test]
    fn policies_come_back_as_json(policies in any_policies()) {
        let text = serde_json::to_string(&policies).unwrap();
        prop_assert_eq!(serde_json::from_str::<Policies>(&text).unwrap(), policies);
    }
}

impl Fixture {
    async fn app_with(&self, slug: &str, policies: Policies) -> AppId {
        let app = App {
            policies,
            ..app(slug)
        };
        self.store.put_app(app).await.unwrap()
    }

    async fn go(&self, id: InstanceId, action: Action, at: Timestamp) -> Instance {
        let begun = self
            .store
            .begin(id, action, NO_LIMIT.into(), at)
            .await
            .unwrap();
        self.finish(&begun, at).await
    }

    async fn finish(&self, row: &Instance, at: Timestamp) -> Instance {
        let outcome = Outcome::Done { endpoint: None };
        self.store
            .finish(row.id, row.revision, outcome, at)
            .await
            .unwrap()
    }

    /// A desktop that runs since a moment.
    async fn runs(&self, app: AppId, since: i64) -> InstanceId {
        let new = instance(self.owner, app, at(since));
        let id = new.id;
        self.store.add_instance(new, NO_LIMIT.into()).await.unwrap();
        self.go(id, Action::Start, at(since)).await;
        id
    }

    async fn used(&self, instance: InstanceId, seen: i64, input: Option<i64>) {
        let used = Used {
            instance,
            seen_at: at(seen),
            input_at: input.map(at),
        };
        self.store.note_use(vec![used]).await.unwrap();
    }

    /// What is begun by a moment.
    async fn begun(&self, ms: i64) -> Vec<(InstanceId, Why, InstanceState)> {
        let begun = self.store.begin_due(at(ms)).await.unwrap();
        let each = begun.into_iter();
        each.map(|begun| (begun.instance.id, begun.due.why, begun.instance.state))
            .collect()
    }

    async fn row(&self, id: InstanceId) -> Instance {
        self.store.instance(id).await.unwrap()
    }
}

#[tokio::test]
async fn what_is_due_is_begun_once_and_says_why() {
    let f = fixture().await;
    let app = f
        .app_with(
            "brief",
            policies("suspend after 10m", "keep", "stop after 1h"),
        )
        .await;
    let id = f.runs(app, 0).await;
    let other = f.runs(f.app, 0).await;
    let log = f.audit().await.len();
    assert_eq!(f.begun(10 * MINUTE - 1).await, []);
    let begun = f.begun(10 * MINUTE).await;
    assert_eq!(begun, [(id, Why::Disconnect, InstanceState::Suspending)]);
    assert_eq!(f.begun(10 * MINUTE).await, [], "once is enough");
    let why = FailureReason {
        action: Action::Suspend,
        text: "The desktop was suspended, as nobody looked at it for 10 minutes.".to_owned(),
    };
    let row = f.finish(&f.row(id).await, at(11 * MINUTE)).await;
    assert_eq!(
        (row.state, row.failure),
        (InstanceState::Suspended, Some(why))
    );
    // Its time goes on.
    assert_eq!(f.begun(60 * MINUTE - 1).await, []);
    let begun = f.begun(60 * MINUTE).await;
    assert_eq!(begun, [(id, Why::Lifetime, InstanceState::Stopping)]);
    let row = f.finish(&f.row(id).await, at(61 * MINUTE)).await;
    let text = row.failure.unwrap().text;
    assert_eq!(
        text,
        "The desktop was stopped, as its time of 1 hour is over."
    );
    assert_eq!(f.begun(900 * MINUTE).await, [], "it is stopped already");
    let entries = &f.audit().await[log..];
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry.action,
                entry.actor.name.as_str().to_owned(),
                entry.after.as_ref().unwrap().text().to_owned(),
            )
        })
        .collect();
    let by = |action, reason: &str| {
        (
            action,
            "system".to_owned(),
            format!(r#"{{"reason":"{reason}"}}"#),
        )
    };
    let expected = [
        by(A::InstanceSuspend, "nobody looked at it for 10 minutes"),
        by(A::InstanceStop, "its time of 1 hour is over"),
    ];
    assert_eq!(told, expected);
    // Started again it has all of its time again, and what was is forgotten.
    let row = f.go(id, Action::Start, at(1000 * MINUTE)).await;
    assert_eq!(row.failure, None);
    assert_eq!(f.begun(1009 * MINUTE).await, []);
    assert_eq!(f.begun(1010 * MINUTE).await.len(), 1);
    assert_eq!(
        f.row(other).await.state,
        InstanceState::Running,
        "it has no policies"
    );
}

#[tokio::test]
async fn thawed_it_is_not_frozen_again_at_once() {
    let f = fixture().await;
    let app = f
        .app_with(
            "brief",
            policies(
                "suspend after 10m",
                "suspend after 10m",
                "suspend after 10m",
            ),
        )
        .await;
    let id = f.runs(app, 0).await;
    f.used(id, 0, Some(0)).await;
    f.go(id, Action::Suspend, at(10 * MINUTE)).await;
    let row = f.go(id, Action::Resume, at(100 * MINUTE)).await;
    assert_eq!(
        (row.started_at, row.running_since),
        (Some(at(0)), Some(at(100 * MINUTE)))
    );
    assert_eq!(f.begun(110 * MINUTE - 1).await, []);
    assert_eq!(f.begun(110 * MINUTE).await.len(), 1);
}

/// Neither is in the way of whoever carries something out, and times only grow.
#[tokio::test]
async fn use_and_extensions_leave_the_revision() {
    let f = fixture().await;
    let app = f
        .app_with(
            "brief",
            policies("stop after 10m", "stop after 10m", "delete after 20m"),
        )
        .await;
    let id = f.runs(app, 0).await;
    let before = f.row(id).await;
    f.used(id, 5 * MINUTE, Some(4 * MINUTE)).await;
    f.used(id, 3 * MINUTE, None).await;
    let extend = |ms| f.store.extend(id, at(ms), entry(A::InstanceExtend));
    assert_eq!(
        extend(15 * MINUTE).await.unwrap().extended_to,
        Some(at(15 * MINUTE))
    );
    let row = extend(12 * MINUTE).await.unwrap();
    assert_eq!(row.extended_to, Some(at(15 * MINUTE)));
    assert_eq!(
        (row.seen_at, row.input_at),
        (Some(at(5 * MINUTE)), Some(at(4 * MINUTE)))
    );
    assert_eq!(
        (row.revision, row.changed_at),
        (before.revision, before.changed_at)
    );
    assert_eq!(f.begun(15 * MINUTE - 1).await, []);
    assert_eq!(
        f.begun(15 * MINUTE).await,
        [(id, Why::Disconnect, InstanceState::Stopping)]
    );
    let log = f.audit().await.len();
    let refused = extend(30 * MINUTE).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    assert_eq!(f.audit().await.len(), log, "nothing was done");
    let nobody = f
        .store
        .extend(InstanceId::random(), T0, entry(A::InstanceExtend))
        .await;
    assert!(matches!(nobody, Err(Error::NotFound { .. })), "{nobody:?}");
    // Of what is not there (any more) nothing has to be known.
    f.used(InstanceId::random(), 0, None).await;
    f.store.note_use(Vec::new()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_suspended_is_stopped_and_says_so() {
    let f = fixture().await;
    let app = f
        .app_with("brief", policies("suspend after 10m", "keep", "keep"))
        .await;
    let id = f.runs(app, 0).await;
    f.begun(10 * MINUTE).await;
    let row = f.row(id).await;
    let why = FailureReason {
        action: Action::Stop,
        text: "It cannot be.".to_owned(),
    };
    let outcome = Outcome::Instead(why.clone());
    let instead = f
        .store
        .finish(id, row.revision, outcome, at(11 * MINUTE))
        .await
        .unwrap();
    assert_eq!(
        (instead.state, &instead.failure),
        (InstanceState::Stopping, &Some(why.clone()))
    );
    let late = f.store.finish(id, row.revision, Outcome::Ended, T0).await;
    assert!(matches!(late, Err(Error::Conflict { .. })), "{late:?}");
    let row = f.finish(&instead, at(12 * MINUTE)).await;
    assert_eq!(
        (row.state, row.failure),
        (InstanceState::Stopped, Some(why))
    );
    let actions: Vec<_> = f.audit().await.iter().map(|entry| entry.action).collect();
    assert!(
        actions.ends_with(&[A::InstanceSuspend, A::InstanceStop]),
        "{actions:?}"
    );
}

/// Facts are in the rows: who opens the database next goes on by them.
#[tokio::test]
async fn facts_outlive_whoever_wrote_them() {
    let f = fixture().await;
    let app = f
        .app_with("brief", policies("stop after 10m", "keep", "keep"))
        .await;
    let id = f.runs(app, 0).await;
    f.used(id, 7 * MINUTE, None).await;
    let open = async |db: &Path, keys: &Path| Sqlite::open(db, keys).await.unwrap();
    let next = open(&f.db(), &f.keys()).await;
    let store: &dyn daas_core::storage::Store = &next;
    assert_eq!(
        store.app(app).await.unwrap().policies.disconnect,
        policy("stop after 10m")
    );
    assert_eq!(store.begin_due(at(17 * MINUTE - 1)).await.unwrap().len(), 0);
    // Both look at once, and one of them begins it.
    let (one, other) = tokio::join!(
        store.begin_due(at(17 * MINUTE)),
        f.store.begin_due(at(17 * MINUTE))
    );
    let begun: Vec<_> = one.unwrap().into_iter().chain(other.unwrap()).collect();
    assert_eq!(begun.len(), 1);
    assert_eq!(begun[0].instance.id, id);
}
