//! Live changes as Server-Sent Events.

use std::sync::Arc;
use std::time::Duration;

use daas_core::access::LoggedIn;
use daas_core::lifecycle::Event;
use daas_core::model::Permission;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::view::InstanceView;
use crate::Services;
use crate::http::{Body, Call, Problem};
use crate::services::Stream;

/// Events that a slow reader may be behind here, beside those in the core.
const WAITING: usize = 16;
/// How often a comment shows that the stream is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Time for a reader that is behind; then the stream ends, and the page opens it again and
/// reads all anew.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn stream(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let Some(counted) = services.enter_stream(who.caller.user.id, who.session.hash) else {
        let detail = "Too many pages of yours are open. Close some of them.";
        return Err(Problem::because(StatusCode::TOO_MANY_REQUESTS, detail));
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let feed = Feed {
        events: services.lifecycle.subscribe(),
        log_outs: services.log_outs(),
        stopping: services.stopping(),
        services: Arc::clone(services),
        who,
        sender,
        _counted: counted,
    };
    tokio::spawn(feed.run());
    let mut response = Response::new(Body::pieces(receiver));
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}

/// One reader of events.
struct Feed {
    services: Arc<Services>,
    who: LoggedIn,
    events: broadcast::Receiver<Event>,
    log_outs: broadcast::Receiver<[u8; 32]>,
    stopping: watch::Receiver<bool>,
    sender: mpsc::Sender<Bytes>,
    _counted: Stream,
}

/// What a stream does next.
enum Next {
    PassOn(Box<Event>),
    KeepAlive,
    End,
}

impl Feed {
    async fn run(mut self) {
        let mut alive = self.send("event: hello\ndata: {}\n\n".into()).await;
        let mut ticks = interval(KEEP_ALIVE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        while alive {
            alive = match self.next(&mut ticks).await {
                Next::PassOn(event) => self.pass_on(&event).await,
                Next::KeepAlive => self.send(":\n\n".into()).await,
                Next::End => false,
            };
        }
    }

    async fn next(&mut self, ticks: &mut Interval) -> Next {
        let session = self.who.session.hash;
        tokio::select! {
            // Who missed some shows what may be wrong, and has to read all anew.
            event = self.events.recv() => event.map_or(Next::End, |event| Next::PassOn(Box::new(event))),
            _ = ticks.tick() => Next::KeepAlive,
            () = logged_out(&mut self.log_outs, session) => Next::End,
            _ = self.stopping.wait_for(|stopping| *stopping) => Next::End,
            () = self.sender.closed() => Next::End,
        }
    }

    async fn send(&self, text: String) -> bool {
        let sent = timeout(SEND_TIMEOUT, self.sender.send(text.into())).await;
        matches!(sent, Ok(Ok(())))
    }

    async fn pass_on(&self, event: &Event) -> bool {
        if !event.instance.is_of(self.who.caller.user.id) {
            return true;
        }
        match self.text(event).await {
            Some(text) => self.send(text).await,
            None => false,
        }
    }

    async fn text(&self, event: &Event) -> Option<String> {
        let instance = &event.instance;
        let app = self.services.store.app(instance.app).await.ok()?;
        let view = InstanceView::new(&self.services, instance, &app, event.step);
        let may_see = self.who.caller.rights.may(Permission::HostsRead);
        let view = view.on(self.services.fleet(), instance, may_see);
        // JSON has no line ends outside of texts, and escapes them there.
        let data = serde_json::to_string(&view).ok()?;
        Some(format!("event: instance\ndata: {data}\n\n"))
    }
}

/// Waits until a session has ended, or may have.
async fn logged_out(log_outs: &mut broadcast::Receiver<[u8; 32]>, session: [u8; 32]) {
    while log_outs.recv().await.is_ok_and(|ended| ended != session) {}
}
