//! TLS: what is spoken and what not, and what depends on it.

use std::net::SocketAddr;
use std::time::Duration;

use daas_core::model::Role;
use daas_server::tls::Certificates;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::guacd::{Guacd, VNC_1_6};
use crate::sockets;
use crate::support::client::{Client, cookie, raw};
use crate::support::tls::{Pair, connect, files, shown, trusting, write};
use crate::support::{Options, PASSWORD, Server, until, within};

const SESSION: &str = "/api/v1/session";

/// A server that speaks TLS.
struct House {
    server: Server,
    pair: Pair,
    _folder: TempDir,
}

impl House {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let (folder, pair) = (tempfile::tempdir().unwrap(), Pair::new());
        let files = pair.write(folder.path());
        let mut options = Options {
            certificates: Some(Certificates::load(files).await.unwrap()),
            ..Options::default()
        };
        options.settings.tls = true;
        change(&mut options);
        Self {
            server: Server::start_with(options).await,
            pair,
            _folder: folder,
        }
    }

    fn address(&self) -> SocketAddr {
        self.server.address
    }

    fn client(&self) -> Client {
        Client::secure(self.address(), trusting(&[&self.pair]))
    }
}

#[tokio::test]
async fn the_cookie_is_for_tls_only() {
    let house = House::new().await;
    let mut client = house.client();
    let body = json!({"username": "alice", "password": PASSWORD});
    let answer = client.post(SESSION, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let (name, attributes) = cookie(&answer);
    assert_eq!(name, "__Host-daas_session");
    let expected = ["Path=/", "HttpOnly", "SameSite=Strict", "Secure"];
    assert_eq!(attributes, expected);
    client.log_in("alice", PASSWORD).await;
    let answer = client.get(SESSION).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let hsts = answer.header("strict-transport-security");
    assert_eq!(hsts, "max-age=31536000");
    // One that somebody may have set without TLS is not taken.
    client.cookie = client.cookie.map(|cookie| cookie.replace("__Host-", ""));
    client.get(SESSION).await.problem(401);
    // Nor is the page another one for having come without TLS.
    client.origin = Some(format!("http://{}", house.address()));
    client.post(SESSION, &body).await.problem(403);
}

#[tokio::test]
async fn who_comes_without_tls_is_told_nothing() {
    let house = House::new().await;
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", house.address());
    for bytes in [
        request.as_bytes(),
        b"x",
        &[0; 100_000],
        &[0x16, 3, 1, 255, 255],
    ] {
        let start = Instant::now();
        let mut stream = TcpStream::connect(house.address()).await.unwrap();
        drop(stream.write_all(bytes).await);
        drop(stream.shutdown().await);
        let mut answer = Vec::new();
        drop(within(stream.read_to_end(&mut answer)).await);
        // At most an alert of TLS.
        assert!(answer.len() <= 7, "{answer:?}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    assert!(
        !raw(house.address(), request.as_bytes())
            .await
            .contains("HTTP")
    );
    assert_eq!(house.client().get("/healthz").await.status, 200);
}

/// A hello of a client that knows no version above this one.
fn hello(version: u8) -> Vec<u8> {
    let mut body = vec![3, version];
    body.extend([7; 32]); // random
    body.push(0); // no session
    // ECDHE with ECDSA or RSA: what all versions know, and what 1.2 has beside.
    let suites = [0xC0, 0x09, 0xC0, 0x13, 0xC0, 0x0A, 0xC0, 0x2B, 0xC0, 0x2F];
    body.extend([0, suites.len() as u8]);
    body.extend(suites);
    body.extend([1, 0]); // no compression
    let extensions: &[&[u8]] = &[
        &[0, 10, 0, 4, 0, 2, 0, 23],      // P-256
        &[0, 11, 0, 2, 1, 0],             // points as they are
        &[0, 13, 0, 6, 0, 4, 4, 3, 4, 1], // ECDSA and RSA with SHA-256
        &[0, 23, 0, 0],                   // extended master secret
    ];
    let extensions = extensions.concat();
    body.extend([0, extensions.len() as u8]);
    body.extend(extensions);
    let mut record = vec![0x16, 3, 1, 0, body.len() as u8 + 4];
    record.extend([1, 0, 0, body.len() as u8]);
    record.extend(body);
    record
}

#[tokio::test]
async fn old_versions_are_not_spoken() {
    let house = House::new().await;
    for (version, expected) in [
        (0, vec![0x15, 2, 70]), // SSL 3.0: fatal, protocol_version
        (1, vec![0x15, 2, 70]),
        (2, vec![0x15, 2, 70]),
        (3, vec![0x16]),
    ] {
        let mut stream = TcpStream::connect(house.address()).await.unwrap();
        stream.write_all(&hello(version)).await.unwrap();
        let mut head = [0; 5];
        within(stream.read_exact(&mut head)).await.unwrap();
        let mut told = vec![head[0]];
        if head[0] == 0x15 {
            let mut alert = [0; 2];
            within(stream.read_exact(&mut alert)).await.unwrap();
            told.extend(alert);
        }
        assert_eq!(told, expected, "TLS 1.{}", i16::from(version) - 1);
    }
}

#[tokio::test]
async fn a_slow_handshake_is_cut_off_and_holds_up_nobody() {
    let limit = Duration::from_millis(500);
    let house = House::with(|options| options.limits.handshake = limit).await;
    let start = Instant::now();
    let mut silent = TcpStream::connect(house.address()).await.unwrap();
    let mut slow = TcpStream::connect(house.address()).await.unwrap();
    assert_eq!(house.client().get("/healthz").await.status, 200);
    // One byte now and then does not help.
    for byte in hello(3).into_iter().cycle() {
        if slow.write_all(&[byte]).await.is_err() {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(5), "still open");
        sleep(Duration::from_millis(25)).await;
    }
    let mut rest = Vec::new();
    drop(within(silent.read_to_end(&mut rest)).await);
    assert!(rest.is_empty(), "{rest:?}");
    assert!(start.elapsed() >= limit);
}

/// The connections that shake hands are counted, too.
#[tokio::test]
async fn handshakes_are_connections() {
    let house = House::with(|options| options.limits.connections = 2).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        waiting.push(TcpStream::connect(house.address()).await.unwrap());
    }
    let client = house.client();
    let third = client.get("/healthz");
    tokio::pin!(third);
    let early = tokio::time::timeout(Duration::from_millis(300), third.as_mut()).await;
    assert!(early.is_err(), "answered beyond the limit");
    waiting.clear();
    assert_eq!(within(third).await.status, 200);
}

#[tokio::test]
async fn a_tunnel_opens_over_tls() {
    let guacd = Guacd::start().await;
    let house = House::with(|options| options.guacd = Some(guacd.address())).await;
    let owner = house.server.add("owner", Role::User).await;
    let (plain, _) = house.server.let_in(&owner).await;
    let mut client = house.client();
    let session = plain.cookie.map(|cookie| format!("__Host-{cookie}"));
    (client.cookie, client.csrf) = (session, plain.csrf);
    let body = json!({"app_id": house.server.apps[0]});
    let launched = client.post("/api/v1/instances", &body).await.json();
    let instance = format!("/api/v1/instances/{}", launched["id"].as_str().unwrap());
    until(async || {
        let shown = client.get(&instance).await.json();
        (shown["state"] == "running").then_some(())
    })
    .await;
    let given = client.act(&format!("{instance}/tunnel")).await.json();
    let ticket = given["ticket"].as_str().unwrap();
    let path = format!("/api/v1/tunnel?ticket={ticket}");
    let (origin, cookie) = (client.origin.as_deref(), client.cookie.as_deref());
    let head = sockets::head_of(&path, house.address(), origin, cookie);
    let stream = connect(house.address(), client.tls.as_ref().unwrap()).await;
    let (stream, answer) = sockets::request_over(stream.unwrap(), &head).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    let mut socket = sockets::Client { stream };
    assert!(socket.next().await.text().starts_with("0.,36."));
    let (mut peer, _) = within(guacd.accept_session(VNC_1_6)).await;
    // More than fits into one record of TLS.
    let blob = format!("4.blob,1.1,6000.{};", "A".repeat(6000));
    let expected = blob.repeat(20) + "4.sync,1.1;";
    peer.send(expected.as_bytes()).await;
    let mut seen = String::new();
    while seen.len() < expected.len() {
        seen.push_str(socket.next().await.text());
    }
    assert_eq!(seen, expected);
    socket.text("4.sync,1.1;5.mouse,1.5,1.6,1.0;").await;
    peer.expect(&["sync", "1"]).await;
    peer.expect(&["mouse", "5", "6", "0"]).await;
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (good, other) = (Pair::new(), Pair::new());
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (certificate, key, mode, expected) in [
        (
            "",
            good.key.as_str(),
            0o600,
            "there is no certificate in it",
        ),
        (
            good.key.as_str(),
            &good.key,
            0o600,
            "there is no certificate in it",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &good.key,
            0o600,
            "cannot be used",
        ),
        (
            "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n",
            &good.key,
            0o600,
            "is not PEM",
        ),
        (&good.certificate, "", 0o600, "there is no key in it"),
        (&good.certificate, encrypted, 0o600, "its key is encrypted"),
        (
            &good.certificate,
            &other.key,
            0o600,
            "is not that of the certificate",
        ),
        (&good.certificate, &good.key, 0o644, "chmod 600"),
        (&good.certificate, &good.key, 0o602, "chmod 600"),
        (
            &good.certificate,
            &"x".repeat(1024 * 1024 + 1),
            0o600,
            "at most a mebibyte",
        ),
    ] {
        let files = files(folder.path());
        write(&files.certificate, certificate, 0o644);
        write(&files.key, key, mode);
        let error = Certificates::load(files).await.unwrap_err();
        let text = daas_core::chain(&error);
        assert!(text.contains(expected), "{expected}: {text}");
        // What is in a key is never told.
        assert!(!text.contains("MIG"), "{text}");
    }
    std::fs::remove_file(files(folder.path()).key).unwrap();
    write(&files(folder.path()).certificate, &good.certificate, 0o644);
    let error = Certificates::load(files(folder.path())).await.unwrap_err();
    assert!(
        error.to_string().contains("key.pem cannot be read"),
        "{error}"
    );
}

#[tokio::test]
async fn a_certificate_for_somebody_else_is_not_taken_by_clients() {
    let house = House::new().await;
    let stranger = trusting(&[&Pair::new()]);
    assert!(within(connect(house.address(), &stranger)).await.is_err());
    let trusting = trusting(&[&house.pair]);
    let seen = within(shown(house.address(), &trusting)).await.unwrap();
    assert_eq!(seen, house.pair.der);
}
