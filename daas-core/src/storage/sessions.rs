//! What is kept about who is in: sessions, tickets, tokens for programs.

use async_trait::async_trait;

use super::people::Person;
use crate::audit::NewEntry;
use crate::error::Result;
use crate::model::{ApiToken, InstanceId, Session, SessionId, Timestamp, TokenId, UserId};
use crate::secret::Secret;

/// A ticket for one WebSocket. The ticket's value itself is nowhere kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// SHA-256 of the ticket's value.
    pub hash: [u8; 32],
    /// SHA-256 of the session that asked for it.
    pub session: [u8; 32],
    /// What it opens.
    pub instance: InstanceId,
    /// When it is no longer good.
    pub expires_at: Timestamp,
}

/// Sessions, tickets, tokens for programs.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// Keeps a session, and that its user logged in.
    async fn add_session(&self, session: Session, entry: Option<NewEntry>) -> Result<()>;
    /// Keeps what an OpenID provider gave for a session, sealed, as long as the session lasts.
    async fn keep_id_token(&self, session: SessionId, token: Secret<String>) -> Result<()>;
    /// What an OpenID provider gave for a session, if anything.
    async fn id_token(&self, session: SessionId) -> Result<Option<Secret<String>>>;
    /// The session with a hash and its user, if it has not expired, was used after
    /// `idle_since`, and its user is not disabled. Notes that it is used `now`.
    async fn use_session(
        &self,
        hash: [u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<(Session, Person)>;
    /// Which of these sessions are no longer good; looking is no use of them.
    async fn ended_sessions(
        &self,
        hashes: Vec<[u8; 32]>,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Vec<[u8; 32]>>;
    /// The sessions of somebody that are good, the last used first.
    async fn sessions_of(
        &self,
        user: UserId,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Vec<Session>>;
    /// Ends a session, and its tickets. Also fine if there is none.
    async fn end_session(&self, hash: [u8; 32], entry: Option<NewEntry>) -> Result<()>;
    /// Ends a session of somebody by its id.
    async fn end_session_of(&self, user: UserId, id: SessionId, entry: NewEntry) -> Result<()>;
    /// Ends all sessions of somebody, but for one.
    async fn end_sessions_of(
        &self,
        user: UserId,
        except: Option<[u8; 32]>,
        entry: NewEntry,
    ) -> Result<()>;

    /// Keeps a ticket.
    async fn add_ticket(&self, ticket: Ticket) -> Result<()>;
    /// Takes a ticket: it can be taken once, by the session that asked for it, before it
    /// expires; whatever the answer, it is gone.
    async fn take_ticket(
        &self,
        hash: [u8; 32],
        session: [u8; 32],
        now: Timestamp,
    ) -> Result<Ticket>;
    /// Removes sessions, tickets, invitations and tokens that expired before `now`; answers
    /// how many.
    async fn remove_expired(&self, now: Timestamp) -> Result<u64>;

    /// Keeps a token; `Exhausted` where its owner has 100.
    async fn add_token(&self, token: ApiToken, entry: NewEntry) -> Result<()>;
    /// The tokens of somebody, the newest first.
    async fn tokens_of(&self, user: UserId) -> Result<Vec<ApiToken>>;
    /// The token with a hash and its owner, if it has not expired and the owner is not
    /// disabled. Notes that it is used `now`.
    async fn use_token(&self, hash: [u8; 32], now: Timestamp) -> Result<(ApiToken, Person)>;
    /// Removes a token of somebody.
    async fn delete_token(&self, user: UserId, id: TokenId, entry: NewEntry) -> Result<()>;
}
