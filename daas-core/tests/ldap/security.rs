//! TLS, and what happens without.

use daas_core::access::sign_on::ldap::{Ldap, LdapConfig};

use super::slapd::Slapd;
use super::{attempt, is_let_in, is_wrong, misconfigured, searching, unavailable};

fn tls(slapd: &Slapd) -> LdapConfig {
    LdapConfig {
        url: slapd.tls_url(),
        ca_file: Some(slapd.ca_file()),
        ..searching(slapd)
    }
}

fn start_tls(slapd: &Slapd) -> LdapConfig {
    LdapConfig {
        url: slapd.url().replace("127.0.0.1", "localhost"),
        start_tls: true,
        ca_file: Some(slapd.ca_file()),
        ..searching(slapd)
    }
}

#[tokio::test]
async fn passwords_cross_within_tls() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    for config in [tls(&slapd), start_tls(&slapd)] {
        is_let_in(&config, "amy", "amy's own").await;
        is_wrong(&config, "amy", "wrong").await;
        Ldap::new(&config).unwrap().check().await.unwrap();
    }
}

#[tokio::test]
async fn a_directory_for_which_nobody_vouches() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    for config in [tls(&slapd), start_tls(&slapd)] {
        let config = LdapConfig {
            ca_file: Some(slapd.other_ca_file()),
            ..config
        };
        let reason = misconfigured(attempt(&config, "amy", "amy's own").await);
        assert!(reason.contains("invalid peer certificate"), "{reason}");
        misconfigured(Ldap::new(&config).unwrap().check().await);
        // Nor does anybody whom the operating system trusts, if there is one.
        let config = LdapConfig {
            ca_file: None,
            ..config
        };
        match Ldap::new(&config) {
            Ok(ldap) => misconfigured(ldap.check().await),
            none => misconfigured(none),
        };
    }
}

#[tokio::test]
async fn a_certificate_for_somebody_else() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    for config in [tls(&slapd), start_tls(&slapd)] {
        let config = LdapConfig {
            url: config.url.replace("localhost", "127.0.0.1"),
            ..config
        };
        let reason = misconfigured(attempt(&config, "amy", "amy's own").await);
        assert!(reason.contains("not valid for name"), "{reason}");
    }
}

#[tokio::test]
async fn a_port_without_tls() {
    let Some(slapd) = Slapd::start() else { return };
    slapd.add_person("amy", "amy's own");
    let config = LdapConfig {
        url: slapd.url().replace("ldap://127.0.0.1", "ldaps://localhost"),
        ..tls(&slapd)
    };
    unavailable(attempt(&config, "amy", "amy's own").await);
    let config = LdapConfig {
        url: slapd
            .tls_url()
            .replace("ldaps://localhost", "ldap://127.0.0.1"),
        timeout_s: 2,
        ..searching(&slapd)
    };
    unavailable(attempt(&config, "amy", "amy's own").await);
}
