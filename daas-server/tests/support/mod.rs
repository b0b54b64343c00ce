//! A server of WebSockets, and clients that write raw frames.

#![allow(dead_code, unreachable_pub, reason = "not every test uses all of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daas_server::websocket::{Origins, Socket, accept};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const ORIGIN: &str = "https://desktops.example";
/// Longest wait for anything.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {DEADLINE:?}"),
    }
}

/// Serves requests, each by a function, on a free port.
pub async fn serve<F, R>(answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let answer = Arc::clone(&answer);
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection.with_upgrades());
        }
    });
    address
}

/// Serves WebSockets, each by a function.
pub async fn serve_sockets<F, R>(each: F) -> SocketAddr
where
    F: Fn(Socket) -> R + Send + Sync + Clone + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    serve(move |mut request| {
        let each = each.clone();
        async move {
            match accept(&mut request, &Origins::new([ORIGIN])) {
                Ok((response, socket)) => {
                    tokio::spawn(async move { each(socket.await.unwrap()).await });
                    response.map(|()| Full::default())
                }
                Err(refusal) => {
                    let mut response = Response::new(Full::from(refusal.reason));
                    *response.status_mut() = refusal.status;
                    if let Some((name, value)) = refusal.header {
                        response.headers_mut().insert(name, value);
                    }
                    response
                }
            }
        }
    })
    .await
}

/// The head of a good request, line by line.
pub fn head(path: &str) -> Vec<String> {
    let origin = "https://desktops.example";
    head_of(path, "desktops.example", Some(origin), None)
}

/// The same to a host, from a page with an origin and with a cookie.
pub fn head_of(
    path: &str,
    host: impl Display,
    origin: Option<&str>,
    cookie: Option<&str>,
) -> Vec<String> {
    let mut lines = vec![format!("GET {path} HTTP/1.1"), format!("Host: {host}")];
    let headers = [
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: guacamole",
    ];
    lines.extend(headers.map(str::to_owned));
    lines.extend(origin.map(|origin| format!("Origin: {origin}")));
    lines.extend(cookie.map(|cookie| format!("Cookie: {cookie}")));
    lines
}

/// Sends the head of a request, and reads that of the answer.
pub async fn request(address: SocketAddr, lines: &[String]) -> (TcpStream, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    request_over(stream, lines).await
}

/// The same over a connection that is there.
pub async fn request_over<S>(mut stream: S, lines: &[String]) -> (S, String)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let head = format!("{}\r\n\r\n", lines.join("\r\n"));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = soon("answer", stream.read_u8()).await;
        answer.push(byte.unwrap());
    }
    (
        stream,
        String::from_utf8(answer).unwrap().to_ascii_lowercase(),
    )
}

/// A client that writes frames byte by byte.
pub struct Client<S = TcpStream> {
    pub stream: S,
}

/// A frame of the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub first: u8,
    pub data: Vec<u8>,
}

impl Frame {
    pub fn text(&self) -> &str {
        assert_eq!(self.first, 0x81, "{self:?}");
        std::str::from_utf8(&self.data).unwrap()
    }

    /// Code and reason of a close frame.
    pub fn close(&self) -> (u16, &str) {
        assert_eq!(self.first, 0x88, "{self:?}");
        let code = u16::from_be_bytes([self.data[0], self.data[1]]);
        (code, std::str::from_utf8(&self.data[2..]).unwrap())
    }
}

impl Client {
    pub async fn connect(address: SocketAddr, path: &str) -> Self {
        let (stream, answer) = request(address, &head(path)).await;
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        assert!(answer.contains("sec-websocket-protocol: guacamole\r\n"));
        Self { stream }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub async fn write(&mut self, bytes: &[u8]) {
        soon("write", self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends a masked frame.
    pub async fn frame(&mut self, first: u8, data: &[u8]) {
        self.write(&frame(first, data)).await;
    }

    pub async fn text(&mut self, text: &str) {
        self.frame(0x81, text.as_bytes()).await;
    }

    /// The next frame, or none at the end of the stream.
    pub async fn read(&mut self) -> Option<Frame> {
        soon("frame", async {
            let first = self.stream.read_u8().await.ok()?;
            let length = match self.stream.read_u8().await.ok()? {
                126 => self.stream.read_u16().await.ok()?.into(),
                127 => self.stream.read_u64().await.ok()?,
                short => {
                    assert!(short < 126, "a masked frame of the server");
                    short.into()
                }
            };
            let mut data = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut data).await.ok()?;
            Some(Frame { first, data })
        })
        .await
    }

    pub async fn next(&mut self) -> Frame {
        self.read().await.expect("a frame")
    }
}

pub fn frame(first: u8, data: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = vec![first];
    match data.len() {
        length @ 0..126 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..65536 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(
        data.iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}
