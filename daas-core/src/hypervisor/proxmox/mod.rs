//! Instances as guests of a Proxmox VE cluster.
//!
//! An image is a template, by name or number; an instance is a clone of it, a machine or a
//! container, in a pool and with a number of a range that are for this installation alone.
//! Name and tags say which instance it is; whatever lacks them is not touched. Nothing about
//! instances is kept here: the cluster knows it.
//!
//! # What the cluster does not tell
//! - Its list of guests says at once who is where, with which tags; what they do, and how they
//!   are called, it says up to ten seconds late. So whatever decides is asked of the node.
//! - A call whose answer is lost may have been done. It is looked what has become of it, and
//!   never asked again before that.
//! - A clone shows its name and its pool when it is done, not before. So numbers are tried in
//!   an order that depends on the instance: asking twice asks for the same number.
//!
//! # Templates
//! A template of a machine has the guest agent, and takes the password of the desktop by
//! cloud-init, where that is set up. Containers take no password: a template has its own.
//! The size of the screen is for the protocol to change. There is no way to run a command.
//!
//! # Which node
//! The backend chooses the node itself: a clone of a template on shared storage goes to the node
//! with the most memory left of those that are on, and any other stays with its template. Of
//! several templates with one name, on different nodes, that on the node with the most memory
//! left is taken. What nodes are being emptied by the manager of HA is not known here.
//!
//! # Where desktops are
//! A guest says what its addresses are. Those are believed that are on an interface which the
//! cluster gave it and in a network that is set up for desktops, and of these the first. A
//! guest could still claim the address of another in the same network: let the firewall of the
//! cluster filter addresses (`ipfilter`), and no guest reach another.

mod bridge;
pub mod client;
mod config;
mod create;
mod inventory;
mod marks;
mod observe;
mod power;
mod report;
mod snapshots;
mod templates;
mod trouble;
mod turns;
mod watch;

pub use bridge::{Bridge, WAITS};
pub use config::{Cloning, Config, Installation, Network};

use std::collections::HashSet;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::client::{Client, SettingError};
use self::inventory::Listed;
use self::marks::Marks;
use self::observe::{Macs, Seen, Uses};
use self::trouble::{BACKEND, Trouble};
use self::turns::Turns;
use self::watch::Picture;
use super::{
    Abilities, Console, ExecOutput, HostReport, Hypervisor, HypervisorEvent, Observed, Origin,
    Spec, Usage,
};
use crate::error::{Error, Result};
use crate::model::{InstanceId, Snapshot, SnapshotName};

/// A Proxmox VE cluster.
#[derive(Debug)]
pub struct Proxmox {
    client: Client,
    config: Config,
    marks: Marks,
    listed: tokio::sync::Mutex<Listed>,
    /// One operation after the other on an instance.
    turns: Turns<InstanceId>,
    /// One clone after the other from a storage.
    storages: Turns<String>,
    /// Numbers that are being cloned to.
    cloning: Mutex<HashSet<u32>>,
    seen: Mutex<Seen>,
    macs: Macs,
    /// Instances that were seen to be containers, which cannot be frozen.
    containers: Mutex<HashSet<InstanceId>>,
    used: Uses,
    /// What instances were made to do since it was last looked for events.
    done: Mutex<Picture>,
}

impl Proxmox {
    /// A cluster that is not asked anything yet.
    ///
    /// # Errors
    /// Where a setting is not as it has to be.
    pub fn new(config: Config) -> std::result::Result<Self, SettingError> {
        config.check()?;
        Ok(Self {
            client: Client::new(config.cluster.clone())?,
            marks: Marks::new(config.installation.clone()),
            config,
            listed: tokio::sync::Mutex::default(),
            turns: Turns::default(),
            storages: Turns::default(),
            cloning: Mutex::default(),
            seen: Mutex::default(),
            macs: Mutex::default(),
            containers: Mutex::default(),
            used: Mutex::default(),
            done: Mutex::default(),
        })
    }

    /// The client, for what a hypervisor has no words for: consoles, tasks.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for an answer, but not for longer than a limit.
    async fn timed<T>(
        &self,
        limit: Duration,
        what: &'static str,
        operation: &'static str,
        call: impl Future<Output = std::result::Result<T, Trouble>>,
    ) -> Result<T> {
        let answer = timeout(limit, call).await;
        let answer = answer.unwrap_or(Err(Trouble::Late(limit)));
        answer.map_err(|trouble| trouble.into_error(what, operation))
    }

    /// The same for what is asked of an instance, with the usual limit.
    async fn asked<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = std::result::Result<T, Trouble>>,
    ) -> Result<T> {
        let limit = self.config.call_timeout;
        self.timed(limit, "instance", operation, call).await
    }

    /// What cannot be done, of an instance that is there.
    async fn unsupported<T>(&self, id: InstanceId, operation: &'static str) -> Result<T> {
        self.asked(operation, self.instance(id)).await?;
        Err(Error::Unsupported {
            backend: BACKEND,
            operation,
        })
    }
}

