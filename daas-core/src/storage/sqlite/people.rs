//! Accounts, groups, rules, quotas in their tables.

use async_trait::async_trait;
use rusqlite::{Connection, Row, Transaction, params};

use super::audit_log::append;
use super::query::{Answer, all, change, one, unless_taken};
use super::rows::{self, Text, maybe, text};
use super::{Sqlite, quotas};
use crate::audit::NewEntry;
use crate::error::{Error, Result};
use crate::model::{
    Allowance, AppId, External, Group, GroupId, Quota, Rights, Role, Rule, Timestamp, User, UserId,
};
use crate::secret::Secret;
use crate::storage::{
    Account, AccountsQuery, Invitation, People, Person, QuotaOf, SecondFactor, Subject,
};

const NO_GROUP: Error = Error::NotFound { what: "group" };

#[async_trait]
impl People for Sqlite {
    async fn add_user(&self, user: User, groups: Vec<GroupId>, entry: NewEntry) -> Result<()> {
        self.write("adding a user", move |db| {
            add_user(db, &user)?;
            set_groups(db, user.id, &groups)?;
            append(db, entry)
        })
        .await
    }

    async fn user_by_name(&self, name: &str) -> Result<User> {
        let name = name.to_owned();
        self.read("reading a user", move |db| {
            let sql = "SELECT * FROM users WHERE name = ?1 AND deleted_at IS NULL";
            one(db, "user", sql, [name], rows::user)
        })
        .await
    }

    async fn user_by_external(&self, external: External) -> Result<User> {
        self.read("reading a user", move |db| {
            let sql = "SELECT * FROM users
                       WHERE provider = ?1 AND subject = ?2 AND deleted_at IS NULL";
            let params = [external.provider, external.subject];
            one(db, "user", sql, params, rows::user)
        })
        .await
    }

    async fn user(&self, id: UserId) -> Result<User> {
        self.read("reading a user", move |db| user(db, id)).await
    }

    async fn person(&self, id: UserId) -> Result<Person> {
        self.read("reading a user", move |db| person(db, user(db, id)?))
            .await
    }

    async fn account(&self, id: UserId) -> Result<Account> {
        self.read("reading a user", move |db| account(db, user(db, id)?))
            .await
    }

    async fn accounts(&self, query: AccountsQuery) -> Result<Vec<Account>> {
        self.read("reading users", move |db| accounts(db, query))
            .await
    }

    async fn count_users(&self) -> Result<u64> {
        self.read("counting users", count_users).await
    }

    async fn change_user(
        &self,
        user: User,
        groups: Option<Vec<GroupId>>,
        entry: NewEntry,
    ) -> Result<User> {
        self.write("changing a user", move |db| {
            let user = change_user(db, &user)?;
            if let Some(groups) = groups {
                set_groups(db, user.id, &groups)?;
            }
            append(db, entry)?;
            Ok(user)
        })
        .await
    }

    async fn delete_user(
        &self,
        id: UserId,
        with_instances: bool,
        now: Timestamp,
        entry: NewEntry,
    ) -> Result<()> {
        self.write("removing a user", move |db| {
            delete_user(db, id, with_instances, now)?;
            append(db, entry)
        })
        .await
    }

    async fn add_group(&self, group: Group, entry: NewEntry) -> Result<()> {
        self.write("adding a group", move |db| {
            let sql = "INSERT INTO groups (id, name, description, external, created_at)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            unless_taken("group", put_group(db, sql, &group).map(|_| 1))?;
            append(db, entry)
        })
        .await
    }

    async fn groups(&self) -> Result<Vec<(Group, u64)>> {
        self.read("reading groups", |db| {
            let sql = "SELECT groups.*, (SELECT count(*) FROM members WHERE group_id = id) AS many
                       FROM groups ORDER BY name";
            all(db, sql, [], |row| Ok((group_of(row)?, row.get("many")?)))
        })
        .await
    }

    async fn group(&self, id: GroupId) -> Result<Group> {
        self.read("reading a group", move |db| {
            let sql = "SELECT * FROM groups WHERE id = ?1";
            one(db, "group", sql, [Text(id)], group_of)
        })
        .await
    }

