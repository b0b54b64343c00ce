//! Tables, as migrations: each is applied once, in order, and never changed again.

use rusqlite_migration::{M, Migrations};

/// All steps from an empty database to the present one.
pub(super) fn migrations() -> Migrations<'static> {
    Migrations::new(vec![M::up(FIRST)])
}

/// Times are milliseconds since 1970, ids hyphenated UUIDs, states the words of the model.
const FIRST: &str = "
CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled      INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    hash       BLOB PRIMARY KEY,
    user       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user);

CREATE TABLE apps (
    id          TEXT PRIMARY KEY,
    slug        TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    icon        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    image       TEXT NOT NULL,
    protocol    TEXT NOT NULL,
    port        INTEGER NOT NULL,
    cpu_millis  INTEGER NOT NULL,
    memory_mib  INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE instances (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL REFERENCES users (id),
    app        TEXT NOT NULL REFERENCES apps (id),
    state      TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    failure    TEXT,
    endpoint   TEXT,
    password   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX instances_owner ON instances (owner, created_at);
CREATE INDEX instances_alive ON instances (created_at) WHERE state <> 'deleted';

CREATE TABLE transitions (
    instance TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    at       INTEGER NOT NULL,
    state    TEXT NOT NULL,
    failure  TEXT
) STRICT;
CREATE INDEX transitions_instance ON transitions (instance);

CREATE TABLE tickets (
    hash       BLOB PRIMARY KEY,
    session    BLOB NOT NULL REFERENCES sessions (hash) ON DELETE CASCADE,
    instance   TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tickets_session ON tickets (session);
";

#[cfg(test)]
mod tests {
    #[test]
    fn migrations_apply() {
        assert_eq!(super::migrations().validate(), Ok(()));
    }
}
