//! The statements.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Fault;
use super::rows::{self, Text};
use crate::error::Error;
use crate::model::{
    Action, App, AppId, Instance, InstanceId, InstanceState, Session, Timestamp, User, UserId,
};
use crate::storage::{Outcome, Ticket, Transition};

type Answer<T> = Result<T, Fault>;

fn one<T>(
    db: &Connection,
    what: &'static str,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Answer<T> {
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_row(params, read).optional()?;
    found.ok_or(Fault::Answer(Error::NotFound { what }))
}

fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Answer<Vec<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params, read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn change(db: &Connection, sql: &str, params: impl rusqlite::Params) -> Answer<usize> {
    Ok(db.prepare_cached(sql)?.execute(params)?)
}

/// Turns the violation of a unique index into an answer.
fn unless_taken(what: &'static str, result: Answer<usize>) -> Answer<()> {
    match result {
        Err(Fault::Sqlite(error))
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) =>
        {
            Err(Error::AlreadyExists { what }.into())
        }
        other => other.map(drop),
    }
}

/// Takes the lock for writing, and reads.
pub(super) fn check(db: &Transaction<'_>) -> Answer<()> {
    count_users(db).map(drop)
}

pub(super) fn add_user(db: &Transaction<'_>, user: &User) -> Answer<()> {
    let added = change(
        db,
        "INSERT INTO users (id, name, role, password_hash, disabled, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            Text(user.id),
            user.name,
            Text(user.role),
            user.password_hash,
            user.disabled,
            user.created_at.0
        ],
    );
    unless_taken("user", added)
}

pub(super) fn user_by_name(db: &Connection, name: &str) -> Answer<User> {
    one(
        db,
        "user",
        "SELECT * FROM users WHERE name = ?1",
        [name],
        rows::user,
    )
}

pub(super) fn user(db: &Connection, id: UserId) -> Answer<User> {
    one(
        db,
        "user",
        "SELECT * FROM users WHERE id = ?1",
        [Text(id)],
        rows::user,
    )
}

pub(super) fn count_users(db: &Connection) -> Answer<u64> {
    one(db, "user", "SELECT count(*) FROM users", [], |row| {
        row.get::<_, i64>(0).map(i64::unsigned_abs)
    })
}

pub(super) fn set_password(db: &Transaction<'_>, id: UserId, hash: &str) -> Answer<()> {
    let sql = "UPDATE users SET password_hash = ?2 WHERE id = ?1";
    if change(db, sql, params![Text(id), hash])? == 0 {
        return Err(Error::NotFound { what: "user" }.into());
    }
    change(db, "DELETE FROM sessions WHERE user = ?1", [Text(id)]).map(drop)
}

pub(super) fn add_session(db: &Transaction<'_>, session: &Session) -> Answer<()> {
    let added = change(
        db,
        "INSERT INTO sessions (hash, user, created_at, used_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            session.hash,
            Text(session.user),
            session.created_at.0,
            session.used_at.0,
            session.expires_at.0
        ],
    );
    unless_taken("session", added)
}

pub(super) fn session(
    db: &Connection,
    hash: [u8; 32],
    now: Timestamp,
    idle_since: Timestamp,
) -> Answer<(Session, User)> {
    let session = one(
        db,
        "session",
        "SELECT * FROM sessions WHERE hash = ?1 AND expires_at > ?2 AND used_at > ?3",
        params![hash, now.0, idle_since.0],
        rows::session,
    )?;
    let user = user(db, session.user)?;
    if user.disabled {
        return Err(Error::NotFound { what: "session" }.into());
    }
    Ok((session, user))
}

pub(super) fn note_session(db: &Transaction<'_>, hash: [u8; 32], now: Timestamp) -> Answer<()> {
    let sql = "UPDATE sessions SET used_at = max(used_at, ?2) WHERE hash = ?1";
    change(db, sql, params![hash, now.0]).map(drop)
}

pub(super) fn end_session(db: &Transaction<'_>, hash: [u8; 32]) -> Answer<()> {
    change(db, "DELETE FROM sessions WHERE hash = ?1", [hash]).map(drop)
}

pub(super) fn add_ticket(db: &Transaction<'_>, ticket: &Ticket) -> Answer<()> {
    let added = change(
        db,
        "INSERT INTO tickets (hash, session, instance, expires_at) VALUES (?1, ?2, ?3, ?4)",
        params![
            ticket.hash,
            ticket.session,
            Text(ticket.instance),
            ticket.expires_at.0
        ],
    );
    unless_taken("ticket", added)
}

pub(super) fn take_ticket(db: &Transaction<'_>, hash: [u8; 32]) -> Answer<Ticket> {
    let sql = "DELETE FROM tickets WHERE hash = ?1 RETURNING *";
    one(db, "ticket", sql, [hash], rows::ticket)
}

pub(super) fn remove_expired(db: &Transaction<'_>, now: Timestamp) -> Answer<u64> {
    let tickets = change(db, "DELETE FROM tickets WHERE expires_at <= ?1", [now.0])?;
    let sessions = change(db, "DELETE FROM sessions WHERE expires_at <= ?1", [now.0])?;
    Ok((tickets + sessions) as u64)
}

