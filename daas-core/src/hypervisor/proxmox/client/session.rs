//! Proving who we are.

use std::time::Duration;

use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::fault::Fault;
use super::form::{Form, in_cookie};
use super::settings::Credentials;
use crate::secret::Secret;

/// A ticket lasts for two hours.
const TICKET_LASTS: Duration = Duration::from_secs(100 * 60);

const CSRF: HeaderName = HeaderName::from_static("csrfpreventiontoken");

/// A ticket that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    ticket: Secret<String>,
    csrf: Secret<String>,
    since: Instant,
}

impl Ticket {
    /// From what was answered.
    pub(super) fn read(answer: &serde_json::Value) -> Result<Self, Fault> {
        let text = |key: &str| answer.get(key).and_then(serde_json::Value::as_str);
        let needs_more = answer.get("NeedTFA").and_then(super::lenient::truth);
        if needs_more == Some(true) {
            let reason = "the user needs a second factor; use a token";
            return Err(Fault::Invalid(reason.to_owned()));
        }
        let (Some(ticket), Some(csrf)) = (text("ticket"), text("CSRFPreventionToken")) else {
            return Err(Fault::Unreadable {
                what: "there is no ticket in it".to_owned(),
                changes: false,
            });
        };
        Ok(Self {
            ticket: Secret::new(ticket.to_owned()),
            csrf: Secret::new(csrf.to_owned()),
            since: Instant::now(),
        })
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.since.elapsed() < TICKET_LASTS
    }

    /// What a call has to carry.
    pub(super) fn headers(&self, changes: bool) -> Result<Headers, Fault> {
        let cookie = format!("PVEAuthCookie={}", in_cookie(self.ticket.expose()));
        let mut headers = vec![(COOKIE, sensitive(&cookie)?)];
        if changes {
            headers.push((CSRF, sensitive(self.csrf.expose())?));
        }
        Ok(headers)
    }
}

pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// What a call with a token has to carry.
pub(super) fn token_headers(id: &str, secret: &Secret<String>) -> Result<Headers, Fault> {
    let value = format!("PVEAPIToken={id}={}", secret.expose());
    Ok(vec![(AUTHORIZATION, sensitive(&value)?)])
}

fn sensitive(value: &str) -> Result<HeaderValue, Fault> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Fault::Unreadable {
        what: "the ticket has characters that no header may have".to_owned(),
        changes: false,
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What is sent for a ticket.
pub(super) fn log_in(credentials: &Credentials) -> Option<Form> {
    match credentials {
        Credentials::Token { .. } => None,
        Credentials::Password { user, password } => Some(
            Form::new()
                .with("username", user)
                .with("password", password.expose()),
        ),
    }
}
