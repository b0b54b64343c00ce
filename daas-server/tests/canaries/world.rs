//! An installation in a folder of its own, and everything that comes out of it.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use serde_json::{Value as Json, json};

use crate::client::{Answer, Client};
use crate::guacd::Guacd;
use crate::other_places::Places;
use crate::search::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// Something that came out, and where.
pub struct Record {
    /// What it is; canaries that it hands out name it.
    pub label: String,
    pub bytes: Vec<u8>,
}

/// Brings canaries into the server, or out of it, and answers what they are.
pub type Drive = for<'a> fn(&'a mut World) -> BoxFuture<'a, Vec<Value>>;

/// A text that is nowhere else.
pub fn canary() -> String {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("kanarie{hex}")
}

pub fn texts(all: impl IntoIterator<Item = String>) -> Vec<Value> {
    all.into_iter().map(Value::Text).collect()
}

/// A program that runs, and all that it prints: its output, and its log.
pub struct Running {
    child: Child,
    printed: [Arc<Mutex<Vec<u8>>>; 2],
    readers: Vec<JoinHandle<()>>,
    arguments: Vec<u8>,
}

impl Running {
    fn start(mut command: Command, input: &str) -> Self {
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // What everybody on the machine can see.
        let arguments = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
        let printed = <[Arc<Mutex<Vec<u8>>>; 2]>::default();
        let out = child.stdout.take().unwrap();
        let err = child.stderr.take().unwrap();
        let readers = vec![keep(out, &printed[0]), keep(err, &printed[1])];
        let mut stdin = child.stdin.take().unwrap();
        // A command that wants no input may have ended.
        drop(stdin.write_all(input.as_bytes()));
        Self {
            child,
            printed,
            readers,
            arguments,
        }
    }

    /// Waits for its end, and answers its exit code and what it printed.
    fn end(mut self) -> (Option<i32>, Vec<u8>) {
        let status = self.child.wait().unwrap();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let [out, err] = &self.printed;
        let printed = [&out.lock().unwrap()[..], &err.lock().unwrap()[..]].concat();
        (status.code(), printed)
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&self.printed[1].lock().unwrap()).into_owned()
    }

    fn listens(&mut self) -> SocketAddr {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = self.log();
            if let Some((_, rest)) = text.split_once("listening on http") {
                let rest = rest.trim_start_matches('s').trim_start_matches("://");
                let is_part = |c: char| c.is_ascii_digit() || ".:".contains(c);
                let address = rest.split(|c| !is_part(c)).next().unwrap();
                // It may be half of it.
                if rest.len() > address.len() {
                    return address.parse().unwrap();
                }
            }
            assert!(self.child.try_wait().unwrap().is_none(), "{text}");
            assert!(Instant::now() < end, "it does not start: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status();
        assert!(killed.unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn keep(mut from: impl Read + Send + 'static, into: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut room = [0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut room) {
            into.lock().unwrap().extend_from_slice(&room[..length]);
        }
    })
}

pub struct World {
    folder: tempfile::TempDir,
    /// Of the environment of every program.
    settings: Vec<(String, String)>,
    pub guacd: Guacd,
    server: Option<Running>,
    pub address: SocketAddr,
    pub records: Vec<Record>,
    /// Whoever is logged in, by name.
    pub people: HashMap<&'static str, Client>,
    /// What one flow leaves for another.
    pub kept: HashMap<&'static str, String>,
    /// The file with the configuration of every program, in the folder, if there is one.
    pub config: Option<&'static str>,
    /// Other places that say who somebody is, if some run.
    pub places: Option<Places>,
}

