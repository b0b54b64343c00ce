//! Against a provider that follows a script; a real one is asked in `tests/oidc.rs`.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod answers;
mod calls;
mod claims;
mod server;
mod settings;
mod sign;
mod tokens;

use serde_json::{Value, json};

use super::*;
use server::{Reply, Server};
use sign::{Signer, base64};

const BACK: &str = "https://daas.example/api/v1/sign-on/oidc/test/answer";
const ACCESS_TOKEN: &str = "an.access-token";
const METADATA: &str = "/.well-known/openid-configuration";

/// A provider, whose key is called `key`.
struct Fake {
    server: Server,
    issuer: String,
    signer: Signer,
    /// Long enough for a busy machine, but where a test waits for the end of it.
    timeout_s: u64,
}

/// A token before it is signed.
struct Draft {
    header: Value,
    claims: Value,
    /// Changes it afterwards.
    tamper: fn(String) -> String,
    /// What signs it instead of the key of the provider.
    signer: Option<Signer>,
}

impl Fake {
    fn start() -> Self {
        Self::with(Signer::p256())
    }

    fn with(signer: Signer) -> Self {
        Self::at(Server::start(None), "http://127.0.0.1", signer)
    }

    fn at(server: Server, host: &str, signer: Signer) -> Self {
        let issuer = format!("{host}:{}", server.port());
        let fake = Self {
            server,
            issuer,
            signer,
            timeout_s: 30,
        };
        fake.server.set(METADATA, Reply::json(&fake.metadata()));
        let keys = json!({ "keys": [fake.signer.jwk("key")] });
        fake.server.set("/keys", Reply::json(&keys));
        fake
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize?tenant=1"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "userinfo_endpoint": at("/userinfo"),
            "end_session_endpoint": at("/end"),
            "response_types_supported": ["code", "id_token"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        })
    }

    fn config(&self) -> OidcConfig {
        OidcConfig {
            timeout_s: self.timeout_s,
            ..OidcConfig::new("test", "Test", &self.issuer, "daas")
        }
    }

    fn oidc(&self) -> Oidc {
        Oidc::new(self.config()).unwrap()
    }

    fn algorithm(&self) -> &'static str {
        match self.signer {
            Signer::Rsa(_) => "RS256",
            Signer::P384(_) => "ES384",
            Signer::Ed25519(_) => "EdDSA",
            _ => "ES256",
        }
    }

    /// A token that is good for a log-in.
    fn draft(&self, pending: &OidcPending) -> Draft {
        let now = Timestamp::now().0 / 1000;
        Draft {
            header: json!({ "alg": self.algorithm(), "kid": "key", "typ": "JWT" }),
            claims: json!({
                "iss": self.issuer, "sub": "4711", "aud": "daas",
                "exp": now + 300, "iat": now, "nonce": pending.nonce(),
                "preferred_username": "ada", "email": "ada@example.org",
                "groups": ["staff", "admins"],
            }),
            tamper: |token| token,
            signer: None,
        }
    }

    /// Makes it what the provider gives for the next code.
    fn give(&self, draft: &Draft) {
        let signer = draft.signer.as_ref().unwrap_or(&self.signer);
        let token = (draft.tamper)(signer.token(&draft.header, &draft.claims));
        self.server.set("/token", Reply::json(&tokens_with(&token)));
    }

    /// A log-in with a token that is changed before it is signed.
    async fn log_in(
        &self,
        oidc: &Oidc,
        change: impl FnOnce(&mut Draft),
    ) -> Result<OidcLogIn, OidcError> {
        let pending = oidc.start(BACK).await?.pending;
        let mut draft = self.draft(&pending);
        change(&mut draft);
        self.give(&draft);
        let answer = answer(&pending);
        oidc.finish(pending, &answer, Timestamp::now()).await
    }
}

fn tokens_with(id_token: &str) -> Value {
    json!({ "access_token": ACCESS_TOKEN, "token_type": "bearer", "id_token": id_token })
}

fn answer(pending: &OidcPending) -> OidcAnswer {
    OidcAnswer {
        code: Some("a code".to_owned()),
        state: Some(pending.state().to_owned()),
        ..OidcAnswer::default()
    }
}

/// Fails unless it is refused for that reason.
fn assert_refused<T: std::fmt::Debug>(result: Result<T, OidcError>, reason: &str, case: &str) {
    match result {
        Err(OidcError::Refused(text)) if text.contains(reason) => {}
        other => panic!("{case}: {other:?}, not refused as {reason:?}"),
    }
}
