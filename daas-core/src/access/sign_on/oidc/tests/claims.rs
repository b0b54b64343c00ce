//! Claims of a token, and those that the provider tells besides.

use proptest::prelude::*;

use super::*;
use crate::access::sign_on::oidc::identity::identity;

fn userinfo(fake: &Fake, claims: &Value) {
    fake.server.set("/userinfo", Reply::json(claims));
}

fn remove(draft: &mut Draft, claims: &[&str]) {
    for claim in claims {
        draft.claims.as_object_mut().unwrap().remove(*claim);
    }
}

#[tokio::test]
async fn what_is_missing_is_asked_for() {
    let fake = Fake::start();
    let more = json!({
        "sub": "4711", "preferred_username": "grace", "email": "other@example.org",
        "groups": ["navy"],
    });
    userinfo(&fake, &more);
    let oidc = fake.oidc();
    let missing = |draft: &mut Draft| remove(draft, &["preferred_username", "groups"]);
    let identity = fake.log_in(&oidc, missing).await.unwrap().identity;
    assert_eq!(identity.name, "grace");
    assert_eq!(identity.groups, ["navy"]);
    // What is signed stands.
    assert_eq!(identity.email.as_deref(), Some("ada@example.org"));
    let asked = fake.server.asked("/userinfo");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].method, "GET");
    assert_eq!(asked[0].headers["authorization"], "Bearer an.access-token");
}

#[tokio::test]
async fn other_claims_are_about_the_same_person() {
    let fake = Fake::start();
    let oidc = fake.oidc();
    for subject in [json!("4712"), json!(4711), json!(["4711"]), Value::Null] {
        userinfo(&fake, &json!({ "sub": subject, "groups": ["admins"] }));
        let result = fake.log_in(&oidc, |draft| remove(draft, &["groups"])).await;
        assert_refused(result, "somebody else", &subject.to_string());
    }
    userinfo(&fake, &json!({ "groups": ["admins"] }));
    let result = fake.log_in(&oidc, |draft| remove(draft, &["groups"])).await;
    assert_refused(result, "somebody else", "no subject");
    userinfo(&fake, &json!(["admins"]));
    let result = fake.log_in(&oidc, |draft| remove(draft, &["groups"])).await;
    assert_refused(result, "cannot be read", "a list");
    // Signed claims are not read; they would have to be checked.
    fake.server
        .set("/userinfo", Reply::new(200, "application/jwt", "a.b.c"));
    let result = fake.log_in(&oidc, |draft| remove(draft, &["groups"])).await;
    assert_refused(result, "not JSON", "signed");
}

/// Groups that cannot be known are not none: somebody would lose what they may do.
#[tokio::test]
async fn claims_that_fail_fail_the_log_in() {
    let fake = Fake::start();
    fake.server
        .set("/userinfo", Reply::new(503, "text/plain", ""));
    let result = fake
        .log_in(&fake.oidc(), |draft| remove(draft, &["groups"]))
        .await;
    assert!(
        matches!(result, Err(OidcError::Unavailable(_))),
        "{result:?}"
    );
}

#[tokio::test]
async fn without_more_claims_the_token_has_to_do() {
    let fake = Fake::start();
    let mut metadata = fake.metadata();
    metadata["userinfo_endpoint"] = Value::Null;
    fake.server.set(METADATA, Reply::json(&metadata));
    let oidc = fake.oidc();
    let missing = |draft: &mut Draft| remove(draft, &["email", "groups"]);
    let identity = fake.log_in(&oidc, missing).await.unwrap().identity;
    assert_eq!((identity.email, identity.groups), (None, Vec::new()));
    // No other claim becomes the name.
    let nameless = fake.log_in(&oidc, |draft| remove(draft, &["preferred_username"]));
    assert_refused(nameless.await, "preferred_username", "no name");
}