    async fn change_group(&self, group: Group, entry: NewEntry) -> Result<()> {
        self.write("changing a group", move |db| {
            let sql = "UPDATE groups SET name = ?2, description = ?3, external = ?4,
                                         created_at = ?5
                       WHERE id = ?1";
            unless_taken("group", put_group(db, sql, &group).map(|_| 1))?;
            append(db, entry)
        })
        .await
    }

    async fn delete_group(&self, id: GroupId, entry: NewEntry) -> Result<()> {
        self.write("removing a group", move |db| {
            if change(db, "DELETE FROM groups WHERE id = ?1", [Text(id)])? == 0 {
                return Err(NO_GROUP.into());
            }
            append(db, entry)
        })
        .await
    }

    async fn members(&self, id: GroupId) -> Result<Vec<(UserId, String)>> {
        self.read("reading a group", move |db| {
            let sql = "SELECT users.id, users.name FROM members JOIN users ON users.id = user_id
                       WHERE group_id = ?1 ORDER BY users.name";
            all(db, sql, [Text(id)], |row| {
                Ok((text(row, "id")?, row.get("name")?))
            })
        })
        .await
    }

    async fn set_members(&self, id: GroupId, users: Vec<UserId>, entry: NewEntry) -> Result<()> {
        self.write("changing a group", move |db| {
            set_members(db, id, &users)?;
            append(db, entry)
        })
        .await
    }

    async fn follow_external_groups(&self, user: UserId, names: Vec<String>) -> Result<()> {
        self.write("following the groups of another place", move |db| {
            follow_external_groups(db, user, &names)
        })
        .await
    }

    async fn rules(&self, of: Subject) -> Result<Vec<Rule>> {
        self.read("reading rules", move |db| rules(db, of)).await
    }

    async fn set_rules(&self, of: Subject, rules: Vec<Rule>, entry: NewEntry) -> Result<()> {
        self.write("changing rules", move |db| {
            set_rules(db, of, &rules)?;
            append(db, entry)
        })
        .await
    }

    async fn quota(&self, of: QuotaOf) -> Result<Quota> {
        self.read("reading a quota", move |db| quotas::get(db, of))
            .await
    }

    async fn set_quota(&self, of: QuotaOf, quota: Quota, entry: NewEntry) -> Result<()> {
        self.write("changing a quota", move |db| {
            quotas::set(db, of, &quota)?;
            append(db, entry)
        })
        .await
    }

    async fn app_quotas(&self) -> Result<Vec<(AppId, Quota)>> {
        self.read("reading quotas", quotas::of_apps).await
    }

    async fn allowance(&self, id: UserId, general: Quota, now: Timestamp) -> Result<Allowance> {
        self.read("reading what somebody may have", move |db| {
            quotas::allowance(db, id, general, now)
        })
        .await
    }

    async fn add_invitation(&self, invitation: Invitation, entry: NewEntry) -> Result<()> {
        self.write("inviting somebody", move |db| {
            let sql = "INSERT OR REPLACE INTO invitations (hash, user_id, expires_at)
                       VALUES (?1, ?2, ?3)";
            let Invitation {
                hash,
                user: id,
                expires_at,
            } = invitation;
            user(db, id)?;
            // One link for each user: those before are replaced.
            change(db, sql, params![hash, Text(id), expires_at.0])?;
            append(db, entry)
        })
        .await
    }

    async fn invited(&self, hash: [u8; 32], now: Timestamp) -> Result<User> {
        self.read("reading an invitation", move |db| invited(db, hash, now))
            .await
    }

    async fn accept_invitation(
        &self,
        hash: [u8; 32],
        password_hash: String,
        now: Timestamp,
        entry: NewEntry,
    ) -> Result<User> {
        self.write("accepting an invitation", move |db| {
            let mut user = invited(db, hash, now)?;
            change(db, "DELETE FROM invitations WHERE hash = ?1", [hash])?;
            user.password_hash = password_hash;
            let user = change_user(db, &user)?;
            append(db, entry)?;
            Ok(user)
        })
        .await
    }

    async fn set_pending_totp(&self, id: UserId, secret: Secret<String>) -> Result<()> {
        let keys = self.keys.clone();
        self.write("keeping a second factor", move |db| {
            super::totp::set_pending(db, &keys, id, &secret)
        })
        .await
    }

    async fn pending_totp(&self, id: UserId) -> Result<Secret<String>> {
        let keys = self.keys.clone();
        self.read("reading a second factor", move |db| {
            super::totp::pending(db, &keys, id)
        })
        .await
    }

