//! Whether the server lives, whether it can work, and how much it does.

use std::collections::BTreeMap;
use std::time::Duration;

use daas_core::chain;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tokio::time::timeout;

use crate::http::{Body, Call, Problem, json};

/// Time for each part to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

fn text(body: impl Into<Body>, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(body.into());
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Alive: the process runs and answers.
pub(super) async fn alive(_: Call) -> Result<Response<Body>, Problem> {
    Ok(text("ok\n", "text/plain; charset=utf-8"))
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    storage: &'static str,
    hypervisor: &'static str,
    gateway: &'static str,
}

const OK: &str = "ok";

/// `ok`, or that it is not; why is in the log.
async fn part<T>(
    name: &'static str,
    check: impl Future<Output = daas_core::Result<T>>,
) -> &'static str {
    match timeout(TIMEOUT, check).await {
        Ok(Ok(_)) => OK,
        Ok(Err(error)) => {
            tracing::warn!(part = name, error = chain(&error), "not ready");
            "unavailable"
        }
        Err(_) => "no answer in time",
    }
}

/// Ready: storage, hypervisor and gateway answer.
pub(super) async fn ready(call: Call) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let (storage, hypervisor, gateway) = tokio::join!(
        part("storage", services.store.check()),
        part("hypervisor", services.fleet().check()),
        part("gateway", services.gateway.check()),
    );
    let ready = [storage, hypervisor, gateway]
        .iter()
        .all(|part| *part == OK);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let view = Ready {
        ready,
        storage,
        hypervisor,
        gateway,
    };
    json(status, &view)
}

pub(super) async fn metrics(call: Call) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let mut instances = BTreeMap::new();
    for instance in services.store.instances(None).await? {
        *instances.entry(instance.state.as_str()).or_default() += 1;
    }
    let body = services
        .metrics
        .render(&instances, services.tunnels.total());
    Ok(text(body, "text/plain; version=0.0.4; charset=utf-8"))
}
