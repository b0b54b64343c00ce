//! Copy and paste between a real desktop and what looks at it: guacd as it is in the images,
//! and viewers with the Extended Clipboard, which stand for versions of guacd after 1.6.0.
//! Where there is no Docker engine the tests say `SKIPPED: <reason>` and pass; with
//! `DAAS_REQUIRE_DOCKER=1` they fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[path = "support/docker.rs"]
#[allow(dead_code, unreachable_pub, reason = "not every test uses all of it")]
mod docker;
#[path = "support/guacd.rs"]
mod guacd;
#[path = "support/viewer.rs"]
#[allow(unreachable_pub, reason = "it is a part of this test")]
mod viewer;

use std::collections::HashMap;
use std::io::Write;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use daas_core::Secret;
use daas_core::gateway::{Connection, Display, Gateway, Guacd, GuacdConfig, Target};
use daas_core::model::{Endpoint, Protocol};
use docker::{docker, is_ready, shell};
use guac_protocol::handshake::ReceiveBuffer;
use guac_protocol::{Instruction, Limits, Opcode};
use guacd::{encode, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use viewer::{Wants, view};

const PASSWORD: &str = "secret12";

/// Longest wait for something inside a container.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where people sit: text goes to the desktop and comes from it.
struct Outside {
    to_desktop: mpsc::UnboundedSender<String>,
    from_desktop: mpsc::UnboundedReceiver<String>,
    /// Hold the connection, which ends with them.
    _tasks: JoinSet<()>,
}

/// Containers in a network, gone with this.
struct Place {
    name: String,
    containers: Vec<String>,
}

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("clipboard-{}-{count}", std::process::id());
        docker(&["network", "create", &name]);
        Self {
            name,
            containers: Vec::new(),
        }
    }

    fn create(&mut self, role: &str, arguments: &[&str]) -> String {
        let name = format!("{}-{role}", self.name);
        let start = ["create", "--name", &name, "--network", &self.name, "--init"];
        docker(&[&start, arguments].concat());
        self.containers.push(name.clone());
        name
    }

    /// A desktop, once it is complete.
    fn desktop(&mut self) -> Desktop {
        const ARGUMENTS: [&str; 14] = [
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "--tmpfs",
            "/tmp",
            "--tmpfs",
            "/run:uid=1000,gid=1000",
            "--tmpfs",
            "/home/user:uid=1000,gid=1000",
            "daas/editor",
            // On a screen where nothing blinks guacd asks for no pictures. guacd 1.3 does that
            // from another thread, at worst in the middle of a text that it is sending, and
            // is then thrown out by the screen ("Unknown message type").
            "sleep",
            "600",
        ];
        let name = self.create("desktop", &ARGUMENTS);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, PASSWORD).unwrap();
        let inside = format!("{name}:/var/lib/daas/password");
        docker(&["cp", file.to_str().unwrap(), &inside]);
        docker(&["start", &name]);
        let desktop = Desktop { name };
        desktop.until("a window manager", || {
            desktop.run("daas-health", b"").is_ok()
        });
        desktop
    }

    fn guacd(&mut self) -> String {
        let name = self.create("guacd", &["daas/guacd"]);
        docker(&["start", &name]);
        format!("{}:4822", address(&name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for name in &self.containers {
            if std::thread::panicking() {
                let log = shell("docker logs \"$1\" 2>&1 | tail -n 20", &[name]);
                println!("{name}:\n{}", String::from_utf8_lossy(&log.stdout));
            }
            docker(&["rm", "-fv", name]);
        }
        docker(&["network", "rm", &self.name]);
    }
}

fn address(container: &str) -> IpAddr {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let text = docker(&["inspect", "-f", format, container]);
    text.trim().parse().unwrap()
}

struct Desktop {
    name: String,
}

impl Desktop {
    /// Runs a command of the shell; answers its output if it succeeds.
    fn run(&self, script: &str, input: &[u8]) -> Result<String, String> {
        let mut child = Command::new("docker")
            .args(["exec", "-i", &self.name, "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }

    fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < DEADLINE, "{}: no {what}", self.name);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn copy(&self, text: &str) {
        // What is copied lasts as long as the program, which must not hold the output open.
        let script = "timeout 300 xclip -i -selection clipboard > /dev/null 2>&1";
        self.run(script, text.as_bytes()).unwrap();
    }

    fn paste(&self, selection: &str) -> String {
        let script = format!("timeout 5 xclip -o -selection {selection} -t UTF8_STRING");
        self.run(&script, b"").unwrap_or_default()
    }

    /// Waits until an application gets this text.
    fn expect(&self, text: &str) {
        let mut last = String::new();
        self.until(&format!("{:.40} in the clipboard", text), || {
            last = self.paste("clipboard");
            last == text
        });
        assert_eq!(self.paste("primary"), text, "the selection");
    }
}

impl Outside {
    fn send(&self, text: &str) {
        self.to_desktop.send(text.to_owned()).unwrap();
    }

    /// What comes until this text, without it.
    async fn before(&mut self, text: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let what = format!("{text:.40} from the desktop after {before:.80?}");
            let next = soon(&what, self.from_desktop.recv()).await;
            match next.expect("a connection") {
                next if next == text => return before,
                next => before.push(next),
            }
        }
    }
}

fn texts() -> [String; 6] {
    [
        "Grüße 世界 👩‍👩‍👧 🚀".to_owned(),
        "Grüße\nund \"Küsse\"".to_owned(),
        "plain, and nothing more".to_owned(),
        // With the last byte for the first of three guacd up to 1.6.0 does not come to an end.
        "plain, but a café".to_owned(),
        // 102 KB; every character is one that Latin-1 does not have.
        "世界汉字".repeat(8_500),
        "é".to_owned(),
    ]
}

/// All texts, both ways in turn, each once and nothing else.
async fn both_ways(desktop: &Desktop, outside: &mut Outside) {
    for (index, text) in texts().iter().enumerate() {
        outside.send(text);
        desktop.expect(text);
        // Nothing of it has come back when this comes.
        let marker = format!("marker {index}");
        desktop.copy(&marker);
        let echo = outside.before(&marker).await;
        assert!(echo.is_empty(), "echo: {echo:.80?}");

        desktop.copy(text);
        let before = outside.before(text).await;
        assert!(before.is_empty(), "{before:.80?}");
        desktop.copy("end");
        let after = outside.before("end").await;
        assert!(after.is_empty(), "again: {after:.80?}");
        assert_eq!(desktop.paste("clipboard"), "end");
    }
}

/// A connection by guacd.
async fn through_guacd(guacd: String, desktop: &Desktop) -> Outside {
    let target = Target::new(
        Protocol::Vnc,
        Endpoint {
            address: address(&desktop.name),
            port: 5901,
        },
        Secret::new(PASSWORD.to_owned()),
    );
    let display = Display {
        width: 800,
        height: 600,
        dpi: 96,
        images: vec!["image/png".to_owned()],
        audio: Vec::new(),
        timezone: None,
        name: None,
    };
    let pool = Guacd::new(GuacdConfig::new(vec![guacd]));
    let began = Instant::now();
    while pool.check().await.is_err() {
        assert!(began.elapsed() < DEADLINE, "guacd does not answer");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let connection = soon("connect", pool.connect(&target, &display)).await;
    let (outside, ready) = browse(connection.unwrap());
    // Until then guacd is not connected to the desktop, and drops what is sent.
    soon("a picture", ready.notified()).await;
    outside
}

/// Does what a browser does, as far as copying goes; tells when there is a picture.
fn browse(connection: Connection) -> (Outside, Arc<Notify>) {
    let Connection {
        mut reader,
        read_ahead,
        mut writer,
        ..
    } = connection;
    let (to_desktop, mut texts) = mpsc::unbounded_channel::<String>();
    let (out, mut messages) = mpsc::unbounded_channel::<Vec<u8>>();
    let (received, from_desktop) = mpsc::unbounded_channel();
    let ready = Arc::new(Notify::new());
    let also_ready = Arc::clone(&ready);
    let also_out = out.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // guacd gives up whoever says nothing for 15 seconds.
        let mut often = tokio::time::interval(Duration::from_secs(5));
        loop {
            let message = tokio::select! {
                _ = often.tick() => encode(&["nop"]),
                Some(text) = texts.recv() => clipboard(&text),
                else => return,
            };
            also_out.send(message).unwrap();
        }
    });
    tasks.spawn(async move {
        while let Some(message) = messages.recv().await {
            if writer.write_all(&message).await.is_err() {
                return;
            }
        }
    });
    tasks.spawn(async move {
        let mut buffer = ReceiveBuffer::new(Limits::GUACD);
        let mut streams = HashMap::new();
        buffer.extend(&read_ahead);
        let mut room = vec![0; 65536];
        loop {
            while let Some(instruction) = buffer.poll_instruction().unwrap() {
                if instruction.opcode() == Opcode::Sync {
                    also_ready.notify_one();
                }
                react(&instruction, &mut streams, &out, &received);
            }
            match reader.read(&mut room).await {
                Ok(length) if length > 0 => buffer.extend(&room[..length]),
                _ => return,
            }
        }
    });
    let outside = Outside {
        to_desktop,
        from_desktop,
        _tasks: tasks,
    };
    (outside, ready)
}

/// Instructions that send a text.
fn clipboard(text: &str) -> Vec<u8> {
    let mut all = encode(&["clipboard", "0", "text/plain"]);
    for part in text.as_bytes().chunks(4096) {
        all.extend(encode(&["blob", "0", &BASE64.encode(part)]));
    }
    all.extend(encode(&["end", "0"]));
    all
}

/// Takes one instruction of guacd: texts come as streams of their own.
fn react(
    instruction: &Instruction<'_>,
    streams: &mut HashMap<String, Vec<u8>>,
    out: &mpsc::UnboundedSender<Vec<u8>>,
    received: &mpsc::UnboundedSender<String>,
) {
    let elements: Vec<&str> = instruction.elements().collect();
    match elements[..] {
        ["sync", time, ..] => {
            // The connection may have ended meanwhile.
            let _ = out.send(encode(&["sync", time]));
        }
        ["clipboard", stream, "text/plain"] => {
            streams.insert(stream.to_owned(), Vec::new());
        }
        ["blob", stream, data] => {
            if let Some(text) = streams.get_mut(stream) {
                text.extend(BASE64.decode(data).unwrap());
            }
        }
        ["end", stream] => {
            if let Some(text) = streams.remove(stream) {
                let _ = received.send(String::from_utf8_lossy(&text).into_owned());
            }
        }
        ["error", message, ..] => panic!("guacd: {message}"),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guacd_of_the_images() {
    if !is_ready(&["editor", "guacd"]) {
        return;
    }
    let mut place = Place::new();
    let desktop = place.desktop();
    let mut outside = through_guacd(place.guacd(), &desktop).await;
    both_ways(&desktop, &mut outside).await;
}

async fn extended(wants: Wants) {
    if !is_ready(&["editor", "guacd"]) {
        return;
    }
    let mut place = Place::new();
    let desktop = place.desktop();
    let mut outside = view(address(&desktop.name), PASSWORD, wants).await;
    both_ways(&desktop, &mut outside).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extended_clipboard_pushed() {
    extended(Wants::Pushed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extended_clipboard_asked_for() {
    extended(Wants::Notified).await;
}

/// A desktop that was looked at with the one is looked at with the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_after_the_other() {
    if !is_ready(&["editor", "guacd"]) {
        return;
    }
    let text = "Grüße 世界";
    let mut place = Place::new();
    let desktop = place.desktop();
    let guacd = place.guacd();
    for _ in 0..2 {
        let mut outside = view(address(&desktop.name), PASSWORD, Wants::Pushed).await;
        desktop.copy(text);
        assert_eq!(outside.before(text).await, [""; 0]);
        drop(outside);
        let mut outside = through_guacd(guacd.clone(), &desktop).await;
        desktop.copy(text);
        outside.before(text).await;
    }
}

/// Without its helper a desktop goes on, and the helper comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_helper_comes_back() {
    if !is_ready(&["editor", "guacd"]) {
        return;
    }
    let mut place = Place::new();
    let desktop = place.desktop();
    let mut outside = through_guacd(place.guacd(), &desktop).await;
    let process = || {
        let script = "grep -l daas-clipboard /proc/[0-9]*/comm | cut -d/ -f3";
        desktop
            .run(script, b"")
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    for _ in 0..6 {
        let before = process();
        desktop.run(&format!("kill -9 {before}"), b"").unwrap();
        desktop.until("helper", || {
            !["", before.as_str()].contains(&process().as_str())
        });
    }
    let text = "Grüße 世界";
    desktop.copy(text);
    outside.before(text).await;
}
