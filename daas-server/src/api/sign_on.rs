//! Ways to log in.

use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::http::{Body, Call, Problem, json};

#[derive(Serialize)]
struct MethodsView {
    local: bool,
    ldap: bool,
    oidc: [(); 0],
}

/// The ways to log in that the page offers.
pub(super) async fn methods(_: Call) -> Result<Response<Body>, Problem> {
    let view = MethodsView {
        local: true,
        ldap: false,
        oidc: [],
    };
    json(StatusCode::OK, &view)
}
