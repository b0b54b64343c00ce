//! Requests to the server beside all tunnels: as many as are wanted in a second, whatever
//! becomes of those before, and `wrk` for as many as the server can answer.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daas_core::blocking::Gate;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Error, FLOODER, PASSWORD, Result, USER, VICTIM, person};

/// What is asked of the server in a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside {
    /// Times the catalogue is read, each on a connection of its own.
    pub reads: u32,
    /// Log-ins.
    pub log_ins: u32,
    /// Desktops that are launched; each is deleted a little later.
    pub launches: u32,
    /// Connections of `wrk`, which read the catalogue as often as it is answered.
    pub wrk: u32,
    /// Connections that guess passwords as fast as they are refused.
    pub guesses: u32,
}

impl Beside {
    /// Whether it is anything.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.reads + self.log_ins + self.launches + self.wrk + self.guesses > 0
    }
}

/// Requests that were answered as they should be, and those that were not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    pub(super) failures: u64,
    pub(super) reads: u64,
    pub(super) log_ins: u64,
    pub(super) launches: u64,
    pub(super) wrk: u64,
    /// Those of `wrk` that were too many.
    pub(super) wrk_refused: u64,
    pub(super) guesses: u64,
}

impl AddAssign for Answers {
    fn add_assign(&mut self, more: Self) {
        self.failures += more.failures;
        self.reads += more.reads;
        self.log_ins += more.log_ins;
        self.launches += more.launches;
        self.wrk += more.wrk;
        self.wrk_refused += more.wrk_refused;
        self.guesses += more.guesses;
    }
}

const LOG_IN: &str = "POST /api/v1/session";
/// Whoever floods the server comes from elsewhere, as it sees it, so that what it takes from
/// one address is not used up for all others.
const FLOOD: &str = "X-Forwarded-For: 192.0.2.1";
const GUESSER: &str = "X-Forwarded-For: 192.0.2.2\r\n";
/// Desktops that are there at a time.
const DESKTOPS: usize = 3;
/// Most time for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Logs one of the people in; answers the lines of a head by which they are known.
///
/// # Errors
/// Where that is refused.
pub(super) async fn log_in(address: SocketAddr, number: usize) -> Result<String> {
    let cookie = Visitor::log_in(address, &person(number)).await?.cookie;
    // Each of them at a place of their own.
    let place = format!("X-Forwarded-For: 198.51.100.{number}");
    Ok(format!("Cookie: {cookie}\r\n{place}\r\n"))
}

/// Somebody who is logged in.
pub(super) struct Visitor {
    address: SocketAddr,
    cookie: String,
    /// The token against forged requests.
    csrf: String,
}

impl Visitor {
    /// # Errors
    /// Where that is refused.
    pub(super) async fn log_in(address: SocketAddr, user: &str) -> Result<Self> {
        Self::log_in_from(address, user, "").await
    }

    /// From a place that a line of a head names.
    async fn log_in_from(address: SocketAddr, user: &str, place: &str) -> Result<Self> {
        let body = format!("{{\"username\":\"{user}\",\"password\":\"{PASSWORD}\"}}");
        let answer = ask(address, LOG_IN, place, &body).await?.good()?;
        let mut lines = answer.head.lines();
        let cookie = lines.find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        Ok(Self {
            address,
            cookie: cookie.ok_or("no cookie came with the log-in")?.to_owned(),
            csrf: text(&answer.body, "/csrf_token")?,
        })
    }

    async fn ask(&self, what: &str, body: &str) -> Result<Value> {
        let Self { cookie, csrf, .. } = self;
        let more = format!("Cookie: {cookie}\r\nX-CSRF-Token: {csrf}\r\n");
        Ok(ask(self.address, what, &more, body).await?.good()?.body)
    }

    async fn read_catalogue(&self) -> Result<Value> {
        self.ask("GET /api/v1/apps", "").await
    }

    /// Launches the first application of the catalogue, and answers the id of the desktop.
    async fn launch(&self) -> Result<String> {
        let app = text(&self.read_catalogue().await?, "/items/0/id")?;
        let body = format!("{{\"app_id\":\"{app}\"}}");
        let launched = self.ask("POST /api/v1/instances", &body).await?;
        text(&launched, "/id")
    }

    async fn delete(&self, id: &str) -> Result<()> {
        let what = format!("DELETE /api/v1/instances/{id}");
        self.ask(&what, "").await.map(drop)
    }
}

fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    let found = found.ok_or_else(|| format!("{pointer} is missing in an answer"))?;
    Ok(found.to_owned())
}

struct Answer {
    what: String,
    head: String,
    body: Value,
}

impl Answer {
    fn is(&self, status: &str) -> bool {
        self.head
            .strip_prefix("HTTP/1.1 ")
            .is_some_and(|rest| rest.starts_with(status))
    }

    fn good(self) -> Result<Self> {
        if self.is("2") {
            return Ok(self);
        }
        let first = self.head.lines().next().unwrap_or_default();
        Err(format!("{}: {first}", self.what).into())
    }
}

/// One request on a connection of its own.
async fn ask(address: SocketAddr, what: &str, more: &str, body: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n\
         Connection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{more}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let body = match body {
        "" => Value::Null,
        body => serde_json::from_str(body)?,
    };
    Ok(Answer {
        what: what.to_owned(),
        head: head.to_owned(),
        body,
    })
}

/// Requests that are under way.
///
/// They come from a thread of their own, which runs on processors that are idle: in life
/// those who ask have processors of their own, and the clients that are measured must not
/// wait for them.
pub(super) struct Requests {
    end: oneshot::Sender<()>,
    thread: JoinHandle<Result<Answers>>,
    wrk: Option<Child>,
}

/// Who makes requests: one who works, and one who floods the server.
pub(super) struct Visitors {
    works: Arc<Visitor>,
    floods: Visitor,
}

impl Visitors {
    /// # Errors
    /// Where one of them may not log in.
    pub(super) async fn log_in(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            works: Arc::new(Visitor::log_in(address, USER).await?),
            floods: Visitor::log_in(address, FLOODER).await?,
        })
    }
}

impl Requests {
    /// Starts them, for at least some time.
    ///
    /// # Errors
    /// Where there is no `wrk`.
    pub(super) fn start(visitors: &Visitors, beside: Beside, time: Duration) -> Result<Self> {
        let wrk = (beside.wrk > 0).then(|| start_wrk(&visitors.floods, beside.wrk, time));
        let visitor = visitors.works.clone();
        let (end, ended) = oneshot::channel::<()>();
        let gate = Gate::in_the_background(1, "requests")?;
        let thread = tokio::spawn(async move {
            let ask = move || ask_until(visitor, beside, ended);
            gate.run(ask).await.map_err(Error::from).flatten()
        });
        Ok(Self {
            end,
            thread,
            wrk: wrk.transpose()?,
        })
    }

    /// Ends them, and counts what was answered.
    ///
    /// # Errors
    /// Where the thread or `wrk` failed.
    pub(super) async fn end(self) -> Result<Answers> {
        // It may have failed and be gone; then that is told below.
        let _ = self.end.send(());
        let mut answers = self.thread.await??;
        if let Some(wrk) = self.wrk {
            // Its time is about over.
            (answers.wrk, answers.wrk_refused) = Gate::new(1).run(|| answers_of(wrk)).await??;
        }
        Ok(answers)
    }
}

fn start_wrk(visitor: &Visitor, connections: u32, time: Duration) -> Result<Child> {
    let url = format!("http://{}/api/v1/apps", visitor.address);
    let mut wrk = Command::new("chrt");
    wrk.args(["--idle", "0", "wrk", "--threads", "1"])
        .args(["--connections", &connections.to_string()])
        .args(["--duration", &time.as_secs_f64().ceil().to_string()])
        .args(["--header", FLOOD])
        .args(["--header", &format!("Cookie: {}", visitor.cookie), &url])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    wrk.spawn()
        .map_err(|error| format!("chrt (of util-linux) and wrk are needed: {error}").into())
}

/// All, and those that were refused: `  12345 requests in 3.00s, 6.78MB read`, and
/// `  Non-2xx or 3xx responses: 123` where there are any.
fn answers_of(wrk: Child) -> Result<(u64, u64)> {
    let output = String::from_utf8(wrk.wait_with_output()?.stdout)?;
    let mut lines = output.lines();
    let requests = lines.find_map(|line| line.split_once(" requests in "));
    let (requests, _) = requests.ok_or("wrk did not say how many requests it made")?;
    let refused = lines.find_map(|line| line.split_once("Non-2xx or 3xx responses:"));
    let refused = refused.map_or(Ok(0), |(_, number)| number.trim().parse())?;
    Ok((requests.trim().parse()?, refused))
}

