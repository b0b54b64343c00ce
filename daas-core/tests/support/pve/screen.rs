//! The screen of a real machine, in the place of the one that says back what it is told. Nodes
//! do the same: QEMU listens on a socket, and its monitor is told the password of each
//! connection.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::Stream;
use super::websocket::{receive, send};

/// How long one side is listened to before the other is.
const TURN: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct Screen {
    /// Where it speaks VNC.
    pub socket: PathBuf,
    /// Where its monitor speaks QMP.
    pub monitor: PathBuf,
}

impl Screen {
    /// Sets what the next connection is asked for.
    pub fn set_password(&self, password: &str) -> io::Result<()> {
        let stream = UnixStream::connect(&self.monitor)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let mut ask = |command: Value| -> io::Result<()> {
            writeln!(&stream, "{command}")?;
            for line in &mut lines {
                let answer: Value = serde_json::from_str(&line?)?;
                if answer.get("error").is_some() {
                    return Err(io::Error::other(answer.to_string()));
                }
                if answer.get("return").is_some() {
                    return Ok(());
                }
                // It greets, and tells what happens.
            }
            Err(io::ErrorKind::UnexpectedEof.into())
        };
        ask(json!({ "execute": "qmp_capabilities" }))?;
        let arguments = json!({ "protocol": "vnc", "password": password });
        ask(json!({ "execute": "set_password", "arguments": arguments }))
    }

    /// Carries bytes until one side hangs up.
    pub fn relay(&self, stream: &mut Stream) -> io::Result<()> {
        let mut screen = UnixStream::connect(&self.socket)?;
        screen.set_read_timeout(Some(TURN))?;
        let mut room = vec![0; 32 * 1024];
        loop {
            match screen.read(&mut room) {
                Ok(0) => return Ok(()),
                Ok(length) => send(stream, &room[..length])?,
                Err(error) if is_silence(&error) => {}
                Err(error) => return Err(error),
            }
            wait_for(stream, TURN)?;
            match stream.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(_) => {}
                Err(error) if is_silence(&error) => continue,
                Err(error) => return Err(error),
            }
            // A frame has begun, and all of it comes.
            wait_for(stream, PATIENCE)?;
            match receive(stream)? {
                Some(payload) => screen.write_all(&payload)?,
                None => return Ok(()),
            }
        }
    }
}

fn wait_for(stream: &mut Stream, long: Duration) -> io::Result<()> {
    stream.get_ref().sock.set_read_timeout(Some(long))
}

fn is_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
