//! What runs instances: one trait, and its backends.

#[cfg(feature = "docker")]
pub mod docker;
#[cfg(any(feature = "docker", feature = "proxmox"))]
mod probe;
#[cfg(feature = "proxmox")]
pub mod proxmox;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::error::{Error, Result};
use crate::model::{Endpoint, InstanceId, Reach, Resources, Snapshot, SnapshotName, UserId};
use crate::secret::Secret;

/// What to create.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The instance; the backend marks with it all that it makes.
    pub id: InstanceId,
    /// The image to start from.
    pub image: String,
    /// The slug of the application.
    pub app: String,
    /// Whose it is, if it does not wait for somebody.
    pub owner: Option<UserId>,
    /// Its limits.
    pub resources: Resources,
    /// How people get to its desktop.
    pub reach: Reach,
    /// The password that the desktop is to ask for. Never shown by what inspects the
    /// instance.
    pub password: Secret<String>,
    /// Size of its screen at first, in pixels.
    pub width: u32,
    /// See `width`.
    pub height: u32,
}

/// Where the console of an instance is to be found, once, for a short while.
#[derive(Clone, Debug)]
pub struct Console {
    /// A port of this machine that takes one connection of VNC.
    pub address: SocketAddr,
    /// What is asked for there.
    pub password: Secret<String>,
}

/// What is written on an instance for a day on which no row knows it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The slug of the application.
    pub app: String,
    /// Whose it was when it was made.
    pub owner: Option<UserId>,
    /// The password of its desktop, where the backend can tell it.
    pub password: Option<Secret<String>>,
}

/// What a hypervisor says of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// Created, or stopped.
    Stopped,
    /// Runs, but its desktop does not answer yet.
    Starting,
    /// Runs, and its desktop answers. Of a desktop that people see by its console it is not
    /// known whether it answers.
    Running,
    /// Frozen.
    Suspended,
    /// Runs, but its desktop does not answer any more.
    Unhealthy,
    /// Nothing is known: it is on a part of the backend that cannot be asked, such as a node of
    /// a cluster. Only a [`list`](Hypervisor::list) says so.
    Unreachable,
    /// Is not there, though something that was made for it is. Only a
    /// [`list`](Hypervisor::list) says so; removing it takes that away.
    Absent,
}

/// What a hypervisor has of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The instance.
    pub id: InstanceId,
    /// What it does.
    pub power: PowerState,
    /// Where its desktop listens, if it runs, and is not seen by its console.
    pub endpoint: Option<Endpoint>,
}

/// What an instance uses at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time since it was started, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// What came of a command inside an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutput {
    /// Exit code.
    pub code: i64,
    /// Standard output and error, cut at 64 KiB.
    pub output: Vec<u8>,
}

/// What a backend is able to do at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Freezing instances.
    pub suspend: bool,
    /// Keeping the state of an instance, to go back to it.
    pub snapshot: bool,
    /// Running commands inside.
    pub exec: bool,
    /// Changing the size of screens.
    pub resize: bool,
    /// Showing the console of the machine, so that its desktop need not listen.
    pub console: bool,
}

/// What a backend has, and how busy it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostReport {
    /// Its name and version, such as `Docker 28.1.1`.
    pub version: String,
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// How much of that is used, where that is known.
    pub memory_used_mib: Option<u64>,
    /// Instances that run.
    pub running: u32,
    /// The nodes of a cluster, by name; none where there is but one machine.
    pub nodes: Vec<NodeReport>,
}

/// What a node of a cluster has, and how busy it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub is_on: bool,
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// How much of that is used.
    pub memory_used_mib: u64,
    /// Instances that run on it.
    pub running: u32,
}

/// Something happened to an instance that may not have been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HypervisorEvent {
    /// Look at this instance again.
    Changed(InstanceId),
    /// The connection was lost and made again: look at all of them.
    Reconnected,
}

