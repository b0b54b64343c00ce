//! The audit log in its table.

use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::query::{Answer, all, change};
use super::rows::{maybe, text, time};
use super::{Fault, Sqlite};
use crate::audit::{Actor, Details, Entry, Filter, Label, NewEntry, Target, chain};
use crate::error::{Error, Result};
use crate::storage::{AuditLog, AuditQuery, Kept, Order};

#[async_trait]
impl AuditLog for Sqlite {
    async fn note(&self, entry: NewEntry) -> Result<()> {
        self.write("writing the audit log", move |db| append(db, entry))
            .await
    }

    async fn entries(&self, query: AuditQuery) -> Result<Vec<Kept>> {
        self.read("reading the audit log", move |db| entries(db, &query))
            .await
    }
}

/// Adds an entry to the chain.
pub(super) fn append(db: &Transaction<'_>, entry: NewEntry) -> Answer<()> {
    let last = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let last = db.prepare_cached(last)?.query_row([], |row| {
        Ok((row.get::<_, u64>(0)?, row.get::<_, [u8; 32]>(1)?))
    });
    let (seq, head) = last
        .optional()?
        .unwrap_or((chain::FIRST - 1, chain::GENESIS));
    let entry = entry.with_seq(seq + 1);
    let hash = chain::next(&head, &entry);
    change(
        db,
        "INSERT INTO audit (seq, at, actor_id, actor, address, action, target_kind, target_id,
                            target, outcome, before, after, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            entry.seq,
            entry.at.0,
            entry.actor.id.map(|id| id.to_string()),
            entry.actor.name.as_str(),
            entry.address.map(|address| address.to_string()),
            entry.action.as_str(),
            entry.target.kind.as_str(),
            entry.target.id.as_ref().map(Label::as_str),
            entry.target.name.as_str(),
            entry.outcome.as_str(),
            entry.before.as_ref().map(Details::text),
            entry.after.as_ref().map(Details::text),
            hash
        ],
    )
    .map(drop)
}

fn entries(db: &Connection, query: &AuditQuery) -> Answer<Vec<Kept>> {
    let (behind, order) = match query.order {
        Order::NewestFirst => ("<", "DESC"),
        Order::OldestFirst => (">", "ASC"),
    };
    let sql = format!(
        "SELECT * FROM audit
         WHERE (?1 IS NULL OR seq {behind} ?1)
           AND (?2 IS NULL OR actor = ?2 COLLATE NOCASE OR actor_id = ?2 COLLATE NOCASE)
           AND (?3 IS NULL OR action = ?3)
           AND (?4 IS NULL OR target = ?4 COLLATE NOCASE OR target_id = ?4 COLLATE NOCASE)
           AND (?5 IS NULL OR at >= ?5) AND (?6 IS NULL OR at < ?6)
         ORDER BY seq {order} LIMIT ?7"
    );
    let Filter {
        actor,
        action,
        target,
        from,
        to,
    } = &query.filter;
    let params = params![
        query.behind,
        actor,
        action.map(|action| action.as_str()),
        target,
        from.map(|from| from.0),
        to.map(|to| to.0),
        query.limit
    ];
    let kept = all(db, &sql, params, |row| {
        Ok(kept(row).map_err(|error| unreadable(row, error)))
    })?;
    kept.into_iter().collect()
}

/// Somebody wrote into the table by hand.
fn unreadable(row: &Row<'_>, error: rusqlite::Error) -> Fault {
    let seq = row.get::<_, i64>("seq").unwrap_or_default();
    let source = format!("entry {seq} is not as it was written: {error}");
    Fault::Answer(Error::Backend {
        backend: "the audit log",
        operation: "reading an entry",
        source: source.into(),
    })
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let entry = Entry {
        seq: row.get("seq")?,
        at: time(row, "at")?,
        actor: Actor {
            id: maybe(row, "actor_id")?,
            name: label(row.get("actor")?)?,
        },
        address: maybe(row, "address")?,
        action: text(row, "action")?,
        target: Target {
            kind: text(row, "target_kind")?,
            id: row
                .get::<_, Option<String>>("target_id")?
                .map(label)
                .transpose()?,
            name: label(row.get("target")?)?,
        },
        outcome: text(row, "outcome")?,
        before: details(row, "before")?,
        after: details(row, "after")?,
    };
    Ok((entry, row.get("hash")?))
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
}

fn label(text: String) -> rusqlite::Result<Label> {
    Label::try_from(text).map_err(invalid)
}

fn details(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Details>> {
    let text = row.get::<_, Option<String>>(column)?;
    text.map(|text| text.parse().map_err(invalid)).transpose()
}
