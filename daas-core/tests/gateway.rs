//! The pool of guacd processes, against one that follows a script, and against a real one
//! where `DAAS_GUACD` names it as `host:port`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[path = "support/guacd.rs"]
mod guacd;

use std::net::IpAddr;
use std::time::Duration;

use daas_core::Secret;
use daas_core::gateway::Status;
use daas_core::gateway::{ConnectError, Connection, Display, Gateway, Guacd, GuacdConfig, Target};
use daas_core::model::{Endpoint, LogIn, Protocol, RdpSecurity};
use guacd::{VNC_1_3, VNC_1_6, encode, soon};
use tokio::net::TcpListener;

fn target(protocol: Protocol) -> Target {
    Target::new(
        protocol,
        Endpoint {
            address: IpAddr::from([10, 1, 2, 3]),
            port: 5901,
        },
        Secret::new("pass,word;".to_owned()),
    )
}

fn display() -> Display {
    Display {
        width: 1280,
        height: 720,
        dpi: 110,
        images: vec!["image/png".to_owned(), "image/webp".to_owned()],
        audio: vec!["audio/L16".to_owned()],
        timezone: Some("Europe/Berlin".to_owned()),
        name: Some("Jürgen".to_owned()),
    }
}

fn pool(endpoints: &[&guacd::Guacd]) -> Guacd {
    let endpoints = endpoints.iter().map(|guacd| guacd.address()).collect();
    Guacd::new(GuacdConfig::new(endpoints))
}

async fn connect(pool: &Guacd) -> Result<Connection, ConnectError> {
    soon("connect", pool.connect(&target(Protocol::Vnc), &display())).await
}

#[tokio::test]
async fn parameters_are_those_of_the_list() {
    let guacd = guacd::Guacd::start().await;
    let pool = pool(&[&guacd]);
    let (connection, (_peer, said)) = tokio::join!(connect(&pool), guacd.accept_session(VNC_1_6));
    let connection = connection.unwrap();
    assert_eq!(said.select, "vnc");
    for (name, value) in [
        ("hostname", "10.1.2.3"),
        ("port", "5901"),
        ("password", "pass,word;"),
        ("read-only", "false"),
        ("clipboard-encoding", "UTF-8"),
        ("enable-sftp", "false"),
        ("enable-audio", "false"),
        ("disable-display-resize", "false"),
        // What nobody sets stays empty.
        ("username", ""),
        ("recording-path", ""),
    ] {
        assert_eq!(said.value(name), Some(value), "{name}");
    }
    assert_eq!(said.told("size").unwrap(), ["1280", "720", "110"]);
    assert_eq!(said.told("image").unwrap(), ["image/png", "image/webp"]);
    assert_eq!(said.told("audio").unwrap(), ["audio/L16"]);
    assert_eq!(said.told("timezone").unwrap(), ["Europe/Berlin"]);
    assert_eq!(said.told("name").unwrap(), ["Jürgen"]);
    assert!(connection.resizes);
    assert!(connection.id.expose().starts_with('$'));
    assert!(!format!("{connection:?}").contains('$'));
}

#[tokio::test]
async fn older_guacd_does_not_resize() {
    let guacd = guacd::Guacd::start().await;
    let pool = pool(&[&guacd]);
    let (connection, _) = tokio::join!(connect(&pool), guacd.accept_session(VNC_1_3));
    assert!(!connection.unwrap().resizes);
}

/// Parameters of guacd for RDP, as far as they matter here.
const RDP_1_6: &[&str] = &[
    "VERSION_1_5_0",
    "hostname",
    "username",
    "password",
    "domain",
    "security",
    "ignore-cert",
    "enable-drive",
    "enable-printing",
    "disable-audio",
    "enable-audio-input",
    "resize-method",
    "disable-upload",
];

