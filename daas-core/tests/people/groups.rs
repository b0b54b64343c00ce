//! Groups and rules.

use super::is_missing;
use super::support::{T0, entry, fixture, group, user};
use daas_core::Error;
use daas_core::audit::AuditAction as A;
use daas_core::model::{AppId, Effect, Permission, Rule, UserId};
use daas_core::storage::Subject;

#[tokio::test]
async fn groups_and_who_is_in_them() {
    let f = fixture().await;
    let staff = group("Staff", &["cn=staff"]);
    let id = f.add_group(staff.clone()).await;
    let taken = f
        .store
        .add_group(group("STAFF", &[]), entry(A::GroupCreate))
        .await;
    assert!(matches!(taken, Err(Error::AlreadyExists { what: "group" })));
    let other = f.add(user("other")).await;
    let set = |users| f.store.set_members(id, users, entry(A::GroupChange));
    set(vec![f.owner, other, other]).await.unwrap();
    let members = f.store.members(id).await.unwrap();
    assert_eq!(
        members,
        [(other, "other".to_owned()), (f.owner, "owner".to_owned())]
    );
    assert_eq!(f.store.groups().await.unwrap(), [(staff.clone(), 2)]);
    is_missing(set(vec![other, UserId::random()]).await, "user");
    assert_eq!(f.store.members(id).await.unwrap().len(), 2);
    let gone = f.store.delete_user(other, false, T0, entry(A::UserDelete));
    gone.await.unwrap();
    assert_eq!(f.store.members(id).await.unwrap().len(), 1);

    let mut renamed = staff;
    renamed.name = "People".to_owned();
    let change = f.store.change_group(renamed.clone(), entry(A::GroupChange));
    change.await.unwrap();
    assert_eq!(f.store.group(id).await.unwrap(), renamed);
    f.store
        .delete_group(id, entry(A::GroupDelete))
        .await
        .unwrap();
    is_missing(f.store.group(id).await, "group");
    is_missing(
        f.store.delete_group(id, entry(A::GroupDelete)).await,
        "group",
    );
    let change = f.store.change_group(renamed, entry(A::GroupChange));
    is_missing(change.await, "group");
    let change = f.store.set_members(id, vec![], entry(A::GroupChange));
    is_missing(change.await, "group");
    assert!(f.store.account(f.owner).await.unwrap().groups.is_empty());
}

#[tokio::test]
async fn other_places_put_people_in_and_out() {
    let f = fixture().await;
    let by_hand = f.add_group(group("by hand", &["c"])).await;
    let mapped = f.add_group(group("mapped", &["a", "b"])).await;
    let set = |id, users| f.store.set_members(id, users, entry(A::GroupChange));
    set(by_hand, vec![f.owner]).await.unwrap();
    let follow = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        f.store.follow_external_groups(f.owner, names)
    };
    let names = async || {
        let account = f.store.account(f.owner).await.unwrap();
        account
            .groups
            .into_iter()
            .map(|(_, name)| name)
            .collect::<Vec<_>>()
    };
    follow(&["b", "c", "unknown"]).await.unwrap();
    assert_eq!(names().await, ["by hand", "mapped"]);
    // Neither the page nor another log-in takes away what the other gave.
    set(mapped, vec![]).await.unwrap();
    assert_eq!(names().await, ["by hand", "mapped"]);
    let row = f.store.user(f.owner).await.unwrap();
    let change = f
        .store
        .change_user(row, Some(vec![by_hand]), entry(A::UserChange));
    change.await.unwrap();
    assert_eq!(names().await, ["by hand", "mapped"]);
    follow(&["B"]).await.unwrap();
    assert_eq!(names().await, ["by hand"]);
    let nobody = f.store.follow_external_groups(UserId::random(), vec![]);
    is_missing(nobody.await, "user");
}

#[tokio::test]
async fn rules_of_people_and_of_all_their_groups_count() {
    let f = fixture().await;
    let rule = |permission, effect| Rule {
        permission,
        app_id: None,
        effect,
    };
    let (one, two) = (
        f.add_group(group("1", &[])).await,
        f.add_group(group("2", &[])).await,
    );
    for id in [one, two] {
        let put = f
            .store
            .set_members(id, vec![f.owner], entry(A::GroupChange));
        put.await.unwrap();
    }
    let set = |of, rules| f.store.set_rules(of, rules, entry(A::RulesChange));
    let may = async |permission| {
        let person = f.store.person(f.owner).await.unwrap();
        person.rights.may(permission)
    };
    let audit = Permission::AuditRead;
    assert!(!may(audit).await);
    let allow = rule(audit, Effect::Allow);
    set(Subject::Group(one), vec![allow]).await.unwrap();
    assert!(may(audit).await);
    set(Subject::Group(two), vec![rule(audit, Effect::Deny)])
        .await
        .unwrap();
    assert!(!may(audit).await);
    set(Subject::User(f.owner), vec![allow]).await.unwrap();
    assert!(may(audit).await);
    assert_eq!(
        f.store.rules(Subject::User(f.owner)).await.unwrap(),
        [allow]
    );
    set(Subject::User(f.owner), vec![]).await.unwrap();
    f.store
        .delete_group(two, entry(A::GroupDelete))
        .await
        .unwrap();
    assert!(may(audit).await);
    is_missing(set(Subject::User(UserId::random()), vec![]).await, "user");
    is_missing(set(Subject::Group(two), vec![]).await, "group");
    let unknown = Rule {
        permission: Permission::AppsLaunch,
        app_id: Some(AppId::random()),
        effect: Effect::Allow,
    };
    is_missing(set(Subject::Group(one), vec![unknown]).await, "application");
    assert_eq!(f.store.rules(Subject::Group(one)).await.unwrap(), [allow]);
}
