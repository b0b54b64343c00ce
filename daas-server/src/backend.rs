//! Which backends the configuration asks for. This is the one place that names them.

use std::collections::HashMap;
use std::sync::Arc;

#[cfg(feature = "proxmox")]
use daas_core::blocking::Gate;
use daas_core::fleet::{Fleet, HostSetup};
use daas_core::gateway::{Gateway, Guacd, GuacdConfig};
use daas_core::hypervisor::Hypervisor;
use daas_core::hypervisor::docker::Docker;
use daas_core::model::HostName;
use daas_core::{Error, Result};

use crate::config::{Config, HostConfig, HostKind};

/// All hosts. Nothing is asked of them yet.
///
/// # Errors
/// Where one cannot be used as it is configured, which it is.
pub(crate) async fn fleet(config: &Config) -> Result<Fleet, (HostName, Error)> {
    let mut setups = Vec::with_capacity(config.hosts.len());
    for host in &config.hosts {
        let hypervisor = hypervisor(host).await;
        setups.push(HostSetup {
            name: host.name.clone(),
            labels: host.labels.clone(),
            hypervisor: hypervisor.map_err(|error| (host.name.clone(), error))?,
            cpus: host.cpus,
            memory_mib: host.memory_mib,
        });
    }
    Ok(Fleet::new(setups, config.fleet))
}

/// What runs instances on a host.
///
/// # Errors
/// Where it cannot be used as it is configured.
pub(crate) async fn hypervisor(host: &HostConfig) -> Result<Arc<dyn Hypervisor>> {
    match &host.kind {
        HostKind::Docker { config, endpoint } => {
            let opened = Docker::open((**config).clone(), endpoint).await?;
            Ok(Arc::new(opened))
        }
        #[cfg(feature = "proxmox")]
        HostKind::Proxmox(settings) => {
            let settings = (**settings).clone();
            let opened = Gate::new(1).run(move || settings.open()).await;
            let opened = opened.map_err(|error| Error::Unavailable {
                backend: "Proxmox VE",
                operation: "reading files",
                source: Some(error.into()),
            })?;
            Ok(Arc::new(opened?))
        }
    }
}

/// The same for who only looks: nothing is made or started by what is asked of it, which the
/// guard of a Docker engine otherwise is.
///
/// # Errors
/// As above.
pub(crate) async fn to_look_at(host: &HostConfig) -> Result<Arc<dyn Hypervisor>> {
    let mut host = host.clone();
    match &mut host.kind {
        HostKind::Docker { config, .. } => config.network.guard = None,
        #[cfg(feature = "proxmox")]
        HostKind::Proxmox(_) => {}
    }
    hypervisor(&host).await
}

/// What turns desktops into instructions.
pub(crate) fn gateway(config: &Config) -> Arc<dyn Gateway> {
    guacd(&config.guacd)
}

/// The same for hosts that have their own.
pub(crate) fn gateways(config: &Config) -> HashMap<HostName, Arc<dyn Gateway>> {
    let own = config.hosts.iter().filter(|host| !host.guacd.is_empty());
    own.map(|host| (host.name.clone(), guacd(&host.guacd)))
        .collect()
}

fn guacd(endpoints: &[String]) -> Arc<dyn Gateway> {
    Arc::new(Guacd::new(GuacdConfig::new(endpoints.to_vec())))
}
