//! Sessions, tickets, tokens.

use super::support::{T0, entry, fixture, session, user};
use super::{at, is_missing, token};
use daas_core::Error;
use daas_core::audit::AuditAction as A;
use daas_core::model::{SessionId, UserId};
use daas_core::storage::{Invitation, Ticket};

const HOUR: i64 = 60 * 60 * 1000;

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let f = fixture().await;
    let other = f.add(user("other")).await;
    for (n, owner) in [(1, f.owner), (2, f.owner), (3, f.owner), (4, other)] {
        let mut session = session(owner, n);
        session.used_at = at(i64::from(n));
        f.store.add_session(session, None).await.unwrap();
    }
    assert_eq!(f.store.user(f.owner).await.unwrap().last_login_at, Some(T0));
    let hashes = async |now: i64, idle: i64| {
        let sessions = f
            .store
            .sessions_of(f.owner, at(now), at(idle))
            .await
            .unwrap();
        sessions
            .iter()
            .map(|session| session.hash[0])
            .collect::<Vec<_>>()
    };
    assert_eq!(hashes(9, 0).await, [3, 2, 1]);
    assert_eq!(hashes(9, 1).await, [3, 2]);
    assert!(hashes(1000, 0).await.is_empty());
    let end = |id| f.store.end_session_of(f.owner, id, entry(A::SessionRevoke));
    let [_, second, _] = &f.store.sessions_of(f.owner, T0, at(0)).await.unwrap()[..] else {
        panic!()
    };
    end(second.id).await.unwrap();
    is_missing(end(second.id).await, "session");
    let of_other = f.store.sessions_of(other, T0, at(0)).await.unwrap();
    is_missing(end(of_other[0].id).await, "session");
    is_missing(end(SessionId::random()).await, "session");
    assert_eq!(hashes(9, 0).await, [3, 1]);
    let except = Some([1; 32]);
    let others = f
        .store
        .end_sessions_of(f.owner, except, entry(A::SessionRevoke));
    others.await.unwrap();
    assert_eq!(hashes(9, 0).await, [1]);
    let all = f
        .store
        .end_sessions_of(f.owner, None, entry(A::SessionRevoke));
    all.await.unwrap();
    assert!(hashes(9, 0).await.is_empty());
    assert!(f.store.use_session([4; 32], T0, at(0)).await.is_ok());
}

