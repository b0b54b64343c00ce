//! Tunnels from end to end: a raw client, the server, and a guacd that follows a script.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[path = "../../daas-core/tests/support/guacd.rs"]
mod guacd;
mod support;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use daas_core::gateway::{
    ConnectError, Connection, Display, Gateway, Guacd, GuacdConfig, Status, Target,
};
use daas_core::model::{Endpoint, InstanceId, Protocol, UserId};
use daas_core::session::{ScreenSize, Settings, StopReason};
use daas_core::{Result, Secret};
use daas_server::tunnel::{About, Registry, Resize, Tunnel, Which, parse_display, spawn_tunnel};
use daas_server::websocket::{Origins, accept};
use guacd::{Peer, VNC_1_3, VNC_1_6, encode};
use http_body_util::Full;
use hyper::Response;
use support::{Client, ORIGIN, serve, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;

const PATH: &str = "/api/v1/tunnel?ticket=x&GUAC_WIDTH=1280&GUAC_HEIGHT=720&GUAC_DPI=96\
    &GUAC_IMAGE=image%2Fpng&GUAC_TIMEZONE=Europe%2FBerlin";

fn about() -> About {
    About {
        instance: InstanceId::random(),
        user: UserId::random(),
        session: [7; 32],
        address: [127, 0, 0, 1].into(),
    }
}

fn tunnel(gateway: Arc<dyn Gateway>) -> Tunnel {
    Tunnel {
        gateway,
        target: Target::new(
            Protocol::Vnc,
            Endpoint {
                address: IpAddr::from([10, 1, 2, 3]),
                port: 5901,
            },
            Secret::new("secret".to_owned()),
        ),
        display: parse_display("").unwrap(),
        about: about(),
        resize: None,
        settings: Settings::default(),
    }
}

/// A server whose tunnels all lead to the same guacd, and the guacd.
struct Bench {
    address: SocketAddr,
    guacd: guacd::Guacd,
    registry: Registry,
}

impl Bench {
    async fn start(change: impl Fn(&mut Tunnel) + Send + Sync + 'static) -> Self {
        let guacd = guacd::Guacd::start().await;
        let gateway = Guacd::new(GuacdConfig::new(vec![guacd.address()]));
        let registry = Registry::new();
        let address = start(
            Arc::new(gateway),
            registry.clone(),
            Handle::current(),
            change,
        )
        .await;
        Self {
            address,
            guacd,
            registry,
        }
    }

    /// A tunnel whose handshakes are done.
    async fn open(&self, args: &[&str]) -> (Client, Peer) {
        let client = async {
            let mut client = Client::connect(self.address, PATH).await;
            check_greeting(client.next().await.text());
            client
        };
        let (client, (peer, _)) = tokio::join!(client, self.guacd.accept_session(args));
        (client, peer)
    }

    async fn none_open(&self) {
        soon("no tunnel", self.registry.wait_for_none(Which::All)).await;
        assert_eq!(self.registry.list(), []);
    }
}

async fn start(
    gateway: Arc<dyn Gateway>,
    registry: Registry,
    runtime: Handle,
    change: impl Fn(&mut Tunnel) + Send + Sync + 'static,
) -> SocketAddr {
    let change = Arc::new(change);
    serve(move |mut request| {
        let mut tunnel = tunnel(Arc::clone(&gateway));
        change(&mut tunnel);
        tunnel.display = parse_display(request.uri().query().unwrap()).unwrap();
        let (registry, runtime) = (registry.clone(), runtime.clone());
        async move {
            let (response, socket) = accept(&mut request, &Origins::new([ORIGIN])).unwrap();
            drop(spawn_tunnel(&runtime, socket, tunnel, registry));
            Response::map(response, |()| Full::default())
        }
    })
    .await
}

fn check_greeting(frame: &str) {
    let id = frame.strip_prefix("0.,36.").unwrap();
    let id = id.strip_suffix(';').unwrap();
    assert!(id.parse::<InstanceId>().is_ok(), "{id}");
}

/// `error`, `disconnect`, and the close frame; answers the text.
async fn expect_end(client: &mut Client, status: Status) -> String {
    let last = client.next().await.text().to_owned();
    let code = status.to_string();
    assert!(
        last.ends_with(&format!(",3.{code};10.disconnect;")),
        "{last}"
    );
    assert!(last.starts_with("5.error,"));
    let close = client.next().await;
    assert_eq!(
        close.close(),
        (status.websocket_close_code(), code.as_str())
    );
    last
}

#[tokio::test]
async fn a_picture_and_back() {
    let bench = Bench::start(|_| {}).await;
    let mut client = Client::connect(bench.address, PATH).await;
    // Before anything else, and before guacd has answered.
    check_greeting(client.next().await.text());
    let (mut peer, said) = bench.guacd.accept_session(VNC_1_6).await;
    assert_eq!(said.told("size").unwrap(), ["1280", "720", "96"]);
    assert_eq!(said.told("image").unwrap(), ["image/png"]);
    assert_eq!(said.told("timezone").unwrap(), ["Europe/Berlin"]);
    assert_eq!(said.value("password"), Some("secret"));
    peer.send("4.name,2.世界;4.sync,1.1;4.na".as_bytes()).await;
    let frame = client.next().await;
    assert_eq!(frame.text(), "4.name,2.世界;4.sync,1.1;");
    peer.send(b"me,1.a;").await;
    assert_eq!(client.next().await.text(), "4.name,1.a;");
    client.text("4.sync,1.1;5.mouse,2.10,2.20,1.1;").await;
    peer.expect(&["sync", "1"]).await;
    peer.expect(&["mouse", "10", "20", "1"]).await;
    client.text("0.,4.ping,13.1790000000000;").await;
    assert_eq!(client.next().await.text(), "0.,4.ping,13.1790000000000;");
    let open = bench.registry.list();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].statistics.instructions_to_browser, 3);
    assert!(open[0].statistics.bytes_to_gateway > 20);
    client.text("10.disconnect;").await;
    peer.expect(&["disconnect"]).await;
    assert_eq!(peer.next().await, None);
    assert_eq!(client.next().await.close().0, 1000);
    bench.none_open().await;
}

