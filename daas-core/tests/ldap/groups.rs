//! Which groups somebody is in.

use daas_core::access::sign_on::ldap::LdapConfig;

use super::slapd::{BASE, GROUPS, PEOPLE, Slapd, dn};
use super::{attempt, direct, is_let_in, misconfigured, searching};

/// Three people, groups, and one group that is elsewhere.
fn with_groups() -> Option<Slapd> {
    let slapd = Slapd::start()?;
    let amy = slapd.add_person("amy", "amy's own");
    let odd = slapd.add_person("x)(uid=*", "odd's own");
    slapd.add_person("bob", "bob's own");
    slapd.add_group("staff", &[&amy, &odd]);
    slapd.add_group("R&D, Zürich (west)", &[&amy]);
    slapd.add_group("others", &[&odd]);
    let attributes: [(&str, &[u8]); 2] =
        [("objectClass", b"groupOfNames"), ("member", amy.as_bytes())];
    slapd.add(&dn("cn", "admins", PEOPLE), &attributes);
    let attributes: [(&str, &[u8]); 3] = [
        ("objectClass", b"posixGroup"),
        ("gidNumber", b"7"),
        ("memberUid", b"bob"),
    ];
    slapd.add(&dn("cn", "unix", GROUPS), &attributes);
    Some(slapd)
}

async fn groups(config: &LdapConfig, name: &str, password: &str) -> Vec<String> {
    is_let_in(config, name, password).await.groups
}

#[tokio::test]
async fn groups_that_a_search_finds() {
    let Some(slapd) = with_groups() else { return };
    let config = LdapConfig {
        group_base_dn: GROUPS.to_owned(),
        ..searching(&slapd)
    };
    // The account sees groups that people do not.
    assert_eq!(
        groups(&config, "amy", "amy's own").await,
        ["R&D, Zürich (west)", "staff"]
    );
    assert_eq!(
        groups(&config, "x)(uid=*", "odd's own").await,
        ["others", "staff"]
    );
    assert!(groups(&config, "bob", "bob's own").await.is_empty());
    let unix = LdapConfig {
        group_filter: "(&(objectClass=posixGroup)(memberUid={name}))".to_owned(),
        ..config.clone()
    };
    assert_eq!(groups(&unix, "BOB", "bob's own").await, ["unix"]);
    assert!(groups(&unix, "amy", "amy's own").await.is_empty());
    let oneself = LdapConfig {
        group_base_dn: BASE.to_owned(),
        ..direct(&slapd)
    };
    let reason = misconfigured(attempt(&oneself, "amy", "amy's own").await);
    assert!(reason.contains("no such object"), "{reason}");
}

#[tokio::test]
async fn groups_that_an_entry_lists() {
    let Some(slapd) = with_groups() else { return };
    let config = LdapConfig {
        member_of: true,
        ..searching(&slapd)
    };
    let all = ["R&D, Zürich (west)", "admins", "staff"];
    assert_eq!(groups(&config, "amy", "amy's own").await, all);
    let own = LdapConfig {
        member_of: true,
        ..direct(&slapd)
    };
    assert_eq!(groups(&own, "amy", "amy's own").await, all);
    // Who may make groups anywhere must not be able to make one that counts.
    let within = LdapConfig {
        group_base_dn: "OU=Groups, DC=example,DC=org".to_owned(),
        ..config
    };
    assert_eq!(
        groups(&within, "amy", "amy's own").await,
        ["R&D, Zürich (west)", "staff"]
    );
    assert!(groups(&within, "bob", "bob's own").await.is_empty());
}

#[tokio::test]
async fn more_groups_than_count() {
    let Some(slapd) = Slapd::start() else { return };
    let amy = slapd.add_person("amy", "amy's own");
    // More than this directory tells at a time.
    for number in 0..510 {
        slapd.add_group(&format!("group {number}"), &[&amy]);
    }
    let config = LdapConfig {
        group_base_dn: GROUPS.to_owned(),
        ..searching(&slapd)
    };
    let found = groups(&config, "amy", "amy's own").await;
    assert!((500..=510).contains(&found.len()), "{}", found.len());
    let config = LdapConfig {
        group_base_dn: String::new(),
        member_of: true,
        ..config
    };
    assert_eq!(groups(&config, "amy", "amy's own").await.len(), 510);
}
