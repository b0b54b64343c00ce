//! What people do about their own accounts.

use daas_core::Secret;
use daas_core::access::LoggedIn;
use daas_core::model::{AppId, Quota, Session, SessionId, Timestamp, Usage};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::ANONYMOUS_JSON_MAX;
use super::people::{id, nothing};
use super::session::{begun, refused};
use super::view::PageView;
use crate::http::{Body, Call, Problem, json};

/// What authenticators call this system.
const ISSUER: &str = "DaaS";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    current: String,
    new: String,
}

pub(super) async fn password(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let (services, browser) = (call.services().clone(), call.browser());
    let ChangePassword { current, new } = call.json(ANONYMOUS_JSON_MAX).await?;
    let (current, new) = (Secret::new(current), Secret::new(new));
    let now = Timestamp::now();
    let changed = services
        .access
        .change_password(&who, current, new, browser, now);
    let (token, who) = changed.await.map_err(refused)?;
    services.end_ended_sessions().await;
    begun(&services, &token, &who)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    password: String,
}

#[derive(Serialize)]
struct TotpView<'a> {
    secret: &'a str,
    url: &'a str,
}

pub(super) async fn start_totp(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services().clone();
    let Password { password } = call.json(ANONYMOUS_JSON_MAX).await?;
    let (password, now) = (Secret::new(password), Timestamp::now());
    let begun = services.access.start_totp(&who, password, now).await;
    let secret = begun.map_err(refused)?;
    let (text, url) = (secret.text(), secret.url(ISSUER, &who.caller.user.name));
    let view = TotpView {
        secret: text.expose(),
        url: url.expose(),
    };
    json(StatusCode::OK, &view)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

#[derive(Serialize)]
struct RecoveryView<'a> {
    recovery_codes: Vec<&'a str>,
}

pub(super) async fn confirm_totp(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services().clone();
    let Code { code } = call.json(ANONYMOUS_JSON_MAX).await?;
    let confirmed = services.access.confirm_totp(&who, &code, Timestamp::now());
    let codes = confirmed.await.map_err(refused)?;
    let view = RecoveryView {
        recovery_codes: codes.iter().map(|code| code.expose().as_str()).collect(),
    };
    json(StatusCode::OK, &view)
}

pub(super) async fn stop_totp(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services().clone();
    let Password { password } = call.json(ANONYMOUS_JSON_MAX).await?;
    let (password, now) = (Secret::new(password), Timestamp::now());
    let stopped = services.access.stop_totp(&who, password, now).await;
    stopped.map_err(refused)?;
    Ok(nothing())
}

#[derive(Serialize)]
struct SessionItem {
    id: SessionId,
    created_at: String,
    used_at: String,
    expires_at: String,
    address: String,
    user_agent: String,
    current: bool,
}

impl SessionItem {
    fn new(session: Session, present: &Session) -> Self {
        Self {
            id: session.id,
            created_at: session.created_at.rfc3339(),
            used_at: session.used_at.rfc3339(),
            expires_at: session.expires_at.rfc3339(),
            current: session.hash == present.hash,
            address: session.address,
            user_agent: session.user_agent,
        }
    }
}

pub(super) async fn sessions(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let access = &call.services().access;
    let sessions = access.own_sessions(&who, Timestamp::now()).await?;
    let items = sessions.into_iter();
    let page = PageView {
        items: items
            .map(|session| SessionItem::new(session, &who.session))
            .collect(),
        next_cursor: None,
    };
    json(StatusCode::OK, &page)
}

pub(super) async fn end_session(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let id = id(&call, "session")?;
    let ended = services.access.end_own_session(&who, id, Timestamp::now());
    ended.await?;
    services.end_ended_sessions().await;
    Ok(nothing())
}

pub(super) async fn end_sessions(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let ended = services.access.end_other_sessions(&who, Timestamp::now());
    ended.await?;
    services.end_ended_sessions().await;
    Ok(nothing())
}

#[derive(Serialize)]
struct UsageView {
    instances: u64,
    cpu_millis: u64,
    memory_mib: u64,
    disk_mib: u64,
    hours_week: f64,
}

impl From<Usage> for UsageView {
    fn from(used: Usage) -> Self {
        Self {
            instances: used.instances,
            cpu_millis: used.cpu_millis,
            memory_mib: used.memory_mib,
            disk_mib: used.disk_mib,
            hours_week: used.hours_week(),
        }
    }
}

#[derive(Serialize)]
struct AppAllowance {
    app_id: AppId,
    limits: Quota,
    used: UsageView,
}

#[derive(Serialize)]
struct AllowanceView {
    limits: Quota,
    used: UsageView,
    apps: Vec<AppAllowance>,
}

pub(super) async fn quota(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services();
    let (id, general) = (who.caller.user.id, services.lifecycle.general_quota());
    let allowance = services.store.allowance(id, general, Timestamp::now());
    let allowance = allowance.await?;
    let apps = allowance.apps.into_iter();
    let view = AllowanceView {
        limits: allowance.limits,
        used: allowance.used.into(),
        apps: apps
            .map(|(app_id, limits, used)| AppAllowance {
                app_id,
                limits,
                used: used.into(),
            })
            .collect(),
    };
    json(StatusCode::OK, &view)
}
