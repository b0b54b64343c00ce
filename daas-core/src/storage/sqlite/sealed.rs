//! Which secrets are in the tables.

use rusqlite::{Connection, Transaction, params};

use super::Fault;
use super::keyring::Keyring;
use super::query::{Answer, all, change};
use crate::secret::Secret;

/// A column with secrets: its table, its name, and the name of the ids beside it.
const COLUMNS: [(&str, &str); 4] = [
    ("instances", "password"),
    ("sessions", "id_token"),
    ("users", "totp"),
    ("users", "totp_pending"),
];

/// What a secret is sealed for: it opens in its own row and column only.
pub(super) fn purpose(table: &str, column: &str, id: impl std::fmt::Display) -> String {
    format!("{table}.{column}:{id}")
}

fn secrets(db: &Connection, table: &str, column: &str) -> Answer<Vec<(String, String)>> {
    let sql = format!("SELECT id, {column} FROM {table} WHERE {column} <> ''");
    all(db, &sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Whether there is a secret that a key sealed.
pub(super) fn any(db: &Connection) -> Answer<bool> {
    for (table, column) in COLUMNS {
        let secrets = secrets(db, table, column)?;
        if secrets.iter().any(|(_, text)| is_sealed(text)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Passwords of desktops were kept as they are before there were keys; no dot was in them.
fn is_sealed(text: &str) -> bool {
    text.contains('.')
}

/// Seals what is not sealed, or by an older key, and finds out whether all opens. Answers how
/// many were sealed.
pub(super) fn seal_again(db: &Transaction<'_>, keys: &Keyring) -> Answer<u64> {
    let mut sealed = 0;
    for (table, column) in COLUMNS {
        let sql = format!("UPDATE {table} SET {column} = ?2 WHERE id = ?1");
        for (id, text) in secrets(db, table, column)? {
            let purpose = purpose(table, column, &id);
            if let Some(text) = renewed(keys, &purpose, text)? {
                change(db, &sql, params![id, text])?;
                sealed += 1;
            }
        }
    }
    Ok(sealed)
}

fn renewed(keys: &Keyring, purpose: &str, text: String) -> Result<Option<String>, Fault> {
    let secret = if is_sealed(&text) {
        let secret = keys.unseal(purpose, &text)?;
        if keys.is_current(&text)? {
            return Ok(None);
        }
        secret
    } else {
        Secret::new(text)
    };
    keys.seal(purpose, &secret).map(Some)
}
