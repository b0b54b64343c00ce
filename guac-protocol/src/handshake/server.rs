//! The side that plays guacd.

use core::fmt;
use core::time::Duration;

use super::information::List;
use super::output::{self, Message, Output, Single, Sink};
use super::watch::Watch;
use super::{Capability, ConnectionId, Display, Failure, Target, Version, WriteError};
use crate::encode::Decimal;
use crate::{Elements, Encode, EncodeError, Encoder, Instruction, Limits, Opcode, Status};

/// What a [`Server`] works by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerConfig {
    /// The newest version of the protocol to speak. A server of 1.0.0 names no version.
    pub newest: Version,
    /// Most time that the client has for `select`, and again from `args` to `connect`.
    /// What the caller takes in between does not count.
    pub timeout: Duration,
    /// Most time from a `required` before `ready` to that `ready`, as a user has to be
    /// asked then.
    pub answer_timeout: Duration,
    /// What the client accepts.
    pub limits: Limits,
}

impl Default for ServerConfig {
    /// [`Version::NEWEST`], 15 seconds, two minutes to answer, and [`Limits::GUACD`].
    ///
    /// The 15 seconds are those of guacd (guacamole-server, `src/guacd/proc.h`,
    /// `GUACD_USEC_TIMEOUT`), which gives as much for each piece that it reads
    /// (`src/libguac/parser.c`): there, a client that sends a byte now and then has no
    /// limit.
    fn default() -> Self {
        Self {
            newest: Version::NEWEST,
            timeout: Duration::from_secs(15),
            answer_timeout: Duration::from_secs(120),
            limits: Limits::GUACD,
        }
    }
}

/// The handshake of the side that plays guacd.
///
/// As the [`Client`](super::Client), it sees instructions, has no clock and keeps
/// nothing of what passes through it.
///
/// # Order of calls
///
/// 1. Pass each instruction that arrives to
///    [`handle_instruction`](Self::handle_instruction), and do what the event asks for:
///    [`write_args`](Self::write_args) after [`ServerEvent::Select`],
///    [`write_ready`](Self::write_ready) or [`write_required`](Self::write_required)
///    after [`ServerEvent::Connect`], or at any time
///    [`write_refusal`](Self::write_refusal). Until one of these is written, pass no
///    more instructions. Send what was written before the next wait.
/// 2. Where no whole instruction is left, ask [`poll_timeout`](Self::poll_timeout), and
///    wait for bytes until then. At that time call
///    [`handle_timeout`](Self::handle_timeout), and at the end of the stream
///    [`handle_end`](Self::handle_end).
/// 3. Stop with the first [`Failure`], which may be told to the client by
///    [`write_refusal`](Self::write_refusal), or with [`ServerEvent::Disconnected`].
///
/// The handshake is over once `ready` is written; the machine may be dropped then.
///
/// The example of the [module](super) is a whole handshake.
#[derive(Clone, Debug)]
pub struct Server {
    config: ServerConfig,
    encoder: Encoder,
    watch: Watch,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waiting for `select`.
    Select,
    /// `select` is there, and the caller has to write `args`.
    Args,
    /// Waiting for `connect` with so many parameters, and what comes before it.
    Connect {
        parameters: usize,
    },
    /// `connect` is there, and the caller has to write `ready`.
    Ready {
        version: Version,
        /// Whether the client was asked for more parameters.
        asked: bool,
    },
    Open(Version),
    /// Either side said that it ends.
    Closed,
}

