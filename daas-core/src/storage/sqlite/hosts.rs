//! Hosts in their table, and placing instances on them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use rusqlite::{Connection, Transaction, params};

use super::query::{Answer, all, app, change};
use super::rows::{Text, maybe, text};
use super::{Fault, Sqlite, audit_log};
use crate::audit::NewEntry;
use crate::error::{Error, Result};
use crate::fleet::{Bounds, Candidate, Committed, Room, choose};
use crate::model::{App, HostName, Instance};
use crate::storage::Hosts;

#[async_trait]
impl Hosts for Sqlite {
    async fn drained_hosts(&self) -> Result<BTreeSet<HostName>> {
        self.read("reading hosts", drained).await
    }

    async fn set_drained(&self, host: HostName, drained: bool, entry: NewEntry) -> Result<()> {
        self.write("changing a host", move |db| {
            set_drained(db, &host, drained, entry)
        })
        .await
    }

    async fn committed(&self) -> Result<Vec<(Option<HostName>, Committed)>> {
        self.read("reading hosts", committed).await
    }

    async fn settle_hosts(&self, first: HostName) -> Result<u64> {
        self.write("noting hosts", move |db| {
            let sql = "UPDATE instances SET host = ?1 WHERE host IS NULL AND state <> 'deleted'";
            Ok(change(db, sql, [Text(first)])? as u64)
        })
        .await
    }
}

fn drained(db: &Connection) -> Answer<BTreeSet<HostName>> {
    let sql = "SELECT name FROM hosts WHERE drained";
    let names = all(db, sql, [], |row| text(row, "name"))?;
    Ok(names.into_iter().collect())
}

fn set_drained(
    db: &Transaction<'_>,
    host: &HostName,
    is_to_be: bool,
    entry: NewEntry,
) -> Answer<()> {
    if drained(db)?.contains(host) == is_to_be {
        return Ok(());
    }
    let sql = "INSERT INTO hosts (name, drained) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET drained = ?2";
    change(db, sql, params![Text(host), is_to_be])?;
    audit_log::append(db, entry)
}

fn committed(db: &Connection) -> Answer<Vec<(Option<HostName>, Committed)>> {
    let sql = "SELECT host, count(*) AS instances, sum(cpu_millis) AS cpu_millis,
                      sum(memory_mib) AS memory_mib
               FROM instances JOIN apps ON apps.id = instances.app
               WHERE state NOT IN ('stopped', 'failed', 'deleted') GROUP BY host ORDER BY host";
    all(db, sql, [], |row| {
        let committed = Committed {
            instances: row.get("instances")?,
            cpu_millis: row.get("cpu_millis")?,
            memory_mib: row.get("memory_mib")?,
        };
        Ok((maybe(row, "host")?, committed))
    })
}

/// What is promised on one host; on the first is also what does not know its host.
fn used(all: &[(Option<HostName>, Committed)], room: &Room, is_first: bool) -> Committed {
    let here = |name: &Option<HostName>| match name {
        Some(name) => *name == room.name,
        None => is_first,
    };
    let here = all.iter().filter(|(name, _)| here(name));
    here.fold(Committed::default(), |sum, (_, one)| Committed {
        instances: sum.instances + one.instances,
        cpu_millis: sum.cpu_millis + one.cpu_millis,
        memory_mib: sum.memory_mib + one.memory_mib,
    })
}

/// The host for a new instance; that which it has where there are no hosts to choose from.
pub(super) fn place(
    db: &Transaction<'_>,
    instance: &Instance,
    bounds: &Bounds,
) -> Answer<Option<HostName>> {
    if bounds.hosts.is_empty() {
        return Ok(instance.host.clone());
    }
    let App {
        resources, hosts, ..
    } = app(db, instance.app)?;
    let (all, drained) = (committed(db)?, drained(db)?);
    let rooms = bounds.hosts.iter().enumerate();
    let candidates = rooms.map(|(n, room)| Candidate {
        room,
        used: used(&all, room, n == 0),
        drained: drained.contains(&room.name),
    });
    let candidates: Vec<Candidate<'_>> = candidates.collect();
    match choose(&candidates, resources, &hosts, bounds.strategy) {
        Ok(name) => Ok(Some(name.clone())),
        Err(why) => Err(Fault::Answer(why.into())),
    }
}

/// Whether an instance that was stopped may run again where it is.
pub(super) fn check_room(db: &Transaction<'_>, instance: &Instance, bounds: &Bounds) -> Answer<()> {
    let mut rooms = bounds.hosts.iter().enumerate();
    let is_it = |room: &Room| instance.host.as_ref().is_none_or(|name| *name == room.name);
    let Some((n, room)) = rooms.find(|(_, room)| is_it(room)) else {
        // Of a host that is not configured nothing is known.
        return Ok(());
    };
    let full = |reason: &str| {
        let reason = reason.to_owned();
        Err(Fault::Answer(Error::Exhausted { reason }))
    };
    if drained(db)?.contains(&room.name) {
        return full(
            "the host of this desktop is being emptied by an administrator; try again later, or \
             launch a new one",
        );
    }
    let needs = app(db, instance.app)?.resources;
    if room.fits(used(&committed(db)?, room, n == 0), needs) {
        return Ok(());
    }
    full("the host of this desktop is full; stop another one, or try again later")
}
