//! A viewer of VNC that does nothing but copy and paste, with the Extended Clipboard (RFB,
//! pseudo-encoding -1063131698; `rfbproto.rst` of the community's specification).

use std::io::{Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::Outside;
use super::guacd::soon;

const EXTENDED_CLIPBOARD: i32 = -1_063_131_698;
const CUT_TEXT: u8 = 6;
const TEXT: u32 = 1;
const CAPS: u32 = 1 << 24;
const REQUEST: u32 = 1 << 25;
const NOTIFY: u32 = 1 << 27;
const PROVIDE: u32 = 1 << 28;

/// How a viewer wants text from the desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// At once, as libvncclient does, which says nothing of its capabilities.
    Pushed,
    /// Word that there is some; then it asks for it.
    Notified,
}

/// Logs in to a desktop.
pub async fn view(address: IpAddr, password: &str, wants: Wants) -> Outside {
    let mut stream = TcpStream::connect((address, 5901)).await.unwrap();
    log_in(&mut stream, password).await;
    initialise(&mut stream).await;
    let (reader, mut writer) = stream.into_split();
    let (to_desktop, mut texts) = mpsc::unbounded_channel::<String>();
    let (out, mut messages) = mpsc::unbounded_channel();
    let (received, from_desktop) = mpsc::unbounded_channel();
    let also_out = out.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(text) = texts.recv().await {
            also_out.send(message(NOTIFY | TEXT, &[])).unwrap();
            also_out.send(provide(&text)).unwrap();
        }
    });
    tasks.spawn(async move { write(&mut writer, &mut messages).await });
    let ready = Arc::new(Notify::new());
    tasks.spawn(read(reader, wants, out, received, Arc::clone(&ready)));
    // The desktop knows the extension once it has said what it can do itself.
    soon("capabilities", ready.notified()).await;
    Outside {
        to_desktop,
        from_desktop,
        _tasks: tasks,
    }
}

async fn log_in(stream: &mut TcpStream, password: &str) {
    let mut version = [0; 12];
    stream.read_exact(&mut version).await.unwrap();
    stream.write_all(b"RFB 003.008\n").await.unwrap();
    let mut types = vec![0; usize::from(stream.read_u8().await.unwrap())];
    stream.read_exact(&mut types).await.unwrap();
    assert!(types.contains(&2), "no VNC authentication: {types:?}");
    stream.write_u8(2).await.unwrap();
    let mut challenge = [0; 16];
    stream.read_exact(&mut challenge).await.unwrap();
    stream
        .write_all(&response(challenge, password))
        .await
        .unwrap();
    assert_eq!(stream.read_u32().await.unwrap(), 0, "not logged in");
}

/// The challenge, encrypted with the password, the bits of whose bytes are in reverse.
fn response(mut challenge: [u8; 16], password: &str) -> [u8; 16] {
    let mut key = [0; 8];
    for (to, from) in key.iter_mut().zip(password.bytes()) {
        *to = from.reverse_bits();
    }
    let cipher = Des::new(&key.into());
    for block in challenge.chunks_exact_mut(8) {
        let mut bytes: [u8; 8] = (&*block).try_into().unwrap();
        cipher.encrypt_block((&mut bytes).into());
        block.copy_from_slice(&bytes);
    }
    challenge
}

async fn initialise(stream: &mut TcpStream) {
    stream.write_u8(1).await.unwrap();
    let mut server = [0; 24];
    stream.read_exact(&mut server).await.unwrap();
    let length = u32::from_be_bytes(server[20..].try_into().unwrap());
    let mut name = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut name).await.unwrap();
    let encodings = [0, EXTENDED_CLIPBOARD];
    stream.write_all(&[2, 0, 0, 2]).await.unwrap();
    for encoding in encodings {
        stream.write_i32(encoding).await.unwrap();
    }
}

async fn write(writer: &mut OwnedWriteHalf, messages: &mut mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(message) = messages.recv().await {
        if writer.write_all(&message).await.is_err() {
            return;
        }
    }
}

/// Reads until the connection ends. As no picture is ever asked for, only cut text and bells
/// come.
async fn read(
    mut reader: OwnedReadHalf,
    wants: Wants,
    out: mpsc::UnboundedSender<Vec<u8>>,
    received: mpsc::UnboundedSender<String>,
    ready: Arc<Notify>,
) {
    while let Ok(kind) = reader.read_u8().await {
        match kind {
            2 => continue,
            3 => {}
            other => panic!("message {other} of the desktop"),
        }
        reader.read_exact(&mut [0; 3]).await.unwrap();
        let length = reader.read_i32().await.unwrap();
        assert!(length <= -4, "cut text without the extension");
        let flags = reader.read_u32().await.unwrap();
        let mut body = vec![0; usize::try_from(-length - 4).unwrap()];
        reader.read_exact(&mut body).await.unwrap();
        if flags & CAPS != 0 {
            ready.notify_one();
        }
        if let Some(message) = react(flags, &body, wants, &received) {
            out.send(message).unwrap();
        }
    }
}

/// Takes a message of the clipboard; answers what to say to it.
fn react(
    flags: u32,
    body: &[u8],
    wants: Wants,
    received: &mpsc::UnboundedSender<String>,
) -> Option<Vec<u8>> {
    if flags & CAPS != 0 {
        let own = CAPS | REQUEST | NOTIFY | PROVIDE | TEXT;
        return (wants == Wants::Notified).then(|| message(own, &[0; 4]));
    }
    if flags & PROVIDE != 0 {
        // The test may have ended.
        let _ = received.send(provided(body));
    }
    let is_offer = flags & NOTIFY != 0 && flags & TEXT != 0;
    is_offer.then(|| message(REQUEST | TEXT, &[]))
}

fn message(flags: u32, body: &[u8]) -> Vec<u8> {
    let length = -i32::try_from(body.len() + 4).unwrap();
    let mut message = vec![CUT_TEXT, 0, 0, 0];
    message.extend(length.to_be_bytes());
    message.extend(flags.to_be_bytes());
    message.extend(body);
    message
}

fn provide(text: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let length = u32::try_from(text.len() + 1).unwrap();
    encoder.write_all(&length.to_be_bytes()).unwrap();
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.write_all(&[0]).unwrap();
    message(PROVIDE | TEXT, &encoder.finish().unwrap())
}

fn provided(body: &[u8]) -> String {
    let mut decoder = ZlibDecoder::new(body);
    let mut length = [0; 4];
    decoder.read_exact(&mut length).unwrap();
    let mut text = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    decoder.read_exact(&mut text).unwrap();
    assert_eq!(text.pop(), Some(0));
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}
