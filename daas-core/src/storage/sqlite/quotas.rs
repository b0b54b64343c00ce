//! Quotas, and what counts against them.

use rusqlite::{Connection, Row, Transaction, params};

use super::query::{Answer, all, change, one};
use super::rows::{Text, text};
use crate::error::Error;
use crate::model::{
    Allowance, AppId, Exceeded, Instance, InstanceId, Quota, Resources, Timestamp, Usage, UserId,
};
use crate::storage::QuotaOf;

const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;

fn quota(row: &Row<'_>) -> rusqlite::Result<Quota> {
    Ok(Quota {
        instances: row.get("instances")?,
        cpu_millis: row.get("cpu_millis")?,
        memory_mib: row.get("memory_mib")?,
        disk_mib: row.get("disk_mib")?,
        hours_week: row.get("hours_week")?,
    })
}

/// The column with the id, the id, the table that it is from, and what is in there.
fn place(of: QuotaOf) -> (&'static str, String, &'static str, &'static str) {
    match of {
        QuotaOf::User(id) => ("user_id", id.to_string(), "users", "user"),
        QuotaOf::Group(id) => ("group_id", id.to_string(), "groups", "group"),
        QuotaOf::App(id) => ("app_id", id.to_string(), "apps", "application"),
    }
}

pub(super) fn get(db: &Connection, of: QuotaOf) -> Answer<Quota> {
    let (column, id, ..) = place(of);
    let sql = format!("SELECT * FROM quotas WHERE {column} = ?1");
    let found = all(db, &sql, [id], quota)?;
    Ok(found.into_iter().next().unwrap_or_default())
}

pub(super) fn set(db: &Transaction<'_>, of: QuotaOf, quota: &Quota) -> Answer<()> {
    let (column, id, table, what) = place(of);
    match of {
        // The row of who was deleted is still there.
        QuotaOf::User(id) => drop(super::people::user(db, id)?),
        _ => {
            let sql = format!("SELECT 1 FROM {table} WHERE id = ?1");
            one(db, what, &sql, [&id], |_| Ok(()))?;
        }
    }
    change(
        db,
        &format!("DELETE FROM quotas WHERE {column} = ?1"),
        [&id],
    )?;
    if *quota == Quota::default() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO quotas ({column}, instances, cpu_millis, memory_mib, disk_mib, hours_week)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    );
    let params = params![
        id,
        quota.instances,
        quota.cpu_millis,
        quota.memory_mib,
        quota.disk_mib,
        quota.hours_week
    ];
    change(db, &sql, params).map(drop)
}

pub(super) fn of_apps(db: &Connection) -> Answer<Vec<(AppId, Quota)>> {
    let sql = "SELECT * FROM quotas WHERE app_id IS NOT NULL";
    all(db, sql, [], |row| Ok((text(row, "app_id")?, quota(row)?)))
}

/// The limits of a person: their own and those of their groups, the tightest of each; and
/// the general ones where these say nothing.
fn limits(db: &Connection, owner: UserId, general: Quota) -> Answer<Quota> {
    let sql = "SELECT * FROM quotas WHERE user_id = ?1
               UNION ALL
               SELECT quotas.* FROM quotas JOIN members USING (group_id)
               WHERE members.user_id = ?1";
    let quotas = all(db, sql, [Text(owner)], quota)?;
    let own = quotas.into_iter().fold(Quota::default(), Quota::tightest);
    Ok(own.or(general))
}

/// What somebody has, of one application or of all.
fn usage(db: &Connection, owner: UserId, app: Option<AppId>) -> Answer<Usage> {
    // What is stopped or has failed uses neither processor nor memory.
    let sql = "SELECT count(*), coalesce(sum(runs * cpu_millis), 0),
                      coalesce(sum(runs * memory_mib), 0), coalesce(sum(disk_mib), 0)
               FROM (SELECT apps.*, instances.state NOT IN ('stopped', 'failed') AS runs
                     FROM instances JOIN apps ON apps.id = instances.app
                     WHERE owner = ?1 AND (?2 IS NULL OR app = ?2) AND state <> 'deleted')";
    let params = params![Text(owner), app.map(Text)];
    one(db, "user", sql, params, |row| {
        Ok(Usage {
            instances: row.get(0)?,
            cpu_millis: row.get(1)?,
            memory_mib: row.get(2)?,
            disk_mib: row.get(3)?,
            week_ms: 0,
        })
    })
}

fn usage_and_time(
    db: &Connection,
    owner: UserId,
    app: Option<AppId>,
    now: Timestamp,
) -> Answer<Usage> {
    Ok(Usage {
        week_ms: week_ms(db, owner, app, now)?,
        ..usage(db, owner, app)?
    })
}

