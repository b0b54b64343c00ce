//! Sessions and tokens; and secrets where nobody expects them.

use daas_core::access::TOKEN_PREFIX;
use serde_json::json;

use crate::client::{Client, raw};
use crate::search::Value;
use crate::world::{World, canary, texts};

pub async fn session_cookie(world: &mut World) -> Vec<Value> {
    let cookie = world.admin().cookie.unwrap();
    let (_, value) = cookie.split_once('=').unwrap();
    vec![Value::Token(value.to_owned())]
}

pub async fn csrf_token(world: &mut World) -> Vec<Value> {
    vec![Value::Token(world.admin().csrf.unwrap())]
}

fn prefixed(token: &str) -> Vec<Value> {
    let bare = token.strip_prefix(TOKEN_PREFIX).unwrap();
    vec![Value::Token(bare.to_owned())]
}

fn program(world: &World, token: &str) -> Client {
    let bearer = format!("Bearer {token}");
    world.client().with("authorization", &bearer)
}

pub async fn api_token(world: &mut World) -> Vec<Value> {
    let admin = world.admin();
    let body = json!({"name": "backup", "scopes": ["apps_read"], "expires_in_days": 3});
    let made = world
        .post("token made", &admin, "/api/v1/tokens", body)
        .await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let program = program(world, &token);
    for (path, status) in [("/api/v1/apps", 200), ("/api/v1/users", 403)] {
        let answer = world.get("request of a program", &program, path).await;
        assert_eq!(answer.status, status, "{path}");
    }
    world.kept.insert("api token", token.clone());
    prefixed(&token)
}

pub async fn api_token_of_a_command(world: &mut World) -> Vec<Value> {
    let line = "token create --user admin --name script --scope audit_read";
    let printed = world.command(line, "");
    let mut lines = printed.lines();
    let token = lines.find(|line| line.starts_with(TOKEN_PREFIX)).unwrap();
    let program = program(world, token);
    let answer = world
        .get("audit of a program", &program, "/api/v1/audit")
        .await;
    assert_eq!(answer.status, 200);
    prefixed(token)
}

/// Headers that a token may get into, rightly or by mistake.
const HEADERS: [&str; 12] = [
    "authorization",
    "cookie",
    "x-csrf-token",
    "x-api-key",
    "proxy-authorization",
    "idempotency-key",
    "referer",
    "origin",
    "accept",
    "if-none-match",
    "x-forwarded-for",
    "sec-websocket-protocol",
];

pub async fn in_headers(world: &mut World) -> Vec<Value> {
    let admin = world.admin();
    let mut all = Vec::new();
    for name in HEADERS {
        let canary = canary();
        let values = [
            canary.clone(),
            format!("Bearer {TOKEN_PREFIX}{canary}"),
            format!("Basic {canary}"),
            format!("daas_session={canary}"),
        ];
        for value in values {
            let client = admin.clone().with(name, &value);
            let body = json!({"name": "nothing"}).to_string();
            let request = ("POST", "/api/v1/groups");
            world.send("odd header", &client, request, Some(body)).await;
            world.get("odd header", &client, "/api/v1/apps").await;
            world.get("odd header", &client, "/").await;
        }
        all.push(canary);
    }
    texts(all)
}

pub async fn in_the_query(world: &mut World) -> Vec<Value> {
    let (admin, canary) = (world.admin(), canary());
    for (path, names) in [
        ("/api/v1/apps", &["token", "access_token"][..]),
        ("/api/v1/users", &["q", "cursor", "limit"]),
        ("/api/v1/groups", &["cursor"]),
        ("/api/v1/instances", &["all", "cursor"]),
        ("/api/v1/audit", &["actor", "action", "from", "cursor"]),
        ("/api/v1/audit/export", &["format", "to"]),
        ("/api/v1/tunnel", &["ticket", "GUAC_WIDTH", "GUAC_IMAGE"]),
        ("/", &["token"]),
        ("/nothing", &["token"]),
    ] {
        for name in names {
            let path = format!("{path}?{name}={canary}");
            world.get("odd query", &admin, &path).await;
        }
    }
    let path = format!("/api/v1/users/x?desktops={canary}");
    let request = ("DELETE", path.as_str());
    world.send("odd query", &admin, request, None).await;
    texts([canary])
}

pub async fn in_the_path(world: &mut World) -> Vec<Value> {
    let (admin, canary) = (world.admin(), canary());
    for path in [
        format!("/{canary}"),
        format!("/assets/{canary}.js"),
        format!("/invitation/{canary}"),
        format!("/api/v1/{canary}"),
        format!("/api/v1/tokens/{TOKEN_PREFIX}{canary}"),
        format!("/api/v1/users/{canary}"),
        format!("/api/v1/instances/{canary}/tunnel"),
        format!("/api/v1/users/{canary}/invitation"),
    ] {
        for method in ["GET", "POST", "DELETE", "PATCH", "BREW"] {
            let body = (method != "GET").then(|| "{}".to_owned());
            world.send("odd path", &admin, (method, &path), body).await;
        }
    }
    texts([canary])
}

