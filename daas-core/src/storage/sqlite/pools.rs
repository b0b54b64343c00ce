//! Instances that wait for somebody.

use rusqlite::{Connection, Transaction, params};

use super::keyring::Keyring;
use super::query::{self, Answer, all, change, one};
use super::quotas;
use super::rows::{self, Text, text};
use crate::fleet::Bounds;
use crate::model::{Action, AppId, Instance, InstanceId, Quota, Timestamp, Usage, UserId};
use crate::storage::Waiting;

pub(super) fn add(
    db: &Transaction<'_>,
    keys: &Keyring,
    instance: &Instance,
    most: u32,
    bounds: &Bounds,
) -> Answer<bool> {
    // What has failed is cleared away, and not counted on.
    let sql = "SELECT count(*) FROM instances
               WHERE owner IS NULL AND app = ?1
                 AND state IN ('requested', 'starting', 'running')";
    let waiting: u32 = one(db, "application", sql, [Text(instance.app)], |row| {
        row.get(0)
    })?;
    if waiting >= most {
        return Ok(false);
    }
    let nobodys = Instance {
        owner: None,
        ..instance.clone()
    };
    query::add_instance(db, keys, &nobodys, bounds)?;
    Ok(true)
}

pub(super) fn waiting(db: &Connection, keys: &Keyring) -> Answer<Vec<Waiting>> {
    let sql = "SELECT *, EXISTS (SELECT 1 FROM hosts WHERE name = host AND drained) AS drained
               FROM instances WHERE owner IS NULL AND state <> 'deleted'
               ORDER BY created_at, id";
    let found = all(db, sql, [], |row| {
        Ok((rows::instance(row)?, row.get("drained")?))
    })?;
    let opened = |(instance, drained)| {
        let instance = query::opened(keys, instance)?;
        Ok(Waiting { instance, drained })
    };
    found.into_iter().map(opened).collect()
}

pub(super) fn claim(
    db: &Transaction<'_>,
    keys: &Keyring,
    app: AppId,
    owner: UserId,
    general: Quota,
    now: Timestamp,
) -> Answer<Option<Instance>> {
    let sql = "SELECT id FROM instances WHERE owner IS NULL AND app = ?1 AND state = 'running'
               AND NOT EXISTS (SELECT 1 FROM hosts WHERE name = host AND drained)
               ORDER BY created_at, id LIMIT 1";
    let found = all(db, sql, [Text(app)], |row| text::<InstanceId>(row, "id"))?;
    let Some(id) = found.into_iter().next() else {
        return Ok(None);
    };
    // Who is gone gets nothing any more.
    super::people::user(db, owner)?;
    let mut instance = query::instance(db, keys, id)?;
    instance.owner = Some(owner);
    quotas::check(db, &instance, general, now, Usage::plus_new)?;
    change(
        db,
        "UPDATE instances SET owner = ?2, created_at = ?3, revision = revision + 1
         WHERE id = ?1",
        params![Text(id), Text(owner), now.0],
    )?;
    query::instance(db, keys, id).map(Some)
}

pub(super) fn discard(
    db: &Transaction<'_>,
    keys: &Keyring,
    id: InstanceId,
    now: Timestamp,
) -> Answer<Option<Instance>> {
    let before = query::instance(db, keys, id)?;
    let Ok(intent) = Action::Delete.begin(before.state) else {
        return Ok(None);
    };
    if before.owner.is_some() {
        return Ok(None);
    }
    query::write_intent(db, id, intent, None, now)?;
    query::instance(db, keys, id).map(Some)
}
