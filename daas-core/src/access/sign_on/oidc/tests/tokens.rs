//! ID tokens of all kinds, each by a whole log-in.

use super::*;

#[tokio::test]
async fn a_good_token_tells_who_it_is() {
    let fake = Fake::start();
    let log_in = fake.log_in(&fake.oidc(), |_| {}).await.unwrap();
    let identity = Identity {
        provider: "test".to_owned(),
        subject: "4711".to_owned(),
        name: "ada".to_owned(),
        email: Some("ada@example.org".to_owned()),
        groups: vec!["admins".to_owned(), "staff".to_owned()],
    };
    assert_eq!(log_in.identity, identity);
    assert_eq!(log_in.id_token.expose().split('.').count(), 3);
    // Nothing was missing.
    assert!(fake.server.asked("/userinfo").is_empty());
}

#[tokio::test]
async fn all_allowed_algorithms() {
    let cases = [
        (Signer::rsa(2048), vec!["RS256", "RS384", "RS512"]),
        (Signer::rsa(2048), vec!["PS256", "PS384", "PS512"]),
        (Signer::p256(), vec!["ES256"]),
        (Signer::p384(), vec!["ES384"]),
        (Signer::ed25519(), vec!["EdDSA"]),
    ];
    for (signer, algorithms) in cases {
        let fake = Fake::with(signer);
        let oidc = fake.oidc();
        for algorithm in algorithms {
            let good = fake.log_in(&oidc, |draft| draft.header["alg"] = algorithm.into());
            assert_eq!(good.await.unwrap().identity.subject, "4711", "{algorithm}");
            let bad = fake.log_in(&oidc, |draft| {
                draft.header["alg"] = algorithm.into();
                draft.tamper = other_payload;
            });
            assert_refused(bad.await, "no good signature", algorithm);
        }
    }
}

/// The same signature under a payload with another subject.
fn other_payload(token: String) -> String {
    use base64::Engine as _;
    let parts: Vec<_> = token.split('.').collect();
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = String::from_utf8(engine.decode(parts[1]).unwrap()).unwrap();
    let payload = base64(payload.replace("4711", "1"));
    format!("{}.{payload}.{}", parts[0], parts[2])
}

fn without_signature(token: String) -> String {
    let end = token.rfind('.').unwrap();
    token[..=end].to_owned()
}

type Change = fn(&mut Draft);

#[tokio::test]
async fn claims_that_do_not_fit() {
    let cases: &[(&str, Change)] = &[
        ("another issuer", |d| {
            d.claims["iss"] = "https://evil.example".into()
        }),
        ("another issuer", |d| {
            let issuer = d.claims["iss"].as_str().unwrap();
            d.claims["iss"] = format!("{issuer}/").into();
        }),
        ("another client", |d| d.claims["aud"] = "other".into()),
        ("another client", |d| {
            d.claims["aud"] = json!(["other", "daas2"])
        }),
        ("another client", |d| d.claims["aud"] = json!([])),
        ("does not say to whom", |d| {
            d.claims["aud"] = json!(["daas", "other"])
        }),
        ("given to another client", |d| {
            d.claims["aud"] = json!(["daas", "other"]);
            d.claims["azp"] = "other".into();
        }),
        ("given to another client", |d| {
            d.claims["azp"] = "other".into()
        }),
        ("expired", |d| d.claims["exp"] = (now_s() - 61).into()),
        ("expired", |d| d.claims["exp"] = json!(-1)),
        ("future", |d| d.claims["iat"] = (now_s() + 90).into()),
        ("not good yet", |d| d.claims["nbf"] = (now_s() + 90).into()),
        ("another log-in", |d| d.claims["nonce"] = "x".into()),
        ("another log-in", |d| remove(d, "nonce")),
        ("another access token", |d| d.claims["at_hash"] = "x".into()),
        ("no subject", |d| d.claims["sub"] = "".into()),
        ("no subject", |d| d.claims["sub"] = "x".repeat(256).into()),
        ("no subject", |d| d.claims["sub"] = "a\u{0}".into()),
        ("lacks", |d| d.claims["sub"] = 4711.into()),
        ("lacks", |d| d.claims["exp"] = "tomorrow".into()),
        ("lacks", |d| d.claims["exp"] = Value::Null),
        ("lacks", |d| d.claims["aud"] = json!({ "daas": true })),
        ("lacks", |d| remove(d, "sub")),
        ("lacks", |d| remove(d, "iss")),
        ("lacks", |d| remove(d, "aud")),
        ("lacks", |d| remove(d, "exp")),
        ("lacks", |d| remove(d, "iat")),
        ("no good signature", |d| d.claims = json!([1])),
    ];
    all_refused(&Fake::start(), cases).await;
}

