//! Who may call a route. Each policy holds the handler that it guards: a route cannot be
//! without one, and a handler that needs a user cannot stand behind one that has none.

use std::net::IpAddr;

use daas_core::Error;
use daas_core::access::{Caller, LoggedIn, Token};
use daas_core::model::{Permission, Scope, Timestamp};
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN};

use super::call::{Answer, Call};
use super::cookie::session_token_in;
use super::problem::Problem;
use crate::Services;
#[cfg(feature = "oidc")]
use crate::config::Origin;

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
    /// As [`Session`](Self::Session), and programs by a token.
    Api(fn(Call, Caller) -> Answer),
    /// As [`SessionUnsafe`](Self::SessionUnsafe), and programs by a token, which no page of
    /// others can make a browser send.
    ApiUnsafe(fn(Call, Caller) -> Answer),
}

/// What whoever calls a route has to have beside being let in.
#[derive(Clone, Copy, Default)]
pub(crate) struct Needs {
    /// What a token has to be good for; without one, no token is.
    pub(crate) scope: Option<Scope>,
    /// What the person has to be allowed.
    pub(crate) permission: Option<Permission>,
}

impl Needs {
    fn check(self, caller: &Caller) -> Result<(), Problem> {
        if caller.scopes.is_some() && !self.scope.is_some_and(|scope| caller.has_scope(scope)) {
            let detail = match self.scope {
                Some(scope) => format!("The token lacks the scope {}.", scope.as_str()),
                None => "Tokens cannot be used for this. Log in with a browser.".to_owned(),
            };
            return Err(Problem::because(StatusCode::FORBIDDEN, detail).code("scope"));
        }
        match self.permission {
            Some(permission) if !caller.rights.may(permission) => {
                let detail = "You may not do this. Ask an administrator.";
                Err(Problem::because(StatusCode::FORBIDDEN, detail).code("permission"))
            }
            _ => Ok(()),
        }
    }
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
            Self::Api(_) => "api",
            Self::ApiUnsafe(_) => "api_unsafe",
        }
    }

    /// Checks, and only then calls the handler.
    pub(super) async fn apply(
        self,
        needs: Needs,
        call: Call,
    ) -> Result<hyper::Response<super::Body>, Problem> {
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
                let who = authenticate(&call, needs, Guard::None).await?;
                handler(call, who).await
            }
            Self::SessionUnsafe(handler) => {
                let who = authenticate(&call, needs, Guard::Forgery).await?;
                handler(call, who).await
            }
            Self::SessionUpgrade(handler) => {
                let who = authenticate(&call, needs, Guard::Origin).await?;
                handler(call, who).await
            }
            Self::Api(handler) => {
                let caller = admit(&call, needs, Guard::None).await?;
                handler(call, caller).await
            }
            Self::ApiUnsafe(handler) => {
                let caller = admit(&call, needs, Guard::Forgery).await?;
                handler(call, caller).await
            }
        }
    }
}

/// Against requests that pages of others make a browser send.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    None,
    Origin,
    Forgery,
}

/// Whoever a session stands for.
async fn authenticate(call: &Call, needs: Needs, guard: Guard) -> Result<LoggedIn, Problem> {
    if call.headers().contains_key(AUTHORIZATION) {
        // The cookie, if there is one as well, is not what was meant.
        let caller = by_token(call).await?;
        needs.check(&caller)?;
        let detail = "Tokens cannot be used for this. Log in with a browser.";
        return Err(Problem::because(StatusCode::FORBIDDEN, detail).code("scope"));
    }
    let who = by_session(call).await?;
    if guard != Guard::None {
        check_origin(call)?;
    }
    if guard == Guard::Forgery {
        check_csrf(call.headers(), &who)?;
    }
    needs.check(&who.caller)?;
    Ok(who)
}

/// Whoever a token or a session stands for.
async fn admit(call: &Call, needs: Needs, guard: Guard) -> Result<Caller, Problem> {
    if !call.headers().contains_key(AUTHORIZATION) {
        return Ok(authenticate(call, needs, guard).await?.caller);
    }
    let caller = by_token(call).await?;
    needs.check(&caller)?;
    Ok(caller)
}

