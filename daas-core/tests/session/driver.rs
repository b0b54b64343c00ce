//! The driver, between streams in memory. The clock jumps to the next time that anything
//! waits for, so that a minute takes no time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use daas_core::Secret;
use daas_core::gateway::Connection;
use daas_core::model::Timestamp;
use daas_core::session::{
    BrowserSink, BrowserStream, Counters, End, Ended, Options, Received, ScreenSize, Settings,
    Status, StopReason, run,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::encode;

struct Sink {
    frames: mpsc::Sender<String>,
    closed: Option<oneshot::Sender<(u16, String)>>,
    written: Arc<AtomicU64>,
}

impl BrowserSink for Sink {
    async fn send(&mut self, text: &[u8]) -> io::Result<()> {
        let text = String::from_utf8(text.to_vec()).expect("a frame of UTF-8");
        let length = text.len() as u64;
        let sent = self.frames.send(text).await;
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.written.fetch_add(length, Relaxed);
        Ok(())
    }

    async fn close(&mut self, code: u16, reason: &str) {
        if let Some(closed) = self.closed.take() {
            let _ = closed.send((code, reason.to_owned()));
        }
    }

    fn written(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.written)
    }
}

struct Stream(mpsc::Receiver<Received>);

impl BrowserStream for Stream {
    async fn receive(&mut self) -> Received {
        let received = self.0.recv().await;
        received.unwrap_or_else(|| Received::Lost("gone".to_owned()))
    }
}

/// Both ends of a session.
struct Bench {
    guacd: DuplexStream,
    frames: mpsc::Receiver<String>,
    browser: mpsc::Sender<Received>,
    closed: oneshot::Receiver<(u16, String)>,
    stop: Option<oneshot::Sender<StopReason>>,
    sizes: watch::Receiver<Option<ScreenSize>>,
    counters: Arc<Counters>,
    session: JoinHandle<Ended>,
}

impl Bench {
    fn start(resizes: bool, read_ahead: &[u8]) -> Self {
        let (ours, guacd) = duplex(8 * 1024);
        let (reader, writer) = tokio::io::split(ours);
        let connection = Connection {
            id: Secret::new("$1".to_owned()),
            reader: Box::new(reader),
            read_ahead: read_ahead.to_vec(),
            writer: Box::new(writer),
            resizes,
        };
        let (frame, frames) = mpsc::channel(1);
        let (close, closed) = oneshot::channel();
        let (browser, messages) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let (size, sizes) = watch::channel(None);
        let options = Options {
            settings: Settings::default(),
            resize: Some(size),
            ..Options::default()
        };
        let counters = Arc::clone(&options.counters);
        let session = tokio::spawn(async move {
            let mut sink = Sink {
                frames: frame,
                closed: Some(close),
                written: Arc::default(),
            };
            let mut stream = Stream(messages);
            let stop = async { stopped.await.unwrap() };
            run(connection, &mut sink, &mut stream, options, stop).await
        });
        Self {
            guacd,
            frames,
            browser,
            closed,
            stop: Some(stop),
            sizes,
            counters,
            session,
        }
    }

    async fn say(&self, message: &[u8]) {
        let message = Bytes::copy_from_slice(message);
        self.browser.send(Received::Message(message)).await.unwrap();
    }

    async fn frame(&mut self) -> String {
        let frame = timeout(Duration::from_secs(60), self.frames.recv()).await;
        frame.expect("a frame in time").expect("a frame")
    }

    /// Reads from the session as guacd, until a text is there.
    async fn expect_at_guacd(&mut self, expected: &str) {
        let mut read = vec![0; expected.len()];
        self.guacd.read_exact(&mut read).await.unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), expected);
    }

    /// All that comes until the end.
    async fn finish(mut self) -> (Ended, String, (u16, String)) {
        let mut frames = String::new();
        while let Some(frame) = self.frames.recv().await {
            frames.push_str(&frame);
        }
        (
            self.session.await.unwrap(),
            frames,
            self.closed.await.unwrap(),
        )
    }
}

