//! The statements.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::json;

use super::keyring::Keyring;
use super::rows::{self, Text};
use super::sealed::purpose;
use super::{Fault, hosts, quotas};
use crate::access::By;
use crate::audit::{AuditAction, Details, Target, TargetKind};
use crate::error::Error;
use crate::fleet::Bounds;
use crate::model::{
    Action, App, AppId, FailureReason, HostName, Instance, InstanceId, InstanceState, Quota,
    Timestamp, Usage, UserId,
};
use crate::storage::{Outcome, Transition};

pub(super) type Answer<T> = Result<T, Fault>;

pub(super) fn one<T>(
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

pub(super) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Answer<Vec<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params, read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn change(db: &Connection, sql: &str, params: impl rusqlite::Params) -> Answer<usize> {
    Ok(db.prepare_cached(sql)?.execute(params)?)
}

/// Turns the violation of a unique index into an answer.
pub(super) fn unless_taken(what: &'static str, result: Answer<usize>) -> Answer<()> {
    match result {
        Err(error) if is_constraint(&error) => Err(Error::AlreadyExists { what }.into()),
        other => other.map(drop),
    }
}

/// Whether a fault is that the tables do not allow such a row.
pub(super) fn is_constraint(fault: &Fault) -> bool {
    let code = match fault {
        Fault::Sqlite(error) => error.sqlite_error_code(),
        _ => None,
    };
    code == Some(rusqlite::ErrorCode::ConstraintViolation)
}

/// Takes the lock for writing, and reads.
pub(super) fn check(db: &Transaction<'_>) -> Answer<()> {
    super::people::count_users(db).map(drop)
}

pub(super) fn put_app(db: &Transaction<'_>, app: &App) -> Answer<AppId> {
    let kept = one(
        db,
        "application",
        "INSERT INTO apps (id, slug, name, description, icon, kind, image, protocol, port,
                           cpu_millis, memory_mib, created_at, disk_mib, policies, hosts,
                           log_in)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (slug) DO UPDATE SET name = ?3, description = ?4, icon = ?5, kind = ?6,
             image = ?7, protocol = ?8, port = ?9, cpu_millis = ?10, memory_mib = ?11,
             disk_mib = ?13, policies = ?14, hosts = ?15, log_in = ?16
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
            app.created_at.0,
            app.resources.disk_mib,
            Text(app.policies),
            Text(&app.hosts),
            Text(&app.log_in)
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

pub(super) fn add_instance(
    db: &Transaction<'_>,
    keys: &Keyring,
    instance: &Instance,
    bounds: &Bounds,
) -> Answer<()> {
    if let Some(owner) = instance.owner {
        // Who is gone launches nothing any more.
        super::people::user(db, owner)?;
    }
    let now = instance.created_at;
    quotas::check(db, instance, bounds.general, now, Usage::plus_new)?;
    let host = hosts::place(db, instance, bounds)?;
    insert(db, keys, instance, host)
}

/// The owner is whom it says, if they are still there.
pub(super) fn adopt(
    db: &Transaction<'_>,
    keys: &Keyring,
    mut instance: Instance,
) -> Answer<Instance> {
    let owner = instance.owner.map(|owner| super::people::user(db, owner));
    let owner = match owner {
        Some(Ok(owner)) => owner,
        _ => super::people::first_admin(db)?,
    };
    instance.owner = Some(owner.id);
    insert(db, keys, &instance, instance.host.clone())?;
    let name = app(db, instance.app)?.name;
    let target = Target::new(TargetKind::Instance, instance.id, &name);
    let now = instance.created_at;
    let mut entry = By::system().did(AuditAction::InstanceAdopt, target, now);
    entry.after = Some(Details::of(&json!({ "owner": owner.name })));
    super::audit_log::append(db, entry)?;
    self::instance(db, keys, instance.id)
}

fn insert(
    db: &Transaction<'_>,
    keys: &Keyring,
    instance: &Instance,
    host: Option<HostName>,
) -> Answer<()> {
    let purpose = purpose("instances", "password", instance.id);
    let password = keys.seal(&purpose, &instance.password)?;
    let added = change(
        db,
        "INSERT INTO instances (id, owner, app, state, revision, failure, endpoint, password,
                                created_at, changed_at, host)
         VALUES (?1, ?2, ?3, ?4, ?5, NULL, NULL, ?6, ?7, ?7, ?8)",
        params![
            Text(instance.id),
            instance.owner.map(Text),
            Text(instance.app),
            Text(instance.state),
            instance.revision,
            password,
            instance.created_at.0,
            host.map(Text)
        ],
    );
    unless_taken("instance", added)?;
    note_transition(db, instance.id, instance.created_at)
}

pub(super) fn instance(db: &Connection, keys: &Keyring, id: InstanceId) -> Answer<Instance> {
    let sql = "SELECT * FROM instances WHERE id = ?1";
    opened(keys, one(db, "instance", sql, [Text(id)], rows::instance)?)
}

/// With its password as it is.
pub(super) fn opened(keys: &Keyring, mut instance: Instance) -> Answer<Instance> {
    // That of a deleted one is gone.
    if !instance.password.expose().is_empty() {
        let purpose = purpose("instances", "password", instance.id);
        instance.password = keys.unseal(&purpose, instance.password.expose())?;
    }
    Ok(instance)
}

pub(super) fn instances(
    db: &Connection,
    keys: &Keyring,
    owner: Option<UserId>,
) -> Answer<Vec<Instance>> {
    let found = all(
        db,
        "SELECT * FROM instances
         WHERE state <> 'deleted' AND (?1 IS NULL OR owner = ?1)
         ORDER BY created_at DESC, id",
        [owner.map(Text)],
        rows::instance,
    )?;
    let opened = |instance| opened(keys, instance);
    found.into_iter().map(opened).collect()
}

pub(super) fn ownerless_instances(db: &Connection) -> Answer<Vec<InstanceId>> {
    let sql = "SELECT instances.id FROM instances JOIN users ON users.id = owner
               WHERE deleted_at IS NOT NULL AND state NOT IN ('deleted', 'deleting')";
    all(db, sql, [], |row| rows::text(row, "id"))
}

pub(super) fn begin(
    db: &Transaction<'_>,
    keys: &Keyring,
    id: InstanceId,
    action: Action,
    bounds: &Bounds,
    now: Timestamp,
) -> Answer<Instance> {
    let before = instance(db, keys, id)?;
    let intent = action
        .begin(before.state)
        .map_err(|error| Error::Conflict {
            reason: error.to_string(),
        })?;
    // One that was just added was counted then.
    if action == Action::Start && before.state != InstanceState::Requested {
        quotas::check(db, &before, bounds.general, now, Usage::plus_started)?;
        hosts::check_room(db, &before, bounds)?;
    }
    // What is frozen keeps all but hours.
    if action == Action::Resume {
        quotas::check_hours(db, &before, bounds.general, now)?;
    }
    write_intent(db, id, intent, None, now)?;
    instance(db, keys, id)
}

pub(super) fn write_intent(
    db: &Transaction<'_>,
    id: InstanceId,
    intent: InstanceState,
    why: Option<FailureReason>,
    now: Timestamp,
) -> Answer<()> {
    change(
        db,
        "UPDATE instances SET state = ?2, revision = revision + 1, failure = ?3,
                              changed_at = ?4
         WHERE id = ?1",
        params![Text(id), Text(intent), why.map(Text), now.0],
    )?;
    note_transition(db, id, now)
}

pub(super) fn stop_out_of_time(
    db: &Transaction<'_>,
    keys: &Keyring,
    general: Quota,
    now: Timestamp,
) -> Answer<Vec<Instance>> {
    let mut stopped = Vec::new();
    for (id, reason) in quotas::out_of_time(db, general, now)? {
        let why = FailureReason {
            action: Action::Stop,
            text: format!("The desktop was stopped: {reason}."),
        };
        stopped.push(end_by_itself(db, keys, id, why, &reason, now)?);
    }
    Ok(stopped)
}

/// Writes the intent to end something that nobody wanted to end, why, and that into the audit
/// log.
pub(super) fn end_by_itself(
    db: &Transaction<'_>,
    keys: &Keyring,
    id: InstanceId,
    why: FailureReason,
    reason: &str,
    now: Timestamp,
) -> Answer<Instance> {
    let action = why.action;
    write_intent(db, id, action.intent(), Some(why), now)?;
    let row = instance(db, keys, id)?;
    note_end(db, &row, action, reason, now)?;
    Ok(row)
}

fn note_end(
    db: &Transaction<'_>,
    row: &Instance,
    action: Action,
    reason: &str,
    now: Timestamp,
) -> Answer<()> {
    let name = app(db, row.app)?.name;
    let target = Target::new(TargetKind::Instance, row.id, &name);
    let mut entry = By::system().did(action.into(), target, now);
    entry.after = Some(Details::of(&json!({ "reason": reason })));
    super::audit_log::append(db, entry)
}

pub(super) fn finish(
    db: &Transaction<'_>,
    keys: &Keyring,
    id: InstanceId,
    revision: i64,
    outcome: &Outcome,
    now: Timestamp,
) -> Answer<Instance> {
    let before = instance(db, keys, id)?;
    let action = match before.state.pending() {
        Some(action) if before.revision == revision => action,
        _ => return Err(changed(&before)),
    };
    // Why it was stopped or frozen is still to be read when it is.
    let ends = matches!(action, Action::Stop | Action::Suspend | Action::Delete);
    let why = before.failure.clone().filter(|_| ends);
    write_outcome(db, &before, action.outcome(), why, outcome, now)?;
    if let Outcome::Instead(why) = outcome {
        note_end(db, &before, why.action, &why.text, now)?;
    }
    instance(db, keys, id)
}

pub(super) fn record(
    db: &Transaction<'_>,
    keys: &Keyring,
    id: InstanceId,
    revision: i64,
    outcome: &Outcome,
    now: Timestamp,
) -> Answer<Instance> {
    let before = instance(db, keys, id)?;
    let is_settled = before.state.pending().is_none() && before.state != InstanceState::Deleted;
    if before.revision != revision || !is_settled {
        return Err(changed(&before));
    }
    let (state, why) = (before.state, before.failure.clone());
    write_outcome(db, &before, state, why, outcome, now)?;
    instance(db, keys, id)
}

fn changed(row: &Instance) -> Fault {
    let reason = format!("the instance has become {} meanwhile", row.state);
    Error::Conflict { reason }.into()
}

/// Writes an outcome. Where all went well the row gets a state and what is to be said of it.
fn write_outcome(
    db: &Transaction<'_>,
    before: &Instance,
    good: InstanceState,
    why: Option<FailureReason>,
    outcome: &Outcome,
    now: Timestamp,
) -> Answer<()> {
    let (state, failure, endpoint) = match outcome {
        Outcome::Done { endpoint } => (good, why, *endpoint),
        Outcome::Failed(reason) => (InstanceState::Failed, Some(reason.clone()), None),
        Outcome::Ended => (InstanceState::Stopped, None, None),
        // Where it listens is still true.
        Outcome::Instead(why) => (why.action.intent(), Some(why.clone()), before.endpoint),
    };
    change(
        db,
        "UPDATE instances SET state = ?2, revision = revision + 1, failure = ?3,
                              endpoint = ?4, changed_at = ?5,
                              password = iif(?2 = 'deleted', '', password),
                              started_at = iif(?2 = 'running' AND state = 'starting',
                                               ?5, started_at),
                              running_since = iif(?2 = 'running' AND state <> 'running',
                                                  ?5, running_since)
         WHERE id = ?1",
        params![
            Text(before.id),
            Text(state),
            failure.map(Text),
            endpoint.map(Text),
            now.0
        ],
    )?;
    if state == before.state {
        return Ok(());
    }
    note_transition(db, before.id, now)
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
