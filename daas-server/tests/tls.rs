//! TLS of the program itself: its files, and the redirect to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::rustls::ClientConfig;

#[allow(dead_code, unreachable_pub, reason = "it is made for more tests")]
#[path = "server/support/client.rs"]
mod client;
#[allow(dead_code, unreachable_pub, reason = "it is made for more tests")]
#[path = "server/support/tls.rs"]
mod pairs;
#[path = "support/program.rs"]
mod program;

use client::{Client, raw};
use pairs::{Pair, connect, files, shown, trusting, write};

/// Files are looked at every five seconds.
const SOON: Duration = Duration::from_secs(15);

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("it takes too long")
}

fn program(folder: &Path, config: &str) -> Command {
    let path = folder.join("daas.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = program::program(folder);
    command.arg("serve").arg("--config").arg(path);
    command.env("DAAS_ADMIN_PASSWORD", "given horse");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// The program, which ends with the test.
struct Server {
    child: Child,
    address: SocketAddr,
    /// Where it redirects from.
    redirects: Option<SocketAddr>,
    log: Receiver<String>,
    _folder: TempDir,
}

/// The address behind these words.
fn address_in(line: &str, before: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(before)?;
    rest.split(' ').next()?.parse().ok()
}

impl Server {
    fn start(folder: TempDir, more: &str) -> Self {
        let files = files(folder.path());
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n{more}\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
            files.certificate, files.key
        );
        let mut child = program(folder.path(), &config).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut address, mut redirects) = (None, None);
        while address.is_none() {
            let line = lines.next().expect("it ended").unwrap();
            address = address_in(&line, "listening on https://");
            redirects = redirects.or_else(|| address_in(&line, "sending http://"));
        }
        let (sender, log) = channel();
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self {
            child,
            address: address.unwrap(),
            redirects,
            log,
            _folder: folder,
        }
    }

    async fn shows(&self, tls: &Arc<ClientConfig>, pair: &Pair) {
        let deadline = Instant::now() + SOON;
        while within(shown(self.address, tls)).await.unwrap() != pair.der {
            assert!(Instant::now() < deadline, "still the other one");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Says that the files are to be looked at now.
    fn look(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    /// Waits for a line of the log, and answers how many there were with other words.
    fn logs(&self, words: &str) -> usize {
        let mut others = 0;
        loop {
            let line = self.log.recv_timeout(SOON).expect("no such line");
            if line.contains(words) {
                return others;
            }
            others += 1;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Starts it, and answers why it did not.
fn refused(folder: &Path) -> String {
    let files = files(folder);
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
        files.certificate, files.key
    );
    let output = program(folder, &config).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::new();
    let files = pair.write(folder.path());
    for mode in [0o604, 0o644, 0o666] {
        write(&files.key, &pair.key, mode);
        let said = refused(folder.path());
        assert!(said.contains(&format!("mode {mode:o}")), "{said}");
        assert!(said.contains("chmod 600"), "{said}");
    }
    // Before anything else was made.
    assert!(!folder.path().join("data").exists());
}

#[tokio::test]
async fn new_files_are_taken_and_bad_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new, third) = (Pair::new(), Pair::new(), Pair::new());
    let files = old.write(folder.path());
    let server = Server::start(folder, "");
    let tls = trusting(&[&old, &new, &third]);
    server.shows(&tls, &old).await;
    let mut open = within(connect(server.address, &tls)).await.unwrap();
    // Between the two files a pair does not fit together. That is told once, and no harm.
    write(&files.certificate, &new.certificate, 0o644);
    server.logs("the old one stays");
    server.shows(&tls, &old).await;
    write(&files.key, &new.key, 0o600);
    server.shows(&tls, &new).await;
    assert_eq!(
        server.logs("the certificate was read anew"),
        0,
        "told twice"
    );
    // What was open stays so, with what it began with.
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.address
    );
    open.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(open.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for (text, mode, words) in [
        ("", 0o600, "there is no key in it"),
        (third.key.as_str(), 0o644, "chmod 600"),
        (&third.key, 0o600, "is not that of the certificate"),
    ] {
        write(&files.key, text, mode);
        server.look();
        server.logs(words);
        server.shows(&tls, &new).await;
    }
    std::fs::remove_file(&files.key).unwrap();
    server.logs("cannot be read");
    server.shows(&tls, &new).await;
    // Whoever does not want to wait says so.
    drop(third.write(files.key.parent().unwrap()));
    server.look();
    server.shows(&tls, &third).await;
}

#[tokio::test]
async fn a_redirect_leads_to_the_public_origin_only() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::new();
    pair.write(folder.path());
    let origin = "https://desktops.example.org:8443";
    let more = format!("public_origins = [{origin:?}]\nredirect_http = \"127.0.0.1:0\"");
    let server = Server::start(folder, &more);
    let redirects = server.redirects.expect("it is logged");
    for (host, target, expected) in [
        ("evil.example", "/", "/"),
        ("evil.example", "/a/b?c=d", "/a/b?c=d"),
        ("evil.example", "//evil.example/x", "//evil.example/x"),
        ("evil.example", "http://evil.example/x?y", "/x?y"),
        ("x\tevil.example", "/x", "/x"),
        (
            "desktops.example.org@evil.example",
            "/%0d%0aSet-Cookie:%20a=b",
            "/%0d%0aSet-Cookie:%20a=b",
        ),
    ] {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: evil.example\r\n\
             Forwarded: host=evil.example\r\nConnection: close\r\n\r\n"
        );
        let answer = within(raw(redirects, head.as_bytes()))
            .await
            .to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 308 "), "{answer}");
        let location = format!("\r\nlocation: {origin}{expected}\r\n").to_ascii_lowercase();
        assert!(answer.contains(&location), "{answer}");
        assert!(!answer.contains("\r\nset-cookie:"), "{answer}");
        // Without TLS, browsers must not be told to want it: anybody could.
        assert!(!answer.contains("strict-transport-security"), "{answer}");
        assert!(
            answer.contains("\r\nx-content-type-options: nosniff\r\n"),
            "{answer}"
        );
    }
    // Nothing of the server itself is there.
    let mut plain = Client::new(redirects);
    plain.origin = Some(origin.to_owned());
    let body = serde_json::json!({"username": "admin", "password": "given horse"});
    assert_eq!(plain.post("/api/v1/session", &body).await.status, 308);
    let mut client = Client::secure(server.address, trusting(&[&pair]));
    client.origin = Some(origin.to_owned());
    assert_eq!(client.post("/api/v1/session", &body).await.status, 200);
}
