//! A directory that checks names and passwords: LDAP version 3 (RFC 4511), which Active
//! Directory speaks too.
//!
//! The client is written here, as it has to take any answer whatsoever: those around read
//! nested answers by recursion without a limit, so that fifty kilobytes of them end the
//! process. It binds, searches and begins TLS, and can do nothing else. What a server says
//! is bounded in length, number and time; referrals are never followed.

mod answer;
mod ber;
mod config;
mod connection;
mod dn;
mod fault;
mod files;
mod filter;
mod log_in;
mod request;
mod settings;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use config::LdapConfig;

use super::{Identity, SignOnError};
use crate::access::Directory;
use crate::error::Result;
use crate::secret::Secret;
use fault::Fault;
use settings::Settings;

/// Most log-ins at a time, each with a connection.
const AT_ONCE: usize = 32;
/// Steps that a log-in may take as long as.
const STEPS: u32 = 3;

/// A directory.
#[derive(Debug)]
pub struct Ldap {
    settings: Settings,
    turns: Semaphore,
}

impl Ldap {
    /// A directory with these settings, to which nothing is sent yet. It reads the files
    /// that they name, and blocks while it does.
    ///
    /// # Errors
    /// [`SignOnError::Misconfigured`], with the setting and what is wrong with it.
    pub fn new(config: &LdapConfig) -> Result<Self, SignOnError> {
        Ok(Self {
            settings: Settings::new(config)?,
            turns: Semaphore::new(AT_ONCE),
        })
    }

    /// Who has this name and this password.
    ///
    /// # Errors
    /// [`SignOnError::Wrong`] where nobody has, and otherwise what does not work.
    pub async fn authenticate(
        &self,
        name: &str,
        password: Secret<String>,
    ) -> Result<Identity, SignOnError> {
        if !log_in::may_be_name(name) || !log_in::may_be_password(&password) {
            return Err(SignOnError::Wrong);
        }
        self.in_turn(
            "a log-in",
            log_in::identity(&self.settings, name, &password),
        )
        .await?
        .ok_or(SignOnError::Wrong)
    }

    /// Whether the directory can be reached and searched as it is set: TLS, the account that
    /// searches, and the places to search in. Passwords of users are not part of it.
    ///
    /// # Errors
    /// What does not work.
    pub async fn check(&self) -> Result<(), SignOnError> {
        self.in_turn("the check", log_in::check(&self.settings))
            .await
    }

    /// Where it is, as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        let server = &self.settings.server;
        format!("{}:{}", server.host, server.port)
    }

    /// Does something once it is its turn, within the time that it may take in all.
    async fn in_turn<T>(
        &self,
        operation: &'static str,
        future: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, SignOnError> {
        let within: Duration = self.settings.step * STEPS;
        let work = async {
            let turn = timeout(self.settings.step, self.turns.acquire()).await;
            let _turn = turn.map_err(|_| Fault::Busy)?.map_err(|_| Fault::Busy)?;
            future.await
        };
        let late = |_| Fault::Late { operation, within };
        Ok(timeout(within, work).await.map_err(late)??)
    }
}

#[async_trait]
impl Directory for Ldap {
    /// The reason of an error is its source, for the log.
    async fn authenticate(&self, name: &str, password: Secret<String>) -> Result<Option<Identity>> {
        match Self::authenticate(self, name, password).await {
            Ok(identity) => Ok(Some(identity)),
            Err(error) => error.into_core().map_or(Ok(None), Err),
        }
    }
}
