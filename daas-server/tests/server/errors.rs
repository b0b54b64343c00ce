//! What is said to requests that are wrong.

use std::sync::atomic::Ordering::SeqCst;

use serde_json::{Value, json};

use crate::support::client::raw;
use crate::support::{PASSWORD, Server};

const INSTANCES: &str = "/api/v1/instances";

#[tokio::test]
async fn unknown_routes() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    for path in [
        "/api/v1/nothing",
        "/api/v2/session",
        "/api/v1/instances/",
        "/nothing.js",
    ] {
        client.get(path).await.problem(404);
        client.act(path).await.problem(404);
    }
    // An API is no place for the page, whoever asks.
    let browser = client.with("accept", "text/html");
    browser.get("/api/v1/nothing").await.problem(404);
}

#[tokio::test]
async fn wrong_methods() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    for (method, path, allow) in [
        ("PUT", "/api/v1/session", "POST, GET, HEAD, DELETE"),
        ("DELETE", INSTANCES, "GET, HEAD, POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("BREW", "/api/v1/apps", "GET, HEAD"),
    ] {
        let answer = client.send(method, path, None).await;
        assert!(answer.problem(405).contains(allow));
        assert_eq!(answer.header("allow"), allow);
    }
    let head = client.send("HEAD", "/api/v1/apps", None).await;
    assert_eq!((head.status.as_u16(), head.text()), (200, ""));
}

/// Sends a body to launch with, and answers `detail` and `errors`.
async fn launch(body: &str, status: u16) -> (String, Value) {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let answer = client.send("POST", INSTANCES, Some(body.to_owned())).await;
    let detail = answer.problem(status);
    (detail, answer.json()["errors"].clone())
}

#[tokio::test]
async fn malformed_json_is_told_with_its_place() {
    for (body, place) in [
        ("{\n  \"app_id\": oops}", "line 2, column 13"),
        ("{\"app_id\": \"x\"", "line 1, column 14"),
        ("", "line 1, column 0"),
    ] {
        let (detail, errors) = launch(body, 400).await;
        assert!(detail.contains(place), "{body:?}: {detail}");
        assert!(errors.is_null());
    }
    let (detail, _) = launch("{\"app_id\": \"x\"} {}", 400).await;
    assert!(detail.contains("line 1, column 17"), "{detail}");
}