/// What an instruction of the client means to a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServerEvent<'i> {
    /// `select`: the client wants this. Answer by [`Server::write_args`].
    Select(Target<'i>),
    /// `size`: the display that the client wants.
    Size(Display),
    /// `audio`: types of audio that it can play.
    Audio(Elements<'i>),
    /// `video`: types of video that it can play.
    Video(Elements<'i>),
    /// `image`: types of pictures that it can show.
    Image(Elements<'i>),
    /// `timezone`: its time zone, if not empty.
    Timezone(Option<&'i str>),
    /// `name`: name of the user, if not empty.
    Name(Option<&'i str>),
    /// `connect`: the client has told all. Answer by [`Server::write_ready`].
    Connect(Connect<'i>),
    /// `disconnect`: the client ends the connection.
    Disconnected,
    /// Of no account: a `nop`, an opcode that newer clients may have, or what comes
    /// after an end.
    Ignored,
    /// Not of the handshake: what comes after `ready`, and before it the `argv` streams
    /// that answer `required`.
    Other,
}

impl Server {
    /// A server that waits for `select`. The time limit starts.
    #[must_use]
    pub fn new(now: Duration, config: ServerConfig) -> Self {
        let mut watch = Watch::default();
        watch.start(now, config.timeout);
        Self {
            encoder: Encoder::new(config.limits),
            config,
            watch,
            state: State::Select,
        }
    }

    /// Writes `args`, with the names of the parameters in the order in which their
    /// values are wanted, and answers how many bytes that took. The time limit for
    /// `connect` starts.
    ///
    /// # Errors
    /// Where there is no `select` to answer, the limits refuse the names, or the output
    /// has no room.
    pub fn write_args<S: AsRef<str>>(
        &mut self,
        now: Duration,
        names: &[S],
        out: &mut (impl Output + ?Sized),
    ) -> Result<usize, WriteError> {
        let State::Args = self.state_to_write() else {
            return Err(WriteError::OutOfOrder);
        };
        let version = self.names_version().then_some(self.config.newest);
        let args = Single(ArgsInstruction { version, names });
        let written = output::write(&self.encoder, &args, out)?;
        self.watch.start(now, self.config.timeout);
        self.state = State::Connect {
            parameters: names.len(),
        };
        Ok(written)
    }

    /// Writes `required`, with the names of parameters without which there is no going
    /// on, and answers how many bytes that took. Before `ready`, the time limit for the
    /// answers starts. They come as [`ServerEvent::Other`].
    ///
    /// guacd does this only after `ready` (guacamole-server,
    /// `src/libguac/user-handshake.c`), which is what guacamole-client expects.
    ///
    /// # Errors
    /// Where `connect` is not there yet, the version that the client chose does not have
    /// it, the limits refuse the names, or the output has no room.
    pub fn write_required<S: AsRef<str>>(
        &mut self,
        now: Duration,
        names: &[S],
        out: &mut (impl Output + ?Sized),
    ) -> Result<usize, WriteError> {
        let (State::Ready { version, .. } | State::Open(version)) = self.state_to_write() else {
            return Err(WriteError::OutOfOrder);
        };
        if !version.supports(Capability::Required) {
            return Err(WriteError::OutOfOrder);
        }
        let required = Single(List(Opcode::Required.as_str(), names));
        let written = output::write(&self.encoder, &required, out)?;
        if let State::Ready { asked, .. } = &mut self.state {
            *asked = true;
            self.watch.start(now, self.config.answer_timeout);
        }
        Ok(written)
    }

    /// Writes `ready`, with the id of the connection, and answers how many bytes that
    /// took.
    ///
    /// # Errors
    /// Where there is no `connect` to answer, or the output has no room.
    pub fn write_ready(
        &mut self,
        id: ConnectionId<'_>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<usize, WriteError> {
        let State::Ready { version, .. } = self.state_to_write() else {
            return Err(WriteError::OutOfOrder);
        };
        let ready = Single(["ready", id.as_str()]);
        let written = output::write(&self.encoder, &ready, out)?;
        self.watch.stop();
        self.state = State::Open(version);
        Ok(written)
    }

    /// Writes `error` and `disconnect`, after which nothing may be written. May be
    /// called after a [`Failure`], too, with [`Failure::status`].
    ///
    /// # Errors
    /// Where either side has said that it ends, or the output has no room.
    pub fn write_refusal(
        &mut self,
        status: Status,
        message: &str,
        out: &mut (impl Output + ?Sized),
    ) -> Result<usize, WriteError> {
        if self.state == State::Closed {
            return Err(WriteError::OutOfOrder);
        }
        let written = output::write(&self.encoder, &Refusal { status, message }, out)?;
        self.watch.stop();
        self.state = State::Closed;
        Ok(written)
    }

    /// Takes the next instruction of the client.
    ///
    /// # Errors
    /// Where it has no place here or is malformed, where the time limit passed, and
    /// from then on.
    pub fn handle_instruction<'i>(
        &mut self,
        now: Duration,
        instruction: &Instruction<'i>,
    ) -> Result<ServerEvent<'i>, Failure> {
        self.handle_timeout(now)?;
        let event = self.event(instruction);
        event.map_err(|failure| self.watch.fail(failure))
    }

    /// Takes the end of the stream. That is in order where either side had announced it.
    ///
    /// # Errors
    /// Where none had, and the failure there was before.
    pub fn handle_end(&mut self) -> Result<(), Failure> {
        self.watch.failure()?;
        if self.state == State::Closed {
            return Ok(());
        }
        let waiting_for = self.waiting_for();
        Err(self.watch.fail(Failure::EndOfStream { waiting_for }))
    }

    /// Takes the time.
    ///
    /// # Errors
    /// Where the time limit passed, and the failure there was before.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), Failure> {
        self.watch.check(now, self.waiting_for())
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.watch.deadline()
    }

    /// What the client has to send next.
    fn waiting_for(&self) -> Opcode {
        match self.state {
            State::Select => Opcode::Select,
            State::Args | State::Connect { .. } => Opcode::Connect,
            State::Ready { asked: true, .. } => Opcode::Argv,
            State::Ready { .. } | State::Open(_) | State::Closed => Opcode::Disconnect,
        }
    }

    /// The state, which after a failure lets nothing be written but a refusal.
    fn state_to_write(&self) -> State {
        match self.watch.failure() {
            Ok(()) => self.state,
            Err(_) => State::Closed,
        }
    }

    /// Naming the version came with 1.1.0.
    fn names_version(&self) -> bool {
        self.config.newest > Version::V1_0_0
    }

    fn event<'i>(&mut self, instruction: &Instruction<'i>) -> Result<ServerEvent<'i>, Failure> {
        let found = instruction.opcode();
        match (self.state, found) {
            (State::Closed, _) => Ok(ServerEvent::Ignored),
            (_, Opcode::Disconnect) => Ok(self.close()),
            (State::Select, Opcode::Select) => self.select(instruction),
            (State::Connect { parameters }, Opcode::Connect) => {
                self.connect(parameters, instruction)
            }
            (State::Open(_), Opcode::Select | Opcode::Connect) => Err(self.unexpected(found)),
            (State::Open(_), _) => Ok(ServerEvent::Other),
            (_, Opcode::Nop) => Ok(ServerEvent::Ignored),
            (State::Ready { asked: true, .. }, Opcode::Argv | Opcode::Blob | Opcode::End) => {
                Ok(ServerEvent::Other)
            }
            (State::Connect { .. }, _) => {
                information(instruction)?.ok_or_else(|| self.unexpected(found))
            }
            _ => Err(self.unexpected(found)),
        }
    }

    fn unexpected(&self, found: Opcode) -> Failure {
        Failure::Unexpected {
            waiting_for: self.waiting_for(),
            found,
        }
    }

    fn close(&mut self) -> ServerEvent<'static> {
        self.watch.stop();
        self.state = State::Closed;
        ServerEvent::Disconnected
    }

    /// Exactly one argument, as guacd wants it (guacamole-server,
    /// `src/guacd/connection.c`).
    fn select<'i>(&mut self, instruction: &Instruction<'i>) -> Result<ServerEvent<'i>, Failure> {
        let opcode = Opcode::Select;
        check_count(opcode, instruction, 1)?;
        let target = instruction.get(1).map(Target::parse);
        let Some(Ok(target)) = target else {
            return Err(Failure::InvalidArgument { opcode, element: 1 });
        };
        self.watch.stop();
        self.state = State::Args;
        Ok(ServerEvent::Select(target))
    }

    /// Exactly as many values as names (guacamole-server, `src/libguac/user-handshake.c`),
    /// the one of the version in front where that was named.
    fn connect<'i>(
        &mut self,
        parameters: usize,
        instruction: &Instruction<'i>,
    ) -> Result<ServerEvent<'i>, Failure> {
        let named = self.names_version();
        check_count(
            Opcode::Connect,
            instruction,
            parameters + usize::from(named),
        )?;
        let mut values = instruction.args();
        let version = if named { values.next() } else { None };
        let version = chosen_version(version.unwrap_or_default())?.min(self.config.newest);
        self.watch.stop();
        self.state = State::Ready {
            version,
            asked: false,
        };
        Ok(ServerEvent::Connect(Connect { version, values }))
    }
}

