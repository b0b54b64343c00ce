//! A simulator with the backend on it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daas_core::Secret;
use daas_core::hypervisor::Hypervisor;
use daas_core::hypervisor::proxmox::client::{Credentials, Settings, Trust};
use daas_core::hypervisor::proxmox::{Config, Proxmox};
use daas_core::model::InstanceId;

use crate::support::conformance::{Ability, Fixture};
use crate::support::pve::{Simulator, TOKEN_ID, TOKEN_SECRET, Timing};

pub(crate) const POOL: &str = "desktops";

/// A simulator with the backend on it, and the template that is used.
pub(crate) struct Lab {
    pub(crate) simulator: Simulator,
    pub(crate) proxmox: Proxmox,
    pub(crate) template: &'static str,
}

pub(crate) fn config(simulator: &Simulator) -> Config {
    let credentials = Credentials::Token {
        id: TOKEN_ID.to_owned(),
        secret: Secret::new(TOKEN_SECRET.to_owned()),
    };
    let endpoints = vec![simulator.address().to_string().parse().unwrap()];
    let trust = Trust::Fingerprints(vec![simulator.fingerprint.parse().unwrap()]);
    let mut cluster = Settings::new(endpoints, credentials, trust);
    cluster.poll_first = Duration::from_millis(15);
    cluster.poll_last = Duration::from_millis(60);
    let networks = vec!["127.64.0.0/10".parse().unwrap()];
    let mut config = Config::new(cluster, "lab".parse().unwrap(), 5000..=5099, networks);
    config.pool = Some(POOL.to_owned());
    config.cloud_init_user = Some("desktop".to_owned());
    config.watch_every = Duration::from_millis(100);
    config.create_timeout = Duration::from_secs(30);
    config.power_timeout = Duration::from_secs(30);
    config
}

/// The backend on a simulator, as another run of a program has it.
pub(crate) fn open(simulator: &Simulator) -> Proxmox {
    Proxmox::new(config(simulator)).unwrap()
}

impl Lab {
    pub(crate) fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::with(Timing::short(), change)
    }

    pub(crate) fn with(timing: Timing, change: impl FnOnce(&mut Config)) -> Self {
        let simulator = Simulator::start(timing);
        let mut config = config(&simulator);
        change(&mut config);
        Self {
            proxmox: Proxmox::new(config).unwrap(),
            simulator,
            template: "desktop",
        }
    }

    /// The number of an instance's guest.
    pub(crate) fn vmid(&self, id: InstanceId) -> u32 {
        let found = self.simulator.world(|world| world.named(&id.to_string()));
        assert_eq!(found.len(), 1, "{found:?}");
        found[0]
    }
}

#[async_trait]
impl Fixture for Lab {
    fn hypervisor(&self) -> &dyn Hypervisor {
        &self.proxmox
    }

    fn image(&self) -> (String, u16) {
        let port = self.simulator.world(|world| world.desktop_port);
        (self.template.to_owned(), port)
    }

    fn lacks(&self, ability: Ability) -> Option<&'static str> {
        match ability {
            Ability::Commands => Some("Proxmox VE runs no commands for us"),
            Ability::Screen => Some("Proxmox VE does not know the screen"),
            Ability::Suspend if self.template == "small" => Some("containers are not frozen"),
            _ => None,
        }
    }

    async fn crash(&self, id: InstanceId) {
        let vmid = self.vmid(id);
        self.simulator.world(|world| world.crash(vmid));
    }

    async fn screen(&self, _id: InstanceId) -> (u32, u32) {
        unreachable!("it has none")
    }
}

type Test = Pin<Box<dyn Future<Output = ()> + Send>>;

fn run(lab: Lab, test: impl FnOnce(Arc<Lab>) -> Test) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test(Arc::new(lab)));
}

pub(crate) fn run_machines(test: impl FnOnce(Arc<Lab>) -> Test) {
    run(Lab::new(|_| {}), test);
}

pub(crate) fn run_containers(test: impl FnOnce(Arc<Lab>) -> Test) {
    let mut lab = Lab::new(|_| {});
    lab.template = "small";
    run(lab, test);
}
