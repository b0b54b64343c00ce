//! Log-ins by a directory: a real one, and one that answers whatever it likes.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "ldap/account.rs"]
mod account;
#[path = "ldap/groups.rs"]
mod groups;
#[path = "ldap/hostile.rs"]
mod hostile;
#[path = "ldap/log_in.rs"]
mod log_in;
#[path = "ldap/security.rs"]
mod security;
#[path = "support/slapd.rs"]
mod slapd;
#[path = "support/store.rs"]
mod store;

use daas_core::access::sign_on::ldap::{Ldap, LdapConfig};
use daas_core::access::sign_on::{Identity, SignOnError};
use daas_core::{Secret, chain};
use slapd::{PEOPLE, SEARCHER, SEARCHER_PASSWORD, Slapd};

/// Settings by which an account searches for users.
fn searching(slapd: &Slapd) -> LdapConfig {
    LdapConfig {
        url: slapd.url(),
        bind_dn: SEARCHER.to_owned(),
        bind_password: Some(Secret::new(SEARCHER_PASSWORD.to_owned())),
        base_dn: PEOPLE.to_owned(),
        ..LdapConfig::default()
    }
}

/// Settings by which the name of an entry is made from that of a user.
fn direct(slapd: &Slapd) -> LdapConfig {
    LdapConfig {
        url: slapd.url(),
        user_dn: format!("uid={{name}},{PEOPLE}"),
        ..LdapConfig::default()
    }
}

async fn attempt(config: &LdapConfig, name: &str, password: &str) -> Result<Identity, SignOnError> {
    let ldap = Ldap::new(config).unwrap();
    ldap.authenticate(name, Secret::new(password.to_owned()))
        .await
}

async fn is_let_in(config: &LdapConfig, name: &str, password: &str) -> Identity {
    match attempt(config, name, password).await {
        Ok(identity) => identity,
        Err(error) => panic!("{name:?}: {}", chain(&error)),
    }
}

async fn is_wrong(config: &LdapConfig, name: &str, password: &str) {
    match attempt(config, name, password).await {
        Err(SignOnError::Wrong) => {}
        Err(error) => panic!("{name:?}: {}", chain(&error)),
        Ok(identity) => panic!("{name:?} is {identity:?}"),
    }
}

/// Fails unless trying later may help; answers the reason.
fn unavailable<T>(result: Result<T, SignOnError>) -> String {
    match result {
        Err(error @ SignOnError::Unavailable(_)) => chain(&error),
        Err(error) => panic!("{}", chain(&error)),
        Ok(_) => panic!("it works"),
    }
}

/// Fails unless somebody has to change something; answers the reason.
fn misconfigured<T>(result: Result<T, SignOnError>) -> String {
    match result {
        Err(error @ SignOnError::Misconfigured(_)) => chain(&error),
        Err(error) => panic!("{}", chain(&error)),
        Ok(_) => panic!("it works"),
    }
}
