//! The side that connects to guacd.

use core::time::Duration;

use super::output::{self, Message, Output, Single, Sink};
use super::watch::Watch;
use super::{Argument, Capability, Failure, Information, Parameters, Target, Version, WriteError};
use crate::{Elements, Encode, EncodeError, Encoder, Instruction, Limits, Opcode, Status};

/// What a [`Client`] works by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientConfig {
    /// The newest version of the protocol to speak.
    pub newest: Version,
    /// Most time from `select` to `ready`. It must not be left out: to a protocol that
    /// it does not have guacd answers nothing at all, and keeps the connection open.
    pub timeout: Duration,
    /// Most time from a `required` before `ready` to that `ready`, as a user has to be
    /// asked then. It takes the place of [`timeout`](Self::timeout), once.
    pub answer_timeout: Duration,
    /// What the server accepts.
    pub limits: Limits,
}

impl Default for ClientConfig {
    /// [`Version::NEWEST`], 15 seconds as guacamole-client has it
    /// (`InetGuacamoleSocket`), two minutes to answer, and [`Limits::GUACD`].
    fn default() -> Self {
        Self {
            newest: Version::NEWEST,
            timeout: Duration::from_secs(15),
            answer_timeout: Duration::from_secs(120),
            limits: Limits::GUACD,
        }
    }
}

/// The handshake of the side that connects to guacd, or to what stands for it.
///
/// It sees instructions, not bytes; it has no clock, so that a point in time is an
/// argument, counted from an epoch of the caller's; and it keeps nothing of what passes
/// through it: what it writes goes into the caller's [`Output`] at once, and parameters,
/// passwords among them, are only borrowed.
///
/// # Order of calls
///
/// 1. [`write_select`](Self::write_select), and send what it wrote.
/// 2. Pass each instruction that arrives to
///    [`handle_instruction`](Self::handle_instruction), and do what the event asks for:
///    [`write_answer`](Self::write_answer) after [`ClientEvent::Args`],
///    [`write_argument`](Self::write_argument) after [`ClientEvent::Required`]. Send
///    what was written before the next wait.
/// 3. Where no whole instruction is left, ask [`poll_timeout`](Self::poll_timeout), and
///    wait for bytes until then. At that time call
///    [`handle_timeout`](Self::handle_timeout), and at the end of the stream
///    [`handle_end`](Self::handle_end).
/// 4. Stop with the first [`Failure`], or with [`ClientEvent::Refused`] or
///    [`ClientEvent::Disconnected`].
///
/// After [`ClientEvent::Ready`] the connection is open, and the machine may be dropped.
/// Who goes on to pass instructions to it learns of `required`, `error` and
/// `disconnect`: guacd says `ready` before it connects to the desktop, so that a desktop
/// that is not there, or that wants a password, shows only then.
///
/// The example of the [module](super) is a whole handshake.
#[derive(Clone, Debug)]
pub struct Client {
    config: ClientConfig,
    encoder: Encoder,
    watch: Watch,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `select` is not written.
    Start,
    /// Waiting for `args`.
    Args,
    /// `args` is there, and the caller has to write the answer.
    Answer(Version),
    /// Waiting for `ready`.
    Ready {
        version: Version,
        /// Whether the server asked for parameters.
        asked: bool,
    },
    Open(Version),
    /// The server said why, or at least that, it ends.
    Closed,
}

