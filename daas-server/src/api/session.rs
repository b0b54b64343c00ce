//! Logging in and out.

use daas_core::access::{LogInError, LoggedIn, Token};
use daas_core::model::Timestamp;
use daas_core::{Error, Secret};
use hyper::header::SET_COOKIE;
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::ANONYMOUS_JSON_MAX;
use super::view::SessionView;
use crate::Services;
use crate::http::{Body, Call, Problem, clear_cookie, json, session_cookie};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    username: String,
    password: String,
    totp: Option<String>,
}

pub(super) async fn log_in(call: Call) -> Result<Response<Body>, Problem> {
    let (services, browser) = (call.services().clone(), call.browser());
    let LogIn {
        username,
        password,
        totp,
    } = call.json(ANONYMOUS_JSON_MAX).await?;
    let (password, now) = (Secret::new(password), Timestamp::now());
    let client = browser.address;
    let logged_in = services
        .access
        .log_in(&username, password, totp.as_deref(), browser, now);
    let (token, who) = match logged_in.await {
        Ok(logged_in) => logged_in,
        Err(error) => {
            tracing::info!(%client, %error, "log-in refused");
            return Err(refused(error));
        }
    };
    tracing::info!(%client, user = %who.caller.user.name, "logged in");
    begun(&services, &token, &who)
}

/// The answer that begins a session: the cookie, and who one is.
pub(super) fn begun(
    services: &Services,
    token: &Token,
    who: &LoggedIn,
) -> Result<Response<Body>, Problem> {
    let mut response = json(StatusCode::OK, &SessionView::new(who))?;
    if let Some(cookie) = session_cookie(services.settings.secure_cookie(), token) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Why somebody is not let in, in words for a person and for the page.
pub(super) fn refused(error: LogInError) -> Problem {
    let unauthorized = |text: &str| Problem::because(StatusCode::UNAUTHORIZED, text);
    match error {
        LogInError::Failed(error) => error.into(),
        LogInError::TooMany { retry_after } => {
            let minutes = retry_after.as_secs().div_ceil(60).max(1);
            let detail = format!("Too many attempts. Try again in {minutes} minutes.");
            Problem::because(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(retry_after)
        }
        LogInError::CodeNeeded => {
            unauthorized("A code of your authenticator is needed.").code("totp_required")
        }
        _ => unauthorized("The name, password or code is wrong.").code("wrong"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accept {
    token: String,
    password: String,
}

/// The first log-in of somebody who was invited.
pub(super) async fn accept_invitation(call: Call) -> Result<Response<Body>, Problem> {
    let (services, browser) = (call.services().clone(), call.browser());
    let Accept { token, password } = call.json(ANONYMOUS_JSON_MAX).await?;
    let gone = || {
        let detail = "The link is not good any more. Ask for a new one.";
        Problem::because(StatusCode::NOT_FOUND, detail)
    };
    let token: Token = token.parse().map_err(|()| gone())?;
    let (password, now) = (Secret::new(password), Timestamp::now());
    let accepted = services
        .access
        .accept_invitation(&token, password, browser, now);
    match accepted.await {
        Ok((token, who)) => begun(&services, &token, &who),
        Err(LogInError::Failed(Error::NotFound { .. })) => Err(gone()),
        Err(error) => Err(refused(error)),
    }
}

pub(super) async fn who_am_i(_: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    json(StatusCode::OK, &SessionView::new(&who))
}

/// What is left to do for whoever logged in elsewhere.
#[derive(Serialize)]
struct LoggedOut {
    /// Where the browser has to go to be logged out there too.
    log_out_url: String,
}

/// Ends the session, and tells where the browser has to go if it shall be logged out at an
/// OpenID provider too.
pub(super) async fn log_out(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services();
    #[cfg(feature = "oidc")]
    let elsewhere = super::oidc::log_out_url(&call, &who).await;
    #[cfg(not(feature = "oidc"))]
    let elsewhere = None;
    services.access.log_out(&who, Timestamp::now()).await?;
    services.end_session(who.session.hash);
    let mut response = match elsewhere {
        Some(log_out_url) => json(StatusCode::OK, &LoggedOut { log_out_url })?,
        None => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
    };
    if let Some(cookie) = clear_cookie(services.settings.secure_cookie()) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}