#[tokio::test]
async fn the_status_of_guacd_reaches_the_person() {
    for status in [
        Status::UpstreamNotFound,
        Status::UpstreamUnavailable,
        Status::UpstreamTimeout,
    ] {
        // Before `ready`, and after it.
        let error = encode(&["error", "Aborted. See logs.", &status.to_string()]);
        let bench = Bench::start(|_| {}).await;
        let mut client = Client::connect(bench.address, PATH).await;
        check_greeting(client.next().await.text());
        let mut peer = bench.guacd.accept().await;
        peer.until_connect(VNC_1_6).await;
        peer.send(&error).await;
        expect_end(&mut client, status).await;
        bench.none_open().await;
        let (mut client, mut peer) = bench.open(VNC_1_6).await;
        peer.send(&error).await;
        assert_eq!(client.next().await.text().as_bytes(), error);
        peer.send(b"10.disconnect;").await;
        assert_eq!(client.next().await.text(), "10.disconnect;");
        assert_eq!(client.next().await.close().1, status.to_string());
        bench.none_open().await;
    }
}

#[tokio::test]
async fn a_gateway_that_is_down_is_told() {
    let gateway = Guacd::new(GuacdConfig::new(vec!["127.0.0.1:1".to_owned()]));
    let address = start(
        Arc::new(gateway),
        Registry::new(),
        Handle::current(),
        |_| {},
    )
    .await;
    let mut client = Client::connect(address, PATH).await;
    check_greeting(client.next().await.text());
    let text = expect_end(&mut client, Status::ServerBusy).await;
    assert!(!text.contains("127.0.0.1"), "{text}");
}

