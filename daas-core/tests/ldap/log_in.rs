//! Who is let in, and who is not.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use daas_core::Error;
use daas_core::Secret;
use daas_core::access::Directory;
use daas_core::access::sign_on::ldap::{Ldap, LdapConfig};

use super::slapd::{BASE, OPEN, PEOPLE, Slapd, dn};
use super::{attempt, direct, is_let_in, is_wrong, misconfigured, searching, unavailable};

/// Names that mean something in filters or in names of entries.
const ODD: [&str; 9] = [
    "a*b",
    "x)(uid=*",
    "O'Neil, Jr",
    "Zoë Müller",
    "世界",
    "a\\2ab",
    "#1",
    "a+b=c",
    "<\"a;b\">",
];

fn both(slapd: &Slapd) -> [LdapConfig; 2] {
    [searching(slapd), direct(slapd)]
}

#[tokio::test]
async fn the_right_password_lets_in() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    slapd.add_person("bob", "bob's own");
    let mut subjects = Vec::new();
    for config in both(&slapd) {
        let amy = is_let_in(&config, "amy", "amy's own").await;
        assert_eq!((amy.provider.as_str(), amy.name.as_str()), ("ldap", "amy"));
        assert_eq!(amy.email.as_deref(), Some("amy@example.org"));
        assert_eq!(amy.groups, Vec::<String>::new());
        assert_eq!(amy.subject.len(), 36, "{}", amy.subject);
        subjects.push(amy.subject);
        let bob = is_let_in(&config, "bob", "bob's own").await;
        assert_ne!(subjects.last(), Some(&bob.subject));
        // As the directory writes it, whoever typed what.
        assert_eq!(is_let_in(&config, "AMY", "amy's own").await.name, "amy");
    }
    assert_eq!(subjects[0], subjects[1]);
}

#[tokio::test]
async fn anything_else_does_not() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    slapd.add_person("bob", "bob's own");
    slapd.add(
        &dn("uid", "eve", PEOPLE),
        &[
            ("objectClass", b"inetOrgPerson"),
            ("cn", b"has no password"),
            ("sn", b"x"),
        ],
    );
    let long = "x".repeat(5000);
    for config in both(&slapd) {
        for password in [
            "bob's own",
            "amy's ow",
            "amy's own ",
            "AMY'S OWN",
            " ",
            "*",
            &long,
        ] {
            is_wrong(&config, "amy", password).await;
        }
        for name in ["nobody", "eve", "", " ", "amy\n", "amy,ou=people", &long] {
            is_wrong(&config, name, "amy's own").await;
        }
    }
}

#[tokio::test]
async fn nobody_is_let_in_without_a_password() {
    let Some(slapd) = Slapd::start() else { return };
    let amy = slapd.add_person("amy", "amy's own");
    // This directory takes an empty password, and calls it a success.
    let mut bind = Command::new("ldapwhoami");
    bind.args(["-x", "-H", &slapd.url(), "-D", &amy, "-w", ""]);
    let output = bind.output().unwrap();
    assert_eq!(output.stdout, b"anonymous\n", "{output:?}");
    for config in both(&slapd) {
        for password in ["", "\0", "\0amy's own", "amy's own\0"] {
            is_wrong(&config, "amy", password).await;
        }
    }
}

#[tokio::test]
async fn a_name_is_nothing_but_a_name() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    for config in both(&slapd) {
        for name in [
            "*",
            "a*",
            "am?",
            "amy*",
            "*)(uid=amy",
            ")(uid=*",
            "amy)(|(uid=*",
            "amy)(objectClass=*",
            "*)(|(objectClass=*",
            "amy\0",
            "\0",
            "\\61my",
            "\\2a",
            "amy)\0",
            "amy,dc=example",
            "amy+cn=amy",
            "uid=amy",
            "amy\\",
            "amy)(!(uid=x)",
            "(amy)",
            "&(uid=amy)",
        ] {
            is_wrong(&config, name, "amy's own").await;
        }
    }
    let mut passwords = Vec::new();
    for (number, name) in ODD.iter().enumerate() {
        passwords.push(format!("password {number}"));
        slapd.add_person(name, &passwords[number]);
    }
    for config in both(&slapd) {
        for (name, password) in ODD.iter().zip(&passwords) {
            assert_eq!(is_let_in(&config, name, password).await.name, *name);
            is_wrong(&config, name, "amy's own").await;
        }
    }
}

