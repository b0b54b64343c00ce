//! What is played on a connection: whole instructions in pieces, each ending in a `sync`
//! that carries the time of its sending.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use guac_protocol::Opcode;

use super::Result;
use crate::plain;

/// Most bytes of a piece, unless one instruction alone is longer: what guacd writes at a
/// time (guacamole-server, `src/libguac/guacamole/socket-constants.h`,
/// `GUAC_SOCKET_OUTPUT_BUFFER_SIZE`).
const PIECE: usize = 8192;
/// Picture that an idle desktop has shown before.
const PICTURE: usize = 256 * 1024;
/// Silence between two signs of life of an idle desktop (guacamole-server,
/// `src/libguac/guacamole/socket-constants.h`, `GUAC_SOCKET_KEEP_ALIVE_INTERVAL`).
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Digits of a time.
pub(super) const DIGITS: usize = 16;
const NO_TIME: &[u8; DIGITS] = b"0000000000000000";

/// How a connection is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A recorded stream at a rate, again and again.
    Busy,
    /// A picture as fast as it goes, and then nothing but signs of life.
    Idle,
}

/// What is to be played on one connection. It travels as the parameter `password`, which
/// every server passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// How the connection is used.
    pub kind: Kind,
    /// Where to begin, so that not all play the same at the same time.
    pub start: usize,
    /// Bytes in a second.
    pub rate: u64,
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Busy => "busy",
            Kind::Idle => "idle",
        };
        write!(f, "{kind}-{}-{}", self.start, self.rate)
    }
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parse = || {
            let mut parts = text.split('-');
            let kind = match parts.next()? {
                "busy" => Kind::Busy,
                "idle" => Kind::Idle,
                _ => return None,
            };
            let start = parts.next()?.parse().ok()?;
            let rate = parts.next()?.parse().ok().filter(|&rate| rate > 0)?;
            parts.next().is_none().then_some(Spec { kind, start, rate })
        };
        parse().ok_or_else(|| format!("no such script: {text}"))
    }
}

/// The scripts, one of each kind.
#[derive(Clone, Debug)]
pub struct Library {
    busy: Arc<Script>,
    idle: Arc<Script>,
}

impl Library {
    /// Reads a recorded stream of guacd.
    ///
    /// # Errors
    /// Where it cannot be read, or has nothing to play in it.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::new(&bytes)
    }

    /// # Errors
    /// Where there is nothing to play.
    fn new(stream: &[u8]) -> Result<Self> {
        let pieces = pieces(stream)?;
        Ok(Self {
            idle: Arc::new(Script::idle(&pieces)),
            busy: Arc::new(Script::looping(&pieces)),
        })
    }

    pub(super) fn script(&self, kind: Kind) -> Arc<Script> {
        match kind {
            Kind::Busy => Arc::clone(&self.busy),
            Kind::Idle => Arc::clone(&self.idle),
        }
    }
}

/// Pieces to be played one after the other, the last of them again and again.
#[derive(Debug)]
pub struct Script {
    pieces: Vec<Piece>,
    loop_from: usize,
}

/// Whole instructions, of which the last is a `sync`.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// Where its time is put in.
    pub(super) time_at: usize,
}

impl Script {
    fn looping(pieces: &[Piece]) -> Self {
        Self {
            pieces: pieces.to_vec(),
            loop_from: 0,
        }
    }

    fn idle(pieces: &[Piece]) -> Self {
        let mut picture = 0;
        let shown = pieces.iter().take_while(|piece| {
            picture += piece.bytes.len();
            picture <= PICTURE
        });
        let mut pieces: Vec<_> = shown.cloned().collect();
        let loop_from = pieces.len();
        let mut life = Builder::default();
        life.add(b"3.nop;");
        life.finish(&mut pieces);
        Self { pieces, loop_from }
    }

    /// The piece that is played as the `number`-th; the same for both ends.
    pub(super) fn piece(&self, spec: Spec, number: usize) -> &Piece {
        let number = match spec.kind {
            Kind::Busy => number + spec.start,
            Kind::Idle => number,
        };
        let end = self.pieces.len();
        match number.checked_sub(end) {
            None => &self.pieces[number],
            Some(beyond) => &self.pieces[self.loop_from + beyond % (end - self.loop_from)],
        }
    }

    /// When to play the `number`-th piece after so many bytes.
    pub(super) fn due(&self, spec: Spec, number: usize, bytes: u64) -> Duration {
        let seconds = |bytes: u64| Duration::from_secs_f64(bytes as f64 / spec.rate as f64);
        match spec.kind {
            // Those that begin elsewhere are elsewhere between two pieces, too.
            Kind::Busy => {
                let phase = (spec.start as u64).wrapping_mul(1009) % PIECE as u64;
                seconds(bytes + phase)
            }
            Kind::Idle => match (number + 1).checked_sub(self.loop_from + 1) {
                None => Duration::ZERO,
                Some(lives) => {
                    let phase = spec.start as u32 % 100;
                    KEEP_ALIVE * lives as u32 + KEEP_ALIVE * phase / 100
                }
            },
        }
    }
}

