//! Instances as guests of a Proxmox VE cluster.

pub mod client;
