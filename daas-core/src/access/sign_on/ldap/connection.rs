//! A connection to a directory. Each log-in has one of its own, so that none is ever made
//! with what somebody else was allowed.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::answer::{Answer, Entry, Outcome};
use super::ber::{SEQUENCE, length, length_bytes};
use super::fault::Fault;
use super::request::{Request, START_TLS, Search, WHO_AM_I};
use super::settings::{Security, Server, Tls};

/// Most bytes of a message.
const MESSAGE_MAX: usize = 1024 * 1024;
/// Most bytes of all messages of a connection.
const RECEIVED_MAX: usize = 4 * 1024 * 1024;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// What a search finds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// Whether there are more than were asked for.
    pub(super) is_cut: bool,
}

/// Whom the server takes us for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    ForSomebody,
    ForNobody,
    /// It does not say.
    Unknown,
}

pub(super) struct Connection {
    wire: BufReader<Box<dyn Wire>>,
    /// The id of the last request.
    id: u32,
    received: usize,
    /// Time for each step.
    step: Duration,
}

impl Connection {
    /// Connects, with TLS where that is set.
    pub(super) async fn open(server: &Server, step: Duration) -> Result<Self, Fault> {
        let connected = TcpStream::connect((server.host.as_str(), server.port));
        let connected = within(step, "connecting", async {
            connected.await.map_err(|source| Fault::Connect {
                address: format!("{}:{}", server.host, server.port),
                source,
            })
        });
        let stream = connected.await?;
        // Requests are small, and each waits for the answer to the one before.
        stream.set_nodelay(true).map_err(Fault::Lost)?;
        let plain = Self::new(Box::new(stream), step);
        match &server.security {
            Security::None => Ok(plain),
            Security::Tls(tls) => plain.secure(tls, &server.host).await,
            Security::StartTls(tls) => {
                let mut plain = plain;
                plain.start_tls().await?;
                plain.secure(tls, &server.host).await
            }
        }
    }

    fn new(wire: Box<dyn Wire>, step: Duration) -> Self {
        Self {
            wire: BufReader::new(wire),
            id: 0,
            received: 0,
            step,
        }
    }

    async fn start_tls(&mut self) -> Result<(), Fault> {
        let operation = "StartTLS";
        match self.extended(START_TLS, operation).await? {
            (outcome, _) if outcome.is_success() => {}
            (outcome, _) => return Err(Fault::Refused { operation, outcome }),
        }
        // What comes before TLS may be from anybody, and must not count as said within it.
        if self.wire.buffer().is_empty() {
            Ok(())
        } else {
            Err(Fault::Answer("something follows the answer to StartTLS"))
        }
    }

    async fn secure(self, tls: &Tls, host: &str) -> Result<Self, Fault> {
        let connector = TlsConnector::from(tls.config.clone());
        let handshake = connector.connect(tls.name.clone(), self.wire.into_inner());
        let stream = within(self.step, "TLS", async {
            handshake.await.map_err(|source| Fault::Tls {
                host: host.to_owned(),
                source,
            })
        });
        Ok(Self::new(Box::new(stream.await?), self.step))
    }

    /// Asks to be taken for somebody.
    pub(super) async fn bind(&mut self, dn: &str, password: &str) -> Result<Outcome, Fault> {
        // A server would take us for nobody, and call that a success (RFC 4513, section
        // 5.1.2). Nothing here asks for that.
        if dn.is_empty() || password.is_empty() {
            return Err(Fault::setting("bind", "without a name or a password"));
        }
        let operation = "a bind";
        self.ask(&Request::Bind { dn, password }, operation).await?;
        match self.answer(operation).await? {
            Answer::Bind(outcome) => Ok(outcome),
            _ => Err(Fault::Answer("it is none to a bind")),
        }
    }

