//! Which path and method leads where.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::{pin::pin, time::Instant};

use daas_core::model::{Permission, Scope};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};

use super::call::Call;
use super::policy::{Needs, Policy, client};
use super::{Body, Problem, head, headers};
use crate::Services;
use crate::metrics::known;

/// One line of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) policy: Policy,
    pub(crate) needs: Needs,
}

/// What is known of a route from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// Its method.
    pub method: &'static str,
    /// Its path, with `{id}` for what is open, and `{name}` for what is below that.
    pub path: &'static str,
    /// Name of its policy.
    pub policy: &'static str,
    /// The scope that a token needs; without one, no token is good.
    pub scope: Option<&'static str>,
    /// What whoever calls it has to be allowed.
    pub permission: Option<&'static str>,
}

impl Route {
    pub(crate) fn info(&'static self) -> RouteInfo {
        RouteInfo {
            method: self.method.as_str(),
            path: self.path,
            policy: self.policy.name(),
            scope: self.needs.scope.map(Scope::as_str),
            permission: self.needs.permission.map(Permission::as_str),
        }
    }

    fn takes(&self, method: &Method) -> bool {
        // HEAD is GET without the body, which the connection leaves out.
        self.method == method || (method == Method::HEAD && self.method == Method::GET)
    }
}

/// The table, ready to look things up.
pub(crate) struct Router {
    paths: matchit::Router<Vec<&'static Route>>,
}

impl Router {
    /// # Errors
    /// Where two paths of the table contradict each other.
    pub(crate) fn new(table: &'static [Route]) -> Result<Self, matchit::InsertError> {
        let mut paths = matchit::Router::new();
        let mut left: Vec<&'static Route> = table.iter().collect();
        while let Some(first) = left.first() {
            let path = first.path;
            let (same, others) = left.into_iter().partition(|route| route.path == path);
            paths.insert(path, same)?;
            left = others;
        }
        Ok(Self { paths })
    }

    fn find(&self, path: &str, method: &Method) -> Found {
        let Ok(matched) = self.paths.at(path) else {
            return Found::NoPath;
        };
        let open = |name| matched.params.get(name).map(str::to_owned);
        match matched.value.iter().find(|route| route.takes(method)) {
            Some(route) => Found::Route(route, open("id"), open("name")),
            None => Found::NoMethod(allow(matched.value)),
        }
    }
}

enum Found {
    /// With the parts of the path that it leaves open.
    Route(&'static Route, Option<String>, Option<String>),
    NoMethod(String),
    NoPath,
}

fn allow(routes: &[&Route]) -> String {
    let mut methods = Vec::new();
    for route in routes {
        methods.push(route.method.as_str());
        if route.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.join(", ")
}

/// Answers a request.
pub(crate) async fn answer(
    services: Arc<Services>,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Response<Body> {
    let started = Instant::now();
    let method = request.method().clone();
    let (route, result) = match admit(&services, &request, peer) {
        Ok(()) => dispatch(&services, request, peer).await,
        Err(problem) => ("-", Err(problem)),
    };
    let mut response = result.unwrap_or_else(Problem::into_response);
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        services.hold_back().await;
    }
    headers::secure(&mut response, services.settings.secure_cookie());
    let (method, status) = (known(method.as_str()), response.status().as_u16());
    services.metrics.count(method, route, status);
    // Of the address only what is ours: tickets stand in the query, and anywhere in it may be
    // a secret that somebody pasted by mistake.
    tracing::debug!(method, route, status, elapsed = ?started.elapsed(), "answered");
    response
}

/// What can be said of a request without knowing who asks for what. Here, as whoever is
/// refused must cost next to nothing.
fn admit(services: &Services, request: &Request<Incoming>, peer: IpAddr) -> Result<(), Problem> {
    services.admit_address(client(services, request.headers(), peer))?;
    head::check(request)
}

async fn dispatch(
    services: &Arc<Services>,
    request: Request<Incoming>,
    peer: IpAddr,
) -> (&'static str, Result<Response<Body>, Problem>) {
    match services.router.find(request.uri().path(), request.method()) {
        Found::Route(route, id, name) => {
            let call = Call {
                services: Arc::clone(services),
                request,
                id,
                name,
                peer,
            };
            (
                route.path,
                guarded(route.policy.apply(route.needs, call)).await,
            )
        }
        Found::NoMethod(allow) => ("-", Err(Problem::method_not_allowed(allow))),
        Found::NoPath => ("-", crate::page::answer(&request)),
    }
}

/// A handler that panics answers 500; the others do not notice.
async fn guarded<T>(handler: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let mut handler = pin!(handler);
    poll_fn(move |cx| {
        // After a panic the handler is not looked at again.
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(answer) => answer,
            Err(panic) => Poll::Ready(Err(panicked(&*panic))),
        }
    })
    .await
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("?"), "a handler panicked");
    Problem::internal()
}
