//! What tests of backends share.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "not every test uses all of it; a failed test may panic"
)]

pub mod conformance;
pub mod docker;
#[cfg(feature = "proxmox")]
pub mod pve;
