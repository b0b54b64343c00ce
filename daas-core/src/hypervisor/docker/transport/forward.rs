//! A socket here whose connections are passed on elsewhere.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// Most connections at a time; others wait.
const CONNECTIONS_MAX: usize = 64;
/// Pause where no connection can be accepted, as there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);
/// Time and bytes that a request takes which is only refused.
const REQUEST: (Duration, usize) = (Duration::from_secs(1), 64 * 1024);
/// Longest reason that is told, in characters.
const REASON_MAX: usize = 500;

/// Passes one connection on.
#[async_trait]
pub(super) trait Relay: Send + Sync + 'static {
    /// Until either side has ended. Answers why nothing came back at all, where it did not.
    async fn relay(&self, stream: &mut UnixStream) -> Result<(), String>;
}

/// A socket in a folder of its own. With it end the socket and all its connections.
#[derive(Debug)]
pub(in crate::hypervisor::docker) struct Forwarder {
    folder: PathBuf,
    task: JoinHandle<()>,
}

impl Forwarder {
    pub(super) fn open(relay: impl Relay) -> io::Result<Self> {
        let folder = private_folder()?;
        let listener = UnixListener::bind(folder.join("engine.sock"));
        let listener = listener.inspect_err(|_| drop(fs::remove_dir(&folder)))?;
        let task = tokio::spawn(serve(listener, Arc::new(relay)));
        Ok(Self { folder, task })
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("engine.sock")
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
        // Whoever cleans up temporary files may have been faster.
        let _ = fs::remove_file(self.socket());
        let _ = fs::remove_dir(&self.folder);
    }
}

/// A new folder that nobody else looks into.
fn private_folder() -> io::Result<PathBuf> {
    let mut random = [0; 12];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = std::env::temp_dir().join(format!("daas-{name}"));
    // It must not be there: somebody else may have made it.
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

async fn serve(listener: UnixListener, relay: Arc<dyn Relay>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let relay = Arc::clone(&relay);
                connections.spawn(async move {
                    pass_on(stream, &*relay).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no connection to an engine can be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn pass_on(mut stream: UnixStream, relay: &dyn Relay) {
    if let Err(reason) = relay.relay(&mut stream).await {
        let _ = timeout(REQUEST.0, refuse(&mut stream, &reason)).await;
    }
}

/// Answers as an engine would that is not there at the moment, so that the reason is seen.
async fn refuse(stream: &mut UnixStream, reason: &str) -> io::Result<()> {
    let _ = timeout(REQUEST.0 / 2, read_head(stream)).await;
    let reason: String = reason.chars().take(REASON_MAX).collect();
    let body = json!({ "message": reason }).to_string();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

/// Who is answered before they have asked may not hear it.
async fn read_head(stream: &mut UnixStream) -> io::Result<()> {
    let (mut head, mut piece) = (Vec::new(), [0; 4096]);
    while head.len() < REQUEST.1 && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece).await? {
            0 => break,
            length => head.extend_from_slice(piece.get(..length).unwrap_or_default()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Sends back what it is sent, or refuses.
    struct Echo(Option<&'static str>);

    #[async_trait]
    impl Relay for Echo {
        async fn relay(&self, stream: &mut UnixStream) -> Result<(), String> {
            if let Some(reason) = self.0 {
                return Err(reason.to_owned());
            }
            let (mut reader, mut writer) = stream.split();
            tokio::io::copy(&mut reader, &mut writer).await.unwrap();
            Ok(())
        }
    }

    async fn answer(forwarder: &Forwarder, asked: &[u8]) -> String {
        let mut stream = UnixStream::connect(forwarder.socket()).await.unwrap();
        stream.write_all(asked).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn bytes_are_passed_on_and_the_folder_is_ours_alone() {
        let forwarder = Forwarder::open(Echo(None)).unwrap();
        assert_eq!(answer(&forwarder, b"hello").await, "hello");
        let mode = fs::metadata(&forwarder.folder)
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        let folder = forwarder.folder.clone();
        drop(forwarder);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn why_there_is_no_way_is_told_as_by_an_engine() {
        let forwarder = Forwarder::open(Echo(Some("no \"route\""))).unwrap();
        let told = answer(&forwarder, b"GET /version HTTP/1.1\r\n\r\n").await;
        assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
        assert!(told.ends_with(r#"{"message":"no \"route\""}"#), "{told}");
    }

    #[tokio::test]
    async fn connections_are_bounded_and_end_with_it() {
        let forwarder = Forwarder::open(Echo(None)).unwrap();
        let mut open = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            let mut stream = UnixStream::connect(forwarder.socket()).await.unwrap();
            stream.write_all(b"x").await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'x');
            open.push(stream);
        }
        let mut late = UnixStream::connect(forwarder.socket()).await.unwrap();
        late.write_all(b"y").await.unwrap();
        let waits = timeout(Duration::from_millis(100), late.read_u8()).await;
        assert!(waits.is_err(), "one too many was served");
        drop(open.pop());
        assert_eq!(late.read_u8().await.unwrap(), b'y');
        drop(forwarder);
        assert_eq!(late.read(&mut [0]).await.unwrap(), 0);
    }
}
