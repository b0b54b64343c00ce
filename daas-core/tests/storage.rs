//! What every storage must do, run against each of them.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "support/store.rs"]
mod support;

use daas_core::Error;
use daas_core::audit::AuditAction;
use daas_core::model::{Action, Endpoint, FailureReason, InstanceState, Quota, UserId};
use daas_core::storage::{Outcome, People as _, Sqlite, Ticket};
use support::{NO_LIMIT, T0, app, entry, fixture, instance, session, user};

#[tokio::test]
async fn users_are_found_whatever_the_case() {
    let f = fixture().await;
    f.store.check().await.unwrap();
    assert_eq!(f.store.user_by_name("OWNER").await.unwrap().id, f.owner);
    let taken = f
        .store
        .add_user(user("Owner"), vec![], entry(AuditAction::UserCreate))
        .await;
    assert!(matches!(taken, Err(Error::AlreadyExists { what: "user" })));
    let missing = f.store.user_by_name("nobody").await;
    assert!(matches!(missing, Err(Error::NotFound { what: "user" })));
    assert_eq!(f.store.count_users().await.unwrap(), 1);
}

#[tokio::test]
async fn sessions_end_by_time_idleness_password_and_log_out() {
    let f = fixture().await;
    f.store
        .add_session(session(f.owner, 1), None)
        .await
        .unwrap();
    let use_at = |ms: i64, idle: i64| {
        f.store
            .use_session([1; 32], T0.plus_ms(ms), T0.plus_ms(idle))
    };
    assert_eq!(use_at(999, -1).await.unwrap().1.user.id, f.owner);
    assert!(use_at(1000, -1).await.is_err());
    assert!(use_at(999, 0).await.is_err());
    f.store.end_session([1; 32], None).await.unwrap();
    assert!(use_at(1, -1).await.is_err());
    f.store
        .add_session(session(f.owner, 1), None)
        .await
        .unwrap();
    let mut changed = f.store.user(f.owner).await.unwrap();
    changed.password_hash = "new".to_owned();
    let entry = entry(AuditAction::UserPassword);
    f.store.change_user(changed, None, entry).await.unwrap();
    assert!(use_at(1, -1).await.is_err());
    assert_eq!(f.store.user(f.owner).await.unwrap().password_hash, "new");
}

#[tokio::test]
async fn a_ticket_is_good_once() {
    let f = fixture().await;
    let instance = f.launch().await;
    f.store
        .add_session(session(f.owner, 1), None)
        .await
        .unwrap();
    let ticket = |n: u8| Ticket {
        hash: [n; 32],
        session: [1; 32],
        instance,
        expires_at: T0.plus_ms(30),
    };
    for n in 1..=4 {
        f.store.add_ticket(ticket(n)).await.unwrap();
    }
    let take =
        |n: u8, session: u8, ms: i64| f.store.take_ticket([n; 32], [session; 32], T0.plus_ms(ms));
    assert_eq!(take(1, 1, 29).await.unwrap(), ticket(1));
    assert!(take(1, 1, 29).await.is_err(), "taken twice");
    assert!(take(2, 2, 29).await.is_err(), "by another session");
    assert!(take(2, 1, 29).await.is_err(), "after another session tried");
    assert!(take(3, 1, 30).await.is_err(), "expired");
    f.store.end_session([1; 32], None).await.unwrap();
    assert!(take(4, 1, 29).await.is_err(), "after log-out");
}

#[tokio::test]
async fn an_application_is_changed_by_its_slug() {
    let f = fixture().await;
    let mut changed = app("app");
    changed.name = "A new name".to_owned();
    assert_eq!(f.store.put_app(changed).await.unwrap(), f.app);
    let apps = f.store.apps().await.unwrap();
    assert_eq!(apps.len(), 1);
    assert_eq!(apps[0].name, "A new name");
    assert_eq!(f.store.app(f.app).await.unwrap(), apps[0]);
}

