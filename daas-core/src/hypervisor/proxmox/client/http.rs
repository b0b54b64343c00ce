//! One call over one connection.
//!
//! A node closes connections after five seconds of silence and after some calls. On a
//! connection that was kept, a call that changes something could meet that end, and nobody
//! would know whether it was heard. On a new connection it is known: before it stands,
//! nothing has happened.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::ext::ReasonPhrase;
use hyper::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::settings::Endpoint;
use crate::error::BoxError;
use crate::secret::Secret;

/// Longest head of an answer, in bytes, and most lines of it.
const HEAD_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 100;
/// Longest reason phrase that is kept.
const REASON_MAX: usize = 1024;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    /// With the query.
    pub(super) path: Secret<String>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// A form, for methods that have one.
    pub(super) body: Option<Secret<String>>,
    /// Most bytes of an answer.
    pub(super) max: usize,
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The text behind the status; most errors say there what is wrong, and older nodes only
    /// there.
    pub(super) reason: String,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// There was no connection, so nothing was asked.
    Unconnected(BoxError),
    /// It ended.
    Lost(BoxError),
}

/// The way to nodes.
#[derive(Debug)]
pub(super) struct Http {
    tls: Arc<ClientConfig>,
    connect_timeout: Duration,
    call_timeout: Duration,
}

impl Http {
    pub(super) const fn new(
        tls: Arc<ClientConfig>,
        connect_timeout: Duration,
        call_timeout: Duration,
    ) -> Self {
        Self {
            tls,
            connect_timeout,
            call_timeout,
        }
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(&self, endpoint: &Endpoint, ask: &Ask) -> Result<Answer, NoAnswer> {
        let stream = self.connect(endpoint).await?;
        let call = exchange(stream, endpoint, ask);
        match timeout(self.call_timeout, call).await {
            Ok(answer) => answer.map_err(NoAnswer::Lost),
            Err(late) => Err(NoAnswer::Lost(Box::new(late))),
        }
    }

    /// A connection on which nothing was said yet.
    pub(super) async fn connect(
        &self,
        endpoint: &Endpoint,
    ) -> Result<TlsStream<TcpStream>, NoAnswer> {
        let connect = async {
            let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(endpoint.host.clone())?;
            let connector = TlsConnector::from(Arc::clone(&self.tls));
            Ok::<_, BoxError>(connector.connect(name, stream).await?)
        };
        match timeout(self.connect_timeout, connect).await {
            Ok(stream) => stream.map_err(NoAnswer::Unconnected),
            Err(late) => Err(NoAnswer::Unconnected(Box::new(late))),
        }
    }
}

async fn exchange(
    stream: TlsStream<TcpStream>,
    endpoint: &Endpoint,
    ask: &Ask,
) -> Result<Answer, BoxError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(stream))
        .await?;
    let request = request(endpoint, ask)?;
    let call = async move {
        let response = sender.send_request(request).await?;
        read(response, ask.max).await
    };
    let (mut connection, mut call) = (pin!(connection), pin!(call));
    tokio::select! {
        answer = &mut call => return answer,
        // It ends before all of the answer is read where the node closes it.
        _ = &mut connection => {}
    }
    call.await
}

fn request(endpoint: &Endpoint, ask: &Ask) -> Result<Request<Full<Bytes>>, BoxError> {
    let body = ask.body.as_ref().map(|body| body.expose().clone());
    let mut request = Request::builder()
        .method(ask.method.clone())
        .uri(ask.path.expose())
        .header(HOST, endpoint.to_string())
        .header(ACCEPT, "application/json");
    for (name, value) in &ask.headers {
        request = request.header(name, value);
    }
    // A length always, never chunks, and neither where there is no body to be.
    if let Some(body) = &body {
        request = request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(CONTENT_LENGTH, body.len());
    }
    Ok(request.body(Full::from(body.unwrap_or_default()))?)
}

async fn read(response: Response<Incoming>, max: usize) -> Result<Answer, BoxError> {
    let reason = response.extensions().get::<ReasonPhrase>();
    let standard = response.status().canonical_reason().unwrap_or_default();
    let reason = match reason {
        Some(reason) => String::from_utf8_lossy(reason.as_bytes()).into_owned(),
        None => standard.to_owned(),
    };
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), max).collect().await?;
    Ok(Answer {
        status,
        reason: tidy(&reason),
        body: body.to_bytes(),
    })
}

/// One line, without what would confuse a log, and not endless.
pub(super) fn tidy(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut text: String = text.trim().chars().map(plain).collect();
    text.truncate(text.floor_char_boundary(REASON_MAX));
    text
}
