//! Answers of the listener without TLS: the same path, with TLS.

use std::sync::Arc;

use hyper::header::{HeaderValue, LOCATION};
use hyper::{Request, Response, StatusCode};

use super::{Body, headers};
use crate::config::Origin;

/// Leads to one origin, whatever a request says of its host: that could be anybody's.
#[derive(Clone)]
pub(super) struct Redirect {
    origin: Arc<str>,
}

impl Redirect {
    pub(super) fn new(origin: &Origin) -> Self {
        Self {
            origin: origin.as_str().into(),
        }
    }

    /// 308, which keeps method and body.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        let target = request.uri().path_and_query();
        let path = target.map_or("/", |target| target.as_str());
        // Without the slash a path could become a part of the host.
        let path = if path.starts_with('/') { path } else { "/" };
        let location = HeaderValue::try_from(format!("{}{path}", self.origin));
        if let Ok(location) = location {
            response.headers_mut().insert(LOCATION, location);
        }
        // Whoever reads this without TLS must not be told to want it (RFC 6797, section 7.2).
        headers::secure(&mut response, false);
        response
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn paths_never_become_hosts() {
        let redirect = Redirect::new(&"https://desktops.example:8443".parse().unwrap());
        for (target, expected) in [
            ("/", "/"),
            ("/a/b?c=d", "/a/b?c=d"),
            ("//evil.example/", "//evil.example/"),
            ("/@evil.example", "/@evil.example"),
            ("http://evil.example/a?b", "/a?b"),
            ("http://evil.example", "/"),
            ("evil.example:443", "/"),
            ("*", "/"),
        ] {
            let request = Request::builder().uri(target).body(()).unwrap();
            let answer = redirect.answer(&request);
            assert_eq!(answer.status(), 308);
            let location = answer.headers()[LOCATION].to_str().unwrap();
            let expected = format!("https://desktops.example:8443{expected}");
            assert_eq!(location, expected, "{target}");
        }
    }
}
