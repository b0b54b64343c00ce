//! `guac-relay` between real sockets: what passes, what does not, and what is counted.
//!
//! On Unix, where a test can press Ctrl-C.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use common::{
    DEADLINE, Ended, Running, connect, expect, instruction, read_all, run, with_deadline,
};

/// A relay, and the port that it relays to.
struct Relay {
    running: Running,
    address: SocketAddr,
    target: TcpListener,
}

impl Relay {
    fn start() -> Self {
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = target.local_addr().unwrap().to_string();
        let mut running = Running::start("guac-relay", &["127.0.0.1:0", &to]);
        Self {
            address: running.address(),
            running,
            target,
        }
    }

    /// A connection: the client's end of it, and guacd's.
    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = connect(self.address);
        let (guacd, _) = self.target.accept().unwrap();
        (client, with_deadline(guacd))
    }

    /// The two lines of counts that end a connection.
    fn counts(&mut self, client: SocketAddr) -> [String; 2] {
        [(); 2].map(|()| {
            let line = self.running.line();
            let counts = line.strip_prefix(&format!("{client} ")).unwrap();
            counts.to_owned()
        })
    }

    fn end(self) -> Ended {
        self.running.interrupt();
        self.running.end()
    }
}

#[test]
fn instructions_pass_both_ways_and_are_counted() {
    let mut relay = Relay::start();
    let (mut client, mut guacd) = relay.connect();
    client.write_all(b"6.select,3.vnc;").unwrap();
    expect(&mut guacd, b"6.select,3.vnc;");
    guacd
        .write_all(b"4.args,13.VERSION_1_5_0;5.ready,2.$1;")
        .unwrap();
    expect(&mut client, b"4.args,13.VERSION_1_5_0;5.ready,2.$1;");
    client
        .write_all(b"5.mouse,1.1,1.2,1.0;4.zoom;5.mouse,1.1,1.3,1.0;")
        .unwrap();
    expect(
        &mut guacd,
        b"5.mouse,1.1,1.2,1.0;4.zoom;5.mouse,1.1,1.3,1.0;",
    );
    let peer = client.local_addr().unwrap();
    drop((client, guacd));
    assert_eq!(
        relay.counts(peer),
        [
            "client mouse=2 select=1 (unknown)=1",
            "guacd args=1 ready=1"
        ]
    );
    let ended = relay.end();
    assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)));
}

#[test]
fn text_may_be_cut_anywhere() {
    let relay = Relay::start();
    let (mut client, mut guacd) = relay.connect();
    let text = instruction(&["name", "世界 é 🚀 👩🏽\u{200d}💻"]);
    for byte in text.bytes() {
        // Without Nagle's algorithm each byte is a packet, and mostly a read.
        guacd.set_nodelay(true).unwrap();
        guacd.write_all(&[byte]).unwrap();
        std::thread::yield_now();
    }
    expect(&mut client, text.as_bytes());
    client.write_all(text.as_bytes()).unwrap();
    expect(&mut guacd, text.as_bytes());
}

/// A whole instruction does not wait for the one behind it; a part of one never passes.
#[test]
fn only_whole_instructions_pass_and_at_once() {
    let mut relay = Relay::start();
    let (mut client, mut guacd) = relay.connect();
    guacd.write_all(b"10.disconnect;4.rect,").unwrap();
    expect(&mut client, b"10.disconnect;");
    guacd.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), b"");
    // The other way is still open.
    client.write_all(b"3.nop;").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut guacd), b"3.nop;");
    let peer = client.local_addr().unwrap();
    assert_eq!(relay.counts(peer), ["client nop=1", "guacd disconnect=1"]);
    let expected = format!("{peer} ended inside an instruction (0, 7)\n");
    assert_eq!(relay.end().stderr, expected);
}

#[test]
fn malformed_input_ends_the_connection() {
    let mut relay = Relay::start();
    for (side, reason) in [
        (
            "client",
            "client: length is not a decimal number at byte 12",
        ),
        ("guacd", "guacd: length is not a decimal number at byte 12"),
    ] {
        let (client, guacd) = relay.connect();
        let peer = client.local_addr().unwrap();
        let (mut sender, mut receiver) = if side == "client" {
            (client, guacd)
        } else {
            (guacd, client)
        };
        sender.write_all(b"3.nop;3.nop;x.nop;3.nop;").unwrap();
        assert_eq!(read_all(&mut receiver), b"3.nop;3.nop;");
        assert!(matches!(sender.read(&mut [0]), Ok(0) | Err(_)));
        let counts = relay.counts(peer);
        assert!(counts.contains(&format!("{side} nop=2")), "{counts:?}");
        let target = relay.target.local_addr().unwrap();
        let line = relay.running.error_line();
        assert_eq!(line, format!("{peer} to {target}: {reason}"));
    }
    // Others are not touched.
    let (mut client, mut guacd) = relay.connect();
    client.write_all(b"3.nop;").unwrap();
    expect(&mut guacd, b"3.nop;");
}

