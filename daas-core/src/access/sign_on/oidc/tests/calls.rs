//! Calls to a provider: what is said to it, and what it may do to a caller.

use std::time::Instant;

use super::*;
use server::Pace;

/// Which of the calls of a log-in a test is about.
const PLACES: [&str; 4] = [METADATA, "/keys", "/token", "/userinfo"];

/// A log-in that makes all four calls, one of which is answered otherwise.
async fn log_in_with(place: &str, reply: impl FnOnce(&Fake, Reply) -> Reply) -> (Fake, String) {
    log_in_at(Fake::start(), place, reply).await
}

async fn log_in_at(
    fake: Fake,
    place: &str,
    reply: impl FnOnce(&Fake, Reply) -> Reply,
) -> (Fake, String) {
    fake.server.set(
        "/userinfo",
        Reply::json(&json!({ "sub": "4711", "groups": ["a"] })),
    );
    let oidc = fake.oidc();
    // The metadata is needed to begin with.
    if place == METADATA {
        let reply = reply(&fake, Reply::json(&fake.metadata()));
        fake.server.set(METADATA, reply);
        let failure = format!("{:?}", oidc.start(BACK).await.unwrap_err());
        return (fake, failure);
    }
    let pending = oidc.start(BACK).await.unwrap().pending;
    let mut draft = fake.draft(&pending);
    draft.claims.as_object_mut().unwrap().remove("groups");
    fake.give(&draft);
    let token = fake.signer.token(&draft.header, &draft.claims);
    let good = match place {
        "/keys" => json!({ "keys": [fake.signer.jwk("key")] }),
        "/token" => tokens_with(&token),
        _ => json!({ "sub": "4711", "groups": ["a"] }),
    };
    let reply = reply(&fake, Reply::json(&good));
    fake.server.set(place, reply);
    let answer = answer(&pending);
    let result = oidc.finish(pending, &answer, Timestamp::now()).await;
    let text = match result {
        Ok(log_in) => format!("Ok {:?}", log_in.identity.groups),
        Err(failure) => format!("{failure:?}"),
    };
    (fake, text)
}

