//! A request on its way to its handler, and what a handler answers.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use daas_core::access::Client;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::policy::client;
use super::{Body, Problem};
use crate::Services;
use crate::expected::without_value;
use crate::strict::Strict;

/// What a handler answers, some time.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Problem>> + Send>>;

/// Time for the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request on its way to its handler.
pub(crate) struct Call {
    pub(super) services: Arc<Services>,
    pub(super) request: Request<Incoming>,
    /// The part of the path that the route leaves open.
    pub(super) id: Option<String>,
    /// A second such part, of what belongs to the first.
    pub(super) name: Option<String>,
    pub(super) peer: IpAddr,
}

impl Call {
    pub(crate) const fn services(&self) -> &Arc<Services> {
        &self.services
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    pub(super) const fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The address of whoever asks.
    pub(crate) fn client(&self) -> IpAddr {
        client(&self.services, self.headers(), self.peer)
    }

    /// The program that asks, and where it is.
    pub(crate) fn browser(&self) -> Client {
        let agent = self.headers().get(USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok());
        Client::new(self.client(), agent.unwrap_or_default())
    }

    /// The part of the path that the route leaves open.
    pub(crate) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// The second part of the path that the route leaves open.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// A parameter of the query as text, if it is there.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let query = self.request.uri().query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let (_, value) = pairs.find(|(key, _)| key == name)?;
        Some(value.into_owned())
    }

    /// A parameter of the query, read as what it should be.
    ///
    /// # Errors
    /// 422 where it is something else.
    pub(crate) fn parameter<T: FromStr>(
        &self,
        name: &'static str,
        what: &str,
    ) -> Result<Option<T>, Problem> {
        let text = self.text(name).map(|text| text.parse());
        text.transpose()
            .map_err(|_| Problem::field(name, format!("must be {what}")))
    }

    /// The request itself, for handlers that take over its connection.
    pub(crate) fn into_request(self) -> Request<Incoming> {
        self.request
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// 415 where it is not called JSON, 413 where it is too big, 408 where it takes too
    /// long, 400 where it is no JSON, 422 where it is not what is expected.
    pub(crate) async fn json<T: DeserializeOwned>(self, most: usize) -> Result<T, Problem> {
        if !is_json(self.headers()) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            let detail = "The body must be JSON, with Content-Type: application/json.";
            return Err(Problem::because(status, detail));
        }
        let body = self.request.into_body();
        if body.size_hint().lower() > most as u64 {
            return Err(too_large(most));
        }
        let bytes = timeout(BODY_TIMEOUT, Limited::new(body, most).collect()).await;
        let bytes = bytes.map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT))?;
        let bytes = bytes.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return too_large(most);
            }
            Problem::because(StatusCode::BAD_REQUEST, "The body could not be read.")
        })?;
        parse(&bytes.to_bytes())
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = value.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn too_large(most: usize) -> Problem {
    let detail = format!("The body must not have more than {most} bytes.");
    Problem::because(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_path_to_error::deserialize(Strict(&mut json)).map_err(|error| refused(&error))?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    let (text, line, column) = (error.to_string(), error.line(), error.column());
    let what = text.rsplit_once(" at line ").map_or("", |(what, _)| what);
    let detail = format!("The body is not JSON: {what} at line {line}, column {column}.");
    Problem::because(StatusCode::BAD_REQUEST, detail)
}

/// No JSON at all, or JSON that is not what is expected: then with the path of the field.
fn refused(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    if !error.inner().is_data() {
        return malformed(error.inner());
    }
    let text = error.inner().to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(text, _)| text);
    let path = error.path().to_string();
    let mut names = text.split('`').skip(1).step_by(2);
    let named = names.next().unwrap_or_default();
    if text.starts_with("unknown field") {
        let known = names.collect::<Vec<_>>().join(", ");
        let detail = format!("there is no such field; the fields are {known}");
        return Problem::field(within(&path, named), detail);
    }
    if text.starts_with("missing field") {
        return Problem::field(within(&path, named), "is missing");
    }
    let field = if path == "." { "body" } else { &path };
    Problem::field(field, without_value(text))
}

/// The path of a field, where the path that is known may lead to what it is in only.
fn within(path: &str, field: &str) -> String {
    match path {
        "." => field.to_owned(),
        path if path == field || path.ends_with(&format!(".{field}")) => path.to_owned(),
        path => format!("{path}.{field}"),
    }
}

/// An answer with JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response<Body>, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR)
    })?;
    let mut response = Response::new(Body::from(Bytes::from(body)));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}