/// Where the line of the request should be, which no client does.
pub async fn in_broken_requests(world: &mut World) -> Vec<Value> {
    let canary = canary();
    for head in [
        format!("{canary}\r\n\r\n"),
        format!("{canary} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {canary}@x\r\nConnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{canary}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{canary}: {canary}\r\nConnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: \x01{canary}\r\n\r\n"),
    ] {
        let answer = raw(world.address, head.as_bytes()).await;
        world.record("broken request", answer.as_bytes());
    }
    texts([canary])
}

/// Fields of bodies that take no text, few texts, or are not there.
const FIELDS: [(&str, &str); 9] = [
    ("/api/v1/users", "role"),
    ("/api/v1/users", "group_ids"),
    ("/api/v1/users", "unknown"),
    ("/api/v1/groups", "external"),
    ("/api/v1/tokens", "scopes"),
    ("/api/v1/tokens", "expires_in_days"),
    ("/api/v1/instances", "app_id"),
    ("/api/v1/profile/password", "unknown"),
    ("/api/v1/session", "unknown"),
];

pub async fn as_wrong_json(world: &mut World) -> Vec<Value> {
    let (admin, anyone) = (world.admin(), world.client());
    let (text, number) = (canary(), 1_234_567_890_123_456_789_u64);
    for (path, field) in FIELDS {
        let wrong = [
            json!(text),
            json!([text]),
            json!({"in": text}),
            json!(number),
        ];
        for value in wrong {
            let body = json!({field: value});
            let client = if path.ends_with("session") {
                &anyone
            } else {
                &admin
            };
            let answer = world.post("odd JSON", client, path, body).await;
            assert!(
                answer.status.is_client_error(),
                "{path} {field}: {answer:?}"
            );
        }
    }
    for path in ["/api/v1/session", "/api/v1/invitations"] {
        for body in [
            json!(text),
            json!([text]),
            json!({"password": [text]}),
            json!({"password": number}),
        ] {
            let answer = world.post("odd JSON", &anyone, path, body).await;
            assert_eq!(answer.status, 422, "{path}: {answer:?}");
        }
    }
    texts([text, number.to_string()])
}

/// What is no JSON at all.
pub async fn as_no_json(world: &mut World) -> Vec<Value> {
    let (client, canary) = (world.client(), canary());
    for (kind, body) in [
        ("application/json", format!("{{\"username\": {canary}}}")),
        ("application/json", format!("{{\"password\": \"{canary}")),
        (
            "application/json",
            format!("username=ada&password={canary}"),
        ),
        (
            "application/json",
            format!("{{\"username\":\"\\x{canary}\"}}"),
        ),
        (
            "application/x-www-form-urlencoded",
            format!("password={canary}"),
        ),
        (&format!("text/{canary}"), canary.clone()),
    ] {
        let client = client.clone().with("content-type", kind);
        let request = ("POST", "/api/v1/session");
        let answer = world.send("no JSON", &client, request, Some(body)).await;
        assert!(answer.status.is_client_error());
    }
    texts([canary])
}

/// Longer than anything may be.
pub async fn too_long(world: &mut World) -> Vec<Value> {
    let (admin, canary) = (world.admin(), canary());
    for times in [20, 40, 100, 4000] {
        let long = canary.repeat(times);
        let client = world.client();
        let body = json!({"username": long, "password": long, "totp": long});
        world
            .post("too long", &client, "/api/v1/session", body)
            .await;
        let body = json!({"token": long, "password": long});
        world
            .post("too long", &client, "/api/v1/invitations", body)
            .await;
        let body = json!({"current": long, "new": long});
        world
            .post("too long", &admin, "/api/v1/profile/password", body)
            .await;
        let body =
            json!({"name": "frank", "role": "user", "password": canary.repeat(times.max(50))});
        let answer = world.post("too long", &admin, "/api/v1/users", body).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
    }
    texts([canary])
}

/// The variable of the first password, misspelt; and one of another kind.
pub async fn in_misspelt_variables(world: &mut World) -> Vec<Value> {
    let canary = canary();
    for name in [
        "DAAS_ADMIN_PASSWORT",
        "DAAS_SERVER__PASSWORD",
        "DAAS_LDAB__PASSWORD",
    ] {
        for line in ["config", "check", "user list"] {
            let (code, _) = world.run(line, "", &[(name, &canary)]);
            assert_ne!(code, 0, "{name}");
        }
    }
    texts([canary])
}

/// Planted where it will be found: so that it is known that what is found is told.
pub async fn planted(world: &mut World) -> Vec<Value> {
    let (admin, name) = (world.admin(), canary());
    let body = json!({"name": name, "role": "user", "password": "no canary at all"});
    let made = world.post("planted", &admin, "/api/v1/users", body).await;
    assert_eq!(made.status, 201);
    let body = json!({"username": name, "password": "no canary at all"});
    world.try_log_in("planted: log-in", body).await.unwrap();
    texts([name])
}
