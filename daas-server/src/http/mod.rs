//! HTTP: connections, routes with their policies, and how answers look. Nothing here knows
//! what the routes are for.

mod body;
mod call;
mod cookie;
mod headers;
mod policy;
mod problem;
mod router;
mod serve;
mod timed;

pub use body::Body;
pub use problem::{FieldError, Problem};
pub use router::RouteInfo;
pub use serve::{Limits, detach, serve};

pub(crate) use call::{Call, json};
pub(crate) use cookie::{clear_cookie, session_cookie};
pub(crate) use policy::Policy;
pub(crate) use router::{Route, Router};
