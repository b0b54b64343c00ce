//! Ways to log in.

use hyper::{Response, StatusCode};
use serde::Serialize;

use crate::http::{Body, Call, Problem, json};

#[derive(Serialize)]
struct MethodsView<'a> {
    local: bool,
    ldap: bool,
    oidc: Vec<ProviderView<'a>>,
}

#[derive(Serialize)]
struct ProviderView<'a> {
    id: &'a str,
    name: &'a str,
}

/// The ways to log in that the page offers.
pub(super) async fn methods(call: Call) -> Result<Response<Body>, Problem> {
    let sign_on = &call.services().sign_on;
    #[cfg(feature = "oidc")]
    let providers = sign_on.providers().iter().map(|provider| ProviderView {
        id: provider.id(),
        name: provider.name(),
    });
    #[cfg(not(feature = "oidc"))]
    let providers = std::iter::empty();
    let view = MethodsView {
        local: true,
        ldap: sign_on.has_directory(),
        oidc: providers.collect(),
    };
    json(StatusCode::OK, &view)
}