#[tokio::test]
async fn signatures_that_do_not_fit() {
    let cases: &[(&str, Change)] = &[
        ("head", |d| {
            d.header["alg"] = "none".into();
            d.signer = Some(Signer::Nobody);
        }),
        ("head", |d| d.header["alg"] = "nOnE".into()),
        ("head", |d| remove_header(d, "alg")),
        ("algorithm", |d| d.header["alg"] = "HS256".into()),
        ("no key", |d| d.header["kid"] = "other".into()),
        // Of another kind than the key.
        ("no key", |d| d.header["alg"] = "RS256".into()),
        ("no key", |d| d.header["alg"] = "ES384".into()),
        ("no key", |d| d.header["alg"] = "EdDSA".into()),
        ("no good signature", |d| d.signer = Some(Signer::p256())),
        ("no good signature", |d| d.tamper = other_payload),
        ("no good signature", |d| d.tamper = without_signature),
        ("no good signature", |d| {
            d.tamper = |token| format!("{token}A")
        }),
        ("no good signature", |d| {
            d.tamper = |token| format!("{token}=")
        }),
        ("no good signature", |d| {
            // Its own key with it.
            let signer = Signer::p256();
            d.header["jwk"] = signer.jwk("key");
            d.header["jku"] = "https://evil.example/keys".into();
            d.signer = Some(signer);
        }),
        ("critical", |d| d.header["crit"] = json!(["b64"])),
        ("another type", |d| d.header["typ"] = "at+jwt".into()),
        ("another type", |d| d.header["typ"] = "logout+jwt".into()),
        ("too long a name", |d| {
            d.header["kid"] = "k".repeat(1025).into()
        }),
        ("head", |d| d.tamper = |_| String::new()),
        ("head", |d| d.tamper = |_| "..".to_owned()),
        ("head", |d| d.tamper = |_| "a.b.c.d.e".to_owned()),
        ("head", |d| d.tamper = |token| format!("x{token}")),
        ("head", |d| d.tamper = |token| format!("{token}.{token}")),
    ];
    all_refused(&Fake::start(), cases).await;
}

async fn all_refused(fake: &Fake, cases: &[(&str, Change)]) {
    let oidc = fake.oidc();
    fake.log_in(&oidc, |_| {}).await.unwrap();
    for (index, (reason, change)) in cases.iter().enumerate() {
        let result = fake.log_in(&oidc, change).await;
        assert_refused(result, reason, &format!("case {index}"));
    }
}

/// A public key is known to everybody, so it must not serve as a secret.
#[tokio::test]
async fn a_public_key_is_no_secret() {
    for signer in [Signer::rsa(2048), Signer::p256()] {
        let fake = Fake::with(signer);
        let secret = Signer::Secret(fake.signer.public());
        // Not even where the provider lists it as one.
        let keys = json!({ "keys": [fake.signer.jwk("key"), secret.jwk("secret")] });
        fake.server.set("/keys", Reply::json(&keys));
        let oidc = fake.oidc();
        for kid in ["key", "secret"] {
            let forged = fake.log_in(&oidc, |draft| {
                draft.header["alg"] = "HS256".into();
                draft.header["kid"] = kid.into();
                draft.signer = Some(Signer::Secret(fake.signer.public()));
            });
            assert_refused(forged.await, "algorithm", kid);
        }
    }
}

#[tokio::test]
async fn short_rsa_keys_are_refused() {
    let fake = Fake::with(Signer::rsa(1024));
    let result = fake.log_in(&fake.oidc(), |_| {}).await;
    assert_refused(result, "no good signature", "1024 bits");
}