#[tokio::test]
async fn only_case_may_differ() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy lee", "amy's own");
    // To this directory these are the same name, but each would be counted by itself where
    // attempts are counted.
    for config in both(&slapd) {
        is_let_in(&config, "Amy Lee", "amy's own").await;
        for name in [
            "amy  lee",
            " amy lee",
            "amy lee ",
            "amy\u{AD} lee",
            "ａmy lee",
        ] {
            is_wrong(&config, name, "amy's own").await;
        }
    }
}

#[tokio::test]
async fn people_may_be_searched_by_nobody() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    let config = LdapConfig {
        bind_dn: String::new(),
        bind_password: None,
        ..searching(&slapd)
    };
    // Here nobody sees people.
    misconfigured(attempt(&config, "amy", "amy's own").await);
    misconfigured(Ldap::new(&config).unwrap().check().await);
    let attributes: [(&str, &[u8]); 4] = [
        ("objectClass", b"inetOrgPerson"),
        ("cn", b"x"),
        ("sn", b"x"),
        ("userPassword", b"bob's own"),
    ];
    slapd.add(&dn("uid", "bob", OPEN), &attributes);
    let open = LdapConfig {
        base_dn: OPEN.to_owned(),
        ..config
    };
    Ldap::new(&open).unwrap().check().await.unwrap();
    is_let_in(&open, "bob", "bob's own").await;
    is_wrong(&open, "bob", "wrong").await;
    is_wrong(&open, "amy", "amy's own").await;
}

#[tokio::test]
async fn a_filter_decides_who_may() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    slapd.add_person("bob", "bob's own");
    slapd.change(&dn("uid", "amy", PEOPLE), "add: title\ntitle: employee");
    for config in both(&slapd) {
        let filter = "(&(|(uid={name})(mail={name}))(title=employee)(!(title=guest)))";
        let config = LdapConfig {
            user_filter: filter.to_owned(),
            ..config
        };
        is_let_in(&config, "amy", "amy's own").await;
        is_wrong(&config, "bob", "bob's own").await;
        if config.user_dn.is_empty() {
            let amy = is_let_in(&config, "amy@EXAMPLE.org", "amy's own").await;
            assert_eq!(amy.name, "amy");
        }
    }
}

#[tokio::test]
async fn two_entries_are_too_many() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    let twin = dn("cn", "twin", PEOPLE);
    let attributes: [(&str, &[u8]); 4] = [
        ("objectClass", b"inetOrgPerson"),
        ("sn", b"x"),
        ("uid", b"amy"),
        ("userPassword", b"amy's own"),
    ];
    slapd.add(&twin, &attributes);
    let reason = misconfigured(attempt(&searching(&slapd), "amy", "amy's own").await);
    assert!(reason.contains("several entries"), "{reason}");
}

#[tokio::test]
async fn an_entry_needs_one_subject_and_a_name() {
    let Some(slapd) = Slapd::start() else { return };
    let amy = slapd.add_person("amy", "amy's own");
    let with = |subject: &str, name: &str| LdapConfig {
        subject_attribute: subject.to_owned(),
        name_attribute: name.to_owned(),
        ..searching(&slapd)
    };
    let reason = misconfigured(attempt(&with("objectGUID", "uid"), "amy", "amy's own").await);
    assert!(reason.contains("objectGUID"), "{reason}");
    let reason = misconfigured(attempt(&with("uid", "title"), "amy", "amy's own").await);
    assert!(reason.contains("title"), "{reason}");
    slapd.change(
        &amy,
        "add: employeeNumber\nemployeeNumber: 7\n-\nadd: cn\ncn: second",
    );
    let found = is_let_in(&with("employeeNumber", "uid"), "amy", "amy's own").await;
    assert_eq!(found.subject, "7");
    misconfigured(attempt(&with("cn", "uid"), "amy", "amy's own").await);
}

#[tokio::test]
async fn a_directory_with_the_attributes_of_active_directory() {
    let Some(slapd) = Slapd::start() else { return };
    let amy = dn("cn", "Amy Lee", PEOPLE);
    let guid = [0, 1, 2, 0xFF, 0xFE, b'a', b',', b'\\'];
    let attributes: [(&str, &[u8]); 6] = [
        ("objectClass", b"inetOrgPerson"),
        ("objectClass", b"likeActiveDirectory"),
        ("sn", b"Lee"),
        ("sAMAccountName", b"amy"),
        ("objectGUID", &guid),
        ("userPassword", b"amy's own"),
    ];
    slapd.add(&amy, &attributes);
    slapd.add_group("staff", &[&amy]);
    let config = LdapConfig {
        user_filter: "(&(objectClass=likeActiveDirectory)(sAMAccountName={name}))".to_owned(),
        name_attribute: "sAMAccountName".to_owned(),
        subject_attribute: "objectGUID".to_owned(),
        member_of: true,
        ..searching(&slapd)
    };
    let amy = is_let_in(&config, "Amy", "amy's own").await;
    assert_eq!(
        (amy.name.as_str(), amy.subject.as_str()),
        ("amy", "000102fffe612c5c")
    );
    assert_eq!((amy.email, amy.groups), (None, vec!["staff".to_owned()]));
    is_wrong(&config, "Amy Lee", "amy's own").await;
}

