//! What a store is filled with.

use daas_core::model::{App, AppId, AppKind, LogIn, Policies, Protocol, Resources, Timestamp};

/// An application in a container that is shown by VNC.
pub fn app(slug: &str) -> App {
    App {
        id: AppId::random(),
        slug: slug.to_owned(),
        name: slug.to_uppercase(),
        description: "An application".to_owned(),
        icon: slug.to_owned(),
        kind: AppKind::Desktop,
        image: format!("daas/{slug}"),
        protocol: Protocol::Vnc,
        port: 5901,
        log_in: LogIn::default(),
        resources: Resources {
            cpu_millis: 1000,
            memory_mib: 512,
            disk_mib: 100,
        },
        policies: Policies::default(),
        hosts: Vec::new(),
        created_at: Timestamp::now(),
    }
}
