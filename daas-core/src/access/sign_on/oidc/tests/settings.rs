//! Configurations, and what providers say of themselves.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn misconfigured<T: std::fmt::Debug>(result: Result<T, OidcError>, reason: &str, case: &str) {
    match result {
        Err(OidcError::Misconfigured(text)) if text.contains(reason) => {}
        other => panic!("{case}: {other:?}, not misconfigured as {reason:?}"),
    }
}

fn config() -> OidcConfig {
    OidcConfig::new("test", "Test", "http://127.0.0.1:1", "daas")
}

#[test]
fn only_a_few_things_have_to_be_said() {
    let few = json!({
        "id": "corp", "name": "Corp", "issuer": "https://id.example", "client_id": "daas",
        "client_secret": "geheim",
    });
    let config: OidcConfig = serde_json::from_value(few.clone()).unwrap();
    assert_eq!(config.scopes, ["openid", "profile", "email"]);
    assert_eq!(config.name_claim, "preferred_username");
    assert_eq!(
        (config.groups_claim.as_str(), config.email_claim.as_str()),
        ("groups", "email")
    );
    assert_eq!(config.timeout_s, 10);
    assert!(!format!("{config:?}").contains("geheim"));
    for (name, value) in [("issuers", json!("x")), ("insecure", json!(true))] {
        let mut more = few.clone();
        more[name] = value;
        assert!(
            serde_json::from_value::<OidcConfig>(more).is_err(),
            "{name}"
        );
    }
    for name in ["id", "name", "issuer", "client_id"] {
        let mut less = few.clone();
        less.as_object_mut().unwrap().remove(name);
        assert!(
            serde_json::from_value::<OidcConfig>(less).is_err(),
            "{name}"
        );
    }
}

#[test]
fn configurations_that_are_refused() {
    type Change = fn(&mut OidcConfig);
    let cases: &[(&str, Change)] = &[
        ("`id`", |c| c.id = String::new()),
        ("`id`", |c| c.id = "Corp".to_owned()),
        ("`id`", |c| c.id = "a/b".to_owned()),
        ("`id`", |c| c.id = "x".repeat(33)),
        ("`id`", |c| c.id = "ldap".to_owned()),
        ("`id`", |c| c.id = "local".to_owned()),
        ("`name`", |c| c.name = " ".to_owned()),
        ("`name`", |c| c.name = "a\nb".to_owned()),
        ("`client_id`", |c| c.client_id = String::new()),
        ("`name_claim`", |c| c.name_claim = String::new()),
        ("`timeout_s`", |c| c.timeout_s = 0),
        ("`timeout_s`", |c| c.timeout_s = 61),
        ("`scopes`", |c| c.scopes = vec!["profile".to_owned()]),
        ("`scopes`", |c| c.scopes.push("a b".to_owned())),
        ("`scopes`", |c| c.scopes.push(String::new())),
        ("`client_secret`", |c| {
            c.client_secret = Some(Secret::new(String::new()))
        }),
        ("`client_secret_file`", |c| {
            c.client_secret_file = Some("/nowhere".into())
        }),
        ("`client_secret_file`", |c| {
            c.client_secret_file = Some("/".into())
        }),
        ("`client_secret_file`", |c| {
            c.client_secret = Some(Secret::new("x".to_owned()));
            c.client_secret_file = Some("/dev/null".into());
        }),
        ("`ca_file`", |c| c.ca_file = Some("/nowhere".into())),
        ("`issuer`", |c| c.issuer = "id.example".to_owned()),
        ("`issuer`", |c| c.issuer = "http://id.example".to_owned()),
        ("`issuer`", |c| {
            c.issuer = "http://127.0.0.1.id.example".to_owned()
        }),
        ("`issuer`", |c| {
            c.issuer = "http://localhost.id.example".to_owned()
        }),
        ("`issuer`", |c| c.issuer = "http://0.0.0.0".to_owned()),
        ("`issuer`", |c| c.issuer = "ftp://id.example".to_owned()),
        ("`issuer`", |c| c.issuer = "file:///etc".to_owned()),
        ("`issuer`", |c| {
            c.issuer = "https://a:b@id.example".to_owned()
        }),
        ("`issuer`", |c| {
            c.issuer = "https://id.example?a=b".to_owned()
        }),
        ("`issuer`", |c| c.issuer = "https://id.example#a".to_owned()),
        ("`issuer`", |c| {
            c.issuer = format!("https://id.example/{}", "x".repeat(2048))
        }),
    ];
    for (index, (reason, change)) in cases.iter().enumerate() {
        let mut config = config();
        change(&mut config);
        misconfigured(Oidc::new(config), reason, &format!("case {index}"));
    }
    for good in [
        "http://localhost:1",
        "http://[::1]:1/realms/a",
        "http://127.8.8.8",
    ] {
        let config = OidcConfig {
            issuer: good.to_owned(),
            ..config()
        };
        let oidc = Oidc::new(config).unwrap();
        assert_eq!((oidc.id(), oidc.name()), ("test", "Test"));
    }
}

