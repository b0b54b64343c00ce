//! What people do about their own accounts.

use super::by::changed;
use super::log_in::LogInError;
use super::sign_on::{RecoveryCodes, TotpSecret};
use super::{Access, Client, LoggedIn, PasswordError, Token};
use crate::audit::{AuditAction, Target, TargetKind};
use crate::error::{Error, Result};
use crate::model::{Session, SessionId, Timestamp, User};
use crate::secret::Secret;

/// The user's own account, for the audit log.
fn oneself(user: &User) -> Target {
    Target::new(TargetKind::User, user.id, &user.name)
}

/// What is wrong with a new password, as the person is told.
pub(super) fn unfit(field: &'static str, error: PasswordError) -> Error {
    match error {
        PasswordError::Failed(error) => error,
        length => Error::Invalid {
            field,
            reason: length.to_string(),
        },
    }
}

impl Access {
    /// Changes the password of whoever is logged in. All their sessions end; the answer is a
    /// new one.
    ///
    /// # Errors
    /// As [`log_in`](Self::log_in) for the present password; [`Error::Invalid`] about `new`.
    pub async fn change_password(
        &self,
        who: &LoggedIn,
        current: Secret<String>,
        new: Secret<String>,
        from: Client,
        now: Timestamp,
    ) -> Result<(Token, LoggedIn), LogInError> {
        self.confirm(who, current, now).await?;
        let hash = self.passwords.hash(new).await;
        let mut user = self.store.user(who.caller.user.id).await?;
        user.password_hash = hash.map_err(|error| unfit("new", error))?;
        let by = who.caller.by();
        let entry = by.did(AuditAction::UserPassword, oneself(&user), now);
        let user = self.store.change_user(user, None, entry).await?;
        let person = self.store.person(user.id).await?;
        let id = SessionId::random();
        Ok(self
            .begin_session(person, id, from, None, None, now)
            .await?)
    }

    /// Whether this is the password of whoever is logged in. It counts as an attempt to log
    /// in: a session that was left open is no way around the limit.
    async fn confirm(
        &self,
        who: &LoggedIn,
        password: Secret<String>,
        now: Timestamp,
    ) -> Result<(), LogInError> {
        let user = &who.caller.user;
        if user.password_hash.is_empty() {
            let reason = "your password is not kept here, but where you log in".to_owned();
            let code = "external";
            return Err(Error::Refused { code, reason }.into());
        }
        let attempt = self.attempt(&user.name, who.caller.address, now)?;
        let hash = Some(user.password_hash.clone());
        if !self.passwords.verify(password, hash).await? {
            return Err(LogInError::Wrong);
        }
        self.limiter.forgive(attempt);
        Ok(())
    }

    /// Begins to set up a second factor: the secret counts once a code of it was shown.
    ///
    /// # Errors
    /// As [`log_in`](Self::log_in) for the password; [`Error::Conflict`] where there is one.
    pub async fn start_totp(
        &self,
        who: &LoggedIn,
        password: Secret<String>,
        now: Timestamp,
    ) -> Result<TotpSecret, LogInError> {
        self.confirm(who, password, now).await?;
        let id = who.caller.user.id;
        if self.store.second_factor(id).await?.is_some() {
            let reason = "codes are asked for already; turn that off first".to_owned();
            return Err(Error::Conflict { reason }.into());
        }
        let secret = TotpSecret::random()?;
        self.store.set_pending_totp(id, secret.text()).await?;
        Ok(secret)
    }

    /// Turns the second factor on, by a code of the secret. Answers recovery codes, which
    /// are shown once.
    ///
    /// # Errors
    /// [`LogInError::Wrong`] where the code is not right, [`LogInError::TooMany`];
    /// [`Error::NotFound`] where none is being set up.
    pub async fn confirm_totp(
        &self,
        who: &LoggedIn,
        code: &str,
        now: Timestamp,
    ) -> Result<Vec<Secret<String>>, LogInError> {
        let user = &who.caller.user;
        let pending = self.store.pending_totp(user.id).await?;
        let attempt = self.attempt(&user.name, who.caller.address, now)?;
        let secret = TotpSecret::parse(pending.expose());
        let step = secret.and_then(|secret| secret.check(code, now, None));
        let step = step.ok_or(LogInError::Wrong)?;
        self.limiter.forgive(attempt);
        let RecoveryCodes { codes, hashes } = RecoveryCodes::random()?;
        let entry = who
            .caller
            .by()
            .did(AuditAction::UserTotp, oneself(user), now);
        let entry = changed(entry, Some(&totp(false)), Some(&totp(true)));
        self.store.enable_totp(user.id, step, hashes, entry).await?;
        Ok(codes)
    }

    /// Turns the second factor off.
    ///
    /// # Errors
    /// As [`log_in`](Self::log_in) for the password; [`Error::NotFound`] where there is none.
    pub async fn stop_totp(
        &self,
        who: &LoggedIn,
        password: Secret<String>,
        now: Timestamp,
    ) -> Result<(), LogInError> {
        self.confirm(who, password, now).await?;
        let user = &who.caller.user;
        let entry = who
            .caller
            .by()
            .did(AuditAction::UserTotp, oneself(user), now);
        let entry = changed(entry, Some(&totp(true)), Some(&totp(false)));
        Ok(self.store.disable_totp(user.id, entry).await?)
    }

    /// The sessions of whoever is logged in, the last used first.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn own_sessions(&self, who: &LoggedIn, now: Timestamp) -> Result<Vec<Session>> {
        let (id, idle_since) = (who.caller.user.id, self.idle_since(now));
        self.store.sessions_of(id, now, idle_since).await
    }

    /// Ends one of one's own sessions.
    ///
    /// # Errors
    /// [`Error::NotFound`] where one has no such session.
    pub async fn end_own_session(
        &self,
        who: &LoggedIn,
        id: SessionId,
        now: Timestamp,
    ) -> Result<()> {
        let user = &who.caller.user;
        let target = Target::new(TargetKind::Session, id, &user.name);
        let entry = who.caller.by().did(AuditAction::SessionRevoke, target, now);
        self.store.end_session_of(user.id, id, entry).await
    }

    /// Ends all of one's own sessions but the present one.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn end_other_sessions(&self, who: &LoggedIn, now: Timestamp) -> Result<()> {
        let user = &who.caller.user;
        let entry = who
            .caller
            .by()
            .did(AuditAction::SessionRevoke, oneself(user), now);
        let except = Some(who.session.hash);
        self.store.end_sessions_of(user.id, except, entry).await
    }
}

fn totp(enabled: bool) -> serde_json::Value {
    serde_json::json!({ "totp_enabled": enabled })
}
