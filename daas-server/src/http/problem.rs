//! Errors as RFC 9457 problem documents. This is the one place that turns errors of the
//! core into statuses, and says in plain words what a person may know of them.

use std::time::Duration;

use daas_core::{Error, chain};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::Body;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Its path in the body, such as `app_id`.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

/// An answer that is an error.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: Option<String>,
    code: Option<&'static str>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    allow: Option<String>,
    wants_token: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Problem {
    /// One with the standard text of its status alone.
    #[must_use]
    pub const fn new(status: StatusCode) -> Self {
        Self {
            status,
            detail: None,
            code: None,
            errors: Vec::new(),
            retry_after: None,
            allow: None,
            wants_token: false,
        }
    }

    /// One that says in plain words what happened and what to do.
    #[must_use]
    pub fn because(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::new(status)
        }
    }

    /// 422 about one field.
    #[must_use]
    pub fn field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let (field, detail) = (field.into(), detail.into());
        let text = format!("`{field}`: {detail}");
        Self {
            errors: vec![FieldError { field, detail }],
            ..Self::because(StatusCode::UNPROCESSABLE_ENTITY, text)
        }
    }

    /// 405, with the methods that are allowed.
    #[must_use]
    pub fn method_not_allowed(allow: String) -> Self {
        Self {
            detail: Some(format!("This address takes {allow} only.")),
            allow: Some(allow),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED)
        }
    }

    /// 500: the log knows more.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "Something went wrong in the server. An administrator finds more in its log.";
        Self::because(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// 429: somebody makes more requests than anybody needs.
    #[must_use]
    pub fn too_many(whose: &str, wait: Duration) -> Self {
        let detail = format!("Too many requests come from {whose}. Try again in a moment.");
        Self::because(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait)
    }

    /// With a word for what happened, for programs.
    #[must_use]
    pub const fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// 401 for somebody who came with a token (RFC 6750, section 3).
    #[must_use]
    pub(super) const fn wants_token(mut self) -> Self {
        self.wants_token = true;
        self
    }

    /// When trying again may help.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    fn retry_after_s(&self) -> Option<u64> {
        // Rounded up: a second early is too early.
        self.retry_after
            .map(|wait| wait.as_millis().div_ceil(1000).max(1) as u64)
    }

    /// The answer.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let retry_after = self.retry_after_s();
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail.as_deref(),
            code: self.code,
            errors: &self.errors,
            retry_after,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, json);
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.wants_token {
            let how = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            headers.insert(WWW_AUTHENTICATE, how);
        }
        let allow = self.allow.map(HeaderValue::try_from);
        if let Some(Ok(allow)) = allow {
            headers.insert(ALLOW, allow);
        }
        response
    }
}

/// First letter in upper case, full stop at the end.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// What a person may know of an error: what is not there, what stood in the way, and who
/// can help. The rest is for the log.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::NotFound { what } => {
                let text = format!("There is no such {what}, or it is not yours.");
                Self::because(StatusCode::NOT_FOUND, text)
            }
            Error::Invalid { field, reason } => Self::field(*field, reason.as_str()),
            Error::Forbidden { reason } => {
                Self::because(StatusCode::FORBIDDEN, sentence(reason)).code("permission")
            }
            Error::Refused { code, reason } => {
                Self::because(StatusCode::CONFLICT, sentence(reason)).code(code)
            }
            Error::AlreadyExists { .. } | Error::Conflict { .. } | Error::Exhausted { .. } => {
                Self::because(StatusCode::CONFLICT, sentence(&error.to_string()))
            }
            Error::Unavailable { backend, .. } => {
                tracing::warn!(error = chain(&error), "a backend is not available");
                unavailable(backend)
            }
            Error::Unsupported { .. } => {
                Self::because(StatusCode::NOT_IMPLEMENTED, sentence(&error.to_string()))
            }
            _ => {
                tracing::error!(error = chain(&error), "a backend failed");
                Self::internal()
            }
        }
    }
}

fn unavailable(backend: &str) -> Problem {
    let text = format!(
        "{backend} does not answer at the moment. Try again later; if that does not help, ask \
         an administrator"
    );
    let problem = Problem::because(StatusCode::SERVICE_UNAVAILABLE, sentence(&text));
    problem.retry_after(Duration::from_secs(5))
}
