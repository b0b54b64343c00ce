//! Logging in and out.

use daas_core::Secret;
use daas_core::access::{LogInError, LoggedIn};
use daas_core::model::Timestamp;
use hyper::header::SET_COOKIE;
use hyper::{Response, StatusCode};
use serde::Deserialize;

use super::ANONYMOUS_JSON_MAX;
use super::view::SessionView;
use crate::http::{Body, Call, Problem, clear_cookie, json, session_cookie};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogIn {
    username: String,
    password: String,
}

pub(super) async fn log_in(call: Call) -> Result<Response<Body>, Problem> {
    let (services, client) = (call.services().clone(), call.client());
    let LogIn { username, password } = call.json(ANONYMOUS_JSON_MAX).await?;
    let password = Secret::new(password);
    let now = Timestamp::now();
    let logged_in = services.access.log_in(&username, password, client, now);
    let (token, who) = match logged_in.await {
        Ok(logged_in) => logged_in,
        Err(error) => {
            tracing::info!(%client, %error, "log-in refused");
            return Err(refused(error));
        }
    };
    tracing::info!(%client, user = %who.user.name, "logged in");
    let mut response = json(StatusCode::OK, &SessionView::new(&who))?;
    if let Some(cookie) = session_cookie(services.settings.secure_cookie(), &token) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn refused(error: LogInError) -> Problem {
    match error {
        LogInError::Failed(error) => error.into(),
        LogInError::TooMany { retry_after } => {
            let minutes = retry_after.as_secs().div_ceil(60).max(1);
            let detail = format!("Too many attempts. Try again in {minutes} minutes.");
            Problem::because(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(retry_after)
        }
        _ => Problem::because(StatusCode::UNAUTHORIZED, "The name or password is wrong."),
    }
}

pub(super) async fn who_am_i(_: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    json(StatusCode::OK, &SessionView::new(&who))
}

pub(super) async fn log_out(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services();
    services.access.log_out(&who.session).await?;
    services.end_session(who.session.hash);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Some(cookie) = clear_cookie(services.settings.secure_cookie()) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}
