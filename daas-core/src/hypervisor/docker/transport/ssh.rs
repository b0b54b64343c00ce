//! To an engine on a host with SSH, as the Docker client does it: one `ssh` for each
//! connection, which runs `docker system dial-stdio` there.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::SshFiles;
use super::forward::Relay;

/// Time for a connection, in seconds. One that is there and falls silent is ended by `ssh`.
const CONNECT_S: u32 = 10;
/// After this time a log-in is no longer counted as one that is under way: the engine may take
/// longer than that to answer.
const LOG_IN: Duration = Duration::from_secs(5);
/// Most log-ins at a time: servers drop those of whom there are more.
const LOG_INS_MAX: usize = 4;
/// Most bytes that are read of what `ssh` complains about.
const COMPLAINT_MAX: u64 = 4096;

pub(super) struct Ssh {
    arguments: Vec<String>,
    log_ins: Arc<Semaphore>,
}

impl Ssh {
    pub(super) fn new(user: &str, host: &str, port: Option<u16>, files: &SshFiles) -> Self {
        Self {
            arguments: arguments(user, host, port, files),
            log_ins: Arc::new(Semaphore::new(LOG_INS_MAX)),
        }
    }

    fn start(&self) -> io::Result<Child> {
        Command::new("ssh")
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

/// Nothing in here is from anybody but who configures the server.
fn arguments(user: &str, host: &str, port: Option<u16>, files: &SshFiles) -> Vec<String> {
    let mut all = vec!["-T".to_owned()];
    let mut option = |text: String| all.extend(["-o".to_owned(), text]);
    option("BatchMode=yes".to_owned());
    option(format!("ConnectTimeout={CONNECT_S}"));
    option("StrictHostKeyChecking=yes".to_owned());
    option("ClearAllForwardings=yes".to_owned());
    option("ServerAliveInterval=15".to_owned());
    option("ServerAliveCountMax=3".to_owned());
    if let Some(path) = &files.known_hosts {
        option(format!("UserKnownHostsFile={}", quoted(path)));
        option("GlobalKnownHostsFile=none".to_owned());
    }
    if let Some(path) = &files.key {
        option(format!("IdentityFile={}", quoted(path)));
        option("IdentitiesOnly=yes".to_owned());
    }
    if let Some(port) = port {
        all.extend(["-p".to_owned(), port.to_string()]);
    }
    all.extend(["-l".to_owned(), user.to_owned(), "--".to_owned()]);
    all.push(host.to_owned());
    all.extend(["docker", "system", "dial-stdio"].map(str::to_owned));
    all
}

/// A path as ssh reads it in options: with spaces in it, and without its own words.
fn quoted(path: &std::path::Path) -> String {
    let path = path.display().to_string().replace('%', "%%");
    format!("\"{path}\"")
}

#[async_trait]
impl Relay for Ssh {
    async fn relay(&self, stream: &mut UnixStream) -> Result<(), String> {
        let log_in = self.log_ins.acquire().await.map_err(|_| "closed")?;
        let child = self.start();
        let mut child = child.map_err(|error| format!("ssh cannot be run: {error}"))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut to_engine), Some(mut from_engine), Some(complaints)) = pipes else {
            return Err("ssh has no pipes".to_owned());
        };
        let complaint = tokio::spawn(async move {
            let mut text = Vec::new();
            let _ = complaints.take(COMPLAINT_MAX).read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).into_owned()
        });
        let (mut reader, mut writer) = stream.split();
        let up = async {
            let _ = copy(&mut reader, &mut to_engine).await;
            // Half of a connection may end before the other.
            let _ = to_engine.shutdown().await;
            drop(to_engine);
        };
        let down = async {
            let mut first = [0; 4096];
            let length = {
                let read = from_engine.read(&mut first);
                tokio::pin!(read);
                let soon = timeout(LOG_IN, &mut read).await;
                drop(log_in);
                match soon {
                    Ok(length) => length,
                    Err(_) => read.await,
                }
            };
            let first = first.get(..length.unwrap_or(0)).unwrap_or_default();
            if first.is_empty() {
                return false;
            }
            if writer.write_all(first).await.is_ok() {
                let _ = copy(&mut from_engine, &mut writer).await;
            }
            let _ = writer.shutdown().await;
            true
        };
        tokio::pin!(up, down);
        // The engine has the last word; who has asked may be silent long before.
        let mut is_up = true;
        let answered = loop {
            tokio::select! {
                answered = &mut down => break answered,
                () = &mut up, if is_up => is_up = false,
            }
        };
        if answered {
            return Ok(());
        }
        let _ = child.start_kill();
        let complaint = timeout(Duration::from_secs(1), complaint).await;
        let complaint = complaint.ok().and_then(Result::ok).unwrap_or_default();
        Err(reason(&complaint))
    }
}

/// The last line that was complained is the one that matters.
fn reason(complaint: &str) -> String {
    let mut lines = complaint.lines().map(str::trim).rev();
    let last = lines.find(|line| !line.is_empty());
    format!(
        "no way to the engine: {}",
        last.unwrap_or("ssh has ended without a word")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_checked_strictly_and_nothing_is_an_option() {
        let files = SshFiles {
            key: Some("/etc/daas/a key".into()),
            known_hosts: Some("/etc/daas/100%".into()),
        };
        let all = arguments("daas", "lab1", Some(2222), &files).join(" ");
        for part in [
            "-o BatchMode=yes",
            "-o StrictHostKeyChecking=yes",
            "-o IdentityFile=\"/etc/daas/a key\"",
            "-o UserKnownHostsFile=\"/etc/daas/100%%\"",
            "-p 2222 -l daas -- lab1 docker system dial-stdio",
        ] {
            assert!(all.contains(part), "{part} is not in {all}");
        }
    }

    #[test]
    fn the_last_complaint_is_told() {
        let text = "Warning: x\r\ndaas@lab1: Permission denied (publickey).\r\n\r\n";
        assert!(reason(text).ends_with(": daas@lab1: Permission denied (publickey)."));
        assert!(reason("").ends_with("without a word"));
    }
}
