//! Logging in: by a password here, by a directory, or by what an OpenID provider says.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use thiserror::Error;

use super::by::By;
use super::limiter::Attempt;
use super::sign_on::{Identity, RecoveryCodes, TotpSecret};
use super::{Access, Caller, LoggedIn, Token, millis};
use crate::audit::{Actor, AuditAction, Details, NewEntry, Outcome, Target, TargetKind};
use crate::error::{Error, Result};
use crate::model::{External, Role, Session, SessionId, Source, Timestamp, User, check_name};
use crate::secret::Secret;
use crate::storage::Person;

/// Longest name of a browser that is kept, in bytes.
const AGENT_MAX: usize = 256;

/// Checks passwords of people that it knows, such as a directory of a company.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Who has this name and this password; nobody where one of them is wrong.
    async fn authenticate(&self, name: &str, password: Secret<String>) -> Result<Option<Identity>>;
}

/// The program that somebody uses.
#[derive(Clone, Debug)]
pub struct Client {
    /// Where it is.
    pub address: IpAddr,
    /// What it calls itself.
    pub user_agent: String,
}

impl Client {
    /// With as much of its name as is kept.
    #[must_use]
    pub fn new(address: IpAddr, user_agent: &str) -> Self {
        let end = user_agent.floor_char_boundary(AGENT_MAX);
        Self {
            address,
            user_agent: user_agent.get(..end).unwrap_or_default().to_owned(),
        }
    }
}

