//! WebSockets over raw sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

mod support;

use std::net::SocketAddr;
use std::process::Command;

use daas_core::session::{BrowserSink, BrowserStream, Received};
use daas_server::websocket::{Event, Limits, Message, Socket};
use fastwebsockets::upgrade::upgrade;
use http_body_util::Full;
use support::{Client, frame, head, request, serve, serve_sockets, soon};
use tokio::sync::mpsc;

/// Sends back what comes; what ends it is reported.
async fn echo() -> (SocketAddr, mpsc::UnboundedReceiver<Received>) {
    let (report, ends) = mpsc::unbounded_channel();
    let address = serve_sockets(move |socket| {
        let report = report.clone();
        async move {
            let (mut sink, mut stream) = socket.split();
            loop {
                match stream.receive().await {
                    Received::Message(text) if text == "leave" => {
                        sink.close(4000, "as you like").await;
                        break;
                    }
                    Received::Message(text) => sink.send(&text).await.unwrap(),
                    end => {
                        report.send(end).unwrap();
                        break;
                    }
                }
            }
        }
    })
    .await;
    (address, ends)
}

async fn check_upgrade(change: impl Fn(&mut Vec<String>), status: &str) {
    let (address, _ends) = echo().await;
    let mut lines = head("/");
    change(&mut lines);
    let (_, answer) = request(address, &lines).await;
    assert!(answer.contains(status), "{lines:?}: {answer}");
}

fn replace(lines: &mut [String], name: &str, value: &str) {
    let found = lines
        .iter_mut()
        .find(|line| line.starts_with(name))
        .unwrap();
    *found = format!("{name}{value}");
}

fn remove(lines: &mut Vec<String>, name: &str) {
    lines.retain(|line| !line.starts_with(name));
}

#[tokio::test]
async fn upgrades_are_answered_in_full() {
    let (address, _ends) = echo().await;
    let (_, answer) = request(address, &head("/")).await;
    for line in [
        "http/1.1 101 ",
        "upgrade: websocket\r\n",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
        "sec-websocket-protocol: guacamole\r\n",
    ] {
        assert!(answer.contains(line), "{line} is not in {answer}");
    }
    assert!(!answer.contains("extensions"));
    check_upgrade(
        |l| replace(l, "Sec-WebSocket-Protocol: ", "chat, guacamole"),
        " 101 ",
    )
    .await;
    check_upgrade(
        |l| replace(l, "Origin: ", "HTTPS://Desktops.Example"),
        " 101 ",
    )
    .await;
}

#[tokio::test]
async fn other_origins_are_refused() {
    for origin in [
        "null",
        "https://evil.example",
        "http://desktops.example",
        "https://desktops.example:8443",
        "https://sub.desktops.example",
        "https://desktops.example.evil.example",
        "https://desktops.example/",
        "https://desktops.example, https://evil.example",
        "",
    ] {
        check_upgrade(|l| replace(l, "Origin: ", origin), " 403 ").await;
    }
    check_upgrade(|l| remove(l, "Origin"), " 403 ").await;
    check_upgrade(
        |l| l.push("Origin: https://desktops.example".into()),
        " 403 ",
    )
    .await;
}

#[tokio::test]
async fn what_is_no_upgrade_is_refused() {
    check_upgrade(|l| l[0] = "POST / HTTP/1.1".into(), " 405 ").await;
    check_upgrade(|l| remove(l, "Upgrade"), " 426 ").await;
    check_upgrade(|l| replace(l, "Upgrade: ", "h2c"), " 426 ").await;
    check_upgrade(|l| replace(l, "Connection: ", "close"), " 426 ").await;
    check_upgrade(
        |l| replace(l, "Sec-WebSocket-Version: ", "8"),
        "sec-websocket-version: 13",
    )
    .await;
    check_upgrade(|l| remove(l, "Sec-WebSocket-Version"), " 426 ").await;
    check_upgrade(|l| remove(l, "Sec-WebSocket-Key"), " 400 ").await;
    check_upgrade(
        |l| replace(l, "Sec-WebSocket-Key: ", "dG9vIHNob3J0"),
        " 400 ",
    )
    .await;
    check_upgrade(
        |l| replace(l, "Sec-WebSocket-Key: ", "not base64!"),
        " 400 ",
    )
    .await;
    check_upgrade(|l| remove(l, "Sec-WebSocket-Protocol"), " 400 ").await;
    check_upgrade(
        |l| replace(l, "Sec-WebSocket-Protocol: ", "Guacamole"),
        " 400 ",
    )
    .await;
}