/// What an instruction of the server means to a client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientEvent<'i> {
    /// `args`: the server wants parameters. Answer by [`Client::write_answer`].
    Args(Args<'i>),
    /// `required`: the server needs the values of more parameters, which have these
    /// names. Answer each by [`Client::write_argument`].
    Required(Elements<'i>),
    /// `ready`: the connection has this id, which others may join.
    Ready {
        /// With a `$` in front, as far as it comes from guacd.
        id: &'i str,
    },
    /// `error`: the server refuses or ends the connection.
    Refused {
        /// Why. [`Status::ServerError`] where the code is missing or unknown, as
        /// guacamole-client reads it (`ConfiguredGuacamoleSocket`), or one of success.
        status: Status,
        /// Text for people; may be empty.
        message: &'i str,
    },
    /// `disconnect`: the server ends the connection.
    Disconnected,
    /// Of no account: a `nop`, or what comes after an end.
    Ignored,
    /// Not of the handshake: after `ready` anything that the desktop sends, and before
    /// it an `ack` of an answer to `required`.
    Other,
}

impl Client {
    /// A client that has not written `select` yet.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        Self {
            encoder: Encoder::new(config.limits),
            config,
            watch: Watch::default(),
            state: State::Start,
        }
    }

    /// Writes `select`, and answers how many bytes that took. The time limit starts.
    ///
    /// # Errors
    /// Where it was written before, or the output has no room.
    pub fn write_select<'t>(
        &mut self,
        now: Duration,
        target: impl Into<Target<'t>>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<usize, WriteError> {
        let State::Start = self.state_to_write() else {
            return Err(WriteError::OutOfOrder);
        };
        let select = Single(["select", target.into().as_str()]);
        let written = output::write(&self.encoder, &select, out)?;
        self.watch.start(now, self.config.timeout);
        self.state = State::Args;
        Ok(written)
    }

    /// Answers `args`: writes `size`, `audio`, `video`, `image`, `timezone` and `name`
    /// as far as the version has them, and `connect` with one value for each name.
    ///
    /// # Errors
    /// Where there is nothing to answer, a value is over the limits, or the output has
    /// no room for all of it.
    pub fn write_answer(
        &mut self,
        args: &Args<'_>,
        information: &Information<'_>,
        parameters: &(impl Parameters + ?Sized),
        out: &mut (impl Output + ?Sized),
    ) -> Result<usize, WriteError> {
        let State::Answer(version) = self.state_to_write() else {
            return Err(WriteError::OutOfOrder);
        };
        let answer = Answer {
            args,
            information,
            parameters,
        };
        let written = output::write(&self.encoder, &answer, out)?;
        self.state = State::Ready {
            version,
            asked: false,
        };
        Ok(written)
    }

    /// Writes the value of one parameter, as an answer to `required` or later on.
    ///
    /// # Errors
    /// Where `connect` was not written, or the connection has ended; and as
    /// [`Argument::write`].
    pub fn write_argument(
        &mut self,
        argument: &Argument<'_>,
        out: &mut (impl Output + ?Sized),
    ) -> Result<usize, WriteError> {
        match self.state_to_write() {
            State::Ready { .. } | State::Open(_) => argument.write(&self.encoder, out),
            _ => Err(WriteError::OutOfOrder),
        }
    }

    /// Takes the next instruction of the server.
    ///
    /// # Errors
    /// Where it has no place here or is malformed, where the time limit passed, and
    /// from then on.
    pub fn handle_instruction<'i>(
        &mut self,
        now: Duration,
        instruction: &Instruction<'i>,
    ) -> Result<ClientEvent<'i>, Failure> {
        self.handle_timeout(now)?;
        let event = self.event(now, instruction);
        event.map_err(|failure| self.watch.fail(failure))
    }

    /// Takes the end of the stream. That is in order where the server had announced it
    /// by `error` or `disconnect`.
    ///
    /// # Errors
    /// Where it had not, and the failure there was before.
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

    /// The state, which after a failure lets nothing be written.
    fn state_to_write(&self) -> State {
        match self.watch.failure() {
            Ok(()) => self.state,
            Err(_) => State::Closed,
        }
    }

    /// What the server has to send next.
    fn waiting_for(&self) -> Opcode {
        match self.state {
            State::Start | State::Args => Opcode::Args,
            State::Answer(_) | State::Ready { .. } => Opcode::Ready,
            State::Open(_) | State::Closed => Opcode::Disconnect,
        }
    }

    fn event<'i>(
        &mut self,
        now: Duration,
        instruction: &Instruction<'i>,
    ) -> Result<ClientEvent<'i>, Failure> {
        let found = instruction.opcode();
        match (self.state, found) {
            (State::Closed, _) => Ok(ClientEvent::Ignored),
            (_, Opcode::Error) => Ok(self.close(refused(instruction))),
            (_, Opcode::Disconnect) => Ok(self.close(ClientEvent::Disconnected)),
            (State::Args, Opcode::Args) => Ok(self.args(instruction)),
            (State::Ready { version, .. }, Opcode::Ready) => self.ready(version, instruction),
            (State::Ready { version, .. } | State::Open(version), Opcode::Required)
                if version.supports(Capability::Required) =>
            {
                self.required(now, instruction)
            }
            (State::Ready { asked: true, .. }, Opcode::Ack) => Ok(ClientEvent::Other),
            (State::Open(_), Opcode::Args | Opcode::Ready | Opcode::Required) => {
                Err(self.unexpected(found))
            }
            (State::Open(_), _) => Ok(ClientEvent::Other),
            (_, Opcode::Nop) => Ok(ClientEvent::Ignored),
            _ => Err(self.unexpected(found)),
        }
    }

    fn unexpected(&self, found: Opcode) -> Failure {
        Failure::Unexpected {
            waiting_for: self.waiting_for(),
            found,
        }
    }

    fn close<'i>(&mut self, event: ClientEvent<'i>) -> ClientEvent<'i> {
        self.watch.stop();
        self.state = State::Closed;
        event
    }

    fn args<'i>(&mut self, instruction: &Instruction<'i>) -> ClientEvent<'i> {
        let args = Args::new(instruction, self.config.newest);
        self.state = State::Answer(args.version);
        ClientEvent::Args(args)
    }

    /// Arguments after the id are let through: newer servers add some, as guacd 1.6 did
    /// to `sync`.
    fn ready<'i>(
        &mut self,
        version: Version,
        instruction: &Instruction<'i>,
    ) -> Result<ClientEvent<'i>, Failure> {
        let opcode = Opcode::Ready;
        match instruction.get(1) {
            None => Err(Failure::TooFewArguments { opcode }),
            Some("") => Err(Failure::InvalidArgument { opcode, element: 1 }),
            Some(id) => {
                self.watch.stop();
                self.state = State::Open(version);
                Ok(ClientEvent::Ready { id })
            }
        }
    }

    fn required<'i>(
        &mut self,
        now: Duration,
        instruction: &Instruction<'i>,
    ) -> Result<ClientEvent<'i>, Failure> {
        let names = instruction.args();
        if names.len() == 0 {
            let opcode = Opcode::Required;
            return Err(Failure::TooFewArguments { opcode });
        }
        // Only the first one gives more time, so that there is an end to it.
        if let State::Ready { asked, .. } = &mut self.state
            && !core::mem::replace(asked, true)
        {
            self.watch.start(now, self.config.answer_timeout);
        }
        Ok(ClientEvent::Required(names))
    }
}