async fn by_session(call: &Call) -> Result<LoggedIn, Problem> {
    let services = call.services();
    let nobody = || Problem::because(StatusCode::UNAUTHORIZED, "You are not logged in.");
    let token = session_token_in(call.headers(), services.settings.secure_cookie());
    let token = token.ok_or_else(nobody)?;
    let (access, now) = (&services.access, Timestamp::now());
    match access.authenticate(&token, call.browser(), now).await {
        Ok(who) => {
            services.admit_account(who.caller.user.id)?;
            Ok(who)
        }
        Err(Error::NotFound { .. }) => Err(nobody()),
        Err(error) => Err(error.into()),
    }
}

async fn by_token(call: &Call) -> Result<Caller, Problem> {
    let services = call.services();
    let nobody = || {
        let detail = "The token is not good, or not any more.";
        Problem::because(StatusCode::UNAUTHORIZED, detail).wants_token()
    };
    let token = bearer(call.headers()).ok_or_else(nobody)?;
    let (access, now) = (&services.access, Timestamp::now());
    match access.authenticate_token(token, call.client(), now).await {
        Ok(caller) => {
            services.admit_account(caller.user.id)?;
            Ok(caller)
        }
        Err(Error::NotFound { .. }) => Err(nobody()),
        Err(error) => Err(error.into()),
    }
}

/// What stands in `Authorization: Bearer`, if that is there once.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION).into_iter();
    let (value, more) = (all.next()?.to_str().ok()?, all.next());
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && more.is_none()).then_some(token)
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
    settings.loopback
        && is_loopback(host)
        && origin.strip_prefix(settings.own_scheme()) == Some(host)
}

/// Where the page is found, for links: where the request came from, else as the
/// configuration says. Nothing that just anybody may claim gets into a link.
pub(crate) fn origin_of(call: &Call) -> String {
    let settings = &call.services().settings;
    let origin = text(call.headers(), ORIGIN).unwrap_or_default();
    if is_own(origin, call) {
        return origin.to_owned();
    }
    let public = settings.public_origins.first();
    public.map_or_else(String::new, |public| public.as_str().to_owned())
}

/// Where a browser found this server, for addresses that it shall come back to: requests that
/// lead here from elsewhere have no origin, so it is told by the name that was asked for, if
/// that is known to be ours. Else it is the first that the configuration has.
#[cfg(feature = "oidc")]
pub(crate) fn place_of(call: &Call) -> Option<String> {
    let settings = &call.services().settings;
    let host = text(call.headers(), HOST).unwrap_or_default();
    let asked = |origin: &&Origin| origin.authority().eq_ignore_ascii_case(host);
    if let Some(origin) = settings.public_origins.iter().find(asked) {
        return Some(origin.as_str().to_owned());
    }
    if settings.loopback && is_loopback(host) {
        return Some(format!("{}{host}", settings.own_scheme()));
    }
    let first = settings.public_origins.first();
    first.map(|origin| origin.as_str().to_owned())
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
/// address that no such proxy has. Each proxy adds one at the right, and only what those that
/// are trusted added is believed. `Forwarded` (RFC 7239) is not read at all: a proxy that
/// writes one of the two headers lets a client write the other.
pub(super) fn client(services: &Services, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let settings = &services.settings;
    let peer = peer.to_canonical();
    if !settings.trusts(peer) {
        return peer;
    }
    let lists = headers.get_all(FORWARDED_FOR).into_iter();
    let lists: Vec<&str> = lists.filter_map(|list| list.to_str().ok()).collect();
    let mut hops = lists
        .iter()
        .rev()
        .flat_map(|list| list.rsplit(','))
        .map_while(|hop| hop.trim().parse::<IpAddr>().ok())
        .map(|hop| hop.to_canonical());
    hops.find(|hop| !settings.trusts(*hop)).unwrap_or(peer)
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
