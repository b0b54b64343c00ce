//! Settings that can be used, and those that cannot.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;

fn with(change: impl FnOnce(&mut LdapConfig)) -> Result<Settings, Fault> {
    let mut config = LdapConfig {
        url: "ldap://127.0.0.1:3890".to_owned(),
        base_dn: "dc=example,dc=org".to_owned(),
        ..LdapConfig::default()
    };
    change(&mut config);
    Settings::new(&config)
}

fn wrong(change: impl FnOnce(&mut LdapConfig)) -> &'static str {
    match with(change) {
        Err(Fault::Setting { field, .. } | Fault::File { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn addresses() {
    let check = |url: &str, host: &str, port| {
        let server = with(|config| url.clone_into(&mut config.url))
            .unwrap()
            .server;
        assert_eq!((server.host.as_str(), server.port), (host, port), "{url}");
    };
    check("ldap://localhost", "localhost", 389);
    check("ldap://127.0.0.1:3890/", "127.0.0.1", 3890);
    check("ldap://[::1]", "::1", 389);
    for bad in [
        "",
        "ldap://",
        "localhost:389",
        "http://localhost",
        "ldap://a:b@localhost",
        "ldap://localhost/dc=x",
        "ldap://localhost?x",
        "ldap://localhost:99999",
        "ldap:///x",
        "ldap://directory.example.org",
        "ldap://10.0.0.1",
        "ldap://127.0.0.1.example.org",
        "ldap://a b",
        "ldap://%00",
        "ldapi:///run/x",
    ] {
        assert_eq!(
            wrong(|config| bad.clone_into(&mut config.url)),
            "url",
            "{bad}"
        );
    }
}

#[test]
fn plain_only_where_it_is_wanted() {
    let far = |config: &mut LdapConfig| "ldap://10.0.0.1".clone_into(&mut config.url);
    let security = |change: &dyn Fn(&mut LdapConfig)| with(change).unwrap().server.security;
    let plain = |config: &mut LdapConfig| {
        far(config);
        config.allow_plain = true;
    };
    assert!(matches!(security(&plain), Security::None));
    assert!(matches!(security(&|_| {}), Security::None));
    let twice = |config: &mut LdapConfig| {
        "ldaps://10.0.0.1".clone_into(&mut config.url);
        config.start_tls = true;
    };
    assert_eq!(wrong(twice), "start_tls");
    assert_eq!(
        wrong(|config| config.ca_file = Some("/x".into())),
        "ca_file"
    );
    let missing = |config: &mut LdapConfig| {
        config.start_tls = true;
        config.ca_file = Some("/does/not/exist".into());
    };
    assert_eq!(wrong(missing), "ca_file");
}

#[test]
fn accounts() {
    let set = |dn: &str, password: Option<&str>| {
        let (dn, password) = (
            dn.to_owned(),
            password.map(|text| Secret::new(text.to_owned())),
        );
        move |config: &mut LdapConfig| (config.bind_dn, config.bind_password) = (dn, password)
    };
    assert!(with(set("cn=x", Some("hush"))).is_ok());
    assert!(with(set("", None)).is_ok());
    assert_eq!(wrong(set("cn=x", None)), "bind_password");
    assert_eq!(wrong(set("cn=x", Some(""))), "bind_password");
    assert_eq!(wrong(set("cn=x", Some("a\0"))), "bind_password");
    assert_eq!(wrong(set("", Some("hush"))), "bind_dn");
    let both = |config: &mut LdapConfig| {
        set("cn=x", Some("hush"))(config);
        config.bind_password_file = Some("/x".into());
    };
    assert_eq!(wrong(both), "bind_password");
}

#[test]
fn ways_to_find_somebody() {
    let direct = |config: &mut LdapConfig| {
        "uid={name},dc=x".clone_into(&mut config.user_dn);
        config.base_dn.clear();
    };
    assert!(matches!(with(direct).unwrap().find, Find::Direct(_)));
    let both = |config: &mut LdapConfig| "uid={name},dc=x".clone_into(&mut config.user_dn);
    assert_eq!(wrong(both), "base_dn");
    assert_eq!(wrong(|config| config.base_dn.clear()), "base_dn");
    for bad in [
        "",
        "(uid=x)",
        "(!(uid={name}))",
        "(uid={name}*)",
        "(&(uid={name})(x={dn}))",
    ] {
        assert_eq!(
            wrong(|config| bad.clone_into(&mut config.user_filter)),
            "user_filter"
        );
    }
    assert_eq!(
        wrong(|config| config.name_attribute = "a b".to_owned()),
        "name_attribute"
    );
    assert_eq!(
        wrong(|config| config.subject_attribute.clear()),
        "subject_attribute"
    );
    assert_eq!(wrong(|config| config.timeout_s = 0), "timeout_s");
    assert_eq!(wrong(|config| config.timeout_s = 61), "timeout_s");
}

#[test]
fn ways_to_find_groups() {
    let set = |base: &str, filter: &str, member_of| {
        let (base, filter) = (base.to_owned(), filter.to_owned());
        move |config: &mut LdapConfig| {
            (config.group_base_dn, config.group_filter) = (base, filter);
            config.member_of = member_of;
        }
    };
    let found = |change| with(change).unwrap().groups;
    assert!(matches!(found(set("", "", false)), Groups::Ignored));
    assert!(matches!(
        found(set("", "", true)),
        Groups::MemberOf { within: None }
    ));
    assert!(matches!(
        found(set("dc=x", "", true)),
        Groups::MemberOf { within: Some(_) }
    ));
    assert!(matches!(
        found(set("dc=x", "(memberUid={name})", false)),
        Groups::Search { .. }
    ));
    assert_eq!(wrong(set("x", "", true)), "group_base_dn");
    assert_eq!(wrong(set("x", "(member={dn})", false)), "group_base_dn");
    assert_eq!(wrong(set("dc=x", "(cn=*)", false)), "group_filter");
}