#[test]
fn the_limits_are_those_of_guacd() {
    let mut relay = Relay::start();
    let (mut client, mut guacd) = relay.connect();
    let longest = instruction(&["a", &"🚀".repeat(8189)]);
    assert_eq!(longest.len(), 32_766);
    let stream = longest.repeat(20);
    client.write_all(stream.as_bytes()).unwrap();
    expect(&mut guacd, stream.as_bytes());
    client.write_all(b"4.blob,1.0,8193.").unwrap();
    assert_eq!(read_all(&mut guacd), b"");
    let peer = client.local_addr().unwrap();
    assert_eq!(relay.counts(peer), ["client (unknown)=20", "guacd"]);
    assert!(
        relay
            .end()
            .stderr
            .contains("element has too many codepoints at byte 655331")
    );
}

/// While the client does not read, neither does the relay: its memory stays as it is, and
/// what guacd writes gets stuck. Once the client reads, all of it comes.
#[test]
fn a_slow_client_stops_guacd() {
    let relay = Relay::start();
    let (mut client, mut guacd) = relay.connect();
    let piece = instruction(&["blob", "1", &"A".repeat(8000)]).repeat(16);
    let written = write_until_stuck(&mut guacd, piece.as_bytes());
    #[cfg(target_os = "linux")]
    {
        let peak = common::peak_memory(relay.running.id());
        assert!(peak < 16 << 20, "{peak} bytes");
    }
    let reader = std::thread::spawn(move || read_all(&mut client));
    guacd.set_write_timeout(Some(DEADLINE)).unwrap();
    guacd
        .write_all(&piece.as_bytes()[written % piece.len()..])
        .unwrap();
    guacd.shutdown(Shutdown::Write).unwrap();
    let total = written.next_multiple_of(piece.len());
    let total = total + if total == written { piece.len() } else { 0 };
    let received = reader.join().unwrap();
    assert_eq!(received.len(), total);
    assert!(
        received
            .chunks(piece.len())
            .all(|chunk| chunk == piece.as_bytes())
    );
}

/// Writes a piece again and again until nothing is taken for a while.
fn write_until_stuck(stream: &mut TcpStream, piece: &[u8]) -> usize {
    stream
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut written = 0;
    loop {
        match stream.write(&piece[written % piece.len()..]) {
            Ok(bytes) => written += bytes,
            Err(error) if is_timeout(&error) => return written,
            Err(error) => panic!("{error}"),
        }
        // Far more than the buffers of four sockets.
        assert!(written < 256 << 20, "guacd never had to wait");
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

#[test]
fn a_target_that_refuses_is_named() {
    let mut relay = Relay::start();
    let target = relay.target.local_addr().unwrap();
    drop(relay.target);
    let mut client = connect(relay.address);
    assert!(matches!(client.read(&mut [0]), Ok(0) | Err(_)));
    let peer = client.local_addr().unwrap();
    let line = relay.running.error_line();
    assert!(line.starts_with(&format!("{peer} to {target}: ")), "{line}");
}

#[test]
fn ctrl_c_ends_connections_with_their_counts() {
    let relay = Relay::start();
    let (mut client, mut guacd) = relay.connect();
    client.write_all(b"3.nop;").unwrap();
    expect(&mut guacd, b"3.nop;");
    let peer = client.local_addr().unwrap();
    let ended = relay.end();
    assert_eq!(ended.stdout, format!("{peer} client nop=1\n{peer} guacd\n"));
    assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)));
}

#[test]
fn more_clients_than_allowed_wait_their_turn() {
    let relay = Relay::start();
    let mut pairs: Vec<_> = (0..256).map(|_| relay.connect()).collect();
    let mut waiting = connect(relay.address);
    waiting.write_all(b"3.nop;").unwrap();
    // What passes meanwhile shows that the relay has looked at all its sockets.
    for (client, guacd) in &mut pairs {
        client.write_all(b"3.nop;").unwrap();
        expect(guacd, b"3.nop;");
    }
    relay.target.set_nonblocking(true).unwrap();
    let too_early = relay.target.accept();
    assert!(too_early.is_err_and(|error| is_timeout(&error)));
    drop(pairs.pop());
    relay.target.set_nonblocking(false).unwrap();
    let (mut guacd, _) = relay.target.accept().unwrap();
    expect(&mut guacd, b"3.nop;");
}

#[test]
fn arguments_that_make_no_sense_end_with_the_usage() {
    let usage = "usage: guac-relay LISTEN TARGET\n";
    for arguments in [&[][..], &["127.0.0.1:0"], &["--foo", "x"], &["a", "b", "c"]] {
        let ended = run("guac-relay", arguments, b"");
        assert_eq!(ended.stderr, format!("two addresses are wanted\n{usage}"));
        assert_eq!(ended.code, Some(64));
    }
    let help = run("guac-relay", &["--help"], b"");
    assert!(help.stdout.starts_with(usage));
    assert_eq!(help.code, Some(0));
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run("guac-relay", &[&address, "127.0.0.1:1"], b"");
    assert!(
        ended
            .stderr
            .starts_with(&format!("cannot listen on {address}: "))
    );
    assert_eq!(ended.code, Some(74));
}
