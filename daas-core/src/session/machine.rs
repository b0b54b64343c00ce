//! The machine between the two streams.

use std::time::Duration;

use guac_protocol::{Decoded, Decoder, Limits, Opcode, ScanEnd, Scanned, Scanner, Status};

use super::browser::Browser;
use super::clipboard::Clipboard;
use super::end::{Direction, End, Refusal};
use super::held::Held;
use super::peer::ScreenSize;

/// Most bytes of answers that may wait for the browser.
const ANSWERS_MAX: usize = 32 * 1024;
const NOP: &[u8] = b"3.nop;";

/// What a [`Machine`] works by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether the browser may only look.
    pub read_only: bool,
    /// Whether the gateway passes `size` on to the desktop.
    pub resizes: bool,
    /// Silence of the browser after which it is given up. It sends a ping twice a second,
    /// or, where its timers are held up, after each instruction of the gateway
    /// (guacamole-client, `Tunnel.js`, `PING_FREQUENCY`).
    pub browser_silence: Duration,
    /// Time without progress after which a browser that takes nothing is given up.
    pub browser_stall: Duration,
    /// Silence of the gateway, in either direction, after which it is given up. guacd sends
    /// something at least every ten seconds.
    pub gateway_silence: Duration,
    /// Silence towards the gateway after which it is sent a `nop`. guacd gives clients up
    /// after 15 seconds (guacamole-server, `src/libguac/user.c`).
    pub keep_alive: Duration,
}

impl Default for Settings {
    /// Full rights, a gateway that passes `size` on, 15, 30 and 30 seconds, and a `nop`
    /// after 5.
    fn default() -> Self {
        Self {
            read_only: false,
            resizes: true,
            browser_silence: Duration::from_secs(15),
            browser_stall: Duration::from_secs(30),
            gateway_silence: Duration::from_secs(30),
            keep_alive: Duration::from_secs(5),
        }
    }
}

/// What is to be sent besides that which passes through.
#[derive(Debug, Default)]
pub struct Output {
    /// Whole instructions for the gateway.
    pub to_gateway: Vec<u8>,
    /// Whole instructions for the browser.
    pub to_browser: Vec<u8>,
    /// The screen is to get this size; the gateway cannot do it.
    pub resize: Option<ScreenSize>,
    /// Somebody used keys, pointer or fingers.
    pub has_input: bool,
}

/// What is to be done with bytes of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Forward {
    /// So many leading bytes go to the browser as they are.
    pub length: usize,
    /// So many instructions these are.
    pub instructions: usize,
    /// The session ends after them.
    pub end: Option<End>,
}

/// Decides what passes between a gateway and a browser, and when that ends.
///
/// It owns no bytes that pass through, but those of input before the first frame and of
/// cut characters; bytes and points in time are arguments, the latter counted from an
/// epoch of the caller's.
///
/// # Order of calls
///
/// 1. Bytes of the gateway go to [`handle_gateway`](Self::handle_gateway), and those after
///    [`Forward::length`] again with more behind them; messages of the browser go to
///    [`handle_browser`](Self::handle_browser), the end of the gateway's stream to
///    [`handle_gateway_end`](Self::handle_gateway_end).
/// 2. After each call, send what is in the [`Output`]. Around each write, call
///    [`set_browser_write`](Self::set_browser_write) or
///    [`set_gateway_write`](Self::set_gateway_write).
/// 3. At [`poll_timeout`](Self::poll_timeout), call
///    [`handle_timeout`](Self::handle_timeout).
///
/// The first [`End`] is the last call.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    scanner: Scanner,
    decoder: Decoder,
    browser: Browser,
    /// What the gateway said by `error`.
    error: Option<(Status, String)>,
    opcodes: [u32; OPCODES],
    heard_browser: Duration,
    heard_gateway: Duration,
    told_gateway: Duration,
    browser_write: Option<Write>,
    gateway_write: Option<Duration>,
}

const OPCODES: usize = Opcode::Unknown as usize + 1;

/// A write to the browser that is under way.
#[derive(Clone, Copy, Debug)]
struct Write {
    begun: Duration,
    /// When something was taken last.
    since: Duration,
    /// Bytes that were taken until then.
    taken: u64,
}