impl Piece {
    /// The piece with a time in it.
    pub(super) fn write(&self, time_us: u64, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.bytes);
        let time = format!("{time_us:0DIGITS$}");
        if let Some(room) = out.get_mut(self.time_at..self.time_at + DIGITS) {
            room.copy_from_slice(&time.as_bytes()[..DIGITS]);
        }
    }
}

/// Cuts a stream. What belongs to the handshake or ends a session is left out.
fn pieces(stream: &[u8]) -> Result<Vec<Piece>> {
    let (mut pieces, mut piece) = (Vec::new(), Builder::default());
    let mut rest = stream;
    loop {
        let mut opcode = None;
        let each = |value| {
            opcode.get_or_insert(value);
        };
        let Some(length) = plain::walk(rest, plain::by_blocks, each)? else {
            break;
        };
        let opcode = std::str::from_utf8(opcode.unwrap_or_default())?;
        let (raw, after) = rest.split_at(length);
        rest = after;
        match Opcode::from(opcode) {
            Opcode::Sync => piece.finish(&mut pieces),
            Opcode::Args
            | Opcode::Ready
            | Opcode::Required
            | Opcode::Disconnect
            | Opcode::Error
            | Opcode::Log
            | Opcode::Internal => {}
            _ => {
                if piece.bytes.len() + raw.len() > PIECE {
                    piece.finish(&mut pieces);
                }
                piece.add(raw);
            }
        }
    }
    piece.finish(&mut pieces);
    match pieces.is_empty() {
        true => Err("there is no whole instruction in the stream".into()),
        false => Ok(pieces),
    }
}

#[derive(Default)]
struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    fn add(&mut self, instruction: &[u8]) {
        self.bytes.extend_from_slice(instruction);
    }

    /// Ends the piece, if anything is in it.
    fn finish(&mut self, into: &mut Vec<Piece>) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.is_empty() {
            return;
        }
        bytes.extend_from_slice(b"4.sync,16.");
        let time_at = bytes.len();
        bytes.extend_from_slice(NO_TIME);
        bytes.push(b';');
        into.push(Piece { bytes, time_at });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn spec(kind: Kind, start: usize) -> Spec {
        Spec {
            kind,
            start,
            rate: 1000,
        }
    }

    #[test]
    fn pieces_are_short_and_end_in_a_sync() {
        let blob = format!("4.blob,1.0,4000.{};", "A".repeat(4000));
        let stream = format!("5.ready,1.x;{blob}{blob}{blob}4.sync,3.123;4.sync,3.124;3.nop;");
        let pieces = pieces(stream.as_bytes()).unwrap();
        let sync = "4.sync,16.0000000000000000;";
        let texts = [
            format!("{blob}{blob}{sync}"),
            format!("{blob}{sync}"),
            format!("3.nop;{sync}"),
        ];
        assert_eq!(pieces.len(), texts.len());
        for (piece, text) in pieces.iter().zip(texts) {
            assert_eq!(piece.bytes, text.as_bytes());
        }
        let mut out = Vec::new();
        pieces[2].write(1_790_000_000_000_001, &mut out);
        assert_eq!(out, b"3.nop;4.sync,16.1790000000000001;");
    }

    #[test]
    fn scripts_go_round() {
        let library = Library::new(b"3.nop;4.sync,1.1;4.size,1.0,1.1,1.1;4.sync,1.2;").unwrap();
        let (busy, idle) = (library.script(Kind::Busy), library.script(Kind::Idle));
        let bytes = |script: &Script, spec, number| script.piece(spec, number).bytes.clone();
        let at = |number| bytes(&busy, spec(Kind::Busy, 1), number);
        assert!(at(0).starts_with(b"4.size"));
        assert!(at(1).starts_with(b"3.nop"));
        assert_eq!(at(0), at(2));
        let at = |number| bytes(&idle, spec(Kind::Idle, 7), number);
        assert!(at(1).starts_with(b"4.size"));
        assert!(at(2).starts_with(b"3.nop") && at(2) == at(3));
        let due = |number| idle.due(spec(Kind::Idle, 0), number, 0);
        assert_eq!((due(1), due(2)), (Duration::ZERO, Duration::ZERO));
        assert_eq!(due(4) - due(3), KEEP_ALIVE);
    }

    #[test]
    fn specs_travel_as_text() {
        for text in ["busy-17-256000", "idle-0-1"] {
            assert_eq!(text.parse::<Spec>().unwrap().to_string(), text);
        }
        for text in ["", "busy", "busy-1-0", "busy-1-2-3", "calm-1-2"] {
            assert!(text.parse::<Spec>().is_err(), "{text}");
        }
    }
}
