//! Log-ins at a real OpenID provider: oidc-provider of npm, which `tests/oidc-provider`
//! starts. Where it cannot run the tests say `SKIPPED: <reason>` and pass; with
//! `DAAS_REQUIRE_SIGN_ON=1` they fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/provider.rs"]
mod provider;

use browser::{Browser, Page};
use daas_core::Secret;
use daas_core::access::sign_on::oidc::{
    Oidc, OidcAnswer, OidcConfig, OidcError, OidcLogIn, OidcPending,
};
use daas_core::model::Timestamp;
use provider::Provider;
use serde_json::{Value, json};

const BACK: &str = "http://127.0.0.1:9/api/v1/sign-on/oidc/corp/answer";
const HOME: &str = "http://127.0.0.1:9/";
const SECRET: &str = "a secret: +&%/=";
const PASSWORD: &str = "correct horse";

/// A provider with these people and clients.
struct Corp(Provider);

impl Corp {
    fn start(more: Value) -> Option<Self> {
        let mut config = json!({ "clients": clients(), "people": people() });
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
        Provider::start(&config).map(Self)
    }

    fn config(&self, client_id: &str) -> OidcConfig {
        let has_secret = client_id != "public";
        OidcConfig {
            client_secret: has_secret.then(|| Secret::new(SECRET.to_owned())),
            scopes: ["openid", "profile", "email", "groups"]
                .map(str::to_owned)
                .to_vec(),
            ..OidcConfig::new("corp", "Corp", &self.0.issuer, client_id)
        }
    }

    fn oidc(&self, client_id: &str) -> Oidc {
        Oidc::new(self.config(client_id)).unwrap()
    }
}

fn clients() -> Value {
    let client = |id: &str, more: Value| {
        let mut client = json!({
            "client_id": id,
            "redirect_uris": [BACK],
            "post_logout_redirect_uris": [HOME],
        });
        if id != "public" {
            client["client_secret"] = SECRET.into();
        }
        for (name, value) in more.as_object().unwrap() {
            client[name] = value.clone();
        }
        client
    };
    let mut clients = vec![
        client("basic", json!({})),
        client(
            "post",
            json!({ "token_endpoint_auth_method": "client_secret_post" }),
        ),
        client("public", json!({ "token_endpoint_auth_method": "none" })),
        client("HS256", json!({ "id_token_signed_response_alg": "HS256" })),
    ];
    for algorithm in ALGORITHMS {
        clients.push(client(
            algorithm,
            json!({ "id_token_signed_response_alg": algorithm }),
        ));
    }
    clients.into()
}

const ALGORITHMS: [&str; 7] = [
    "RS256", "RS512", "PS256", "PS512", "ES256", "ES384", "EdDSA",
];

fn people() -> Value {
    json!([
        { "login": "ada", "password": PASSWORD, "claims": {
            "sub": "u-1815", "preferred_username": "ada", "name": "Ada L.",
            "email": "ada@example.org", "email_verified": true,
            "groups": ["staff", "admins", "staff"],
        } },
        { "login": "bob", "password": PASSWORD, "claims": { "sub": "u-2" } },
    ])
}

/// A log-in up to the answer that comes back, by way of both forms.
fn go(browser: &mut Browser, url: &str, login: &str) -> Page {
    let page = browser.open(url, BACK);
    assert_eq!(page.status, 200, "{page:?}");
    let fields = [
        ("login", login),
        ("password", PASSWORD),
        ("answer", "log-in"),
    ];
    let page = browser.submit(&page, &fields, BACK);
    assert!(page.body.contains("wants:"), "{page:?}");
    browser.submit(&page, &[("answer", "allow")], BACK)
}

fn answer(page: &Page) -> OidcAnswer {
    assert!(page.url.as_str().starts_with(BACK), "{page:?}");
    OidcAnswer {
        code: page.parameter("code"),
        state: page.parameter("state"),
        error: page.parameter("error"),
        iss: page.parameter("iss"),
    }
}

/// Begins a log-in and answers what is pending, and where it came back to.
async fn begin(oidc: &Oidc, login: &str) -> (OidcPending, OidcAnswer) {
    let start = oidc.start(BACK).await.unwrap();
    let page = go(&mut Browser::new(), &start.url, login);
    (start.pending, answer(&page))
}

