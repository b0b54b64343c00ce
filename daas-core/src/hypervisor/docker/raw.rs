//! A small HTTP client on the engine's socket, for what docker-api lacks: options of
//! containers and networks that it does not know, answers that must not break where a newer
//! engine adds or drops fields, and streams that must be bounded.

use std::path::PathBuf;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use super::fault::Fault;

/// Longest answer that is read, in bytes.
const ANSWER_MAX: usize = 32 << 20;

/// The engine behind a socket. A connection is made for each call: it costs a few
/// microseconds, and a restart of the engine leaves no dead one behind.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    socket: PathBuf,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Raw {
    pub(super) const fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Gets an answer in JSON.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let response = self.send(Method::GET, path, None).await?;
        read(response).await
    }

    /// Posts JSON, and gets an answer in JSON.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, Fault> {
        let response = self.send(Method::POST, path, Some(body)).await?;
        read(response).await
    }

    /// Posts JSON where nothing of interest is answered.
    pub(super) async fn command(&self, path: &str, body: &Value) -> Result<(), Fault> {
        let response = self.send(Method::POST, path, Some(body)).await?;
        bytes(response).await.map(|_| ())
    }

    /// Gets an answer that is read piece by piece.
    pub(super) async fn get_stream(&self, path: &str) -> Result<Incoming, Fault> {
        let response = self.send(Method::GET, path, None).await?;
        Ok(response.into_body())
    }

    /// Posts JSON, and gets an answer that is read piece by piece.
    pub(super) async fn post_stream(&self, path: &str, body: &Value) -> Result<Incoming, Fault> {
        let response = self.send(Method::POST, path, Some(body)).await?;
        Ok(response.into_body())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, Fault> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(unreachable)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(unreachable)?;
        // Ends when the answer has been read or is no longer wanted.
        tokio::spawn(connection);
        let request = request(method, path, body)?;
        let response = sender.send_request(request).await.map_err(unreachable)?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(refusal(response).await)
        }
    }
}

fn unreachable(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::Unreachable(Box::new(error))
}

fn request(
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Request<Full<Bytes>>, Fault> {
    let body = body.map(Value::to_string).unwrap_or_default();
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "docker")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(body))
        .map_err(|error| Fault::Unreadable(Box::new(error)))
}

async fn bytes(response: Response<Incoming>) -> Result<Bytes, Fault> {
    let body = Limited::new(response.into_body(), ANSWER_MAX);
    let collected = body.collect().await.map_err(Fault::Unreachable)?;
    Ok(collected.to_bytes())
}

async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, Fault> {
    let bytes = bytes(response).await?;
    serde_json::from_slice(&bytes).map_err(|error| Fault::Unreadable(Box::new(error)))
}

async fn refusal(response: Response<Incoming>) -> Fault {
    let status = response.status().as_u16();
    match bytes(response).await {
        Ok(bytes) => Fault::Status {
            status,
            message: serde_json::from_slice(&bytes)
                .map(|refusal: Refusal| refusal.message)
                .unwrap_or_default(),
        },
        Err(fault) => fault,
    }
}

/// A query for things with all of some labels, to put behind a path.
pub(super) fn with_labels(labels: &[String]) -> String {
    filters(&json!({ "label": labels }))
}

/// A query for things that pass some filters, to put behind a path.
pub(super) fn filters(filters: &Value) -> String {
    let mut query = String::from("filters=");
    for byte in filters.to_string().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' => query.push(char::from(byte)),
            _ => query.push_str(&format!("%{byte:02X}")),
        }
    }
    query
}