fn check_count(
    opcode: Opcode,
    instruction: &Instruction<'_>,
    wanted: usize,
) -> Result<(), Failure> {
    match instruction.args().len() {
        found if found < wanted => Err(Failure::TooFewArguments { opcode }),
        found if found > wanted => Err(Failure::TooManyArguments { opcode }),
        _ => Ok(()),
    }
}

/// A client that leaves the version empty has 1.0.0 (guacamole-server,
/// `src/libguac/user-handshake.c`).
fn chosen_version(text: &str) -> Result<Version, Failure> {
    if text.is_empty() {
        return Ok(Version::V1_0_0);
    }
    Version::parse(text).ok_or(Failure::InvalidArgument {
        opcode: Opcode::Connect,
        element: 1,
    })
}

/// What stands between `args` and `connect`, in any order; `None` where it has no place
/// there. Opcodes that nobody knows are passed over as in guacd (guacamole-server,
/// `src/libguac/user-handlers.c`), so that newer clients can say more.
fn information<'i>(instruction: &Instruction<'i>) -> Result<Option<ServerEvent<'i>>, Failure> {
    let text = instruction.get(1).filter(|text| !text.is_empty());
    Ok(Some(match instruction.opcode() {
        Opcode::Size => ServerEvent::Size(display(instruction)?),
        Opcode::Audio => ServerEvent::Audio(instruction.args()),
        Opcode::Video => ServerEvent::Video(instruction.args()),
        Opcode::Image => ServerEvent::Image(instruction.args()),
        Opcode::Timezone => ServerEvent::Timezone(text),
        Opcode::Name => ServerEvent::Name(text),
        Opcode::Unknown => ServerEvent::Ignored,
        _ => return Ok(None),
    }))
}