fn reason(status: Status) -> (u16, String) {
    (status.websocket_close_code(), status.to_string())
}

#[tokio::test(start_paused = true)]
async fn whole_instructions_go_at_once_and_parts_wait() {
    let mut bench = Bench::start(true, b"4.name,1.a;4.sy");
    assert_eq!(bench.frame().await, "4.name,1.a;");
    bench
        .guacd
        .write_all(b"nc,1.1;4.name,2.\xE4\xB8")
        .await
        .unwrap();
    assert_eq!(bench.frame().await, "4.sync,1.1;");
    bench.guacd.write_all(b"\x96\xE7\x95").await.unwrap();
    bench.guacd.write_all(b"\x8C;3.nop;").await.unwrap();
    assert_eq!(bench.frame().await, "4.name,2.世界;3.nop;");
    bench.say(b"4.sync,1.1;").await;
    bench.expect_at_guacd("4.sync,1.1;").await;
    bench.say(b"0.,4.ping,2.77;").await;
    assert_eq!(bench.frame().await, "0.,4.ping,2.77;");
    bench.guacd.write_all(b"10.disconnect;4.sy").await.unwrap();
    let counters = Arc::clone(&bench.counters);
    let (ended, frames, closed) = bench.finish().await;
    assert_eq!(
        ended.reason,
        End::GatewayEnded {
            status: None,
            message: String::new()
        }
    );
    let text = "5.error,34.The desktop closed the connection.,3.515;10.disconnect;";
    assert_eq!(frames, text);
    assert_eq!(closed, reason(Status::UpstreamError));
    assert_eq!(ended.statistics.instructions_to_browser, 4);
    assert_eq!(ended.statistics.instructions_from_browser, 2);
    assert_eq!(ended.statistics.bytes_to_gateway, 11);
    assert_eq!(ended.statistics, counters.snapshot());
}

