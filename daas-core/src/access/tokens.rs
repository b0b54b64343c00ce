//! Tokens for programs.

use std::net::IpAddr;
use std::time::Duration;

use super::by::changed;
use super::{Access, By, Caller, Token, millis};
use crate::audit::{AuditAction, Target, TargetKind};
use crate::error::{Error, Result};
use crate::model::{ApiToken, Scope, Timestamp, TokenId, User, UserId, check_name};

/// Stands before tokens for programs, so that people and tools that look for leaked secrets
/// know what they found.
pub const TOKEN_PREFIX: &str = "daas_";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest time that a token is good for, in days.
const DAYS_MAX: u32 = 366;

impl Access {
    /// Makes a token in the name of somebody. Its value is answered once and kept nowhere.
    ///
    /// # Errors
    /// [`Error::Invalid`] about `name`, `scopes` or `expires_in_days`; [`Error::Exhausted`]
    /// where they have too many.
    pub async fn make_token(
        &self,
        by: &By,
        owner: &User,
        name: &str,
        mut scopes: Vec<Scope>,
        days: u32,
        now: Timestamp,
    ) -> Result<(Token, ApiToken)> {
        let invalid = |field, reason: String| Error::Invalid { field, reason };
        check_name(name).map_err(|error| invalid("name", error.to_string()))?;
        if !(1..=DAYS_MAX).contains(&days) {
            let reason = format!("must be between 1 and {DAYS_MAX}");
            return Err(invalid("expires_in_days", reason));
        }
        if scopes.is_empty() {
            return Err(invalid("scopes", "must name at least one".to_owned()));
        }
        scopes.sort_unstable();
        scopes.dedup();
        let token = Token::random()?;
        let kept = ApiToken {
            id: TokenId::random(),
            hash: token.hash(),
            user: owner.id,
            name: name.to_owned(),
            scopes,
            created_at: now,
            expires_at: now.plus_ms(millis(DAY * days)),
            last_used_at: None,
        };
        let target = Target::new(TargetKind::Token, kept.id, name);
        let entry = by.did(AuditAction::TokenCreate, target, now);
        let about = serde_json::json!({
            "owner": owner.name, "scopes": kept.scopes, "expires_at": kept.expires_at.rfc3339(),
        });
        let entry = changed(entry, None, Some(&about));
        self.store.add_token(kept.clone(), entry).await?;
        Ok((token, kept))
    }

    /// Who a token stands for, as it is written in requests.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is not good.
    pub async fn authenticate_token(
        &self,
        text: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Caller> {
        let token = text.strip_prefix(TOKEN_PREFIX);
        let token = token.and_then(|text| text.parse::<Token>().ok());
        let token = token.ok_or(Error::NotFound { what: "token" })?;
        let (kept, person) = self.store.use_token(token.hash(), now).await?;
        Ok(Caller::new(person, Some(kept.scopes), address))
    }

    /// The tokens of somebody, the newest first.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn tokens_of(&self, user: UserId) -> Result<Vec<ApiToken>> {
        self.store.tokens_of(user).await
    }

    /// Removes a token of whoever asks.
    ///
    /// # Errors
    /// [`Error::NotFound`] where they have no such token.
    pub async fn delete_token(&self, caller: &Caller, id: TokenId, now: Timestamp) -> Result<()> {
        let tokens = self.store.tokens_of(caller.user.id).await?;
        let name = tokens.iter().find(|token| token.id == id);
        let name = name.map_or("", |token| &token.name);
        let target = Target::new(TargetKind::Token, id, name);
        let entry = caller.by().did(AuditAction::TokenDelete, target, now);
        self.store.delete_token(caller.user.id, id, entry).await
    }
}
