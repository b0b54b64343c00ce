//! One client: it checks and times what comes, answers it as a browser would, and at the
//! end asks for the last words.

use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::check::{Check, latency_us};
use super::link::Link;
use super::script::{Library, Spec};
use super::{Result, now_us};

/// How often a browser sends a ping (guacamole-client, `Tunnel.js`, `PING_FREQUENCY`).
const PING: Duration = Duration::from_millis(500);
/// Most time for the last words to come.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// What all clients of a group share.
pub(super) struct Group {
    pub(super) library: Library,
    /// Which of [`PHASES`] it is; any other number is none.
    pub(super) phase: AtomicUsize,
    /// Clients that have got something.
    pub(super) open: AtomicUsize,
    /// Becomes true when they are to end.
    pub(super) end: watch::Sender<bool>,
}

/// Parts of a run that are counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The server has nothing but tunnels.
    Alone,
    /// It answers requests beside them.
    Beside,
}

impl Phase {
    /// Its name in files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Beside => "beside requests",
        }
    }
}

/// How many phases there are.
pub(super) const PHASES: usize = 2;

/// What a client got in one phase, or all clients of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Got {
    pub(super) bytes: u64,
    /// Microseconds from the sending of each piece to its arrival.
    pub(super) latencies_us: Vec<u32>,
}

impl AddAssign for Got {
    fn add_assign(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.latencies_us.extend(more.latencies_us);
    }
}

struct Client<'g> {
    group: &'g Group,
    link: Link,
    check: Check,
    got: [Got; PHASES],
    replies: Vec<String>,
}

/// Reads until the group ends, and then makes sure that nothing is missing.
///
/// # Errors
/// Where the tunnel ends before, or brings something else than was played.
pub(super) async fn run(group: Arc<Group>, link: Link, spec: Spec) -> Result<[Got; PHASES]> {
    let mut client = Client {
        group: &group,
        link,
        check: Check::new(group.library.script(spec.kind), spec),
        got: Default::default(),
        replies: Vec::new(),
    };
    client.read_on().await?;
    // Where keys are held back until there is a picture, there is one.
    client.link.send(&["3.key,5.65307,1.1;".to_owned()]).await?;
    let last = timeout(LAST_WORDS, client.read_to_end()).await;
    last.map_err(|_| "the last words did not come")??;
    match client.check.is_complete() {
        true => Ok(client.got),
        false => Err("less came than was played".into()),
    }
}

/// Opens the tunnel and reads nothing more, but goes on to send pings.
///
/// # Errors
/// Where the connection breaks.
pub(super) async fn stall(group: Arc<Group>, mut link: Link) -> Result<[Got; PHASES]> {
    let mut end = group.end.subscribe();
    group.open.fetch_add(1, Relaxed);
    tokio::select! {
        broken = send_pings(&mut link) => broken?,
        () = asked(&mut end) => {}
    }
    Ok(Default::default())
}

async fn send_pings(link: &mut Link) -> Result<()> {
    loop {
        sleep(PING).await;
        link.send(&[ping()]).await?;
    }
}

/// Waits until the group is to end.
async fn asked(end: &mut watch::Receiver<bool>) {
    drop(end.wait_for(|end| *end).await);
}

fn ping() -> String {
    format!("0.,4.ping,13.{:013};", now_us() / 1000)
}

impl Client<'_> {
    async fn read_on(&mut self) -> Result<()> {
        let mut end = self.group.end.subscribe();
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset_at(Instant::now() + PING);
        loop {
            tokio::select! {
                more = self.receive() => {
                    if !more? {
                        return Err("the tunnel ended before its time".into());
                    }
                }
                _ = pings.tick() => self.link.send(&[ping()]).await?,
                () = asked(&mut end) => return Ok(()),
            }
            self.reply().await?;
        }
    }

    async fn read_to_end(&mut self) -> Result<()> {
        while !self.check.is_complete() && self.receive().await? {
            self.reply().await?;
        }
        Ok(())
    }

    async fn receive(&mut self) -> Result<bool> {
        let Self {
            group,
            link,
            check,
            got,
            replies,
        } = self;
        let mut got = got.get_mut(group.phase.load(Relaxed));
        let (pieces, mut bytes) = (check.pieces, 0);
        let more = link.receive(|part| {
            bytes += part.len() as u64;
            check.take(part, |sent_us| {
                replies.push(format!("4.sync,16.{sent_us:016};"));
                if let Some(got) = &mut got {
                    got.latencies_us.push(latency_us(sent_us));
                }
            })
        });
        let more = more.await?;
        if let Some(got) = got {
            got.bytes += bytes;
        }
        if pieces == 0 && check.pieces > 0 {
            group.open.fetch_add(1, Relaxed);
        }
        Ok(more)
    }

    /// guacd measures by the answers how far behind a client is.
    async fn reply(&mut self) -> Result<()> {
        if !self.replies.is_empty() {
            self.link.send(&self.replies).await?;
            self.replies.clear();
        }
        Ok(())
    }
}
