//! Hosts: whether each can be used, and which has the images.

use std::sync::Arc;

use daas_core::hypervisor::Hypervisor;
use daas_core::hypervisor::docker::Endpoint;
use daas_core::model::HostName;
use daas_core::{Error, chain};
use tokio::time::timeout;

use super::{Report, TIMEOUT};
use crate::config::{Config, HostConfig, HostKind};

/// A host, if it can be used as it is configured.
pub type Opened = (HostName, Result<Arc<dyn Hypervisor>, Error>);

/// A host that answers.
struct There<'a> {
    config: &'a HostConfig,
    hypervisor: &'a dyn Hypervisor,
}

pub(super) async fn check(config: &Config, opened: &[Opened], report: &mut Report) {
    let mut there = Vec::new();
    for host in &config.hosts {
        let found = opened.iter().find(|(name, _)| *name == host.name);
        let Some((_, hypervisor)) = found else {
            continue;
        };
        if let Some(hypervisor) = check_host(host, hypervisor.as_ref(), report).await {
            there.push(There {
                config: host,
                hypervisor,
            });
        }
    }
    if there.is_empty() {
        return;
    }
    for host in &there {
        if let HostKind::Docker { config, .. } = &host.config.kind
            && let Some(image) = &config.network.guard
        {
            check_image("network guard", image, &[host], report).await;
        }
    }
    for app in &config.apps {
        let able = there.iter().filter(|host| host.config.fits(app));
        let able: Vec<_> = able.collect();
        check_image(&format!("app {}", app.slug), &app.image, &able, report).await;
    }
}

/// What runs instances on it, where it can.
async fn check_host<'a>(
    host: &HostConfig,
    hypervisor: Result<&'a Arc<dyn Hypervisor>, &Error>,
    report: &mut Report,
) -> Option<&'a dyn Hypervisor> {
    let (part, place) = (host.name.as_str(), &host.kind);
    let finding = match hypervisor {
        Ok(hypervisor) => match timeout(TIMEOUT, hypervisor.report()).await {
            Ok(Ok(told)) => {
                report.good(part, &format!("{} at {place}", told.version));
                return Some(&**hypervisor);
            }
            Ok(Err(error)) => chain(&error),
            Err(_) => "no answer in time".to_owned(),
        },
        Err(error) => chain(error),
    };
    report.bad(part, &format!("{place}: {finding}"), advice(place));
    None
}

const fn advice(place: &HostKind) -> &'static str {
    match place {
        HostKind::Docker {
            endpoint: Endpoint::Socket(_),
            ..
        } => {
            "Install Docker (docker.io in Debian) and start it, let the user that runs the \
             server into the group docker, or set docker.socket."
        }
        HostKind::Docker {
            endpoint: Endpoint::Tls { .. },
            ..
        } => {
            "See that the engine runs there with --tlsverify and can be reached from here, that \
             its certificate is for that name, and that ca_file, cert_file and key_file belong \
             to it."
        }
        HostKind::Docker {
            endpoint: Endpoint::Ssh { .. },
            ..
        } => {
            "See that the user that runs the server can log in there without a password \
             (ssh -o BatchMode=yes), that the key of that host is known, and that docker can be \
             used there."
        }
        #[cfg(feature = "proxmox")]
        HostKind::Proxmox(_) => {
            "See that the cluster can be reached from here, that ca_file or fingerprints are \
             those of its certificates, and that the token has rights in the pool."
        }
    }
}

/// Whether an image is on one of some hosts; where there are several it says on which.
async fn check_image(part: &str, image: &str, hosts: &[&There<'_>], report: &mut Report) {
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for host in hosts {
        let name = host.config.name.as_str();
        match timeout(TIMEOUT, host.hypervisor.has_image(image)).await {
            Ok(Ok(true)) => on.push(name.to_owned()),
            Ok(Ok(false)) => off.push(name.to_owned()),
            Ok(Err(error)) => off.push(format!("{name} ({})", chain(&error))),
            Err(_) => off.push(format!("{name} (no answer in time)")),
        }
    }
    let places = |names: &[String]| match hosts.len() {
        1 => String::new(),
        _ => format!(" on {}", names.join(", ")),
    };
    if !on.is_empty() {
        let text = format!("image {image} is there{}", places(&on));
        return report.good(part, &text);
    }
    let advice = format!(
        "Build it (deploy/ has Dockerfiles), or: docker pull {image}. On Proxmox VE it is the name \
         of a template."
    );
    let text = format!("image {image} is not there{}", places(&off));
    report.bad(part, &text, &advice);
}