/// Frames that are against the rules, and the code that the server closes with.
async fn check_violation(frames: &[Vec<u8>], code: u16) {
    let (address, mut ends) = echo().await;
    let mut client = Client::connect(address, "/").await;
    client.write(&frames.concat()).await;
    let close = client.next().await;
    assert_eq!(close.close().0, code, "{:?}", close.close());
    // Nothing but the end comes after a close frame.
    assert_eq!(client.read().await, None);
    let end = soon("end", ends.recv()).await.unwrap();
    assert!(matches!(end, Received::Violation(_)), "{end:?}");
}

#[tokio::test]
async fn violations_have_their_codes() {
    let close = || frame(0x88, &1000_u16.to_be_bytes());
    for (frames, code) in [
        // Bad UTF-8: whole, and as soon as a fragment cannot become valid.
        (vec![frame(0x81, b"\xFF")], 1007),
        (vec![frame(0x81, b"\xED\xA0\x80")], 1007),
        (vec![frame(0x01, b"a\xC0")], 1007),
        (vec![frame(0x01, b"a\xE4\xB8"), frame(0x80, b"")], 1007),
        // Reserved bits, and unknown opcodes.
        (vec![frame(0xC1, b"a")], 1002),
        (vec![frame(0x91, b"a")], 1002),
        (vec![frame(0x83, b"a")], 1002),
        (vec![frame(0x8B, b"a")], 1002),
        // Not masked.
        (vec![b"\x81\x01a".to_vec()], 1002),
        // Fragments: a new message inside, nothing to continue, control frames.
        (vec![frame(0x01, b"a"), frame(0x81, b"b")], 1002),
        (vec![frame(0x80, b"a")], 1002),
        (vec![frame(0x09, b"a")], 1002),
        (vec![frame(0x89, &[0; 126])], 1002),
        (vec![frame(0x8A, &[0; 126])], 1002),
        (vec![frame(0x88, &[3; 126])], 1002),
        // Close frames.
        (vec![frame(0x88, b"\x03")], 1002),
        (vec![frame(0x88, &1005_u16.to_be_bytes())], 1002),
        (vec![frame(0x88, &999_u16.to_be_bytes())], 1002),
        (vec![frame(0x88, b"\x03\xE8\xFF")], 1007),
        // Binary.
        (vec![frame(0x82, b"a")], 1003),
        // Too big: in one frame, in many, and only announced.
        (vec![frame(0x81, &[b'a'; 32 * 1024 + 1])], 1009),
        (
            vec![frame(0x01, &[b'a'; 20_000]), frame(0x80, &[b'a'; 20_000])],
            1009,
        ),
        (
            vec![b"\x81\xFF\x00\x00\x00\xFF\xFF\xFF\xFF\xFFmask".to_vec()],
            1009,
        ),
    ] {
        check_violation(&[frames, vec![close()]].concat(), code).await;
    }
}

#[tokio::test]
async fn many_small_fragments_are_bounded_too() {
    let (address, _ends) = echo().await;
    let mut client = Client::connect(address, "/").await;
    client.frame(0x01, &[b'a'; 1000]).await;
    for _ in 0..40 {
        client.frame(0x00, &[b'a'; 1000]).await;
    }
    client.frame(0x88, &1000_u16.to_be_bytes()).await;
    assert_eq!(client.next().await.close().0, 1009);
}

#[tokio::test]
async fn messages_come_back_also_in_pieces() {
    let (address, _ends) = echo().await;
    let mut client = Client::connect(address, "/").await;
    let longest = "a".repeat(32 * 1024);
    for text in ["", "a", "世界 🚀", &"é".repeat(70), &longest] {
        client.text(text).await;
        assert_eq!(client.next().await.text(), text);
    }
    // A character cut between fragments, with a ping in between, byte by byte.
    let mut bytes = frame(0x01, b"a\xE4");
    bytes.extend(frame(0x89, b"ping"));
    bytes.extend(frame(0x00, b"\xB8"));
    bytes.extend(frame(0x80, b"\x96z"));
    for byte in bytes {
        client.write(&[byte]).await;
    }
    let pong = client.next().await;
    assert_eq!((pong.first, &pong.data[..]), (0x8A, &b"ping"[..]));
    assert_eq!(client.next().await.text(), "a世z");
}

