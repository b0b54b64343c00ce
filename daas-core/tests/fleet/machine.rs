//! A host in memory that can be away, or silent for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use daas_core::hypervisor::{
    Abilities, ExecOutput, HostReport, Hypervisor, HypervisorEvent, Observed, Origin, PowerState,
    Spec, Usage,
};
use daas_core::model::{Endpoint, InstanceId, Snapshot, SnapshotName, Timestamp};
use daas_core::{Error, Result};
use tokio::sync::mpsc;

pub struct Machine {
    pub desktops: Mutex<BTreeMap<InstanceId, PowerState>>,
    /// No call is answered at all, and none that was made comes back.
    pub is_silent: AtomicBool,
    /// All calls are refused.
    pub is_away: AtomicBool,
    pub lacks_images: AtomicBool,
    /// Whether it has consoles.
    pub shows: AtomicBool,
    pub memory_mib: AtomicU64,
    /// Calls that were begun.
    pub calls: AtomicU64,
    /// What is written on desktops.
    pub origins: Mutex<BTreeMap<InstanceId, Origin>>,
    pub kept: Mutex<BTreeSet<(InstanceId, SnapshotName)>>,
    /// Whoever holds it keeps snapshots from being made, removed and gone back to.
    pub gate: tokio::sync::Mutex<()>,
    /// How often such a thing was asked for.
    pub asked: AtomicU64,
    /// Times that something went back.
    pub went_back: AtomicU64,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            desktops: Mutex::default(),
            is_silent: AtomicBool::new(false),
            is_away: AtomicBool::new(false),
            lacks_images: AtomicBool::new(false),
            shows: AtomicBool::new(false),
            memory_mib: AtomicU64::new(64 << 10),
            calls: AtomicU64::new(0),
            origins: Mutex::default(),
            kept: Mutex::default(),
            gate: tokio::sync::Mutex::default(),
            asked: AtomicU64::new(0),
            went_back: AtomicU64::new(0),
        }
    }
}

const GONE: Error = Error::NotFound { what: "instance" };

impl Machine {
    async fn up(&self) -> Result<()> {
        self.calls.fetch_add(1, SeqCst);
        if self.is_silent.load(SeqCst) {
            pending::<()>().await;
        }
        if self.is_away.load(SeqCst) {
            return Err(Error::Unavailable {
                backend: "the machine",
                operation: "a call",
                source: Some("no route".into()),
            });
        }
        Ok(())
    }

    pub fn power(&self, id: InstanceId) -> Option<PowerState> {
        self.desktops.lock().unwrap().get(&id).copied()
    }

    /// Somebody else does something to a desktop, or makes one.
    pub fn put(&self, id: InstanceId, power: PowerState) {
        self.desktops.lock().unwrap().insert(id, power);
    }

    async fn change(&self, id: InstanceId, to: PowerState) -> Result<()> {
        self.up().await?;
        let mut desktops = self.desktops.lock().unwrap();
        *desktops.get_mut(&id).ok_or(GONE)? = to;
        Ok(())
    }
}

fn observed(id: InstanceId, power: PowerState) -> Observed {
    let endpoint = Endpoint {
        address: [10, 0, 0, 1].into(),
        port: 5901,
    };
    Observed {
        id,
        power,
        endpoint: (power != PowerState::Stopped).then_some(endpoint),
    }
}

#[async_trait]
impl Hypervisor for Machine {
    async fn check(&self) -> Result<String> {
        self.up().await.map(|()| "1".to_owned())
    }

    async fn report(&self) -> Result<HostReport> {
        self.up().await?;
        Ok(HostReport {
            version: "Machine 1".to_owned(),
            cpus: 64,
            memory_mib: self.memory_mib.load(SeqCst),
            ..HostReport::default()
        })
    }

    fn can(&self) -> Abilities {
        Abilities {
            suspend: true,
            snapshot: true,
            console: self.shows.load(SeqCst),
            ..Abilities::default()
        }
    }

    async fn has_image(&self, _: &str) -> Result<bool> {
        self.up().await?;
        Ok(!self.lacks_images.load(SeqCst))
    }