#[tokio::test]
async fn what_is_within_the_rules_is_taken() {
    let cases: &[Change] = &[
        |d| d.claims["aud"] = json!(["daas"]),
        |d| {
            d.claims["aud"] = json!(["other", "daas"]);
            d.claims["azp"] = "daas".into();
        },
        // Clocks differ.
        |d| d.claims["exp"] = (now_s() - 50).into(),
        |d| d.claims["iat"] = (now_s() + 50).into(),
        |d| d.claims["nbf"] = (now_s() + 50).into(),
        |d| d.claims["exp"] = json!(now_s() as f64 + 9.5),
        |d| remove_header(d, "typ"),
        |d| d.claims["at_hash"] = half_of_sha256(ACCESS_TOKEN).into(),
        // There is one key only.
        |d| remove_header(d, "kid"),
    ];
    let fake = Fake::start();
    let oidc = fake.oidc();
    for (index, change) in cases.iter().enumerate() {
        let log_in = fake.log_in(&oidc, change).await;
        assert!(log_in.is_ok(), "case {index}: {log_in:?}");
    }
}

/// OpenID Connect Core, section 3.1.3.6, by its words: the left 128 bits.
fn half_of_sha256(text: &str) -> String {
    use sha2::Digest as _;
    base64(&sha2::Sha256::digest(text)[..16])
}

#[tokio::test]
async fn the_time_is_that_of_the_caller() {
    let fake = Fake::start();
    let oidc = fake.oidc();
    let pending = oidc.start(BACK).await.unwrap().pending;
    fake.give(&fake.draft(&pending));
    let later = Timestamp::now().plus_ms(400_000);
    let answer = answer(&pending);
    let result = oidc.finish(pending, &answer, later).await;
    assert_refused(result, "expired", "later");
}

#[tokio::test]
async fn keys_by_their_use() {
    let fake = Fake::start();
    let cases = [
        (json!({ "use": "enc" }), false),
        (json!({ "use": "sig", "alg": "ES256" }), true),
        (json!({ "alg": "ES384" }), false),
        (json!({ "alg": "ECDH-ES" }), false),
        (json!({ "key_ops": ["sign"] }), false),
        (json!({ "key_ops": ["verify"] }), true),
    ];
    for (more, fits) in cases {
        let mut key = fake.signer.jwk("key");
        for (name, value) in more.as_object().unwrap() {
            key[name] = value.clone();
        }
        // Whatever is beside it is passed over.
        let keys = json!({ "keys": [{ "kty": "new" }, 7, Signer::ed25519().jwk("key"), key] });
        fake.server.set("/keys", Reply::json(&keys));
        let oidc = fake.oidc();
        let result = fake.log_in(&oidc, |_| {}).await;
        match fits {
            true => assert!(result.is_ok(), "{more}: {result:?}"),
            false => assert_refused(result, "no key", &more.to_string()),
        }
    }
}

#[tokio::test]
async fn several_keys_need_a_name() {
    let fake = Fake::start();
    let other = Signer::p256();
    let keys = json!({ "keys": [other.jwk("other"), fake.signer.jwk("key")] });
    fake.server.set("/keys", Reply::json(&keys));
    let oidc = fake.oidc();
    fake.log_in(&oidc, |_| {}).await.unwrap();
    let nameless = fake
        .log_in(&oidc, |draft| remove_header(draft, "kid"))
        .await;
    assert_refused(nameless, "several keys", "no name");
    let twice = json!({ "keys": [other.jwk("key"), fake.signer.jwk("key")] });
    fake.server.set("/keys", Reply::json(&twice));
    let result = fake.log_in(&fake.oidc(), |_| {}).await;
    assert_refused(result, "several keys", "one name");
}

fn now_s() -> i64 {
    Timestamp::now().0 / 1000
}

fn remove(draft: &mut Draft, claim: &str) {
    draft.claims.as_object_mut().unwrap().remove(claim).unwrap();
}

fn remove_header(draft: &mut Draft, name: &str) {
    draft.header.as_object_mut().unwrap().remove(name).unwrap();
}
