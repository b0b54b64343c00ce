//! Who is there: passwords, sessions, tickets.

mod limiter;
mod password;
mod token;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::error::{Error, Result};
use crate::model::{InstanceId, Session, Timestamp, User};
use crate::secret::Secret;
use crate::storage::{Store, Ticket};

pub use limiter::{Limiter, LimiterConfig};
pub use password::{PasswordError, Passwords};
pub use token::Token;

/// How long things are good for.
#[derive(Clone, Copy, Debug)]
pub struct AccessConfig {
    /// A session that is not used.
    pub session_idle: Duration,
    /// A session, used or not.
    pub session_absolute: Duration,
    /// A ticket.
    pub ticket: Duration,
}

impl Default for AccessConfig {
    /// Half an hour, twelve hours, thirty seconds.
    fn default() -> Self {
        Self {
            session_idle: Duration::from_secs(30 * 60),
            session_absolute: Duration::from_secs(12 * 60 * 60),
            ticket: Duration::from_secs(30),
        }
    }
}

/// Why somebody is not logged in.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogInError {
    /// Unknown name, wrong password, or disabled; which one is not told.
    #[error("name or password is wrong")]
    Wrong,
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

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    /// Who.
    pub user: User,
    /// By which session.
    pub session: Session,
    /// What unsafe requests of the session have to carry.
    pub csrf: Token,
}

/// Logs people in and out.
#[derive(Clone)]
pub struct Access {
    store: Arc<dyn Store>,
    passwords: Passwords,
    limiter: Arc<Limiter>,
    config: AccessConfig,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Access {
    /// Access to what a storage keeps.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, passwords: Passwords, config: AccessConfig) -> Self {
        Self {
            store,
            passwords,
            limiter: Arc::new(Limiter::new(LimiterConfig::default())),
            config,
        }
    }

    /// Checks a password, and begins a session. The token is for the cookie; only its
    /// hash is kept.
    ///
    /// # Errors
    /// See [`LogInError`]. An unknown name takes as long as a wrong password.
    pub async fn log_in(
        &self,
        name: &str,
        password: Secret<String>,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(Token, LoggedIn), LogInError> {
        let attempt = self.limiter.attempt(name, address, now);
        let attempt = attempt.map_err(|retry_after| LogInError::TooMany { retry_after })?;
        let user = match self.store.user_by_name(name).await {
            Ok(user) => Some(user),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let right = self.passwords.verify(password, hash).await?;
        let Some(user) = user.filter(|user| right && !user.disabled) else {
            return Err(LogInError::Wrong);
        };
        self.limiter.forgive(attempt);
        Ok(self.begin_session(user, now).await?)
    }

    async fn begin_session(&self, user: User, now: Timestamp) -> Result<(Token, LoggedIn)> {
        let token = Token::random()?;
        let session = Session {
            hash: token.hash(),
            user: user.id,
            created_at: now,
            used_at: now,
            expires_at: now.plus_ms(millis(self.config.session_absolute)),
        };
        self.store.add_session(session.clone()).await?;
        let csrf = token.derive("csrf");
        let logged_in = LoggedIn {
            user,
            session,
            csrf,
        };
        Ok((token, logged_in))
    }

    /// Who a token stands for.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the session has ended.
    pub async fn authenticate(&self, token: &Token, now: Timestamp) -> Result<LoggedIn> {
        let idle_since = now.plus_ms(-millis(self.config.session_idle));
        let used = self.store.use_session(token.hash(), now, idle_since).await;
        let (session, user) = used?;
        let csrf = token.derive("csrf");
        Ok(LoggedIn {
            user,
            session,
            csrf,
        })
    }

    /// Whether a session is still good. Unlike [`authenticate`](Self::authenticate) this is
    /// no use of it: who only looks on is idle.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn is_live(&self, session: &Session, now: Timestamp) -> Result<bool> {
        if session.expires_at <= now {
            return Ok(false);
        }
        let idle_since = now.plus_ms(-millis(self.config.session_idle));
        // The use that is known already; a later one stays noted.
        let used = self
            .store
            .use_session(session.hash, session.used_at, idle_since);
        match used.await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends a session.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn log_out(&self, session: &Session) -> Result<()> {
        self.store.end_session(session.hash).await
    }

    /// Gives a ticket for one tunnel to an instance. That the session may use it is for
    /// the caller to check.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn give_ticket(
        &self,
        session: &Session,
        instance: InstanceId,
        now: Timestamp,
    ) -> Result<(Token, Timestamp)> {
        let token = Token::random()?;
        let expires_at = now.plus_ms(millis(self.config.ticket));
        let ticket = Ticket {
            hash: token.hash(),
            session: session.hash,
            instance,
            expires_at,
        };
        self.store.add_ticket(ticket).await?;
        Ok((token, expires_at))
    }

    /// Takes a ticket, once.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not good for this session now.
    pub async fn take_ticket(
        &self,
        session: &Session,
        ticket: &Token,
        now: Timestamp,
    ) -> Result<InstanceId> {
        let taken = self
            .store
            .take_ticket(ticket.hash(), session.hash, now)
            .await?;
        Ok(taken.instance)
    }
}
