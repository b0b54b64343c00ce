//! Where a log-in leads to, and what the browser brings back.

use std::collections::{HashMap, HashSet};

use sha2::Digest as _;

use super::*;

#[tokio::test]
async fn the_address_has_all_that_protects_the_log_in() {
    let fake = Fake::start();
    let OidcStart { url, pending } = fake.oidc().start(BACK).await.unwrap();
    let url = Url::parse(&url).unwrap();
    assert!(
        url.as_str()
            .starts_with(&format!("{}/authorize?tenant=1&", fake.issuer))
    );
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let query: HashMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(query.len(), pairs.len(), "{pairs:?}");
    let challenge = base64(sha2::Sha256::digest(pending.verifier()));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "daas"),
        ("redirect_uri", BACK),
        ("scope", "openid profile email"),
        ("state", pending.state()),
        ("nonce", pending.nonce()),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("tenant", "1"),
    ] {
        assert_eq!(query[name], value, "{name}");
    }
    assert_eq!(query.len(), 9);
    assert!(!url.as_str().contains(pending.verifier()));
}

#[tokio::test]
async fn no_two_log_ins_are_alike() {
    let fake = Fake::start();
    let oidc = fake.oidc();
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let pending = oidc.start(BACK).await.unwrap().pending;
        for secret in [pending.state(), pending.nonce(), pending.verifier()] {
            assert_eq!(secret.len(), 43);
            assert!(seen.insert(secret.to_owned()));
        }
        let shown = format!("{pending:?}");
        assert!(!shown.contains(pending.verifier()) && !shown.contains(pending.nonce()));
    }
    // Not even the provider is asked each time.
    assert_eq!(fake.server.asked(METADATA).len(), 1);
    assert!(fake.server.asked("/keys").is_empty());
}

#[tokio::test]
async fn only_addresses_of_the_web_are_come_back_to() {
    let fake = Fake::start();
    let oidc = fake.oidc();
    for wrong in [
        "",
        "/answer",
        "javascript:alert(1)",
        "https://daas.example/#x",
    ] {
        let start = oidc.start(wrong).await;
        assert!(matches!(start, Err(OidcError::Misconfigured(_))), "{wrong}");
    }
}

/// Ends a log-in by an answer that is changed; the token would be good.
async fn finish(fake: &Fake, change: impl FnOnce(&mut OidcAnswer)) -> Result<OidcLogIn, OidcError> {
    let oidc = fake.oidc();
    let pending = oidc.start(BACK).await.unwrap().pending;
    fake.give(&fake.draft(&pending));
    let mut answer = answer(&pending);
    change(&mut answer);
    oidc.finish(pending, &answer, Timestamp::now()).await
}

#[tokio::test]
async fn answers_that_nobody_asked_for() {
    let fake = Fake::start();
    type Change = fn(&mut OidcAnswer);
    let cases: &[(&str, Change)] = &[
        ("another log-in", |a| a.state = None),
        ("another log-in", |a| a.state = Some(String::new())),
        ("another log-in", |a| a.state = Some("x".repeat(43))),
        ("another log-in", |a| a.state.as_mut().unwrap().push('x')),
        ("another log-in", |a| {
            // An answer that was made up is not even a refusal.
            a.state = None;
            a.error = Some("access_denied".to_owned());
        }),
        ("another issuer", |a| {
            a.iss = Some("https://evil.example".to_owned())
        }),
        ("another issuer", |a| {
            a.iss = Some("https://evil.example".to_owned());
            a.error = Some("access_denied".to_owned());
        }),
        ("no code", |a| a.code = None),
        ("no code", |a| a.code = Some(String::new())),
        ("no code", |a| a.code = Some("x".repeat(8 * 1024 + 1))),
    ];
    for (index, (reason, change)) in cases.iter().enumerate() {
        let result = finish(&fake, change).await;
        assert_refused(result, reason, &format!("case {index}"));
    }
    assert!(fake.server.asked("/token").is_empty());
    let issuer = fake.issuer.clone();
    finish(&fake, |answer| answer.iss = Some(issuer))
        .await
        .unwrap();
}

/// RFC 9207, section 2.4.
#[tokio::test]
async fn the_issuer_is_named_where_the_provider_says_so() {
    let fake = Fake::start();
    let mut metadata = fake.metadata();
    metadata["authorization_response_iss_parameter_supported"] = true.into();
    fake.server.set(METADATA, Reply::json(&metadata));
    let result = finish(&fake, |_| {}).await;
    assert_refused(result, "does not say whose", "none");
    let issuer = fake.issuer.clone();
    finish(&fake, |answer| answer.iss = Some(issuer))
        .await
        .unwrap();
}

#[tokio::test]
async fn errors_of_the_provider() {
    let fake = Fake::start();
    for (error, expected) in [
        ("access_denied", "Denied"),
        ("server_error", "Unavailable"),
        ("temporarily_unavailable", "Unavailable"),
        ("invalid_scope", "Misconfigured"),
        ("unauthorized_client", "Misconfigured"),
        ("login_required", "Refused"),
        ("a\nline\u{1b}[0m", "Refused"),
        ("", "Refused"),
    ] {
        // A code beside it does not count.
        let result = finish(&fake, |answer| answer.error = Some(error.to_owned())).await;
        let failure = result.unwrap_err();
        assert!(format!("{failure:?}").starts_with(expected), "{failure:?}");
        assert!(!failure.to_string().contains(char::is_control));
    }
    let long = finish(&fake, |answer| answer.error = Some("é".repeat(100_000))).await;
    assert!(long.unwrap_err().to_string().len() < 500);
    assert!(fake.server.asked("/token").is_empty());
}

#[tokio::test]
async fn one_provider_does_not_end_what_another_began() {
    let (fake, other) = (Fake::start(), Fake::start());
    let config = OidcConfig {
        id: "other".to_owned(),
        ..other.config()
    };
    let other = Oidc::new(config).unwrap();
    let pending = other.start(BACK).await.unwrap().pending;
    assert_eq!(pending.provider(), "other");
    fake.give(&fake.draft(&pending));
    let answer = answer(&pending);
    let result = fake.oidc().finish(pending, &answer, Timestamp::now()).await;
    assert_refused(result, "another provider", "mixed up");
    assert!(fake.server.asked("/token").is_empty());
}

#[test]
fn an_answer_is_read_from_a_query_and_does_not_show_its_code() {
    let query = json!({ "code": "geheim", "state": "s", "session_state": "x", "scope": "openid" });
    let answer: OidcAnswer = serde_json::from_value(query).unwrap();
    assert_eq!(answer.code.as_deref(), Some("geheim"));
    assert!(!format!("{answer:?}").contains("geheim"));
}
