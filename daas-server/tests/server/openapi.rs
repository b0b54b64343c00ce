//! The description of the interface says what the routes are, and who may call them.

use std::collections::{BTreeMap, BTreeSet};

use daas_core::audit::{AuditAction, Outcome, TargetKind};
use daas_core::model::{Permission, Scope};
use daas_server::{RouteInfo, routes};
use serde_json::{Value, json};

use crate::support::Server;

async fn document() -> Value {
    let server = Server::start().await;
    let answer = server.anonymous().get("/api/v1/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

/// Operations by method and path.
fn operations(document: &Value) -> BTreeMap<(String, &str), &Value> {
    let mut all = BTreeMap::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            all.insert((method.to_ascii_uppercase(), path.as_str()), operation);
        }
    }
    all
}

fn key(route: &RouteInfo) -> (String, &'static str) {
    (route.method.to_owned(), route.path)
}

#[tokio::test]
async fn routes_and_operations_are_the_same() {
    let document = document().await;
    let described: BTreeSet<_> = operations(&document).into_keys().collect();
    let served: BTreeSet<_> = routes().map(|route| key(&route)).collect();
    assert_eq!(described, served);
}

#[tokio::test]
async fn who_may_call_is_described_as_it_is_checked() {
    let document = document().await;
    let all = operations(&document);
    for route in routes() {
        let operation = all[&key(&route)];
        let (session, with_csrf) = (json!({"session": []}), json!({"session": [], "csrf": []}));
        let token = route.scope.map(|scope| json!({"token": [scope]}));
        let expected: Vec<Value> = match route.policy {
            "public" | "public_unsafe" | "monitoring" => vec![],
            "session" | "session_upgrade" => vec![session],
            "session_unsafe" => vec![with_csrf],
            "api" => vec![session, token.expect("a scope")],
            "api_unsafe" => vec![with_csrf, token.expect("a scope")],
            other => panic!("nobody has said what {other} needs"),
        };
        assert_eq!(operation["security"], json!(expected), "{route:?}");
        assert_eq!(operation["x-policy"], route.policy, "{route:?}");
        let permission = operation.get("x-permission").and_then(Value::as_str);
        assert_eq!(permission, route.permission, "{route:?}");
        let refused = operation["responses"].get("401").is_some();
        // Logging in is refused as well.
        let may_refuse = !expected.is_empty() || route.path == "/api/v1/session";
        assert_eq!(refused, may_refuse, "{route:?}");
    }
}

#[tokio::test]
async fn every_operation_is_whole() {
    let document = document().await;
    let mut ids = BTreeSet::new();
    for ((method, path), operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(operation["summary"].is_string(), "{place}");
        let id = operation["operationId"].as_str().expect("an id");
        assert!(ids.insert(id), "{id} is there twice");
        let parameters = operation.get("parameters").and_then(Value::as_array);
        let parameters = parameters.into_iter().flatten();
        let in_path = parameters.filter(|parameter| found(&document, parameter)["in"] == "path");
        assert_eq!(in_path.count(), path.matches('{').count(), "{place}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = found(&document, response);
            assert!(response["description"].is_string(), "{place} {status}");
            // That is said before there is a request.
            if status.starts_with('4') && status != "431" {
                let content = &response["content"]["application/problem+json"];
                assert!(content.is_object(), "{place} {status}");
            }
        }
    }
}

/// What a reference leads to, or the value itself.
fn found<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(place) => {
            let place = place.strip_prefix('#').unwrap();
            document.pointer(place).unwrap_or_else(|| panic!("{place}"))
        }
        None => value,
    }
}

fn check_references(document: &Value, value: &Value) {
    found(document, value);
    match value {
        Value::Object(map) => map
            .values()
            .for_each(|value| check_references(document, value)),
        Value::Array(list) => list
            .iter()
            .for_each(|value| check_references(document, value)),
        _ => {}
    }
}

#[tokio::test]
async fn references_lead_somewhere_and_words_are_those_of_the_core() {
    let document = document().await;
    check_references(&document, &document);
    let schemas = &document["components"]["schemas"];
    let words = |name: &str| schemas[name]["enum"].clone();
    assert_eq!(words("Permission"), json!(Permission::ALL));
    assert_eq!(words("Scope"), json!(Scope::ALL));
    assert_eq!(words("AuditAction"), json!(AuditAction::ALL));
    let entry = &schemas["AuditEntry"]["properties"];
    assert_eq!(entry["target_kind"]["enum"], json!(TargetKind::ALL));
    assert_eq!(entry["outcome"]["enum"], json!(Outcome::ALL));
}
