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
    /// The console of the machine, as its host shows it: the gateway speaks RFB with the host,
    /// and the machine itself needs neither network nor server.
    Console,
}

impl Protocol {
    /// Its name in the Guacamole protocol's `select`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vnc | Self::Console => "vnc",
            Self::Rdp => "rdp",
            Self::Ssh => "ssh",
        }
    }
}

/// How a person is logged in to a desktop, besides the password of the instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogIn {
    /// Name of the user inside the desktop; without one, whoever logs in by RDP or SSH is asked
    /// for it, or refused.
    pub user: String,
    /// Domain of Windows, or empty.
    pub domain: String,
    /// How RDP proves who is who.
    pub security: RdpSecurity,
    /// Whether RDP takes certificates that nobody vouches for, as those are that Windows makes
    /// for itself.
    pub certificate_unchecked: bool,
}

/// How RDP proves who is who: the parameter `security` of guacd (guacamole-server,
/// `src/protocols/rdp/settings.c`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RdpSecurity {
    /// Whatever the desktop offers.
    #[default]
    Any,
    /// Before there is a picture, over TLS: Network Level Authentication.
    Nla,
    /// The same, with a result that is told early.
    NlaExt,
    /// TLS; the desktop asks for the password itself.
    Tls,
    /// As Hyper-V does.
    Vmconnect,
    /// RC4 of RDP itself, which is not safe.
    Rdp,
}

impl RdpSecurity {
    /// Its name for guacd.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Nla => "nla",
            Self::NlaExt => "nla-ext",
            Self::Tls => "tls",
            Self::Vmconnect => "vmconnect",
            Self::Rdp => "rdp",
        }
    }
}

/// How people get to a desktop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It listens on this port.
    Port(u16),
    /// It need not listen, nor have a network: they are shown the
    /// [console](crate::hypervisor::Hypervisor::console) of the machine.
    Console,
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
    /// Port of that inside the instance; of no meaning for consoles.
    pub port: u16,
    /// How people are logged in.
    pub log_in: LogIn,
    /// Its limits.
    pub resources: Resources,
    /// What is done with its desktops by itself.
    pub policies: Policies,
    /// Labels that a host has to have to run it.
    pub hosts: Vec<Label>,
    /// When it was added.
    pub created_at: Timestamp,
}

impl App {
    /// How people get to its desktops.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self.protocol {
            Protocol::Console => Reach::Console,
            Protocol::Vnc | Protocol::Rdp | Protocol::Ssh => Reach::Port(self.port),
        }
    }
}