pub(super) fn put_app(db: &Transaction<'_>, app: &App) -> Answer<AppId> {
    let kept = one(
        db,
        "application",
        "INSERT INTO apps (id, slug, name, description, icon, kind, image, protocol, port,
                           cpu_millis, memory_mib, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (slug) DO UPDATE SET name = ?3, description = ?4, icon = ?5, kind = ?6,
             image = ?7, protocol = ?8, port = ?9, cpu_millis = ?10, memory_mib = ?11
         RETURNING *",
        params![
            Text(app.id),
            app.slug,
            app.name,
            app.description,
            app.icon,
            Text(app.kind),
            app.image,
            Text(app.protocol),
            app.port,
            app.resources.cpu_millis,
            app.resources.memory_mib,
            app.created_at.0
        ],
        rows::app,
    )?;
    Ok(kept.id)
}

pub(super) fn apps(db: &Connection) -> Answer<Vec<App>> {
    all(db, "SELECT * FROM apps ORDER BY name, slug", [], rows::app)
}

pub(super) fn app(db: &Connection, id: AppId) -> Answer<App> {
    one(
        db,
        "application",
        "SELECT * FROM apps WHERE id = ?1",
        [Text(id)],
        rows::app,
    )
}

pub(super) fn add_instance(db: &Transaction<'_>, instance: &Instance, most: u32) -> Answer<()> {
    let has = one(
        db,
        "instance",
        "SELECT count(*) FROM instances WHERE owner = ?1 AND state <> 'deleted'",
        [Text(instance.owner)],
        |row| row.get::<_, u32>(0),
    )?;
    if has >= most {
        let reason = format!("you have {has} desktops, and that is as many as you may have");
        return Err(Error::Exhausted { reason }.into());
    }
    let added = change(
        db,
        "INSERT INTO instances (id, owner, app, state, revision, failure, endpoint, password,
                                created_at, changed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, NULL, NULL, ?6, ?7, ?7)",
        params![
            Text(instance.id),
            Text(instance.owner),
            Text(instance.app),
            Text(InstanceState::Requested),
            instance.revision,
            instance.password.expose(),
            instance.created_at.0
        ],
    );
    unless_taken("instance", added)?;
    note_transition(db, instance.id, instance.created_at)
}

pub(super) fn instance(db: &Connection, id: InstanceId) -> Answer<Instance> {
    let sql = "SELECT * FROM instances WHERE id = ?1";
    one(db, "instance", sql, [Text(id)], rows::instance)
}

pub(super) fn instances(db: &Connection, owner: Option<UserId>) -> Answer<Vec<Instance>> {
    all(
        db,
        "SELECT * FROM instances
         WHERE state <> 'deleted' AND (?1 IS NULL OR owner = ?1)
         ORDER BY created_at DESC, id",
        [owner.map(Text)],
        rows::instance,
    )
}

pub(super) fn begin(
    db: &Transaction<'_>,
    id: InstanceId,
    action: Action,
    now: Timestamp,
) -> Answer<Instance> {
    let before = instance(db, id)?;
    let intent = action
        .begin(before.state)
        .map_err(|error| Error::Conflict {
            reason: error.to_string(),
        })?;
    change(
        db,
        "UPDATE instances SET state = ?2, revision = revision + 1, failure = NULL,
                              changed_at = ?3
         WHERE id = ?1",
        params![Text(id), Text(intent), now.0],
    )?;
    note_transition(db, id, now)?;
    instance(db, id)
}

pub(super) fn finish(
    db: &Transaction<'_>,
    id: InstanceId,
    revision: i64,
    outcome: &Outcome,
    now: Timestamp,
) -> Answer<Instance> {
    let before = instance(db, id)?;
    let action = match before.state.pending() {
        Some(action) if before.revision == revision => action,
        _ => {
            let reason = format!("the instance has become {} meanwhile", before.state);
            return Err(Error::Conflict { reason }.into());
        }
    };
    let (state, failure, endpoint) = match outcome {
        Outcome::Done { endpoint } => (action.outcome(), None, *endpoint),
        Outcome::Failed(reason) => (InstanceState::Failed, Some(reason), None),
    };
    change(
        db,
        "UPDATE instances SET state = ?2, revision = revision + 1, failure = ?3,
                              endpoint = ?4, changed_at = ?5
         WHERE id = ?1",
        params![
            Text(id),
            Text(state),
            failure.map(Text),
            endpoint.map(Text),
            now.0
        ],
    )?;
    note_transition(db, id, now)?;
    instance(db, id)
}

/// Keeps the present state of an instance as a step.
fn note_transition(db: &Transaction<'_>, id: InstanceId, now: Timestamp) -> Answer<()> {
    let sql = "INSERT INTO transitions (instance, at, state, failure)
               SELECT id, ?2, state, failure FROM instances WHERE id = ?1";
    change(db, sql, params![Text(id), now.0]).map(drop)
}

pub(super) fn transitions(db: &Connection, id: InstanceId) -> Answer<Vec<Transition>> {
    let sql = "SELECT * FROM transitions WHERE instance = ?1 ORDER BY at, rowid";
    all(db, sql, [Text(id)], rows::transition)
}
