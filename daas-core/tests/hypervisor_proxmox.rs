//! Instances on a simulator of Proxmox VE, and on another one that others made.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

mod support;

#[path = "proxmox/bridge.rs"]
mod bridge;
#[path = "proxmox/fakepve.rs"]
mod fakepve;
#[path = "proxmox/faults.rs"]
mod faults;
#[path = "proxmox/lab.rs"]
mod lab;
#[path = "proxmox/rules.rs"]
mod rules;
#[path = "proxmox/snapshots.rs"]
mod snapshots;

/// The suite of all backends with machines.
mod machines {
    use super::lab::run_machines;
    use super::support::conformance::conformance;

    conformance!(run_machines);
}

/// The same with containers.
mod containers {
    use super::lab::run_containers;
    use super::support::conformance::conformance;

    conformance!(run_containers);
}

/// Machines on the simulator that others made.
mod machines_elsewhere {
    use super::fakepve::run_machines;
    use super::support::conformance::conformance;

    conformance!(run_machines);
}

/// The same with containers.
mod containers_elsewhere {
    use super::fakepve::run_containers;
    use super::support::conformance::conformance;

    conformance!(run_containers);
}
