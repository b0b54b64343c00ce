//! What ends instances by itself, and the facts that it goes by.

use rusqlite::{Connection, Transaction, params};

use super::keyring::Keyring;
use super::query::{Answer, all, change, end_by_itself, instance};
use super::rows::{self, Text, text};
use crate::audit::NewEntry;
use crate::error::Error;
use crate::model::{Due, FailureReason, Instance, InstanceId, InstanceState, Policies, Timestamp};
use crate::storage::{Begun, Used};

pub(super) fn note_use(db: &Transaction<'_>, used: &[Used]) -> Answer<()> {
    let sql = "UPDATE instances
               SET seen_at = max(coalesce(seen_at, ?2), ?2),
                   input_at = max(coalesce(input_at, ?3), coalesce(?3, input_at))
               WHERE id = ?1 AND state <> 'deleted'";
    for used in used {
        let input_at = used.input_at.map(|at| at.0);
        change(
            db,
            sql,
            params![Text(used.instance), used.seen_at.0, input_at],
        )?;
    }
    Ok(())
}

pub(super) fn extend(
    db: &Transaction<'_>,
    keys: &Keyring,
    id: InstanceId,
    until: Timestamp,
    entry: NewEntry,
) -> Answer<Instance> {
    let before = instance(db, keys, id)?;
    if before.state != InstanceState::Running {
        let reason = format!("the desktop is {}; it has to run", before.state);
        return Err(Error::Conflict { reason }.into());
    }
    let sql = "UPDATE instances SET extended_to = max(coalesce(extended_to, ?2), ?2)
               WHERE id = ?1";
    change(db, sql, params![Text(id), until.0])?;
    super::audit_log::append(db, entry)?;
    instance(db, keys, id)
}

pub(super) fn begin_due(
    db: &Transaction<'_>,
    keys: &Keyring,
    now: Timestamp,
) -> Answer<Vec<Begun>> {
    let mut begun = Vec::new();
    for (id, due) in due(db, now)? {
        let why = FailureReason {
            action: due.policy.action.action(),
            text: due.text(),
        };
        let instance = end_by_itself(db, keys, id, why, &due.reason(), now)?;
        begun.push(Begun { instance, due });
    }
    Ok(begun)
}

/// What has to be done by now.
fn due(db: &Connection, now: Timestamp) -> Answer<Vec<(InstanceId, Due)>> {
    let sql = "SELECT instances.*, apps.policies AS policies
               FROM instances JOIN apps ON apps.id = instances.app
               WHERE state IN ('running', 'suspended', 'stopped', 'failed')
                 AND apps.policies <> '{}'
               ORDER BY instances.created_at, instances.id";
    let found = all(db, sql, [], |row| {
        let policies = text::<Policies>(row, "policies")?;
        // Who looks at it now is known to the row by now.
        let row = rows::instance(row)?;
        Ok((row.id, policies.due(&row, false)))
    })?;
    let by_now =
        |(id, due): (InstanceId, Option<Due>)| Some((id, due.filter(|due| due.at <= now)?));
    Ok(found.into_iter().filter_map(by_now).collect())
}