/// Asks, and keeps what came of it.
struct Asker {
    visitor: Arc<Visitor>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answers: Answers,
    /// Desktops that are there, the oldest first.
    desktops: VecDeque<String>,
    /// Those who came to log in.
    came: u16,
}

impl State {
    fn count_log_in(&mut self) -> u16 {
        self.came = self.came.wrapping_add(1);
        self.came
    }
}

fn ask_until(
    visitor: Arc<Visitor>,
    beside: Beside,
    ended: oneshot::Receiver<()>,
) -> Result<Answers> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let asker = Arc::new(Asker {
        visitor,
        state: Mutex::default(),
    });
    runtime.block_on(async {
        tokio::select! {
            () = asker.repeat(beside.reads, Asker::read) => {}
            () = asker.repeat(beside.log_ins, Asker::log_in) => {}
            () = asker.repeat(beside.launches, Asker::launch) => {}
            () = asker.guess_on(beside.guesses) => {}
            _ = ended => {}
        }
        asker.delete_until(0).await
    })?;
    Ok(asker.state().answers)
}

impl Asker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn repeat<F>(self: &Arc<Self>, per_second: u32, request: impl Fn(Arc<Self>) -> F)
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
            let request = timeout(PATIENCE, request(Arc::clone(self)));
            running.spawn(async { request.await.map_err(Error::from).flatten() });
            while let Some(done) = running.try_join_next() {
                if let Err(error) = done.map_err(Error::from).flatten() {
                    self.note_failure(&error);
                }
            }
        }
    }

    /// Guesses the password of somebody, on so many connections at a time.
    async fn guess_on(self: &Arc<Self>, connections: u32) {
        let mut running: JoinSet<()> = (0..connections)
            .map(|_| {
                let asker = Arc::clone(self);
                async move {
                    loop {
                        if let Err(error) = asker.guess().await {
                            asker.note_failure(&error);
                        }
                    }
                }
            })
            .collect();
        // They go on for ever; without any there is nothing to wait for, either.
        running.join_next().await;
        std::future::pending().await
    }

    /// As it should be, it is refused.
    async fn guess(&self) -> Result<()> {
        let number = self.state().answers.guesses;
        let body = format!("{{\"username\":\"{VICTIM}\",\"password\":\"guess {number}\"}}");
        let answer = ask(self.visitor.address, LOG_IN, GUESSER, &body).await?;
        if !(answer.is("401") || answer.is("429")) {
            return Err(format!("a guess was answered by {}", answer.head).into());
        }
        self.state().answers.guesses += 1;
        Ok(())
    }

    /// Each is counted; the first one is told, as the others are likely to be the same.
    fn note_failure(&self, error: &Error) {
        let failures = &mut self.state().answers.failures;
        if *failures == 0 {
            eprintln!("tunnel-load: {error}");
        }
        *failures += 1;
    }

    async fn read(self: Arc<Self>) -> Result<()> {
        self.visitor.read_catalogue().await?;
        self.state().answers.reads += 1;
        Ok(())
    }

    async fn log_in(self: Arc<Self>) -> Result<()> {
        // As many people as log-ins, who do not share what is taken from one address.
        let number = self.state().count_log_in();
        let place = format!("X-Forwarded-For: 2001:db8:0:{number:x}::1\r\n");
        Visitor::log_in_from(self.visitor.address, USER, &place).await?;
        self.state().answers.log_ins += 1;
        Ok(())
    }

    /// Desktops come, and the oldest go.
    async fn launch(self: Arc<Self>) -> Result<()> {
        let launched = self.visitor.launch().await?;
        {
            let mut state = self.state();
            state.answers.launches += 1;
            state.desktops.push_back(launched);
        }
        self.delete_until(DESKTOPS).await
    }

    /// Deletes the oldest desktops until no more than some are left.
    async fn delete_until(&self, left: usize) -> Result<()> {
        while let Some(oldest) = self.oldest_beyond(left) {
            self.visitor.delete(&oldest).await?;
        }
        Ok(())
    }

    fn oldest_beyond(&self, left: usize) -> Option<String> {
        let desktops = &mut self.state().desktops;
        if desktops.len() > left {
            desktops.pop_front()
        } else {
            None
        }
    }
}
