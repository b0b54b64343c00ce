//! A hypervisor and a gateway in memory, which keep the contracts of their traits.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::future::pending;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use daas_core::gateway::{ConnectError, Connection, Display, Gateway, Status, Target};
use daas_core::hypervisor::{
    Abilities, Console, ExecOutput, HostReport, Hypervisor, HypervisorEvent, Observed, PowerState,
    Spec, Usage,
};
use daas_core::model::{Endpoint, InstanceId, Reach, Snapshot, SnapshotName, Timestamp};
use daas_core::{Error, Result, Secret};
use tokio::sync::mpsc;

/// Both at once.
#[derive(Default)]
pub struct Fake {
    images: HashSet<String>,
    instances: Mutex<HashMap<InstanceId, (PowerState, Reach)>>,
    /// Consoles that were opened: of which, where, and for which gateway.
    pub consoles: Mutex<Vec<(InstanceId, IpAddr, IpAddr)>>,
    kept: Mutex<BTreeSet<(InstanceId, SnapshotName)>>,
    /// Whoever holds it keeps snapshots from being made.
    pub gate: tokio::sync::Mutex<()>,
    /// Snapshots that were asked for.
    pub asked: AtomicU64,
    /// Whether it keeps no snapshots, and freezes nothing.
    pub plain: AtomicBool,
    watchers: Mutex<Vec<mpsc::Sender<HypervisorEvent>>>,
    /// Whether nothing answers.
    pub down: AtomicBool,
    /// Whether asking panics, which no backend should do.
    pub panics: AtomicBool,
    /// Whether desktops that start do not answer yet.
    pub slow: AtomicBool,
    /// Whether desktops cannot be frozen.
    pub rigid: AtomicBool,
    /// Whether no call comes back at all.
    pub silent: AtomicBool,
    /// Calls that were begun.
    pub calls: AtomicU64,
    /// Times that all instances were asked for.
    pub lists: AtomicU64,
}

const NOT_FOUND: Error = Error::NotFound { what: "instance" };

impl Fake {
    pub fn with_images<const N: usize>(images: [&str; N]) -> Self {
        Self {
            images: images.map(str::to_owned).into(),
            ..Self::default()
        }
    }

    fn up(&self) -> Result<()> {
        assert!(!self.panics.load(SeqCst), "as the test wants it");
        if self.down.load(SeqCst) {
            return Err(Error::Unavailable {
                backend: "Docker",
                operation: "a call",
                source: Some("secret-insides".into()),
            });
        }
        Ok(())
    }

    /// The same, for those who may wait for ever.
    async fn reach(&self) -> Result<()> {
        self.calls.fetch_add(1, SeqCst);
        if self.silent.load(SeqCst) {
            pending::<()>().await;
        }
        self.up()
    }

    /// Changes the state of an instance that is in one of some states; others are fine as
    /// they are.
    fn change(&self, id: InstanceId, from: &[PowerState], to: PowerState) -> Result<()> {
        self.up()?;
        let mut instances = self.instances.lock().unwrap();
        let (power, _) = instances.get_mut(&id).ok_or(NOT_FOUND)?;
        if from.contains(power) {
            *power = to;
        }
        Ok(())
    }

    /// What an instance does whose snapshots are asked for.
    async fn keeps(&self, id: InstanceId) -> Result<PowerState> {
        self.reach().await?;
        if self.plain.load(SeqCst) {
            return Err(Error::Unsupported {
                backend: "the fake",
                operation: "snapshots",
            });
        }
        Ok(self.instances.lock().unwrap().get(&id).ok_or(NOT_FOUND)?.0)
    }

    fn observe(&self, id: InstanceId, (power, reach): (PowerState, Reach)) -> Observed {
        let power = match power {
            PowerState::Running if self.slow.load(SeqCst) => PowerState::Starting,
            power => power,
        };
        let address = [10, 0, 0, 1].into();
        let endpoint = match (power, reach) {
            (PowerState::Stopped, _) | (_, Reach::Console) => None,
            (_, Reach::Port(port)) => Some(Endpoint { address, port }),
        };
        Observed {
            id,
            power,
            endpoint,
        }
    }

    /// Instances that are there.
    pub fn count(&self) -> usize {
        self.instances.lock().unwrap().len()
    }

    /// A desktop ends by itself.
    pub async fn end(&self, id: InstanceId) {
        let all = [PowerState::Running, PowerState::Suspended];
        self.change(id, &all, PowerState::Stopped).unwrap();
        let watchers = self.watchers.lock().unwrap().clone();
        for watcher in watchers {
            // Who watches no more has dropped its end.
            let _ = watcher.send(HypervisorEvent::Changed(id)).await;
        }
    }
}

#[async_trait]
impl Hypervisor for Fake {
    async fn check(&self) -> Result<String> {
        self.reach().await.map(|()| "Fake 1.0".to_owned())
    }

    async fn report(&self) -> Result<HostReport> {
        self.reach().await?;
        let running = self.instances.lock().unwrap();
        let running = running.values();
        let running = running.filter(|(power, _)| *power != PowerState::Stopped);
        Ok(HostReport {
            version: "Fake 1.0".to_owned(),
            cpus: 1000,
            memory_mib: 1 << 20,
            running: running.count() as u32,
            ..HostReport::default()
        })
    }

