//! Accounts.

use super::support::{NO_LIMIT, T0, admin, entry, fixture, group, instance, session, user};
use super::{at, done, is_missing, refused, two};
use daas_core::Error;
use daas_core::audit::AuditAction as A;
use daas_core::model::{Action, External, Role, User};
use daas_core::storage::{AccountsQuery, Invitation, Outcome, QuotaOf};
use tokio::task::JoinSet;

#[tokio::test]
async fn who_is_deleted_is_gone_and_the_name_is_free() {
    let f = fixture().await;
    let mut first = user("Somebody");
    let external = External {
        provider: "ldap".to_owned(),
        subject: "42".to_owned(),
    };
    first.external = Some(external.clone());
    let first = f.add(first).await;
    let found = f.store.user_by_external(external.clone()).await.unwrap();
    assert_eq!(found.id, first);
    let started = session(first, 1);
    f.store.add_session(started, None).await.unwrap();
    let gone = f.store.delete_user(first, false, T0, entry(A::UserDelete));
    gone.await.unwrap();
    is_missing(f.store.user(first).await, "user");
    is_missing(f.store.person(first).await, "user");
    is_missing(f.store.account(first).await, "user");
    is_missing(f.store.user_by_name("somebody").await, "user");
    is_missing(f.store.user_by_name(&first.to_string()).await, "user");
    is_missing(f.store.user_by_external(external.clone()).await, "user");
    is_missing(f.store.use_session([1; 32], T0, at(-1)).await, "session");
    let again = f.store.add_session(session(first, 2), None).await;
    is_missing(again, "user");
    is_missing(
        f.store
            .add_instance(instance(first, f.app, T0), NO_LIMIT.into())
            .await,
        "user",
    );
    let again = f.store.delete_user(first, false, T0, entry(A::UserDelete));
    is_missing(again.await, "user");
    let limits = f
        .store
        .set_quota(QuotaOf::User(first), two(), entry(A::QuotaChange));
    is_missing(limits.await, "user");
    assert_eq!(f.store.count_users().await.unwrap(), 1);

    let mut second = user("somebody");
    second.external = Some(external.clone());
    let second = f.add(second).await;
    assert_eq!(f.store.user_by_name("SOMEBODY").await.unwrap().id, second);
    let found = f.store.user_by_external(external).await.unwrap();
    assert_eq!(found.id, second);
}

#[tokio::test]
async fn desktops_outlive_their_owner_only_where_that_is_said() {
    let f = fixture().await;
    let desktop = f.launch().await;
    let kept = f
        .store
        .delete_user(f.owner, false, T0, entry(A::UserDelete));
    assert_eq!(refused(kept.await), "has_desktops");
    assert!(f.store.ownerless_instances().await.unwrap().is_empty());
    let gone = f.store.delete_user(f.owner, true, T0, entry(A::UserDelete));
    gone.await.unwrap();
    assert_eq!(f.store.ownerless_instances().await.unwrap(), [desktop]);
    assert_eq!(
        f.store.instance(desktop).await.unwrap().owner,
        Some(f.owner)
    );
    let begun = f
        .store
        .begin(desktop, Action::Delete, NO_LIMIT.into(), T0)
        .await;
    let revision = begun.unwrap().revision;
    assert!(f.store.ownerless_instances().await.unwrap().is_empty());
    let outcome = Outcome::Done { endpoint: None };
    let deleted = f
        .store
        .finish(desktop, revision, outcome, T0)
        .await
        .unwrap();
    assert_eq!(deleted.password.expose(), "");
}

#[tokio::test]
async fn who_read_an_older_row_does_not_write() {
    let f = fixture().await;
    let old = f.store.user(f.owner).await.unwrap();
    let mut one = old.clone();
    one.name = "one".to_owned();
    let new = f
        .store
        .change_user(one, None, entry(A::UserChange))
        .await
        .unwrap();
    assert_eq!((new.name.as_str(), new.revision), ("one", old.revision + 1));
    let mut other = old.clone();
    other.disabled = true;
    let late = f.store.change_user(other, None, entry(A::UserChange)).await;
    assert!(matches!(late, Err(Error::Conflict { .. })), "{late:?}");
    assert_eq!(f.store.user(f.owner).await.unwrap(), new);
    f.add(user("Two")).await;
    let mut taken = new.clone();
    taken.name = "tWO".to_owned();
    let taken = f.store.change_user(taken, None, entry(A::UserChange)).await;
    assert!(matches!(taken, Err(Error::AlreadyExists { what: "user" })));
}

