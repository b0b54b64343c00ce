//! Accounts, as those manage them who may.

use serde_json::{Value, json};

use super::by::changed;
use super::profile::unfit;
use super::{Access, By, Client, LogInError, LoggedIn, Token, millis};
use crate::audit::{AuditAction, Target, TargetKind};
use crate::error::{Error, Result};
use crate::model::{
    GroupId, Permission, Quota, Role, Rule, SessionId, Source, Timestamp, User, UserId, check_name,
};
use crate::secret::Secret;
use crate::storage::{Account, Invitation, QuotaOf, Subject};

/// Most rules about one user or group.
const RULES_MAX: usize = 200;

/// Somebody who is to get an account.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The name to log in with.
    pub name: String,
    /// What they may do in general.
    pub role: Role,
    /// The first password; without one they are invited.
    pub password: Option<Secret<String>>,
    /// The groups that they are in.
    pub groups: Vec<GroupId>,
}

/// What is to change of an account; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// The name to log in with.
    pub name: Option<String>,
    /// What they may do in general.
    pub role: Option<Role>,
    /// Whether logging in is refused.
    pub disabled: Option<bool>,
    /// A new password.
    pub password: Option<Secret<String>>,
    /// The groups that they are in.
    pub groups: Option<Vec<GroupId>>,
    /// That they are no longer asked for codes.
    pub without_totp: bool,
}

/// A link that lets somebody choose their first password.
#[derive(Clone, Debug)]
pub struct Invited {
    /// What stands in the link. It is kept nowhere.
    pub token: Token,
    /// When it is no longer good.
    pub expires_at: Timestamp,
}

pub(super) fn user_target(user: &User) -> Target {
    Target::new(TargetKind::User, user.id, &user.name)
}

pub(super) fn named(field: &'static str, name: &str) -> Result<()> {
    check_name(name).map_err(|error| Error::Invalid {
        field,
        reason: error.to_string(),
    })
}

/// An account, for the audit log.
fn about(user: &User) -> Value {
    json!({
        "name": user.name, "role": user.role, "disabled": user.disabled,
        "source": user.source, "has_password": !user.password_hash.is_empty(),
        "totp_enabled": user.totp_enabled,
    })
}

impl Access {
    /// Makes an account; and a link to choose a password, where none is given.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::Invalid`] about `name` or `password`,
    /// [`Error::AlreadyExists`], [`Error::NotFound`] where a group is not there.
    pub async fn create_user(
        &self,
        by: &By,
        new: NewUser,
        now: Timestamp,
    ) -> Result<(Account, Option<Invited>)> {
        by.needs(Permission::UsersManage)?;
        self.may_give_role(by, new.role)?;
        named("name", &new.name)?;
        self.may_put_into(by, &new.groups).await?;
        let hash = match new.password {
            Some(password) => self.hash(password).await?,
            None => String::new(),
        };
        let invites = hash.is_empty();
        let user = User::new(&new.name, new.role, hash, now);
        let entry = by.did(AuditAction::UserCreate, user_target(&user), now);
        let entry = changed(entry, None, Some(&about(&user)));
        let id = user.id;
        self.store.add_user(user, new.groups, entry).await?;
        let invited = match invites {
            true => Some(self.invite(by, id, now).await?),
            false => None,
        };
        Ok((self.store.account(id).await?, invited))
    }

    async fn hash(&self, password: Secret<String>) -> Result<String> {
        let hash = self.passwords.hash(password).await;
        hash.map_err(|error| unfit("password", error))
    }

    fn may_give_role(&self, by: &By, role: Role) -> Result<()> {
        let rights = crate::model::Rights::new(role, Vec::new(), Vec::new());
        by.needs_to_cover(&rights)
    }

    /// Who puts somebody into a group gives them what its rules give.
    async fn may_put_into(&self, by: &By, groups: &[GroupId]) -> Result<()> {
        for group in groups {
            let rules = self.store.rules(Subject::Group(*group)).await?;
            may_give(by, &rules)?;
        }
        Ok(())
    }

    /// The account, if whoever acts may act on it.
    async fn managed(&self, by: &By, id: UserId) -> Result<User> {
        by.needs(Permission::UsersManage)?;
        let person = self.store.person(id).await?;
        by.needs_to_cover(&person.rights)?;
        Ok(person.user)
    }