#[tokio::test]
async fn an_instance_lives_by_intents_and_outcomes() {
    let f = fixture().await;
    let id = f.launch().await;
    let begun = f
        .store
        .begin(id, Action::Start, NO_LIMIT.into(), T0.plus_ms(1))
        .await
        .unwrap();
    assert_eq!(begun.state, InstanceState::Starting);
    let again = f
        .store
        .begin(id, Action::Start, NO_LIMIT.into(), T0.plus_ms(2))
        .await;
    assert!(matches!(again, Err(Error::Conflict { .. })));
    let endpoint = Endpoint {
        address: "10.1.2.3".parse().unwrap(),
        port: 5901,
    };
    let done = Outcome::Done {
        endpoint: Some(endpoint),
    };
    let stale = f
        .store
        .finish(id, begun.revision - 1, done.clone(), T0)
        .await;
    assert!(matches!(stale, Err(Error::Conflict { .. })));
    let now = T0.plus_ms(3);
    let running = f.store.finish(id, begun.revision, done, now).await.unwrap();
    assert_eq!(
        (running.state, running.endpoint),
        (InstanceState::Running, Some(endpoint))
    );
    assert_eq!(running.password.expose(), "secret");
    let states = f.store.transitions(id).await.unwrap();
    let states: Vec<_> = states.into_iter().map(|step| step.state).collect();
    use InstanceState::{Requested, Running, Starting};
    assert_eq!(states, [Requested, Starting, Running]);
}

#[tokio::test]
async fn failures_are_kept_with_their_reason() {
    let f = fixture().await;
    let id = f.launch().await;
    let begun = f
        .store
        .begin(id, Action::Start, NO_LIMIT.into(), T0)
        .await
        .unwrap();
    let reason = FailureReason {
        action: Action::Start,
        text: "The image is missing".to_owned(),
    };
    let failed = Outcome::Failed(reason.clone());
    let failed = f
        .store
        .finish(id, begun.revision, failed, T0)
        .await
        .unwrap();
    assert_eq!(failed.failure, Some(reason));
    let deleting = f
        .store
        .begin(id, Action::Delete, NO_LIMIT.into(), T0)
        .await
        .unwrap();
    assert_eq!(deleting.failure, None);
    let gone = Outcome::Done { endpoint: None };
    f.store
        .finish(id, deleting.revision, gone, T0)
        .await
        .unwrap();
    assert!(f.store.instances(None).await.unwrap().is_empty());
    assert_eq!(
        f.store.instance(id).await.unwrap().state,
        InstanceState::Deleted
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_quota_holds_against_launches_at_once() {
    let f = fixture().await;
    let seven = Quota {
        instances: Some(7),
        ..NO_LIMIT
    };
    let launches: Vec<_> = (0..40)
        .map(|_| {
            let (store, instance) = (f.store.clone(), instance(f.owner, f.app, T0));
            tokio::spawn(async move { store.add_instance(instance, seven.into()).await })
        })
        .collect();
    let mut added = 0;
    for launch in launches {
        match launch.await.unwrap() {
            Ok(()) => added += 1,
            Err(error) => assert!(matches!(error, Error::Exhausted { .. })),
        }
    }
    assert_eq!(added, 7);
    assert_eq!(f.store.instances(Some(f.owner)).await.unwrap().len(), 7);
    assert!(
        f.store
            .instances(Some(UserId::random()))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn all_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, keys) = (folder.path().join("db"), folder.path().join("keys"));
    let someone = user("someone");
    let store = Sqlite::open(&path, &keys).await.unwrap();
    let entry = entry(AuditAction::UserCreate);
    store
        .add_user(someone.clone(), vec![], entry)
        .await
        .unwrap();
    drop(store);
    let store = Sqlite::open(&path, &keys).await.unwrap();
    assert_eq!(store.user_by_name("someone").await.unwrap(), someone);
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    std::fs::write(
        &path,
        b"not a database, but longer than its header would be at least",
    )
    .unwrap();
    let keys = folder.path().join("keys");
    assert!(Sqlite::open(&path, &keys).await.is_err());
}
