//! The way to the screen of a guest: takes frames as pveproxy does, greets as a VNC server
//! does, and then says back what it is told.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use super::api::who;
use super::http::{Refusal, Request, Stream, is_over};

const FRAME_MAX: usize = 128 * 1024;

pub fn serve(mut stream: Stream, shared: &Arc<Shared>, request: &Request) -> io::Result<()> {
    match take(shared, request) {
        Ok(()) => {}
        Err(refusal) => {
            let head = format!(
                "HTTP/1.1 {} {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                refusal.status, refusal.reason
            );
            stream.get_mut().write_all(head.as_bytes())?;
            return stream.get_mut().flush();
        }
    }
    let key = request
        .headers
        .get("sec-websocket-key")
        .cloned()
        .unwrap_or_default();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: binary\r\n\r\n",
        accept(&key)
    );
    stream.get_mut().write_all(head.as_bytes())?;
    let screen = shared.world().screen.clone();
    if let Some(screen) = screen {
        return screen.relay(&mut stream);
    }
    send(&mut stream, b"RFB 003.008\n")?;
    while !is_over(shared) {
        match receive(&mut stream) {
            Ok(Some(payload)) => send(&mut stream, &payload)?,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                shared.world().bad_frames.push(error.to_string());
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn accept(key: &str) -> String {
    use base64::Engine as _;
    use sha1::Digest as _;
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64::engine::general_purpose::STANDARD.encode(sha1::Sha1::digest(text))
}

/// Takes the console that a request is for: it is for one connection.
fn take(shared: &Shared, request: &Request) -> Result<(), Refusal> {
    let mut world = shared.world();
    world.tick();
    let user = who(&world, request)?;
    let get = |name: &str| {
        request
            .params
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    };
    let port: u16 = get("port").parse().unwrap_or(0);
    let asks = |name: &str, wanted: &str| {
        let value = request
            .headers
            .get(name)
            .map(|value| value.to_ascii_lowercase());
        value.is_some_and(|value| value.contains(wanted))
    };
    let is_upgrade = asks("upgrade", "websocket")
        && asks("connection", "upgrade")
        && asks("sec-websocket-version", "13")
        && asks("sec-websocket-protocol", "binary");
    if !is_upgrade {
        return Err(Refusal::bare(400, "no upgrade"));
    }
    let parts: Vec<&str> = request.path.split('/').collect();
    let vmid = parts
        .iter()
        .rev()
        .nth(1)
        .and_then(|text| text.parse::<u32>().ok());
    let console = world.consoles.get(&port);
    let fits = console.is_some_and(|console| {
        console.ticket == get("vncticket")
            && console.user == user
            && Some(console.vmid) == vmid
            && console.until > Instant::now()
    });
    if !fits {
        return Err(Refusal::bare(
            401,
            "permission denied - invalid PVEVNC ticket",
        ));
    }
    world.consoles.remove(&port);
    Ok(())
}

pub(super) fn send(stream: &mut Stream, payload: &[u8]) -> io::Result<()> {
    let mut frame = vec![0x82];
    match payload.len() {
        length @ 0..=125 => frame.push(u8::try_from(length).unwrap()),
        length @ 126..=0xFFFF => {
            frame.push(126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend(payload);
    stream.get_mut().write_all(&frame)?;
    stream.get_mut().flush()
}

fn bad(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

/// The payload of a frame; `None` at the end.
pub(super) fn receive(stream: &mut Stream) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head)?;
    let opcode = head[0] & 15;
    if head[0] & 0x80 == 0 || opcode == 0 {
        return Err(bad("a fragment"));
    }
    if head[0] & 0x70 != 0 {
        return Err(bad("an extension"));
    }
    if head[1] & 0x80 == 0 {
        return Err(bad("no mask"));
    }
    let length = match head[1] & 0x7F {
        126 => {
            let mut bytes = [0; 2];
            stream.read_exact(&mut bytes)?;
            usize::from(u16::from_be_bytes(bytes))
        }
        127 => {
            let mut bytes = [0; 8];
            stream.read_exact(&mut bytes)?;
            usize::try_from(u64::from_be_bytes(bytes)).unwrap_or(usize::MAX)
        }
        length => usize::from(length),
    };
    if length > FRAME_MAX {
        return Err(bad("a frame that is too long"));
    }
    let mut mask = [0; 4];
    stream.read_exact(&mut mask)?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    match opcode {
        2 => Ok(Some(payload)),
        8 => Ok(None),
        9 | 10 => receive(stream),
        _ => Err(bad("an opcode that is neither binary nor control")),
    }
}