    /// Makes a link with which somebody chooses a password, instead of those before.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`]; [`Error::Refused`] where another place
    /// vouches for them.
    pub async fn invite(&self, by: &By, id: UserId, now: Timestamp) -> Result<Invited> {
        let user = self.managed(by, id).await?;
        needs_local(&user)?;
        let token = Token::random()?;
        let expires_at = now.plus_ms(millis(self.config.invitation));
        let invitation = Invitation {
            hash: token.hash(),
            user: id,
            expires_at,
        };
        let entry = by.did(AuditAction::UserInvite, user_target(&user), now);
        self.store.add_invitation(invitation, entry).await?;
        Ok(Invited { token, expires_at })
    }

    /// Chooses the password of the account that a link is for, and logs in.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the link is not good (any more), [`Error::Invalid`] about
    /// `password`; [`LogInError::TooMany`].
    pub async fn accept_invitation(
        &self,
        token: &Token,
        password: Secret<String>,
        from: Client,
        now: Timestamp,
    ) -> Result<(Token, LoggedIn), LogInError> {
        // Nobody guesses a link, but hashing is work.
        let attempt = self.attempt("", from.address, now)?;
        self.limiter.forgive(attempt);
        let user = self.store.invited(token.hash(), now).await?;
        let hash = self.hash(password).await?;
        let by = By::oneself(&user, from.address);
        let entry = by.did(AuditAction::UserAccept, user_target(&user), now);
        let accepted = self.store.accept_invitation(token.hash(), hash, now, entry);
        let person = self.store.person(accepted.await?.id).await?;
        let id = SessionId::random();
        Ok(self
            .begin_session(person, id, from, None, None, now)
            .await?)
    }

    /// Changes an account. Another role, another password and being disabled end their
    /// sessions.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`], [`Error::Invalid`], [`Error::Refused`]
    /// (`yourself`, `last_admin`, `external`), [`Error::AlreadyExists`] for the name,
    /// [`Error::Conflict`] where somebody else was faster.
    pub async fn change_user(
        &self,
        by: &By,
        id: UserId,
        change: UserChange,
        now: Timestamp,
    ) -> Result<Account> {
        let old = self.managed(by, id).await?;
        let demotes = change.role.is_some_and(|role| role != old.role);
        if by.is(id) && (demotes || change.disabled == Some(true)) {
            return Err(yourself("another administrator has to do this to you"));
        }
        let new = self.changed_user(by, &old, &change).await?;
        if let Some(groups) = &change.groups {
            self.may_put_into(by, groups).await?;
        }
        let entry = by.did(AuditAction::UserChange, user_target(&old), now);
        let mut after = about(&new);
        if let Some(groups) = &change.groups {
            after["group_ids"] = json!(groups);
        }
        if change.password.is_some() {
            after["password_changed"] = json!(true);
        }
        let entry = changed(entry, Some(&about(&old)), Some(&after));
        self.store.change_user(new, change.groups, entry).await?;
        self.store.account(id).await
    }

    async fn changed_user(&self, by: &By, old: &User, change: &UserChange) -> Result<User> {
        let mut new = old.clone();
        if let Some(name) = &change.name {
            named("name", name)?;
            new.name.clone_from(name);
        }
        if let Some(role) = change.role {
            self.may_give_role(by, role)?;
            new.role = role;
        }
        if let Some(password) = &change.password {
            needs_local(old)?;
            new.password_hash = self.hash(password.clone()).await?;
        }
        new.disabled = change.disabled.unwrap_or(old.disabled);
        new.totp_enabled = old.totp_enabled && !change.without_totp;
        Ok(new)
    }

    /// Removes an account. Its instances are for the caller to delete, where it may have
    /// some.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`], [`Error::Refused`] (`yourself`,
    /// `last_admin`, `has_desktops`).
    pub async fn delete_user(
        &self,
        by: &By,
        id: UserId,
        with_instances: bool,
        now: Timestamp,
    ) -> Result<()> {
        let user = self.managed(by, id).await?;
        if by.is(id) {
            return Err(yourself("another administrator has to remove you"));
        }
        let entry = by.did(AuditAction::UserDelete, user_target(&user), now);
        let entry = changed(entry, Some(&about(&user)), None);
        self.store.delete_user(id, with_instances, now, entry).await
    }

