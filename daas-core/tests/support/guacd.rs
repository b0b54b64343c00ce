//! A guacd that does what a test tells it to: a listener, and peers that read and write
//! instructions. Other crates include this file by its path.

#![allow(dead_code, unreachable_pub, reason = "not every test uses all of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

use std::future::Future;
use std::time::Duration;

use guac_protocol::{Encoder, Limits, handshake::ReceiveBuffer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longest wait for anything.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {DEADLINE:?}"),
    }
}

/// One instruction.
pub fn encode(elements: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(Limits::GUACD)
        .encode_vec(elements, &mut out)
        .unwrap();
    out
}

/// Parameters of guacd 1.6 for VNC, as far as they matter here.
pub const VNC_1_6: &[&str] = &[
    "VERSION_1_5_0",
    "hostname",
    "port",
    "read-only",
    "disable-display-resize",
    "cursor",
    "username",
    "password",
    "clipboard-encoding",
    "enable-audio",
    "enable-sftp",
    "recording-path",
];

/// Those of guacd 1.3.
pub const VNC_1_3: &[&str] = &[
    "VERSION_1_3_0",
    "hostname",
    "port",
    "read-only",
    "password",
    "clipboard-encoding",
];

pub struct Guacd {
    listener: TcpListener,
}

impl Guacd {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener }
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    pub async fn accept(&self) -> Peer {
        let (stream, _) = soon("accept", self.listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Peer::new(stream)
    }

    /// Accepts, and plays the whole handshake.
    pub async fn accept_session(&self, args: &[&str]) -> (Peer, Handshake) {
        let mut peer = self.accept().await;
        let handshake = peer.handshake(args).await;
        (peer, handshake)
    }
}

/// What a client said in the handshake.
#[derive(Debug, Default)]
pub struct Handshake {
    pub select: String,
    pub told: Vec<Vec<String>>,
    pub values: Vec<(String, String)>,
}

impl Handshake {
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.values.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn told(&self, opcode: &str) -> Option<&[String]> {
        let found = self.told.iter().find(|elements| elements[0] == opcode);
        found.map(|elements| &elements[1..])
    }
}

/// One connection.
pub struct Peer {
    pub stream: TcpStream,
    received: ReceiveBuffer,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            received: ReceiveBuffer::new(Limits::GUACD),
        }
    }

    pub async fn handshake(&mut self, args: &[&str]) -> Handshake {
        let mut said = self.until_connect(args).await;
        self.send(&encode(&["ready", "$0d7c5e1a-0000-4000-8000-000000000000"]))
            .await;
        said.told.retain(|elements| elements[0] != "connect");
        said
    }

    /// All of the handshake but `ready`.
    pub async fn until_connect(&mut self, args: &[&str]) -> Handshake {
        let select = self.instruction().await.unwrap();
        assert_eq!(select[0], "select");
        let mut elements = vec!["args"];
        elements.extend(args);
        self.send(&encode(&elements)).await;
        let mut said = Handshake {
            select: select[1].clone(),
            ..Handshake::default()
        };
        loop {
            let instruction = self.instruction().await.expect("a connect");
            if instruction[0] == "connect" {
                assert_eq!(instruction.len(), args.len() + 1);
                assert_eq!(instruction[1], args[0]);
                let names = args[1..].iter().map(|&name| name.to_owned());
                said.values = names.zip(instruction.into_iter().skip(2)).collect();
                return said;
            }
            said.told.push(instruction);
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        soon("write", self.stream.write_all(bytes)).await.unwrap();
    }

    /// The next instruction, or the end of the stream.
    pub async fn instruction(&mut self) -> Option<Vec<String>> {
        loop {
            if let Some(found) = self.received.poll_instruction().unwrap() {
                return Some(found.elements().map(str::to_owned).collect());
            }
            let mut room = [0; 4096];
            let read = soon("read", self.stream.read(&mut room)).await;
            match read.unwrap_or(0) {
                0 => return None,
                length => self.received.extend(&room[..length]),
            }
        }
    }

    /// The next instruction that is no `nop`.
    pub async fn next(&mut self) -> Option<Vec<String>> {
        loop {
            match self.instruction().await {
                Some(found) if found[0] == "nop" => {}
                other => return other,
            }
        }
    }

    /// Fails where the next instruction is another one.
    pub async fn expect(&mut self, elements: &[&str]) {
        let found = self.next().await;
        let found = found.as_deref().unwrap_or_default();
        assert_eq!(found, elements);
    }
}
