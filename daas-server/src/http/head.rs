//! What is checked of the head of a request before anything else looks at it. A request that
//! two readers could understand in two ways is refused, and so is one that a browser sends
//! for a page that has nothing to do with this server.

use hyper::header::{
    CONTENT_LENGTH, HOST, HeaderMap, HeaderName, ORIGIN, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{Method, Request, StatusCode, Version};

use super::Problem;

/// Which page makes a browser ask (Fetch Metadata). Pages cannot change it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers that nobody sends twice in good faith.
const ONCE: [HeaderName; 3] = [HOST, ORIGIN, CONTENT_LENGTH];

/// # Errors
/// 400 where the head is ambiguous, 403 where a page of another site asks for a change or
/// for a WebSocket.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    let headers = request.headers();
    for name in ONCE {
        if headers.get_all(&name).iter().nth(1).is_some() {
            return Err(ambiguous(&format!("The header {name} is there twice.")));
        }
    }
    if headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING) {
        let detail = "The length of the body is said in two ways.";
        return Err(ambiguous(detail));
    }
    check_host(request)?;
    check_site(request.method(), headers)
}

fn ambiguous(detail: &str) -> Problem {
    Problem::because(StatusCode::BAD_REQUEST, detail)
}

/// The host must be there since HTTP/1.1, be one, and be the same wherever it is said.
fn check_host<B>(request: &Request<B>) -> Result<(), Problem> {
    let Some(host) = request.headers().get(HOST) else {
        if request.version() < Version::HTTP_11 {
            return Ok(());
        }
        return Err(ambiguous("The header host is missing."));
    };
    if !is_host(host.as_bytes()) {
        return Err(ambiguous("The header host is not a name and port."));
    }
    let target = request.uri().authority();
    let same = |target: &str| target.as_bytes().eq_ignore_ascii_case(host.as_bytes());
    if target.is_some_and(|target| !same(target.as_str())) {
        return Err(ambiguous("The address and the header host differ."));
    }
    Ok(())
}

/// Name or address, and a port or none. Neither user nor password, and no spaces.
fn is_host(text: &[u8]) -> bool {
    let fit = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte);
    !text.is_empty() && text.iter().all(fit)
}

/// Browsers that do not know the header send none; the origin is checked all the same.
fn check_site(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if method.is_safe() && !headers.contains_key(UPGRADE) {
        return Ok(());
    }
    let mut sites = headers.get_all(FETCH_SITE).iter();
    if sites.all(|site| site != "cross-site") {
        return Ok(());
    }
    let detail = "The request came from a page of another site.";
    Err(Problem::because(StatusCode::FORBIDDEN, detail))
}
