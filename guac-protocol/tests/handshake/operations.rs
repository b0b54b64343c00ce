//! Both machines under operations that bytes choose: deliver a part, let time pass, end
//! a stream, put in something else, write at the wrong time. Needs nothing but the
//! public interface: the fuzz target of the handshake is this very file.

use core::fmt::Debug;
use core::time::Duration;

use guac_protocol::handshake::{
    Args, Argument, Client, ClientConfig, ClientEvent, ConnectionId, Failure, Information, Output,
    Protocol, ReceiveBuffer, Server, ServerConfig, ServerEvent, Version, WriteError,
};
use guac_protocol::{Encoder, Instruction, Limits, ScanEnd, Scanner, Status};

const NAMES: [&str; 3] = ["hostname", "password", "名"];

/// Instructions that may come at any time, from either side.
const WORDS: [&[&str]; 24] = [
    &["select", "vnc"],
    &["select", "$1"],
    &["select", "../x"],
    &["args", "VERSION_1_5_0", "hostname", "名"],
    &["args", "hostname"],
    &["args"],
    &["size", "1024", "768", "96"],
    &["size", "-1"],
    &["audio", "audio/L16"],
    &["video"],
    &["image", "image/png", "image/webp"],
    &["timezone", ""],
    &["name", "Ünal"],
    &["connect", "VERSION_1_3_0", "a", "b", "c"],
    &["connect", "", "a", "b", "c"],
    &["connect"],
    &["ready", "$1"],
    &["ready"],
    &["required", "password"],
    &["argv", "0", "text/plain", "password"],
    &["error", "Gone", "519"],
    &["disconnect"],
    &["nop"],
    &["later-than-this"],
];

/// Bytes that choose; zeros where there are none left.
struct Choices<'d>(&'d [u8]);

impl<'d> Choices<'d> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    fn bytes(&mut self, length: usize) -> &'d [u8] {
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        bytes
    }
}

/// One machine with its buffer, its output and what it must not forget.
struct Side<M> {
    machine: M,
    buffer: ReceiveBuffer,
    /// What it wrote and nobody received yet.
    sent: Vec<u8>,
    /// The first failure of the machine.
    failed: Option<Failure>,
    /// Whether writes are given room.
    roomy: bool,
    /// Whether the handshake came to its end.
    ready: bool,
}

/// What client and server have in common.
trait Machine: Clone + Debug {
    /// Handles an instruction, and answers whether `ready` was received or written.
    fn handle(
        &mut self,
        now: Duration,
        instruction: &Instruction<'_>,
        roomy: bool,
        out: &mut Vec<u8>,
    ) -> Result<bool, Failure>;
    fn handle_end(&mut self) -> Result<(), Failure>;
    fn handle_timeout(&mut self, now: Duration) -> Result<(), Failure>;
    fn poll_timeout(&self) -> Option<Duration>;
}

impl<M: Machine> Side<M> {
    fn new(machine: M) -> Self {
        Self {
            machine,
            buffer: ReceiveBuffer::new(Limits::GUACD),
            sent: Vec::new(),
            failed: None,
            roomy: true,
            ready: false,
        }
    }

    fn receive(&mut self, now: Duration, bytes: &[u8]) {
        self.buffer.extend(bytes);
        // Each turn takes at least three bytes.
        while let Ok(Some(instruction)) = self.buffer.poll_instruction() {
            let result = self
                .machine
                .handle(now, &instruction, self.roomy, &mut self.sent);
            if let Ok(ready) = result {
                assert!(!(self.ready && ready), "ready twice");
                self.ready |= ready;
            }
            note(&mut self.failed, result.map(|_| ()));
        }
        self.check();
    }

    fn end(&mut self) {
        let result = self.machine.handle_end();
        assert_eq!(self.machine.handle_end(), result);
        note(&mut self.failed, result);
        self.check();
    }

    fn tick(&mut self, now: Duration) {
        let result = self.machine.handle_timeout(now);
        note(&mut self.failed, result);
        self.check();
    }