fn refused<'i>(instruction: &Instruction<'i>) -> ClientEvent<'i> {
    let code = instruction.get(2).and_then(|code| code.parse().ok());
    let status = code.and_then(Status::from_code);
    ClientEvent::Refused {
        status: status
            .filter(|status| !status.is_success())
            .unwrap_or(Status::ServerError),
        message: instruction.get(1).unwrap_or_default(),
    }
}

/// What a server wants to know before it connects: the names of `args`.
#[derive(Clone, Debug)]
pub struct Args<'i> {
    /// Version that the server names itself.
    announced: Option<Version>,
    version: Version,
    names: Elements<'i>,
}

impl<'i> Args<'i> {
    /// The first name is the version of the server, where it is one (guacamole-client,
    /// `ConfiguredGuacamoleSocket`).
    fn new(instruction: &Instruction<'i>, newest: Version) -> Self {
        let mut names = instruction.args();
        let announced = names.clone().next().and_then(Version::parse);
        if announced.is_some() {
            names.next();
        }
        Self {
            announced,
            version: announced.unwrap_or(Version::V1_0_0).min(newest),
            names,
        }
    }

    /// The newest version that both sides have, which is the one to go on with. A server
    /// that names none has 1.0.0.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Names of the parameters, in the order of the server.
    #[must_use]
    pub fn names(&self) -> Elements<'i> {
        self.names.clone()
    }

    /// Whether the server has a parameter with this name.
    #[must_use]
    pub fn asks_for(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Calls `each` with the names of those parameters that the server did not ask for
    /// and will never see: a `hostnme`, or what only other versions of guacd have.
    pub fn each_unasked(
        &self,
        parameters: &(impl Parameters + ?Sized),
        mut each: impl FnMut(&str),
    ) {
        parameters.each_name(&mut |name| {
            if !self.asks_for(name) {
                each(name);
            }
        });
    }
}

struct Answer<'a, P: ?Sized> {
    args: &'a Args<'a>,
    information: &'a Information<'a>,
    parameters: &'a P,
}

impl<P: Parameters + ?Sized> Message for Answer<'_, P> {
    fn put_into(&self, sink: &mut impl Sink) -> Result<(), EncodeError> {
        self.information.put_into(self.args.version, sink)?;
        sink.put(&Connect {
            args: self.args,
            parameters: self.parameters,
        })
    }
}

/// `connect`, with one value for each name. That of the version is the one chosen.
struct Connect<'a, P: ?Sized> {
    args: &'a Args<'a>,
    parameters: &'a P,
}

impl<P: Parameters + ?Sized> Encode for Connect<'_, P> {
    fn elements<E>(&self, mut each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        each(Opcode::Connect.as_str())?;
        if self.args.announced.is_some() {
            each(self.args.version.as_str())?;
        }
        let mut names = self.args.names();
        names.try_for_each(|name| each(self.parameters.value(name).unwrap_or_default()))
    }
}