impl World {
    /// Starts a server that logs all it can, with a canary as its first password. With an
    /// engine of Docker or without one, as the settings say.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let (guacd, own) = (Guacd::start().await, |(name, value): (&str, &str)| {
            (name.to_owned(), value.to_owned())
        });
        let general = [
            ("DAAS_LOG__FILTER", "trace"),
            ("DAAS_SERVER__LISTEN", "127.0.0.1:0"),
            ("DAAS_GATEWAY__GUACD", &guacd.address()),
            ("DAAS_LIMITS__REQUESTS_PER_SECOND_PER_ADDRESS", "0"),
            ("DAAS_LIMITS__REQUESTS_PER_SECOND_PER_ACCOUNT", "0"),
        ];
        let mut world = Self {
            folder: tempfile::tempdir().unwrap(),
            settings: general.iter().chain(settings).copied().map(own).collect(),
            guacd,
            server: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            records: Vec::new(),
            people: HashMap::new(),
            kept: HashMap::from([("first password", canary())]),
            config: None,
            places: None,
        };
        world.serve("server");
        world
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, data: &str) -> Command {
        let mut command = crate::program::plain_program(self.folder.path());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.env("DAAS_STORAGE__PATH", format!("{data}/daas.sqlite3"));
        command
    }

    /// What is said on the command line: words, and the file with the configuration.
    fn say(&self, command: &mut Command, line: &str) {
        command.args(line.split(' '));
        if let Some(file) = self.config {
            command.args(["--config", file]);
        }
    }

    /// Sets a variable of the environment of every program that starts from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    pub fn unset(&mut self, name: &str) {
        self.settings.retain(|(known, _)| known != name);
    }

    /// Ends the server and starts it again, with the settings that there are now.
    pub fn restart(&mut self) {
        self.end_server("server");
        self.serve("server");
    }

    fn serve(&mut self, label: &str) {
        let mut command = self.program("data");
        self.say(&mut command, "serve");
        command.env("DAAS_ADMIN_PASSWORD", &self.kept["first password"]);
        let mut server = Running::start(command, "");
        self.record(&format!("{label}: arguments"), &server.arguments.clone());
        self.address = server.listens();
        self.server = Some(server);
    }

    /// Ends the server; what it logged is a record.
    pub fn end_server(&mut self, label: &str) {
        let server = self.server.take().unwrap();
        server.terminate();
        let (code, printed) = server.end();
        assert_eq!(code, Some(0));
        assert!(printed.len() > 1000, "it logs next to nothing");
        self.record(&format!("{label}: log"), &printed);
    }

    /// Another server with other settings and a folder of its own, until it listens or, where
    /// it cannot, ends. Answers what it printed.
    pub fn other_server(&mut self, label: &str, settings: &[(&str, &str)], works: bool) -> String {
        let mut command = self.program(label);
        command.arg("serve").envs(settings.iter().copied());
        let mut server = Running::start(command, "");
        self.record(&format!("{label}: arguments"), &server.arguments.clone());
        if works {
            server.listens();
            server.terminate();
        }
        let (code, printed) = server.end();
        assert_eq!(code == Some(0), works, "{label}");
        self.record(label, &printed);
        String::from_utf8(printed).unwrap()
    }

    pub fn record(&mut self, label: &str, bytes: &[u8]) {
        self.records.push(Record {
            label: label.to_owned(),
            bytes: bytes.to_vec(),
        });
    }

    /// Runs a command, whose label is its line; answers its exit code and what it printed.
    pub fn run(&mut self, line: &str, input: &str, settings: &[(&str, &str)]) -> (i32, String) {
        let mut command = self.program("data");
        self.say(&mut command, line);
        command.envs(settings.iter().copied());
        let running = Running::start(command, input);
        let label = format!("{line}: arguments");
        self.record(&label, &running.arguments.clone());
        let (code, printed) = running.end();
        self.record(line, &printed);
        (code.unwrap(), String::from_utf8(printed).unwrap())
    }

    pub fn command(&mut self, line: &str, input: &str) -> String {
        let (code, printed) = self.run(line, input, &[]);
        assert_eq!(code, 0, "{line}: {printed}");
        printed
    }

    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub fn admin(&self) -> Client {
        self.people["admin"].clone()
    }

    /// Sends a request; all of its answer is a record.
    pub async fn send(
        &mut self,
        label: &str,
        client: &Client,
        (method, path): (&str, &str),
        body: Option<String>,
    ) -> Answer {
        let answer = client.send(method, path, body).await;
        let mut bytes = format!("{}\r\n", answer.status).into_bytes();
        for (name, value) in &answer.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(&answer.body);
        self.record(label, &bytes);
        answer
    }

    pub async fn post(&mut self, label: &str, client: &Client, path: &str, body: Json) -> Answer {
        let body = Some(body.to_string());
        self.send(label, client, ("POST", path), body).await
    }

    pub async fn get(&mut self, label: &str, client: &Client, path: &str) -> Answer {
        self.send(label, client, ("GET", path), None).await
    }

    /// Logs somebody in, or answers the status with which they are not.
    pub async fn try_log_in(&mut self, label: &str, body: Json) -> Result<Client, u16> {
        let mut client = self.client();
        let answer = self.post(label, &client, "/api/v1/session", body).await;
        if answer.status != 200 {
            return Err(answer.status.as_u16());
        }
        let cookie = answer.header("set-cookie").split(';').next();
        client.cookie = cookie.map(str::to_owned);
        client.csrf = answer.json()["csrf_token"].as_str().map(str::to_owned);
        Ok(client)
    }

    pub async fn log_in(&mut self, name: &'static str, password: &str) -> Client {
        let body = json!({"username": name, "password": password});
        let client = self.try_log_in(&format!("log-in of {name}"), body).await;
        let client = client.unwrap();
        self.people.insert(name, client.clone());
        client
    }

    /// Every file of the installation as it is now, also while the server writes.
    pub fn look_at_files(&mut self, when: &str) {
        let folder = self.folder.path().to_owned();
        let mut files = Vec::new();
        walk(&folder, &mut files);
        for path in files {
            let name = path.strip_prefix(&folder).unwrap().display().to_string();
            // One that is gone meanwhile is not there.
            if let Ok(bytes) = fs::read(&path) {
                self.record(&format!("{when}: file {name}"), &bytes);
            }
        }
    }
}

fn walk(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.is_file() {
            into.push(path);
        }
    }
}