    /// What holds at any time.
    fn check(&self) {
        let mut later = self.machine.clone();
        match (self.failed, self.machine.poll_timeout()) {
            (Some(failure), limit) => {
                assert_eq!(limit, None);
                assert_eq!(later.handle_timeout(Duration::ZERO), Err(failure));
            }
            (None, None) => assert_eq!(later.handle_timeout(Duration::MAX), Ok(())),
            (None, Some(limit)) => {
                let before = limit.saturating_sub(Duration::from_nanos(1));
                let early = before < limit;
                assert_eq!(later.handle_timeout(before).is_ok(), early);
                let expired = later.handle_timeout(limit);
                assert!(matches!(expired, Err(Failure::Timeout { .. })));
            }
        }
    }
}

/// The first failure stays.
fn note(failed: &mut Option<Failure>, result: Result<(), Failure>) {
    match *failed {
        Some(failure) => assert_eq!(result, Err(failure)),
        None => *failed = result.err(),
    }
}

/// Writes into much or little room. What is not written changes nothing.
fn write<M: Clone + Debug>(
    machine: &mut M,
    roomy: bool,
    out: &mut Vec<u8>,
    call: impl Fn(&mut M, &mut dyn Output) -> Result<usize, WriteError>,
) -> Result<usize, WriteError> {
    let (before, length) = (format!("{machine:?}"), out.len());
    let mut room = [0; 20];
    let written = if roomy {
        call(machine, out)
    } else {
        call(machine, &mut &mut room[..])
    };
    match written {
        Ok(written) if roomy => assert_eq!(out.len(), length + written),
        Ok(written) => out.extend_from_slice(&room[..written]),
        Err(_) => assert_eq!((format!("{machine:?}"), out.len()), (before, length)),
    }
    let scan = Scanner::new(Limits::GUACD).scan(&out[length..], |_| {});
    assert_eq!(scan.end, ScanEnd::Boundary);
    written
}

impl Machine for Client {
    fn handle(
        &mut self,
        now: Duration,
        instruction: &Instruction<'_>,
        roomy: bool,
        out: &mut Vec<u8>,
    ) -> Result<bool, Failure> {
        let event = self.handle_instruction(now, instruction)?;
        if let ClientEvent::Args(args) = &event {
            let written = write(self, roomy, out, |client, out| answer(client, args, out));
            assert!(written.is_ok() || !roomy);
            args.each_unasked(&[("hostname", "")], |_| assert!(!args.asks_for("hostname")));
        }
        Ok(matches!(event, ClientEvent::Ready { .. }))
    }

    fn handle_end(&mut self) -> Result<(), Failure> {
        self.handle_end()
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<(), Failure> {
        self.handle_timeout(now)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.poll_timeout()
    }
}

fn answer(client: &mut Client, args: &Args<'_>, out: &mut dyn Output) -> Result<usize, WriteError> {
    let information = Information {
        timezone: Some("Europe/Berlin"),
        name: Some("名"),
        ..Information::default()
    };
    let parameters = [("hostname", "a;b,1.c"), ("名", "é")];
    client.write_answer(args, &information, &parameters, out)
}

impl Machine for Server {
    fn handle(
        &mut self,
        now: Duration,
        instruction: &Instruction<'_>,
        roomy: bool,
        out: &mut Vec<u8>,
    ) -> Result<bool, Failure> {
        let event = self.handle_instruction(now, instruction)?;
        let written = match &event {
            ServerEvent::Select(_) => write(self, roomy, out, |server, out| {
                server.write_args(now, &NAMES, out)
            }),
            ServerEvent::Connect(connect) => {
                assert_eq!(connect.parameters(&NAMES).count(), NAMES.len());
                write(self, roomy, out, ready)
            }
            _ => Ok(0),
        };
        assert!(written.is_ok() || !roomy);
        Ok(matches!(event, ServerEvent::Connect(_)) && written.is_ok())
    }

