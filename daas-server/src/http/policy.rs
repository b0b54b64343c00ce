//! Who may call a route. Each policy holds the handler that it guards: a route cannot be
//! without one, and a handler that needs a user cannot stand behind one that has none.

use std::net::IpAddr;

use daas_core::Error;
use daas_core::access::{LoggedIn, Token};
use daas_core::model::Timestamp;
use hyper::StatusCode;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};

use super::call::{Answer, Call};
use super::cookie::session_token_in;
use super::problem::Problem;
use crate::Services;

/// Carries the token against forged requests.
const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
/// Carries the addresses that a proxy spoke for.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who may call a route, and what answers.
#[derive(Clone, Copy)]
pub(crate) enum Policy {
    /// Everybody, to read.
    Public(fn(Call) -> Answer),
    /// Everybody, from a page of this server.
    PublicUnsafe(fn(Call) -> Answer),
    /// This machine; others where the configuration says so.
    Monitoring(fn(Call) -> Answer),
    /// Whoever is logged in, to read.
    Session(fn(Call, LoggedIn) -> Answer),
    /// Whoever is logged in, from a page of this server, with the token against forged
    /// requests.
    SessionUnsafe(fn(Call, LoggedIn) -> Answer),
    /// Whoever is logged in, from a page of this server: browsers send no headers of ours
    /// with a WebSocket, and a ticket stands in for the token.
    SessionUpgrade(fn(Call, LoggedIn) -> Answer),
}

impl Policy {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Public(_) => "public",
            Self::PublicUnsafe(_) => "public_unsafe",
            Self::Monitoring(_) => "monitoring",
            Self::Session(_) => "session",
            Self::SessionUnsafe(_) => "session_unsafe",
            Self::SessionUpgrade(_) => "session_upgrade",
        }
    }

    /// Checks, and only then calls the handler.
    pub(super) async fn apply(self, call: Call) -> Result<hyper::Response<super::Body>, Problem> {
        match self {
            Self::Public(handler) => handler(call).await,
            Self::PublicUnsafe(handler) => {
                check_origin(&call)?;
                handler(call).await
            }
            Self::Monitoring(handler) => {
                check_nearness(&call)?;
                handler(call).await
            }
            Self::Session(handler) => {
                let who = authenticate(&call).await?;
                handler(call, who).await
            }
            Self::SessionUnsafe(handler) => {
                let who = authenticate(&call).await?;
                check_origin(&call)?;
                check_csrf(call.headers(), &who)?;
                handler(call, who).await
            }
            Self::SessionUpgrade(handler) => {
                let who = authenticate(&call).await?;
                check_origin(&call)?;
                handler(call, who).await
            }
        }
    }
}

async fn authenticate(call: &Call) -> Result<LoggedIn, Problem> {
    let services = call.services();
    let nobody = || Problem::because(StatusCode::UNAUTHORIZED, "You are not logged in.");
    let token = session_token_in(call.headers(), services.settings.secure_cookie());
    let token = token.ok_or_else(nobody)?;
    match services.access.authenticate(&token, Timestamp::now()).await {
        Ok(who) => Ok(who),
        Err(Error::NotFound { .. }) => Err(nobody()),
        Err(error) => Err(error.into()),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The page that asks must be ours. Browsers always say which it is where something could
/// be changed, so silence is refused too.
fn check_origin(call: &Call) -> Result<(), Problem> {
    let origin = text(call.headers(), ORIGIN).unwrap_or_default();
    if is_own(origin, call) {
        return Ok(());
    }
    let detail = "The request came from a page of another origin. If this is the right page, \
                  an administrator has to add its address to server.public_origins.";
    Err(Problem::because(StatusCode::FORBIDDEN, detail))
}

fn is_own(origin: &str, call: &Call) -> bool {
    let settings = &call.services().settings;
    let mut public = settings.public_origins.iter();
    if public.any(|public| public.as_str() == origin) {
        return true;
    }
    // On this machine alone the page may be found by any name of this machine. Other names
    // are refused, as anybody's name may be made to lead here.
    let host = text(call.headers(), HOST).unwrap_or_default();
    settings.loopback && is_loopback(host) && origin.strip_prefix("http://") == Some(host)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// Compared by hash, which tells nothing by the time it takes.
fn check_csrf(headers: &HeaderMap, who: &LoggedIn) -> Result<(), Problem> {
    let token = text(headers, CSRF).and_then(|text| text.parse::<Token>().ok());
    if token.is_some_and(|token| token.hash() == who.csrf.hash()) {
        return Ok(());
    }
    let detail = "The request lacks the right X-CSRF-Token. Load the page again.";
    Err(Problem::because(StatusCode::FORBIDDEN, detail))
}

/// From this machine, and not on behalf of another.
fn check_nearness(call: &Call) -> Result<(), Problem> {
    let forwarded = call.headers().contains_key(FORWARDED_FOR);
    if call.services().settings.public_metrics || (call.peer().is_loopback() && !forwarded) {
        return Ok(());
    }
    let detail = "This address answers the machine of the server only, unless \
                  server.public_metrics = true.";
    Err(Problem::because(StatusCode::FORBIDDEN, detail))
}

/// Who is behind a request: the peer or, where that is a proxy to be trusted, the last
/// address that no such proxy has.
pub(super) fn client(services: &Services, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let trusted = &services.settings.trusted_proxies;
    if !trusted.contains(&peer.to_canonical()) {
        return peer;
    }
    let lists = headers.get_all(FORWARDED_FOR).into_iter();
    let lists: Vec<&str> = lists.filter_map(|list| list.to_str().ok()).collect();
    let mut hops = lists
        .iter()
        .rev()
        .flat_map(|list| list.rsplit(','))
        .map_while(|hop| hop.trim().parse::<IpAddr>().ok());
    hops.find(|hop| !trusted.contains(&hop.to_canonical()))
        .unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:8080", true),
            ("127.0.0.1:1", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("localhost.example.org", false),
            ("127.0.0.1.example.org:80", false),
            ("example.org:8080", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host}");
        }
    }
}
