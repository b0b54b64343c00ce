//! Instances: launch, list, show, act, delete, and tickets for their tunnels.

use std::collections::HashMap;

use daas_core::Error;
use daas_core::access::{Caller, LoggedIn};
use daas_core::audit::{AuditAction, Details, NewEntry, Target, TargetKind};
use daas_core::model::{
    Action, App, AppId, Instance, InstanceId, InstanceState, Permission, Timestamp,
};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::JSON_MAX;
use super::people::{CURSOR, GONE, limit};
use super::view::{InstanceView, PageView, extension};
use crate::Services;
use crate::http::{Body, Call, Problem, json};

const NO_INSTANCE: Error = Error::NotFound { what: "instance" };

/// The instance that a request names, if whoever asks may see it: people see their own,
/// operators see all. Others are told that there is none.
pub(super) async fn visible(call: &Call, caller: &Caller) -> Result<Instance, Problem> {
    let id: InstanceId = call.id().parse().map_err(|_| NO_INSTANCE)?;
    let instance = call.services().store.instance(id).await?;
    let own = instance.is_of(caller.user.id);
    let may = own || caller.rights.may(Permission::InstancesReadAll);
    if may && instance.state != InstanceState::Deleted {
        Ok(instance)
    } else {
        Err(NO_INSTANCE.into())
    }
}

fn view<'a>(
    services: &Services,
    caller: &Caller,
    instance: &'a Instance,
    app: &'a App,
) -> InstanceView<'a> {
    let step = services.steps.of(instance.id);
    let view = InstanceView::new(services, instance, app, step);
    let may_see = caller.rights.may(Permission::HostsRead);
    view.on(services.fleet(), instance, may_see)
}

async fn respond(
    status: StatusCode,
    services: &Services,
    caller: &Caller,
    instance: &Instance,
) -> Result<Response<Body>, Problem> {
    let app = services.store.app(instance.app).await?;
    json(status, &view(services, caller, instance, &app))
}