/// Why somebody is not logged in.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogInError {
    /// Unknown name, wrong password or code, or disabled; which one is not told.
    #[error("name or password is wrong")]
    Wrong,
    /// The password is right, and a code is needed beside it.
    #[error("a code is needed")]
    CodeNeeded,
    /// Another place vouches for them, but the account is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// Another place vouches for them, but somebody else here has the name.
    #[error("the name {0} is taken by another account")]
    NameTaken(String),
    /// Too many wrong passwords for this name or from this address.
    #[error("too many attempts; try again later")]
    TooMany {
        /// When an attempt may help again.
        retry_after: Duration,
    },
    /// Nothing is known, as something does not work.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Access {
    /// Checks name, password and, where the account wants one, a code, and begins a session.
    /// The token is for the cookie; only its hash is kept.
    ///
    /// # Errors
    /// See [`LogInError`]. An unknown name takes as long as a wrong password; with a directory
    /// that takes longer than a hash, names that are known here can be told from others by that.
    pub async fn log_in(
        &self,
        name: &str,
        password: Secret<String>,
        code: Option<&str>,
        from: Client,
        now: Timestamp,
    ) -> Result<(Token, LoggedIn), LogInError> {
        let attempt = self.attempt(name, from.address, now)?;
        let checked = self.check_password(name, password).await;
        if let Err(LogInError::NameTaken(_)) = checked {
            self.note_refusal(None, from.address, now).await?;
        }
        let (known, right) = checked?;
        let refused = match known.clone().filter(|user| right && !user.disabled) {
            None => LogInError::Wrong,
            Some(user) => match self.check_code(&user, code, now).await {
                Ok(()) => {
                    self.limiter.forgive(attempt);
                    return self.let_in(user, from, None, now).await;
                }
                Err(refused) => refused,
            },
        };
        // That a code is missing is no answer yet.
        if !matches!(refused, LogInError::CodeNeeded) {
            self.note_refusal(known.as_ref(), from.address, now).await?;
        }
        Err(refused)
    }

    pub(super) fn attempt(
        &self,
        name: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt, LogInError> {
        let attempt = self.limiter.attempt(name, address, now);
        attempt.map_err(|retry_after| LogInError::TooMany { retry_after })
    }

    /// The user with a name, and whether the password is theirs.
    async fn check_password(
        &self,
        name: &str,
        password: Secret<String>,
    ) -> Result<(Option<User>, bool), LogInError> {
        let user = match self.store.user_by_name(name).await {
            Ok(user) => Some(user),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let is_local = user
            .as_ref()
            .is_some_and(|user| user.source == Source::Local);
        let elsewhere = user.as_ref().is_none_or(|user| user.source == Source::Ldap);
        if let Some(directory) = self.directory.as_ref().filter(|_| elsewhere) {
            // As long as a password that is kept here takes, so that time does not tell whose
            // is not.
            let (identity, hashed) = tokio::join!(
                directory.authenticate(name, password.clone()),
                self.passwords.verify(password, None),
            );
            hashed?;
            return match identity? {
                None => Ok((user, false)),
                Some(identity) => Ok((Some(self.known_as(&identity, Source::Ldap).await?), true)),
            };
        }
        let hash = user
            .as_ref()
            .filter(|user| is_local && !user.password_hash.is_empty());
        let hash = hash.map(|user| user.password_hash.clone());
        let right = self.passwords.verify(password, hash).await?;
        Ok((user, right))
    }

    /// Checks the code of an account that wants one.
    pub(super) async fn check_code(
        &self,
        user: &User,
        code: Option<&str>,
        now: Timestamp,
    ) -> Result<(), LogInError> {
        let Some(factor) = self.store.second_factor(user.id).await? else {
            return Ok(());
        };
        let code = code.ok_or(LogInError::CodeNeeded)?;
        let secret = TotpSecret::parse(factor.secret.expose());
        let step = secret.and_then(|secret| secret.check(code, now, factor.last_step));
        let used = match step {
            // Of two that come with one code at once, one is let in.
            Some(step) => self.store.use_totp_step(user.id, step).await,
            None => {
                let taken = RecoveryCodes::find(&factor.recovery, code).ok_or(LogInError::Wrong)?;
                self.store.use_recovery_code(user.id, taken).await
            }
        };
        match used {
            Ok(()) => Ok(()),
            Err(Error::NotFound { .. }) => Err(LogInError::Wrong),
            Err(error) => Err(error.into()),
        }
    }

    /// Logs somebody in whom an OpenID provider vouches for.
    ///
    /// # Errors
    /// [`LogInError::Disabled`], [`LogInError::NameTaken`], or those of the storage.
    pub async fn log_in_as(
        &self,
        identity: &Identity,
        from: Client,
        now: Timestamp,
    ) -> Result<(Token, LoggedIn), LogInError> {
        let user = self.known_as(identity, Source::Oidc).await?;
        if user.disabled {
            self.note_refusal(Some(&user), from.address, now).await?;
            return Err(LogInError::Disabled);
        }
        self.let_in(user, from, Some(identity.provider.clone()), now)
            .await
    }

    /// Keeps what an OpenID provider gave for a session, to end its own session by.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn keep_id_token(&self, who: &LoggedIn, token: Secret<String>) -> Result<()> {
        self.store.keep_id_token(who.session.id, token).await
    }

    /// What [`keep_id_token`](Self::keep_id_token) kept, if anything.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn id_token(&self, who: &LoggedIn) -> Result<Option<Secret<String>>> {
        self.store.id_token(who.session.id).await
    }

    /// The account of somebody whom another place vouches for, which is made where there is
    /// none yet. Their groups there count from now on.
    async fn known_as(&self, identity: &Identity, source: Source) -> Result<User, LogInError> {
        let external = External {
            provider: identity.provider.clone(),
            subject: identity.subject.clone(),
        };
        let user = match self.store.user_by_external(external.clone()).await {
            Ok(user) => user,
            Err(Error::NotFound { .. }) => self.make_known(identity, external, source).await?,
            Err(error) => return Err(error.into()),
        };
        let groups = identity.groups.clone();
        self.store.follow_external_groups(user.id, groups).await?;
        Ok(user)
    }

    /// Makes an account, unless the same person just did so by logging in twice at once.
    async fn make_known(
        &self,
        identity: &Identity,
        external: External,
        source: Source,
    ) -> Result<User, LogInError> {
        match self.add_external(identity, external.clone(), source).await {
            Err(Error::AlreadyExists { .. }) => {}
            added => return Ok(added?),
        }
        match self.store.user_by_external(external).await {
            Err(Error::NotFound { .. }) => Err(LogInError::NameTaken(identity.name.clone())),
            found => Ok(found?),
        }
    }

    /// A name that is taken is refused: another place must not hand out accounts of this
    /// one by calling people the same.
    async fn add_external(
        &self,
        identity: &Identity,
        external: External,
        source: Source,
    ) -> Result<User> {
        check_name(&identity.name).map_err(|error| Error::Invalid {
            field: "username",
            reason: error.to_string(),
        })?;
        let now = Timestamp::now();
        let user = User {
            source,
            external: Some(external),
            ..User::new(&identity.name, Role::User, String::new(), now)
        };
        let target = Target::new(TargetKind::User, user.id, &user.name);
        let mut entry = By::system().did(AuditAction::UserCreate, target, now);
        entry.after = Some(Details::of(&json!({
            "source": source, "provider": identity.provider, "role": user.role,
        })));
        self.store.add_user(user.clone(), Vec::new(), entry).await?;
        Ok(user)
    }

    async fn let_in(
        &self,
        user: User,
        from: Client,
        provider: Option<String>,
        now: Timestamp,
    ) -> Result<(Token, LoggedIn), LogInError> {
        let by = By::oneself(&user, from.address);
        let session_id = SessionId::random();
        let target = Target::new(TargetKind::Session, session_id, &user.name);
        let entry = by.did(AuditAction::SessionLogIn, target, now);
        let person = self.store.person(user.id).await?;
        let begun = self.begin_session(person, session_id, from, provider, Some(entry), now);
        Ok(begun.await?)
    }

    pub(super) async fn begin_session(
        &self,
        person: Person,
        id: SessionId,
        from: Client,
        provider: Option<String>,
        entry: Option<NewEntry>,
        now: Timestamp,
    ) -> Result<(Token, LoggedIn)> {
        let token = Token::random()?;
        let session = Session {
            hash: token.hash(),
            id,
            user: person.user.id,
            created_at: now,
            used_at: now,
            expires_at: now.plus_ms(millis(self.config.session_absolute)),
            address: from.address.to_string(),
            user_agent: from.user_agent,
            provider,
        };
        self.store.add_session(session.clone(), entry).await?;
        let logged_in = LoggedIn {
            caller: Caller::new(person, None, from.address),
            session,
            csrf: token.derive("csrf"),
        };
        Ok((token, logged_in))
    }

    /// Names nobody whom nobody knows: people type their password where the name belongs, and
    /// the log is kept for long.
    async fn note_refusal(
        &self,
        known: Option<&User>,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<()> {
        let name = known.map_or("", |user| &user.name);
        let target = match known {
            Some(user) => Target::new(TargetKind::User, user.id, name),
            None => Target::named(TargetKind::User, name),
        };
        let entry = NewEntry {
            at: now,
            // Nobody knows who tried.
            actor: Actor::new(None, name),
            address: Some(address),
            action: AuditAction::SessionLogIn,
            target,
            outcome: Outcome::Refused,
            before: None,
            after: None,
        };
        self.store.note(entry).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn log_out(&self, who: &LoggedIn, now: Timestamp) -> Result<()> {
        let target = Target::new(TargetKind::Session, who.session.id, &who.caller.user.name);
        let entry = who.caller.by().did(AuditAction::SessionLogOut, target, now);
        self.store.end_session(who.session.hash, Some(entry)).await
    }
}