#[tokio::test]
async fn close_frames_are_echoed() {
    let (address, mut ends) = echo().await;
    for (data, code) in [
        (&b""[..], None),
        (b"\x03\xE8", Some(1000)),
        (b"\x03\xE9going away", Some(1001)),
        (b"\x0F\xA0", Some(4000)),
    ] {
        let mut client = Client::connect(address, "/").await;
        client.frame(0x88, data).await;
        let close = client.next().await;
        assert_eq!((close.first, &close.data[..]), (0x88, data));
        assert_eq!(client.read().await, None);
        assert_eq!(soon("end", ends.recv()).await, Some(Received::Closed(code)));
    }
    let client = Client::connect(address, "/").await;
    drop(client);
    let end = soon("end", ends.recv()).await.unwrap();
    assert!(matches!(end, Received::Lost(_)), "{end:?}");
}

#[tokio::test]
async fn the_server_closes_and_does_not_wait_for_ever() {
    let (address, _ends) = echo().await;
    // One that answers, and one that does not but goes on talking.
    for answers in [true, false] {
        let mut client = Client::connect(address, "/").await;
        client.text("leave").await;
        client.text("not wanted any more").await;
        assert_eq!(client.next().await.close(), (4000, "as you like"));
        if answers {
            client.frame(0x88, &4000_u16.to_be_bytes()).await;
        }
        assert_eq!(client.read().await, None);
    }
}

#[tokio::test]
async fn a_message_that_was_left_half_way_is_the_last() {
    let (result, mut results) = mpsc::unbounded_channel();
    let address = serve_sockets(move |socket| {
        let result = result.clone();
        async move {
            let (mut sink, _stream) = socket.split();
            let text = "a".repeat(1 << 20);
            // Nobody reads: some of these does not get through.
            loop {
                let wait = std::time::Duration::from_millis(200);
                if tokio::time::timeout(wait, sink.send(text.as_bytes()))
                    .await
                    .is_err()
                {
                    break;
                }
            }
            let sent = sink.written().load(std::sync::atomic::Ordering::Relaxed);
            result
                .send((sink.send(b"more").await.is_err(), sent))
                .unwrap();
        }
    })
    .await;
    let _client = Client::connect(address, "/").await;
    let (failed, sent) = soon("result", results.recv()).await.unwrap();
    assert!(failed);
    assert!(sent > 0);
}

/// An echo server without the checks of a tunnel, for the test suite.
async fn open_echo() -> SocketAddr {
    serve(|mut request| async move {
        let (response, socket) = upgrade(&mut request).unwrap();
        tokio::spawn(async move {
            let limits = Limits {
                message_bytes: 17 << 20,
                binary: true,
            };
            let socket = Socket::new(socket.await.unwrap().into_inner(), limits);
            let (mut sink, mut stream) = socket.split();
            loop {
                let sent = match stream.receive_any().await {
                    Event::Message(Message::Text(text)) => sink.send(&text).await,
                    Event::Message(Message::Binary(data)) => sink.send_binary(&data).await,
                    _ => break,
                };
                if sent.is_err() {
                    break;
                }
            }
        });
        response.map(|_| Full::default())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_autobahn_cases_pass() {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|output| output.status.success()) {
        println!("there is no python3: the Autobahn cases are not run");
        return;
    }
    let address = open_echo().await;
    let report = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/lib/kosoku.sh");
    let mut command = Command::new("timeout");
    command.arg("300").arg(script).arg(address.to_string());
    command.arg(report.path());
    let run = tokio::task::spawn_blocking(move || command.output());
    let output = run.await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        // Past the test runner, which shows what is printed only of tests that failed.
        let line = format!("SKIPPED: the Autobahn cases, as kosoku cannot be installed\n{text}");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
        return;
    }
    assert!(output.status.success(), "{}\n{text}", output.status);
    // That it ran at all.
    let cases = std::fs::read_dir(report.path()).unwrap().count();
    println!("{cases} files of the report\n{text}");
    assert!(cases > 250, "{cases} files\n{text}");
}
