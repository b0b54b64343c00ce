//! HTTP as pveproxy speaks it, with what it does not take.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::faults::Action;
use super::{Shared, api, websocket};

pub type Stream = BufReader<StreamOwned<ServerConnection, TcpStream>>;

/// Most that pveproxy takes.
const HEADERS_MAX: usize = 64;
const LINE_MAX: u64 = 8 * 1024;
const BODY_MAX: usize = 512 * 1024;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// By names in lower case.
    pub headers: BTreeMap<String, String>,
    pub params: BTreeMap<String, String>,
}

/// Why something is refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    pub reason: String,
    pub errors: Option<Value>,
    /// Not even JSON comes with it.
    pub is_bare: bool,
}

impl Refusal {
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            errors: None,
            is_bare: false,
        }
    }

    /// What dies inside.
    pub fn died(reason: impl Into<String>) -> Self {
        Self::new(500, reason)
    }

    pub fn bare(status: u16, reason: impl Into<String>) -> Self {
        Self {
            is_bare: true,
            ..Self::new(status, reason)
        }
    }

    pub fn parameter(name: &str, wrong: &str) -> Self {
        Self {
            errors: Some(json!({ name: wrong })),
            ..Self::new(400, "Parameter verification failed.")
        }
    }
}

pub type Answer = Result<Value, Refusal>;

pub fn serve(stream: TcpStream, tls: Arc<ServerConfig>, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // Who says nothing is given up, so that threads end.
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let request = match read(&mut stream)? {
        Ok(request) => request,
        Err(refusal) => return write(&mut stream, shared, &Err(refusal)),
    };
    let fault = {
        let mut world = shared.world();
        let path = request.path.clone();
        world.calls.push((request.method.clone(), path));
        world.faults.of(&request.method, &request.path)
    };
    answer(stream, shared, &request, fault)
}

fn answer(
    mut stream: Stream,
    shared: &Arc<Shared>,
    request: &Request,
    fault: Option<Action>,
) -> io::Result<()> {
    match &fault {
        Some(Action::DropBefore) => return cut(&stream),
        Some(Action::DoneLater(long)) => {
            cut(&stream)?;
            thread::sleep(*long);
            // Nobody hears what comes of it.
            drop(api::done(shared, request, &None));
            return Ok(());
        }
        Some(Action::Refuse(status, reason)) => {
            return write(&mut stream, shared, &Err(refused(*status, reason)));
        }
        Some(Action::Expire) => shared.world().tickets.clear(),
        _ => {}
    }
    if request.path.ends_with("/vncwebsocket") {
        return websocket::serve(stream, shared, request);
    }
    enter(shared);
    let done = api::done(shared, request, &fault);
    let is_401 = matches!(&done, Err(refusal) if refusal.status == 401);
    if is_401 {
        let long = shared.world().timing.refusal;
        thread::sleep(long);
    }
    let done = match fault {
        Some(Action::DropAfter) => {
            leave(shared);
            return cut(&stream);
        }
        Some(Action::Delay(long)) => {
            thread::sleep(long);
            done
        }
        Some(Action::RefuseAfter(status, reason)) => Err(refused(status, &reason)),
        _ => done,
    };
    // Before whoever has the answer can ask again.
    leave(shared);
    write(&mut stream, shared, &done)
}

fn refused(status: u16, reason: &str) -> Refusal {
    match status {
        401 | 595.. => Refusal::bare(status, reason),
        _ => Refusal::new(status, reason),
    }
}

fn enter(shared: &Shared) {
    let mut world = shared.world();
    world.in_flight += 1;
    world.in_flight_most = world.in_flight_most.max(world.in_flight);
}

fn leave(shared: &Shared) {
    shared.world().in_flight -= 1;
}

/// Ends a connection without a word of TLS.
fn cut(stream: &Stream) -> io::Result<()> {
    stream.get_ref().sock.shutdown(std::net::Shutdown::Both)
}