    async fn create(&self, spec: &Spec) -> Result<()> {
        self.up().await?;
        let mut desktops = self.desktops.lock().unwrap();
        desktops.entry(spec.id).or_insert(PowerState::Stopped);
        let origin = Origin {
            app: spec.app.clone(),
            owner: spec.owner,
            password: Some(spec.password.clone()),
        };
        self.origins
            .lock()
            .unwrap()
            .entry(spec.id)
            .or_insert(origin);
        Ok(())
    }

    async fn start(&self, id: InstanceId) -> Result<()> {
        self.change(id, PowerState::Running).await
    }

    async fn stop(&self, id: InstanceId, _: Duration) -> Result<()> {
        self.change(id, PowerState::Stopped).await
    }

    async fn suspend(&self, id: InstanceId) -> Result<()> {
        self.change(id, PowerState::Suspended).await
    }

    async fn resume(&self, id: InstanceId) -> Result<()> {
        self.change(id, PowerState::Running).await
    }

    async fn remove(&self, id: InstanceId) -> Result<()> {
        self.up().await?;
        self.desktops.lock().unwrap().remove(&id);
        Ok(())
    }

    async fn inspect(&self, id: InstanceId) -> Result<Observed> {
        self.up().await?;
        let desktops = self.desktops.lock().unwrap();
        let power = *desktops.get(&id).ok_or(GONE)?;
        Ok(observed(id, power))
    }

    async fn list(&self) -> Result<Vec<Observed>> {
        self.up().await?;
        let desktops = self.desktops.lock().unwrap();
        let all = desktops.iter().map(|(id, power)| observed(*id, *power));
        Ok(all.collect())
    }

    async fn origin(&self, id: InstanceId) -> Result<Origin> {
        self.up().await?;
        self.origins.lock().unwrap().get(&id).cloned().ok_or(GONE)
    }

    async fn usage(&self, _: InstanceId) -> Result<Usage> {
        Ok(Usage::default())
    }

    async fn log(&self, _: InstanceId) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    async fn exec(&self, _: InstanceId, _: &[&str]) -> Result<ExecOutput> {
        Err(GONE)
    }

    async fn resize(&self, _: InstanceId, _: u32, _: u32) -> Result<()> {
        Ok(())
    }

    async fn snapshots(&self, id: InstanceId) -> Result<Vec<Snapshot>> {
        self.up().await?;
        self.power(id).ok_or(GONE)?;
        let kept = self.kept.lock().unwrap();
        let own = kept.iter().filter(|(of, _)| *of == id);
        let own = own.map(|(_, name)| Snapshot {
            name: name.clone(),
            made_at: Timestamp(1),
        });
        Ok(own.collect())
    }

    async fn snapshot(&self, id: InstanceId, name: &SnapshotName) -> Result<()> {
        self.asked.fetch_add(1, SeqCst);
        let _gate = self.gate.lock().await;
        self.up().await?;
        self.kept.lock().unwrap().insert((id, name.clone()));
        Ok(())
    }

    async fn rollback(&self, id: InstanceId, name: &SnapshotName) -> Result<()> {
        self.asked.fetch_add(1, SeqCst);
        let _gate = self.gate.lock().await;
        self.up().await?;
        assert_eq!(self.power(id), Some(PowerState::Stopped));
        let is_there = self.kept.lock().unwrap().contains(&(id, name.clone()));
        self.went_back.fetch_add(u64::from(is_there), SeqCst);
        is_there
            .then_some(())
            .ok_or(Error::NotFound { what: "snapshot" })
    }

    async fn remove_snapshot(&self, id: InstanceId, name: &SnapshotName) -> Result<()> {
        self.asked.fetch_add(1, SeqCst);
        let _gate = self.gate.lock().await;
        self.up().await?;
        self.kept.lock().unwrap().remove(&(id, name.clone()));
        Ok(())
    }

    async fn watch(&self, events: mpsc::Sender<HypervisorEvent>) {
        events.closed().await;
    }
}