pub(super) async fn list(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let owner = match call.parameter("all", "true or false")?.unwrap_or(false) {
        true if !caller.rights.may(Permission::InstancesReadAll) => {
            let detail = "Only operators see the desktops of all people.";
            return Err(Problem::because(StatusCode::FORBIDDEN, detail).code("permission"));
        }
        true => None,
        false => Some(caller.user.id),
    };
    let instances = services.store.instances(owner).await?;
    let apps = services.store.apps().await?;
    let apps: HashMap<AppId, App> = apps.into_iter().map(|app| (app.id, app)).collect();
    let (instances, next_cursor) = page(&call, &instances)?;
    let items = instances.iter().filter_map(|instance| {
        let app = apps.get(&instance.app)?;
        Some(view(services, &caller, instance, app))
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
    let limit = limit(call)? as usize;
    let start = match call.parameter::<InstanceId>("cursor", CURSOR)? {
        None => 0,
        Some(id) => {
            let last = all.iter().position(|item| item.id == id);
            last.ok_or_else(|| Problem::field("cursor", GONE))? + 1
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

pub(super) async fn launch(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let services = call.services().clone();
    let Launch { app_id } = call.json(JSON_MAX).await?;
    let wrong = |_| Problem::field("app_id", "is not the id of an application");
    let id: AppId = app_id.parse().map_err(wrong)?;
    let app = services.store.app(id).await?;
    if !services.settings.apps.contains(&app.slug) || !caller.rights.may_launch(id) {
        // What one may not launch is not in one's catalogue, either.
        let what = "application";
        return Err(Error::NotFound { what }.into());
    }
    let instance = services.lifecycle.launch(caller.user.id, id).await?;
    note(
        &services,
        &caller,
        AuditAction::InstanceLaunch,
        &instance,
        &app,
    )
    .await?;
    json(
        StatusCode::CREATED,
        &view(&services, &caller, &instance, &app),
    )
}

/// Writes into the audit log what somebody did with an instance.
async fn note(
    services: &Services,
    caller: &Caller,
    action: AuditAction,
    instance: &Instance,
    app: &App,
) -> Result<(), Problem> {
    tracing::info!(user = %caller.user.name, %action, instance = %instance.id, "asked");
    let entry = entry(caller, action, instance, app);
    Ok(services.store.note(entry).await?)
}

/// An entry of the audit log about what somebody did with an instance.
pub(super) fn entry(
    caller: &Caller,
    action: AuditAction,
    instance: &Instance,
    app: &App,
) -> NewEntry {
    let target = Target::new(TargetKind::Instance, instance.id, &app.name);
    caller.by().did(action, target, Timestamp::now())
}

pub(super) async fn show(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let instance = visible(&call, &caller).await?;
    respond(StatusCode::OK, call.services(), &caller, &instance).await
}

/// Whether somebody may do this to an instance that they see. That of another person can
/// only be ended.
fn check_act(caller: &Caller, instance: &Instance, action: Action) -> Result<(), Problem> {
    let ends = matches!(action, Action::Stop | Action::Delete);
    if ends && caller.rights.may(Permission::InstancesEndAll) {
        return Ok(());
    }
    check_own(caller, instance)
}

/// Whether an instance is of whoever asks.
pub(super) fn check_own(caller: &Caller, instance: &Instance) -> Result<(), Problem> {
    if instance.is_of(caller.user.id) {
        return Ok(());
    }
    let detail = "Only its owner may do this.";
    Err(Problem::because(StatusCode::FORBIDDEN, detail).code("permission"))
}

/// What the host of an instance is not able to do.
pub(super) fn unsupported(detail: &str) -> Problem {
    Problem::because(StatusCode::CONFLICT, detail).code("unsupported")
}

async fn act(call: Call, caller: Caller, action: Action) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let instance = visible(&call, &caller).await?;
    check_act(&caller, &instance, action)?;
    if action == Action::Suspend && !services.fleet().abilities_of(&instance).suspend {
        return Err(unsupported("The host of this desktop cannot suspend it."));
    }
    let instance = services.lifecycle.act(instance.id, action).await?;
    if matches!(action, Action::Stop | Action::Delete | Action::Suspend) {
        services.tunnels.end_instance(instance.id);
    }
    let app = services.store.app(instance.app).await?;
    note(services, &caller, action.into(), &instance, &app).await?;
    json(
        StatusCode::ACCEPTED,
        &view(services, &caller, &instance, &app),
    )
}

pub(super) async fn delete(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    act(call, caller, Action::Delete).await
}

pub(super) async fn start(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    act(call, caller, Action::Start).await
}

pub(super) async fn stop(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    act(call, caller, Action::Stop).await
}

pub(super) async fn suspend(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    act(call, caller, Action::Suspend).await
}

pub(super) async fn resume(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    act(call, caller, Action::Resume).await
}

/// Puts off what would end it by itself: by the longest time of its policies, but not by more
/// than the configuration allows at a time.
pub(super) async fn extend(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let instance = visible(&call, &caller).await?;
    check_own(&caller, &instance)?;
    let app = services.store.app(instance.app).await?;
    let Some(longest) = extension(services, &app) else {
        let detail = "Nothing ends this desktop by itself, or it cannot be put off.";
        return Err(Problem::because(StatusCode::CONFLICT, detail));
    };
    let longest_ms = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
    let until = Timestamp::now().plus_ms(longest_ms);
    let mut entry = entry(&caller, AuditAction::InstanceExtend, &instance, &app);
    entry.after = Some(Details::of(&json!({ "until": until.rfc3339() })));
    let extended = services.lifecycle.extend(instance.id, until, entry).await?;
    json(StatusCode::OK, &view(services, &caller, &extended, &app))
}

#[derive(Serialize)]
struct TicketView {
    url: &'static str,
    ticket: String,
    expires_at: String,
}

/// Desktops are private: also those who may end one do not get to look at it.
pub(super) async fn ticket(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let instance = visible(&call, &who.caller).await?;
    if !instance.is_of(who.caller.user.id) {
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
        expires_at: expires_at.rfc3339(),
    };
    json(StatusCode::OK, &view)
}

pub(super) async fn tunnel(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let tunnels = call.services().tunnels.clone();
    tunnels.open(call.into_request(), who).await
}
