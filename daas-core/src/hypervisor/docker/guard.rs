//! The guard: a container in the network of the host that keeps rules of packet filtering
//! there. See `deploy/images/guard` for the rules.
//!
//! The engine keeps networks of containers apart from each other, but every container
//! reaches all services of the host, whatever the host reaches, and its neighbours. No
//! setting of the engine forbids that and leaves the internet. The guard runs apart from the
//! server, so that the server needs no rights of its own, and the rules outlive it.

use std::time::Duration;

use docker_api::opts::ContainerRemoveOpts;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Docker;
use super::container::{Inspected, Status};
use super::fault::{BACKEND, Fault};
use super::names;
use super::network::gone;
use crate::error::{Error, Result};

/// For how long it is taken for granted that the rules are still there; the guard itself
/// looks every five seconds.
const TRUST: Duration = Duration::from_secs(30);
/// Time for the guard to put the rules in place.
const READY: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// What the engine says of an image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Image {
    pub(super) id: String,
}

impl Docker {
    /// Sees to it that the rules are in place; nothing is created or started without.
    pub(super) async fn ensure_guard(&self) -> Result<(), Fault> {
        let Some(image) = &self.config.network.guard else {
            return Ok(());
        };
        let mut seen = self.guarded.lock().await;
        if seen.is_some_and(|seen| seen.elapsed() < TRUST) {
            return Ok(());
        }
        self.start_guard(image).await.map_err(unguarded)?;
        self.wait_for_rules().await?;
        *seen = Some(Instant::now());
        Ok(())
    }

    /// Removes the guard and its rules. For an installation that is given up: its instances
    /// must be gone.
    ///
    /// # Errors
    /// Where the engine cannot be reached or refuses.
    pub async fn remove_guard(&self) -> Result<()> {
        let operation = "removing the guard";
        let limit = self.config.create_timeout;
        self.timed(limit, "guard", operation, self.take_guard_away())
            .await
    }

    async fn take_guard_away(&self) -> Result<(), Fault> {
        let mut seen = self.guarded.lock().await;
        *seen = None;
        let guard = match self.inspected(&self.names.guard()).await {
            Err(fault) if fault.status() == Some(404) => None,
            guard => Some(guard?),
        };
        if let Some(guard) = &guard {
            self.remove_own(guard).await?;
        }
        match &self.config.network.guard {
            Some(image) => match self.remove_rules(image).await {
                // It has never run: there was neither a guard nor an image of one.
                Err(fault) if guard.is_none() && fault.status() == Some(404) => Ok(()),
                removed => removed,
            },
            None => Ok(()),
        }
    }

    async fn remove_rules(&self, image: &str) -> Result<(), Fault> {
        let container = self.create_guard(image, "", "remove").await?;
        self.api.containers().get(&container).start().await?;
        self.api.containers().get(&container).wait().await?;
        self.force_remove(&container).await
    }

    /// Starts the guard, or another one in its place where image or rules are no longer the
    /// same.
    async fn start_guard(&self, image: &str) -> Result<(), Fault> {
        let Image { id: version } = self.image(image).await?;
        let mark = format!("{version} {}", self.guard_variables().join(" "));
        match self.inspected(&self.names.guard()).await {
            Ok(guard) if has_mark(&guard, &mark) => {
                if guard.state.status == Status::Running {
                    return Ok(());
                }
                return Ok(self.api.containers().get(&guard.id).start().await?);
            }
            Ok(guard) => self.remove_own(&guard).await?,
            Err(fault) if fault.status() == Some(404) => {}
            Err(fault) => return Err(fault),
        }
        let guard = self.create_guard(image, &mark, "keep").await?;
        Ok(self.api.containers().get(&guard).start().await?)
    }

    async fn create_guard(&self, image: &str, mark: &str, command: &str) -> Result<String, Fault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Created {
            id: String,
        }
        let keeps = command == "keep";
        let path = if keeps {
            format!("/containers/create?name={}", self.names.guard())
        } else {
            "/containers/create".to_owned()
        };
        let body = json!({
            "Image": image,
            "Cmd": [command],
            "User": "0:0",
            "Env": self.guard_variables(),
            "Labels": {
                names::INSTALLATION: self.config.installation.as_str(),
                names::GUARD: mark,
            },
            "HostConfig": guard_rights(keeps),
        });
        let created: Created = self.raw.post(&path, &body).await?;
        Ok(created.id)
    }

    fn guard_variables(&self) -> [String; 4] {
        let network = &self.config.network;
        let allow: Vec<String> = network.allow.iter().map(ToString::to_string).collect();
        [
            format!("DAAS_TABLE={}", self.names.table()),
            format!("DAAS_RANGE={}", network.range),
            format!("DAAS_BRIDGES={}", names::BRIDGES),
            format!("DAAS_ALLOW={}", allow.join(",")),
        ]
    }

    async fn wait_for_rules(&self) -> Result<(), Fault> {
        let guard = self.names.guard();
        let deadline = Instant::now() + READY;
        while !self.has_rules(&guard).await? {
            if Instant::now() >= deadline {
                let log = self.tail(&guard).await?;
                return Err(unguarded(Fault::failed(&log)));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    async fn has_rules(&self, guard: &str) -> Result<bool, Fault> {
        match self.run(guard, &["daas-guard", "check"]).await {
            Ok(output) => Ok(output.code == 0),
            // It failed and is about to be started again.
            Err(Fault::Status { status: 409, .. }) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    async fn remove_own(&self, container: &Inspected) -> Result<(), Fault> {
        if container
            .labels()
            .is_some_and(|labels| self.names.owns(labels))
        {
            self.force_remove(&container.id).await
        } else {
            let reason = format!("the container {} is not ours", self.names.guard());
            Err(Fault::Core(Error::Conflict { reason }))
        }
    }

    /// Stops and removes a container, with its volumes that have no names.
    pub(super) async fn force_remove(&self, container: &str) -> Result<(), Fault> {
        let options = ContainerRemoveOpts::builder()
            .force(true)
            .volumes(true)
            .build();
        let removed = self.api.containers().get(container).remove(&options).await;
        gone(removed.map(|_| ()).map_err(Fault::from))
    }
}

fn guard_rights(keeps: bool) -> Value {
    json!({
        "NetworkMode": "host",
        // Rules of the host need rights on the host, also where the engine gives containers
        // other user ids.
        "UsernsMode": "host",
        "CapDrop": ["ALL"],
        "CapAdd": ["NET_ADMIN"],
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": true,
        "Init": true,
        "PidsLimit": 32,
        "Memory": 64 << 20,
        "MemorySwap": 64 << 20,
        "LogConfig": { "Type": "json-file", "Config": { "max-size": "1m", "max-file": "1" } },
        // Comes back with the engine; desktops do not.
        "RestartPolicy": { "Name": if keeps { "always" } else { "no" } },
    })
}

fn has_mark(guard: &Inspected, mark: &str) -> bool {
    let labels = guard.labels();
    labels
        .and_then(|labels| labels.get(names::GUARD))
        .map(String::as_str)
        == Some(mark)
}

/// That desktops are not guarded is no fault of theirs.
fn unguarded(fault: Fault) -> Fault {
    match fault {
        Fault::Status { .. } | Fault::Failed(_) | Fault::Core(Error::NotFound { .. }) => {
            Fault::Core(Error::Unavailable {
                backend: BACKEND,
                operation: "starting the guard of the networks of desktops",
                source: Some(Box::new(fault)),
            })
        }
        fault => fault,
    }
}
