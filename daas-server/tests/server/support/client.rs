//! A client that behaves like the page, or as a test wants it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderName, ORIGIN, SET_COOKIE};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use super::within;

#[derive(Clone, Debug)]
pub struct Client {
    pub address: SocketAddr,
    pub origin: Option<String>,
    pub cookie: Option<String>,
    pub csrf: Option<String>,
    /// Sent with each request, beside the usual ones.
    pub headers: Vec<(&'static str, String)>,
    /// With it, TLS is spoken.
    pub tls: Option<Arc<ClientConfig>>,
    /// Which address of this machine to come from.
    pub from: Option<IpAddr>,
}

/// What a connection is, below HTTP.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks that it is a problem document, and answers its `detail`.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let document = self.json();
        assert_eq!(document["status"], status);
        assert!(document["title"].is_string() && document["type"].is_string());
        document["detail"].as_str().unwrap_or_default().to_owned()
    }
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            origin: Some(format!("http://{address}")),
            cookie: None,
            csrf: None,
            headers: Vec::new(),
            tls: None,
            from: None,
        }
    }

    /// Comes from an address of this machine, such as 127.0.0.2.
    pub fn from(mut self, address: &str) -> Self {
        self.from = Some(address.parse().unwrap());
        self
    }

    /// One that speaks TLS.
    pub fn secure(address: SocketAddr, tls: Arc<ClientConfig>) -> Self {
        Self {
            origin: Some(format!("https://{address}")),
            tls: Some(tls),
            ..Self::new(address)
        }
    }

    async fn connect(&self) -> Box<dyn Wire> {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(from) = self.from {
            socket.bind((from, 0).into()).unwrap();
        }
        let stream = socket.connect(self.address).await.unwrap();
        match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = self.address.ip().into();
                let connect = TlsConnector::from(tls.clone()).connect(name, stream);
                Box::new(within(connect).await.unwrap())
            }
        }
    }

    pub async fn log_in(&mut self, username: &str, password: &str) -> Value {
        let body = json!({"username": username, "password": password});
        let answer = self.post("/api/v1/session", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").split(';').next();
        self.cookie = cookie.map(str::to_owned);
        let session = answer.json();
        self.csrf = session["csrf_token"].as_str().map(str::to_owned);
        session
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body.to_string())).await
    }

    pub async fn act(&self, path: &str) -> Answer {
        self.send("POST", path, None).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<String>) -> Answer {
        let response = self.open(method, path, body).await;
        let (head, body) = response.into_parts();
        let body = within(body.collect()).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        }
    }

    /// Sends a request, and answers as soon as the head of the answer is there.
    pub async fn open(&self, method: &str, path: &str, body: Option<String>) -> Response<Incoming> {
        let io = TokioIo::new(self.connect().await);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        within(sender.send_request(self.request(method, path, body)))
            .await
            .unwrap()
    }

    fn request(&self, method: &str, path: &str, body: Option<String>) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(path);
        let own = [
            (HOST, Some(self.address.to_string())),
            (ORIGIN, self.origin.clone().filter(|_| method != "GET")),
            (COOKIE, self.cookie.clone()),
            (HeaderName::from_static("x-csrf-token"), self.csrf.clone()),
            (
                CONTENT_TYPE,
                body.as_ref().map(|_| "application/json".to_owned()),
            ),
        ];
        for (name, value) in own {
            let replaced = self.headers.iter().any(|(other, _)| name == *other);
            if let Some(value) = value.filter(|_| !replaced) {
                request = request.header(name, value);
            }
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(body.unwrap_or_default().into()).unwrap()
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// The name of the cookie that an answer sets, and its attributes.
pub fn cookie(answer: &Answer) -> (String, Vec<String>) {
    let text = answer.headers[SET_COOKIE].to_str().unwrap();
    let mut parts = text.split("; ").map(str::to_owned);
    let name = parts.next().unwrap();
    (name.split('=').next().unwrap().to_owned(), parts.collect())
}

/// Sends bytes as they are, and answers all that comes back until the server hangs up.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // The server may hang up on bytes that it did not read.
    drop(within(stream.read_to_end(&mut answer)).await);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Events of a stream, one by one.
pub struct Events {
    body: Incoming,
    text: String,
}

impl Events {
    pub async fn open(client: &Client) -> Self {
        let response = client.open("GET", "/api/v1/events", None).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut events = Self {
            body: response.into_body(),
            text: String::new(),
        };
        assert_eq!(events.next().await.unwrap().0, "hello");
        events
    }

    /// The next event and its data, or nothing at the end.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let mut lines = event.lines();
                let Some(name) = lines.next().and_then(|line| line.strip_prefix("event: ")) else {
                    continue;
                };
                let data = lines.next().and_then(|line| line.strip_prefix("data: "));
                return Some((name.to_owned(), serde_json::from_str(data?).unwrap()));
            }
            let frame = within(self.body.frame()).await?.ok()?;
            let bytes = frame.into_data().ok()?;
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}
