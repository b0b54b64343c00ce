//! HTTP: connections, routes with their policies, and how answers look. Nothing here knows
//! what the routes are for.

mod body;
mod call;
mod cookie;
mod head;
mod headers;
mod policy;
mod problem;
mod rate;
mod redirect;
mod router;
mod serve;
mod timed;
mod wire;

pub use body::Body;
pub use problem::{FieldError, Problem};
pub use rate::{Rate, Rates};
pub use router::RouteInfo;
pub use serve::{Limits, Listener, redirect, serve};
pub use wire::{Detached, DetachedTls, detach};

pub(crate) use call::{Call, json};
pub(crate) use cookie::{clear_cookie, session_cookie};
#[cfg(feature = "oidc")]
pub(crate) use cookie::{clear_sign_on_cookie, sign_on_cookie, sign_on_token_in};
#[cfg(feature = "oidc")]
pub(crate) use policy::place_of;
pub(crate) use policy::{Needs, Policy, origin_of};
pub(crate) use rate::{Limiter, network};
pub(crate) use router::{Route, Router};
