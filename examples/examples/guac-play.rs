//! Plays a recording with its timing, to stdout or to the clients of a TCP port.
//!
//! The idea: decode one instruction after the other with [`Decoder::decode`], look into the
//! few that matter, and pass all of them on as they are, by [`Instruction::raw`].
//!
//! A recording, as guacd writes it for the parameter `recording-path`, is a plain stream of
//! what it sent to the users, with what they did among it (guacamole-server,
//! `src/libguac/recording.c`). Four instructions say when they were recorded, in
//! milliseconds of some clock: `sync` in its first argument, and `mouse`, `key` and `touch`
//! in one more argument than a client sends (`src/libguac/protocol.c`). Each of them is held
//! back until its time, and all others follow the one before them at once. A picture is
//! shown when its `sync` arrives, so this looks the same as the player of
//! guacamole-common-js (`SessionRecording.js`), which holds back whole frames.
//!
//! Clocks jump and users go for lunch, so the time between two timestamps is bounded: it
//! counts as 0 where the later one is smaller, and as `GAP_MAX_MS` where it is longer than
//! that. The time after it goes on from the new timestamp. Timestamps that are missing or
//! no numbers are passed over.
//!
//! There is no handshake: clients are programs that take a bare stream, such as `nc`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use examples::{Buffer, Failure, finish, print_help};
use guac_protocol::{Decoded, Decoder, Instruction, Limits, Opcode};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

const HELP: &str = "\
usage: guac-play [--speed X] [--listen ADDR] FILE

Plays the recording FILE with its timing to stdout.

  --speed X      X times as fast, from 0.01 up; `inf` does not wait at all
  --listen ADDR  play to every client that connects to ADDR instead, from the
                 start, until Ctrl-C. Port 0 is any free port: the address is
                 printed. What clients send is read and dropped
  -h, --help     print this

Pauses in the recording that are longer than 10 seconds take 10 seconds (before
they are divided by X); where the time goes backwards there is no pause.

Exit codes:
  0   the recording was played, or Ctrl-C ended --listen
  64  wrong arguments
  65  `error at byte N: REASON` or `truncated at byte N` (the file ends there,
      inside an instruction); all instructions before it were played. This ends
      --listen too, as no client would get further
  66  FILE cannot be opened
  74  reading or writing failed, or ADDR is not free
";

/// Longest pause between two timestamps, in milliseconds of the recording.
const GAP_MAX_MS: i64 = 10_000;

/// Slowest speed; bounds the longest pause to 1000 seconds.
const SPEED_MIN: f64 = 0.01;

/// Bytes read and written at once; twice the longest instruction.
const CHUNK: usize = 64 * 1024;

/// Clients at a time, which bounds memory and file descriptors.
const CLIENTS: usize = 256;

/// How long to wait for a client to close its side after the end.
const LINGER: Duration = Duration::from_secs(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    finish(run().await, HELP)
}

async fn run() -> Result<(), Failure> {
    let Some(options) = Options::parse(lexopt::Parser::from_env())? else {
        return print_help(HELP);
    };
    let Options {
        file,
        speed,
        listen,
    } = options;
    let Some(address) = listen else {
        let mut recording = Recording::open(&file).await?;
        return recording.play(speed, "stdout", tokio::io::stdout()).await;
    };
    tokio::select! {
        end = serve(&file, speed, &address) => end,
        _ = ctrl_c() => Ok(()),
    }
}

struct Options {
    file: PathBuf,
    speed: f64,
    listen: Option<String>,
}

impl Options {
    /// The options, or `None` where help is wanted.
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, Failure> {
        use lexopt::prelude::*;
        let (mut file, mut speed, mut listen) = (None, 1.0, None);
        while let Some(argument) = arguments.next().map_err(Failure::usage)? {
            match argument {
                Long("speed") => speed = parse_speed(&text(&mut arguments)?)?,
                Long("listen") => listen = Some(text(&mut arguments)?),
                Long("help") | Short('h') => return Ok(None),
                Value(path) if file.is_none() => file = Some(path.into()),
                other => return Err(Failure::usage(other.unexpected())),
            }
        }
        let file = file.ok_or_else(|| Failure::usage("a FILE is wanted"))?;
        Ok(Some(Self {
            file,
            speed,
            listen,
        }))
    }
}

/// Value of an option.
fn text(arguments: &mut lexopt::Parser) -> Result<String, Failure> {
    let value = arguments.value().map_err(Failure::usage)?;
    Ok(value.to_string_lossy().into_owned())
}

fn parse_speed(text: &str) -> Result<f64, Failure> {
    match text.parse() {
        Ok(speed) if speed >= SPEED_MIN => Ok(speed),
        _ => Err(Failure::usage(format_args!("no such speed: {text:?}"))),
    }
}

/// Plays to each client from the start, until the recording turns out to be bad.
async fn serve(file: &Path, speed: f64, address: &str) -> Result<(), Failure> {
    // A name that is wrong should not come out only when the first client is there.
    Recording::open(file).await?;
    let listener = listen(address).await?;
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if clients.len() < CLIENTS => {
                let (client, _) = accepted.map_err(|error| cannot_listen(address, error))?;
                let recording = Recording::open(file).await?;
                clients.spawn(play_to_client(recording, speed, client));
            }
            Some(Ok(end)) = clients.join_next() => end?,
        }
    }
}

fn cannot_listen(address: &str, error: io::Error) -> Failure {
    Failure::Listen(address.to_owned(), error)
}

