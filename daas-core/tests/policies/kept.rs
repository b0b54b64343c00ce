//! What is kept for it, and begun by it.

use std::path::Path;

use daas_core::Error;
use daas_core::audit::AuditAction as A;
use daas_core::model::{
    Action, App, AppId, FailureReason, Instance, InstanceId, InstanceState, Policies, Timestamp,
    Why,
};
use daas_core::storage::{Outcome, Sqlite, Used};

use super::support::{Fixture, NO_LIMIT, T0, app, entry, fixture, instance};
use super::{MINUTE, at, policies, policy};

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
