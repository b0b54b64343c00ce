//! What happens on the engine.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use super::Docker;
use super::fault::Fault;
use super::names::Labels;
use super::raw::filters;
use crate::error::chain;
use crate::hypervisor::HypervisorEvent;

/// What is worth looking at an instance again. Commands inside are not.
const ACTIONS: [&str; 6] = ["start", "die", "pause", "unpause", "oom", "destroy"];
/// First and longest wait before the engine is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How often a silent engine is asked whether it is still there.
const PING: Duration = Duration::from_secs(15);
/// Longest event, in bytes.
const EVENT_MAX: usize = 1 << 20;

/// Nobody listens any more.
struct Closed;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Event {
    action: String,
    actor: Actor,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Actor {
    /// Labels of the container, and its name under `name`.
    attributes: Labels,
}

impl Docker {
    /// Sends events until nobody listens. Each time that the engine begins to tell, the
    /// first included, what happened before is not known: hence `Reconnected`.
    pub(super) async fn send_events(&self, events: mpsc::Sender<HypervisorEvent>) {
        let (mut wait, longest) = RETRY;
        loop {
            let began = Instant::now();
            tokio::select! {
                () = events.closed() => return,
                ended = self.follow(&events) => if ended.is_err() { return },
            }
            if began.elapsed() > longest {
                wait = RETRY.0;
            }
            tokio::select! {
                () = events.closed() => return,
                () = sleep(wait) => wait = (2 * wait).min(longest),
            }
        }
    }

    /// Follows the engine's events until they end or the engine falls silent.
    async fn follow(&self, events: &mpsc::Sender<HypervisorEvent>) -> Result<(), Closed> {
        let path = format!("/events?{}", filters(&filter()));
        let opening = timeout(self.config.call_timeout, self.raw.get_stream(&path));
        let Ok(Ok(mut stream)) = opening.await else {
            return Ok(());
        };
        // The engine has answered, so from here on it tells everything.
        self.refresh_gateways().await;
        send(events, HypervisorEvent::Reconnected).await?;
        let mut lines = Lines::default();
        let mut ping = interval_at(Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                more = lines.read(&mut stream) => if !more { return Ok(()) },
                _ = ping.tick() => if !self.is_there().await { return Ok(()) },
            }
            while let Some(line) = lines.next() {
                let Ok(event) = serde_json::from_slice(&line) else {
                    return Ok(());
                };
                self.pass_on(event, events).await?;
            }
        }
    }

    async fn pass_on(
        &self,
        event: Event,
        events: &mpsc::Sender<HypervisorEvent>,
    ) -> Result<(), Closed> {
        let attributes = event.actor.attributes;
        if let Some(id) = self.names.instance_of(&attributes) {
            return send(events, HypervisorEvent::Changed(id)).await;
        }
        let gateways = &self.config.network.gateways;
        let name = attributes.get("name");
        if event.action == "start" && name.is_some_and(|name| gateways.contains(name)) {
            self.refresh_gateways().await;
        }
        Ok(())
    }

    /// A gateway that was made anew is in no network of a desktop yet.
    async fn refresh_gateways(&self) {
        if self.config.network.gateways.is_empty() {
            return;
        }
        let limit = self.config.create_timeout;
        let fault = match timeout(limit, self.connect_all_gateways()).await {
            Ok(Ok(())) => return,
            Ok(Err(fault)) => fault,
            Err(_) => Fault::Silent(limit),
        };
        let error = fault.into_error("gateway", "connecting gateways");
        tracing::warn!(error = chain(&error), "gateways are not in all networks");
    }

    async fn is_there(&self) -> bool {
        let ping = timeout(self.config.call_timeout, self.api.ping()).await;
        matches!(ping, Ok(Ok(_)))
    }
}

fn filter() -> serde_json::Value {
    json!({ "type": ["container"], "event": ACTIONS })
}

async fn send(
    events: &mpsc::Sender<HypervisorEvent>,
    event: HypervisorEvent,
) -> Result<(), Closed> {
    events.send(event).await.map_err(|_| Closed)
}

/// Cuts a stream into lines.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
}

impl Lines {
    /// Reads on; false at the end of the stream, or if a line is too long. Nothing is lost
    /// where the call is dropped.
    async fn read(&mut self, stream: &mut Incoming) -> bool {
        let Some(Ok(frame)) = stream.frame().await else {
            return false;
        };
        if let Some(bytes) = frame.data_ref() {
            self.bytes.extend_from_slice(bytes);
        }
        self.bytes.len() <= EVENT_MAX
    }

    /// The next whole line.
    fn next(&mut self) -> Option<Vec<u8>> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n')?;
        Some(self.bytes.drain(..=end).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn lines_come_whole() {
        let mut lines = Lines::default();
        lines.bytes.extend_from_slice(b"{}\n{\"a\":");
        assert_eq!(lines.next().unwrap(), b"{}\n");
        assert_eq!(lines.next(), None);
        lines.bytes.extend_from_slice(b"1}\n");
        assert_eq!(lines.next().unwrap(), b"{\"a\":1}\n");
    }

    #[test]
    fn an_event_needs_no_more_than_it_needs() {
        let text = br#"{"Type":"container","Action":"die","Actor":{"ID":"1","Attributes":
            {"daas.instance":"x","exitCode":"0"}},"scope":"local","time":1}"#;
        let event: Event = serde_json::from_slice(text).unwrap();
        assert_eq!(event.action, "die");
        assert_eq!(event.actor.attributes["daas.instance"], "x");
        assert!(serde_json::from_slice::<Event>(b"{}").is_ok());
    }
}
