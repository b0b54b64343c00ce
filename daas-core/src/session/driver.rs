//! Moves the bytes of a session. All that it decides is in the machine.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guac_protocol::{Encoder, Limits};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::buffer::Buffer;
use super::peer::{BrowserSink, BrowserStream, Received, ScreenSize};
use super::{Counters, End, Machine, Output, Refusal, Settings, Statistics, Status};
use crate::gateway::Connection;

/// Most time to tell either side of the end.
const FAREWELL: Duration = Duration::from_secs(2);
/// Memory that an empty queue may keep.
const QUEUE_KEPT: usize = 1024;

/// How a session is run.
#[derive(Debug, Default)]
pub struct Options {
    /// Rights and time limits. [`Settings::resizes`] is that of the connection.
    pub settings: Settings,
    /// Counts as it goes.
    pub counters: Arc<Counters>,
    /// Is told of each size that the gateway cannot pass on; the latest counts.
    pub resize: Option<watch::Sender<Option<ScreenSize>>>,
}

/// How a session was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why it ended.
    pub reason: End,
    /// What passed through.
    pub statistics: Statistics,
}

/// Runs a session until either side ends it, or `stop` does; then tells both sides and
/// closes both connections, which takes four seconds at most.
pub async fn run<S: BrowserSink, R: BrowserStream>(
    connection: Connection,
    sink: &mut S,
    stream: &mut R,
    options: Options,
    stop: impl Future<Output = super::StopReason> + Send,
) -> Ended {
    let Connection {
        mut reader,
        mut writer,
        read_ahead,
        resizes,
        ..
    } = connection;
    let shared = Shared::new(options, resizes, sink.written());
    let reason = {
        let mut out = pin!(to_browser(&shared, &mut reader, read_ahead, sink));
        let reason = {
            let input = to_gateway(&shared, &mut writer, stream);
            tokio::select! {
                end = &mut out => Reached::Out(end),
                end = input => Reached::Other(end),
                end = clock(&shared) => Reached::Other(end),
                reason = stop => Reached::Other(End::Stopped(reason)),
            }
        };
        match reason {
            Reached::Out(end) => end,
            Reached::Other(end) => settle(&shared, out, end).await,
        }
    };
    tracing::info!(reason = %reason, status = %reason.status(), "session ended");
    let ended = shared.counters.snapshot();
    // The desktop is let go of first: a slow browser must not keep it.
    let leave = timeout(FAREWELL, leave(&mut writer));
    let (_, ()) = tokio::join!(leave, say_farewell(sink, &reason));
    Ended {
        reason,
        statistics: ended,
    }
}

enum Reached {
    Out(End),
    Other(End),
}

/// Lets a message that is under way reach the browser. Where the gateway does not take any
/// more, it may have said why.
async fn settle(shared: &Shared, out: impl Future<Output = End>, end: End) -> End {
    let lost = matches!(end, End::GatewayLost(_));
    if !lost {
        shared.finish();
    }
    match timeout(FAREWELL, out).await {
        Ok(told) if lost => told,
        _ => end,
    }
}

/// What the three loops of a session share. No lock is held across an await.
struct Shared {
    state: Mutex<(Machine, Output)>,
    epoch: Instant,
    /// Longest time between two looks at the clock.
    tick: Duration,
    counters: Arc<Counters>,
    resize: Option<watch::Sender<Option<ScreenSize>>>,
    taken: Arc<AtomicU64>,
    for_browser: Notify,
    for_gateway: Notify,
    finishing: AtomicBool,
}

