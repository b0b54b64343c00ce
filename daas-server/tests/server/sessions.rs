//! Logging in and out.

use std::time::Duration;

use daas_core::access::AccessConfig;
use serde_json::json;

use crate::support::client::{Events, cookie};
use crate::support::{Options, PASSWORD, Server, until};

const SESSION: &str = "/api/v1/session";

#[tokio::test]
async fn in_and_out() {
    let server = Server::start().await;
    let mut client = server.anonymous();
    client.get(SESSION).await.problem(401);
    let session = client.log_in("alice", PASSWORD).await;
    assert_eq!(session["user"]["name"], "alice");
    assert_eq!(session["user"]["role"], "user");
    assert_eq!(client.get(SESSION).await.json(), session);
    let out = client.delete(SESSION).await;
    assert_eq!((out.status.as_u16(), out.text()), (204, ""));
    assert!(out.header("set-cookie").contains("daas_session=; "));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    client.get(SESSION).await.problem(401);
    server.stop().await;
}

#[tokio::test]
async fn each_log_in_is_a_session_of_its_own() {
    let server = Server::start().await;
    let (one, other) = (server.log_in("alice").await, server.log_in("Alice").await);
    assert_ne!(one.cookie, other.cookie);
    assert_ne!(one.csrf, other.csrf);
    assert_eq!(one.delete(SESSION).await.status, 204);
    assert_eq!(other.get(SESSION).await.status, 200);
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_other_sites() {
    let server = Server::start().await;
    let body = json!({"username": "alice", "password": PASSWORD});
    let answer = server.anonymous().post(SESSION, &body).await;
    let (name, attributes) = cookie(&answer);
    assert_eq!(name, "daas_session");
    assert_eq!(attributes, ["Path=/", "HttpOnly", "SameSite=Strict"]);
    assert!(answer.header("strict-transport-security").is_empty());
}

#[tokio::test]
async fn behind_tls_the_cookie_is_bound_to_it() {
    let mut options = Options::default();
    options.settings.public_origins = vec!["https://desktops.example.org".parse().unwrap()];
    options.settings.loopback = false;
    let server = Server::start_with(options).await;
    let mut client = server.anonymous();
    let body = json!({"username": "alice", "password": PASSWORD});
    client.post(SESSION, &body).await.problem(403);
    client.origin = Some("https://desktops.example.org".to_owned());
    let answer = client.post(SESSION, &body).await;
    let (name, attributes) = cookie(&answer);
    assert_eq!(name, "__Host-daas_session");
    assert!(attributes.contains(&"Secure".to_owned()));
    assert!(!answer.header("strict-transport-security").is_empty());
    client.log_in("alice", PASSWORD).await;
    assert_eq!(client.get(SESSION).await.status, 200);
    // A cookie that another site of the domain could have set is not taken.
    client.cookie = client.cookie.map(|cookie| cookie.replace("__Host-", ""));
    client.get(SESSION).await.problem(401);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_look_the_same() {
    let server = Server::start().await;
    let client = server.anonymous();
    let wrong = json!({"username": "alice", "password": "wrong horse"});
    let unknown = json!({"username": "nobody", "password": PASSWORD});
    let (wrong, unknown) = (
        client.post(SESSION, &wrong).await,
        client.post(SESSION, &unknown).await,
    );
    assert_eq!(wrong.problem(401), unknown.problem(401));
    assert_eq!(wrong.body, unknown.body);
    assert!(wrong.header("set-cookie").is_empty());
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let server = Server::start().await;
    let client = server.anonymous();
    let wrong = json!({"username": "alice", "password": "wrong horse"});
    for _ in 0..5 {
        client.post(SESSION, &wrong).await.problem(401);
    }
    let right = json!({"username": "alice", "password": PASSWORD});
    let answer = client.post(SESSION, &right).await;
    assert!(answer.problem(429).contains("15 minutes"));
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((14 * 60..=15 * 60).contains(&wait));
    assert_eq!(answer.json()["retry_after"], wait);
    assert_eq!(server.log_in("bob").await.get(SESSION).await.status, 200);
}

#[tokio::test]
async fn addresses_are_told_apart_behind_a_trusted_proxy_only() {
    let mut options = Options::default();
    options.settings.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let (trusting, other) = (Server::start_with(options).await, Server::start().await);
    for (server, expected) in [(trusting, 401), (other, 429)] {
        for n in 0..50 {
            let client = server.anonymous();
            // What a client says itself stands before what the proxy adds.
            let client = client.with("x-forwarded-for", "192.0.2.77, 192.0.2.1");
            let body = json!({"username": format!("nobody{n}"), "password": "wrong horse"});
            client.post(SESSION, &body).await.problem(401);
        }
        let body = json!({"username": "somebody", "password": "wrong horse"});
        let same = server.anonymous().with("x-forwarded-for", "192.0.2.1");
        same.post(SESSION, &body).await.problem(429);
        let another = server.anonymous().with("x-forwarded-for", "192.0.2.77");
        another.post(SESSION, &body).await.problem(expected);
    }
}

#[tokio::test]
async fn a_session_that_is_not_used_ends() {
    let options = Options {
        access: AccessConfig {
            session_idle: Duration::from_millis(200),
            ..AccessConfig::default()
        },
        ..Options::default()
    };
    let server = Server::start_with(options).await;
    let client = server.log_in("alice").await;
    let look = || async { (client.get(SESSION).await.status == 401).then_some(()) };
    until(look).await;
}

#[tokio::test]
async fn log_out_ends_event_streams_of_that_session_only() {
    let server = Server::start().await;
    let (one, other) = (server.log_in("alice").await, server.log_in("alice").await);
    let (mut ended, mut kept) = (Events::open(&one).await, Events::open(&other).await);
    assert_eq!(one.delete(SESSION).await.status, 204);
    assert!(ended.next().await.is_none());
    let body = json!({"app_id": server.apps[0]});
    assert_eq!(other.post("/api/v1/instances", &body).await.status, 201);
    assert_eq!(kept.next().await.unwrap().0, "instance");
}
