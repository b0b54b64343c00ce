//! What can be launched.

use serde::{Deserialize, Serialize};

use super::{AppId, Label, Policies, Timestamp};

/// How an application shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// A whole desktop.
    Desktop,
    /// One application, full screen.
    Application,
}

/// The protocol between gateway and desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// RFB.
    Vnc,
    /// Remote Desktop Protocol.
    Rdp,
    /// A terminal over SSH.
    Ssh,
}

impl Protocol {
    /// Its name in the Guacamole protocol's `select`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vnc => "vnc",
            Self::Rdp => "rdp",
            Self::Ssh => "ssh",
        }
    }
}

/// What an instance may use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resources {
    /// CPU time in thousandths of one processor.
    pub cpu_millis: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// Disk in MiB, for quotas; 0 where it is not counted.
    #[serde(default)]
    pub disk_mib: u32,
}

/// An entry of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// Unique short name: lower-case letters, digits and hyphens.
    pub slug: String,
    /// Name to show.
    pub name: String,
    /// One line about it.
    pub description: String,
    /// Name of an icon of the page, or empty.
    pub icon: String,
    /// Desktop or single application.
    pub kind: AppKind,
    /// Image that the hypervisor starts it from.
    pub image: String,
    /// How its picture is reached.
    pub protocol: Protocol,
    /// Port of that inside the instance.
    pub port: u16,
    /// Its limits.
    pub resources: Resources,
    /// What is done with its desktops by itself.
    pub policies: Policies,
    /// Labels that a host has to have to run it.
    pub hosts: Vec<Label>,
    /// When it was added.
    pub created_at: Timestamp,
}
