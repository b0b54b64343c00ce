//! Which path and method leads where.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Method, Request, Response, StatusCode};

use crate::problem::{method_not_allowed, problem};

/// Answers a request. The headers that every answer carries are set here.
pub(crate) fn route<B>(request: &Request<B>) -> Response<Full<Bytes>> {
    let mut response = match request.uri().path() {
        "/healthz" => health(request.method()),
        _ => problem(StatusCode::NOT_FOUND),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Alive: the process runs and answers.
fn health(method: &Method) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return method_not_allowed("GET, HEAD");
    }
    let mut response = Response::new(Full::from("ok\n"));
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