/// Runs instances.
///
/// # Contract
/// - Every operation is idempotent by the instance's id: creating what is there, starting
///   what runs, stopping what is stopped and removing what is gone succeed and change
///   nothing.
/// - When an operation answers `Ok`, its effect is there. `Unavailable` says that nothing is
///   known: it may or may not have happened, and asking again is safe.
/// - `NotFound` is answered for instances that the backend does not have (but by
///   [`remove`](Self::remove)).
/// - Nothing that others made is touched.
#[async_trait]
pub trait Hypervisor: Send + Sync + 'static {
    /// Whether the backend can be reached; answers its version.
    async fn check(&self) -> Result<String>;
    /// Whether instances can be created, what there is for them, and how busy it is.
    async fn report(&self) -> Result<HostReport>;
    /// What the backend is able to do at all.
    fn can(&self) -> Abilities;
    /// What can be done with an instance, as far as that is known: it may be less than what
    /// the backend is able to do at all.
    fn can_with(&self, _id: InstanceId) -> Abilities {
        self.can()
    }
    /// Whether an image is present, so that creating from it does not have to wait.
    async fn has_image(&self, image: &str) -> Result<bool>;

    /// Creates an instance, stopped, with a network of its own.
    async fn create(&self, spec: &Spec) -> Result<()>;
    /// Starts it. Its desktop may take a while to answer; see [`inspect`](Self::inspect).
    async fn start(&self, id: InstanceId) -> Result<()>;
    /// Stops it; kills it after the time given.
    async fn stop(&self, id: InstanceId, within: Duration) -> Result<()>;
    /// Freezes it; `Unsupported` where this cannot be.
    async fn suspend(&self, id: InstanceId) -> Result<()>;
    /// Thaws it.
    async fn resume(&self, id: InstanceId) -> Result<()>;
    /// Stops and removes it, with all that was made for it.
    async fn remove(&self, id: InstanceId) -> Result<()>;

    /// What it does now.
    async fn inspect(&self, id: InstanceId) -> Result<Observed>;
    /// All instances that the backend has, or has something of.
    async fn list(&self) -> Result<Vec<Observed>>;
    /// What was written on it when it was made.
    async fn origin(&self, _id: InstanceId) -> Result<Origin> {
        Err(without("saying what an instance was made from"))
    }
    /// What it uses.
    async fn usage(&self, id: InstanceId) -> Result<Usage>;
    /// The end of its log, at most 64 KiB.
    async fn log(&self, id: InstanceId) -> Result<Vec<u8>>;
    /// Runs a command in it, for at most ten seconds.
    async fn exec(&self, id: InstanceId, command: &[&str]) -> Result<ExecOutput>;
    /// Changes the size of its screen, for gateways that cannot.
    async fn resize(&self, id: InstanceId, width: u32, height: u32) -> Result<()>;

    /// Opens a way to the console of an instance that runs, for one connection of a gateway:
    /// on the address of this machine that the gateway sees, for nobody but the gateway.
    ///
    /// Backends that [`can`](Self::can) show none answer `Unsupported`.
    async fn console(&self, _id: InstanceId, _here: IpAddr, _gateway: IpAddr) -> Result<Console> {
        Err(without("showing the console"))
    }

    /// The snapshots of an instance that are complete, the oldest first.
    ///
    /// Backends that [`can`](Self::can) keep none answer `Unsupported`, here and below.
    async fn snapshots(&self, _id: InstanceId) -> Result<Vec<Snapshot>> {
        Err(without("listing snapshots"))
    }
    /// Keeps the state of the disks of an instance that runs or is stopped; its memory is not
    /// kept. One of that name that is there already is fine, and is not changed.
    async fn snapshot(&self, _id: InstanceId, _name: &SnapshotName) -> Result<()> {
        Err(without("taking snapshots"))
    }
    /// Goes back to a snapshot, and leaves the instance stopped. `Conflict` where it is not
    /// stopped before; then nothing was done.
    async fn rollback(&self, _id: InstanceId, _name: &SnapshotName) -> Result<()> {
        Err(without("going back to snapshots"))
    }
    /// Removes a snapshot. One that is gone is fine.
    async fn remove_snapshot(&self, _id: InstanceId, _name: &SnapshotName) -> Result<()> {
        Err(without("removing snapshots"))
    }

    /// Sends events until the receiver is dropped; reconnects by itself.
    async fn watch(&self, events: mpsc::Sender<HypervisorEvent>);
}

/// What a backend answers that is not able to do something.
const fn without(operation: &'static str) -> Error {
    Error::Unsupported {
        backend: "the host of the desktop",
        operation,
    }
}