    /// Searches. What is elsewhere is not followed: it counts as not there.
    pub(super) async fn search(&mut self, search: &Search<'_>) -> Result<Found, Fault> {
        let operation = "a search";
        self.ask(&Request::Search(search), operation).await?;
        let most = usize::try_from(search.entries_max).unwrap_or(usize::MAX);
        let mut entries = Vec::new();
        loop {
            match self.answer(operation).await? {
                Answer::Entry(entry) if entries.len() < most => entries.push(entry),
                Answer::Entry(_) => return Err(Fault::Answer("it has more than was asked for")),
                Answer::Elsewhere | Answer::Intermediate => {}
                Answer::Done(outcome) => {
                    let is_cut = outcome.code == Outcome::SIZE_LIMIT;
                    let is_elsewhere = outcome.code == Outcome::REFERRAL;
                    if !(outcome.is_success() || is_cut || is_elsewhere) {
                        return Err(Fault::Refused { operation, outcome });
                    }
                    return Ok(Found { entries, is_cut });
                }
                _ => return Err(Fault::Answer("it is none to a search")),
            }
        }
    }

    /// Asks whom the server takes us for.
    pub(super) async fn who_am_i(&mut self) -> Result<Taken, Fault> {
        let (outcome, value) = self.extended(WHO_AM_I, "\"who am I?\"").await?;
        Ok(match value.as_deref() {
            _ if !outcome.is_success() => Taken::Unknown,
            None => Taken::Unknown,
            Some(b"" | b"dn:") => Taken::ForNobody,
            Some(_) => Taken::ForSomebody,
        })
    }

    async fn extended(
        &mut self,
        name: &'static str,
        operation: &'static str,
    ) -> Result<(Outcome, Option<Vec<u8>>), Fault> {
        self.ask(&Request::Extended(name), operation).await?;
        match self.answer(operation).await? {
            Answer::Extended { outcome, value } => Ok((outcome, value)),
            _ => Err(Fault::Answer("it is none to an extended request")),
        }
    }

    /// Says goodbye. It does not matter whether that is heard.
    pub(super) async fn close(mut self) {
        let operation = "goodbye";
        if self.ask(&Request::Unbind, operation).await.is_ok() {
            let _ = within(self.step, operation, async {
                self.wire.shutdown().await.map_err(Fault::Lost)
            })
            .await;
        }
    }

    async fn ask(&mut self, request: &Request<'_>, operation: &'static str) -> Result<(), Fault> {
        self.id += 1;
        let message = request.encode(self.id);
        within(self.step, operation, async {
            self.wire.write_all(&message).await.map_err(Fault::Lost)?;
            self.wire.flush().await.map_err(Fault::Lost)
        })
        .await
    }

    /// The next answer to the last request.
    async fn answer(&mut self, operation: &'static str) -> Result<Answer, Fault> {
        let message = within(self.step, operation, self.message()).await?;
        match Answer::read(&message)? {
            (id, answer) if id == self.id => Ok(answer),
            // News that nobody asked for: the server hangs up, and says why (RFC 4511,
            // section 4.4.1).
            (0, Answer::Extended { outcome, .. }) => Err(Fault::Ended(outcome)),
            _ => Err(Fault::Answer("it answers something else")),
        }
    }

    /// What is in the next message.
    async fn message(&mut self) -> Result<Vec<u8>, Fault> {
        let mut head = [0; 2];
        self.wire.read_exact(&mut head).await.map_err(Fault::Lost)?;
        let [tag, first] = head;
        if tag != SEQUENCE {
            return Err(Fault::Answer("it is no message of LDAP"));
        }
        let mut rest = vec![0; length_bytes(first)?];
        self.wire.read_exact(&mut rest).await.map_err(Fault::Lost)?;
        let length = length(first, &rest);
        self.received = self.received.saturating_add(length);
        if length > MESSAGE_MAX || self.received > RECEIVED_MAX {
            return Err(Fault::Answer("it is too long"));
        }
        // The room grows with what comes, not with what is announced.
        let mut message = Vec::new();
        let mut limited = (&mut self.wire).take(u64::try_from(length).unwrap_or_default());
        limited
            .read_to_end(&mut message)
            .await
            .map_err(Fault::Lost)?;
        if message.len() < length {
            return Err(Fault::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(message)
    }
}

/// What a step answers, if it does so in time.
async fn within<T>(
    step: Duration,
    operation: &'static str,
    future: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let late = |_| Fault::Late {
        operation,
        within: step,
    };
    timeout(step, future).await.map_err(late)?
}
