//! Invitations and second factors.

use super::support::{Fixture, T0, entry, fixture, secret, session, user};
use super::{at, done, is_missing};
use daas_core::Error;
use daas_core::audit::AuditAction as A;
use daas_core::model::UserId;
use daas_core::storage::Invitation;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_invitation_is_accepted_once() {
    let f = fixture().await;
    let invite = |hash: u8, user| {
        let invitation = Invitation {
            hash: [hash; 32],
            user,
            expires_at: at(10),
        };
        f.store.add_invitation(invitation, entry(A::UserInvite))
    };
    is_missing(invite(1, UserId::random()).await, "user");
    invite(1, f.owner).await.unwrap();
    invite(2, f.owner).await.unwrap();
    is_missing(f.store.invited([1; 32], T0).await, "invitation");
    assert_eq!(f.store.invited([2; 32], at(9)).await.unwrap().id, f.owner);
    is_missing(f.store.invited([2; 32], at(10)).await, "invitation");
    f.store
        .add_session(session(f.owner, 1), None)
        .await
        .unwrap();
    let mut calls = JoinSet::new();
    for n in 0..20 {
        let store = f.store.clone();
        calls.spawn(async move {
            let accepted =
                store.accept_invitation([2; 32], format!("hash {n}"), T0, entry(A::UserAccept));
            accepted.await.map(drop)
        });
    }
    let gone = |error: &Error| matches!(error, Error::NotFound { what: "invitation" });
    assert_eq!(done(calls, gone).await, 1);
    is_missing(f.store.use_session([1; 32], T0, at(-1)).await, "session");
    let accepted = f.audit().await;
    let accepted = accepted
        .iter()
        .filter(|entry| entry.action == A::UserAccept);
    assert_eq!(accepted.count(), 1);
}

impl Fixture {
    async fn enable_totp(&self, text: &str, step: u64, recovery: Vec<[u8; 32]>) {
        let set = self.store.set_pending_totp(self.owner, secret(text));
        set.await.unwrap();
        let enable = self
            .store
            .enable_totp(self.owner, step, recovery, entry(A::UserTotp));
        enable.await.unwrap();
    }
}

#[tokio::test]
async fn a_second_factor_counts_once_its_code_was_shown() {
    let f = fixture().await;
    is_missing(f.store.pending_totp(f.owner).await, "second factor");
    is_missing(f.store.use_totp_step(f.owner, 1).await, "second factor");
    let early = f.store.enable_totp(f.owner, 1, vec![], entry(A::UserTotp));
    is_missing(early.await, "second factor");
    let set = f.store.set_pending_totp(f.owner, secret("a secret"));
    set.await.unwrap();
    assert!(f.store.second_factor(f.owner).await.unwrap().is_none());
    assert!(!f.store.user(f.owner).await.unwrap().totp_enabled);
    f.enable_totp("another secret", 7, vec![[1; 32], [2; 32]])
        .await;
    is_missing(f.store.pending_totp(f.owner).await, "second factor");
    let factor = f.store.second_factor(f.owner).await.unwrap().unwrap();
    assert_eq!(factor.secret.expose(), "another secret");
    assert_eq!(factor.last_step, Some(7));
    assert_eq!(factor.recovery, [[1; 32], [2; 32]]);
    assert!(f.store.user(f.owner).await.unwrap().totp_enabled);
    f.store
        .disable_totp(f.owner, entry(A::UserTotp))
        .await
        .unwrap();
    assert!(f.store.second_factor(f.owner).await.unwrap().is_none());
    let again = f.store.disable_totp(f.owner, entry(A::UserTotp));
    is_missing(again.await, "second factor");
    let old = f.store.use_recovery_code(f.owner, [1; 32]);
    is_missing(old.await, "second factor");
    f.enable_totp("a third one", 1, vec![]).await;
    let mut row = f.store.user(f.owner).await.unwrap();
    row.totp_enabled = false;
    f.store
        .change_user(row, None, entry(A::UserChange))
        .await
        .unwrap();
    assert!(f.store.second_factor(f.owner).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_code_is_used_once() {
    let f = fixture().await;
    f.enable_totp("a secret", 7, vec![[1; 32], [2; 32]]).await;
    let used = |error: &Error| matches!(error, Error::NotFound { .. });
    for step in [8, 10] {
        let mut calls = JoinSet::new();
        for _ in 0..20 {
            let (store, id) = (f.store.clone(), f.owner);
            calls.spawn(async move { store.use_totp_step(id, step).await });
        }
        assert_eq!(done(calls, used).await, 1);
    }
    for older in [7, 8, 9, 10] {
        is_missing(f.store.use_totp_step(f.owner, older).await, "second factor");
    }
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (store, id) = (f.store.clone(), f.owner);
        calls.spawn(async move { store.use_recovery_code(id, [1; 32]).await });
    }
    assert_eq!(done(calls, used).await, 1);
    let left = f.store.second_factor(f.owner).await.unwrap().unwrap();
    assert_eq!(left.recovery, [[2; 32]]);
    let other = f.add(user("other")).await;
    let stolen = f.store.use_recovery_code(other, [2; 32]);
    is_missing(stolen.await, "second factor");
}
