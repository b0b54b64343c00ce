//! One connection to one guacd: TCP, and the handshake.

use std::io;
use std::time::Duration;

use guac_protocol::handshake::{
    Client, ClientConfig, ClientEvent, Failure, Information, Peer, Protocol as Select,
    ReceiveBuffer, WriteError,
};
use guac_protocol::{Limits, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::GuacdConfig;
use super::parameters::{parameters, resizes};
use crate::error::{BoxError, Error};
use crate::gateway::{ConnectError, Display, Target, Way};
use crate::model::Endpoint;
use crate::secret::Secret;

/// Bytes that are read at a time.
const READ: usize = 4096;

/// What a handshake leads to.
pub(super) struct Opened {
    pub(super) stream: TcpStream,
    pub(super) id: Secret<String>,
    pub(super) read_ahead: Vec<u8>,
    pub(super) resizes: bool,
}

/// Why it does not lead there.
pub(super) enum Refused {
    /// This guacd is of no use at the moment; another one may be.
    Unusable(ConnectError),
    /// guacd answered, and another one would answer the same.
    Answered(ConnectError),
}

fn error(status: Status, reason: &str, source: impl Into<BoxError>) -> ConnectError {
    ConnectError {
        status,
        reason: reason.to_owned(),
        source: Some(Error::Unavailable {
            backend: "guacd",
            operation: "connect",
            source: Some(source.into()),
        }),
    }
}

/// Opens a TCP connection to `host:port`; every address of the name is tried.
pub(super) async fn reach(address: &str, limit: Duration) -> io::Result<TcpStream> {
    let stream = timeout(limit, TcpStream::connect(address)).await??;
    // Input is small and must not wait for more of it.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Opens a connection to a desktop through this guacd.
pub(super) async fn open(
    address: &str,
    target: &Target,
    display: &Display,
    config: &GuacdConfig,
) -> Result<Opened, Refused> {
    let stream = reach(address, config.connect_timeout)
        .await
        .map_err(|source| {
            let reason = "The gateway to the desktops does not answer.";
            Refused::Unusable(error(Status::ServerBusy, reason, source))
        })?;
    let place = place(&target.way, &stream).await?;
    let handshake = Handshake::new(stream, target, &place, config);
    handshake.run(display).await
}

/// Where a desktop is found, and what is asked for there.
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    pub(super) password: Secret<String>,
}

/// A console is opened where this guacd sees this machine, and for nobody but this guacd: both
/// are the ends of the connection to it.
async fn place(way: &Way, stream: &TcpStream) -> Result<Place, Refused> {
    let (hypervisor, instance) = match way {
        Way::Console {
            hypervisor,
            instance,
        } => (hypervisor, *instance),
        Way::Address { endpoint, password } => {
            return Ok(Place {
                endpoint: *endpoint,
                password: password.clone(),
            });
        }
    };
    let ends = stream
        .local_addr()
        .and_then(|here| Ok((here, stream.peer_addr()?)));
    let (here, guacd) = ends.map_err(|error| broken(false, error))?;
    let opened = hypervisor.console(instance, here.ip(), guacd.ip()).await;
    let console = opened.map_err(no_console)?;
    Ok(Place {
        endpoint: Endpoint {
            address: console.address.ip(),
            port: console.address.port(),
        },
        password: console.password,
    })
}

/// Another guacd would get no other answer.
fn no_console(source: Error) -> Refused {
    let (status, reason) = match source {
        Error::Unavailable { .. } => (
            Status::UpstreamUnavailable,
            "The host of the desktop does not show its console at the moment.",
        ),
        _ => (
            Status::UpstreamError,
            "The console of the desktop cannot be shown.",
        ),
    };
    Refused::Answered(error(status, reason, source))
}

struct Handshake<'c> {
    stream: TcpStream,
    client: Client,
    received: ReceiveBuffer,
    out: Vec<u8>,
    start: Instant,
    target: &'c Target,
    place: &'c Place,
    config: &'c GuacdConfig,
    /// Whether guacd said anything.
    answered: bool,
}

/// How a step of the handshake ends.
enum Step {
    Wait,
    Ready(String),
}

impl<'c> Handshake<'c> {
    fn new(
        stream: TcpStream,
        target: &'c Target,
        place: &'c Place,
        config: &'c GuacdConfig,
    ) -> Self {
        let limits = Limits::GUACD;
        let client = ClientConfig {
            timeout: config.handshake_timeout,
            answer_timeout: Duration::ZERO,
            limits,
            ..ClientConfig::default()
        };
        Self {
            stream,
            client: Client::new(client),
            received: ReceiveBuffer::new(limits),
            out: Vec::new(),
            start: Instant::now(),
            target,
            place,
            config,
            answered: false,
        }
    }

    async fn run(mut self, display: &Display) -> Result<Opened, Refused> {
        let select = Select::new(self.target.protocol.as_str())
            .map_err(|source| refusal(Status::ServerError, source))?;
        self.client
            .write_select(Duration::ZERO, select, &mut self.out)
            .map_err(|source| refusal(Status::ServerError, source))?;
        let mut resizes = false;
        loop {
            self.send().await?;
            match self.step(display, &mut resizes)? {
                Step::Wait => self.receive().await?,
                Step::Ready(id) => {
                    return Ok(Opened {
                        stream: self.stream,
                        id: Secret::new(id),
                        read_ahead: self.received.into_remaining(),
                        resizes,
                    });
                }
            }
        }
    }