#[tokio::test]
async fn sessions_that_ended_are_told_and_looking_is_no_use() {
    let f = fixture().await;
    let other = f.add(user("other")).await;
    for (n, owner) in [(1, f.owner), (2, f.owner), (3, other)] {
        f.store.add_session(session(owner, n), None).await.unwrap();
    }
    let asked = vec![[1; 32], [2; 32], [3; 32], [4; 32]];
    let ended = async |now: i64, idle: i64| {
        let ended = f
            .store
            .ended_sessions(asked.clone(), at(now), at(idle))
            .await;
        ended
            .unwrap()
            .iter()
            .map(|hash| hash[0])
            .collect::<Vec<_>>()
    };
    assert_eq!(ended(0, -1).await, [4]);
    f.store.end_session([2; 32], None).await.unwrap();
    assert_eq!(ended(0, -1).await, [2, 4]);
    let mut row = f.store.user(other).await.unwrap();
    row.disabled = true;
    f.store
        .change_user(row, None, entry(A::UserChange))
        .await
        .unwrap();
    assert_eq!(ended(0, -1).await, [2, 3, 4]);
    for _ in 0..2 {
        assert_eq!(ended(999, -1).await, [2, 3, 4]);
    }
    assert_eq!(ended(999, 0).await, [1, 2, 3, 4], "idle though looked at");
    assert_eq!(ended(1000, -1).await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn use_of_a_session_is_noted_once_a_minute() {
    let f = fixture().await;
    let mut long = session(f.owner, 1);
    long.expires_at = at(HOUR);
    f.store.add_session(long, None).await.unwrap();
    let used_at = async |ms: i64| {
        let used = f.store.use_session([1; 32], at(ms), at(-1)).await;
        used.unwrap();
        let sessions = f.store.sessions_of(f.owner, at(ms), at(-1)).await.unwrap();
        sessions[0].used_at
    };
    assert_eq!(used_at(60_000).await, T0);
    assert_eq!(used_at(60_001).await, at(60_001));
    assert_eq!(used_at(60_000).await, at(60_001), "never back");
}

#[tokio::test]
async fn tokens_let_in_until_they_end() {
    let f = fixture().await;
    let add = |token| f.store.add_token(token, entry(A::TokenCreate));
    let (one, two) = (token(f.owner, 1), token(f.owner, 2));
    add(one.clone()).await.unwrap();
    add(two.clone()).await.unwrap();
    let twice = add(one.clone()).await;
    assert!(matches!(twice, Err(Error::AlreadyExists { what: "token" })));
    is_missing(add(token(UserId::random(), 3)).await, "user");
    assert_eq!(
        f.store.tokens_of(f.owner).await.unwrap(),
        [two.clone(), one.clone()]
    );
    let using = |n: u8, ms| f.store.use_token([n; 32], at(ms));
    let (used, person) = using(1, 999).await.unwrap();
    assert_eq!((used.id, person.user.id), (one.id, f.owner));
    let tokens = f.store.tokens_of(f.owner).await.unwrap();
    assert_eq!(tokens[1].last_used_at, Some(at(999)));
    is_missing(using(1, 1000).await, "token");
    is_missing(using(3, 0).await, "token");
    let mut row = f.store.user(f.owner).await.unwrap();
    row.disabled = true;
    let row = f.store.change_user(row, None, entry(A::UserChange)).await;
    is_missing(using(1, 0).await, "token");
    let mut row = row.unwrap();
    row.disabled = false;
    f.store
        .change_user(row, None, entry(A::UserChange))
        .await
        .unwrap();
    using(1, 0).await.unwrap();
    let other = f.add(user("other")).await;
    let delete = |user, id| f.store.delete_token(user, id, entry(A::TokenDelete));
    is_missing(delete(other, one.id).await, "token");
    delete(f.owner, one.id).await.unwrap();
    is_missing(delete(f.owner, one.id).await, "token");
    is_missing(using(1, 0).await, "token");
    let gone = f
        .store
        .delete_user(f.owner, false, T0, entry(A::UserDelete));
    gone.await.unwrap();
    is_missing(using(2, 0).await, "token");
}

#[tokio::test]
async fn nobody_has_more_than_a_hundred_tokens() {
    let f = fixture().await;
    let add = |token| f.store.add_token(token, entry(A::TokenCreate));
    for n in 0..100 {
        add(token(f.owner, n)).await.unwrap();
    }
    let more = add(token(f.owner, 100)).await;
    assert!(matches!(more, Err(Error::Exhausted { .. })), "{more:?}");
    assert_eq!(f.store.remove_expired(at(999)).await.unwrap(), 0);
    assert_eq!(f.store.remove_expired(at(1000)).await.unwrap(), 100);
}

#[tokio::test]
async fn what_expired_is_removed_and_nothing_else() {
    let f = fixture().await;
    let desktop = f.launch().await;
    for (n, expires_at) in [(1, at(10)), (2, at(20))] {
        let mut session = session(f.owner, n);
        session.expires_at = expires_at;
        f.store.add_session(session, None).await.unwrap();
        let ticket = Ticket {
            hash: [n; 32],
            session: [n; 32],
            instance: desktop,
            expires_at,
        };
        f.store.add_ticket(ticket).await.unwrap();
        let mut token = token(f.owner, n);
        token.expires_at = expires_at;
        f.store
            .add_token(token, entry(A::TokenCreate))
            .await
            .unwrap();
    }
    let invitation = Invitation {
        hash: [1; 32],
        user: f.owner,
        expires_at: at(10),
    };
    f.store
        .add_invitation(invitation, entry(A::UserInvite))
        .await
        .unwrap();
    assert_eq!(f.store.remove_expired(at(10)).await.unwrap(), 4);
    f.store.use_session([2; 32], at(11), at(-1)).await.unwrap();
    f.store.use_token([2; 32], at(11)).await.unwrap();
    f.store.take_ticket([2; 32], [2; 32], at(11)).await.unwrap();
}
