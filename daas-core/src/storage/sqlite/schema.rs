//! Tables, as migrations: each is applied once, in order, and never changed again.

use rusqlite_migration::{M, Migrations};

/// All steps from an empty database to the present one.
pub(super) fn migrations() -> Migrations<'static> {
    Migrations::new(vec![
        M::up(FIRST),
        M::up(PEOPLE),
        M::up(ID_TOKENS),
        M::up(FLEET).foreign_key_check(),
        M::up(POLICIES),
        M::up(HOSTS),
        M::up(LOG_INS),
    ])
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

/// Groups, rules, quotas, other ways to log in, the audit log. Sessions of before have no
/// ids; they end.
const PEOPLE: &str = "
ALTER TABLE users ADD COLUMN source TEXT NOT NULL DEFAULT 'local';
ALTER TABLE users ADD COLUMN provider TEXT;
ALTER TABLE users ADD COLUMN subject TEXT;
ALTER TABLE users ADD COLUMN totp TEXT;
ALTER TABLE users ADD COLUMN totp_pending TEXT;
ALTER TABLE users ADD COLUMN totp_step INTEGER;
ALTER TABLE users ADD COLUMN last_login_at INTEGER;
ALTER TABLE users ADD COLUMN deleted_at INTEGER;
ALTER TABLE users ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX users_external ON users (provider, subject);

ALTER TABLE apps ADD COLUMN disk_mib INTEGER NOT NULL DEFAULT 0;

DROP TABLE tickets;
DROP TABLE sessions;
CREATE TABLE sessions (
    hash       BLOB PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    user       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    address    TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    provider   TEXT
) STRICT;
CREATE INDEX sessions_user ON sessions (user);
CREATE TABLE tickets (
    hash       BLOB PRIMARY KEY,
    session    BLOB NOT NULL REFERENCES sessions (hash) ON DELETE CASCADE,
    instance   TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tickets_session ON tickets (session);

CREATE TABLE groups (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE COLLATE NOCASE,
    description TEXT NOT NULL,
    external    TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

-- external: put in by another place, and taken out by it.
CREATE TABLE members (
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    external INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id);

CREATE TABLE rules (
    user_id    TEXT REFERENCES users (id) ON DELETE CASCADE,
    group_id   TEXT REFERENCES groups (id) ON DELETE CASCADE,
    permission TEXT NOT NULL,
    app_id     TEXT REFERENCES apps (id) ON DELETE CASCADE,
    effect     TEXT NOT NULL,
    CHECK ((user_id IS NULL) <> (group_id IS NULL))
) STRICT;
CREATE INDEX rules_user ON rules (user_id);
CREATE INDEX rules_group ON rules (group_id);

CREATE TABLE quotas (
    user_id    TEXT UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    group_id   TEXT UNIQUE REFERENCES groups (id) ON DELETE CASCADE,
    app_id     TEXT UNIQUE REFERENCES apps (id) ON DELETE CASCADE,
    instances  INTEGER,
    cpu_millis INTEGER,
    memory_mib INTEGER,
    disk_mib   INTEGER,
    hours_week INTEGER,
    CHECK ((user_id IS NOT NULL) + (group_id IS NOT NULL) + (app_id IS NOT NULL) = 1)
) STRICT;

CREATE TABLE invitations (
    hash       BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash    BLOB NOT NULL,
    PRIMARY KEY (user_id, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    id           TEXT PRIMARY KEY,
    hash         BLOB NOT NULL UNIQUE,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;
CREATE INDEX tokens_user ON tokens (user_id);

CREATE TABLE audit (
    seq         INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    actor_id    TEXT,
    actor       TEXT NOT NULL,
    address     TEXT,
    action      TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id   TEXT,
    target      TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    before      TEXT,
    after       TEXT,
    hash        BLOB NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
    BEGIN SELECT raise(ABORT, 'the audit log is never shortened'); END;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
-- REPLACE deletes without asking the triggers for that.
CREATE TRIGGER audit_only_grows BEFORE INSERT ON audit
    WHEN NEW.seq <= (SELECT max(seq) FROM audit)
    BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
";

/// What an OpenID provider is asked with to end its session too; sealed.
const ID_TOKENS: &str = "
ALTER TABLE sessions ADD COLUMN id_token TEXT;
";

/// Instances that are nobody's, know where they run, and who looked at them when. What is
/// asked of a column cannot be taken back, so the table is made anew; nothing that refers to it
/// goes along, as foreign keys are not looked at meanwhile.
const FLEET: &str = "
CREATE TABLE new_instances (
    id          TEXT PRIMARY KEY,
    owner       TEXT REFERENCES users (id),
    app         TEXT NOT NULL REFERENCES apps (id),
    state       TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    failure     TEXT,
    endpoint    TEXT,
    password    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    host        TEXT,
    seen_at     INTEGER,
    input_at    INTEGER,
    extended_to INTEGER
) STRICT;
INSERT INTO new_instances
    SELECT id, owner, app, state, revision, failure, endpoint, password, created_at, changed_at,
           NULL, NULL, NULL, NULL
    FROM instances;
DROP TABLE instances;
ALTER TABLE new_instances RENAME TO instances;
CREATE INDEX instances_owner ON instances (owner, created_at);
CREATE INDEX instances_alive ON instances (created_at) WHERE state <> 'deleted';
";

/// What is done with desktops by itself, and since when they run. Of those that run already
/// nobody knows when they were last looked at: they are given all of their time.
const POLICIES: &str = "
ALTER TABLE apps ADD COLUMN policies TEXT NOT NULL DEFAULT '{}';
ALTER TABLE instances ADD COLUMN started_at INTEGER;
ALTER TABLE instances ADD COLUMN running_since INTEGER;
UPDATE instances SET
    started_at = (SELECT max(at) FROM transitions
                  WHERE instance = instances.id AND state = 'starting'),
    running_since = CAST(unixepoch('subsec') * 1000 AS INTEGER)
WHERE EXISTS (SELECT 1 FROM transitions WHERE instance = instances.id AND state = 'running');
";

/// Hosts that somebody said something of, and what applications ask of theirs: labels, in JSON.
const HOSTS: &str = "
CREATE TABLE hosts (
    name    TEXT PRIMARY KEY,
    drained INTEGER NOT NULL
) STRICT;
ALTER TABLE apps ADD COLUMN hosts TEXT NOT NULL DEFAULT '[]';
";

/// How people are logged in to the desktops of an application.
const LOG_INS: &str = "
ALTER TABLE apps ADD COLUMN log_in TEXT NOT NULL DEFAULT '{}';
";

#[cfg(test)]
mod tests {
    #[test]
    fn migrations_apply() {
        assert_eq!(super::migrations().validate(), Ok(()));
    }
}
