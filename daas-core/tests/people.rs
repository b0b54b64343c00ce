//! What every storage must do for people: accounts, groups, rules, quotas, second factors,
//! sessions, tokens, and the audit log beside them.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "people/accounts.rs"]
mod accounts;
#[path = "people/audit.rs"]
mod audit;
#[path = "people/factors.rs"]
mod factors;
#[path = "people/groups.rs"]
mod groups;
#[path = "people/pools.rs"]
mod pools;
#[path = "people/quotas.rs"]
mod quotas;
#[path = "people/sessions.rs"]
mod sessions;
#[path = "support/store.rs"]
mod support;

use std::fmt::Debug;

use daas_core::model::{ApiToken, Quota, Scope, Timestamp, TokenId, UserId};
use daas_core::{Error, Result};
use support::{NO_LIMIT, T0};
use tokio::task::JoinSet;

fn at(ms: i64) -> Timestamp {
    T0.plus_ms(ms)
}

/// The word of a refusal.
fn refused<T: Debug>(result: Result<T>) -> &'static str {
    match result {
        Err(Error::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

fn is_missing<T: Debug>(result: Result<T>, thing: &str) {
    assert!(
        matches!(result, Err(Error::NotFound { what }) if what == thing),
        "{result:?}"
    );
}

/// How many of some calls at once are done.
async fn done(mut calls: JoinSet<Result<()>>, is_fine: fn(&Error) -> bool) -> usize {
    let mut done = 0;
    while let Some(call) = calls.join_next().await {
        match call.unwrap() {
            Ok(()) => done += 1,
            Err(error) => assert!(is_fine(&error), "{error:?}"),
        }
    }
    done
}

fn two() -> Quota {
    Quota {
        instances: Some(2),
        ..NO_LIMIT
    }
}

fn token(user: UserId, n: u8) -> ApiToken {
    ApiToken {
        id: TokenId::random(),
        hash: [n; 32],
        user,
        name: format!("token {n}"),
        scopes: vec![Scope::AppsRead, Scope::UsersWrite],
        created_at: at(i64::from(n)),
        expires_at: at(1000),
        last_used_at: None,
    }
}
