//! Several hosts: where instances go, and what becomes of them where a host is silent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]
#![allow(
    unreachable_pub,
    reason = "modules of a test have nobody else to serve"
)]

#[path = "fleet/machine.rs"]
mod machine;
#[path = "fleet/placing.rs"]
mod placing;
#[path = "fleet/silence.rs"]
mod silence;
#[path = "fleet/snapshots.rs"]
mod snapshots;
#[path = "support/store.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use daas_core::fleet::{Fleet, FleetConfig, HostSetup, HostState};
use daas_core::lifecycle::{Lifecycle, LifecycleConfig, Orphans};
use daas_core::model::{HostName, Instance, InstanceId, InstanceState, Quota};
use tokio::time::{Instant, sleep};

use machine::Machine;
use support::{Fixture, fixture};

/// A test that waits longer than this has failed.
const DEADLINE: Duration = Duration::from_secs(20);

/// Hosts that are asked often.
const CONFIG: FleetConfig = FleetConfig {
    strategy: daas_core::fleet::Strategy::Spread,
    cpu_overcommit: 4.0,
    memory_reserve_mib: 0,
    refresh: Duration::from_millis(30),
    patience: Duration::from_millis(200),
    stale_after: Duration::from_secs(10),
};

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

/// Machines `a` and `b`, and all that drives instances on them.
struct World {
    fixture: Fixture,
    machines: [Arc<Machine>; 2],
    fleet: Fleet,
    lifecycle: Lifecycle,
}

fn fleet(machines: &[(&str, &Arc<Machine>)], config: FleetConfig) -> Fleet {
    let setups = machines.iter().map(|(text, machine)| {
        let machine: Arc<Machine> = Arc::clone(machine);
        HostSetup::new(name(text), machine)
    });
    Fleet::new(setups.collect(), config)
}

async fn world(orphans: Orphans) -> World {
    let fixture = fixture().await;
    let machines = [Arc::new(Machine::default()), Arc::new(Machine::default())];
    let fleet = fleet(&[("a", &machines[0]), ("b", &machines[1])], CONFIG);
    let config = LifecycleConfig {
        quota: Quota::default(),
        orphans,
        ..LifecycleConfig::default()
    };
    let lifecycle = Lifecycle::new(fixture.store.clone(), fleet.clone(), config);
    World {
        fixture,
        machines,
        fleet,
        lifecycle,
    }
}

impl World {
    /// Begins what a server has going on all along.
    fn go_on(&self) {
        let (fleet, comparing, watching) = (
            self.fleet.clone(),
            self.lifecycle.clone(),
            self.lifecycle.clone(),
        );
        tokio::spawn(async move { fleet.keep_fresh().await });
        tokio::spawn(async move { comparing.keep_reconciled(Duration::from_millis(50)).await });
        tokio::spawn(async move { watching.watch().await });
    }

    async fn launch(&self) -> daas_core::Result<Instance> {
        let (owner, app) = (self.fixture.owner, self.fixture.app);
        self.lifecycle.launch(owner, app).await
    }

    async fn row(&self, id: InstanceId) -> Instance {
        self.fixture.store.instance(id).await.unwrap()
    }

    async fn until_state(&self, id: InstanceId, state: InstanceState) -> Instance {
        until(async || {
            let row = self.row(id).await;
            (row.state == state).then_some(row)
        })
        .await
    }

    /// One that runs; answers which machine it is on.
    async fn running(&self) -> (InstanceId, usize) {
        let id = self.launch().await.unwrap().id;
        let row = self.until_state(id, InstanceState::Running).await;
        let n = ["a", "b"].map(name);
        let n = n.iter().position(|name| row.host.as_ref() == Some(name));
        (id, n.unwrap())
    }

    async fn until_host(&self, n: usize, state: HostState) {
        until(async || (self.fleet.views()[n].state == state).then_some(())).await;
    }
}

/// Looks again and again, until something is so.
async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "took too long");
        sleep(Duration::from_millis(5)).await;
    }
}