async fn listen(address: &str) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|error| cannot_listen(address, error))?;
    let local = listener.local_addr();
    let local = local.map_err(|error| cannot_listen(address, error))?;
    writeln!(io::stdout(), "listening on {local}").map_err(Failure::stdout)?;
    Ok(listener)
}

/// Plays to a client until the end or until it leaves. Only what is wrong with the
/// recording is a failure: clients may go whenever they like.
async fn play_to_client(
    mut recording: Recording,
    speed: f64,
    mut client: TcpStream,
) -> Result<(), Failure> {
    let _ = client.set_nodelay(true);
    let (mut reader, writer) = client.split();
    let end = tokio::select! {
        end = recording.play(speed, "client", writer) => end,
        // Not where it has only ended its own side: it may still be looking.
        Err(_) = drop_input(&mut reader) => Ok(()),
    };
    // Closing in front of unread input would reset the connection, and take away what the
    // client has not received yet.
    let _ = timeout(LINGER, drop_input(&mut reader)).await;
    match end {
        Err(Failure::Write(..)) => Ok(()),
        end => end,
    }
}

/// Reads what a client sends, so that it is never stuck with it, until it ends its side.
async fn drop_input(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<u64> {
    copy(reader, &mut sink()).await
}

/// A recording that is being played.
struct Recording {
    name: String,
    file: File,
    buffer: Buffer,
    decoder: Decoder,
}

impl Recording {
    async fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        match File::open(path).await {
            Ok(file) => Ok(Self {
                name,
                file,
                buffer: Buffer::with_capacity(CHUNK),
                decoder: Decoder::new(Limits::GUACD),
            }),
            Err(error) => Err(Failure::Open(name, error)),
        }
    }

    /// Plays all of it, and ends the output.
    async fn play(
        &mut self,
        speed: f64,
        output: &str,
        writer: impl AsyncWrite + Unpin,
    ) -> Result<(), Failure> {
        let mut out = Output {
            name: output,
            writer: BufWriter::with_capacity(CHUNK, writer),
        };
        let end = self.play_to(&mut out, Pace::new(speed)).await;
        // Whatever ended it: the instructions before that are played.
        end.and(out.end().await)
    }

    async fn play_to<W: AsyncWrite + Unpin>(
        &mut self,
        out: &mut Output<'_, W>,
        mut pace: Pace,
    ) -> Result<(), Failure> {
        loop {
            match self.decoder.decode(self.buffer.unread())? {
                Decoded::Complete {
                    instruction,
                    consumed,
                } => {
                    if let Some(timestamp) = timestamp(&instruction) {
                        out.wait_until(pace.due(timestamp)).await?;
                    }
                    out.write(instruction.raw()).await?;
                    self.buffer.consume(consumed);
                }
                Decoded::Incomplete => {
                    out.flush().await?;
                    if self.read().await? == 0 {
                        return self.end();
                    }
                }
            }
        }
    }

    async fn read(&mut self) -> Result<usize, Failure> {
        let read = self.file.read(self.buffer.room()).await;
        let read = read.map_err(|error| Failure::Read(self.name.clone(), error))?;
        self.buffer.filled(read);
        Ok(read)
    }

    /// Whether the end of the file is that of an instruction.
    fn end(&self) -> Result<(), Failure> {
        match self.buffer.unread().len() {
            0 => Ok(()),
            rest => Err(Failure::Truncated(
                self.decoder.stream_offset() + rest as u64,
            )),
        }
    }
}

/// Milliseconds at which an instruction was recorded, where it says that.
fn timestamp(instruction: &Instruction<'_>) -> Option<i64> {
    let element = match instruction.opcode() {
        Opcode::Sync => 1,
        Opcode::Key => 3,
        Opcode::Mouse => 4,
        Opcode::Touch => 8,
        _ => return None,
    };
    instruction.get(element)?.parse().ok()
}

/// When things are due: the time of the recording laid over that of the clock. What comes
/// late does not delay what follows.
struct Pace {
    speed: f64,
    due: Instant,
    timestamp: Option<i64>,
}

impl Pace {
    /// A pace that begins now, whatever the first timestamp is.
    fn new(speed: f64) -> Self {
        Self {
            speed,
            due: Instant::now(),
            timestamp: None,
        }
    }

    fn due(&mut self, timestamp: i64) -> Instant {
        let before = self.timestamp.replace(timestamp).unwrap_or(timestamp);
        let gap_ms = timestamp.saturating_sub(before).clamp(0, GAP_MAX_MS);
        self.due += Duration::from_secs_f64(gap_ms as f64 / 1000.0 / self.speed);
        self.due
    }
}

/// Where a recording is played to, and what to call that.
struct Output<'a, W> {
    name: &'a str,
    writer: BufWriter<W>,
}

impl<W: AsyncWrite + Unpin> Output<'_, W> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.writer.write_all(bytes).await;
        self.check(written)
    }

    /// Hands out all that was written, where there is time to be passed.
    async fn wait_until(&mut self, due: Instant) -> Result<(), Failure> {
        if due > Instant::now() {
            self.flush().await?;
            sleep_until(due).await;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let flushed = self.writer.flush().await;
        self.check(flushed)
    }

    async fn end(&mut self) -> Result<(), Failure> {
        let ended = self.writer.shutdown().await;
        self.check(ended)
    }

    fn check(&self, result: io::Result<()>) -> Result<(), Failure> {
        result.map_err(|error| Failure::Write(self.name.to_owned(), error))
    }
}