/// What a page does by itself is no use of a desktop.
#[tokio::test(start_paused = true)]
async fn only_keys_and_pointer_are_input() {
    let mut bench = Bench::start(true, b"4.sync,1.1;");
    assert_eq!(bench.frame().await, "4.sync,1.1;");
    for idle in [
        "4.sync,1.1;",
        "4.size,3.640,3.480;",
        "3.nop;",
        "9.clipboard,1.0,10.text/plain;4.blob,1.0,4.YWJj;3.end,1.0;",
    ] {
        bench.say(idle.as_bytes()).await;
        bench.expect_at_guacd(idle).await;
        assert_eq!(bench.counters.input_at(), None, "{idle}");
    }
    bench.say(b"0.,4.ping,2.77;").await;
    assert_eq!(bench.frame().await, "0.,4.ping,2.77;");
    assert_eq!(bench.counters.input_at(), None);
    let before = Timestamp::now();
    for input in ["5.mouse,1.1,1.1,1.0;", "3.key,2.97,1.1;"] {
        bench.say(input.as_bytes()).await;
        bench.expect_at_guacd(input).await;
        assert!(bench.counters.input_at() >= Some(before), "{input}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_of_guacd_is_not_told_twice() {
    let mut bench = Bench::start(true, b"");
    let error = encode(&["error", "no route", "519"]);
    bench.guacd.write_all(&error).await.unwrap();
    bench.guacd.write_all(b"10.disconnect;").await.unwrap();
    let (ended, frames, closed) = bench.finish().await;
    assert_eq!(ended.reason.status(), Status::UpstreamNotFound);
    assert_eq!(frames, "5.error,8.no route,3.519;10.disconnect;");
    assert_eq!(closed, reason(Status::UpstreamNotFound));
}

#[tokio::test(start_paused = true)]
async fn each_end_has_a_reason_of_its_own() {
    type Act = fn(&mut Bench) -> bool;
    let cases: [(Act, Status); 9] = [
        (
            |b| {
                b.stop
                    .take()
                    .unwrap()
                    .send(StopReason::InstanceStopped)
                    .is_ok()
            },
            Status::SessionClosed,
        ),
        (
            |b| b.stop.take().unwrap().send(StopReason::TakenOver).is_ok(),
            Status::SessionConflict,
        ),
        (
            |b| b.stop.take().unwrap().send(StopReason::Idle).is_ok(),
            Status::SessionTimeout,
        ),
        (
            |b| b.stop.take().unwrap().send(StopReason::LoggedOut).is_ok(),
            Status::SessionClosed,
        ),
        (
            |b| b.browser.try_send(Received::Violation("x".into())).is_ok(),
            Status::ClientBadRequest,
        ),
        (
            |b| {
                b.browser
                    .try_send(Received::Message(Bytes::from_static(b"3.no")))
                    .is_ok()
            },
            Status::ClientBadRequest,
        ),
        (
            |b| {
                b.browser
                    .try_send(Received::Message(encode(&["select", "vnc"]).into()))
                    .is_ok()
            },
            Status::ClientUnauthorized,
        ),
        (
            |b| {
                b.guacd = duplex(1).0;
                true
            },
            Status::UpstreamError,
        ),
        // Nobody says anything.
        (|_| true, Status::ClientTimeout),
    ];
    for (act, status) in cases {
        let mut bench = Bench::start(true, b"");
        assert!(act(&mut bench));
        let (ended, frames, closed) = bench.finish().await;
        assert_eq!(ended.reason.status(), status, "{}", ended.reason);
        let message = ended.reason.message();
        let mut expected = encode(&["error", message, &status.to_string()]);
        expected.extend(b"10.disconnect;");
        assert_eq!(frames.as_bytes(), expected);
        assert_eq!(closed, reason(status));
    }
}

#[tokio::test(start_paused = true)]
async fn who_left_is_not_told_and_guacd_is() {
    for (left, end) in [
        (
            Received::Message(Bytes::from_static(b"10.disconnect;")),
            End::BrowserLeft { code: None },
        ),
        (
            Received::Closed(Some(1001)),
            End::BrowserLeft { code: Some(1001) },
        ),
        (
            Received::Lost("reset".into()),
            End::BrowserLost("reset".into()),
        ),
    ] {
        let mut bench = Bench::start(true, b"");
        bench.browser.send(left).await.unwrap();
        bench.expect_at_guacd("10.disconnect;").await;
        assert_eq!(bench.guacd.read(&mut [0; 9]).await.unwrap(), 0);
        let (ended, frames, (code, _)) = bench.finish().await;
        assert_eq!((ended.reason, frames.as_str(), code), (end, "", 1000));
    }
}

#[tokio::test(start_paused = true)]
async fn nops_keep_guacd_and_pings_keep_the_session() {
    let mut bench = Bench::start(true, b"");
    let start = Instant::now();
    for _ in 0..120 {
        bench.say(b"0.,4.ping,1.1;").await;
        assert_eq!(bench.frame().await, "0.,4.ping,1.1;");
        tokio::time::sleep(Duration::from_millis(500)).await;
        bench.guacd.write_all(b"3.nop;").await.unwrap();
        assert_eq!(bench.frame().await, "3.nop;");
    }
    assert!(start.elapsed() >= Duration::from_secs(60));
    assert!(!bench.session.is_finished());
    bench.expect_at_guacd(&"3.nop;".repeat(11)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_browser_bounds_memory_and_ends() {
    let mut bench = Bench::start(true, b"");
    let blob = encode(&["blob", "1", &"A".repeat(8064)]);
    let guacd = async {
        let mut sent = 0_usize;
        // More than all buffers together: it must come to a halt.
        while bench.guacd.write_all(&blob).await.is_ok() {
            sent += blob.len();
            assert!(sent < 1024 * 1024, "guacd is not held back");
        }
        sent
    };
    let pings = async {
        loop {
            let ping = Received::Message(Bytes::from_static(b"0.,4.ping,1.1;"));
            if bench.browser.send(ping).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let start = Instant::now();
    let (sent, ()) = tokio::join!(guacd, pings);
    let ended = bench.session.await.unwrap();
    assert_eq!(ended.reason, End::BrowserStalled);
    assert!(ended.statistics.buffered_max <= 128 * 1024, "{ended:?}");
    assert!(sent > 8 * 1024);
    let waited = start.elapsed().as_secs();
    assert!((30..=60).contains(&waited), "{waited} s");
}

#[tokio::test(start_paused = true)]
async fn a_slow_browser_gets_all_of_it() {
    let mut bench = Bench::start(true, b"");
    let mut stream = Vec::new();
    for i in 0..200 {
        let data = "é世🚀".repeat(1 + i % 2000);
        stream.extend(encode(&["made-up", &i.to_string(), &data]));
    }
    let expected = String::from_utf8(stream.clone()).unwrap();
    let guacd = async {
        // Pieces that cut characters.
        for piece in stream.chunks(4099) {
            bench.guacd.write_all(piece).await.unwrap();
        }
    };
    let browser = async {
        let mut received = String::new();
        while received.len() < expected.len() {
            tokio::time::sleep(Duration::from_millis(300)).await;
            bench
                .browser
                .try_send(Received::Message(Bytes::from_static(b"3.nop;")))
                .ok();
            received.push_str(&bench.frames.recv().await.unwrap());
        }
        received
    };
    let ((), received) = tokio::join!(guacd, browser);
    assert_eq!(received, expected);
    assert!(bench.counters.snapshot().buffered_max <= 128 * 1024);
}

#[tokio::test(start_paused = true)]
async fn the_longest_instructions_pass() {
    let mut bench = Bench::start(true, b"");
    // Four elements of 8000 and some codepoints: near 32 KiB.
    let long = encode(&[
        "made-up",
        &"a".repeat(8192),
        &"b".repeat(8192),
        &"c".repeat(8192),
        &"d".repeat(8000),
    ]);
    assert!(long.len() > 32_000);
    let frames = async {
        let mut received = String::new();
        while received.len() < 3 * long.len() {
            received.push_str(&bench.frames.recv().await.unwrap());
        }
        received
    };
    let guacd = async {
        for _ in 0..3 {
            bench.guacd.write_all(&long).await.unwrap();
        }
    };
    let (received, ()) = tokio::join!(frames, guacd);
    assert_eq!(received.as_bytes(), long.repeat(3));
    // More than guacd's limit is not an instruction any more.
    let half = "é".repeat(8192);
    let bytes = format!("1.x,8192.{half},8192.{half};").into_bytes();
    // The session may end before all of it is written.
    let _ = bench.guacd.write_all(&bytes).await;
    let (ended, _, closed) = bench.finish().await;
    assert!(
        matches!(ended.reason, End::GatewayProtocol(_)),
        "{}",
        ended.reason
    );
    assert_eq!(closed, reason(Status::ServerError));
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_is_small() {
    let mut bench = Bench::start(true, b"");
    // After a burst, too.
    let blob = encode(&["blob", "1", &"A".repeat(8064)]);
    for _ in 0..100 {
        let (sent, _) = tokio::join!(bench.guacd.write_all(&blob), bench.frames.recv());
        sent.unwrap();
    }
    for _ in 0..3 {
        while bench.frames.try_recv().is_ok() {}
        bench.guacd.write_all(b"3.nop;").await.unwrap();
        bench.frame().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let statistics = bench.counters.snapshot();
    println!(
        "an idle session buffers {} bytes, at most {}",
        statistics.buffered, statistics.buffered_max
    );
    assert!(statistics.buffered <= 20 * 1024, "{statistics:?}");
}

#[tokio::test(start_paused = true)]
async fn sizes_of_the_last_moment_win() {
    let mut bench = Bench::start(false, b"");
    bench.say(b"4.size,3.800,3.600;").await;
    bench.say(b"4.size,4.1024,3.768;").await;
    let wanted = ScreenSize {
        width: 1024,
        height: 768,
    };
    let seen = bench.sizes.wait_for(|size| *size == Some(wanted));
    timeout(Duration::from_secs(5), seen)
        .await
        .unwrap()
        .unwrap();
    bench.say(b"10.disconnect;").await;
    // guacd saw none of them.
    bench.expect_at_guacd("10.disconnect;").await;
}