#[tokio::test]
async fn wrong_fields_are_named() {
    for (body, field, word) in [
        (r#"{"app_id": "x", "colour": 1}"#, "colour", "app_id"),
        (r#"{}"#, "app_id", "missing"),
        (r#"{"app_id": 5}"#, "app_id", "expected a string"),
        (r#"{"app_id": "x"}"#, "app_id", "not the id"),
        (r#""x""#, "body", "expected named fields"),
        (r#"["x"]"#, "body", "expected named fields"),
    ] {
        let (detail, errors) = launch(body, 422).await;
        assert_eq!(errors[0]["field"], field, "{body}: {errors}");
        assert!(
            errors[0]["detail"].as_str().unwrap().contains(word),
            "{errors}"
        );
        assert!(detail.contains(field), "{detail}");
    }
}

/// Also those that stand for one of a few words, and those of other fields.
#[tokio::test]
async fn other_json_than_expected_is_told_with_its_field() {
    let server = Server::start().await;
    let admin = server.log_in("admin").await;
    let user = |role: Value| json!({"name": "x", "password": "correct horse", "role": role});
    let token = |scope: Value| json!({"name": "x", "scopes": ["apps_read", scope]});
    let rule = |rule: Value| json!({"items": [rule]});
    let group = admin.post("/api/v1/groups", &json!({"name": "x"})).await;
    let rules = format!(
        "/api/v1/groups/{}/rules",
        group.json()["id"].as_str().unwrap()
    );
    for wrong in [
        json!(["user"]),
        json!([]),
        json!({}),
        json!({"user": null}),
        json!(1),
        json!(null),
    ] {
        for (method, path, body, field) in [
            ("POST", "/api/v1/users", user(wrong.clone()), "role"),
            ("POST", "/api/v1/tokens", token(wrong.clone()), "scopes[1]"),
            (
                "PUT",
                &rules,
                rule(json!({"effect": wrong, "permission": "apps_launch"})),
                "items[0].effect",
            ),
        ] {
            let answer = admin.send(method, path, Some(body.to_string())).await;
            let detail = answer.problem(422);
            assert!(detail.contains("expected a string"), "{body}: {detail}");
            assert_eq!(answer.json()["errors"][0]["field"], field, "{body}");
        }
    }
    // The fields of an object in their order are no object.
    let list = json!(["apps_launch", null, "allow"]);
    let answer = admin
        .send("PUT", &rules, Some(rule(list).to_string()))
        .await;
    answer.problem(422);
    assert_eq!(answer.json()["errors"][0]["field"], "items[0]");
    let list = Some(json!(["admin", PASSWORD]).to_string());
    let anonymous = server.anonymous();
    anonymous
        .send("POST", "/api/v1/session", list)
        .await
        .problem(422);
    let right = json!({"effect": "allow", "permission": "apps_launch"});
    let set = admin
        .send("PUT", &rules, Some(rule(right).to_string()))
        .await;
    assert_eq!(set.status, 200, "{set:?}");
}

#[tokio::test]
async fn bodies_have_limits() {
    let server = Server::start().await;
    let (anonymous, client) = (server.anonymous(), server.log_in("alice").await);
    let text = |length: usize| Some(json!({ "username": "x".repeat(length) }).to_string());
    let answer = anonymous
        .send("POST", "/api/v1/session", text(64 * 1024))
        .await;
    assert!(answer.problem(413).contains("65536"));
    // Nobody is asked to send it all before.
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\n\
         Content-Type: application/json\r\nContent-Length: 999999999\r\nConnection: close\r\n\r\n",
        server.address
    );
    assert!(raw(server.address, head.as_bytes()).await.contains(" 413 "));
    client
        .send("POST", INSTANCES, text(64 * 1024))
        .await
        .problem(422);
    client
        .send("POST", INSTANCES, text(1024 * 1024))
        .await
        .problem(413);
}

#[tokio::test]
async fn chunked_bodies_have_limits() {
    let server = Server::start().await;
    let mut request = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        server.address
    );
    for _ in 0..65 {
        request.push_str("400\r\n");
        request.push_str(&" ".repeat(1024));
        request.push_str("\r\n");
    }
    let answer = raw(server.address, request.as_bytes()).await;
    assert!(answer.contains(" 413 "), "{answer}");
}

#[tokio::test]
async fn only_json_is_taken() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
    ] {
        let client = client.clone().with("content-type", kind);
        let body = json!({"app_id": server.apps[0]});
        client.post(INSTANCES, &body).await.problem(415);
    }
    let client = client.with("content-type", "Application/JSON; charset=utf-8");
    let body = json!({"app_id": server.apps[0]});
    assert_eq!(client.post(INSTANCES, &body).await.status, 201);
}

#[tokio::test]
async fn ids_that_are_none_lead_nowhere() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    for id in ["x", "%2e%2e", "6C8A6A0E-6F0A-4A2F-9D1C-5B8F0C3B7A11", "'--"] {
        client.get(&format!("{INSTANCES}/{id}")).await.problem(404);
        client
            .delete(&format!("{INSTANCES}/{id}"))
            .await
            .problem(404);
    }
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    server.fake.panics.store(true, SeqCst);
    // The gateway is asked by the request itself.
    let detail = client.get("/readyz").await.problem(500);
    assert!(!detail.contains("as the test wants it"));
    // Hosts are asked by tasks of their own: one that panics is one that is not there.
    let body = json!({"app_id": server.apps[0]});
    client.post(INSTANCES, &body).await.problem(503);
    server.fake.panics.store(false, SeqCst);
    assert_eq!(client.get("/readyz").await.status, 200);
    assert_eq!(client.post(INSTANCES, &body).await.status, 201);
}

#[tokio::test]
async fn parameters_that_say_nothing_are_refused() {
    let server = Server::start().await;
    let admin = server.log_in("admin").await;
    let nobody = "6c8a6a0e-6f0a-4a2f-9d1c-5b8f0c3b7a11";
    for (path, field) in [
        ("/api/v1/instances?all=", "all"),
        ("/api/v1/instances?all=yes", "all"),
        ("/api/v1/instances?limit=", "limit"),
        ("/api/v1/instances?limit=0", "limit"),
        ("/api/v1/instances?cursor=", "cursor"),
        (&format!("/api/v1/instances?cursor={nobody}"), "cursor"),
        ("/api/v1/users?limit=201", "limit"),
        ("/api/v1/users?cursor=", "cursor"),
        (&format!("/api/v1/users?cursor={nobody}"), "cursor"),
        ("/api/v1/audit?cursor=", "cursor"),
        ("/api/v1/audit?from=", "from"),
        ("/api/v1/audit?to=", "to"),
        ("/api/v1/audit?action=", "action"),
        (&format!("/api/v1/audit?actor={}", "x".repeat(257)), "actor"),
        ("/api/v1/audit/export?format=", "format"),
    ] {
        let answer = admin.get(path).await;
        answer.problem(422);
        assert_eq!(answer.json()["errors"][0]["field"], field, "{path}");
    }
    let path = format!("/api/v1/users/{nobody}?desktops=");
    admin.delete(&path).await.problem(422);
    // A text to look for may be empty: then all is found. Its length is in characters.
    let long = "%C3%A4".repeat(256);
    for path in ["/api/v1/users?q=", &format!("/api/v1/audit?actor={long}")] {
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn whole_numbers_may_be_written_as_others() {
    let server = Server::start().await;
    let admin = server.log_in("admin").await;
    let path = format!("/api/v1/apps/{}/quota", server.apps[0]);
    let quota = |number: &str| {
        let rest = r#""cpu_millis": null, "memory_mib": null, "disk_mib": 0, "hours_week": 1"#;
        Some(format!("{{\"instances\": {number}, {rest}}}"))
    };
    for (number, expected) in [
        ("25", 25),
        ("25.0", 25),
        ("2.5e1", 25),
        ("4294967295.0", u32::MAX),
    ] {
        let answer = admin.send("PUT", &path, quota(number)).await;
        assert_eq!(answer.status, 200, "{number} {answer:?}");
        assert_eq!(answer.json()["instances"], expected, "{number}");
    }
    for number in ["2.5", "-1", "-1.0", "4294967296", "1e300", "\"25\"", "true"] {
        let answer = admin.send("PUT", &path, quota(number)).await;
        answer.problem(422);
        assert_eq!(answer.json()["errors"][0]["field"], "instances", "{number}");
    }
    let body = json!({"name": "ci", "scopes": ["apps_read"], "expires_in_days": 30.0});
    let answer = admin.post("/api/v1/tokens", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn ids_in_bodies_have_the_form_of_those_in_paths() {
    let server = Server::start().await;
    let admin = server.log_in("admin").await;
    let group = json!({"name": "readers"});
    let group = admin.post("/api/v1/groups", &group).await.json();
    let id = group["id"].as_str().unwrap();
    let create = |id: &str| json!({"name": "ada", "role": "user", "group_ids": [id]});
    for other in [
        id.replace('-', ""),
        format!("urn:uuid:{id}"),
        format!("{{{id}}}"),
    ] {
        let answer = admin.post("/api/v1/users", &create(&other)).await;
        answer.problem(422);
        assert_eq!(answer.json()["errors"][0]["field"], "group_ids[0]");
    }
    let answer = admin.post("/api/v1/users", &create(id)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}