    async fn enable_totp(
        &self,
        id: UserId,
        step: u64,
        recovery: Vec<[u8; 32]>,
        entry: NewEntry,
    ) -> Result<()> {
        let keys = self.keys.clone();
        self.write("keeping a second factor", move |db| {
            super::totp::enable(db, &keys, id, step, &recovery)?;
            append(db, entry)
        })
        .await
    }

    async fn disable_totp(&self, id: UserId, entry: NewEntry) -> Result<()> {
        self.write("removing a second factor", move |db| {
            super::totp::disable(db, id)?;
            append(db, entry)
        })
        .await
    }

    async fn second_factor(&self, id: UserId) -> Result<Option<SecondFactor>> {
        let keys = self.keys.clone();
        self.read("reading a second factor", move |db| {
            super::totp::get(db, &keys, id)
        })
        .await
    }

    async fn use_totp_step(&self, id: UserId, step: u64) -> Result<()> {
        self.write("using a code", move |db| {
            super::totp::use_step(db, id, step)
        })
        .await
    }

    async fn use_recovery_code(&self, id: UserId, hash: [u8; 32]) -> Result<()> {
        self.write("using a code", move |db| {
            super::totp::use_recovery(db, id, hash)
        })
        .await
    }
}

fn add_user(db: &Transaction<'_>, user: &User) -> Answer<()> {
    let External { provider, subject } = match &user.external {
        Some(external) => external.clone(),
        None => External {
            provider: String::new(),
            subject: String::new(),
        },
    };
    let known = user.external.is_some();
    let added = change(
        db,
        "INSERT INTO users (id, name, role, password_hash, disabled, created_at, source,
                            provider, subject, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            Text(user.id),
            user.name,
            Text(user.role),
            user.password_hash,
            user.disabled,
            user.created_at.0,
            Text(user.source),
            known.then_some(provider),
            known.then_some(subject),
            user.revision
        ],
    );
    unless_taken("user", added)
}

pub(super) fn user(db: &Connection, id: UserId) -> Answer<User> {
    let sql = "SELECT * FROM users WHERE id = ?1 AND deleted_at IS NULL";
    one(db, "user", sql, [Text(id)], rows::user)
}

/// Who may do all, and has been there longest.
pub(super) fn first_admin(db: &Connection) -> Answer<User> {
    let sql = "SELECT * FROM users
               WHERE role = 'admin' AND NOT disabled AND deleted_at IS NULL
               ORDER BY created_at, id LIMIT 1";
    one(db, "administrator", sql, [], rows::user)
}

pub(super) fn count_users(db: &Connection) -> Answer<u64> {
    let sql = "SELECT count(*) FROM users WHERE deleted_at IS NULL";
    one(db, "user", sql, [], |row| row.get(0))
}

/// What somebody may do, from rules about them and about their groups.
pub(super) fn person(db: &Connection, user: User) -> Answer<Person> {
    let own = rules(db, Subject::User(user.id))?;
    let of_groups = all(
        db,
        "SELECT rules.* FROM rules JOIN members ON members.group_id = rules.group_id
         WHERE members.user_id = ?1",
        [Text(user.id)],
        rule,
    )?;
    let rights = Rights::new(user.role, own, of_groups);
    Ok(Person { user, rights })
}

fn account(db: &Connection, user: User) -> Answer<Account> {
    let groups = all(
        db,
        "SELECT groups.id, groups.name FROM members JOIN groups ON groups.id = group_id
         WHERE user_id = ?1 ORDER BY groups.name",
        [Text(user.id)],
        |row| Ok((text(row, "id")?, row.get("name")?)),
    )?;
    let instances = count_instances(db, user.id)?;
    Ok(Account {
        user,
        groups,
        instances,
    })
}

fn count_instances(db: &Connection, owner: UserId) -> Answer<u64> {
    let sql = "SELECT count(*) FROM instances WHERE owner = ?1 AND state <> 'deleted'";
    one(db, "user", sql, [Text(owner)], |row| row.get(0))
}

