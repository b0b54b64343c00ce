//! Which backends the configuration asks for. This is the one place that names them.

use std::sync::Arc;

use daas_core::gateway::{Gateway, Guacd, GuacdConfig};
use daas_core::hypervisor::Hypervisor;
use daas_core::hypervisor::docker::Docker;

use crate::config::Config;

/// What runs instances.
pub(crate) fn hypervisor(config: &Config) -> Arc<dyn Hypervisor> {
    Arc::new(Docker::new(config.docker.clone()))
}

/// What turns desktops into instructions.
pub(crate) fn gateway(config: &Config) -> Arc<dyn Gateway> {
    Arc::new(Guacd::new(GuacdConfig::new(config.guacd.clone())))
}
