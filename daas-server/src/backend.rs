//! Which backends the configuration asks for. This is the one place that names them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daas_core::gateway::{Gateway, Guacd, GuacdConfig};
use daas_core::hypervisor::{ExecOutput, Hypervisor, HypervisorEvent, Observed, Spec, Usage};
use daas_core::model::InstanceId;
use daas_core::{Error, Result};
use tokio::sync::mpsc;

use crate::config::Config;

/// What runs instances.
pub(crate) fn hypervisor(_: &Config) -> Arc<dyn Hypervisor> {
    Arc::new(Absent)
}

/// What turns desktops into instructions.
pub(crate) fn gateway(config: &Config) -> Arc<dyn Gateway> {
    Arc::new(Guacd::new(GuacdConfig::new(config.guacd.clone())))
}

const fn absent(backend: &'static str, operation: &'static str) -> Error {
    Error::Unavailable {
        backend,
        operation,
        source: None,
    }
}

/// No hypervisor at all: all but launching works.
struct Absent;

const DOCKER: &str = "Docker";

#[async_trait]
impl Hypervisor for Absent {
    async fn check(&self) -> Result<String> {
        Err(absent(DOCKER, "a check"))
    }

    async fn has_image(&self, _: &str) -> Result<bool> {
        Err(absent(DOCKER, "looking for an image"))
    }

    async fn create(&self, _: &Spec) -> Result<()> {
        Err(absent(DOCKER, "creating"))
    }

    async fn start(&self, _: InstanceId) -> Result<()> {
        Err(absent(DOCKER, "starting"))
    }

    async fn stop(&self, _: InstanceId, _: Duration) -> Result<()> {
        Err(absent(DOCKER, "stopping"))
    }

    async fn suspend(&self, _: InstanceId) -> Result<()> {
        Err(absent(DOCKER, "suspending"))
    }

    async fn resume(&self, _: InstanceId) -> Result<()> {
        Err(absent(DOCKER, "resuming"))
    }

    async fn remove(&self, _: InstanceId) -> Result<()> {
        Err(absent(DOCKER, "removing"))
    }

    async fn inspect(&self, _: InstanceId) -> Result<Observed> {
        Err(absent(DOCKER, "inspecting"))
    }

    async fn list(&self) -> Result<Vec<Observed>> {
        Err(absent(DOCKER, "listing"))
    }

    async fn usage(&self, _: InstanceId) -> Result<Usage> {
        Err(absent(DOCKER, "measuring"))
    }

    async fn log(&self, _: InstanceId) -> Result<Vec<u8>> {
        Err(absent(DOCKER, "reading a log"))
    }

    async fn exec(&self, _: InstanceId, _: &[&str]) -> Result<ExecOutput> {
        Err(absent(DOCKER, "running a command"))
    }

    async fn resize(&self, _: InstanceId, _: u32, _: u32) -> Result<()> {
        Err(absent(DOCKER, "resizing"))
    }

    async fn watch(&self, events: mpsc::Sender<HypervisorEvent>) {
        // Nothing ever happens.
        events.closed().await;
    }
}
