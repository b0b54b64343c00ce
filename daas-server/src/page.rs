//! The page, which is part of the program.

use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, VARY,
};
use hyper::{Method, Request, Response, StatusCode};

use crate::http::{Body, Problem};

/// A file of the page.
struct File {
    /// Its path in an address.
    path: &'static str,
    media_type: &'static str,
    /// From a hash of its content, in quotes.
    etag: &'static str,
    /// Whether its name changes with its content.
    immutable: bool,
    bytes: &'static [u8],
    /// Packed, where that makes it smaller.
    gzip: Option<&'static [u8]>,
}

// Sorted by path; empty where the page was not built.
include!(concat!(env!("OUT_DIR"), "/page.rs"));

const INDEX: &str = "/index.html";

/// What is shown where the page was not built.
const MISSING: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>The page is not built</title>
<h1>The page is not built</h1>
<p>The server works, but it was built without its page. Build the page, and then the server
again:</p>
<pre>npm --prefix daas-server/web ci
npm --prefix daas-server/web run build
cargo build --release -p daas-server</pre>
";

/// Whether the page was built into the program.
pub(crate) const fn is_built() -> bool {
    !FILES.is_empty()
}

fn file(path: &str) -> Option<&'static File> {
    let place = FILES.binary_search_by(|file| file.path.cmp(path)).ok()?;
    FILES.get(place)
}

/// Answers a path that no route has: a file of the page, or the page itself for addresses
/// that only it understands.
pub(crate) fn answer<B>(request: &Request<B>) -> Result<Response<Body>, Problem> {
    let path = request.uri().path();
    let nothing = || Problem::because(StatusCode::NOT_FOUND, "There is nothing at this address.");
    if path.starts_with("/api/") {
        return Err(nothing());
    }
    let is_deep = path == "/" || wants_html(request.headers());
    let found = file(path).or_else(|| file(INDEX).filter(|_| is_deep));
    if found.is_none() && !is_deep {
        return Err(nothing());
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(Problem::method_not_allowed("GET, HEAD".to_owned()));
    }
    Ok(match found {
        Some(file) => serve(file, request.headers()),
        None => missing(),
    })
}

/// Whether somebody typed the address, or followed a link to it.
fn wants_html(headers: &HeaderMap) -> bool {
    lists(headers, ACCEPT, "text/html")
}

/// Whether a list in a header names something, whatever is said behind a semicolon.
fn lists(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    let mut items = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    items.any(|item| {
        item.split(';')
            .next()
            .is_some_and(|item| item.trim() == wanted)
    })
}

fn serve(file: &'static File, headers: &HeaderMap) -> Response<Body> {
    let known = lists(headers, IF_NONE_MATCH, file.etag);
    let gzip = file
        .gzip
        .filter(|_| lists(headers, ACCEPT_ENCODING, "gzip"));
    let mut response = if known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        Response::new(Body::from(gzip.unwrap_or(file.bytes)))
    };
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(CACHE_CONTROL, cache(file));
    set(ETAG, file.etag);
    set(VARY, "accept-encoding");
    if !known {
        set(CONTENT_TYPE, file.media_type);
        if gzip.is_some() {
            set(CONTENT_ENCODING, "gzip");
        }
    }
    response
}

const fn cache(file: &File) -> &'static str {
    if file.immutable {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

fn missing() -> Response<Body> {
    let mut response = Response::new(Body::from(MISSING));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}
