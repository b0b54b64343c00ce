//! Sessions, tickets and tokens in their tables.

use async_trait::async_trait;
use rusqlite::{Connection, Transaction, params};

use super::audit_log::append;
use super::query::{Answer, all, change, one, unless_taken};
use super::rows::{self, Text};
use super::sealed::purpose;
use super::{Sqlite, people};
use crate::audit::NewEntry;
use crate::error::{Error, Result};
use crate::model::{ApiToken, Session, SessionId, Timestamp, TokenId, UserId};
use crate::secret::Secret;
use crate::storage::{Person, Sessions, Ticket};

/// Most tokens of one person.
const TOKENS_MAX: u32 = 100;
/// How often the use of a session or token is written: reading the catalogue stays a read.
const NOTED_EVERY_MS: i64 = 60_000;
const NO_SESSION: Error = Error::NotFound { what: "session" };
const NO_TOKEN: Error = Error::NotFound { what: "token" };

#[async_trait]
impl Sessions for Sqlite {
    async fn add_session(&self, session: Session, entry: Option<NewEntry>) -> Result<()> {
        self.write("keeping a session", move |db| {
            add_session(db, &session)?;
            noted(db, entry)
        })
        .await
    }

    async fn keep_id_token(&self, session: SessionId, token: Secret<String>) -> Result<()> {
        let keys = self.keys.clone();
        self.write("keeping an ID token", move |db| {
            let sealed = keys.seal(&purpose("sessions", "id_token", session), &token)?;
            let sql = "UPDATE sessions SET id_token = ?2 WHERE id = ?1";
            match change(db, sql, params![Text(session), sealed])? {
                0 => Err(NO_SESSION.into()),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn id_token(&self, session: SessionId) -> Result<Option<Secret<String>>> {
        let keys = self.keys.clone();
        self.read("reading an ID token", move |db| {
            let sql = "SELECT id_token FROM sessions WHERE id = ?1";
            let sealed = one(db, "session", sql, [Text(session)], |row| {
                row.get::<_, Option<String>>(0)
            })?;
            let purpose = purpose("sessions", "id_token", session);
            sealed
                .map(|sealed| keys.unseal(&purpose, &sealed))
                .transpose()
        })
        .await
    }

    async fn use_session(
        &self,
        hash: [u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<(Session, Person)> {
        let found = self
            .read("reading a session", move |db| {
                session(db, hash, now, idle_since)
            })
            .await?;
        if found.0.used_at.plus_ms(NOTED_EVERY_MS) < now {
            self.write("noting that a session is used", move |db| {
                let sql = "UPDATE sessions SET used_at = max(used_at, ?2) WHERE hash = ?1";
                change(db, sql, params![hash, now.0]).map(drop)
            })
            .await?;
        }
        Ok(found)
    }

    async fn ended_sessions(
        &self,
        mut hashes: Vec<[u8; 32]>,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Vec<[u8; 32]>> {
        self.read("looking for sessions that ended", move |db| {
            let mut failed = None;
            hashes.retain(|hash| match is_live(db, *hash, now, idle_since) {
                Ok(live) => !live,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            });
            failed.map_or(Ok(hashes), Err)
        })
        .await
    }

    async fn sessions_of(
        &self,
        user: UserId,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Vec<Session>> {
        self.read("reading sessions", move |db| {
            let sql = "SELECT * FROM sessions
                       WHERE user = ?1 AND expires_at > ?2 AND used_at > ?3
                       ORDER BY used_at DESC, id";
            all(
                db,
                sql,
                params![Text(user), now.0, idle_since.0],
                rows::session,
            )
        })
        .await
    }

    async fn end_session(&self, hash: [u8; 32], entry: Option<NewEntry>) -> Result<()> {
        self.write("ending a session", move |db| {
            change(db, "DELETE FROM sessions WHERE hash = ?1", [hash])?;
            noted(db, entry)
        })
        .await
    }

    async fn end_session_of(&self, user: UserId, id: SessionId, entry: NewEntry) -> Result<()> {
        self.write("ending a session", move |db| {
            let sql = "DELETE FROM sessions WHERE user = ?1 AND id = ?2";
            if change(db, sql, params![Text(user), Text(id)])? == 0 {
                return Err(NO_SESSION.into());
            }
            append(db, entry)
        })
        .await
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        except: Option<[u8; 32]>,
        entry: NewEntry,
    ) -> Result<()> {
        self.write("ending sessions", move |db| {
            let sql = "DELETE FROM sessions WHERE user = ?1 AND (?2 IS NULL OR hash <> ?2)";
            change(db, sql, params![Text(user), except])?;
            append(db, entry)
        })
        .await
    }

    async fn add_ticket(&self, ticket: Ticket) -> Result<()> {
        self.write("keeping a ticket", move |db| add_ticket(db, &ticket))
            .await
    }

    async fn take_ticket(
        &self,
        hash: [u8; 32],
        session: [u8; 32],
        now: Timestamp,
    ) -> Result<Ticket> {
        let taken = self
            .write("taking a ticket", move |db| {
                let sql = "DELETE FROM tickets WHERE hash = ?1 RETURNING *";
                one(db, "ticket", sql, [hash], rows::ticket)
            })
            .await?;
        // It is gone, whoever came with it.
        if taken.session == session && taken.expires_at > now {
            Ok(taken)
        } else {
            Err(Error::NotFound { what: "ticket" })
        }
    }

    async fn remove_expired(&self, now: Timestamp) -> Result<u64> {
        self.write("removing what expired", move |db| {
            let mut removed = 0;
            for table in ["tickets", "sessions", "invitations", "tokens"] {
                let sql = format!("DELETE FROM {table} WHERE expires_at <= ?1");
                removed += change(db, &sql, [now.0])? as u64;
            }
            Ok(removed)
        })
        .await
    }

    async fn add_token(&self, token: ApiToken, entry: NewEntry) -> Result<()> {
        self.write("keeping a token", move |db| {
            add_token(db, &token)?;
            append(db, entry)
        })
        .await
    }

    async fn tokens_of(&self, user: UserId) -> Result<Vec<ApiToken>> {
        self.read("reading tokens", move |db| {
            let sql = "SELECT * FROM tokens WHERE user_id = ?1 ORDER BY created_at DESC, id";
            all(db, sql, [Text(user)], rows::token)
        })
        .await
    }

    async fn use_token(&self, hash: [u8; 32], now: Timestamp) -> Result<(ApiToken, Person)> {
        let found = self
            .read("reading a token", move |db| token(db, hash, now))
            .await?;
        let noted = found
            .0
            .last_used_at
            .map(|used| used.plus_ms(NOTED_EVERY_MS));
        if noted.is_none_or(|noted| noted < now) {
            self.write("noting that a token is used", move |db| {
                let sql = "UPDATE tokens SET last_used_at = ?2 WHERE hash = ?1";
                change(db, sql, params![hash, now.0]).map(drop)
            })
            .await?;
        }
        Ok(found)
    }

    async fn delete_token(&self, user: UserId, id: TokenId, entry: NewEntry) -> Result<()> {
        self.write("removing a token", move |db| {
            let sql = "DELETE FROM tokens WHERE user_id = ?1 AND id = ?2";
            if change(db, sql, params![Text(user), Text(id)])? == 0 {
                return Err(NO_TOKEN.into());
            }
            append(db, entry)
        })
        .await
    }
}

fn noted(db: &Transaction<'_>, entry: Option<NewEntry>) -> Answer<()> {
    entry.map_or(Ok(()), |entry| append(db, entry))
}

fn add_session(db: &Transaction<'_>, session: &Session) -> Answer<()> {
    // Who was disabled a moment ago gets none.
    if people::user(db, session.user)?.disabled {
        return Err(Error::NotFound { what: "user" }.into());
    }
    let added = change(
        db,
        "INSERT INTO sessions (hash, id, user, created_at, used_at, expires_at, address,
                               user_agent, provider)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            session.hash,
            Text(session.id),
            Text(session.user),
            session.created_at.0,
            session.used_at.0,
            session.expires_at.0,
            session.address,
            session.user_agent,
            session.provider
        ],
    );
    unless_taken("session", added)?;
    let sql = "UPDATE users SET last_login_at = ?2 WHERE id = ?1";
    change(db, sql, params![Text(session.user), session.created_at.0]).map(drop)
}

const LIVE: &str = "SELECT sessions.* FROM sessions JOIN users ON users.id = user
                    WHERE hash = ?1 AND expires_at > ?2 AND used_at > ?3 AND NOT disabled";

fn session(
    db: &Connection,
    hash: [u8; 32],
    now: Timestamp,
    idle_since: Timestamp,
) -> Answer<(Session, Person)> {
    let params = params![hash, now.0, idle_since.0];
    let session = one(db, "session", LIVE, params, rows::session)?;
    let user = people::user(db, session.user)?;
    Ok((session, people::person(db, user)?))
}

fn is_live(db: &Connection, hash: [u8; 32], now: Timestamp, idle_since: Timestamp) -> Answer<bool> {
    let params = params![hash, now.0, idle_since.0];
    Ok(db.prepare_cached(LIVE)?.exists(params)?)
}

fn add_ticket(db: &Transaction<'_>, ticket: &Ticket) -> Answer<()> {
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

fn add_token(db: &Transaction<'_>, token: &ApiToken) -> Answer<()> {
    people::user(db, token.user)?;
    let sql = "SELECT count(*) FROM tokens WHERE user_id = ?1";
    let has: u32 = one(db, "user", sql, [Text(token.user)], |row| row.get(0))?;
    if has >= TOKENS_MAX {
        let reason = format!("you have {has} tokens; delete some that you no longer need");
        return Err(Error::Exhausted { reason }.into());
    }
    let added = change(
        db,
        "INSERT INTO tokens (id, hash, user_id, name, scopes, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            Text(token.id),
            token.hash,
            Text(token.user),
            token.name,
            Text(&token.scopes),
            token.created_at.0,
            token.expires_at.0
        ],
    );
    unless_taken("token", added)
}

fn token(db: &Connection, hash: [u8; 32], now: Timestamp) -> Answer<(ApiToken, Person)> {
    let sql = "SELECT tokens.* FROM tokens JOIN users ON users.id = user_id
               WHERE hash = ?1 AND expires_at > ?2 AND NOT disabled";
    let token = one(db, "token", sql, params![hash, now.0], rows::token)?;
    let user = people::user(db, token.user)?;
    Ok((token, people::person(db, user)?))
}
