//! Who may call which route.

use daas_server::routes;
use serde_json::json;

use crate::support::{PASSWORD, Server};

/// A path that leads to the route.
fn path(pattern: &str) -> String {
    pattern.replace("{id}", "6c8a6a0e-6f0a-4a2f-9d1c-5b8f0c3b7a11")
}

#[tokio::test]
async fn nobody_gets_behind_a_policy_without_a_session() {
    let server = Server::start().await;
    let client = server.anonymous();
    let mut guarded = 0;
    for route in routes() {
        let body = (route.method == "POST").then(|| "{}".to_owned());
        let answer = client.send(route.method, &path(route.path), body).await;
        let open = matches!(route.policy, "public" | "public_unsafe" | "monitoring");
        if open {
            assert_ne!(answer.status, 401, "{route:?}");
        } else {
            answer.problem(401);
            guarded += 1;
        }
    }
    assert!(guarded > 0);
}

#[tokio::test]
async fn only_reading_is_possible_without_a_token_against_forged_requests() {
    let server = Server::start().await;
    let real = server.log_in("alice").await;
    for route in routes() {
        // What changes something is never GET, and is guarded but for logging in.
        let changes = route.method != "GET";
        assert_eq!(changes, route.policy.ends_with("_unsafe"), "{route:?}");
        if !matches!(route.policy, "session_unsafe" | "api_unsafe") {
            continue;
        }
        for token in [
            None,
            Some("x".to_owned()),
            server.log_in("alice").await.csrf,
        ] {
            let mut forged = real.clone();
            forged.csrf = token;
            let answer = forged.send(route.method, &path(route.path), None).await;
            assert!(answer.problem(403).contains("X-CSRF-Token"), "{route:?}");
        }
    }
}

#[tokio::test]
async fn pages_of_others_are_refused() {
    let server = Server::start().await;
    let real = server.log_in("alice").await;
    let port = server.address.port();
    let foreign = [
        None,
        Some("null".to_owned()),
        Some("https://example.org".to_owned()),
        Some(format!("https://127.0.0.1:{port}")),
        Some("http://127.0.0.1".to_owned()),
        Some(format!("http://127.0.0.1:{port}.example.org")),
        Some(format!("http://localhost:{port}")),
    ];
    for route in routes() {
        if !route.policy.ends_with("_unsafe") {
            continue;
        }
        for origin in foreign.clone() {
            let mut other = real.clone();
            other.origin = origin;
            let answer = other.send(route.method, &path(route.path), None).await;
            assert!(answer.problem(403).contains("origin"), "{route:?}");
        }
    }
}

#[tokio::test]
async fn a_tunnel_needs_the_right_origin_too() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    client.get("/api/v1/tunnel?ticket=x").await.problem(403);
    let foreign = client.clone().with("origin", "https://example.org");
    foreign.get("/api/v1/tunnel?ticket=x").await.problem(403);
    let own = client.with("origin", &format!("http://{}", server.address));
    let answer = own.get("/api/v1/tunnel?ticket=x").await;
    answer.problem(426);
    assert_eq!(answer.header("upgrade"), "websocket");
}

#[tokio::test]
async fn a_name_that_was_made_to_lead_here_is_no_origin() {
    let server = Server::start().await;
    let host = format!("rebound.example.org:{}", server.address.port());
    let mut client = server.anonymous().with("host", &host);
    client.origin = Some(format!("http://{host}"));
    let body = json!({"username": "alice", "password": PASSWORD});
    client.post("/api/v1/session", &body).await.problem(403);
}

#[tokio::test]
async fn others_see_no_instance_of_mine() {
    let server = Server::start().await;
    let (alice, bob) = (server.log_in("alice").await, server.log_in("bob").await);
    let admin = server.log_in("admin").await;
    let body = json!({"app_id": server.apps[0]});
    let mine = alice.post("/api/v1/instances", &body).await.json();
    let here = format!("/api/v1/instances/{}", mine["id"].as_str().unwrap());
    let mut tried = 0;
    for route in routes().filter(|route| route.path.starts_with("/api/v1/instances/{id}")) {
        let path = route.path.replace("/api/v1/instances/{id}", &here);
        let answer = bob.send(route.method, &path, None).await;
        let nothing = bob.send(route.method, &self::path(route.path), None).await;
        assert_eq!(answer.problem(404), nothing.problem(404));
        tried += 1;
    }
    assert!(tried >= 7);
    let items = bob.get("/api/v1/instances").await.json();
    assert_eq!(items["items"], json!([]));
    bob.get("/api/v1/instances?all=true").await.problem(403);
    let all = admin.get("/api/v1/instances?all=true").await.json();
    assert_eq!(all["items"][0]["id"], mine["id"]);
    let own = admin.get("/api/v1/instances").await.json();
    assert_eq!(own["items"], json!([]));
    assert_eq!(admin.get(&here).await.status, 200);
    admin.act(&format!("{here}/tunnel")).await.problem(403);
}