impl Machine {
    /// A machine for a connection that is open.
    #[must_use]
    pub fn new(settings: Settings, now: Duration) -> Self {
        Self {
            scanner: Scanner::new(Limits::GUACD),
            decoder: Decoder::new(Limits::GUACD),
            browser: Browser {
                read_only: settings.read_only,
                resizes: settings.resizes,
                is_open: false,
                held: Held::default(),
                clipboard: Clipboard::default(),
            },
            settings,
            error: None,
            opcodes: [0; OPCODES],
            heard_browser: now,
            heard_gateway: now,
            told_gateway: now,
            browser_write: None,
            gateway_write: None,
        }
    }

    /// Takes bytes of the gateway: those that were left before, and new ones.
    pub fn handle_gateway(&mut self, now: Duration, bytes: &[u8], out: &mut Output) -> Forward {
        self.heard_gateway = now;
        let (mut stop, mut seen) = (None, Seen::default());
        let opcodes = &mut self.opcodes;
        let scan = self.scanner.scan(bytes, |found| {
            if stop.is_some() {
                return;
            }
            let Some(end) = seen.look(found.opcode) else {
                let count = &mut opcodes[found.opcode as usize];
                *count = count.saturating_add(1);
                if found.opcode == Opcode::Error {
                    seen.error = Some(found);
                }
                seen.passed += 1;
                return;
            };
            stop = Some((found.range.start, end));
        });
        if let Some(found) = &seen.error {
            self.error = read_error(bytes, found);
        }
        if seen.has_frame {
            self.open(out);
        }
        self.forward(stop, scan, seen.passed)
    }

    fn forward(
        &mut self,
        stop: Option<(usize, Stop)>,
        scan: guac_protocol::Scan,
        instructions: usize,
    ) -> Forward {
        let (length, end) = match (stop, scan.end) {
            (Some((at, stop)), _) => (at, Some(self.end(stop))),
            (None, ScanEnd::Error(error)) => (scan.length, Some(End::GatewayProtocol(error))),
            (None, ScanEnd::Boundary | ScanEnd::Incomplete) => (scan.length, None),
        };
        Forward {
            length,
            instructions,
            end,
        }
    }

    fn end(&mut self, stop: Stop) -> End {
        match stop {
            Stop::Disconnect => self.gateway_ended(),
            Stop::Required => End::GatewayAsks,
            Stop::Unexpected(opcode) => End::GatewayUnexpected(opcode),
        }
    }

    fn gateway_ended(&mut self) -> End {
        match self.error.take() {
            Some((status, message)) => End::GatewayEnded {
                status: Some(status),
                message,
            },
            None => End::GatewayEnded {
                status: None,
                message: String::new(),
            },
        }
    }

    /// The desktop is there: what waited for it may go.
    fn open(&mut self, out: &mut Output) {
        if !self.browser.is_open {
            self.browser.is_open = true;
            out.to_gateway.append(&mut self.browser.held.release());
        }
    }

    /// Takes the end of the gateway's stream. After an `error` that is in order, also
    /// inside an instruction: guacd closes while it still writes.
    pub fn handle_gateway_end(&mut self, why: Option<String>) -> End {
        if self.error.is_some() {
            return self.gateway_ended();
        }
        End::GatewayLost(why.unwrap_or_else(|| "end of stream".to_owned()))
    }

    /// Takes one message of the browser, and answers how many instructions it holds.
    ///
    /// # Errors
    /// What ends the session.
    pub fn handle_browser(
        &mut self,
        now: Duration,
        message: &[u8],
        out: &mut Output,
    ) -> Result<usize, End> {
        self.heard_browser = now;
        let (browser, mut result) = (&mut self.browser, Ok(()));
        let scan = self.decoder.decode_all(message, |instruction| {
            if result.is_ok() {
                result = browser.handle(instruction, out);
            }
        });
        result?;
        match scan.end {
            ScanEnd::Boundary => {}
            ScanEnd::Incomplete => return Err(End::BrowserRefused(Refusal::Incomplete)),
            ScanEnd::Error(error) => return Err(End::BrowserRefused(Refusal::Malformed(error))),
        }
        if out.to_browser.len() > ANSWERS_MAX {
            return Err(End::BrowserRefused(Refusal::Flood));
        }
        Ok(scan.instructions)
    }

    /// Says that a write to the browser begins (with the bytes that its transport has
    /// taken so far), or that none is under way.
    pub fn set_browser_write(&mut self, now: Duration, taken: Option<u64>) {
        let write = taken.map(|taken| Write {
            begun: now,
            since: now,
            taken,
        });
        if let Some(done) = std::mem::replace(&mut self.browser_write, write) {
            // The gateway was not read meanwhile, which is not its fault.
            self.heard_gateway += now.saturating_sub(done.begun);
        }
    }