#[tokio::test]
async fn changes_that_matter_end_sessions_and_links() {
    let f = fixture().await;
    type Change = fn(&mut User);
    let change: [(&str, Change, bool); 5] = [
        ("name", |user| user.name = "renamed".to_owned(), false),
        (
            "password",
            |user| user.password_hash = "new".to_owned(),
            true,
        ),
        ("role", |user| user.role = Role::Operator, true),
        ("disabled", |user| user.disabled = true, true),
        ("enabled", |user| user.disabled = false, false),
    ];
    let invitation = Invitation {
        hash: [7; 32],
        user: f.owner,
        expires_at: at(1000),
    };
    for (what, change, ends) in change {
        let mut row = f.store.user(f.owner).await.unwrap();
        if !row.disabled {
            let _ = f.store.end_session([1; 32], None).await;
            f.store
                .add_session(session(f.owner, 1), None)
                .await
                .unwrap();
            f.store
                .add_invitation(invitation, entry(A::UserInvite))
                .await
                .unwrap();
        }
        let was_disabled = row.disabled;
        row = f.store.user(f.owner).await.unwrap();
        change(&mut row);
        f.store
            .change_user(row, None, entry(A::UserChange))
            .await
            .unwrap();
        let ends = ends || was_disabled;
        let session = f.store.use_session([1; 32], T0, at(-1)).await;
        assert_eq!(session.is_err(), ends, "{what}");
        // Who had a link for an account must not have it for what the account became.
        assert_eq!(f.store.invited([7; 32], T0).await.is_err(), ends, "{what}");
    }
}

#[tokio::test]
async fn accounts_are_listed_by_name_in_pages() {
    let f = fixture().await;
    for name in ["Anna", "bert", "Berta", "Cäsar"] {
        f.add(user(name)).await;
    }
    let staff = f.add_group(group("Staff", &[])).await;
    let berta = f.store.user_by_name("berta").await.unwrap().id;
    let put = f
        .store
        .set_members(staff, vec![berta], entry(A::GroupChange));
    put.await.unwrap();
    f.launch().await;
    let names = |part: Option<&str>, after, limit| {
        let part = part.map(str::to_owned);
        let listed = f.store.accounts(AccountsQuery { part, after, limit });
        async {
            let listed = listed.await.unwrap();
            listed
                .into_iter()
                .map(|account| account.user.name)
                .collect::<Vec<_>>()
        }
    };
    let all = ["Anna", "bert", "Berta", "Cäsar", "owner"];
    assert_eq!(names(None, None, 10).await, all);
    assert_eq!(names(None, None, 2).await, all[..2]);
    let bert = f.store.user_by_name("bert").await.unwrap().id;
    assert_eq!(names(None, Some(bert), 2).await, all[2..4]);
    assert_eq!(names(Some("BER"), None, 10).await, ["bert", "Berta"]);
    assert_eq!(names(Some("BER"), Some(bert), 10).await, ["Berta"]);
    assert!(names(Some("%"), None, 10).await.is_empty());
    let account = f.store.account(berta).await.unwrap();
    assert_eq!(account.groups, [(staff, "Staff".to_owned())]);
    assert_eq!(f.store.account(f.owner).await.unwrap().instances, 1);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let f = fixture().await;
    let (one, two) = (f.add(admin("one")).await, f.add(admin("two")).await);
    let gone = f.store.delete_user(two, false, T0, entry(A::UserDelete));
    gone.await.unwrap();
    let row = f.store.user(one).await.unwrap();
    let mut demoted = row.clone();
    demoted.role = Role::Operator;
    let mut disabled = row.clone();
    disabled.disabled = true;
    for change in [demoted, disabled] {
        let refusal = f
            .store
            .change_user(change, None, entry(A::UserChange))
            .await;
        assert_eq!(refused(refusal), "last_admin");
    }
    let refusal = f.store.delete_user(one, true, T0, entry(A::UserDelete));
    assert_eq!(refused(refusal.await), "last_admin");
    assert_eq!(f.store.user(one).await.unwrap(), row);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_administrator_stays_of_twenty_that_go_at_once() {
    let f = fixture().await;
    let mut calls = JoinSet::new();
    for n in 0..20 {
        let admin = admin(&format!("admin {n}"));
        let id = f.add(admin.clone()).await;
        let store = f.store.clone();
        calls.spawn(async move {
            let mut changed = admin;
            match n % 3 {
                0 => changed.role = Role::User,
                1 => changed.disabled = true,
                _ => return store.delete_user(id, false, T0, entry(A::UserDelete)).await,
            }
            let change = store.change_user(changed, None, entry(A::UserChange));
            change.await.map(drop)
        });
    }
    let last =
        |error: &Error| matches!(error, Error::Refused { code, .. } if *code == "last_admin");
    assert_eq!(done(calls, last).await, 19);
    let query = AccountsQuery {
        limit: 100,
        ..AccountsQuery::default()
    };
    let accounts = f.store.accounts(query).await.unwrap();
    let admins = accounts
        .iter()
        .filter(|account| account.user.role == Role::Admin);
    assert_eq!(admins.filter(|account| !account.user.disabled).count(), 1);
}