#[tokio::test]
async fn pings_are_answered_while_the_gateway_takes_its_time() {
    let bench = Bench::start(|_| {}).await;
    let mut client = Client::connect(bench.address, PATH).await;
    check_greeting(client.next().await.text());
    let mut peer = bench.guacd.accept().await;
    for i in 0..5 {
        let ping = String::from_utf8(encode(&["", "ping", &i.to_string()])).unwrap();
        client.text(&ping).await;
        assert_eq!(client.next().await.text(), ping);
    }
    // Who leaves then does not leave a connection behind.
    client.text("10.disconnect;").await;
    assert_eq!(
        client.next().await.text().split(',').next(),
        Some("5.error")
    );
    while peer.instruction().await.is_some() {}
    bench.none_open().await;
}

#[tokio::test]
async fn tunnels_are_ended_by_what_they_belong_to() {
    let first = about();
    let mine = first.clone();
    let bench = Bench::start(move |tunnel| tunnel.about = mine.clone()).await;
    for (which, reason) in [
        (Which::Instance(first.instance), StopReason::InstanceStopped),
        (Which::Session(first.session), StopReason::LoggedOut),
        (Which::User(first.user), StopReason::Revoked),
        (Which::All, StopReason::ShuttingDown),
    ] {
        let (mut client, mut peer) = bench.open(VNC_1_6).await;
        let (mut other, _peer) = bench.open(VNC_1_6).await;
        assert_eq!(bench.registry.count(which), 2);
        assert_eq!(bench.registry.sessions(), [first.session]);
        // Nobody else's.
        let nobody = about();
        for which in [
            Which::Instance(nobody.instance),
            Which::User(nobody.user),
            Which::Session([8; 32]),
        ] {
            assert_eq!(bench.registry.close(which, StopReason::Idle), 0);
        }
        assert_eq!(bench.registry.close(which, reason), 2);
        // The first reason stays.
        assert_eq!(bench.registry.close(which, StopReason::Idle), 0);
        let text = expect_end(&mut client, reason.status()).await;
        assert!(text.contains(reason.message()), "{text}");
        peer.expect(&["disconnect"]).await;
        expect_end(&mut other, reason.status()).await;
        drop((client, other));
        bench.none_open().await;
    }
    // One of two.
    let (mut one, _peer) = bench.open(VNC_1_6).await;
    let (mut two, _peer) = bench.open(VNC_1_6).await;
    let id = bench.registry.list()[0].id;
    assert_eq!(
        bench
            .registry
            .close(Which::Tunnel(id), StopReason::TakenOver),
        1
    );
    expect_end(&mut one, Status::SessionConflict).await;
    two.text("0.,4.ping,1.1;").await;
    assert_eq!(two.next().await.text(), "0.,4.ping,1.1;");
}

#[tokio::test]
async fn a_tunnel_that_is_not_connected_yet_is_ended_too() {
    let bench = Bench::start(|_| {}).await;
    let mut client = Client::connect(bench.address, PATH).await;
    check_greeting(client.next().await.text());
    let mut peer = bench.guacd.accept().await;
    assert_eq!(bench.registry.close(Which::All, StopReason::LoggedOut), 1);
    expect_end(&mut client, Status::SessionClosed).await;
    while peer.instruction().await.is_some() {}
    drop(client);
    bench.none_open().await;
}

/// Sizes that were asked of the hypervisor.
type Sizes = Arc<Mutex<Vec<ScreenSize>>>;