    /// Says whether a write to the gateway is under way.
    pub fn set_gateway_write(&mut self, now: Duration, is_under_way: bool) {
        let write = is_under_way.then_some(now);
        self.told_gateway = now;
        if let Some(begun) = std::mem::replace(&mut self.gateway_write, write) {
            // The browser was not heard meanwhile, which is not its fault.
            self.heard_browser += now.saturating_sub(begun);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Duration {
        let Settings {
            browser_silence,
            browser_stall,
            gateway_silence,
            keep_alive,
            ..
        } = self.settings;
        let browser = match self.browser_write {
            Some(write) => write.since + browser_stall,
            None => self.heard_gateway + gateway_silence,
        };
        let gateway = match self.gateway_write {
            Some(since) => since + gateway_silence,
            None => (self.heard_browser + browser_silence).min(self.told_gateway + keep_alive),
        };
        browser.min(gateway)
    }

    /// Takes the time, and the bytes that the browser's transport has taken so far.
    ///
    /// # Errors
    /// What ends the session.
    pub fn handle_timeout(
        &mut self,
        now: Duration,
        taken: u64,
        out: &mut Output,
    ) -> Result<(), End> {
        self.check_browser_write(now, taken)?;
        let silence = self.settings.gateway_silence;
        match self.gateway_write {
            Some(since) if now >= since + silence => {
                return Err(End::GatewaySilent(Direction::Sending));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        if now >= self.heard_browser + self.settings.browser_silence {
            return Err(End::BrowserSilent);
        }
        if now >= self.told_gateway + self.settings.keep_alive {
            out.to_gateway.extend_from_slice(NOP);
            self.told_gateway = now;
        }
        Ok(())
    }

    fn check_browser_write(&mut self, now: Duration, taken: u64) -> Result<(), End> {
        match &mut self.browser_write {
            Some(write) if write.taken != taken => {
                (write.since, write.taken) = (now, taken);
            }
            Some(write) if now >= write.since + self.settings.browser_stall => {
                return Err(End::BrowserStalled);
            }
            Some(_) => {}
            None if now >= self.heard_gateway + self.settings.gateway_silence => {
                return Err(End::GatewaySilent(Direction::Receiving));
            }
            None => {}
        }
        Ok(())
    }

    /// How many instructions of the gateway were passed on, by opcode.
    pub fn passed(&self) -> impl Iterator<Item = (Opcode, u32)> {
        let known = Opcode::ALL.iter().copied().chain([Opcode::Unknown]);
        known
            .map(|opcode| (opcode, self.opcodes[opcode as usize]))
            .filter(|&(_, count)| count > 0)
    }
}

/// What ends a session at an instruction of the gateway, which itself is not passed on.
enum Stop {
    Disconnect,
    Required,
    Unexpected(Opcode),
}

/// What was noticed in some bytes of the gateway.
#[derive(Default)]
struct Seen {
    passed: usize,
    has_frame: bool,
    error: Option<Scanned>,
}

impl Seen {
    /// A gateway that speaks for the tunnel would lead the browser astray.
    fn look(&mut self, opcode: Opcode) -> Option<Stop> {
        match opcode {
            Opcode::Sync => self.has_frame = true,
            Opcode::Disconnect => return Some(Stop::Disconnect),
            Opcode::Required => return Some(Stop::Required),
            Opcode::Internal | Opcode::Args | Opcode::Ready => {
                return Some(Stop::Unexpected(opcode));
            }
            _ => {}
        }
        None
    }
}

/// Status and text of an `error`; [`Status::ServerError`] where the code is missing or
/// unknown.
fn read_error(bytes: &[u8], found: &Scanned) -> Option<(Status, String)> {
    let mut decoder = Decoder::new(Limits::GUACD);
    let raw = bytes.get(found.range.clone())?;
    let Ok(Decoded::Complete { instruction, .. }) = decoder.decode(raw) else {
        return None;
    };
    let code = instruction.get(2).and_then(|code| code.parse().ok());
    let status = code.and_then(Status::from_code);
    let status = status.filter(|status| !status.is_success());
    let text = instruction.get(1).unwrap_or_default();
    Some((
        status.unwrap_or(Status::ServerError),
        text.chars().take(256).collect(),
    ))
}
