//! Requests to the server beside all tunnels: as many as are wanted in a second, whatever
//! becomes of those before.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::{PASSWORD, Result, USER};

/// Logs in, and answers the cookie.
///
/// # Errors
/// Where that is refused.
pub(super) async fn log_in(address: SocketAddr) -> Result<String> {
    let body = format!("{{\"username\":\"{USER}\",\"password\":\"{PASSWORD}\"}}");
    let length = body.len();
    let more = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    let answer = ask(address, "POST /api/v1/session", &more).await?;
    let mut lines = answer.lines();
    let cookie = lines.find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.and_then(|cookie| cookie.split(';').next());
    Ok(cookie.ok_or("no cookie came with the log-in")?.to_owned())
}

async fn read_catalogue(address: SocketAddr, cookie: String) -> Result<()> {
    let more = format!("Cookie: {cookie}\r\n\r\n");
    ask(address, "GET /api/v1/apps", &more).await.map(drop)
}

/// One request on a connection of its own.
async fn ask(address: SocketAddr, what: &str, more: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "{what} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n\
         Connection: close\r\n{more}"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.starts_with("HTTP/1.1 200 ") {
        true => Ok(answer),
        false => Err(format!("{what}: {}", answer.lines().next().unwrap_or_default()).into()),
    }
}

/// So many requests a second, from a thread of their own so that they do not delay the
/// clients that are measured; they end when this is dropped.
pub(super) struct Requests {
    _end: oneshot::Sender<()>,
}

impl Requests {
    pub(super) async fn start(address: SocketAddr, reads: u32, log_ins: u32) -> Result<Self> {
        let cookie = log_in(address).await?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (end, ended) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("requests".to_owned());
        thread.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = repeat(reads, || read_catalogue(address, cookie.clone())) => {}
                    () = repeat(log_ins, || async move { log_in(address).await.map(drop) }) => {}
                    _ = ended => {}
                }
            });
        })?;
        Ok(Self { _end: end })
    }
}

async fn repeat<F>(per_second: u32, request: impl Fn() -> F)
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    if per_second == 0 {
        return std::future::pending().await;
    }
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut running = JoinSet::new();
    loop {
        ticks.tick().await;
        running.spawn(request());
        while let Some(done) = running.try_join_next() {
            if let Ok(Err(error)) = done {
                eprintln!("tunnel-load: {error}");
            }
        }
    }
}
