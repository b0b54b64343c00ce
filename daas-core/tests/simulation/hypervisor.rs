//! A hypervisor by the contract of the trait, with outages and desktops that end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daas_core::hypervisor::{
    Abilities, ExecOutput, HostReport, Hypervisor, HypervisorEvent, Observed, PowerState, Spec,
    Usage,
};
use daas_core::model::{InstanceId, Timestamp};
use daas_core::{Error, Result};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::life::Life;
use crate::world::{Desktop, Happening, Inner, Power};

pub struct Engine {
    pub life: Arc<Life>,
    /// Its place among the hosts.
    pub host: usize,
}

fn unreachable() -> Error {
    Error::Unavailable {
        backend: "the engine",
        operation: "a call",
        source: None,
    }
}

/// The slug of the application whose desktops cannot be frozen.
pub const RIGID: &str = "rigid";
const UNSUPPORTED: Error = Error::Unsupported {
    backend: "the engine",
    operation: "freezing it",
};
const GONE: Error = Error::NotFound { what: "instance" };

fn observed(id: InstanceId, desktop: &Desktop) -> Observed {
    let power = match desktop.power {
        Power::Stopped => PowerState::Stopped,
        Power::Runs { ready_at } if ready_at <= Timestamp::now() => PowerState::Running,
        Power::Runs { .. } => PowerState::Starting,
        Power::Frozen { .. } => PowerState::Suspended,
    };
    let endpoint = (power != PowerState::Stopped).then_some(desktop.endpoint);
    Observed {
        id,
        power,
        endpoint,
    }
}

/// A desktop, if it is on that host.
fn on(inner: &mut Inner, host: usize, id: InstanceId) -> Result<&mut Desktop> {
    let desktop = inner.desktops.get_mut(&id);
    desktop.filter(|desktop| desktop.host == host).ok_or(GONE)
}

impl Engine {
    async fn call<T>(&self, name: &str, call: impl FnOnce(&mut Inner) -> Result<T>) -> Result<T> {
        let world = &self.life.world;
        let latency = world.between(1, 300);
        let done = async {
            sleep(Duration::from_millis(latency)).await;
            let mut inner = world.inner();
            if inner.outage_until[self.host] > Timestamp::now() {
                return Err(unreachable());
            }
            call(&mut inner)
        };
        self.life.call(name, unreachable, done).await
    }

    /// A call that changes a desktop: no two at a time for one of them.
    async fn change<T>(
        &self,
        id: InstanceId,
        name: &str,
        call: impl FnOnce(&mut Inner) -> Result<T>,
    ) -> Result<T> {
        let is_first = self.life.world.inner().busy.insert(id);
        assert!(is_first, "{name} {id} while something else is done to it");
        let done = self.call(&format!("{name} {id}"), call).await;
        self.life.world.inner().busy.remove(&id);
        done
    }
}

#[async_trait]
impl Hypervisor for Engine {
    async fn check(&self) -> Result<String> {
        self.call("check", |_| Ok("simulated".to_owned())).await
    }

    async fn report(&self) -> Result<HostReport> {
        self.call("report", |_| {
            Ok(HostReport {
                cpus: 64,
                memory_mib: 1 << 20,
                ..HostReport::default()
            })
        })
        .await
    }

    fn can(&self) -> Abilities {
        Abilities {
            suspend: true,
            ..Abilities::default()
        }
    }

    async fn has_image(&self, _: &str) -> Result<bool> {
        self.call("has_image", |_| Ok(true)).await
    }

    async fn create(&self, spec: &Spec) -> Result<()> {
        let (id, host) = (spec.id, self.host);
        let is_rigid = spec.app == RIGID;
        self.change(id, "create", |inner| {
            let endpoint = inner.new_endpoint();
            let desktop = inner.desktops.entry(id).or_insert(Desktop {
                host,
                power: Power::Stopped,
                endpoint,
                is_rigid,
            });
            assert_eq!(desktop.host, host, "{id} is made on two hosts");
            Ok(())
        })
        .await
    }

    async fn start(&self, id: InstanceId) -> Result<()> {
        let host = self.host;
        // One in fifty never answers.
        let boot = match self.life.world.between(0, 49) {
            0 => 1_000_000,
            _ => self.life.world.between(100, 6000),
        };
        self.change(id, "start", |inner| {
            let endpoint = inner.new_endpoint();
            let desktop = on(inner, host, id)?;
            match desktop.power {
                Power::Stopped => {
                    let ready_at = Timestamp::now().plus_ms(boot as i64);
                    desktop.power = Power::Runs { ready_at };
                    desktop.endpoint = endpoint;
                }
                Power::Runs { .. } => {}
                Power::Frozen { .. } => {
                    let reason = "it is frozen".to_owned();
                    return Err(Error::Conflict { reason });
                }
            }
            Ok(())
        })
        .await
    }

    async fn stop(&self, id: InstanceId, _: Duration) -> Result<()> {
        let host = self.host;
        self.change(id, "stop", |inner| {
            on(inner, host, id)?.power = Power::Stopped;
            Ok(())
        })
        .await
    }

    async fn suspend(&self, id: InstanceId) -> Result<()> {
        let host = self.host;
        self.change(id, "suspend", |inner| {
            let desktop = on(inner, host, id)?;
            if desktop.is_rigid {
                self.life.world.count(Happening::StopInstead);
                return Err(UNSUPPORTED);
            }
            match desktop.power {
                Power::Runs { ready_at } => desktop.power = Power::Frozen { ready_at },
                Power::Frozen { .. } => {}
                Power::Stopped => {
                    let reason = "it is stopped".to_owned();
                    return Err(Error::Conflict { reason });
                }
            }
            Ok(())
        })
        .await
    }

    async fn resume(&self, id: InstanceId) -> Result<()> {
        let host = self.host;
        self.change(id, "resume", |inner| {
            let desktop = on(inner, host, id)?;
            match desktop.power {
                Power::Frozen { ready_at } => desktop.power = Power::Runs { ready_at },
                Power::Runs { .. } => {}
                Power::Stopped => {
                    let reason = "it is stopped".to_owned();
                    return Err(Error::Conflict { reason });
                }
            }
            Ok(())
        })
        .await
    }

    async fn remove(&self, id: InstanceId) -> Result<()> {
        let host = self.host;
        self.change(id, "remove", |inner| {
            if on(inner, host, id).is_ok() {
                inner.desktops.remove(&id);
            }
            Ok(())
        })
        .await
    }

    async fn inspect(&self, id: InstanceId) -> Result<Observed> {
        let host = self.host;
        self.call("inspect", |inner| {
            let desktop = on(inner, host, id)?;
            Ok(observed(id, desktop))
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Observed>> {
        let host = self.host;
        self.call("list", |inner| {
            let all = inner.desktops.iter();
            let all = all.filter(|(_, desktop)| desktop.host == host);
            Ok(all.map(|(id, desktop)| observed(*id, desktop)).collect())
        })
        .await
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

    async fn watch(&self, events: mpsc::Sender<HypervisorEvent>) {
        let world = &self.life.world;
        let mut was_out = true;
        loop {
            sleep(Duration::from_millis(500)).await;
            let is_out = world.inner().outage_until[self.host] > Timestamp::now();
            let mut news = std::mem::take(&mut world.inner().events[self.host]);
            // What happens meanwhile nobody tells.
            if is_out {
                news.clear();
            } else if was_out {
                news.push(HypervisorEvent::Reconnected);
            }
            was_out = is_out;
            for event in news {
                if events.send(event).await.is_err() {
                    return;
                }
            }
        }
    }
}