fn accounts(db: &Connection, query: AccountsQuery) -> Answer<Vec<Account>> {
    let after = match query.after {
        Some(id) => Some(user(db, id)?.name),
        None => None,
    };
    let users = all(
        db,
        "SELECT * FROM users
         WHERE deleted_at IS NULL AND (?1 IS NULL OR name > ?1)
           AND (?2 IS NULL OR instr(lower(name), lower(?2)) > 0)
         ORDER BY name LIMIT ?3",
        params![after, query.part, query.limit],
        rows::user,
    )?;
    users.into_iter().map(|user| account(db, user)).collect()
}

/// Changes the row at the revision that was read.
fn change_user(db: &Transaction<'_>, new: &User) -> Answer<User> {
    let old = user(db, new.id)?;
    if old.revision != new.revision {
        let reason = "somebody else has changed this user meanwhile; look again".to_owned();
        return Err(Error::Conflict { reason }.into());
    }
    let changed = change(
        db,
        "UPDATE users SET name = ?2, role = ?3, password_hash = ?4, disabled = ?5,
                          revision = revision + 1
         WHERE id = ?1",
        params![
            Text(new.id),
            new.name,
            Text(new.role),
            new.password_hash,
            new.disabled
        ],
    );
    unless_taken("user", changed)?;
    if old.totp_enabled && !new.totp_enabled {
        super::totp::disable(db, new.id)?;
    }
    if is_active_admin(&old) && !is_active_admin(new) {
        needs_admin(db)?;
    }
    let has_to_log_in_again = old.role != new.role
        || old.password_hash != new.password_hash
        || (new.disabled && !old.disabled);
    if has_to_log_in_again {
        end_sessions(db, new.id)?;
        // A link from before opens nothing that the account has become.
        change(
            db,
            "DELETE FROM invitations WHERE user_id = ?1",
            [Text(new.id)],
        )?;
    }
    user(db, new.id)
}

fn is_active_admin(user: &User) -> bool {
    user.role == Role::Admin && !user.disabled
}

/// After a change: somebody has to be left who can mend everything.
fn needs_admin(db: &Transaction<'_>) -> Answer<()> {
    let sql = "SELECT count(*) FROM users
               WHERE role = 'admin' AND NOT disabled AND deleted_at IS NULL";
    if one(db, "user", sql, [], |row| row.get::<_, u64>(0))? > 0 {
        return Ok(());
    }
    let reason = "this is the last administrator who can log in; make another one first";
    Err(Error::Refused {
        code: "last_admin",
        reason: reason.to_owned(),
    }
    .into())
}

pub(super) fn end_sessions(db: &Transaction<'_>, id: UserId) -> Answer<()> {
    change(db, "DELETE FROM sessions WHERE user = ?1", [Text(id)]).map(drop)
}

fn delete_user(
    db: &Transaction<'_>,
    id: UserId,
    with_instances: bool,
    now: Timestamp,
) -> Answer<()> {
    let old = user(db, id)?;
    if !with_instances && count_instances(db, id)? > 0 {
        let reason = "they have desktops; say that these are to be deleted, too".to_owned();
        let code = "has_desktops";
        return Err(Error::Refused { code, reason }.into());
    }
    // The row stays for the record of their instances, with nothing in it to log in with.
    change(
        db,
        "UPDATE users SET name = id, password_hash = '', provider = NULL, subject = NULL,
                          totp = NULL, totp_pending = NULL, deleted_at = ?2, disabled = 1,
                          revision = revision + 1
         WHERE id = ?1",
        params![Text(id), now.0],
    )?;
    if is_active_admin(&old) {
        needs_admin(db)?;
    }
    for table in [
        "members",
        "rules",
        "quotas",
        "invitations",
        "recovery_codes",
        "tokens",
    ] {
        let sql = format!("DELETE FROM {table} WHERE user_id = ?1");
        change(db, &sql, [Text(id)])?;
    }
    end_sessions(db, id)
}