#[tokio::test]
async fn what_is_elsewhere_is_not_there() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("ldap://{}/uid=bob,{BASE}", elsewhere.local_addr().unwrap());
    let attributes: [(&str, &[u8]); 3] = [
        ("objectClass", b"referral"),
        ("objectClass", b"extensibleObject"),
        ("ref", url.as_bytes()),
    ];
    slapd.add(&dn("uid", "bob", PEOPLE), &attributes);
    for config in both(&slapd) {
        is_wrong(&config, "bob", "bob's own").await;
        is_let_in(&config, "amy", "amy's own").await;
    }
    let below = LdapConfig {
        base_dn: format!("ou=x,{}", dn("uid", "bob", PEOPLE)),
        ..searching(&slapd)
    };
    is_wrong(&below, "amy", "amy's own").await;
    assert!(elsewhere.accept().is_err(), "a referral was followed");
}

#[tokio::test]
async fn the_account_that_searches_has_to_be_right() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    let right = searching(&slapd);
    Ldap::new(&right).unwrap().check().await.unwrap();
    Ldap::new(&direct(&slapd)).unwrap().check().await.unwrap();
    let wrong = LdapConfig {
        bind_password: Some(Secret::new("hush hush".to_owned())),
        ..right.clone()
    };
    for result in [
        Ldap::new(&wrong).unwrap().check().await,
        attempt(&wrong, "amy", "amy's own").await.map(drop),
    ] {
        let reason = misconfigured(result);
        assert!(reason.contains("invalid credentials (49)"), "{reason}");
        assert!(
            !reason.contains("hush") && !reason.contains("own"),
            "{reason}"
        );
    }
    for (field, config) in [
        (
            "base_dn",
            LdapConfig {
                base_dn: format!("ou=x,{BASE}"),
                ..right.clone()
            },
        ),
        (
            "group_base_dn",
            LdapConfig {
                group_base_dn: format!("ou=x,{BASE}"),
                ..right.clone()
            },
        ),
    ] {
        let reason = misconfigured(Ldap::new(&config).unwrap().check().await);
        assert!(reason.contains(&format!("`{field}`")), "{reason}");
    }
}

#[tokio::test]
async fn a_directory_that_is_down() {
    let Some(mut slapd) = Slapd::start() else {
        return;
    };
    slapd.add_person("amy", "amy's own");
    let ldap = Ldap::new(&searching(&slapd)).unwrap();
    let ask = || Directory::authenticate(&ldap, "amy", Secret::new("amy's own".to_owned()));
    assert_eq!(ask().await.unwrap().unwrap().name, "amy");
    let wrong = Directory::authenticate(&ldap, "amy", Secret::new("wrong".to_owned()));
    assert_eq!(wrong.await.unwrap(), None);
    slapd.stop();
    let reason = unavailable(ldap.check().await);
    assert!(reason.contains("cannot connect to 127.0.0.1:"), "{reason}");
    assert!(matches!(
        ask().await,
        Err(Error::Unavailable {
            source: Some(_),
            ..
        })
    ));
}

#[tokio::test]
async fn many_at_once() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    slapd.add_person("bob", "bob's own");
    let config = LdapConfig {
        timeout_s: 30,
        ..searching(&slapd)
    };
    let ldap = std::sync::Arc::new(Ldap::new(&config).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let ldap = ldap.clone();
        tasks.spawn(async move {
            let name = if number % 2 == 0 { "amy" } else { "bob" };
            let right = number % 3 == 0;
            let password = format!("{name}'s {}", if right { "own" } else { "other" });
            let found = Directory::authenticate(&*ldap, name, Secret::new(password)).await;
            let found = found.unwrap().map(|identity| identity.name);
            assert_eq!(found.as_deref(), right.then_some(name));
        });
    }
    let done = tokio::time::timeout(Duration::from_secs(60), tasks.join_all());
    assert_eq!(done.await.unwrap().len(), 200);
}
