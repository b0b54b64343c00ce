//! The connection behind a console: bytes in frames.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BytesMut};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sha1::{Digest as _, Sha1};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::console::Console;
use super::form::{Form, path};
use super::frames::{Kind, PAYLOAD_MAX, head, put};
use super::guests::parts;
use super::http::NoAnswer;
use super::{Client, Fault, Guest, Refusal};
use crate::error::BoxError;

/// What is put behind the key (RFC 6455, section 1.3).
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Pongs that wait to be sent; a peer that pings more often does without some.
const PONGS: usize = 4;

/// A connection to the screen of a guest.
#[derive(Debug)]
pub struct WebSocket(TokioIo<Upgraded>);

impl Client {
    /// Connects to a console, which takes one connection and only for some seconds.
    ///
    /// # Errors
    /// [`Fault::Refused`] where the ticket is not good any more; those of every call.
    pub async fn vncwebsocket(&self, guest: &Guest, console: &Console) -> Result<WebSocket, Fault> {
        let (_, headers) = self.headers(false).await?;
        let key = STANDARD.encode(random::<16>().map_err(lost)?);
        let number = guest.vmid.to_string();
        let form = Form::new()
            .with("port", console.port)
            .with("vncticket", console.ticket.expose());
        let place = path(&parts(guest, &number, &["vncwebsocket"]));
        let mut request = Request::get(format!("/api2/json{place}?{}", form.encoded().expose()))
            .header(HOST, console.endpoint.to_string())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_PROTOCOL, "binary")
            .header(SEC_WEBSOCKET_KEY, &key);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<bytes::Bytes>::new()).map_err(lost)?;
        let stream = match self.shared.http.connect(&console.endpoint).await {
            Ok(stream) => stream,
            Err(NoAnswer::Unconnected(source) | NoAnswer::Lost(source)) => {
                return Err(Fault::Unreachable(source));
            }
        };
        let upgrade = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // Ends when what it became is dropped.
            tokio::spawn(connection.with_upgrades());
            sender.send_request(request).await
        };
        let response = timeout(self.settings().call_timeout, upgrade).await;
        let response = response.map_err(lost)?.map_err(lost)?;
        accepted(&response, &key)?;
        let upgraded = hyper::upgrade::on(response).await.map_err(lost)?;
        Ok(WebSocket(TokioIo::new(upgraded)))
    }
}

/// Whether the other side speaks WebSocket with us.
fn accepted<T>(response: &Response<T>, key: &str) -> Result<(), Fault> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let reason = response.extensions().get::<hyper::ext::ReasonPhrase>();
        let reason = reason.map(|reason| String::from_utf8_lossy(reason.as_bytes()));
        return Err(Fault::Refused(Refusal {
            status: response.status().as_u16(),
            text: super::tidy(&reason.unwrap_or_default()),
            parameters: Vec::new(),
            changes: false,
        }));
    }
    let expected = STANDARD.encode(Sha1::digest(format!("{key}{MAGIC}")));
    let found = response.headers().get(SEC_WEBSOCKET_ACCEPT);
    if found.is_some_and(|found| found.as_bytes() == expected.as_bytes()) {
        return Ok(());
    }
    Err(super::cluster::unreadable("it is no WebSocket of ours"))
}

fn lost(source: impl Into<BoxError>) -> Fault {
    Fault::Lost {
        changes: false,
        source: source.into(),
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

impl WebSocket {
    /// Carries bytes both ways until one side ends.
    ///
    /// # Errors
    /// Where a connection breaks, or the other side does not keep to the rules.
    pub async fn relay(self, stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let (from_node, to_node) = split(self.0);
        let (from_viewer, to_viewer) = split(stream);
        let (pongs, waiting) = mpsc::channel(PONGS);
        tokio::select! {
            ended = down(from_node, to_viewer, pongs) => ended,
            ended = up(from_viewer, to_node, waiting) => ended,
        }
    }
}

/// From the viewer to the node.
async fn up(
    mut from: ReadHalf<impl AsyncRead>,
    mut to: WriteHalf<TokioIo<Upgraded>>,
    mut pongs: mpsc::Receiver<Vec<u8>>,
) -> io::Result<()> {
    let mut bytes = vec![0; PAYLOAD_MAX];
    let mut frame = Vec::new();
    loop {
        frame.clear();
        tokio::select! {
            read = from.read(&mut bytes) => match read? {
                0 => {
                    put(Kind::Close, random()?, &1000_u16.to_be_bytes(), &mut frame);
                    to.write_all(&frame).await?;
                    return to.shutdown().await;
                }
                count => put(Kind::Data, random()?, &bytes[..count], &mut frame),
            },
            Some(pong) = pongs.recv() => put(Kind::Pong, random()?, &pong, &mut frame),
        }
        to.write_all(&frame).await?;
    }
}

/// From the node to the viewer.
async fn down(
    mut from: ReadHalf<TokioIo<Upgraded>>,
    mut to: WriteHalf<impl AsyncWrite>,
    pongs: mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
    let mut bytes = BytesMut::with_capacity(PAYLOAD_MAX);
    loop {
        let head = loop {
            match head(&bytes).map_err(wrong)? {
                Some((head, size)) => {
                    bytes.advance(size);
                    break head;
                }
                None if from.read_buf(&mut bytes).await? == 0 => return to.shutdown().await,
                None => {}
            }
        };
        match head.kind {
            Kind::Data => pass(&mut from, &mut bytes, head.length, &mut to).await?,
            Kind::Close => return to.shutdown().await,
            Kind::Ping | Kind::Pong => {
                let payload = take(&mut from, &mut bytes, head.length).await?;
                if head.kind == Kind::Ping {
                    // One that finds no place is not missed.
                    let _ = pongs.try_send(payload);
                }
            }
        }
    }
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Passes the payload of a frame on, as it comes.
async fn pass(
    from: &mut ReadHalf<TokioIo<Upgraded>>,
    bytes: &mut BytesMut,
    mut left: u64,
    to: &mut WriteHalf<impl AsyncWrite>,
) -> io::Result<()> {
    while left > 0 {
        if bytes.is_empty() && from.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let here = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        to.write_all(&bytes[..here]).await?;
        bytes.advance(here);
        left -= u64::try_from(here).map_err(io::Error::other)?;
    }
    Ok(())
}

/// The payload of a frame of control, which is short.
async fn take(
    from: &mut ReadHalf<TokioIo<Upgraded>>,
    bytes: &mut BytesMut,
    length: u64,
) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    while bytes.len() < length {
        if from.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(bytes.split_to(length).to_vec())
}