fn group_of(row: &Row<'_>) -> rusqlite::Result<Group> {
    Ok(Group {
        id: text(row, "id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        external: text(row, "external")?,
        created_at: rows::time(row, "created_at")?,
    })
}

fn put_group(db: &Transaction<'_>, sql: &str, group: &Group) -> Answer<()> {
    let params = params![
        Text(group.id),
        group.name,
        group.description,
        Text(&group.external),
        group.created_at.0
    ];
    if change(db, sql, params)? == 0 {
        return Err(NO_GROUP.into());
    }
    Ok(())
}

/// Sets the groups of a user, but for those that another place put them in.
fn set_groups(db: &Transaction<'_>, id: UserId, groups: &[GroupId]) -> Answer<()> {
    let sql = "DELETE FROM members WHERE user_id = ?1 AND NOT external";
    change(db, sql, [Text(id)])?;
    groups
        .iter()
        .try_for_each(|group| add_member(db, *group, id))
}

fn set_members(db: &Transaction<'_>, id: GroupId, users: &[UserId]) -> Answer<()> {
    let sql = "SELECT 1 FROM groups WHERE id = ?1";
    one(db, "group", sql, [Text(id)], |_| Ok(()))?;
    let sql = "DELETE FROM members WHERE group_id = ?1 AND NOT external";
    change(db, sql, [Text(id)])?;
    users.iter().try_for_each(|user| add_member(db, id, *user))
}

fn add_member(db: &Transaction<'_>, group: GroupId, id: UserId) -> Answer<()> {
    user(db, id)?;
    let sql = "SELECT 1 FROM groups WHERE id = ?1";
    one(db, "group", sql, [Text(group)], |_| Ok(()))?;
    let sql = "INSERT OR IGNORE INTO members (group_id, user_id) VALUES (?1, ?2)";
    change(db, sql, params![Text(group), Text(id)]).map(drop)
}

fn follow_external_groups(db: &Transaction<'_>, id: UserId, names: &[String]) -> Answer<()> {
    user(db, id)?;
    let sql = "DELETE FROM members WHERE user_id = ?1 AND external";
    change(db, sql, [Text(id)])?;
    for group in all(db, "SELECT * FROM groups", [], group_of)? {
        if group.external.iter().any(|name| names.contains(name)) {
            let sql = "INSERT OR IGNORE INTO members (group_id, user_id, external)
                       VALUES (?1, ?2, 1)";
            change(db, sql, params![Text(group.id), Text(id)])?;
        }
    }
    Ok(())
}

/// The condition on a row, and its parameter.
const fn column(of: Subject) -> &'static str {
    match of {
        Subject::User(_) => "user_id",
        Subject::Group(_) => "group_id",
    }
}

fn id_of(of: Subject) -> String {
    match of {
        Subject::User(id) => id.to_string(),
        Subject::Group(id) => id.to_string(),
    }
}

fn rule(row: &Row<'_>) -> rusqlite::Result<Rule> {
    Ok(Rule {
        permission: text(row, "permission")?,
        app_id: maybe(row, "app_id")?,
        effect: text(row, "effect")?,
    })
}

fn rules(db: &Connection, of: Subject) -> Answer<Vec<Rule>> {
    let sql = match of {
        Subject::User(_) => "SELECT * FROM rules WHERE user_id = ?1 ORDER BY rowid",
        Subject::Group(_) => "SELECT * FROM rules WHERE group_id = ?1 ORDER BY rowid",
    };
    all(db, sql, [id_of(of)], rule)
}

fn set_rules(db: &Transaction<'_>, of: Subject, rules: &[Rule]) -> Answer<()> {
    match of {
        Subject::User(id) => drop(user(db, id)?),
        Subject::Group(id) => {
            let sql = "SELECT 1 FROM groups WHERE id = ?1";
            one(db, "group", sql, [Text(id)], |_| Ok(()))?;
        }
    }
    let (column, id) = (column(of), id_of(of));
    change(db, &format!("DELETE FROM rules WHERE {column} = ?1"), [&id])?;
    let sql =
        format!("INSERT INTO rules ({column}, permission, app_id, effect) VALUES (?1, ?2, ?3, ?4)");
    for rule in rules {
        let params = params![
            id,
            Text(rule.permission),
            rule.app_id.map(Text),
            Text(rule.effect)
        ];
        match change(db, &sql, params) {
            Ok(_) => {}
            // The application that it is about is gone.
            Err(error) if super::query::is_constraint(&error) => {
                return Err(Error::NotFound {
                    what: "application",
                }
                .into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn invited(db: &Connection, hash: [u8; 32], now: Timestamp) -> Answer<User> {
    let sql = "SELECT users.* FROM invitations JOIN users ON users.id = user_id
               WHERE hash = ?1 AND expires_at > ?2 AND NOT disabled AND deleted_at IS NULL";
    one(db, "invitation", sql, params![hash, now.0], rows::user)
}
