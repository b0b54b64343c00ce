//! Second factors in their tables.

use rusqlite::{Connection, Transaction, params};

use super::keyring::Keyring;
use super::query::{Answer, all, change, one};
use super::rows::Text;
use super::sealed::purpose;
use crate::error::Error;
use crate::model::UserId;
use crate::secret::Secret;
use crate::storage::SecondFactor;

const NONE: Error = Error::NotFound {
    what: "second factor",
};

pub(super) fn set_pending(
    db: &Transaction<'_>,
    keys: &Keyring,
    id: UserId,
    secret: &Secret<String>,
) -> Answer<()> {
    let sealed = keys.seal(&purpose("users", "totp_pending", id), secret)?;
    let sql = "UPDATE users SET totp_pending = ?2 WHERE id = ?1 AND deleted_at IS NULL";
    if change(db, sql, params![Text(id), sealed])? == 0 {
        return Err(Error::NotFound { what: "user" }.into());
    }
    Ok(())
}

pub(super) fn pending(db: &Connection, keys: &Keyring, id: UserId) -> Answer<Secret<String>> {
    let sql = "SELECT totp_pending FROM users WHERE id = ?1 AND totp_pending IS NOT NULL";
    let sealed: String = one(db, "second factor", sql, [Text(id)], |row| row.get(0))?;
    keys.unseal(&purpose("users", "totp_pending", id), &sealed)
}

pub(super) fn enable(
    db: &Transaction<'_>,
    keys: &Keyring,
    id: UserId,
    step: u64,
    recovery: &[[u8; 32]],
) -> Answer<()> {
    // Sealed for another column, so sealed again.
    let secret = pending(db, keys, id)?;
    let sealed = keys.seal(&purpose("users", "totp", id), &secret)?;
    change(
        db,
        "UPDATE users SET totp = ?2, totp_pending = NULL, totp_step = ?3,
                          revision = revision + 1
         WHERE id = ?1",
        params![Text(id), sealed, step],
    )?;
    change(
        db,
        "DELETE FROM recovery_codes WHERE user_id = ?1",
        [Text(id)],
    )?;
    for hash in recovery {
        let sql = "INSERT INTO recovery_codes (user_id, hash) VALUES (?1, ?2)";
        change(db, sql, params![Text(id), hash])?;
    }
    Ok(())
}

pub(super) fn disable(db: &Transaction<'_>, id: UserId) -> Answer<()> {
    let sql = "UPDATE users SET totp = NULL, totp_pending = NULL, totp_step = NULL,
                                revision = revision + 1
               WHERE id = ?1 AND totp IS NOT NULL";
    if change(db, sql, [Text(id)])? == 0 {
        return Err(NONE.into());
    }
    let sql = "DELETE FROM recovery_codes WHERE user_id = ?1";
    change(db, sql, [Text(id)]).map(drop)
}

pub(super) fn get(db: &Connection, keys: &Keyring, id: UserId) -> Answer<Option<SecondFactor>> {
    let sql = "SELECT totp, totp_step FROM users WHERE id = ?1 AND deleted_at IS NULL";
    let (sealed, last_step) = one(db, "user", sql, [Text(id)], |row| {
        Ok((row.get::<_, Option<String>>(0)?, row.get(1)?))
    })?;
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let sql = "SELECT hash FROM recovery_codes WHERE user_id = ?1";
    Ok(Some(SecondFactor {
        secret: keys.unseal(&purpose("users", "totp", id), &sealed)?,
        last_step,
        recovery: all(db, sql, [Text(id)], |row| row.get(0))?,
    }))
}

pub(super) fn use_step(db: &Transaction<'_>, id: UserId, step: u64) -> Answer<()> {
    let sql = "UPDATE users SET totp_step = ?2
               WHERE id = ?1 AND totp IS NOT NULL AND (totp_step IS NULL OR totp_step < ?2)";
    used(change(db, sql, params![Text(id), step])?)
}

pub(super) fn use_recovery(db: &Transaction<'_>, id: UserId, hash: [u8; 32]) -> Answer<()> {
    let sql = "DELETE FROM recovery_codes WHERE user_id = ?1 AND hash = ?2";
    used(change(db, sql, params![Text(id), hash])?)
}

fn used(rows: usize) -> Answer<()> {
    match rows {
        0 => Err(NONE.into()),
        _ => Ok(()),
    }
}
