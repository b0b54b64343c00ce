//! People as JSON shows them, and what users and groups have in common.

use daas_core::model::{
    ApiToken, Group, GroupId, Permission, Quota, Role, Rule, Source, User, UserId,
};
use daas_core::storage::Account;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::JSON_MAX;
use crate::http::{Call, Problem};

/// Items of a page, unless told otherwise, and at most.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 200;

/// What a cursor must be, and that the item that it stands for is gone.
pub(super) const CURSOR: &str = "what another page answered";
pub(super) const GONE: &str = "is not known (any more); start again";

/// How many items a request wants.
pub(super) fn limit(call: &Call) -> Result<u32, Problem> {
    let what = format!("a number between 1 and {LIMIT_MAX}");
    match call.parameter("limit", &what)? {
        None => Ok(LIMIT),
        Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::field("limit", format!("must be {what}"))),
    }
}

/// Somebody or something by its name.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Named<I> {
    pub(super) id: I,
    pub(super) name: String,
}

pub(super) fn named<I>((id, name): (I, String)) -> Named<I> {
    Named { id, name }
}

/// Somebody who can log in.
#[derive(Serialize)]
pub(super) struct AccountView {
    id: UserId,
    name: String,
    role: Role,
    source: Source,
    disabled: bool,
    has_password: bool,
    totp_enabled: bool,
    created_at: String,
    last_login_at: Option<String>,
    groups: Vec<Named<GroupId>>,
    instances: u64,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        let Account {
            user,
            groups,
            instances,
        } = account;
        Self {
            id: user.id,
            role: user.role,
            source: user.source,
            disabled: user.disabled,
            has_password: !user.password_hash.is_empty(),
            totp_enabled: user.totp_enabled,
            created_at: user.created_at.rfc3339(),
            last_login_at: user.last_login_at.map(|at| at.rfc3339()),
            name: user.name,
            groups: groups.into_iter().map(named).collect(),
            instances,
        }
    }
}

/// Whoever is logged in.
#[derive(Serialize)]
pub(super) struct OneselfView<'a> {
    id: UserId,
    name: &'a str,
    role: Role,
    source: Source,
    totp_enabled: bool,
    permissions: Vec<Permission>,
}

impl<'a> OneselfView<'a> {
    pub(super) fn new(user: &'a User, permissions: Vec<Permission>) -> Self {
        Self {
            id: user.id,
            name: &user.name,
            role: user.role,
            source: user.source,
            totp_enabled: user.totp_enabled,
            permissions,
        }
    }
}

/// Several people.
#[derive(Serialize)]
pub(super) struct GroupView {
    id: GroupId,
    name: String,
    description: String,
    external: Vec<String>,
    members: u64,
    created_at: String,
}

impl GroupView {
    pub(super) fn new(group: Group, members: u64) -> Self {
        Self {
            id: group.id,
            name: group.name,
            description: group.description,
            external: group.external,
            members,
            created_at: group.created_at.rfc3339(),
        }
    }
}

/// A token for programs, without its value.
#[derive(Serialize)]
pub(super) struct TokenView {
    id: String,
    name: String,
    scopes: Vec<&'static str>,
    created_at: String,
    expires_at: String,
    last_used_at: Option<String>,
}

impl From<ApiToken> for TokenView {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name,
            scopes: token.scopes.iter().map(|scope| scope.as_str()).collect(),
            created_at: token.created_at.rfc3339(),
            expires_at: token.expires_at.rfc3339(),
            last_used_at: token.last_used_at.map(|at| at.rfc3339()),
        }
    }
}

/// An account or a group, with its rules and its quota.
#[derive(Serialize)]
pub(super) struct WithLimits<T> {
    #[serde(flatten)]
    pub(super) of: T,
    pub(super) rules: Vec<Rule>,
    pub(super) quota: Quota,
}

/// Rules as they are sent and answered.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    pub(super) items: Vec<Rule>,
}

/// A whole number, however it is written: JSON has one kind of numbers, and some programs write
/// 25 as `25.0`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "serde_json::Number")]
pub(super) struct Whole(u32);

impl TryFrom<serde_json::Number> for Whole {
    type Error = &'static str;

    fn try_from(number: serde_json::Number) -> Result<Self, Self::Error> {
        let written = number
            .as_u64()
            .and_then(|number| u32::try_from(number).ok());
        let whole = written.or_else(|| {
            let number = number.as_f64()?;
            let fits = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
            fits.then_some(number as u32)
        });
        let what = "must be a whole number between 0 and 4294967295";
        whole.map(Self).ok_or(what)
    }
}

impl From<Whole> for u32 {
    fn from(Whole(number): Whole) -> Self {
        number
    }
}

/// The quota in the body of a request. All limits have to be there, so that none is lifted
/// by forgetting it.
pub(super) async fn quota_in(call: Call) -> Result<Quota, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct All {
        #[serde(deserialize_with = "present")]
        instances: Option<Whole>,
        #[serde(deserialize_with = "present")]
        cpu_millis: Option<Whole>,
        #[serde(deserialize_with = "present")]
        memory_mib: Option<Whole>,
        #[serde(deserialize_with = "present")]
        disk_mib: Option<Whole>,
        #[serde(deserialize_with = "present")]
        hours_week: Option<Whole>,
    }
    /// A field with a function of its own must be there, also where it may be null.
    fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Whole>, D::Error> {
        Option::deserialize(from)
    }
    let all: All = call.json(JSON_MAX).await?;
    Ok(Quota {
        instances: all.instances.map(u32::from),
        cpu_millis: all.cpu_millis.map(u32::from),
        memory_mib: all.memory_mib.map(u32::from),
        disk_mib: all.disk_mib.map(u32::from),
        hours_week: all.hours_week.map(u32::from),
    })
}

/// The id in the path; one that is none is of nothing.
pub(super) fn id<T: std::str::FromStr>(call: &Call, what: &'static str) -> Result<T, Problem> {
    let none = |_| Problem::from(daas_core::Error::NotFound { what });
    call.id().parse().map_err(none)
}

/// An answer without a body.
pub(super) fn nothing() -> hyper::Response<crate::http::Body> {
    let mut response = hyper::Response::new(crate::http::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
