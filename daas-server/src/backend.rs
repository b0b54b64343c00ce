//! Which backends the configuration asks for. This is the one place that names them.

use std::sync::Arc;

use daas_core::fleet::Fleet;
use daas_core::gateway::{Gateway, Guacd, GuacdConfig};
use daas_core::hypervisor::Hypervisor;
use daas_core::hypervisor::docker::Docker;

use crate::config::Config;

/// Name of the engine of `[docker]` among the hosts.
const DOCKER: &str = "docker";

/// The hosts.
pub(crate) fn fleet(config: &Config) -> Fleet {
    let name = DOCKER.parse().unwrap_or_else(|_| unreachable!());
    Fleet::single(name, hypervisor(config))
}

/// What runs instances.
pub(crate) fn hypervisor(config: &Config) -> Arc<dyn Hypervisor> {
    Arc::new(Docker::new(config.docker.clone()))
}

/// What turns desktops into instructions.
pub(crate) fn gateway(config: &Config) -> Arc<dyn Gateway> {
    Arc::new(Guacd::new(GuacdConfig::new(config.guacd.clone())))
}
