//! The client's side of a WebSocket, as small as it can be: it costs the same for all
//! servers, and little.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Result;

/// What takes part in every mask; servers have to undo any.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
/// Most bytes of the head of an answer.
const HEAD_MAX: usize = 4096;

/// Opens a WebSocket, with more lines in the head of the request. Answers what was read beyond the head, too.
///
/// # Errors
/// Where the server does not answer as it has to.
pub(super) async fn open(
    address: SocketAddr,
    path: &str,
    more: &str,
) -> Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: guacamole\r\n{more}\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let (mut answer, mut room) = (Vec::new(), [0; HEAD_MAX]);
    loop {
        let length = stream.read(&mut room).await?;
        answer.extend_from_slice(&room[..length]);
        if let Some(at) = answer.windows(4).position(|end| end == b"\r\n\r\n") {
            let rest = answer.split_off(at + 4);
            return match answer.starts_with(b"HTTP/1.1 101 ") {
                true => Ok((stream, rest)),
                false => Err(format!("not upgraded: {}", answer.escape_ascii()).into()),
            };
        }
        if length == 0 || answer.len() > HEAD_MAX {
            return Err("no answer to the request for a WebSocket".into());
        }
    }
}

/// Adds a text message of a client.
pub(super) fn put_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(0x81);
    match u8::try_from(text.len()) {
        Ok(length) if length < 126 => out.push(0x80 | length),
        // What a client says here is short.
        _ => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(text.len() as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    let masked = text.iter().zip(MASK.iter().cycle());
    out.extend(masked.map(|(byte, mask)| byte ^ mask));
}

/// A part of a message of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'b> {
    /// Text; whether a message begins with it.
    Text(&'b [u8], bool),
    /// The server closes the connection, or says what is not expected of it.
    Close,
}

/// Takes frames of a server apart, in parts of any length.
#[derive(Debug, Default)]
pub(super) struct Deframer {
    head: Vec<u8>,
    /// Bytes of the present frame that have yet to come.
    left: usize,
    begins: bool,
}

impl Deframer {
    /// The next part of the bytes, which loses it.
    pub(super) fn next<'b>(&mut self, bytes: &mut &'b [u8]) -> Option<Part<'b>> {
        while self.left == 0 {
            let (&byte, rest) = bytes.split_first()?;
            *bytes = rest;
            self.head.push(byte);
            let Some(length) = length(&self.head) else {
                continue;
            };
            let first = self.head[0];
            self.head.clear();
            // Text, or its continuation.
            if first & 0x7F > 1 {
                return Some(Part::Close);
            }
            (self.left, self.begins) = (length, first & 0x0F == 1);
        }
        let (part, rest) = bytes.split_at(self.left.min(bytes.len()));
        if part.is_empty() {
            return None;
        }
        *bytes = rest;
        self.left -= part.len();
        Some(Part::Text(part, std::mem::take(&mut self.begins)))
    }
}

/// Length of the data of a frame without mask, once its head is whole.
fn length(head: &[u8]) -> Option<usize> {
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |all, &byte| all << 8 | usize::from(byte))
    };
    match *head {
        [_, length @ 0..126] => Some(length.into()),
        [_, 126, ref long @ ..] if long.len() == 2 => Some(number(long)),
        [_, 127, ref long @ ..] if long.len() == 8 => Some(number(long)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(deframer: &mut Deframer, mut bytes: &[u8]) -> (Vec<u8>, usize) {
        let (mut text, mut messages) = (Vec::new(), 0);
        while let Some(part) = deframer.next(&mut bytes) {
            match part {
                Part::Text(part, begins) => {
                    text.extend_from_slice(part);
                    messages += usize::from(begins);
                }
                Part::Close => text.extend_from_slice(b" closed"),
            }
        }
        (text, messages)
    }

    #[test]
    fn frames_of_all_lengths_however_they_are_cut() {
        let long = [b'x'; 300];
        let mut bytes = b"\x81\x03abc\x81\x00".to_vec();
        bytes.extend_from_slice(b"\x81\x7E\x01\x2C");
        bytes.extend_from_slice(&long);
        bytes.extend_from_slice(b"\x81\x7F\0\0\0\0\0\0\x01\x2C");
        bytes.extend_from_slice(&long);
        bytes.extend_from_slice(b"\x88\x00");
        let expected = [&b"abc"[..], &long, &long, b" closed"].concat();
        for size in [1, 2, 3, 7, 100, bytes.len()] {
            let (mut deframer, mut text, mut messages) = (Deframer::default(), Vec::new(), 0);
            for part in bytes.chunks(size) {
                let (more, begun) = read(&mut deframer, part);
                text.extend(more);
                messages += begun;
            }
            assert_eq!((&text, messages), (&expected, 3), "{size}");
        }
    }

    #[test]
    fn what_is_sent_is_masked() {
        let mut out = Vec::new();
        put_text(b"3.nop;", &mut out);
        assert_eq!(&out[..6], b"\x81\x86\x37\xFA\x21\x3D");
        let bare: Vec<u8> = out[6..]
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(b, m)| b ^ m)
            .collect();
        assert_eq!(bare, b"3.nop;");
        out.clear();
        put_text(&[b'a'; 200], &mut out);
        assert_eq!(&out[..4], [0x81, 0xFE, 0, 200]);
        assert_eq!(out.len(), 4 + 4 + 200);
    }
}
