//! The upgrade of a request (RFC 6455, section 4.2).

use std::future::Future;
use std::io::{self, Cursor};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fastwebsockets::upgrade::upgrade;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;

use super::{Limits, Socket};
use crate::http::{Detached, detach};
use daas_core::session::SUBPROTOCOL;

/// Which pages may open a WebSocket. Browsers say which page asks, and send its cookies
/// along whatever it is; so all others are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Origins as browsers write them: scheme, host, and the port where it is not that of
    /// the scheme, such as `https://desktops.example`.
    #[must_use]
    pub fn new(origins: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let lower = |origin: &str| origin.trim_end_matches('/').to_ascii_lowercase();
        let origins = origins.into_iter();
        Self(origins.map(|origin| lower(origin.as_ref())).collect())
    }

    /// Whether it is one of them. `null`, which stands for pages that have no origin, is
    /// none, even where it was listed.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        origin != "null" && self.0.contains(&origin)
    }
}

/// Why a request does not become a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status to answer with.
    pub status: StatusCode,
    /// Why, in plain words.
    pub reason: &'static str,
    /// A header that the answer needs.
    pub header: Option<(HeaderName, HeaderValue)>,
}

fn refuse(status: StatusCode, reason: &'static str) -> Refusal {
    Refusal {
        status,
        reason,
        header: None,
    }
}

/// Checks a request for a tunnel. Answers the response to send, and what becomes the
/// socket once that is sent; it has to be awaited in a task of its own, and the connection
/// served with upgrades.
///
/// # Errors
/// Where it is no upgrade to a WebSocket, comes from another page, or does not ask for the
/// subprotocol.
pub fn accept<B>(
    request: &mut Request<B>,
    origins: &Origins,
) -> Result<
    (
        Response<()>,
        impl Future<Output = Result<Socket, String>> + Send + 'static + use<B>,
    ),
    Refusal,
> {
    check_upgrade(request)?;
    check_origin(request.headers(), origins)?;
    check_subprotocol(request.headers())?;
    let (response, upgraded) =
        upgrade(request).map_err(|_| refuse(StatusCode::BAD_REQUEST, "not a WebSocket"))?;
    let mut response = response.map(|_| ());
    // Without it browsers close the connection at once.
    response.headers_mut().insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    let socket = async {
        let upgraded = upgraded.await.map_err(|error| error.to_string())?;
        let upgraded = upgraded.into_inner().into_inner();
        socket(upgraded).map_err(|error| error.to_string())
    };
    Ok((response, socket))
}

/// The connection is taken over by the runtime that this is called on. Frames may have come
/// with the request already.
fn socket(upgraded: Upgraded) -> io::Result<Socket> {
    let (stream, read) = match below(upgraded) {
        Ok(below) => below,
        Err(upgraded) => return Ok(Socket::new(TokioIo::new(upgraded), Limits::TUNNEL)),
    };
    Ok(match stream.adopt()? {
        Detached::Tcp(stream) => {
            let (reader, writer) = stream.into_split();
            joined(Cursor::new(read).chain(reader), writer)
        }
        Detached::Tls(stream) => {
            let (reader, writer) = tokio::io::split(stream);
            joined(Cursor::new(read).chain(reader), writer)
        }
    })
}

fn joined(
    reader: impl AsyncRead + Unpin + Send + 'static,
    writer: impl AsyncWrite + Unpin + Send + 'static,
) -> Socket {
    Socket::new(tokio::io::join(reader, writer), Limits::TUNNEL)
}

/// The connection below, of this server or of a plain one of hyper, and what was read from
/// it.
fn below(upgraded: Upgraded) -> Result<(Detached, Bytes), Upgraded> {
    detach(upgraded).or_else(|upgraded| {
        let parts = upgraded.downcast::<TokioIo<TcpStream>>()?;
        Ok((Detached::Tcp(parts.io.into_inner()), parts.read_buf))
    })
}

fn check_upgrade<B>(request: &Request<B>) -> Result<(), Refusal> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET"));
    }
    if request.version() != Version::HTTP_11
        || !has_token(headers, &CONNECTION, "upgrade")
        || !has_token(headers, &UPGRADE, "websocket")
    {
        return Err(Refusal {
            header: Some((UPGRADE, HeaderValue::from_static("websocket"))),
            ..refuse(StatusCode::UPGRADE_REQUIRED, "only for WebSockets")
        });
    }
    if only(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Refusal {
            header: Some((SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))),
            ..refuse(StatusCode::UPGRADE_REQUIRED, "only WebSocket version 13")
        });
    }
    let key = only(headers, &SEC_WEBSOCKET_KEY).map(|key| STANDARD.decode(key));
    match key {
        Some(Ok(key)) if key.len() == 16 => Ok(()),
        _ => Err(refuse(StatusCode::BAD_REQUEST, "WebSocket key is no key")),
    }
}

fn check_origin(headers: &HeaderMap, origins: &Origins) -> Result<(), Refusal> {
    match only(headers, &ORIGIN) {
        Some(origin) if origins.allows(origin) => Ok(()),
        _ => Err(refuse(
            StatusCode::FORBIDDEN,
            "this page may not open a tunnel",
        )),
    }
}

fn check_subprotocol(headers: &HeaderMap) -> Result<(), Refusal> {
    // Case counts here (RFC 6455, section 4.1).
    let asked = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).any(|token| token == SUBPROTOCOL);
    asked.then_some(()).ok_or(refuse(
        StatusCode::BAD_REQUEST,
        "the subprotocol is not asked for",
    ))
}

/// The value of a header that is there exactly once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(str::trim)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}
