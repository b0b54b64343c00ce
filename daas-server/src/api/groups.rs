//! Groups: list, make, show, change, remove; their members, rules, quotas.

use daas_core::access::{Caller, GroupChange};
use daas_core::model::{GroupId, Timestamp, UserId};
use daas_core::storage::{QuotaOf, Subject};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::JSON_MAX;
use super::people::{GroupView, Named, Rules, WithLimits, id, named, nothing};
use super::users::set_quota_of;
use super::view::PageView;
use crate::Services;
use crate::http::{Body, Call, Problem, json};

const GROUP: &str = "group";

pub(super) async fn list(call: Call, _: Caller) -> Result<Response<Body>, Problem> {
    let groups = call.services().store.groups().await?;
    let items = groups.into_iter();
    let page = PageView {
        items: items
            .map(|(group, members)| GroupView::new(group, members))
            .collect(),
        next_cursor: None,
    };
    json(StatusCode::OK, &page)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    external: Vec<String>,
}

pub(super) async fn create(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let services = call.services().clone();
    let new: Create = call.json(JSON_MAX).await?;
    let new = GroupChange {
        name: Some(new.name),
        description: Some(new.description),
        external: Some(new.external),
    };
    let by = caller.by();
    let made = services.access.create_group(&by, new, Timestamp::now());
    json(StatusCode::CREATED, &GroupView::new(made.await?, 0))
}

#[derive(Serialize)]
struct WithUsers {
    #[serde(flatten)]
    group: GroupView,
    users: Vec<Named<UserId>>,
}

async fn with_users(services: &Services, id: GroupId) -> Result<WithUsers, Problem> {
    let group = services.store.group(id).await?;
    let users = services.store.members(id).await?;
    Ok(WithUsers {
        group: GroupView::new(group, users.len() as u64),
        users: users.into_iter().map(named).collect(),
    })
}

pub(super) async fn show(call: Call, _: Caller) -> Result<Response<Body>, Problem> {
    let (services, id) = (call.services(), id::<GroupId>(&call, GROUP)?);
    let view = WithLimits {
        of: with_users(services, id).await?,
        rules: services.store.rules(Subject::Group(id)).await?,
        quota: services.store.quota(QuotaOf::Group(id)).await?,
    };
    json(StatusCode::OK, &view)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    description: Option<String>,
    external: Option<Vec<String>>,
}

pub(super) async fn change(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let (services, id) = (call.services().clone(), id::<GroupId>(&call, GROUP)?);
    let change: Change = call.json(JSON_MAX).await?;
    let change = GroupChange {
        name: change.name,
        description: change.description,
        external: change.external,
    };
    let now = Timestamp::now();
    let by = caller.by();
    let changed = services.access.change_group(&by, id, change, now);
    let group = changed.await?;
    let members = services.store.members(id).await?.len() as u64;
    json(StatusCode::OK, &GroupView::new(group, members))
}

pub(super) async fn delete(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let (services, id) = (call.services(), id::<GroupId>(&call, GROUP)?);
    let by = caller.by();
    let deleted = services.access.delete_group(&by, id, Timestamp::now());
    deleted.await?;
    Ok(nothing())
}

pub(super) async fn set_quota(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let of = QuotaOf::Group(id(&call, GROUP)?);
    set_quota_of(of, call, caller).await
}

pub(super) async fn set_rules(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let (services, id) = (call.services().clone(), id::<GroupId>(&call, GROUP)?);
    let rules: Rules = call.json(JSON_MAX).await?;
    let (by, items) = (caller.by(), rules.items.clone());
    let set = services
        .access
        .set_group_rules(&by, id, items, Timestamp::now());
    set.await?;
    json(StatusCode::OK, &rules)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    user_ids: Vec<UserId>,
}

pub(super) async fn set_members(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let (services, id) = (call.services().clone(), id::<GroupId>(&call, GROUP)?);
    let Members { user_ids } = call.json(JSON_MAX).await?;
    let now = Timestamp::now();
    let by = caller.by();
    let set = services.access.set_members(&by, id, user_ids, now);
    set.await?;
    json(StatusCode::OK, &with_users(&services, id).await?)
}