async fn log_in(oidc: &Oidc, login: &str) -> Result<OidcLogIn, OidcError> {
    let (pending, answer) = begin(oidc, login).await;
    oidc.finish(pending, &answer, Timestamp::now()).await
}

fn assert_is_ada(log_in: &OidcLogIn) {
    let identity = &log_in.identity;
    assert_eq!(
        (identity.provider.as_str(), identity.subject.as_str()),
        ("corp", "u-1815")
    );
    assert_eq!(identity.name, "ada");
    assert_eq!(identity.email.as_deref(), Some("ada@example.org"));
    assert_eq!(identity.groups, ["admins", "staff"]);
}

fn assert_refused(result: Result<OidcLogIn, OidcError>, reason: &str) {
    match result {
        Err(OidcError::Refused(text)) if text.contains(reason) => {}
        other => panic!("{other:?}, not refused as {reason:?}"),
    }
}

#[tokio::test]
async fn people_log_in_with_their_groups() {
    // In the token, or told besides.
    for in_token in [false, true] {
        let Some(provider) = Corp::start(json!({ "claimsInToken": in_token })) else {
            return;
        };
        for client in ["basic", "post", "public"] {
            let oidc = provider.oidc(client);
            oidc.check().await.unwrap();
            assert_is_ada(&log_in(&oidc, "ada").await.unwrap());
        }
    }
}

#[tokio::test]
async fn all_algorithms_of_the_provider() {
    let Some(provider) = Corp::start(json!({})) else {
        return;
    };
    for algorithm in ALGORITHMS {
        let log_in = log_in(&provider.oidc(algorithm), "ada").await;
        assert_is_ada(&log_in.unwrap_or_else(|error| panic!("{algorithm}: {error}")));
    }
    // By the secret of the client: one that knows it could say anything.
    assert_refused(log_in(&provider.oidc("HS256"), "ada").await, "algorithm");
}

