//! A guacd that plays scripts: the handshake as guacd does it, then recorded pieces at the
//! rate that the connection asks for, and at the end how much that was.

use std::io;
use std::time::{Duration, Instant};

use guac_protocol::handshake::{ConnectionId, ReceiveBuffer, Server, ServerConfig, ServerEvent};
use guac_protocol::{Encoder, Limits, Opcode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};

use super::script::{Library, Script, Spec};
use super::{Result, now_us};

/// Parameters of VNC that matter to those who connect (guacamole-server,
/// `src/protocols/vnc/settings.c`).
const NAMES: [&str; 6] = [
    "hostname",
    "port",
    "read-only",
    "disable-display-resize",
    "password",
    "clipboard-encoding",
];
const ID: &str = "$0d7c5e1a-0000-4000-8000-000000000000";
/// Bytes that are read at a time; clients say little.
const READ: usize = 4096;

/// Time for the other side to close.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves connections for as long as the process runs.
///
/// # Errors
/// Where no more connections can be accepted.
pub async fn serve(listener: TcpListener, library: Library) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let library = library.clone();
        tokio::spawn(async move {
            if let Err(error) = converse(stream, library).await {
                eprintln!("scripted-guacd: {error}");
            }
        });
    }
}

async fn converse(mut stream: TcpStream, library: Library) -> Result<()> {
    let mut received = ReceiveBuffer::new(Limits::GUACD);
    // Somebody who only looks whether there is a guacd says nothing.
    let Some(spec) = handshake(&mut stream, &mut received).await? else {
        return Ok(());
    };
    let script = library.script(spec.kind);
    let (reader, writer) = stream.into_split();
    let asked = Notify::new();
    let listening = listen(reader, received, &asked);
    let playing = play(&script, spec, writer, &asked);
    tokio::select! {
        heard = listening => heard,
        // Whoever leaves in the middle does not take what is still on its way.
        _ = playing => Ok(()),
    }
}

/// All up to `ready`; nothing where the client leaves before.
async fn handshake(stream: &mut TcpStream, received: &mut ReceiveBuffer) -> Result<Option<Spec>> {
    let (start, mut out) = (Instant::now(), Vec::new());
    let mut server = Server::new(Duration::ZERO, ServerConfig::default());
    loop {
        let mut spec = None;
        while let Some(instruction) = received.poll_instruction()? {
            let now = start.elapsed();
            match server.handle_instruction(now, &instruction)? {
                ServerEvent::Select(_) => server.write_args(now, &NAMES, &mut out)?,
                ServerEvent::Connect(connect) => {
                    let password = connect
                        .parameters(&NAMES)
                        .find(|(name, _)| *name == "password");
                    spec = Some(password.map_or("", |(_, value)| value).parse()?);
                    server.write_ready(ConnectionId::new(ID)?, &mut out)?
                }
                _ => 0,
            };
            if spec.is_some() {
                break;
            }
        }
        stream.write_all(&out).await?;
        out.clear();
        if spec.is_some() {
            return Ok(spec);
        }
        let mut room = [0; READ];
        match stream.read(&mut room).await? {
            0 => return Ok(None),
            length => received.extend(&room[..length]),
        }
    }
}

/// Takes what the client says. A key asks for the end.
async fn listen(
    mut reader: OwnedReadHalf,
    mut received: ReceiveBuffer,
    asked: &Notify,
) -> Result<()> {
    let mut room = [0; READ];
    loop {
        while let Some(instruction) = received.poll_instruction()? {
            match Opcode::from(instruction.opcode_str()) {
                Opcode::Key => asked.notify_one(),
                Opcode::Disconnect => return Ok(()),
                _ => {}
            }
        }
        match reader.read(&mut room).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(length) => received.extend(&room[..length]),
        }
    }
}

/// Plays until the end is asked for, then tells how many pieces and bytes that were, and
/// leaves the other side time to close first.
async fn play(
    script: &Script,
    spec: Spec,
    mut writer: OwnedWriteHalf,
    asked: &Notify,
) -> io::Result<()> {
    let (begun, mut out) = (tokio::time::Instant::now(), Vec::new());
    let (mut number, mut bytes) = (0, 0);
    loop {
        tokio::select! {
            biased;
            () = asked.notified() => break,
            () = sleep_until(begun + script.due(spec, number, bytes)) => {}
        }
        let piece = script.piece(spec, number);
        piece.write(now_us(), &mut out);
        writer.write_all(&out).await?;
        number += 1;
        bytes += out.len() as u64;
    }
    writer.write_all(&last_words(number, bytes)).await?;
    sleep(PATIENCE).await;
    Ok(())
}

/// How a connection ends: with what was played.
pub(super) fn last_words(pieces: usize, bytes: u64) -> Vec<u8> {
    let (encoder, mut out) = (Encoder::new(Limits::GUACD), Vec::new());
    // Short texts are within the limits.
    let _ = encoder.encode_vec(&["log", &format!("{pieces} {bytes}")], &mut out);
    let _ = encoder.encode_vec(&["disconnect"], &mut out);
    out
}
