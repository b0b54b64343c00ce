//! Runs the examples as a user would: as processes, with a deadline on everything.
#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// After this, something hangs. A debug build on a busy machine needs a part of it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The built example with a name.
///
/// Cargo tells tests where binaries are, but not where examples are, and does not build
/// them for a single test file. So it is asked to build them, and answers where they are.
pub(crate) fn example(name: &str) -> &'static Path {
    static BUILT: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    &BUILT.get_or_init(build)[name]
}

fn build() -> HashMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", "examples", "--examples"]);
    cargo.args(["--message-format", "json", "--target-dir"]);
    cargo.arg(Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let messages = output.stdout.lines().map(Result::unwrap);
    messages
        .filter_map(|message| executable(&message))
        .collect()
}

/// Name and path of an executable that a message of cargo tells of.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let name = message["target"]["name"].as_str()?;
    let path = message["executable"].as_str()?;
    Some((name.to_owned(), path.into()))
}

/// What a program printed, and its exit code; `None` where a signal killed it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

/// Runs an example to its end, with `input` on its stdin.
pub(crate) fn run(name: &str, arguments: &[&str], input: &[u8]) -> Ended {
    let mut running = Running::start(name, arguments);
    // It may end without having read all.
    let mut stdin = running.stdin();
    let input = input.to_vec();
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let ended = running.end();
    writer.join().unwrap();
    ended
}

/// An example that is running. Killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

impl Running {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        Self::spawn(
            Command::new(example(name))
                .args(arguments)
                .stdin(Stdio::piped()),
        )
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: Lines::of(child.stdout.take().unwrap()),
            stderr: Lines::of(child.stderr.take().unwrap()),
            child,
        }
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.stdin.take().unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line on stdout, without its end.
    pub(crate) fn line(&mut self) -> String {
        self.stdout.next()
    }

    /// The next line on stderr, without its end.
    pub(crate) fn error_line(&mut self) -> String {
        self.stderr.next()
    }

    /// The address in `listening on ADDRESS`, which has to be the next line.
    pub(crate) fn address(&mut self) -> SocketAddr {
        let line = self.line();
        line.strip_prefix("listening on ").unwrap().parse().unwrap()
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let id = self.id().to_string();
        let kill = Command::new("kill").args(["-INT", &id]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for the end; what was on stdout and not read as a line is in the answer.
    pub(crate) fn end(mut self) -> Ended {
        drop(self.stdin.take());
        let code = self.exit_code();
        Ended {
            stdout: self.stdout.rest(),
            stderr: self.stderr.rest(),
            code,
        }
    }

    fn exit_code(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < DEADLINE, "still running");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Output of a program, read in a thread so that the program never waits for us.
struct Lines {
    receiver: std::sync::mpsc::Receiver<Vec<u8>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        let reader = thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).unwrap() > 0 {
                let _ = sender.send(std::mem::take(&mut line));
            }
        });
        Self {
            receiver,
            reader: Some(reader),
        }
    }

    fn next(&mut self) -> String {
        let line = self.receiver.recv_timeout(DEADLINE).unwrap();
        let line = String::from_utf8(line).unwrap();
        line.strip_suffix('\n').unwrap().to_owned()
    }

    fn rest(&mut self) -> String {
        self.reader.take().unwrap().join().unwrap();
        let rest: Vec<u8> = self.receiver.try_iter().flatten().collect();
        String::from_utf8(rest).unwrap()
    }
}

/// A connection whose reads and writes have a deadline.
pub(crate) fn with_deadline(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    with_deadline(TcpStream::connect(address).unwrap())
}

/// All that comes until the other side ends.
pub(crate) fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The next bytes, as many as are expected.
pub(crate) fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(
        bytes.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

/// Most memory that a running process has used so far, in bytes.
#[cfg(target_os = "linux")]
pub(crate) fn peak_memory(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<u64>().unwrap() * 1024
}

/// Writes a file that no other test uses.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// One instruction as it stands on the wire.
pub(crate) fn instruction(elements: &[&str]) -> String {
    let each = |element: &&str| format!("{}.{element}", element.chars().count());
    let elements: Vec<_> = elements.iter().map(each).collect();
    format!("{};", elements.join(","))
}