#[tokio::test]
async fn people_may_say_no() {
    let Some(provider) = Corp::start(json!({})) else {
        return;
    };
    let oidc = provider.oidc("basic");
    for after_log_in in [false, true] {
        let start = oidc.start(BACK).await.unwrap();
        let mut browser = Browser::new();
        let mut page = browser.open(&start.url, BACK);
        if after_log_in {
            let fields = [
                ("login", "ada"),
                ("password", PASSWORD),
                ("answer", "log-in"),
            ];
            page = browser.submit(&page, &fields, BACK);
        }
        let page = browser.submit(&page, &[("answer", "deny")], BACK);
        let result = oidc
            .finish(start.pending, &answer(&page), Timestamp::now())
            .await;
        assert_eq!(result.unwrap_err(), OidcError::Denied);
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_for_one_log_in() {
    let Some(provider) = Corp::start(json!({})) else {
        return;
    };
    let oidc = provider.oidc("public");
    let (pending, answer) = begin(&oidc, "ada").await;
    let now = Timestamp::now();
    oidc.finish(pending.clone(), &answer, now).await.unwrap();
    let again = oidc.finish(pending, &answer, now).await;
    assert_refused(again, "invalid_grant");

    // Somebody else's answer, as it is and with the state of the victim: the verifier of
    // their log-in does not fit it.
    let (_, stolen) = begin(&oidc, "ada").await;
    let victim = oidc.start(BACK).await.unwrap().pending;
    let with_state = OidcAnswer {
        state: Some(victim.state().to_owned()),
        ..stolen.clone()
    };
    assert_refused(
        oidc.finish(victim.clone(), &stolen, now).await,
        "another log-in",
    );
    assert_refused(oidc.finish(victim, &with_state, now).await, "invalid_grant");
}

#[tokio::test]
async fn answers_that_were_changed() {
    let Some(provider) = Corp::start(json!({})) else {
        return;
    };
    let oidc = provider.oidc("basic");
    type Change = fn(&mut OidcAnswer);
    let changes: [(&str, Change); 4] = [
        ("invalid_grant", |answer| {
            answer.code = Some("made-up".to_owned())
        }),
        // This provider always says whose an answer is.
        ("does not say", |answer| answer.iss = None),
        ("another issuer", |answer| {
            answer.iss = Some("https://evil.example".to_owned())
        }),
        ("another log-in", |answer| {
            answer.state = Some("x".repeat(43))
        }),
    ];
    for (reason, change) in changes {
        let (pending, mut answer) = begin(&oidc, "ada").await;
        change(&mut answer);
        assert_refused(
            oidc.finish(pending, &answer, Timestamp::now()).await,
            reason,
        );
    }
    // A day later the token has expired.
    let (pending, answer) = begin(&oidc, "ada").await;
    let later = Timestamp::now().plus_ms(24 * 60 * 60 * 1000);
    assert_refused(oidc.finish(pending, &answer, later).await, "expired");
}

#[tokio::test]
async fn who_has_no_name_is_not_let_in() {
    let Some(provider) = Corp::start(json!({})) else {
        return;
    };
    let oidc = provider.oidc("basic");
    assert_refused(log_in(&oidc, "bob").await, "preferred_username");
    let config = OidcConfig {
        name_claim: "sub".to_owned(),
        ..provider.config("basic")
    };
    let identity = log_in(&Oidc::new(config).unwrap(), "bob")
        .await
        .unwrap()
        .identity;
    assert_eq!(
        (identity.name.as_str(), identity.groups),
        ("u-2", Vec::new())
    );
}

#[tokio::test]
async fn a_wrong_secret_is_for_the_administrator() {
    let Some(provider) = Corp::start(json!({})) else {
        return;
    };
    let config = OidcConfig {
        client_secret: Some(Secret::new("wrong".to_owned())),
        ..provider.config("basic")
    };
    let result = log_in(&Oidc::new(config).unwrap(), "ada").await;
    assert!(
        matches!(result, Err(OidcError::Misconfigured(_))),
        "{result:?}"
    );
    let config = OidcConfig {
        issuer: format!("{}/", provider.0.issuer),
        ..provider.config("basic")
    };
    let result = Oidc::new(config).unwrap().check().await;
    assert!(
        matches!(result, Err(OidcError::Misconfigured(_))),
        "{result:?}"
    );
}

#[tokio::test]
async fn logging_out_ends_the_session_at_the_provider() {
    let Some(provider) = Corp::start(json!({})) else {
        return;
    };
    let oidc = provider.oidc("basic");
    let mut browser = Browser::new();
    let start = oidc.start(BACK).await.unwrap();
    let page = go(&mut browser, &start.url, "ada");
    let log_in = oidc
        .finish(start.pending, &answer(&page), Timestamp::now())
        .await
        .unwrap();

    // Who is logged in there is not asked again.
    let start = oidc.start(BACK).await.unwrap();
    let page = browser.open(&start.url, BACK);
    let again = oidc
        .finish(start.pending, &answer(&page), Timestamp::now())
        .await
        .unwrap();
    assert_is_ada(&again);

    let url = oidc
        .log_out_url(&log_in.id_token, HOME)
        .await
        .unwrap()
        .unwrap();
    let page = browser.open(&url, HOME);
    assert_eq!(page.status, 200, "{page:?}");
    let xsrf = page.attribute("name=\"xsrf\"", "value");
    let page = browser.submit(&page, &[("xsrf", &xsrf), ("logout", "yes")], HOME);
    assert_eq!(page.url.as_str(), HOME);

    let start = oidc.start(BACK).await.unwrap();
    let page = browser.open(&start.url, BACK);
    assert!(page.body.contains("id=\"password\""), "{page:?}");
}

#[tokio::test]
async fn a_provider_that_ends() {
    let Some(provider) = Corp::start(json!({})) else {
        return;
    };
    let oidc = provider.oidc("basic");
    let (pending, answer) = begin(&oidc, "ada").await;
    let config = provider.config("basic");
    drop(provider);
    let result = oidc.finish(pending, &answer, Timestamp::now()).await;
    assert!(
        matches!(result, Err(OidcError::Unavailable(_))),
        "{result:?}"
    );
    let oidc = Oidc::new(config).unwrap();
    let result = oidc.start(BACK).await;
    assert!(
        matches!(result, Err(OidcError::Unavailable(_))),
        "{result:?}"
    );
    let result = oidc.check().await;
    assert!(
        matches!(result, Err(OidcError::Unavailable(_))),
        "{result:?}"
    );
}