#[tokio::test]
async fn rdp_logs_in_as_it_is_said() {
    let guacd = guacd::Guacd::start().await;
    let pool = pool(&[&guacd]);
    let log_in = LogIn {
        user: "Müller, J.".to_owned(),
        domain: "LAB".to_owned(),
        security: RdpSecurity::NlaExt,
        certificate_unchecked: true,
    };
    let target = Target {
        log_in,
        ..target(Protocol::Rdp)
    };
    let display = display();
    let (connection, (_, said)) = tokio::join!(
        pool.connect(&target, &display),
        guacd.accept_session(RDP_1_6)
    );
    connection.unwrap();
    for (name, value) in [
        ("username", "Müller, J."),
        ("password", "pass,word;"),
        ("domain", "LAB"),
        ("security", "nla-ext"),
        ("ignore-cert", "true"),
    ] {
        assert_eq!(said.value(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn rdp_has_no_drives_and_checks_certificates() {
    let guacd = guacd::Guacd::start().await;
    let pool = pool(&[&guacd]);
    let (target, display) = (target(Protocol::Rdp), display());
    let (connection, (_, said)) = tokio::join!(
        pool.connect(&target, &display),
        guacd.accept_session(RDP_1_6)
    );
    assert!(connection.unwrap().resizes);
    for (name, value) in [
        ("username", ""),
        ("domain", ""),
        ("security", "any"),
        ("ignore-cert", "false"),
        ("enable-drive", "false"),
        ("enable-printing", "false"),
        ("enable-audio-input", "false"),
        ("disable-audio", "true"),
        ("disable-upload", "true"),
        ("resize-method", "display-update"),
    ] {
        assert_eq!(said.value(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn what_comes_with_ready_is_kept() {
    let guacd = guacd::Guacd::start().await;
    let pool = pool(&[&guacd]);
    let script = async {
        let mut peer = guacd.accept().await;
        peer.until_connect(VNC_1_6).await;
        peer.send(b"5.ready,2.$1;4.name,2.ab;4.si").await;
        peer
    };
    let (connection, _peer) = tokio::join!(connect(&pool), script);
    assert_eq!(connection.unwrap().read_ahead, b"4.name,2.ab;4.si");
}

/// What guacd says instead of `ready`, and the status that comes of it.
async fn check_refused(says: &[u8], status: Status) {
    let guacd = guacd::Guacd::start().await;
    let pool = pool(&[&guacd]);
    let script = async {
        let mut peer = guacd.accept().await;
        peer.until_connect(VNC_1_6).await;
        peer.send(says).await;
        peer
    };
    let (connection, mut peer) = tokio::join!(connect(&pool), script);
    let error = connection.unwrap_err();
    assert_eq!(error.status, status, "{error}");
    assert!(!error.reason.contains("10.1.2.3"));
    // The connection to guacd is closed, too.
    assert_eq!(peer.instruction().await, None);
    assert_eq!(pool.load()[0].1, 0);
}

#[tokio::test]
async fn the_status_of_guacd_is_kept() {
    for status in [
        Status::UpstreamNotFound,
        Status::UpstreamUnavailable,
        Status::UpstreamTimeout,
    ] {
        let says = encode(&["error", "Aborted. See logs.", &status.to_string()]);
        check_refused(&says, status).await;
    }
    check_refused(&encode(&["disconnect"]), Status::UpstreamError).await;
    check_refused(
        &encode(&["required", "username"]),
        Status::ClientUnauthorized,
    )
    .await;
    check_refused(b"HTTP/1.1 400 Bad Request\r\n", Status::ServerError).await;
    check_refused(&encode(&["sync", "1"]), Status::ServerError).await;
}

#[tokio::test]
async fn the_least_loaded_is_asked_first() {
    let (a, b) = (guacd::Guacd::start().await, guacd::Guacd::start().await);
    let pool = pool(&[&a, &b]);
    let (first, _a) = tokio::join!(connect(&pool), a.accept_session(VNC_1_6));
    let (second, _b) = tokio::join!(connect(&pool), b.accept_session(VNC_1_6));
    assert_eq!(
        pool.load().iter().map(|(_, n)| *n).collect::<Vec<_>>(),
        [1, 1]
    );
    // Dropping a connection makes room, and ends it at guacd.
    drop(first.unwrap());
    let (mut peer, _) = _a;
    assert_eq!(peer.instruction().await, None);
    let (third, _a) = tokio::join!(connect(&pool), a.accept_session(VNC_1_6));
    assert!(third.is_ok() && second.is_ok());
}

#[tokio::test]
async fn one_that_is_down_is_passed_over() {
    let up = guacd::Guacd::start().await;
    let down = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = down.local_addr().unwrap().to_string();
    drop(down);
    let pool = Guacd::new(GuacdConfig::new(vec![address, up.address()]));
    let (first, _up) = tokio::join!(connect(&pool), up.accept_session(VNC_1_6));
    // The one that failed has no load, but is not asked now.
    let (second, _up2) = tokio::join!(connect(&pool), up.accept_session(VNC_1_6));
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(pool.load()[1].1, 2);
    assert!(pool.check().await.is_ok());
}

#[tokio::test]
async fn none_that_is_up() {
    let pool = Guacd::new(GuacdConfig::new(vec!["127.0.0.1:1".to_owned()]));
    assert_eq!(connect(&pool).await.unwrap_err().status, Status::ServerBusy);
    assert!(pool.check().await.is_err());
    let nothing = Guacd::new(GuacdConfig::new(Vec::new()));
    assert_eq!(
        connect(&nothing).await.unwrap_err().status,
        Status::ServerError
    );
}

#[tokio::test]
async fn one_that_says_nothing_is_given_up() {
    let silent = guacd::Guacd::start().await;
    let mut config = GuacdConfig::new(vec![silent.address()]);
    config.handshake_timeout = Duration::from_millis(300);
    let pool = Guacd::new(config);
    let (connection, _peer) = tokio::join!(connect(&pool), silent.accept());
    assert_eq!(connection.unwrap_err().status, Status::UpstreamTimeout);
}

#[tokio::test]
async fn a_real_guacd_answers() {
    let Ok(address) = std::env::var("DAAS_GUACD") else {
        println!("DAAS_GUACD is not set: no real guacd is tried");
        return;
    };
    let pool = Guacd::new(GuacdConfig::new(vec![address]));
    pool.check().await.unwrap();
    // Nobody listens there, which guacd says after `ready`.
    let endpoint = Endpoint {
        address: IpAddr::from([127, 0, 0, 1]),
        port: 1,
    };
    let target = Target::new(Protocol::Vnc, endpoint, Secret::new(String::new()));
    let connection = soon("connect", pool.connect(&target, &display()))
        .await
        .unwrap();
    let mut reader = connection.reader;
    let mut received = connection.read_ahead;
    while !String::from_utf8_lossy(&received).contains("10.disconnect;") {
        let read = tokio::io::AsyncReadExt::read_buf(&mut reader, &mut received);
        assert_ne!(soon("read", read).await.unwrap(), 0);
    }
    assert!(String::from_utf8_lossy(&received).contains("5.error"));
}