#[async_trait]
impl Hypervisor for Proxmox {
    async fn check(&self) -> Result<String> {
        let call = async { Ok(self.client.version().await?.version) };
        self.asked("asking for the version", call).await
    }

    async fn report(&self) -> Result<HostReport> {
        self.asked("asking how busy it is", self.busy()).await
    }

    fn can(&self) -> Abilities {
        Abilities {
            suspend: true,
            snapshot: true,
            exec: false,
            resize: false,
            console: true,
        }
    }

    fn can_with(&self, id: InstanceId) -> Abilities {
        Abilities {
            suspend: !self.containers().contains(&id),
            ..self.can()
        }
    }

    async fn has_image(&self, image: &str) -> Result<bool> {
        let call = async { Ok(self.template(image).await?.is_some()) };
        self.asked("looking for an image", call).await
    }

    async fn create(&self, spec: &Spec) -> Result<()> {
        let limit = self.config.create_timeout;
        let call = self.create_all(spec);
        self.timed(limit, "instance", "creating", call).await
    }

    async fn start(&self, id: InstanceId) -> Result<()> {
        let limit = self.config.power_timeout;
        let call = self.start_all(id);
        self.timed(limit, "instance", "starting", call).await
    }

    /// What is frozen on disk is thawed to be stopped.
    async fn stop(&self, id: InstanceId, within: Duration) -> Result<()> {
        let limit = self.config.power_timeout.saturating_add(within);
        let call = self.stop_all(id, within);
        self.timed(limit, "instance", "stopping", call).await
    }

    /// Machines only.
    async fn suspend(&self, id: InstanceId) -> Result<()> {
        let limit = self.config.power_timeout;
        let call = self.suspend_all(id);
        self.timed(limit, "instance", "suspending", call).await
    }

    async fn resume(&self, id: InstanceId) -> Result<()> {
        let limit = self.config.power_timeout;
        let call = self.resume_all(id);
        self.timed(limit, "instance", "resuming", call).await
    }

    async fn remove(&self, id: InstanceId) -> Result<()> {
        let limit = self.config.create_timeout;
        let call = self.remove_all(id);
        self.timed(limit, "instance", "removing", call).await
    }

    async fn inspect(&self, id: InstanceId) -> Result<Observed> {
        self.asked("inspecting", self.observe(id)).await
    }

    /// Instances on nodes that cannot be asked are `Unreachable`.
    async fn list(&self) -> Result<Vec<Observed>> {
        let limit = self.config.power_timeout;
        let call = self.observe_all();
        self.timed(limit, "instance", "listing", call).await
    }

    /// The cluster tells no passwords.
    async fn origin(&self, id: InstanceId) -> Result<Origin> {
        let call = async {
            let own = self.instance(id).await?;
            let config = self.client.config(&own.guest).await?;
            let (app, owner) = Marks::origin(config.value("description").unwrap_or_default());
            Ok(Origin {
                app,
                owner,
                password: None,
            })
        };
        self.asked("asking what it was made from", call).await
    }

    /// Processor time is estimated.
    async fn usage(&self, id: InstanceId) -> Result<Usage> {
        self.asked("measuring", self.measure(id)).await
    }

    /// The logs of its last tasks.
    async fn log(&self, id: InstanceId) -> Result<Vec<u8>> {
        self.asked("reading the log", self.tail(id)).await
    }

    /// Not supported.
    async fn exec(&self, id: InstanceId, _command: &[&str]) -> Result<ExecOutput> {
        self.unsupported(id, "running a command").await
    }

    /// Not supported.
    async fn resize(&self, id: InstanceId, _width: u32, _height: u32) -> Result<()> {
        self.unsupported(id, "resizing the screen").await
    }

    async fn console(&self, id: InstanceId, here: IpAddr, gateway: IpAddr) -> Result<Console> {
        let bridge = self.bridge(id, here, gateway).await?;
        // It ends by itself.
        Ok(Console {
            address: bridge.address,
            password: bridge.password,
        })
    }

    async fn snapshots(&self, id: InstanceId) -> Result<Vec<Snapshot>> {
        self.asked("listing snapshots", self.snapshots_of(id)).await
    }

    async fn snapshot(&self, id: InstanceId, name: &SnapshotName) -> Result<()> {
        let limit = self.config.create_timeout;
        let call = self.snapshot_all(id, name);
        self.timed(limit, "instance", "taking a snapshot", call)
            .await
    }

    /// One with memory, which somebody made by hand, would make it run: not to that.
    async fn rollback(&self, id: InstanceId, name: &SnapshotName) -> Result<()> {
        let limit = self.config.create_timeout;
        let call = self.rollback_all(id, name);
        self.timed(limit, "instance", "going back to a snapshot", call)
            .await
    }

    async fn remove_snapshot(&self, id: InstanceId, name: &SnapshotName) -> Result<()> {
        let limit = self.config.create_timeout;
        let call = self.remove_snapshot_all(id, name);
        self.timed(limit, "instance", "removing a snapshot", call)
            .await
    }

    /// Says `Reconnected` also when it is connected for the first time.
    async fn watch(&self, events: mpsc::Sender<HypervisorEvent>) {
        self.send_events(events).await;
    }
}
