//! Counts for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// Method, route and status of answers. Routes are those of the table, so their number is
/// bounded.
type Key = (&'static str, &'static str, u16);

/// What was answered since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<Key, u64>>,
}

/// The method, if it is one that a client may well send; there is no end of others.
pub(crate) fn known(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = KNOWN.into_iter().find(|known| *known == method);
    known.unwrap_or("other")
}

impl Metrics {
    pub(crate) fn count(&self, method: &'static str, route: &'static str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((method, route, status)).or_default() += 1;
    }

    /// In the text format of Prometheus.
    pub(crate) fn render(&self, instances: &BTreeMap<&'static str, u64>, tunnels: usize) -> String {
        let mut text = String::new();
        head(
            &mut text,
            "daas_http_requests_total",
            "counter",
            "Answers given.",
        );
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for ((method, route, status), count) in &*requests {
            let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
            line(&mut text, "daas_http_requests_total", &labels, *count);
        }
        drop(requests);
        head(&mut text, "daas_instances", "gauge", "Instances by state.");
        for (state, count) in instances {
            line(
                &mut text,
                "daas_instances",
                &format!("state=\"{state}\""),
                *count,
            );
        }
        head(&mut text, "daas_tunnels_open", "gauge", "Open tunnels.");
        // Writing to a string does not fail.
        let _ = writeln!(text, "daas_tunnels_open {tunnels}");
        text
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(text, "{name}{{{labels}}} {value}");
}