#[tokio::test]
async fn names_that_are_none() {
    let fake = Fake::start();
    let oidc = fake.oidc();
    for name in [
        json!(""),
        json!("  "),
        json!("a\nb"),
        json!(7),
        json!(["a"]),
        json!("x".repeat(257)),
    ] {
        let result = fake.log_in(&oidc, |draft| {
            draft.claims["preferred_username"] = name.clone()
        });
        assert_refused(result.await, "no name", &name.to_string());
    }
}

#[tokio::test]
async fn other_claims_can_be_chosen() {
    let fake = Fake::start();
    let config = OidcConfig {
        name_claim: "sub".to_owned(),
        groups_claim: "https://example.org/roles".to_owned(),
        email_claim: "upn".to_owned(),
        ..fake.config()
    };
    let oidc = Oidc::new(config).unwrap();
    let log_in = fake.log_in(&oidc, |draft| {
        draft.claims["https://example.org/roles"] = "one".into();
        draft.claims["upn"] = "ada@corp.example".into();
    });
    let identity = log_in.await.unwrap().identity;
    assert_eq!(
        (identity.name.as_str(), identity.subject.as_str()),
        ("4711", "4711")
    );
    assert_eq!(identity.groups, ["one"]);
    assert_eq!(identity.email.as_deref(), Some("ada@corp.example"));
}

fn settings() -> Settings {
    let config = OidcConfig::new("test", "Test", "http://127.0.0.1:1", "daas");
    config::check(config).unwrap().0
}

fn identity_of(claims: Value) -> Result<Identity, OidcError> {
    let Value::Object(mut claims) = claims else {
        panic!("claims are an object");
    };
    claims
        .entry("preferred_username")
        .or_insert_with(|| "ada".into());
    identity("4711".to_owned(), &claims, &settings())
}

#[test]
fn groups_are_bounded() {
    let many: Vec<_> = (0..2000).map(|n| format!("g{n:04}")).rev().collect();
    let groups = identity_of(json!({ "groups": many })).unwrap().groups;
    assert_eq!(groups.len(), 1000);
    assert_eq!(
        (groups[0].as_str(), groups[999].as_str()),
        ("g0000", "g0999")
    );
    let mixed = json!([
        "b", "a", "b", "", " ", 7, null, ["x"], { "a": "b" }, true, "a\u{7}", "x".repeat(257),
        "é".repeat(128), "A",
    ]);
    let groups = identity_of(json!({ "groups": mixed })).unwrap().groups;
    assert_eq!(groups, ["A", "a", "b", &"é".repeat(128)]);
    for none in [json!(7), json!(null), json!({ "a": true }), json!([])] {
        assert!(
            identity_of(json!({ "groups": none }))
                .unwrap()
                .groups
                .is_empty()
        );
    }
}

#[test]
fn addresses_that_are_none_are_left_out() {
    for none in [
        json!(""),
        json!(7),
        json!(["a@b"]),
        json!("a\r\n@b"),
        json!("x".repeat(255)),
    ] {
        assert_eq!(identity_of(json!({ "email": none })).unwrap().email, None);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 32, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_the_claims_are(name in any_json(), groups in any_json(), email in any_json()) {
        let claims = json!({ "preferred_username": name, "groups": groups, "email": email });
        if let Ok(identity) = identity_of(claims) {
            prop_assert!(identity.groups.is_sorted());
            let mut once = identity.groups.clone();
            once.dedup();
            prop_assert_eq!(&once, &identity.groups);
            let texts = identity.groups.iter().chain([&identity.name]).chain(&identity.email);
            for text in texts {
                prop_assert!(!text.is_empty() && !text.contains(char::is_control));
            }
        }
    }

    #[test]
    fn whatever_a_token_is(token in any::<String>()) {
        prop_assert!(token::wanted_key(&token).is_err());
    }

    #[test]
    fn whatever_documents_are(document in any_json()) {
        let body = document.to_string();
        prop_assert!(discovery::read(body.as_bytes(), &settings()).is_err());
        let keys = json!({ "keys": [document] }).to_string();
        prop_assert!(!Keys::read(keys.as_bytes()).unwrap().is_usable());
    }
}