fn record() -> (Sizes, Resize) {
    let sizes = Sizes::default();
    let seen = Arc::clone(&sizes);
    let resize: Resize = Arc::new(move |size| {
        seen.lock().unwrap().push(size);
        Box::pin(async {})
    });
    (sizes, resize)
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn sizes_go_to_the_hypervisor_where_guacd_is_old() {
    let (sizes, resize) = record();
    let bench = Bench::start(move |tunnel| tunnel.resize = Some(resize.clone())).await;
    let (client, mut peer) = bench.open(VNC_1_3).await;
    let mut client = client;
    client.text("4.size,3.800,3.600;").await;
    let last = || {
        sizes
            .lock()
            .unwrap()
            .last()
            .map(|size| (size.width, size.height))
    };
    until("the size", || last() == Some((800, 600))).await;
    let first = sizes.lock().unwrap()[0];
    assert_eq!((first.width, first.height), (1280, 720));
    client.text("10.disconnect;").await;
    peer.expect(&["disconnect"]).await;
    bench.none_open().await;
    // Newer ones do it themselves.
    sizes.lock().unwrap().clear();
    let (mut client, mut peer) = bench.open(VNC_1_6).await;
    client.text("4.size,3.800,3.600;").await;
    peer.expect(&["size", "800", "600"]).await;
    assert!(sizes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn viewers_and_bad_messages() {
    let bench = Bench::start(|tunnel| tunnel.target.read_only = true).await;
    let client = async { Client::connect(bench.address, PATH).await };
    let (mut client, (mut peer, said)) = tokio::join!(client, bench.guacd.accept_session(VNC_1_6));
    check_greeting(client.next().await.text());
    assert_eq!(said.value("read-only"), Some("true"));
    peer.send(b"4.sync,1.1;").await;
    assert_eq!(client.next().await.text(), "4.sync,1.1;");
    client.text("5.mouse,1.1,1.1,1.1;").await;
    client.text("3.key,2.97,1.1;").await;
    client.text("4.sync,1.1;").await;
    peer.expect(&["sync", "1"]).await;
    // What nobody may send.
    client.text("6.select,3.vnc;").await;
    peer.expect(&["disconnect"]).await;
    expect_end(&mut client, Status::ClientUnauthorized).await;
    let (mut client, _peer) = bench.open(VNC_1_6).await;
    client.text("3.nop").await;
    expect_end(&mut client, Status::ClientBadRequest).await;
}

#[tokio::test]
async fn input_and_clipboard_reach_guacd_unharmed() {
    let bench = Bench::start(|_| {}).await;
    let (mut client, mut peer) = bench.open(VNC_1_6).await;
    client.text("5.mouse,1.1,1.1,1.0;").await;
    client.text("5.mouse,1.2,1.2,1.0;").await;
    client.text("4.size,3.800,3.600;").await;
    peer.expect(&["size", "800", "600"]).await;
    peer.send(b"4.sync,1.1;").await;
    peer.expect(&["mouse", "2", "2", "0"]).await;
    // "é🚀" in base64, cut inside both characters.
    client.text("9.clipboard,1.0,10.text/plain;").await;
    for blob in ["ww==", "qfCf", "moA="] {
        client
            .text(&String::from_utf8(encode(&["blob", "0", blob])).unwrap())
            .await;
    }
    client.text("3.end,1.0;").await;
    peer.expect(&["clipboard", "0", "text/plain"]).await;
    peer.expect(&["blob", "0", "w6k="]).await;
    peer.expect(&["blob", "0", "8J+agA=="]).await;
    peer.expect(&["end", "0"]).await;
}

#[tokio::test]
async fn a_browser_that_reads_nothing_holds_guacd_back_and_is_given_up() {
    let bench = Bench::start(|tunnel| {
        tunnel.settings.browser_stall = Duration::from_secs(2);
    })
    .await;
    let (mut client, mut peer) = bench.open(VNC_1_6).await;
    let mut instruction = encode(&["blob", "1", &"A".repeat(8064)]);
    instruction = instruction.repeat(4);
    let guacd = async {
        let mut sent = 0_u64;
        while peer.stream.write_all(&instruction).await.is_ok() {
            sent += instruction.len() as u64;
        }
        sent
    };
    let pings = async {
        let ping = support::frame(0x81, b"0.,4.ping,1.1;");
        let mut most = 0;
        while bench.registry.count(Which::All) > 0 {
            let _ = client.stream.write_all(&ping).await;
            let open = bench.registry.list();
            most = open
                .first()
                .map_or(most, |open| most.max(open.statistics.buffered));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        most
    };
    let (sent, most) = soon("the end", async { tokio::join!(guacd, pings) }).await;
    println!("guacd could send {sent} bytes; the session buffered {most} at most");
    assert!(most > 0 && most <= 256 * 1024, "{most}");
    // What the kernel buffers for three sockets, at most, and not all that there is.
    assert!(sent < 64 << 20);
}

#[tokio::test]
async fn a_slow_browser_gets_every_byte() {
    let bench = Bench::start(|_| {}).await;
    let (mut client, mut peer) = bench.open(VNC_1_6).await;
    let mut stream = Vec::new();
    for i in 0..400 {
        stream.extend(encode(&[
            "made-up",
            &i.to_string(),
            &"é世🚀".repeat(1 + i * 7 % 2000),
        ]));
    }
    let guacd = async {
        for piece in stream.chunks(7919) {
            peer.send(piece).await;
        }
    };
    let browser = async {
        let mut received = Vec::new();
        while received.len() < stream.len() {
            let frame = client.next().await;
            assert!(frame.text().ends_with(';'));
            received.extend(frame.data);
            tokio::task::yield_now().await;
        }
        received
    };
    let ((), received) = tokio::join!(guacd, browser);
    assert!(received == stream);
}

/// Refuses, and remembers on which thread.
#[derive(Default)]
struct Threads(Mutex<Vec<String>>);

#[async_trait]
impl Gateway for Threads {
    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn connect(&self, _: &Target, _: &Display) -> Result<Connection, ConnectError> {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        self.0.lock().unwrap().push(name);
        Err(ConnectError {
            status: Status::UpstreamNotFound,
            reason: "not there".to_owned(),
            source: None,
        })
    }
}

fn runtime(name: &str) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let builder = builder.worker_threads(1).thread_name(name);
    builder.enable_all().build().unwrap()
}

#[tokio::test]
async fn tunnels_run_on_their_own_runtime() {
    let own = runtime("tunnels");
    let gateway = Arc::new(Threads::default());
    let dynamic = Arc::clone(&gateway) as Arc<dyn Gateway>;
    let address = start(dynamic, Registry::new(), own.handle().clone(), |_| {}).await;
    let mut client = Client::connect(address, PATH).await;
    check_greeting(client.next().await.text());
    let text = expect_end(&mut client, Status::UpstreamNotFound).await;
    assert!(text.contains("not there"), "{text}");
    assert_eq!(*gateway.0.lock().unwrap(), ["tunnels"]);
    own.shutdown_background();
}

#[tokio::test]
async fn tunnels_outlive_the_runtime_of_the_server() {
    let (own, servers) = (runtime("tunnels"), runtime("server"));
    let guacd = guacd::Guacd::start().await;
    let gateway = Arc::new(Guacd::new(GuacdConfig::new(vec![guacd.address()])));
    let server = start(gateway, Registry::new(), own.handle().clone(), |_| {});
    let address = servers.spawn(server).await.unwrap();
    // The first ping comes with the request itself.
    let ping = support::frame(0x81, b"0.,4.ping,1.1;");
    let mut head = support::head(PATH).join("\r\n").into_bytes();
    head.extend(b"\r\n\r\n");
    head.extend(&ping);
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(&head).await.unwrap();
    let (mut peer, _) = guacd.accept_session(VNC_1_6).await;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(soon("answer", stream.read_u8()).await.unwrap());
    }
    let mut client = Client { stream };
    check_greeting(client.next().await.text());
    assert_eq!(client.next().await.text(), "0.,4.ping,1.1;");
    servers.shutdown_background();
    for i in 0..100 {
        peer.send(&encode(&["sync", &i.to_string()])).await;
        client.next().await;
        client.write(&ping).await;
        assert_eq!(client.next().await.text(), "0.,4.ping,1.1;");
    }
    own.shutdown_background();
}

/// A real guacd (`DAAS_GUACD`) in front of a real desktop (`DAAS_VNC`), each as `host:port`,
/// with the desktop's password in `DAAS_VNC_PASSWORD`.
#[tokio::test]
async fn a_real_desktop_shows_itself() {
    let variables = ["DAAS_GUACD", "DAAS_VNC", "DAAS_VNC_PASSWORD"].map(std::env::var);
    let [Ok(guacd), Ok(vnc), Ok(password)] = variables else {
        println!("DAAS_GUACD, DAAS_VNC or DAAS_VNC_PASSWORD is not set: no real desktop is tried");
        return;
    };
    let vnc: SocketAddr = vnc.parse().unwrap();
    let registry = Registry::new();
    let gateway = Arc::new(Guacd::new(GuacdConfig::new(vec![guacd])));
    let address = start(
        gateway,
        registry.clone(),
        Handle::current(),
        move |tunnel| {
            let (address, port) = (vnc.ip(), vnc.port());
            let password = Secret::new(password.clone());
            let endpoint = Endpoint { address, port };
            tunnel.target = Target::new(Protocol::Vnc, endpoint, password);
        },
    )
    .await;
    let mut client = Client::connect(address, PATH).await;
    check_greeting(client.next().await.text());
    let (mut frames, mut images) = (0, 0);
    let mut decoder = guac_protocol::Decoder::new(guac_protocol::Limits::GUACD);
    while frames < 3 {
        let mut syncs = Vec::new();
        let frame = client.next().await;
        let scan = decoder.decode_all(&frame.data, |found| match found.opcode_str() {
            "img" => images += 1,
            "sync" => syncs.push(found.get(1).unwrap().to_owned()),
            "error" => panic!("{}", found.raw_str()),
            _ => {}
        });
        assert_eq!(scan.length, frame.data.len());
        for sync in syncs {
            frames += 1;
            client
                .text(&String::from_utf8(encode(&["sync", &sync])).unwrap())
                .await;
            // What makes the next frame, and a text that is cut inside characters.
            let at = (100 * frames).to_string();
            client
                .text(&String::from_utf8(encode(&["mouse", &at, &at, "4"])).unwrap())
                .await;
            client
                .text(&String::from_utf8(encode(&["mouse", &at, &at, "0"])).unwrap())
                .await;
            client
                .text("9.clipboard,1.0,10.text/plain;4.blob,1.0,4.ww==;")
                .await;
            client
                .text("4.blob,1.0,4.qfCf;4.blob,1.0,4.moA=;3.end,1.0;")
                .await;
        }
    }
    assert!(images > 0);
    client.text("10.disconnect;").await;
    soon("no tunnel", registry.wait_for_none(Which::All)).await;
}

/// Memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[tokio::test]
async fn idle_tunnels_are_small() {
    const TUNNELS: u64 = 300;
    let bench = Bench::start(|_| {}).await;
    let mut ends = vec![bench.open(VNC_1_6).await];
    let before = resident();
    for _ in 0..TUNNELS {
        let (client, mut peer) = bench.open(VNC_1_6).await;
        peer.send(b"4.sync,1.1;").await;
        ends.push((client, peer));
    }
    for (client, _) in ends.iter_mut().skip(1) {
        assert_eq!(client.next().await.text(), "4.sync,1.1;");
    }
    let each = resident().saturating_sub(before) / TUNNELS;
    let buffered = bench
        .registry
        .list()
        .iter()
        .map(|open| open.statistics.buffered)
        .max();
    println!(
        "an idle tunnel takes {each} bytes of memory, both its ends in the test included; {buffered:?} of buffers"
    );
    assert!(each <= 96 * 1024, "{each}");
    assert!(buffered <= Some(20 * 1024), "{buffered:?}");
}
