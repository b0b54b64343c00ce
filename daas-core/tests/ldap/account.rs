//! What a log-in by a directory becomes here.

use daas_core::access::sign_on::ldap::{Ldap, LdapConfig};
use daas_core::access::{Access, AccessConfig, Client, LogInError, LoggedIn, Passwords};
use daas_core::model::Source;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::searching;
use super::slapd::{GROUPS, Slapd};
use super::store::{T0, fixture, group, secret};

async fn log_in(access: &Access, name: &str, password: &str) -> Result<LoggedIn, LogInError> {
    let from = Client::new(IpAddr::V4(Ipv4Addr::LOCALHOST), "a test");
    let (_, who) = access
        .log_in(name, secret(password), None, from, T0)
        .await?;
    Ok(who)
}

#[tokio::test]
async fn somebody_gets_an_account_that_follows_their_groups() {
    let Some(mut slapd) = Slapd::start() else {
        return;
    };
    let amy = slapd.add_person("amy", "amy's own");
    // The name of an account that is here already.
    slapd.add_person("owner", "other's own");
    let staff = slapd.add_group("staff", &[&amy]);
    let f = fixture().await;
    let here = f.add_group(group("Colleagues", &["staff"])).await;
    let config = LdapConfig {
        group_base_dn: GROUPS.to_owned(),
        ..searching(&slapd)
    };
    let directory = Arc::new(Ldap::new(&config).unwrap());
    let passwords = Passwords::new().unwrap();
    let access = Access::new(f.store.clone(), passwords, AccessConfig::default());
    let access = access.with_directory(directory);

    let first = log_in(&access, "AMY", "amy's own")
        .await
        .unwrap()
        .caller
        .user;
    assert_eq!((first.name.as_str(), first.source), ("amy", Source::Ldap));
    let groups = || async { f.store.account(first.id).await.unwrap().groups };
    assert_eq!(groups().await, [(here, "Colleagues".to_owned())]);
    let again = log_in(&access, "amy", "amy's own")
        .await
        .unwrap()
        .caller
        .user;
    assert_eq!(again.id, first.id);

    slapd.change(&staff, "replace: member\nmember: cn=nobody");
    log_in(&access, "amy", "amy's own").await.unwrap();
    assert!(groups().await.is_empty());

    for (name, password) in [
        ("amy", "wrong"),
        ("nobody", "amy's own"),
        ("owner", "other's own"),
    ] {
        let refused = log_in(&access, name, password).await;
        assert!(matches!(refused, Err(LogInError::Wrong)), "{name}");
    }
    slapd.stop();
    let failed = log_in(&access, "amy", "amy's own").await;
    assert!(matches!(failed, Err(LogInError::Failed(_))));
}