    /// Takes what was received, as far as it goes.
    fn step(&mut self, display: &Display, resizes_itself: &mut bool) -> Result<Step, Refused> {
        loop {
            // In parts, as an instruction borrows from the buffer.
            let now = self.start.elapsed();
            let instruction = match self.received.poll_instruction() {
                Ok(Some(instruction)) => instruction,
                Ok(None) => return Ok(Step::Wait),
                Err(error) => return Err(failed(self.answered, error.into())),
            };
            let event = self.client.handle_instruction(now, &instruction);
            self.answered = true;
            match event.map_err(|failure| failed(true, failure))? {
                ClientEvent::Args(args) => {
                    *resizes_itself = resizes(self.target.protocol, &args);
                    let parameters = parameters(self.target, self.place);
                    let written = answer(&mut self.client, &args, &parameters, display);
                    self.out = written.map_err(|source| refusal(Status::ServerError, source))?;
                    // It has to leave before anything can come back.
                    return Ok(Step::Wait);
                }
                ClientEvent::Ready { id } => return Ok(Step::Ready(id.to_owned())),
                ClientEvent::Refused { status, message } => return Err(told(status, message)),
                ClientEvent::Required(_) => return Err(required()),
                ClientEvent::Disconnected => {
                    return Err(told(Status::UpstreamError, "guacd ended the connection"));
                }
                _ => {}
            }
        }
    }

    fn deadline(&self) -> Instant {
        let limit = self.client.poll_timeout();
        self.start + limit.unwrap_or(self.config.handshake_timeout)
    }

    async fn send(&mut self) -> Result<(), Refused> {
        let out = std::mem::take(&mut self.out);
        match timeout_at(self.deadline(), self.stream.write_all(&out)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(self.answered, error)),
            Err(_) => Err(self.timed_out()),
        }
    }

    async fn receive(&mut self) -> Result<(), Refused> {
        if !self.out.is_empty() {
            return Ok(());
        }
        let mut room = [0; READ];
        match timeout_at(self.deadline(), self.stream.read(&mut room)).await {
            Ok(Ok(0)) => Err(self.ended()),
            Ok(Ok(length)) => {
                self.received.extend(&room[..length]);
                Ok(())
            }
            Ok(Err(error)) => Err(broken(self.answered, error)),
            Err(_) => Err(self.timed_out()),
        }
    }

    fn ended(&mut self) -> Refused {
        match self.client.handle_end() {
            Err(failure) => failed(self.answered, failure),
            Ok(()) => told(Status::UpstreamError, "guacd ended the connection"),
        }
    }

    fn timed_out(&mut self) -> Refused {
        let late = self.start.elapsed().max(self.config.handshake_timeout);
        match self.client.handle_timeout(late) {
            Err(failure) => failed(self.answered, failure),
            Ok(()) => told(Status::UpstreamTimeout, "no answer in time"),
        }
    }
}

/// The answer to `args`.
fn answer(
    client: &mut Client,
    args: &guac_protocol::handshake::Args<'_>,
    parameters: &[(&'static str, String)],
    display: &Display,
) -> Result<Vec<u8>, WriteError> {
    let audio: Vec<&str> = display.audio.iter().map(String::as_str).collect();
    let image: Vec<&str> = display.images.iter().map(String::as_str).collect();
    let information = Information {
        display: guac_protocol::handshake::Display {
            width: display.width,
            height: display.height,
            dpi: display.dpi,
        },
        audio: &audio,
        video: &[],
        image: &image,
        timezone: display.timezone.as_deref(),
        name: display.name.as_deref(),
    };
    let mut out = Vec::new();
    client.write_answer(args, &information, parameters, &mut out)?;
    Ok(out)
}

fn refusal(status: Status, source: impl Into<BoxError>) -> Refused {
    let reason = "The gateway does not understand what the server asks for.";
    Refused::Answered(error(status, reason, source))
}

/// What guacd says by `error` or `disconnect`.
fn told(status: Status, message: &str) -> Refused {
    let reason = "The gateway refuses to connect to the desktop.";
    Refused::Answered(error(status, reason, message.to_owned()))
}

/// guacd asks for what no instance has: a user name, a domain, or another password.
fn required() -> Refused {
    let reason = "The desktop asks for credentials that the server does not have.";
    let source = "guacd sent 'required'";
    Refused::Answered(error(Status::ClientUnauthorized, reason, source))
}

/// A failed handshake. Where guacd said nothing at all, another one may do better.
fn failed(answered: bool, failure: Failure) -> Refused {
    let status = failure.status(Peer::Guacd);
    let reason = match failure {
        Failure::Timeout { .. } => "The gateway to the desktop does not answer in time.",
        Failure::EndOfStream { .. } => "The gateway to the desktop closed the connection.",
        _ => "The gateway to the desktop does not keep to the protocol.",
    };
    let error = error(status, reason, failure);
    if answered {
        Refused::Answered(error)
    } else {
        Refused::Unusable(error)
    }
}

fn broken(answered: bool, source: io::Error) -> Refused {
    let reason = "The gateway to the desktop closed the connection.";
    let error = error(Status::UpstreamError, reason, source);
    if answered {
        Refused::Answered(error)
    } else {
        Refused::Unusable(error)
    }
}
