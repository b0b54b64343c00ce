//! Logging in at an OpenID provider. A person's browser comes to these addresses itself, so
//! all answers lead on: to the provider, or to the page, with a word for what went wrong.

use std::time::{Duration, Instant};

use daas_core::access::sign_on::oidc::{Oidc, OidcAnswer, OidcError, OidcLogIn};
use daas_core::access::{LogInError, LoggedIn, Token};
use daas_core::chain;
use daas_core::model::Timestamp;
use hyper::header::{HeaderValue, LOCATION, SET_COOKIE};
use hyper::{Response, StatusCode};
use tokio::time::timeout;

use crate::Services;
use crate::http::{
    Body, Call, Problem, clear_sign_on_cookie, network, place_of, session_cookie, sign_on_cookie,
    sign_on_token_in,
};
use crate::sign_on::LASTS;

/// How long whoever logs out waits for what the provider says of itself.
const LOG_OUT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why nobody is logged in, in a word that the page knows.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// The person, the provider or this server said no.
    Denied,
    /// It took too long, or began in another browser.
    Expired,
    /// Something does not work.
    Failed,
    /// The account is disabled.
    Disabled,
}

impl Refusal {
    const fn word(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
        }
    }
}

impl From<OidcError> for Refusal {
    fn from(error: OidcError) -> Self {
        match error {
            OidcError::Denied => Self::Denied,
            _ => Self::Failed,
        }
    }
}

impl From<LogInError> for Refusal {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::Disabled => Self::Disabled,
            LogInError::NameTaken(_) => Self::Denied,
            _ => Self::Failed,
        }
    }
}

/// Sends a browser on to the provider.
pub(super) async fn begin(call: Call) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let secure = services.settings.secure_cookie();
    let provider = provider(services, &call)?;
    let back = format!(
        "{}/api/v1/sign-on/oidc/{}/callback",
        origin(&call)?,
        provider.id()
    );
    let start = match provider.start(&back).await {
        Ok(start) => start,
        Err(error) => {
            let provider = provider.id();
            tracing::warn!(provider, error = chain(&error), "no log-in can begin");
            return Ok(home(Some(error.into())));
        }
    };
    let browser = Token::random()?;
    let (network, now) = (network(call.client()), Instant::now());
    let state = start.pending.state().to_owned();
    let mut begun = services.sign_on.begun();
    if !begun.keep(&state, start.pending, &browser, network, now) {
        tracing::warn!(%network, "too many log-ins have begun there");
        return Ok(home(Some(Refusal::Failed)));
    }
    let mut response = lead_to(&start.url);
    add_cookie(&mut response, sign_on_cookie(secure, &browser, LASTS));
    Ok(response)
}

/// A browser comes back from the provider.
pub(super) async fn finish(call: Call) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let secure = services.settings.secure_cookie();
    let provider = provider(services, &call)?;
    let mut response = match log_in(provider, &call).await {
        Ok((token, who)) => {
            let client = who.caller.address;
            tracing::info!(%client, user = %who.caller.user.name, provider = provider.id(), "logged in");
            let mut response = home(None);
            add_cookie(&mut response, session_cookie(secure, &token));
            response
        }
        Err(refusal) => home(Some(refusal)),
    };
    add_cookie(&mut response, clear_sign_on_cookie(secure));
    Ok(response)
}

async fn log_in(provider: &Oidc, call: &Call) -> Result<(Token, LoggedIn), Refusal> {
    let (services, browser) = (call.services(), call.browser());
    let answer = OidcAnswer {
        code: call.text("code"),
        state: call.text("state"),
        error: call.text("error"),
        iss: call.text("iss"),
    };
    let pending = sign_on_token_in(call.headers(), services.settings.secure_cookie())
        .zip(answer.state.as_deref())
        .and_then(|(token, state)| services.sign_on.begun().take(state, &token, Instant::now()))
        .ok_or(Refusal::Expired)?;
    let (client, now) = (browser.address, Timestamp::now());
    let finished = provider.finish(pending, &answer, now).await;
    let OidcLogIn { identity, id_token } = finished.map_err(|error| {
        let provider = provider.id();
        tracing::warn!(%client, provider, error = chain(&error), "log-in refused");
        Refusal::from(error)
    })?;
    let access = &services.access;
    let logged_in = access.log_in_as(&identity, browser, now).await;
    let (token, who) = logged_in.map_err(|error| {
        let provider = provider.id();
        tracing::warn!(%client, provider, error = chain(&error), "log-in refused");
        Refusal::from(error)
    })?;
    if let Err(error) = access.keep_id_token(&who, id_token).await {
        let error = chain(&error);
        tracing::warn!(error, "logging out will not log out at the provider");
    }
    Ok((token, who))
}

/// Where somebody who has logged out has to go to be logged out at their provider too; nowhere
/// where it cannot do that, or not soon.
pub(super) async fn log_out_url(call: &Call, who: &LoggedIn) -> Option<String> {
    let services = call.services();
    let provider = services
        .sign_on
        .provider(who.session.provider.as_deref()?)?;
    let id_token = services.access.id_token(who).await.ok()??;
    let back = format!("{}/", place_of(call)?);
    let url = timeout(LOG_OUT_TIMEOUT, provider.log_out_url(&id_token, &back)).await;
    match url {
        Ok(Ok(url)) => url,
        Ok(Err(error)) => {
            let provider = provider.id();
            tracing::warn!(
                provider,
                error = chain(&error),
                "nobody is logged out there"
            );
            None
        }
        Err(_) => None,
    }
}

fn provider<'a>(services: &'a Services, call: &Call) -> Result<&'a Oidc, Problem> {
    let none = || Problem::because(StatusCode::NOT_FOUND, "There is no such way to log in.");
    services.sign_on.provider(call.id()).ok_or_else(none)
}

/// Where this server is for the browser.
fn origin(call: &Call) -> Result<String, Problem> {
    place_of(call).ok_or_else(|| {
        tracing::error!("server.public_origins is needed for logging in at a provider");
        Problem::internal()
    })
}

/// To the page.
fn home(refusal: Option<Refusal>) -> Response<Body> {
    match refusal {
        None => lead_to("/"),
        Some(refusal) => lead_to(&format!("/?sign_on_error={}", refusal.word())),
    }
}

fn lead_to(url: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    if let Ok(url) = HeaderValue::try_from(url) {
        response.headers_mut().insert(LOCATION, url);
    }
    response
}

fn add_cookie(response: &mut Response<Body>, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
