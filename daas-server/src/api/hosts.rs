//! Hosts: how each does, and having one emptied. Nothing here waits for a host.

use std::collections::{BTreeSet, HashMap};

use daas_core::Error;
use daas_core::access::Caller;
use daas_core::fleet::{Capacity, Committed, HostView};
use daas_core::hypervisor::{HostReport, NodeReport};
use daas_core::model::{HostName, Label, Timestamp};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::JSON_MAX;
use super::view::PageView;
use crate::Services;
use crate::http::{Body, Call, Problem, json};

const NO_HOST: Error = Error::NotFound { what: "host" };

#[derive(Serialize)]
struct View {
    name: HostName,
    labels: Vec<Label>,
    state: &'static str,
    /// When it answered last.
    seen_at: Option<String>,
    fault: Option<String>,
    drained: bool,
    version: Option<String>,
    cpus: Option<u32>,
    memory_mib: Option<u64>,
    memory_used_mib: Option<u64>,
    running: Option<u32>,
    capacity: Option<CapacityView>,
    committed: CommittedView,
    orphans: usize,
    can: Can,
    nodes: Vec<NodeView>,
}

#[derive(Serialize)]
struct CapacityView {
    cpu_millis: u64,
    memory_mib: u64,
}

#[derive(Serialize)]
struct CommittedView {
    instances: u64,
    cpu_millis: u64,
    memory_mib: u64,
}

#[derive(Serialize)]
struct Can {
    suspend: bool,
    snapshot: bool,
    exec: bool,
    resize: bool,
}

#[derive(Serialize)]
struct NodeView {
    name: String,
    online: bool,
    cpus: u32,
    memory_mib: u64,
    memory_used_mib: u64,
    running: u32,
}

impl From<Capacity> for CapacityView {
    fn from(capacity: Capacity) -> Self {
        Self {
            cpu_millis: capacity.cpu_millis,
            memory_mib: capacity.memory_mib,
        }
    }
}

impl From<Committed> for CommittedView {
    fn from(committed: Committed) -> Self {
        Self {
            instances: committed.instances,
            cpu_millis: committed.cpu_millis,
            memory_mib: committed.memory_mib,
        }
    }
}

impl From<NodeReport> for NodeView {
    fn from(node: NodeReport) -> Self {
        Self {
            name: node.name,
            online: node.is_on,
            cpus: node.cpus,
            memory_mib: node.memory_mib,
            memory_used_mib: node.memory_used_mib,
            running: node.running,
        }
    }
}

impl View {
    fn new(host: HostView, committed: Committed, drained: bool) -> Self {
        let report = host.report.as_ref();
        let of = |what: fn(&HostReport) -> u32| report.map(what);
        Self {
            state: host.state.as_str(),
            seen_at: host.seen_at.map(Timestamp::rfc3339),
            fault: host.fault,
            drained,
            version: report.map(|report| report.version.clone()),
            cpus: of(|report| report.cpus),
            memory_mib: report.map(|report| report.memory_mib),
            memory_used_mib: report.and_then(|report| report.memory_used_mib),
            running: of(|report| report.running),
            capacity: host.capacity.map(CapacityView::from),
            committed: committed.into(),
            orphans: host.orphans,
            can: Can {
                suspend: host.can.suspend,
                snapshot: host.can.snapshot,
                exec: host.can.exec,
                resize: host.can.resize,
            },
            name: host.name,
            labels: host.labels,
            nodes: host
                .report
                .into_iter()
                .flat_map(|report| report.nodes)
                .map(NodeView::from)
                .collect(),
        }
    }
}

async fn views(services: &Services) -> Result<Vec<View>, Problem> {
    let committed = services.store.committed().await?;
    let committed: HashMap<Option<HostName>, Committed> = committed.into_iter().collect();
    let drained: BTreeSet<HostName> = services.store.drained_hosts().await?;
    let hosts = services.fleet().views().into_iter();
    let views = hosts.map(|host| {
        let committed = committed.get(&Some(host.name.clone())).copied();
        let is_drained = drained.contains(&host.name);
        View::new(host, committed.unwrap_or_default(), is_drained)
    });
    Ok(views.collect())
}

pub(super) async fn list(call: Call, _: Caller) -> Result<Response<Body>, Problem> {
    let page = PageView {
        items: views(call.services()).await?,
        next_cursor: None,
    };
    json(StatusCode::OK, &page)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    drained: bool,
}

pub(super) async fn change(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let services = call.services().clone();
    let name: HostName = call.id().parse().map_err(|_| NO_HOST)?;
    if !services.fleet().names().any(|known| *known == name) {
        return Err(NO_HOST.into());
    }
    let Change { drained } = call.json(JSON_MAX).await?;
    let (by, now) = (caller.by(), Timestamp::now());
    services.access.drain_host(&by, &name, drained, now).await?;
    let views = views(&services).await?;
    let view = views.into_iter().find(|view| view.name == name);
    json(StatusCode::OK, &view.ok_or(NO_HOST)?)
}