    fn handle_end(&mut self) -> Result<(), Failure> {
        self.handle_end()
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<(), Failure> {
        self.handle_timeout(now)
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.poll_timeout()
    }
}

fn ready(server: &mut Server, out: &mut dyn Output) -> Result<usize, WriteError> {
    server.write_ready(ConnectionId::new("$1").unwrap(), out)
}

/// Delivers the front of what one side sent to the other.
fn deliver<A, B: Machine>(from: &mut Side<A>, to: &mut Side<B>, now: Duration, length: usize) {
    let length = length.min(from.sent.len());
    let bytes: Vec<u8> = from.sent.drain(..length).collect();
    to.receive(now, &bytes);
}

fn configs(choices: &mut Choices<'_>) -> (ClientConfig, ServerConfig) {
    let timeout = Duration::from_millis(choices.byte().into());
    let answer_timeout = choices.one_of(&[Duration::ZERO, timeout, Duration::MAX]);
    let limits = choices.one_of(&[Limits::GUACD, Limits::JAVA]);
    let client = ClientConfig {
        newest: choices.one_of(&Version::ALL),
        timeout,
        answer_timeout,
        limits,
    };
    let server = ServerConfig {
        newest: choices.one_of(&Version::ALL),
        timeout,
        answer_timeout,
        limits,
    };
    (client, server)
}

/// Does what the bytes say, and answers whether client and server became ready.
pub(crate) fn run(data: &[u8]) -> (bool, bool) {
    let mut choices = Choices(data);
    let (client, server) = configs(&mut choices);
    let mut now = Duration::from_millis(choices.byte().into());
    let mut client = Side::new(Client::new(client));
    let mut server = Side::new(Server::new(now, server));
    let _ = write(
        &mut client.machine,
        true,
        &mut client.sent,
        |client, out| client.write_select(now, Protocol::VNC, out),
    );
    while !choices.0.is_empty() {
        let operation = choices.byte();
        let length = usize::from(choices.byte());
        match operation % 13 {
            0 | 1 => deliver(&mut client, &mut server, now, length),
            2 | 3 => deliver(&mut server, &mut client, now, length),
            4 => client.receive(now, choices.bytes(length)),
            5 => server.receive(now, choices.bytes(length)),
            6 => client.receive(now, &word(length)),
            7 => server.receive(now, &word(length)),
            8 => now = pass(now, length),
            9 => client.tick(now),
            10 => server.tick(now),
            11 => write_client(&mut client, now, length),
            _ => write_server(&mut server, now, length),
        }
    }
    client.end();
    server.end();
    (client.ready, server.ready)
}

fn word(index: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let words = WORDS[index % WORDS.len()];
    Encoder::default().encode_vec(words, &mut out).unwrap();
    out
}

/// Clocks go on, stand still, jump, and go back.
fn pass(now: Duration, choice: usize) -> Duration {
    match choice {
        0 => Duration::ZERO,
        255 => Duration::MAX,
        _ => now.saturating_add(Duration::from_millis(choice as u64 / 4)),
    }
}

fn write_client(side: &mut Side<Client>, now: Duration, choice: usize) {
    side.roomy = !choice.is_multiple_of(4);
    let written = write(
        &mut side.machine,
        side.roomy,
        &mut side.sent,
        |client, out| match choice % 3 {
            0 => client.write_select(now, Protocol::SSH, out),
            _ => client.write_argument(&Argument::text(2, "password", "geheim"), out),
        },
    );
    assert!(written.is_err() || side.failed.is_none());
    side.check();
}

fn write_server(side: &mut Side<Server>, now: Duration, choice: usize) {
    side.roomy = !choice.is_multiple_of(4);
    let refusal = choice % 16 == 15;
    let written = write(
        &mut side.machine,
        side.roomy,
        &mut side.sent,
        |server, out| match choice % 3 {
            _ if refusal => server.write_refusal(Status::ServerBusy, "名", out),
            0 => server.write_args(now, &NAMES, out),
            1 => server.write_required(now, &NAMES, out),
            _ => ready(server, out),
        },
    );
    assert!(written.is_err() || refusal || side.failed.is_none());
    side.check();
}
