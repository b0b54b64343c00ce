//! Tokens for programs, of whoever is logged in.

use daas_core::access::{LoggedIn, TOKEN_PREFIX};
use daas_core::model::{Scope, Timestamp};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::JSON_MAX;
use super::people::{TokenView, Whole, id, nothing};
use super::view::PageView;
use crate::http::{Body, Call, Problem, json};

pub(super) async fn list(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let tokens = call.services().access.tokens_of(who.caller.user.id).await?;
    let page = PageView {
        items: tokens.into_iter().map(TokenView::from).collect(),
        next_cursor: None,
    };
    json(StatusCode::OK, &page)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Make {
    name: String,
    scopes: Vec<Scope>,
    expires_in_days: Whole,
}

#[derive(Serialize)]
struct Made {
    /// The value, this once.
    token: String,
    #[serde(flatten)]
    about: TokenView,
}

pub(super) async fn make(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let services = call.services().clone();
    let Make {
        name,
        scopes,
        expires_in_days: days,
    } = call.json(JSON_MAX).await?;
    let (by, owner, now) = (who.caller.by(), &who.caller.user, Timestamp::now());
    let made = services
        .access
        .make_token(&by, owner, &name, scopes, days.into(), now);
    let (token, kept) = made.await?;
    let made = Made {
        token: format!("{TOKEN_PREFIX}{}", token.expose()),
        about: kept.into(),
    };
    json(StatusCode::CREATED, &made)
}

pub(super) async fn delete(call: Call, who: LoggedIn) -> Result<Response<Body>, Problem> {
    let access = &call.services().access;
    let deleted = access.delete_token(&who.caller, id(&call, "token")?, Timestamp::now());
    deleted.await?;
    Ok(nothing())
}