    /// Ends all sessions of somebody.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn end_sessions(&self, by: &By, id: UserId, now: Timestamp) -> Result<()> {
        let user = self.managed(by, id).await?;
        let entry = by.did(AuditAction::SessionRevoke, user_target(&user), now);
        self.store.end_sessions_of(id, None, entry).await
    }

    /// Sets the rules about somebody.
    ///
    /// # Errors
    /// [`Error::Forbidden`] where they give what whoever acts does not have,
    /// [`Error::Invalid`] about `items`, [`Error::NotFound`].
    pub async fn set_user_rules(
        &self,
        by: &By,
        id: UserId,
        rules: Vec<Rule>,
        now: Timestamp,
    ) -> Result<()> {
        let user = self.managed(by, id).await?;
        self.set_rules(by, Subject::User(id), user_target(&user), rules, now)
            .await
    }

    pub(super) async fn set_rules(
        &self,
        by: &By,
        of: Subject,
        target: Target,
        rules: Vec<Rule>,
        now: Timestamp,
    ) -> Result<()> {
        check_rules(&rules)?;
        let before = self.store.rules(of).await?;
        may_give(by, &rules)?;
        // Who takes a rule away that denies gives, too.
        by_who_has(by, &before, &rules)?;
        let entry = by.did(AuditAction::RulesChange, target, now);
        let (old, new) = (json!({ "rules": before }), json!({ "rules": rules }));
        let entry = changed(entry, Some(&old), Some(&new));
        self.store.set_rules(of, rules, entry).await
    }

    /// Sets a quota.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn set_quota(
        &self,
        by: &By,
        of: QuotaOf,
        quota: Quota,
        now: Timestamp,
    ) -> Result<()> {
        by.needs(Permission::QuotasManage)?;
        let target = match of {
            QuotaOf::User(id) => user_target(&self.store.user(id).await?),
            QuotaOf::Group(id) => {
                Target::new(TargetKind::Group, id, &self.store.group(id).await?.name)
            }
            QuotaOf::App(id) => Target::new(TargetKind::App, id, &self.store.app(id).await?.name),
        };
        let before = self.store.quota(of).await?;
        let entry = by.did(AuditAction::QuotaChange, target, now);
        let entry = changed(entry, Some(&before), Some(&quota));
        self.store.set_quota(of, quota, entry).await
    }
}

pub(super) fn may_give(by: &By, rules: &[Rule]) -> Result<()> {
    if rules.iter().all(|rule| by.rights().may_give(rule)) {
        return Ok(());
    }
    let reason = "you can only allow what you may do yourself";
    Err(Error::Forbidden { reason })
}

/// What a rule denied and no longer does is given as well.
fn by_who_has(by: &By, before: &[Rule], after: &[Rule]) -> Result<()> {
    let gone = before.iter().filter(|rule| !after.contains(rule));
    let given = gone.map(|rule| Rule {
        effect: crate::model::Effect::Allow,
        ..*rule
    });
    may_give(by, &given.collect::<Vec<_>>())
}

fn check_rules(rules: &[Rule]) -> Result<()> {
    let invalid = |reason: String| {
        Err(Error::Invalid {
            field: "items",
            reason,
        })
    };
    if rules.len() > RULES_MAX {
        return invalid(format!("must have at most {RULES_MAX}"));
    }
    let wrong = rules
        .iter()
        .any(|rule| rule.app_id.is_some() && rule.permission != Permission::AppsLaunch);
    if wrong {
        return invalid("only `apps_launch` can be about one application".to_owned());
    }
    Ok(())
}

fn needs_local(user: &User) -> Result<()> {
    if user.source == Source::Local {
        return Ok(());
    }
    let reason = "their password is not kept here, but where they log in".to_owned();
    let code = "external";
    Err(Error::Refused { code, reason })
}

fn yourself(reason: &str) -> Error {
    Error::Refused {
        code: "yourself",
        reason: reason.to_owned(),
    }
}
