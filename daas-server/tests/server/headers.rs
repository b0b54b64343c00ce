//! The headers that every answer carries, whatever it is.

use std::sync::atomic::Ordering::SeqCst;

use daas_core::model::Role;
use daas_server::{Limits, Rate, redirect, routes};
use hyper::HeaderMap;
use serde_json::json;
use tokio::net::TcpListener;

use crate::guacd::Guacd;
use crate::sockets;
use crate::support::client::{Client, raw};
use crate::support::{Options, Server};

const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data: blob:; connect-src 'self'; media-src 'self' blob:; \
                      worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; \
                      form-action 'self'";
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), \
                           gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), \
                           payment=(), serial=(), usb=()";
/// All of them, each once.
const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("permissions-policy", PERMISSIONS),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

fn check(what: &str, headers: &HeaderMap) {
    for (name, expected) in HEADERS {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values, [expected], "{what}: {name}");
    }
    let kept = headers.get_all("cache-control").iter().collect::<Vec<_>>();
    assert_eq!(kept.len(), 1, "{what}: {kept:?}");
    // Nothing says what runs here.
    assert!(!headers.contains_key("server"), "{what}");
    assert!(!headers.contains_key("x-powered-by"), "{what}");
}

/// Sends a request, and checks the head of its answer.
async fn ask(client: &Client, method: &str, path: &str, body: Option<&str>) -> u16 {
    let answer = client.open(method, path, body.map(str::to_owned)).await;
    let (what, headers) = (format!("{method} {path}"), answer.headers());
    check(&what, headers);
    if !matches!(path.split('?').next(), Some("/" | "/desktops/deep")) {
        assert_eq!(headers["cache-control"], "no-store", "{what}");
    }
    answer.status().as_u16()
}

#[tokio::test]
async fn all_routes_carry_them() {
    let server = Server::start().await;
    let admin = server.add("another", Role::Admin).await;
    let mut statuses = Vec::new();
    for route in routes() {
        let path = route
            .path
            .replace("{id}", "6c8a6a0e-6f0a-4a2f-9d1c-5b8f0c3b7a11");
        // A session for each, as one of the routes logs out.
        let (known, _) = server.let_in(&admin).await;
        for client in [&known, &server.anonymous()] {
            for body in [None, Some("{}"), Some("?")] {
                let body = body.filter(|_| route.method != "GET");
                statuses.push(ask(client, route.method, &path, body).await);
            }
            statuses.push(ask(client, "HEAD", &path, None).await);
            statuses.push(ask(client, "OPTIONS", &path, None).await);
        }
    }
    statuses.sort_unstable();
    statuses.dedup();
    for expected in [200, 204, 400, 401, 404, 405, 415, 422, 426] {
        assert!(statuses.contains(&expected), "{expected}: {statuses:?}");
    }
}

#[tokio::test]
async fn errors_carry_them() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let instances = "/api/v1/instances";
    let long = "x".repeat(1024 * 1024 + 1);
    for (method, path, body, expected) in [
        ("GET", "/", None, 200),
        ("GET", "/nothing.js", None, 404),
        ("GET", "/api/v1/nothing", None, 404),
        ("POST", "/", None, 405),
        ("BREW", instances, None, 405),
        ("OPTIONS", "*", None, 404),
        ("GET", "/api/v1/instances?limit=x", None, 422),
        ("POST", instances, Some(long.as_str()), 413),
        ("POST", instances, Some("{"), 400),
    ] {
        assert_eq!(ask(&client, method, path, body).await, expected, "{path}");
    }
    let typed = server.anonymous().with("accept", "text/html");
    assert_eq!(ask(&typed, "GET", "/desktops/deep", None).await, 200);
    let twice = client.clone().with("origin", "a").with("origin", "b");
    assert_eq!(ask(&twice, "GET", instances, None).await, 400);
    let other = client.clone().with("sec-fetch-site", "cross-site");
    assert_eq!(ask(&other, "POST", instances, None).await, 403);
    let body = json!({"app_id": server.apps[0]}).to_string();
    server.fake.panics.store(true, SeqCst);
    assert_eq!(ask(&client, "GET", "/readyz", None).await, 500);
    server.fake.panics.store(false, SeqCst);
    server.fake.down.store(true, SeqCst);
    assert_eq!(ask(&client, "POST", instances, Some(&body)).await, 503);
}

#[tokio::test]
async fn whoever_asks_too_often_gets_them() {
    let mut options = Options::default();
    options.settings.rates.per_address = Rate {
        per_second: 1,
        burst: 1,
    };
    let server = Server::start_with(options).await;
    let client = server.anonymous();
    assert_eq!(ask(&client, "GET", "/healthz", None).await, 200);
    assert_eq!(ask(&client, "GET", "/healthz", None).await, 429);
}

/// The headers of an answer as text.
fn headers(answer: &str) -> HeaderMap {
    let lines = answer.lines().skip(1).take_while(|line| !line.is_empty());
    let pairs = lines.map(|line| line.split_once(": ").unwrap());
    let pair = |(name, value): (&str, &str)| (name.parse().unwrap(), value.parse().unwrap());
    let mut headers = HeaderMap::new();
    for (name, value) in pairs.map(pair) {
        headers.append::<hyper::header::HeaderName>(name, value);
    }
    headers
}

#[tokio::test]
async fn a_websocket_carries_them() {
    let guacd = Guacd::start().await;
    let options = Options {
        guacd: Some(guacd.address()),
        ..Options::default()
    };
    let server = Server::start_with(options).await;
    let client = server.log_in("alice").await;
    let (origin, cookie) = (client.origin.as_deref(), client.cookie.as_deref());
    let path = "/api/v1/tunnel?ticket=x";
    let head = sockets::head_of(path, server.address, origin, cookie);
    let (_stream, answer) = sockets::request(server.address, &head).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    let mut found = headers(&answer);
    // All of the answer is in small letters here.
    assert_eq!(found.remove("x-frame-options").unwrap(), "deny");
    found.insert("x-frame-options", "DENY".parse().unwrap());
    check("101", &found);
}

#[tokio::test]
async fn a_redirect_carries_them() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let origin = "https://desktops.example".parse().unwrap();
    tokio::spawn(async move { redirect(listener, &origin, Limits::default()).await });
    for method in ["GET", "HEAD", "POST"] {
        let answer = Client::new(address).open(method, "/a?b", None).await;
        assert_eq!(answer.status(), 308);
        check("redirect", answer.headers());
        // Only what came over TLS may say that TLS is a must.
        assert!(!answer.headers().contains_key("strict-transport-security"));
    }
}

/// What is no HTTP is answered below all routes: with a status alone, and nothing that a
/// browser could show.
#[tokio::test]
async fn what_is_no_request_gets_an_answer_without_a_body() {
    let server = Server::start().await;
    let long = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let targets = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(20_000));
    for (head, expected) in [
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", " 400 "),
        ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", " 400 "),
        ("GET / HTTP/9.9\r\n\r\n", " 400 "),
        ("GET  / HTTP/1.1\r\n\r\n", " 400 "),
        ("\u{1}\u{2}\r\n\r\n", " 400 "),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            " 400 ",
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n",
            " 400 ",
        ),
        (&long, " 431 "),
        (&targets, " 431 "),
    ] {
        let answer = raw(server.address, head.as_bytes()).await;
        let (told, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let short: String = head.chars().take(60).collect();
        let first = told.lines().next().unwrap();
        assert!(first.contains(expected), "{short}: {told}");
        assert_eq!(body, "", "{short}");
        assert!(told.contains("content-length: 0"), "{told}");
    }
}
