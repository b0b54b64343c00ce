//! What ends desktops by itself: the rule, for any desktop whatsoever, and what is kept for it.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "policies/kept.rs"]
mod kept;
#[path = "policies/rule.rs"]
mod rule;
#[path = "support/store.rs"]
mod support;

use daas_core::model::{Policies, Policy, Timestamp};
use support::T0;

const MINUTE: i64 = 60_000;

fn at(ms: i64) -> Timestamp {
    T0.plus_ms(ms)
}

fn policy(text: &str) -> Option<Policy> {
    Policy::parse(text).unwrap()
}

fn policies(disconnect: &str, idle: &str, lifetime: &str) -> Policies {
    Policies {
        disconnect: policy(disconnect),
        idle: policy(idle),
        lifetime: policy(lifetime),
    }
}
