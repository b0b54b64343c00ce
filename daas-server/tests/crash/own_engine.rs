//! A Docker engine of a test's own, which may come and go without anybody else noticing: with
//! folders of its own, and in a network of its own, as two engines in one would clear each
//! other's rules of packet filtering.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::docker::shell;
use crate::installation::{IMAGE, prepared};

/// Time for it to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// A network that is apart from that of the machine; gone with this.
struct Namespace(String);

impl Namespace {
    fn new() -> Result<Self, String> {
        let name = format!("daas-crash-{}", std::process::id());
        let script = "ip netns add \"$1\" && ip -n \"$1\" link set lo up";
        let made = shell(script, &[&name]);
        match made.status.success() {
            true => Ok(Self(name)),
            false => Err(String::from_utf8_lossy(&made.stderr).trim().to_owned()),
        }
    }

    /// Moves this thread into it, with all threads and programs that it begins from now on.
    fn enter(&self) {
        let file = File::open(Path::new("/run/netns").join(&self.0)).unwrap();
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), kind).unwrap();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(shell("ip netns delete \"$1\"", &[&self.0]));
    }
}

pub struct OwnEngine {
    folder: tempfile::TempDir,
    running: Option<Child>,
    _namespace: Namespace,
}

/// An engine of one's own, with the images; says why there is none, past the capture of output.
pub fn own_engine() -> Option<OwnEngine> {
    if !prepared() {
        return None;
    }
    match OwnEngine::start() {
        Ok(engine) => {
            engine.load(&["daas/guard", IMAGE]);
            Some(engine)
        }
        Err(reason) => {
            let thread = std::thread::current();
            let test = thread.name().unwrap_or_default();
            let mut stderr = std::io::stderr();
            writeln!(stderr, "SKIPPED: {test}: {reason}").unwrap();
            None
        }
    }
}

impl OwnEngine {
    /// Starts it, and moves this thread into its network; says why that is not possible.
    fn start() -> Result<Self, String> {
        let namespace = Namespace::new()?;
        namespace.enter();
        let mut engine = Self {
            folder: tempfile::tempdir().unwrap(),
            running: None,
            _namespace: namespace,
        };
        engine.start_again()?;
        Ok(engine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("docker.sock")
    }

    /// The folder of what it keeps.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Tells the engine something, as if it happened to one of its containers.
    pub fn publish(&self, topic: &str, event: &[u8]) {
        let socket = self.path("exec/containerd/containerd.sock");
        let file = self.path("event");
        fs::write(&file, event).unwrap();
        let script = "containerd -a \"$1\" publish --namespace moby --topic \"$2\" < \"$3\"";
        let [socket, file] = [socket, file].map(|path| path.display().to_string());
        let published = shell(script, &[&socket, topic, &file]);
        assert!(published.status.success(), "{published:?}");
    }

    /// Starts it, and waits until it answers.
    pub fn start_again(&mut self) -> Result<(), String> {
        let log = self.path("log");
        let log = File::options().append(true).create(true).open(log).unwrap();
        let child = Command::new("dockerd")
            .arg(format!("--host=unix://{}", self.socket().display()))
            .arg(format!("--data-root={}", self.data().display()))
            .arg(format!("--exec-root={}", self.path("exec").display()))
            .arg(format!("--pidfile={}", self.path("pid").display()))
            // The usual one may be there in spite of the other network.
            .arg("--bridge=none")
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.running = Some(child.map_err(|error| format!("dockerd: {error}"))?);
        let end = Instant::now() + PATIENCE;
        while !self.answers() {
            let ended = self.running.as_mut().unwrap().try_wait().unwrap();
            if ended.is_some() || Instant::now() > end {
                if ended.is_none() {
                    self.end(Signal::KILL);
                }
                self.running = None;
                return Err(format!("a second dockerd does not start: {}", self.log()));
            }
            sleep(POLL);
        }
        Ok(())
    }

    fn answers(&self) -> bool {
        let host = format!("unix://{}", self.socket().display());
        let script = "timeout 5 docker -H \"$1\" version > /dev/null 2>&1";
        shell(script, &[&host]).status.success()
    }

    pub fn log(&self) -> String {
        let log = self.path("log").display().to_string();
        let tail = shell("tail -n 60 \"$1\"", &[&log]);
        String::from_utf8_lossy(&tail.stdout).into_owned()
    }

    /// Brings images of the engine of this machine here.
    fn load(&self, images: &[&str]) {
        let host = format!("unix://{}", self.socket().display());
        let script =
            "set -o pipefail; host=$1; shift; docker save \"$@\" | docker -H \"$host\" load";
        let loaded = shell(script, &[&[host.as_str()], images].concat());
        assert!(loaded.status.success(), "{loaded:?}");
    }

    /// Ends it, by its own will or not, and waits until it has ended, with the containerd that it
    /// began: the next one would take that for its own while it lives.
    pub fn end(&mut self, signal: Signal) {
        let mut child = self.running.take().unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
        let pid = self.path("exec/containerd/containerd.pid");
        let pid = fs::read_to_string(pid).unwrap_or_default();
        let process = Path::new("/proc").join(pid.trim());
        let end = Instant::now() + PATIENCE;
        while !pid.is_empty() && process.exists() && Instant::now() < end {
            sleep(POLL);
        }
    }
}

impl Drop for OwnEngine {
    /// An engine that was killed leaves containers, which only an engine can end.
    fn drop(&mut self) {
        if self.running.is_none() {
            drop(self.start_again());
        }
        if self.running.is_some() {
            let socket = self.socket().display().to_string();
            let script = "export DOCKER_HOST=unix://$1; docker ps -aq | xargs -r docker rm -fv";
            drop(shell(script, &[&socket]));
            self.end(Signal::TERM);
        }
        let folder = self.folder.path().display().to_string();
        // What the engine itself does not know of any more, as it was killed.
        let script = "for shim in $(pgrep -f -- \"-address $1/exec/\"); do
                          pgrep -P \"$shim\" | xargs -r kill -9; kill -9 \"$shim\"; done";
        drop(shell(script, &[&folder]));
        let script = "grep -o \" $1/[^ ]*\" /proc/self/mounts | sort -r | xargs -r umount";
        drop(shell(script, &[&folder]));
    }
}