#[tokio::test]
async fn content_types_may_have_parameters() {
    for place in &PLACES[1..] {
        for good in [
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/x+json",
        ] {
            let (_, result) = log_in_with(place, |_, reply| Reply {
                headers: vec![("Content-Type", good.to_owned())],
                ..reply
            })
            .await;
            assert_eq!(result, "Ok [\"a\"]", "{place} {good}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_none() {
    for place in PLACES {
        for (expected, reply) in [
            ("Refused", Reply::new(200, "text/html", "{}")),
            ("Refused", Reply::new(200, "application/jsonx", "{}")),
            ("Refused", Reply::new(200, "", "{}")),
            ("Refused", Reply::new(200, "application/json", "{")),
            ("Refused", Reply::new(200, "application/json", "")),
            (
                "Refused",
                Reply::new(200, "application/json", "[".repeat(10_000)),
            ),
            ("Refused", Reply::new(200, "application/json", b"\"\xff\"")),
            ("Refused", Reply::new(201, "application/json", "{}")),
            ("Refused", Reply::new(204, "application/json", "")),
            ("Refused", Reply::new(403, "application/json", "{}")),
            ("Refused", Reply::new(404, "text/html", "")),
            ("Unavailable", Reply::new(429, "text/html", "")),
            ("Unavailable", Reply::new(500, "application/json", "{}")),
            ("Unavailable", Reply::new(503, "text/html", "")),
        ] {
            let case = format!("{place} {} {:?}", reply.status, reply.headers);
            let (_, result) = log_in_with(place, |_, _| reply).await;
            assert!(result.starts_with(expected), "{case}: {result}");
        }
    }
}

#[tokio::test]
async fn answers_are_bounded() {
    for (place, max) in PLACES.into_iter().zip([256, 256, 64, 256]) {
        let padded = |length: usize| {
            move |_: &Fake, mut reply: Reply| {
                reply.body.resize(length, b' ');
                reply
            }
        };
        if place != METADATA {
            let (_, result) = log_in_with(place, padded(max * 1024)).await;
            assert_eq!(result, "Ok [\"a\"]", "{place}");
        }
        let (_, result) = log_in_with(place, padded(max * 1024 + 1)).await;
        assert!(result.contains("sends too much"), "{place}: {result}");
        let (_, result) = log_in_with(place, |_, mut reply| {
            reply.headers.push(("X-Much", "x".repeat(20 * 1024)));
            reply
        })
        .await;
        assert!(result.contains("sends too much"), "{place}: {result}");
    }
}

#[tokio::test]
async fn too_many_keys() {
    let (_, result) = log_in_with("/keys", |fake, _| {
        let keys = vec![fake.signer.jwk("key"); 101];
        Reply::json(&json!({ "keys": keys }))
    })
    .await;
    assert!(result.contains("too many keys"), "{result}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for place in PLACES {
        for status in [301, 302, 303, 307, 308] {
            let (fake, result) = log_in_with(place, |fake, reply| {
                fake.server.set("/elsewhere", reply.clone());
                Reply {
                    status,
                    headers: vec![("Location", format!("{}/elsewhere", fake.issuer))],
                    body: Vec::new(),
                    ..reply
                }
            })
            .await;
            assert!(
                result.contains("redirects are not followed"),
                "{place}: {result}"
            );
            assert!(fake.server.asked("/elsewhere").is_empty());
        }
    }
}

#[tokio::test]
async fn slow_answers_end() {
    let places = PLACES.map(|place| {
        tokio::spawn(async move {
            for pace in [Pace::Never, Pace::Drip] {
                let began = Instant::now();
                let fake = Fake {
                    timeout_s: 1,
                    ..Fake::start()
                };
                let (_, result) = log_in_at(fake, place, |_, reply| Reply { pace, ..reply }).await;
                assert!(
                    result.starts_with("Unavailable"),
                    "{place} {pace:?}: {result}"
                );
                assert!(began.elapsed() < Duration::from_secs(5), "{place} {pace:?}");
            }
        })
    });
    for place in places {
        place.await.unwrap();
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there() {
    let fake = Fake::start();
    let oidc = fake.oidc();
    let pending = oidc.start(BACK).await.unwrap().pending;
    let config = fake.config();
    drop(fake);
    // The listener ends a moment after that.
    let deadline = Instant::now() + Duration::from_secs(5);
    let address = config.issuer.trim_start_matches("http://");
    while std::net::TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let answer = answer(&pending);
    let result = oidc.finish(pending, &answer, Timestamp::now()).await;
    assert!(
        matches!(result, Err(OidcError::Unavailable(_))),
        "{result:?}"
    );
    let oidc = Oidc::new(config).unwrap();
    for _ in 0..2 {
        let result = oidc.check().await;
        assert!(
            matches!(result, Err(OidcError::Unavailable(_))),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn many_who_wait_are_told_of_one_failure() {
    let fake = Fake {
        timeout_s: 1,
        ..Fake::start()
    };
    let silent = Reply {
        pace: Pace::Never,
        ..Reply::json(&json!({}))
    };
    fake.server.set(METADATA, silent);
    let oidc = fake.oidc();
    let began = Instant::now();
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let oidc = oidc.clone();
            tokio::spawn(async move { oidc.start(BACK).await.unwrap_err() })
        })
        .collect();
    for failure in waiting {
        assert!(matches!(failure.await.unwrap(), OidcError::Unavailable(_)));
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(fake.server.asked(METADATA).len(), 1);
}

#[tokio::test]
async fn new_keys_are_asked_for_now_and_then() {
    let fake = Fake::start();
    let oidc = fake.oidc();
    fake.log_in(&oidc, |_| {}).await.unwrap();
    for _ in 0..3 {
        let unknown = fake.log_in(&oidc, |draft| draft.header["kid"] = "new".into());
        assert_refused(unknown.await, "no key", "unknown");
    }
    assert_eq!(fake.server.asked("/keys").len(), 1);
    // As if they were some time old.
    let keys = json!({ "keys": [fake.signer.jwk("new")] });
    fake.server.set("/keys", Reply::json(&keys));
    oidc.0.keys.grow_old(KEYS_MISSING_AGE).await;
    let renamed = fake.log_in(&oidc, |draft| draft.header["kid"] = "new".into());
    renamed.await.unwrap();
    assert_eq!(fake.server.asked("/keys").len(), 2);
    // The one that is gone is good no more.
    assert_refused(fake.log_in(&oidc, |_| {}).await, "no key", "gone");
}

async fn token_request(config: OidcConfig, methods: Value) -> (Fake, String, Option<String>) {
    let fake = Fake::start();
    let mut metadata = fake.metadata();
    metadata["token_endpoint_auth_methods_supported"] = methods;
    fake.server.set(METADATA, Reply::json(&metadata));
    let config = OidcConfig {
        issuer: fake.issuer.clone(),
        ..config
    };
    fake.log_in(&Oidc::new(config).unwrap(), |_| {})
        .await
        .unwrap();
    let mut asked = fake.server.asked("/token");
    assert_eq!(asked.len(), 1);
    let request = asked.remove(0);
    assert_eq!(request.method, "POST");
    assert_eq!(
        request.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    let authorization = request.headers.get("authorization").cloned();
    (fake, request.body, authorization)
}

fn client(secret: Option<&str>) -> OidcConfig {
    OidcConfig {
        client_secret: secret.map(|secret| Secret::new(secret.to_owned())),
        ..OidcConfig::new("test", "Test", "", "daas")
    }
}

#[tokio::test]
async fn a_client_proves_who_it_is() {
    let common = "grant_type=authorization_code&code=a+code&redirect_uri=https%3A%2F%2F";
    // RFC 6749, section 2.3.1: `daas:a%2Bb%3Ac+%C3%A9` in Base64.
    let basic = "Basic ZGFhczphJTJCYiUzQWMrJUMzJUE5";
    for methods in [
        Value::Null,
        json!(["client_secret_post", "client_secret_basic"]),
    ] {
        let (_, body, authorization) = token_request(client(Some("a+b:c é")), methods).await;
        assert!(body.starts_with(common), "{body}");
        assert!(
            !body.contains("client_id") && !body.contains("client_secret"),
            "{body}"
        );
        assert_eq!(authorization.as_deref(), Some(basic));
    }
    let post = json!(["private_key_jwt", "client_secret_post"]);
    let (_, body, authorization) = token_request(client(Some("a+b")), post).await;
    assert!(
        body.contains("&client_id=daas&client_secret=a%2Bb"),
        "{body}"
    );
    assert_eq!(authorization, None);
    for methods in [Value::Null, json!(["client_secret_basic"]), json!(["none"])] {
        let (_, body, authorization) = token_request(client(None), methods).await;
        assert!(body.ends_with("&client_id=daas"), "{body}");
        assert!(body.contains("&code_verifier="), "{body}");
        assert_eq!(authorization, None);
    }
}

#[tokio::test]
async fn refusals_of_the_token_endpoint() {
    for (status, error, expected) in [
        (400, "invalid_grant", "Refused"),
        (400, "invalid_request", "Refused"),
        (401, "invalid_client", "Misconfigured"),
        (400, "invalid_client", "Misconfigured"),
        (400, "unauthorized_client", "Misconfigured"),
        (400, "temporarily_unavailable", "Unavailable"),
        (401, "", "Refused"),
        (500, "invalid_client", "Unavailable"),
    ] {
        let reply = Reply::new(
            status,
            "application/json",
            json!({ "error": error }).to_string(),
        );
        let (_, result) = log_in_with("/token", |_, _| reply).await;
        assert!(result.starts_with(expected), "{status} {error}: {result}");
    }
    let (_, result) = log_in_with("/token", |_, _| Reply::new(401, "text/html", "no")).await;
    assert!(result.starts_with("Misconfigured"), "{result}");
}

#[tokio::test]
async fn tokens_that_are_none() {
    for (name, value) in [
        ("token_type", json!("mac")),
        ("token_type", Value::Null),
        ("access_token", json!("")),
        ("access_token", json!("a\r\nX-Evil: 1")),
        ("access_token", json!(7)),
        ("id_token", Value::Null),
        ("id_token", json!(["a.b.c"])),
    ] {
        let (fake, result) = log_in_with("/token", |_, reply| {
            let mut tokens: Value = serde_json::from_slice(&reply.body).unwrap();
            tokens[name] = value.clone();
            Reply::json(&tokens)
        })
        .await;
        assert!(result.starts_with("Refused"), "{name} {value}: {result}");
        assert!(!result.contains(ACCESS_TOKEN), "{result}");
        assert!(fake.server.asked("/userinfo").is_empty());
    }
}

#[tokio::test]
async fn certificates_are_checked() {
    let known = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = known.signing_key.serialize_der();
    let tls = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![known.cert.der().clone()], key.try_into().unwrap())
    .unwrap();
    let server = Server::start(Some(Arc::new(tls)));
    let fake = Fake::at(server, "https://localhost", Signer::p256());
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let trusting = |pem: String| {
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, pem).unwrap();
        Oidc::new(OidcConfig {
            ca_file: Some(path),
            ..fake.config()
        })
        .unwrap()
    };
    fake.log_in(&trusting(known.cert.pem()), |_| {})
        .await
        .unwrap();
    let result = trusting(other.cert.pem()).check().await;
    assert!(
        matches!(&result, Err(OidcError::Unavailable(_))),
        "{result:?}"
    );
    // Trusted, but for another name.
    let config = OidcConfig {
        issuer: fake.issuer.replace("localhost", "127.0.0.1"),
        ca_file: Some(folder.path().join("ca.pem")),
        ..fake.config()
    };
    std::fs::write(folder.path().join("ca.pem"), known.cert.pem()).unwrap();
    let result = Oidc::new(config).unwrap().check().await;
    assert!(
        matches!(&result, Err(OidcError::Unavailable(_))),
        "{result:?}"
    );
}