#[test]
fn files_are_read_at_the_start() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let read = |file: &tempfile::NamedTempFile| {
        config::check(OidcConfig {
            client_secret_file: Some(file.path().to_owned()),
            ..config()
        })
    };
    file.write_all(b" a secret \r\n").unwrap();
    let secret = read(&file).unwrap().0.client_secret.unwrap();
    assert_eq!(secret.expose(), " a secret ");
    for (mode, is_taken) in [(0o644, false), (0o601, false), (0o640, true), (0o400, true)] {
        let rights = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(file.path(), rights).unwrap();
        assert_eq!(read(&file).is_ok(), is_taken, "{mode:o}");
    }
    file.write_all(&[b'x'; 5000]).unwrap();
    assert!(matches!(read(&file), Err(OidcError::Misconfigured(_))));
    let empty = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(read(&empty), Err(OidcError::Misconfigured(_))));
    // No certificate in it.
    let config = OidcConfig {
        ca_file: Some(file.path().to_owned()),
        ..config()
    };
    misconfigured(Oidc::new(config), "`ca_file`", "text");
}

#[tokio::test]
async fn metadata_that_is_refused() {
    let fake = Fake::start();
    let cases = [
        ("calls itself", "issuer", json!("https://evil.example")),
        ("calls itself", "issuer", json!(format!("{}/", fake.issuer))),
        (
            "no https",
            "authorization_endpoint",
            json!("http://id.example/a"),
        ),
        (
            "no https",
            "authorization_endpoint",
            json!("javascript:alert(1)"),
        ),
        ("no https", "authorization_endpoint", json!("/authorize")),
        ("no https", "token_endpoint", json!("http://id.example/t")),
        (
            "no https",
            "token_endpoint",
            json!("https://a:b@id.example/t"),
        ),
        ("no https", "token_endpoint", json!("file:///etc/passwd")),
        ("no https", "jwks_uri", json!("http://id.example/k")),
        (
            "no https",
            "userinfo_endpoint",
            json!("http://id.example/u"),
        ),
        (
            "no https",
            "end_session_endpoint",
            json!("data:text/html,x"),
        ),
        (
            "no authorization codes",
            "response_types_supported",
            json!(["id_token"]),
        ),
        (
            "no algorithm",
            "id_token_signing_alg_values_supported",
            json!(["HS256", "none"]),
        ),
    ];
    for (reason, field, value) in cases {
        let mut metadata = fake.metadata();
        metadata[field] = value;
        fake.server.set(METADATA, Reply::json(&metadata));
        misconfigured(fake.oidc().start(BACK).await, reason, field);
        misconfigured(fake.oidc().check().await, reason, field);
    }
    for field in [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
    ] {
        let mut metadata = fake.metadata();
        metadata.as_object_mut().unwrap().remove(field);
        fake.server.set(METADATA, Reply::json(&metadata));
        assert_refused(fake.oidc().start(BACK).await, "cannot be read", field);
    }
}

/// What is `https` stays so: a provider elsewhere does not lead to this machine by `http`.
#[test]
fn endpoints_of_another_machine() {
    let config = OidcConfig {
        issuer: "https://id.example".to_owned(),
        ca_file: None,
        ..config()
    };
    let settings = Settings {
        issuer: config.issuer.clone(),
        is_local: false,
        ..config::check(OidcConfig {
            issuer: "http://127.0.0.1".to_owned(),
            ..config
        })
        .unwrap()
        .0
    };
    let metadata = |token: &str| {
        let document = json!({
            "issuer": "https://id.example",
            "authorization_endpoint": "https://id.example/a",
            "token_endpoint": token,
            "jwks_uri": "https://keys.example/k",
        });
        discovery::read(document.to_string().as_bytes(), &settings)
    };
    metadata("https://other.example/t").unwrap();
    misconfigured(metadata("http://127.0.0.1/t"), "no https", "loopback");
    misconfigured(metadata("http://id.example/t"), "no https", "plain");
}

#[test]
fn the_place_of_metadata_follows_the_issuer() {
    for (issuer, expected) in [
        (
            "https://id.example",
            "https://id.example/.well-known/openid-configuration",
        ),
        (
            "https://id.example/",
            "https://id.example/.well-known/openid-configuration",
        ),
        (
            "https://id.example/realms/a",
            "https://id.example/realms/a/.well-known/openid-configuration",
        ),
    ] {
        let url = place::discovery_url(&place::issuer_url(issuer).unwrap());
        assert_eq!(url.as_str(), expected);
    }
}

#[tokio::test]
async fn log_outs_at_the_provider() {
    let fake = Fake::start();
    let token = Secret::new("a.b.c".to_owned());
    let url = fake
        .oidc()
        .log_out_url(&token, "https://daas.example/?a=b&c")
        .await;
    assert_eq!(
        url.unwrap().unwrap(),
        format!(
            "{}/end?id_token_hint=a.b.c&post_logout_redirect_uri=\
             https%3A%2F%2Fdaas.example%2F%3Fa%3Db%26c&client_id=daas",
            fake.issuer
        )
    );
    let mut metadata = fake.metadata();
    metadata
        .as_object_mut()
        .unwrap()
        .remove("end_session_endpoint");
    fake.server.set(METADATA, Reply::json(&metadata));
    let none = fake
        .oidc()
        .log_out_url(&token, "https://daas.example/")
        .await;
    assert_eq!(none.unwrap(), None);
}

#[tokio::test]
async fn a_check_looks_at_everything_anew() {
    let fake = Fake::start();
    let oidc = fake.oidc();
    oidc.check().await.unwrap();
    oidc.check().await.unwrap();
    assert_eq!(fake.server.asked(METADATA).len(), 2);
    assert_eq!(fake.server.asked("/keys").len(), 2);
    let secret = Signer::Secret(vec![1; 32]).jwk("key");
    fake.server
        .set("/keys", Reply::json(&json!({ "keys": [secret] })));
    misconfigured(oidc.check().await, "no key", "a secret");
}
