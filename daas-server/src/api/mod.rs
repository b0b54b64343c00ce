//! The routes, and the handlers that translate between JSON and the core.

mod apps;
mod events;
mod health;
mod instances;
mod session;
mod time;
mod view;

use hyper::Method;

use crate::http::{Policy, Route, RouteInfo};

/// Most bytes of JSON from whoever is not logged in, and from whoever is.
const ANONYMOUS_JSON_MAX: usize = 64 * 1024;
const JSON_MAX: usize = 1024 * 1024;

/// One line: method, path, policy and handler. Handlers are asynchronous functions; the
/// table holds plain ones that box what they answer.
macro_rules! table {
    ($($method:ident $path:literal => $policy:ident($($argument:ident),+) $handler:path;)*) => {
        &[$(Route {
            method: Method::$method,
            path: $path,
            policy: Policy::$policy(|$($argument),+| Box::pin($handler($($argument),+))),
        }),*]
    };
}

/// Every route of the server. Other paths lead to the page.
pub(crate) static ROUTES: &[Route] = table! {
    GET "/healthz" => Public(call) health::alive;
    GET "/readyz" => Monitoring(call) health::ready;
    GET "/metrics" => Monitoring(call) health::metrics;
    POST "/api/v1/session" => PublicUnsafe(call) session::log_in;
    GET "/api/v1/session" => Session(call, who) session::who_am_i;
    DELETE "/api/v1/session" => SessionUnsafe(call, who) session::log_out;
    GET "/api/v1/apps" => Session(call, who) apps::list;
    GET "/api/v1/instances" => Session(call, who) instances::list;
    POST "/api/v1/instances" => SessionUnsafe(call, who) instances::launch;
    GET "/api/v1/instances/{id}" => Session(call, who) instances::show;
    DELETE "/api/v1/instances/{id}" => SessionUnsafe(call, who) instances::delete;
    POST "/api/v1/instances/{id}/start" => SessionUnsafe(call, who) instances::start;
    POST "/api/v1/instances/{id}/stop" => SessionUnsafe(call, who) instances::stop;
    POST "/api/v1/instances/{id}/suspend" => SessionUnsafe(call, who) instances::suspend;
    POST "/api/v1/instances/{id}/resume" => SessionUnsafe(call, who) instances::resume;
    POST "/api/v1/instances/{id}/tunnel" => SessionUnsafe(call, who) instances::ticket;
    GET "/api/v1/tunnel" => SessionUpgrade(call, who) instances::tunnel;
    GET "/api/v1/events" => Session(call, who) events::stream;
};

/// Every route of the server with its policy.
pub fn routes() -> impl Iterator<Item = RouteInfo> {
    ROUTES.iter().map(Route::info)
}
