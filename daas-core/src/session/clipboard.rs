//! Text of the clipboard on its way to guacd, re-cut at the borders of characters.
//!
//! guacd 1.6.1 spins for ever on a blob that ends inside a character (SSH), and hangs on a
//! text over 256 KiB that its buffer cuts inside one (VNC): guacamole-server,
//! `src/common/clipboard.c` and `src/common/iconv.c`. So each blob that goes on ends with a
//! character, and so does the whole.

use std::str;

use guac_protocol::instruction::{BLOB_BYTES_MAX, Base64, StatusCode, client};
use guac_protocol::{Encode, Encoder, Limits, Status};

use super::end::Refusal;

/// Most bytes of one text.
pub(super) const TEXT_MAX: usize = 256 * 1024;
/// Most texts that are open at a time; a browser has one clipboard.
const STREAMS: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Clipboard {
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    index: u16,
    /// None where guacd has been told of the end already; the rest is swallowed.
    open: Option<Text>,
}

/// A text that is under way.
#[derive(Debug)]
struct Text {
    /// The beginning of a character; at most three bytes.
    carry: Vec<u8>,
    /// Bytes that may still come.
    left: usize,
}

/// Where the instructions go.
pub(super) struct Ways<'o> {
    pub(super) gateway: &'o mut Vec<u8>,
    pub(super) browser: &'o mut Vec<u8>,
}

impl Clipboard {
    /// A stream was opened. Whether it is to be passed on.
    pub(super) fn open(&mut self, opened: &client::Clipboard<'_>, ways: &mut Ways<'_>) -> bool {
        let index = opened.stream.get();
        self.forget(index);
        if self.streams.len() >= STREAMS {
            refuse(index, "too many clipboards", Status::ClientTooMany, ways);
            return false;
        }
        let is_text = opened.mimetype.as_str().starts_with("text/");
        if !is_text {
            refuse(index, "not a text", Status::ClientBadType, ways);
        }
        let open = is_text.then(|| Text {
            carry: Vec::new(),
            left: TEXT_MAX,
        });
        self.streams.push(Stream { index, open });
        is_text
    }

    /// The index stands for another stream from now on.
    pub(super) fn forget(&mut self, index: u16) {
        self.streams.retain(|stream| stream.index != index);
    }

    /// Data came. Whether it has been taken care of; else it is of another stream.
    pub(super) fn blob(
        &mut self,
        blob: &client::Blob<'_>,
        ways: &mut Ways<'_>,
    ) -> Result<bool, Refusal> {
        let index = blob.stream.get();
        let Some(stream) = self.streams.iter_mut().find(|s| s.index == index) else {
            return Ok(false);
        };
        let base64 = blob.base64().map_err(|_| Refusal::Blob)?;
        if let Some(text) = &mut stream.open
            && !text.add(index, base64, ways)
        {
            stream.open = None;
        }
        Ok(true)
    }

    /// A stream ended. Whether that has been taken care of.
    pub(super) fn end(&mut self, index: u16) -> bool {
        let Some(at) = self.streams.iter().position(|s| s.index == index) else {
            return false;
        };
        // What is carried is not a character, and will not become one.
        self.streams.swap_remove(at).open.is_none()
    }
}

impl Text {
    /// Passes on what is whole. Whether more may come.
    fn add(&mut self, index: u16, base64: Base64<'_>, ways: &mut Ways<'_>) -> bool {
        let mut data = std::mem::take(&mut self.carry);
        let carried = data.len();
        data.resize(carried + base64.decoded_len(), 0);
        let room = data.get_mut(carried..).unwrap_or_default();
        // The room is as long as the data.
        let _ = base64.decode_into(room);
        let (text, valid) = match str::from_utf8(&data) {
            Ok(text) => (text, true),
            Err(error) => {
                let (text, rest) = data.split_at(error.valid_up_to());
                if error.error_len().is_none() {
                    self.carry = rest.to_vec();
                }
                let valid = error.error_len().is_none();
                (str::from_utf8(text).unwrap_or_default(), valid)
            }
        };
        let fits = text.floor_char_boundary(self.left);
        self.left -= fits;
        put_text(index, &text[..fits], ways.gateway);
        if !valid {
            refuse(index, "not UTF-8", Status::ClientBadRequest, ways);
        }
        let goes_on = valid && fits == text.len() && self.left > 0;
        if !goes_on {
            put(
                &client::End {
                    stream: stream(index),
                },
                ways.gateway,
            );
        }
        goes_on
    }
}

fn stream(index: u16) -> guac_protocol::instruction::ClientStream {
    guac_protocol::instruction::ClientStream::new(index).unwrap_or_default()
}

/// Blobs that each end with a character.
fn put_text(index: u16, mut text: &str, out: &mut Vec<u8>) {
    let mut room = [0; Base64::encoded_len(BLOB_BYTES_MAX)];
    while !text.is_empty() {
        let (part, rest) = text.split_at(text.floor_char_boundary(BLOB_BYTES_MAX));
        if let Ok(data) = Base64::encode_into(part.as_bytes(), &mut room) {
            let (stream, data) = (stream(index), data.as_str());
            put(&client::Blob { stream, data }, out);
        }
        text = rest;
    }
}

/// Tells the browser, as guacd would.
fn refuse(index: u16, message: &str, status: Status, ways: &mut Ways<'_>) {
    let (index, code) = (index.to_string(), StatusCode::from(status).0.to_string());
    put(&["ack", &index, message, &code], ways.browser);
}

fn put(instruction: &impl Encode, out: &mut Vec<u8>) {
    // Within the limits by its making.
    let _ = Encoder::new(Limits::GUACD).encode_vec(instruction, out);
}