fn line(stream: &mut Stream) -> io::Result<String> {
    let mut bytes = Vec::new();
    stream.take(LINE_MAX).read_until(b'\n', &mut bytes)?;
    if bytes.last() != Some(&b'\n') {
        // The real one does not answer either.
        thread::sleep(Duration::from_secs(30));
        return Err(io::ErrorKind::InvalidData.into());
    }
    let text = String::from_utf8(bytes).map_err(io::Error::other)?;
    Ok(text.trim_end().to_owned())
}

/// Reads a request, or answers what is wrong with it.
fn read(stream: &mut Stream) -> io::Result<Result<Request, Refusal>> {
    let first = line(stream)?;
    let words: Vec<&str> = first.split(' ').collect();
    let [method, target, "HTTP/1.1" | "HTTP/1.0"] = words[..] else {
        return Ok(Err(Refusal::bare(
            506,
            "http protocol version not supported",
        )));
    };
    let mut headers = BTreeMap::new();
    loop {
        let header = line(stream)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        if headers.len() > HEADERS_MAX {
            thread::sleep(Duration::from_secs(30));
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        params: form(query),
    };
    Ok(read_body(stream, &mut request)?.map(|()| request))
}

fn read_body(stream: &mut Stream, request: &mut Request) -> io::Result<Result<(), Refusal>> {
    if request.headers.contains_key("transfer-encoding") {
        let reason = "chunked transfer encoding not supported";
        return Ok(Err(Refusal::bare(501, reason)));
    }
    let length = request.headers.get("content-length");
    let length: usize = length
        .map_or(Ok(0), |length| length.parse())
        .unwrap_or(usize::MAX);
    if length == 0 {
        return Ok(Ok(()));
    }
    if !matches!(request.method.as_str(), "POST" | "PUT") {
        let reason = format!("Unexpected content for method '{}'", request.method);
        return Ok(Err(Refusal::bare(501, reason)));
    }
    if length > BODY_MAX {
        return Ok(Err(Refusal::bare(501, "for data too large")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let text = String::from_utf8_lossy(&body);
    let kind = request
        .headers
        .get("content-type")
        .cloned()
        .unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        request.params.extend(form(&text));
    } else if kind.starts_with("application/json") {
        let values: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        let plain = values.into_iter().map(|(key, value)| match value {
            Value::String(text) => (key, text),
            Value::Bool(truth) => (key, u8::from(truth).to_string()),
            other => (key, other.to_string()),
        });
        request.params.extend(plain);
    } else {
        return Ok(Err(Refusal::bare(506, "upload 'other' not allowed")));
    }
    Ok(Ok(()))
}

/// Parameters of a form.
fn form(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .map(|(name, value)| {
            (
                decoded(&name.replace('+', " ")),
                decoded(&value.replace('+', " ")),
            )
        })
        .collect()
}

pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn write(stream: &mut Stream, shared: &Shared, done: &Answer) -> io::Result<()> {
    let has_message = !shared.world().version.starts_with('7');
    let (status, reason, body) = match done {
        Ok(data) => (200, "OK".to_owned(), json!({ "data": data }).to_string()),
        Err(refusal) if refusal.is_bare => (refusal.status, refusal.reason.clone(), String::new()),
        Err(refusal) => {
            let mut body = json!({ "data": null });
            if has_message {
                body["message"] = format!("{}\n", refusal.reason).into();
            }
            if let Some(errors) = &refusal.errors {
                body["errors"] = errors.clone();
            }
            (refusal.status, refusal.reason.clone(), body.to_string())
        }
    };
    // A status line is one line.
    let reason = reason.lines().next().unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nConnection: close\r\nServer: pve-api-daemon/3.0\r\n\
         Content-Type: application/json;charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let out = stream.get_mut();
    out.write_all(head.as_bytes())?;
    out.write_all(body.as_bytes())?;
    out.flush()?;
    out.conn.send_close_notify();
    out.flush()
}

/// Whether the program is about to end.
pub fn is_over(shared: &Shared) -> bool {
    shared.is_over.load(Ordering::SeqCst)
}
