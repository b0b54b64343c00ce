//! The description of all this for programs, by OpenAPI 3.1.
//!
//! What each operation takes and answers is written by hand in `openapi/`. What follows from
//! the table of routes is added from there, so that neither can say something else: who may
//! call an operation, and what it answers to those who may not.

use std::sync::LazyLock;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::ROUTES;
use crate::http::{Body, Call, Problem, Route, RouteInfo};

const PATHS: &str = include_str!("openapi/paths.json");
const COMPONENTS: &str = include_str!("openapi/components.json");

const ABOUT: &str = "Errors are problem documents (RFC 9457). Every address takes HEAD where \
    it takes GET, and answers other methods with 405. What is no HTTP is answered with 400 and \
    without a body, and the connection ends.";

/// Names of answers that several policies give.
const BAD_REQUEST: (StatusCode, &str) = (StatusCode::BAD_REQUEST, "BadRequest");
const UNAUTHORIZED: (StatusCode, &str) = (StatusCode::UNAUTHORIZED, "Unauthorized");
const FORBIDDEN: (StatusCode, &str) = (StatusCode::FORBIDDEN, "Forbidden");
const TOO_LONG: (StatusCode, &str) = (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "TooLong");
const TOO_MANY: (StatusCode, &str) = (StatusCode::TOO_MANY_REQUESTS, "TooMany");
const INTERNAL: (StatusCode, &str) = (StatusCode::INTERNAL_SERVER_ERROR, "Internal");
const UNAVAILABLE: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "Unavailable");

static DOCUMENT: LazyLock<Result<Bytes, serde_json::Error>> = LazyLock::new(assemble);

pub(super) async fn document(_: Call) -> Result<Response<Body>, Problem> {
    let document = DOCUMENT.as_ref().map_err(|error| {
        tracing::error!(%error, "the description of the interface is no JSON");
        Problem::internal()
    })?;
    let mut response = Response::new(Body::from(document.clone()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

fn assemble() -> Result<Bytes, serde_json::Error> {
    let mut paths: Value = serde_json::from_str(PATHS)?;
    let components: Value = serde_json::from_str(COMPONENTS)?;
    for route in ROUTES.iter().map(Route::info) {
        let method = route.method.to_ascii_lowercase();
        let operation = paths.get_mut(route.path);
        let operation = operation.and_then(|path| path.get_mut(method)?.as_object_mut());
        if let Some(operation) = operation {
            complete(operation, route);
        }
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "DaaS",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
        },
        "paths": paths,
        "components": components,
    });
    Ok(serde_json::to_vec(&document)?.into())
}

/// Adds what the table says of an operation.
fn complete(operation: &mut Map<String, Value>, route: RouteInfo) {
    operation.insert("security".to_owned(), security(route));
    operation.insert("x-policy".to_owned(), route.policy.into());
    if let Some(permission) = route.permission {
        operation.insert("x-permission".to_owned(), permission.into());
    }
    let takes_body = operation.contains_key("requestBody");
    let Some(Value::Object(responses)) = operation.get_mut("responses") else {
        return;
    };
    for (status, name) in answers(route, takes_body) {
        let answer = json!({"$ref": format!("#/components/responses/{name}")});
        // What an operation says itself is more exact.
        responses.entry(status.as_str()).or_insert(answer);
    }
}

/// Ways to be let in, each of which is enough.
fn security(route: RouteInfo) -> Value {
    let token = json!({"token": route.scope.as_slice()});
    match route.policy {
        "session" | "session_upgrade" => json!([{"session": []}]),
        "session_unsafe" => json!([{"session": [], "csrf": []}]),
        "api" => json!([{"session": []}, token]),
        "api_unsafe" => json!([{"session": [], "csrf": []}, token]),
        _ => json!([]),
    }
}

/// What a route may answer whatever its handler does.
fn answers(route: RouteInfo, takes_body: bool) -> Vec<(StatusCode, &'static str)> {
    let mut answers = vec![BAD_REQUEST, TOO_MANY, TOO_LONG, INTERNAL];
    match route.policy {
        "public" => {}
        "public_unsafe" | "monitoring" => answers.extend([FORBIDDEN, UNAVAILABLE]),
        _ => answers.extend([UNAUTHORIZED, FORBIDDEN, UNAVAILABLE]),
    }
    if route.path.contains("{id}") {
        answers.push((StatusCode::NOT_FOUND, "NotFound"));
    }
    if takes_body {
        answers.extend([
            (StatusCode::REQUEST_TIMEOUT, "RequestTimeout"),
            (StatusCode::PAYLOAD_TOO_LARGE, "TooLarge"),
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType"),
            (StatusCode::UNPROCESSABLE_ENTITY, "Unprocessable"),
        ]);
    }
    answers
}
