//! Users: list, make, show, change, remove; their links, sessions, rules, quotas.

use daas_core::access::{Caller, Invited, NewUser, UserChange};
use daas_core::model::{GroupId, Role, Timestamp, UserId};
use daas_core::storage::{Account, AccountsQuery, QuotaOf, Subject};
use daas_core::{Error, Secret};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::JSON_MAX;
use super::people::{AccountView, CURSOR, GONE, Rules, WithLimits, id, limit, nothing, quota_in};
use super::view::PageView;
use crate::http::{Body, Call, Problem, json, origin_of};

const USER: &str = "user";

pub(super) async fn list(call: Call, _: Caller) -> Result<Response<Body>, Problem> {
    let limit = limit(&call)?;
    let query = AccountsQuery {
        part: call.text("q").filter(|part| !part.is_empty()),
        after: call.parameter("cursor", CURSOR)?,
        limit: limit + 1,
    };
    let accounts = call.services().store.accounts(query).await;
    let mut accounts = accounts.map_err(|error| match error {
        // Whoever the page before ended with may be gone.
        Error::NotFound { .. } => Problem::field("cursor", GONE),
        error => error.into(),
    })?;
    let more = accounts.len() > limit as usize;
    accounts.truncate(limit as usize);
    let last = accounts.last().filter(|_| more);
    let page = PageView {
        next_cursor: last.map(|last| last.user.id.to_string()),
        items: accounts.into_iter().map(AccountView::from).collect(),
    };
    json(StatusCode::OK, &page)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    role: Role,
    password: Option<String>,
    #[serde(default)]
    group_ids: Vec<GroupId>,
}

#[derive(Serialize)]
struct InvitationView {
    url: String,
    token: String,
    expires_at: String,
}

impl InvitationView {
    fn new(origin: &str, invited: &Invited) -> Self {
        let token = invited.token.expose();
        Self {
            url: format!("{origin}/#/invitation/{token}"),
            token,
            expires_at: invited.expires_at.rfc3339(),
        }
    }
}

#[derive(Serialize)]
struct Created {
    user: AccountView,
    invitation: Option<InvitationView>,
}

pub(super) async fn create(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let (services, origin) = (call.services().clone(), origin_of(&call));
    let new: Create = call.json(JSON_MAX).await?;
    let new = NewUser {
        name: new.name,
        role: new.role,
        password: new.password.map(Secret::new),
        groups: new.group_ids,
    };
    let by = caller.by();
    let created = services.access.create_user(&by, new, Timestamp::now());
    let (account, invited) = created.await?;
    let created = Created {
        user: account.into(),
        invitation: invited.map(|invited| InvitationView::new(&origin, &invited)),
    };
    json(StatusCode::CREATED, &created)
}

pub(super) async fn show(call: Call, _: Caller) -> Result<Response<Body>, Problem> {
    let (store, id) = (&call.services().store, id::<UserId>(&call, USER)?);
    let account = store.account(id).await?;
    let view = WithLimits {
        of: AccountView::from(account),
        rules: store.rules(Subject::User(id)).await?,
        quota: store.quota(QuotaOf::User(id)).await?,
    };
    json(StatusCode::OK, &view)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<String>,
    role: Option<Role>,
    disabled: Option<bool>,
    password: Option<String>,
    group_ids: Option<Vec<GroupId>>,
    totp: Option<bool>,
}

pub(super) async fn change(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let (services, id) = (call.services().clone(), id::<UserId>(&call, USER)?);
    let change: Change = call.json(JSON_MAX).await?;
    if change.totp == Some(true) {
        let detail = "can only be turned off for somebody else";
        return Err(Problem::field("totp", detail));
    }
    let change = UserChange {
        name: change.name,
        role: change.role,
        disabled: change.disabled,
        password: change.password.map(Secret::new),
        groups: change.group_ids,
        without_totp: change.totp == Some(false),
    };
    let now = Timestamp::now();
    let by = caller.by();
    let changed: Account = services.access.change_user(&by, id, change, now).await?;
    services.end_ended_sessions().await;
    json(StatusCode::OK, &AccountView::from(changed))
}

pub(super) async fn delete(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let (services, id) = (call.services(), id::<UserId>(&call, USER)?);
    let with_instances = match call.text("desktops").as_deref() {
        None => false,
        Some("delete") => true,
        Some(_) => return Err(Problem::field("desktops", "can only be `delete`")),
    };
    let now = Timestamp::now();
    let by = caller.by();
    let deleted = services.access.delete_user(&by, id, with_instances, now);
    deleted.await?;
    services.end_ended_sessions().await;
    // What is not deleted now is later, with all that has no owner.
    if let Err(error) = services.lifecycle.delete_ownerless().await {
        tracing::warn!(
            error = daas_core::chain(&error),
            "desktops are deleted later"
        );
    }
    Ok(nothing())
}

pub(super) async fn invite(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let (services, id) = (call.services(), id::<UserId>(&call, USER)?);
    let by = caller.by();
    let invited = services.access.invite(&by, id, Timestamp::now());
    let view = InvitationView::new(&origin_of(&call), &invited.await?);
    json(StatusCode::CREATED, &view)
}

pub(super) async fn end_sessions(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let (services, id) = (call.services(), id::<UserId>(&call, USER)?);
    let by = caller.by();
    let ended = services.access.end_sessions(&by, id, Timestamp::now());
    ended.await?;
    services.end_ended_sessions().await;
    Ok(nothing())
}

pub(super) async fn set_quota(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let of = QuotaOf::User(id(&call, USER)?);
    set_quota_of(of, call, caller).await
}

/// Sets the quota of whom or what it may be.
pub(super) async fn set_quota_of(
    of: QuotaOf,
    call: Call,
    caller: Caller,
) -> Result<Response<Body>, Problem> {
    let services = call.services().clone();
    let quota = quota_in(call).await?;
    let by = caller.by();
    let set = services.access.set_quota(&by, of, quota, Timestamp::now());
    set.await?;
    json(StatusCode::OK, &quota)
}

pub(super) async fn set_rules(call: Call, caller: Caller) -> Result<Response<Body>, Problem> {
    let (services, id) = (call.services().clone(), id::<UserId>(&call, USER)?);
    let rules: Rules = call.json(JSON_MAX).await?;
    let (by, items) = (caller.by(), rules.items.clone());
    let set = services
        .access
        .set_user_rules(&by, id, items, Timestamp::now());
    set.await?;
    json(StatusCode::OK, &rules)
}