impl Shared {
    fn new(options: Options, resizes: bool, taken: Arc<AtomicU64>) -> Self {
        let settings = Settings {
            resizes,
            ..options.settings
        };
        let shortest = settings
            .browser_silence
            .min(settings.browser_stall)
            .min(settings.gateway_silence);
        Self {
            state: Mutex::new((Machine::new(settings, Duration::ZERO), Output::default())),
            epoch: Instant::now(),
            tick: shortest / 2,
            counters: options.counters,
            resize: options.resize,
            taken,
            for_browser: Notify::new(),
            for_gateway: Notify::new(),
            finishing: AtomicBool::new(false),
        }
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, (Machine, Output)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the machine, and wakes whoever has to send what came of it.
    fn with<T>(&self, call: impl FnOnce(&mut Machine, Duration, &mut Output) -> T) -> T {
        let now = self.now();
        let mut guard = self.lock();
        let (machine, output) = &mut *guard;
        let (gateway, browser) = (output.to_gateway.capacity(), output.to_browser.capacity());
        let result = call(machine, now, output);
        self.counters.resized(gateway, output.to_gateway.capacity());
        self.counters.resized(browser, output.to_browser.capacity());
        if !output.to_gateway.is_empty() {
            self.for_gateway.notify_one();
        }
        if !output.to_browser.is_empty() {
            self.for_browser.notify_one();
        }
        if std::mem::take(&mut output.has_input) {
            self.counters.had_input();
        }
        if let (Some(size), Some(resize)) = (output.resize.take(), &self.resize) {
            resize.send_replace(Some(size));
        }
        result
    }

    /// Exchanges a queue of the output for an empty one.
    fn take(&self, empty: &mut Vec<u8>, queue: impl Fn(&mut Output) -> &mut Vec<u8>) {
        empty.clear();
        empty.shrink_to(QUEUE_KEPT);
        std::mem::swap(empty, queue(&mut self.lock().1));
    }

    fn finish(&self) {
        self.finishing.store(true, Relaxed);
        self.for_browser.notify_one();
    }
}

/// From the gateway to the browser: while one message is under way, nothing is read.
async fn to_browser<S: BrowserSink>(
    shared: &Shared,
    reader: &mut (impl AsyncRead + Unpin),
    read_ahead: Vec<u8>,
    sink: &mut S,
) -> End {
    let mut buffer = Buffer::new(read_ahead);
    let (mut accounted, mut answers) = (0, Vec::new());
    let mut fresh = !buffer.bytes().is_empty();
    loop {
        shared.counters.resized(accounted, buffer.capacity());
        accounted = buffer.capacity();
        shared.take(&mut answers, |output| &mut output.to_browser);
        if !answers.is_empty()
            && let Err(end) = send(shared, sink, &answers).await
        {
            return end;
        }
        if fresh {
            let end = pass_on(shared, &mut buffer, sink).await;
            if let Some(end) = end {
                return end;
            }
        }
        if shared.finishing.load(Relaxed) {
            return End::BrowserLeft { code: None };
        }
        fresh = tokio::select! {
            read = buffer.read(reader) => match read {
                Ok(0) => return shared.lock().0.handle_gateway_end(None),
                Ok(_) => true,
                Err(error) => {
                    return shared.lock().0.handle_gateway_end(Some(error.to_string()));
                }
            },
            () = shared.for_browser.notified() => false,
        };
    }
}

/// Sends all whole instructions of the buffer as one message.
async fn pass_on<S: BrowserSink>(
    shared: &Shared,
    buffer: &mut Buffer,
    sink: &mut S,
) -> Option<End> {
    let forward =
        shared.with(|machine, now, output| machine.handle_gateway(now, buffer.bytes(), output));
    let whole = buffer.bytes().get(..forward.length).unwrap_or_default();
    if !whole.is_empty() {
        if let Err(end) = send(shared, sink, whole).await {
            return Some(end);
        }
        shared
            .counters
            .sent_to_browser(forward.length, forward.instructions);
    }
    buffer.consume(forward.length);
    forward.end
}

async fn send<S: BrowserSink>(shared: &Shared, sink: &mut S, text: &[u8]) -> Result<(), End> {
    let taken = shared.taken.load(Relaxed);
    shared.with(|machine, now, _| machine.set_browser_write(now, Some(taken)));
    let sent = sink.send(text).await;
    shared.with(|machine, now, _| machine.set_browser_write(now, None));
    sent.map_err(|error| End::BrowserLost(error.to_string()))
}

/// From the browser to the gateway: while the gateway takes its time, the browser is not
/// read.
async fn to_gateway<R: BrowserStream>(
    shared: &Shared,
    writer: &mut (impl AsyncWrite + Unpin),
    stream: &mut R,
) -> End {
    let mut queue = Vec::new();
    loop {
        shared.take(&mut queue, |output| &mut output.to_gateway);
        if !queue.is_empty() {
            if let Err(error) = deliver(shared, writer, &queue).await {
                return End::GatewayLost(error.to_string());
            }
            continue;
        }
        tokio::select! {
            received = stream.receive() => {
                if let Err(end) = take_in(shared, received) {
                    return end;
                }
            }
            () = shared.for_gateway.notified() => {}
        }
    }
}

async fn deliver(
    shared: &Shared,
    writer: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
) -> io::Result<()> {
    shared.with(|machine, now, _| machine.set_gateway_write(now, true));
    writer.write_all(bytes).await?;
    writer.flush().await?;
    shared.with(|machine, now, _| machine.set_gateway_write(now, false));
    shared.counters.sent_to_gateway(bytes.len());
    Ok(())
}

fn take_in(shared: &Shared, received: Received) -> Result<(), End> {
    match received {
        Received::Message(message) => {
            let taken =
                shared.with(|machine, now, output| machine.handle_browser(now, &message, output));
            shared.counters.received_from_browser(taken?);
            Ok(())
        }
        Received::Closed(code) => Err(End::BrowserLeft { code }),
        Received::Lost(error) => Err(End::BrowserLost(error)),
        Received::Violation(text) => Err(End::BrowserRefused(Refusal::Transport(text))),
    }
}

/// Watches the time limits.
async fn clock(shared: &Shared) -> End {
    loop {
        let next = shared.lock().0.poll_timeout();
        let at = next.min(shared.now() + shared.tick);
        sleep_until(shared.epoch + at).await;
        let taken = shared.taken.load(Relaxed);
        let checked =
            shared.with(|machine, now, output| machine.handle_timeout(now, taken, output));
        if let Err(end) = checked {
            return end;
        }
    }
}

/// Tells the gateway that nobody looks any more; guacd would keep the desktop for a while
/// otherwise.
async fn leave(writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    writer.write_all(b"10.disconnect;").await?;
    writer.shutdown().await
}

async fn say_farewell<S: BrowserSink>(sink: &mut S, end: &End) {
    if end.is_gone() {
        let status = Status::Success;
        return sink.close(status.websocket_close_code(), "").await;
    }
    let text = (!end.is_told()).then(|| end.message());
    tell(sink, end.status(), text).await;
}

/// Tells a browser why it does not get, or no longer has, a session, and closes its
/// connection: `error`, `disconnect`, and a close frame with the code as its reason
/// (guacamole-client, `Tunnel.js`).
pub async fn farewell<S: BrowserSink>(sink: &mut S, status: Status, message: &str) {
    tell(sink, status, Some(message)).await;
}

async fn tell<S: BrowserSink>(sink: &mut S, status: Status, message: Option<&str>) {
    let (encoder, mut out) = (Encoder::new(Limits::GUACD), Vec::new());
    let code = status.to_string();
    if let Some(message) = message {
        // A text of ours is within the limits; were it not, the code is still told below.
        let _ = encoder.encode_vec(&["error", message, &code], &mut out);
    }
    let _ = encoder.encode_vec(&["disconnect"], &mut out);
    // Whoever does not take it does not get to know.
    drop(timeout(FAREWELL, sink.send(&out)).await);
    sink.close(status.websocket_close_code(), &code).await;
}
