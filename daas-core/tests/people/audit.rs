//! The audit log.

use super::support::{T0, admin, entry, fixture, group, session, user};
use super::{at, done, is_missing, token, two};
use daas_core::audit::AuditAction as A;
use daas_core::audit::Filter;
use daas_core::audit::chain::{Fault, Verifier};
use daas_core::model::{SessionId, TokenId, UserId};
use daas_core::storage::{AuditQuery, Order, QuotaOf, Subject};
use tokio::task::JoinSet;

#[tokio::test]
async fn what_fails_leaves_no_entry() {
    let f = fixture().await;
    f.add(admin("admin")).await;
    let before = f.audit().await.len();
    let nobody = UserId::random();
    let mut old = f.store.user(f.owner).await.unwrap();
    old.revision += 1;
    let (s, e) = (&f.store, || entry(A::UserChange));
    let last = s.user_by_name("admin").await.unwrap().id;
    let group = group("group", &[]);
    let add = vec![UserId::random()];
    for (call, failed) in [
        (
            "add_user",
            s.add_user(user("OWNER"), vec![], e()).await.is_err(),
        ),
        (
            "add_user, group",
            s.add_user(user("x"), vec![group.id], e()).await.is_err(),
        ),
        ("change_user", s.change_user(old, None, e()).await.is_err()),
        (
            "delete_user",
            s.delete_user(last, false, T0, e()).await.is_err(),
        ),
        (
            "change_group",
            s.change_group(group.clone(), e()).await.is_err(),
        ),
        ("delete_group", s.delete_group(group.id, e()).await.is_err()),
        (
            "set_members",
            s.set_members(group.id, add, e()).await.is_err(),
        ),
        (
            "set_rules",
            s.set_rules(Subject::User(nobody), vec![], e())
                .await
                .is_err(),
        ),
        (
            "set_quota",
            s.set_quota(QuotaOf::User(nobody), two(), e())
                .await
                .is_err(),
        ),
        (
            "accept",
            s.accept_invitation([0; 32], String::new(), T0, e())
                .await
                .is_err(),
        ),
        (
            "enable_totp",
            s.enable_totp(f.owner, 0, vec![], e()).await.is_err(),
        ),
        ("disable_totp", s.disable_totp(f.owner, e()).await.is_err()),
        (
            "add_session",
            s.add_session(session(nobody, 1), Some(e())).await.is_err(),
        ),
        (
            "end_session",
            s.end_session_of(f.owner, SessionId::random(), e())
                .await
                .is_err(),
        ),
        (
            "add_token",
            s.add_token(token(nobody, 1), e()).await.is_err(),
        ),
        (
            "delete_token",
            s.delete_token(f.owner, TokenId::random(), e())
                .await
                .is_err(),
        ),
    ] {
        assert!(failed, "{call}");
    }
    assert_eq!(f.audit().await.len(), before);
    is_missing(f.store.user_by_name("x").await, "user");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn entries_are_numbered_and_chained_whoever_writes() {
    let f = fixture().await;
    let mut calls = JoinSet::new();
    for n in 0..50 {
        let store = f.store.clone();
        let user = user(&format!("user {n}"));
        calls.spawn(async move { store.add_user(user, vec![], entry(A::UserCreate)).await });
    }
    assert_eq!(done(calls, |_| false).await, 50);
    let entries = f.audit().await;
    assert_eq!(entries.len(), 51);
    assert_eq!(entries.last().unwrap().seq, 51);
}

#[tokio::test]
async fn the_log_is_read_in_pages_and_parts() {
    let f = fixture().await;
    for n in 1..=6 {
        let mut entry = entry(if n % 2 == 0 {
            A::UserChange
        } else {
            A::UserDelete
        });
        entry.at = at(n);
        f.store.note(entry).await.unwrap();
    }
    let seqs = async |query| {
        let kept = f.store.entries(query).await.unwrap();
        kept.iter().map(|(entry, _)| entry.seq).collect::<Vec<_>>()
    };
    let query = AuditQuery {
        limit: 3,
        ..AuditQuery::default()
    };
    assert_eq!(seqs(query.clone()).await, [7, 6, 5]);
    let behind = Some(5);
    assert_eq!(
        seqs(AuditQuery {
            behind,
            ..query.clone()
        })
        .await,
        [4, 3, 2]
    );
    let order = Order::OldestFirst;
    let oldest = AuditQuery {
        order,
        ..query.clone()
    };
    assert_eq!(seqs(oldest.clone()).await, [1, 2, 3]);
    assert_eq!(seqs(AuditQuery { behind, ..oldest }).await, [6, 7]);
    let filters = [
        (
            Filter {
                action: Some(A::UserChange),
                ..Filter::default()
            },
            vec![7, 5, 3],
        ),
        (
            Filter {
                from: Some(at(3)),
                to: Some(at(5)),
                ..Filter::default()
            },
            vec![5, 4],
        ),
        (
            Filter {
                actor: Some("SYSTEM".to_owned()),
                ..Filter::default()
            },
            vec![7, 6, 5],
        ),
        (
            Filter {
                target: Some("nobody".to_owned()),
                ..Filter::default()
            },
            vec![],
        ),
    ];
    for (filter, expected) in filters {
        assert_eq!(
            seqs(AuditQuery {
                filter,
                ..query.clone()
            })
            .await,
            expected
        );
    }
}

#[tokio::test]
async fn the_database_itself_keeps_the_log() {
    let f = fixture().await;
    f.store.note(entry(A::UserChange)).await.unwrap();
    let before = f.audit().await;
    let db = rusqlite::Connection::open(f.db()).unwrap();
    for sql in [
        "UPDATE audit SET actor = 'nobody' WHERE seq = 1",
        "UPDATE audit SET seq = 9 WHERE seq = 2",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit",
        "REPLACE INTO audit SELECT seq, at, actor_id, 'nobody', address, action, target_kind,
             target_id, target, outcome, before, after, hash FROM audit",
        "INSERT INTO audit SELECT 1, at, actor_id, 'nobody', address, action, target_kind,
             target_id, target, outcome, before, after, hash FROM audit WHERE seq = 2
             ON CONFLICT (seq) DO UPDATE SET actor = 'nobody'",
    ] {
        let error = db.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("the audit log is never"), "{sql}: {error}");
    }
    drop(db);
    assert_eq!(f.audit().await, before);
}

#[tokio::test]
async fn who_gets_around_that_breaks_the_chain() {
    let f = fixture().await;
    for _ in 0..3 {
        f.store.note(entry(A::UserChange)).await.unwrap();
    }
    let db = rusqlite::Connection::open(f.db()).unwrap();
    db.execute_batch(
        "DROP TRIGGER audit_is_never_changed; UPDATE audit SET actor = 'x' WHERE seq = 3",
    )
    .unwrap();
    let query = AuditQuery {
        order: Order::OldestFirst,
        limit: 9,
        ..AuditQuery::default()
    };
    let mut verifier = Verifier::new();
    for (entry, hash) in f.store.entries(query).await.unwrap() {
        let _ = verifier.check(&entry, &hash);
    }
    let broken = verifier.finish().unwrap_err();
    assert_eq!((broken.seq, broken.fault), (3, Fault::Wrong));
}
