//! More of an instance: what it went through, and states of it that are kept.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use daas_core::access::Caller;
use daas_core::audit::{AuditAction, Details};
use daas_core::model::{Instance, SnapshotName, Timestamp};
use daas_core::storage::Transition;
use daas_core::{Error, Result as CoreResult};
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinError;
use tokio::time::timeout;

use super::JSON_MAX;
use super::instances::{check_own, entry, unsupported, visible};
use super::view::{ItemsView, SnapshotView, StepView};
use crate::Services;
use crate::http::{Body, Call, Problem, json};

/// Most steps that are told, of which the newest matter.
const STEPS_MAX: usize = 200;
/// Time to wait for what is done; after it, it goes on by itself. Pages and proxies wait no
/// longer than some twenty seconds.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn timeline(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let instance = visible(&call, &caller).await?;
    let steps = call.services().store.transitions(instance.id).await?;
    let newest = steps.len().saturating_sub(STEPS_MAX);
    let items = steps.iter().enumerate().skip(newest);
    let items = items.map(|(n, step)| StepView::new(step, until(&steps, n)));
    json(
        StatusCode::OK,
        &ItemsView {
            items: items.collect(),
        },
    )
}

/// When the next step came.
fn until(steps: &[Transition], n: usize) -> Option<Timestamp> {
    steps.get(n + 1).map(|next| next.at)
}

pub(super) async fn list(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let instance = visible(&call, &caller).await?;
    let services = call.services();
    let kept = match services.fleet().abilities_of(&instance).snapshot {
        true => services.lifecycle.snapshots(instance.id).await?,
        false => Vec::new(),
    };
    let items = kept.iter().map(SnapshotView::new);
    json(
        StatusCode::OK,
        &ItemsView {
            items: items.collect(),
        },
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Take {
    name: String,
}

pub(super) async fn take(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let instance = owned(&call, &caller).await?;
    let services = Arc::clone(call.services());
    let Take { name } = call.json(JSON_MAX).await?;
    let name: SnapshotName = match name.parse() {
        Ok(name) => name,
        Err(error) => return Err(Problem::field("name", error.to_string())),
    };
    let (lifecycle, id, of) = (services.lifecycle.clone(), instance.id, name.clone());
    let taken = async move { lifecycle.snapshot(id, of).await };
    let what = (AuditAction::InstanceSnapshot, name);
    finish(services, caller, instance, what, taken).await
}

pub(super) async fn go_back(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let instance = owned(&call, &caller).await?;
    let (services, name) = (Arc::clone(call.services()), named(&call)?);
    let (lifecycle, id, to) = (services.lifecycle.clone(), instance.id, name.clone());
    let gone_back = async move { lifecycle.rollback(id, to).await };
    let what = (AuditAction::InstanceRollback, name);
    finish(services, caller, instance, what, gone_back).await
}

pub(super) async fn remove(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let instance = owned(&call, &caller).await?;
    let (services, name) = (Arc::clone(call.services()), named(&call)?);
    let (lifecycle, id, of) = (services.lifecycle.clone(), instance.id, name.clone());
    let removed = async move { lifecycle.remove_snapshot(id, of).await };
    let what = (AuditAction::InstanceSnapshotRemove, name);
    finish(services, caller, instance, what, removed).await
}

/// An instance of one's own, on a host that keeps snapshots.
async fn owned(call: &Call, caller: &Caller) -> Result<Instance, Problem> {
    let instance = visible(call, caller).await?;
    check_own(caller, &instance)?;
    let can = call.services().fleet().abilities_of(&instance).snapshot;
    can.then_some(instance)
        .ok_or_else(|| unsupported("The host of this desktop keeps no snapshots."))
}

/// The snapshot that a path names. What could be none is not there.
fn named(call: &Call) -> Result<SnapshotName, Problem> {
    let what = "snapshot";
    let name = call.name().parse();
    name.map_err(|_| Error::NotFound { what }.into())
}

/// Does it and writes it into the audit log, in a task of its own: who stops waiting ends
/// neither. Answers 204 when it is done, and 202 where that takes long.
async fn finish(
    services: Arc<Services>,
    caller: Caller,
    instance: Instance,
    (action, name): (AuditAction, SnapshotName),
    work: impl Future<Output = CoreResult<()>> + Send + 'static,
) -> Result<Response<Body>, Problem> {
    let task = tokio::spawn(async move {
        let done = work.await;
        if let Err(error) = &done {
            let error = daas_core::chain(error);
            tracing::warn!(instance = %instance.id, %action, error, "not done");
        }
        done?;
        note(&services, &caller, action, &instance, &name).await
    });
    match timeout(PATIENCE, task).await {
        Ok(done) => {
            done.map_err(ended)??;
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            Ok(response)
        }
        Err(_) => json(StatusCode::ACCEPTED, &json!({ "goes_on": true })),
    }
}

async fn note(
    services: &Services,
    caller: &Caller,
    action: AuditAction,
    instance: &Instance,
    name: &SnapshotName,
) -> CoreResult<()> {
    let app = services.store.app(instance.app).await?;
    let mut entry = entry(caller, action, instance, &app);
    entry.after = Some(Details::of(&json!({ "snapshot": name.as_str() })));
    services.store.note(entry).await
}

fn ended(error: JoinError) -> Problem {
    tracing::error!(%error, "a task did not come to its end");
    Problem::internal()
}