    fn can(&self) -> Abilities {
        Abilities {
            suspend: !self.plain.load(SeqCst),
            snapshot: !self.plain.load(SeqCst),
            exec: true,
            resize: true,
            console: true,
        }
    }

    async fn has_image(&self, image: &str) -> Result<bool> {
        self.reach().await.map(|()| self.images.contains(image))
    }

    async fn create(&self, spec: &Spec) -> Result<()> {
        self.reach().await?;
        let mut instances = self.instances.lock().unwrap();
        let fresh = (PowerState::Stopped, spec.reach);
        instances.entry(spec.id).or_insert(fresh);
        Ok(())
    }

    async fn start(&self, id: InstanceId) -> Result<()> {
        self.reach().await?;
        self.change(id, &[PowerState::Stopped], PowerState::Running)
    }

    async fn stop(&self, id: InstanceId, _: Duration) -> Result<()> {
        self.reach().await?;
        let all = [PowerState::Running, PowerState::Suspended];
        self.change(id, &all, PowerState::Stopped)
    }

    async fn suspend(&self, id: InstanceId) -> Result<()> {
        self.reach().await?;
        if self.rigid.load(SeqCst) {
            return Err(Error::Unsupported {
                backend: "the fake",
                operation: "freezing desktops",
            });
        }
        self.change(id, &[PowerState::Running], PowerState::Suspended)
    }

    async fn resume(&self, id: InstanceId) -> Result<()> {
        self.reach().await?;
        self.change(id, &[PowerState::Suspended], PowerState::Running)
    }

    async fn remove(&self, id: InstanceId) -> Result<()> {
        self.reach().await?;
        self.instances.lock().unwrap().remove(&id);
        Ok(())
    }

    async fn inspect(&self, id: InstanceId) -> Result<Observed> {
        self.reach().await?;
        let instances = self.instances.lock().unwrap();
        let found = instances.get(&id).ok_or(NOT_FOUND)?;
        Ok(self.observe(id, *found))
    }

    async fn list(&self) -> Result<Vec<Observed>> {
        self.lists.fetch_add(1, SeqCst);
        self.reach().await?;
        let instances = self.instances.lock().unwrap();
        let all = instances
            .iter()
            .map(|(id, found)| self.observe(*id, *found));
        Ok(all.collect())
    }

    async fn usage(&self, id: InstanceId) -> Result<Usage> {
        self.inspect(id).await.map(|_| Usage::default())
    }

    async fn log(&self, id: InstanceId) -> Result<Vec<u8>> {
        self.inspect(id).await.map(|_| Vec::new())
    }

    async fn exec(&self, id: InstanceId, _: &[&str]) -> Result<ExecOutput> {
        self.inspect(id).await.map(|_| ExecOutput {
            code: 0,
            output: Vec::new(),
        })
    }

    async fn resize(&self, id: InstanceId, _: u32, _: u32) -> Result<()> {
        self.inspect(id).await.map(drop)
    }

    async fn console(&self, id: InstanceId, here: IpAddr, gateway: IpAddr) -> Result<Console> {
        self.inspect(id).await?;
        self.consoles.lock().unwrap().push((id, here, gateway));
        Ok(Console {
            address: (here, 5999).into(),
            password: Secret::new("of-the-console".to_owned()),
        })
    }

    async fn snapshots(&self, id: InstanceId) -> Result<Vec<Snapshot>> {
        self.keeps(id).await?;
        let kept = self.kept.lock().unwrap();
        let own = kept.iter().filter(|(of, _)| *of == id);
        let own = own.map(|(_, name)| Snapshot {
            name: name.clone(),
            made_at: Timestamp(1_800_000_000_000),
        });
        Ok(own.collect())
    }

    async fn snapshot(&self, id: InstanceId, name: &SnapshotName) -> Result<()> {
        self.asked.fetch_add(1, SeqCst);
        let _gate = self.gate.lock().await;
        self.keeps(id).await?;
        self.kept.lock().unwrap().insert((id, name.clone()));
        Ok(())
    }

    async fn rollback(&self, id: InstanceId, name: &SnapshotName) -> Result<()> {
        if self.keeps(id).await? != PowerState::Stopped {
            let reason = "it is not stopped".to_owned();
            return Err(Error::Conflict { reason });
        }
        let is_there = self.kept.lock().unwrap().contains(&(id, name.clone()));
        let missing = Error::NotFound { what: "snapshot" };
        is_there.then_some(()).ok_or(missing)
    }

    async fn remove_snapshot(&self, id: InstanceId, name: &SnapshotName) -> Result<()> {
        self.keeps(id).await?;
        self.kept.lock().unwrap().remove(&(id, name.clone()));
        Ok(())
    }

    async fn watch(&self, events: mpsc::Sender<HypervisorEvent>) {
        self.watchers.lock().unwrap().push(events.clone());
        events.closed().await;
    }
}

#[async_trait]
impl Gateway for Fake {
    async fn check(&self) -> Result<()> {
        self.up()
    }

    async fn connect(&self, _: &Target, _: &Display) -> Result<Connection, ConnectError> {
        Err(ConnectError {
            status: Status::UpstreamNotFound,
            reason: "The fake gateway opens no connections.".to_owned(),
            source: None,
        })
    }
}
