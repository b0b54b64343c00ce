//! Between rows and the model.

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{
    ApiToken, App, AppId, AppKind, Endpoint, External, FailureReason, HostName, Instance,
    InstanceId, InstanceState, LogIn, Policies, Protocol, Resources, Role, Session, SessionId,
    Source, Timestamp, TokenId, User, UserId,
};
use crate::secret::Secret;
use crate::storage::{Ticket, Transition};

/// A value kept as text: its own word where it is one word, else JSON.
pub(super) struct Text<T>(pub(super) T);

impl<T: Serialize> ToSql for Text<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = serde_json::to_value(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(ToSqlOutput::from(match value {
            serde_json::Value::String(word) => word,
            other => other.to_string(),
        }))
    }
}

impl<T: DeserializeOwned> FromSql for Text<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        let word = serde_json::Value::String(text.to_owned());
        serde_json::from_value(word)
            .or_else(|_| serde_json::from_str(text))
            .map(Text)
            .map_err(|error| FromSqlError::Other(error.into()))
    }
}

pub(super) fn text<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    row.get::<_, Text<T>>(column).map(|text| text.0)
}

pub(super) fn maybe<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
) -> rusqlite::Result<Option<T>> {
    let found = row.get::<_, Option<Text<T>>>(column)?;
    Ok(found.map(|text| text.0))
}

pub(super) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp)
}

fn maybe_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: text::<UserId>(row, "id")?,
        name: row.get("name")?,
        role: text::<Role>(row, "role")?,
        password_hash: row.get("password_hash")?,
        disabled: row.get("disabled")?,
        created_at: time(row, "created_at")?,
        source: text::<Source>(row, "source")?,
        external: external(row)?,
        totp_enabled: row.get::<_, Option<String>>("totp")?.is_some(),
        last_login_at: maybe_time(row, "last_login_at")?,
        revision: row.get("revision")?,
    })
}

fn external(row: &Row<'_>) -> rusqlite::Result<Option<External>> {
    let (provider, subject) = (row.get("provider")?, row.get("subject")?);
    let both = Option::zip(provider, subject);
    Ok(both.map(|(provider, subject)| External { provider, subject }))
}

pub(super) fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        hash: row.get("hash")?,
        id: text::<SessionId>(row, "id")?,
        user: text::<UserId>(row, "user")?,
        created_at: time(row, "created_at")?,
        used_at: time(row, "used_at")?,
        expires_at: time(row, "expires_at")?,
        address: row.get("address")?,
        user_agent: row.get("user_agent")?,
        provider: row.get("provider")?,
    })
}

pub(super) fn token(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    Ok(ApiToken {
        id: text::<TokenId>(row, "id")?,
        hash: row.get("hash")?,
        user: text::<UserId>(row, "user_id")?,
        name: row.get("name")?,
        scopes: text(row, "scopes")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        last_used_at: maybe_time(row, "last_used_at")?,
    })
}

pub(super) fn ticket(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    Ok(Ticket {
        hash: row.get("hash")?,
        session: row.get("session")?,
        instance: text::<InstanceId>(row, "instance")?,
        expires_at: time(row, "expires_at")?,
    })
}

pub(super) fn app(row: &Row<'_>) -> rusqlite::Result<App> {
    Ok(App {
        id: text::<AppId>(row, "id")?,
        slug: row.get("slug")?,
        name: row.get("name")?,
        description: row.get("description")?,
        icon: row.get("icon")?,
        kind: text::<AppKind>(row, "kind")?,
        image: row.get("image")?,
        protocol: text::<Protocol>(row, "protocol")?,
        port: row.get("port")?,
        resources: Resources {
            cpu_millis: row.get("cpu_millis")?,
            memory_mib: row.get("memory_mib")?,
            disk_mib: row.get("disk_mib")?,
        },
        policies: text::<Policies>(row, "policies")?,
        hosts: text(row, "hosts")?,
        log_in: text::<LogIn>(row, "log_in")?,
        created_at: time(row, "created_at")?,
    })
}

/// An instance with its password as it is kept: sealed.
pub(super) fn instance(row: &Row<'_>) -> rusqlite::Result<Instance> {
    Ok(Instance {
        id: text::<InstanceId>(row, "id")?,
        owner: maybe::<UserId>(row, "owner")?,
        app: text::<AppId>(row, "app")?,
        state: text::<InstanceState>(row, "state")?,
        revision: row.get("revision")?,
        failure: maybe::<FailureReason>(row, "failure")?,
        endpoint: maybe::<Endpoint>(row, "endpoint")?,
        password: Secret::new(row.get("password")?),
        created_at: time(row, "created_at")?,
        changed_at: time(row, "changed_at")?,
        host: maybe::<HostName>(row, "host")?,
        seen_at: maybe_time(row, "seen_at")?,
        input_at: maybe_time(row, "input_at")?,
        extended_to: maybe_time(row, "extended_to")?,
        started_at: maybe_time(row, "started_at")?,
        running_since: maybe_time(row, "running_since")?,
    })
}

pub(super) fn transition(row: &Row<'_>) -> rusqlite::Result<Transition> {
    Ok(Transition {
        at: time(row, "at")?,
        state: text::<InstanceState>(row, "state")?,
        failure: maybe::<FailureReason>(row, "failure")?,
    })
}
