//! Instances: launch, list, show, act, delete, and tickets for their tunnels.

use std::collections::HashMap;

use daas_core::Error;
use daas_core::access::LoggedIn;
use daas_core::model::{Action, App, AppId, Instance, InstanceId, InstanceState, Role, Timestamp};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::JSON_MAX;
use super::time::rfc3339;
use super::view::{InstanceView, PageView};
use crate::Services;
use crate::http::{Body, Call, Problem, json};

/// Items of a page, unless told otherwise, and at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 200;

const NO_INSTANCE: Error = Error::NotFound { what: "instance" };

/// The instance that a request names, if whoever asks may see it: people see their own,
/// operators see all. Others are told that there is none.
async fn visible(call: &Call, who: &LoggedIn) -> Result<Instance, Problem> {
    let id: InstanceId = call.id().parse().map_err(|_| NO_INSTANCE)?;
    let instance = call.services().store.instance(id).await?;
    let may = instance.owner == who.user.id || who.user.role >= Role::Operator;
    if may && instance.state != InstanceState::Deleted {
        Ok(instance)
    } else {
        Err(NO_INSTANCE.into())
    }
}

fn view<'a>(services: &Services, instance: &'a Instance, app: &'a App) -> InstanceView<'a> {
    let step = services.steps.of(instance.id);
    InstanceView::new(instance, app, step, services.tunnels.count(instance.id))
}

async fn respond(
    status: StatusCode,
    services: &Services,
    instance: &Instance,
) -> Result<Response<Body>, Problem> {
    let app = services.store.app(instance.app).await?;
    json(status, &view(services, instance, &app))
}

pub(super) async fn list(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let owner = match call.query("all") {
        Some("true") if who.user.role < Role::Operator => {
            let detail = "Only operators see the desktops of all people.";
            return Err(Problem::because(StatusCode::FORBIDDEN, detail));
        }
        Some("true") => None,
        _ => Some(who.user.id),
    };
    let instances = services.store.instances(owner).await?;
    let apps = services.store.apps().await?;
    let apps: HashMap<AppId, App> = apps.into_iter().map(|app| (app.id, app)).collect();
    let (instances, next_cursor) = page(&call, &instances)?;
    let items = instances.iter().filter_map(|instance| {
        let app = apps.get(&instance.app)?;
        Some(view(services, instance, app))
    });
    let page = PageView {
        items: items.collect(),
        next_cursor,
    };
    json(StatusCode::OK, &page)
}

/// The part of a list that `limit` and `cursor` ask for, and the cursor of the next. A
/// cursor is the id of the last item before.
fn page<'a>(call: &Call, all: &'a [Instance]) -> Result<(&'a [Instance], Option<String>), Problem> {
    let limit = match call.query("limit").map(str::parse) {
        None => LIMIT,
        Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => limit,
        Some(_) => {
            let detail = format!("must be a number between 1 and {LIMIT_MAX}");
            return Err(Problem::field("limit", detail));
        }
    };
    let start = match call.query("cursor").map(str::parse::<InstanceId>) {
        None => 0,
        Some(id) => {
            let last = id
                .ok()
                .and_then(|id| all.iter().position(|item| item.id == id));
            let unknown = || Problem::field("cursor", "is not known (any more); start again");
            last.ok_or_else(unknown)? + 1
        }
    };
    let end = all.len().min(start + limit);
    let items = all.get(start..end).unwrap_or_default();
    let last = items.last().filter(|_| end < all.len());
    Ok((items, last.map(|last| last.id.to_string())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Launch {
    app_id: String,
}

pub(super) async fn launch(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services().clone();
    let Launch { app_id } = call.json(JSON_MAX).await?;
    let wrong = |_| Problem::field("app_id", "is not the id of an application");
    let id: AppId = app_id.parse().map_err(wrong)?;
    let app = services.store.app(id).await?;
    if !services.settings.apps.contains(&app.slug) {
        return Err(Error::NotFound {
            what: "application",
        }
        .into());
    }
    let instance = services.lifecycle.launch(who.user.id, id).await?;
    tracing::info!(user = %who.user.name, app = %app.slug, instance = %instance.id, "launched");
    json(StatusCode::CREATED, &view(&services, &instance, &app))
}

pub(super) async fn show(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let instance = visible(&call, &who).await?;
    respond(StatusCode::OK, call.services(), &instance).await
}

async fn act(call: Call, who: LoggedIn, action: Action) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let instance = visible(&call, &who).await?;
    let instance = services.lifecycle.act(instance.id, action).await?;
    tracing::info!(user = %who.user.name, %action, instance = %instance.id, "asked");
    if matches!(action, Action::Stop | Action::Delete | Action::Suspend) {
        services.tunnels.end_instance(instance.id);
    }
    respond(StatusCode::ACCEPTED, services, &instance).await
}

pub(super) async fn delete(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    act(call, who, Action::Delete).await
}

pub(super) async fn start(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    act(call, who, Action::Start).await
}

pub(super) async fn stop(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    act(call, who, Action::Stop).await
}

pub(super) async fn suspend(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    act(call, who, Action::Suspend).await
}

pub(super) async fn resume(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    act(call, who, Action::Resume).await
}

#[derive(Serialize)]
struct TicketView {
    url: &'static str,
    ticket: String,
    expires_at: String,
}

/// Desktops are private: also those who may end one do not get to look at it.
pub(super) async fn ticket(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let instance = visible(&call, &who).await?;
    if instance.owner != who.user.id {
        let detail = "Only its owner may look at this desktop.";
        return Err(Problem::because(StatusCode::FORBIDDEN, detail));
    }
    if instance.state != InstanceState::Running {
        let detail = format!("The desktop is {}; it has to run.", instance.state);
        return Err(Problem::because(StatusCode::CONFLICT, detail));
    }
    let access = &call.services().access;
    let given = access.give_ticket(&who.session, instance.id, Timestamp::now());
    let (ticket, expires_at) = given.await?;
    let view = TicketView {
        url: "/api/v1/tunnel",
        ticket: ticket.expose(),
        expires_at: rfc3339(expires_at),
    };
    json(StatusCode::OK, &view)
}

pub(super) async fn tunnel(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let tunnels = call.services().tunnels.clone();
    tunnels.open(call.into_request(), who).await
}