/// The resolution may be missing (guacamole-server, `src/libguac/user-handlers.c`).
fn display(instruction: &Instruction<'_>) -> Result<Display, Failure> {
    let number = |element| match instruction.get(element).map(pixels) {
        None => Ok(None),
        Some(Some(number)) => Ok(Some(number)),
        Some(None) => Err(Failure::InvalidArgument {
            opcode: Opcode::Size,
            element,
        }),
    };
    let missing = Failure::TooFewArguments {
        opcode: Opcode::Size,
    };
    Ok(Display {
        width: number(1)?.ok_or(missing)?,
        height: number(2)?.ok_or(missing)?,
        dpi: number(3)?.unwrap_or(Display::DEFAULT_DPI),
    })
}

/// Decimal digits without a sign.
fn pixels(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// The values of `connect`.
#[derive(Clone)]
pub struct Connect<'i> {
    version: Version,
    values: Elements<'i>,
}

impl<'i> Connect<'i> {
    /// The version that the client chose, which is the one to go on with; never one
    /// newer than the server has.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// One value for each name that was sent in `args`, in that order, without the
    /// version; empty where the client has none.
    #[must_use]
    pub fn values(&self) -> Elements<'i> {
        self.values.clone()
    }

    /// The values with their names, which have to be those that were sent.
    pub fn parameters<'n, S: AsRef<str>>(
        &self,
        names: &'n [S],
    ) -> impl Iterator<Item = (&'n str, &'i str)> + use<'n, 'i, S> {
        names.iter().map(AsRef::as_ref).zip(self.values())
    }
}

impl fmt::Debug for Connect<'_> {
    /// Without the values, as there are passwords among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("values", &self.values.len())
            .finish()
    }
}

/// `args`, with the version in front of the names, if it is named.
struct ArgsInstruction<'a, S> {
    version: Option<Version>,
    names: &'a [S],
}

impl<S: AsRef<str>> Encode for ArgsInstruction<'_, S> {
    fn elements<E>(&self, mut each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        each(Opcode::Args.as_str())?;
        if let Some(version) = self.version {
            each(version.as_str())?;
        }
        self.names.iter().try_for_each(|name| each(name.as_ref()))
    }
}

struct Refusal<'a> {
    status: Status,
    message: &'a str,
}

impl Message for Refusal<'_> {
    fn put_into(&self, sink: &mut impl Sink) -> Result<(), EncodeError> {
        let mut code = Decimal::default();
        sink.put(&[
            "error",
            self.message,
            code.format(self.status.code().into()),
        ])?;
        sink.put(&["disconnect"])
    }
}
