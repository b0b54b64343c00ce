//! Who is there, and what they may do: passwords, sessions, tickets, tokens, people.
//!
//! What changes something is checked here against the rights of whoever wants it, and noted
//! in the audit log together with the change.

mod by;
mod groups;
mod hosts;
mod limiter;
mod log_in;
mod password;
mod profile;
pub mod sign_on;
mod token;
mod tokens;
mod users;

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::model::{InstanceId, Session, Timestamp};
use crate::storage::{Store, Ticket};

pub use by::{By, Caller, LoggedIn};
pub use groups::GroupChange;
pub use limiter::{Limiter, LimiterConfig};
pub use log_in::{Client, Directory, LogInError};
pub use password::{PasswordError, Passwords};
pub use token::Token;
pub use tokens::TOKEN_PREFIX;
pub use users::{Invited, NewUser, UserChange};

/// How long things are good for.
#[derive(Clone, Copy, Debug)]
pub struct AccessConfig {
    /// A session that is not used.
    pub session_idle: Duration,
    /// A session, used or not.
    pub session_absolute: Duration,
    /// A ticket.
    pub ticket: Duration,
    /// A link for a first password.
    pub invitation: Duration,
}

impl Default for AccessConfig {
    /// Half an hour, twelve hours, thirty seconds, seven days.
    fn default() -> Self {
        Self {
            session_idle: Duration::from_secs(30 * 60),
            session_absolute: Duration::from_secs(12 * 60 * 60),
            ticket: Duration::from_secs(30),
            invitation: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// Lets people and programs in, and manages who they are. Clones share everything.
#[derive(Clone)]
pub struct Access {
    store: Arc<dyn Store>,
    passwords: Passwords,
    limiter: Arc<Limiter>,
    directory: Option<Arc<dyn Directory>>,
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
            directory: None,
            config,
        }
    }

    /// With a directory that checks the passwords of those who have none here.
    #[must_use]
    pub fn with_directory(mut self, directory: Arc<dyn Directory>) -> Self {
        self.directory = Some(directory);
        self
    }

    /// The time since which a session must have been used to be good.
    fn idle_since(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(-millis(self.config.session_idle))
    }

    /// Who a session's token stands for.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) where the session has ended.
    pub async fn authenticate(
        &self,
        token: &Token,
        from: Client,
        now: Timestamp,
    ) -> Result<LoggedIn> {
        let used = self
            .store
            .use_session(token.hash(), now, self.idle_since(now));
        let (session, person) = used.await?;
        Ok(LoggedIn {
            caller: Caller::new(person, None, from.address),
            session,
            csrf: token.derive("csrf"),
        })
    }

    /// Which of these sessions (by hash) are no longer good. Looking is no use of them: who
    /// only looks on is idle.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn ended_sessions(
        &self,
        sessions: Vec<[u8; 32]>,
        now: Timestamp,
    ) -> Result<Vec<[u8; 32]>> {
        let idle_since = self.idle_since(now);
        self.store.ended_sessions(sessions, now, idle_since).await
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
    /// [`Error::NotFound`](crate::Error::NotFound) where it is not good for this session now.
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