/// How long instances ran in the last seven days: from each step into `running` to the next
/// step, or until now. What waited for somebody counts from when they got it.
fn week_ms(db: &Connection, owner: UserId, app: Option<AppId>, now: Timestamp) -> Answer<u64> {
    let sql = "SELECT coalesce(sum(min(until, ?3) - max(at, ?4)), 0)
               FROM (SELECT max(t.at, i.created_at) AS at, t.state,
                            coalesce(lead(t.at) OVER (PARTITION BY t.instance
                                                      ORDER BY t.at, t.rowid), ?3) AS until
                     FROM transitions t JOIN instances i ON i.id = t.instance
                     WHERE i.owner = ?1 AND (?2 IS NULL OR i.app = ?2)
                       AND (i.changed_at > ?4 OR i.state = 'running'))
               WHERE state = 'running' AND until > max(at, ?4) AND at < ?3";
    let since = now.plus_ms(-WEEK_MS);
    let params = params![Text(owner), app.map(Text), now.0, since.0];
    one(db, "user", sql, params, |row| row.get(0))
}

pub(super) fn allowance(
    db: &Connection,
    owner: UserId,
    general: Quota,
    now: Timestamp,
) -> Answer<Allowance> {
    let mut apps = Vec::new();
    for (app, limits) in of_apps(db)? {
        apps.push((app, limits, usage_and_time(db, owner, Some(app), now)?));
    }
    Ok(Allowance {
        limits: limits(db, owner, general)?,
        used: usage_and_time(db, owner, None, now)?,
        apps,
    })
}

/// Whether all quotas of its owner allow an instance to be added or started, which adds to
/// what is in use.
pub(super) fn check(
    db: &Transaction<'_>,
    instance: &Instance,
    general: Quota,
    now: Timestamp,
    plus: fn(Usage, Resources) -> Usage,
) -> Answer<()> {
    // What waits in a pool is on nobody's account.
    let Some(owner) = instance.owner else {
        return Ok(());
    };
    let resources = super::query::app(db, instance.app)?.resources;
    for (limits, app, what) in limits_of(db, owner, instance.app, general)? {
        if limits == Quota::default() {
            continue;
        }
        let mut used = plus(usage(db, owner, app)?, resources);
        if limits.hours_week.is_some() {
            used.week_ms = week_ms(db, owner, app, now)?;
        }
        if let Err(exceeded) = limits.check(&used) {
            let reason = used_up(exceeded, what);
            return Err(Error::Exhausted { reason }.into());
        }
    }
    Ok(())
}

/// Whether the owner of an instance has hours left.
pub(super) fn check_hours(
    db: &Transaction<'_>,
    instance: &Instance,
    general: Quota,
    now: Timestamp,
) -> Answer<()> {
    let no_hours = match instance.owner {
        Some(owner) => no_hours(db, owner, instance.app, general, now)?,
        None => None,
    };
    match no_hours {
        Some(reason) => Err(Error::Exhausted { reason }.into()),
        None => Ok(()),
    }
}

/// What runs though the hours of its owner are used up, and why that is, in words.
pub(super) fn out_of_time(
    db: &Connection,
    general: Quota,
    now: Timestamp,
) -> Answer<Vec<(InstanceId, String)>> {
    let sql = "SELECT id, owner, app FROM instances
         WHERE state = 'running' AND owner IS NOT NULL ORDER BY created_at, id";
    let running = all(db, sql, [], |row| {
        let (owner, app) = (text::<UserId>(row, "owner")?, text::<AppId>(row, "app")?);
        Ok((text(row, "id")?, owner, app))
    })?;
    let mut found = Vec::new();
    for (id, owner, app) in running {
        let reason = no_hours(db, owner, app, general, now)?;
        found.extend(reason.map(|reason| (id, reason)));
    }
    Ok(found)
}

/// Why somebody may not run an application any more, if there are no hours left.
fn no_hours(
    db: &Connection,
    owner: UserId,
    app: AppId,
    general: Quota,
    now: Timestamp,
) -> Answer<Option<String>> {
    for (limits, app, what) in limits_of(db, owner, app, general)? {
        if limits.hours_week.is_none() {
            continue;
        }
        let used = Usage {
            week_ms: week_ms(db, owner, app, now)?,
            ..Usage::default()
        };
        if let Err(exceeded) = limits.check_hours(&used) {
            return Ok(Some(used_up(exceeded, what)));
        }
    }
    Ok(None)
}

/// A limit, the application that it is for (or all), and how that is said.
type Limit = (Quota, Option<AppId>, &'static str);

/// The limits that count for one instance.
fn limits_of(db: &Connection, owner: UserId, app: AppId, general: Quota) -> Answer<[Limit; 2]> {
    let of_app = get(db, QuotaOf::App(app))?;
    let all = (limits(db, owner, general)?, None, "");
    Ok([all, (of_app, Some(app), " of this application")])
}

fn used_up(exceeded: Exceeded, what: &str) -> String {
    format!("{exceeded}{what}, and that is used up")
}
