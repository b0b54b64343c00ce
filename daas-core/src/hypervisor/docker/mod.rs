//! Instances as containers of a Docker engine.
//!
//! An instance is a container, a bridge network and two volumes, all with the labels
//! `daas.installation` and `daas.instance`; whatever lacks them is not touched. Nothing
//! about instances is kept here: the engine knows it.
//!
//! The container has no rights: no capabilities, no way to gain any, a user that is not
//! root, a read-only root, limits of memory, processors, processes, files and log. It
//! reaches nothing but public addresses, as the rules of a guard have it.
//!
//! The password of the desktop is a file in a volume that is put there before the container
//! starts; it is in no variable, no argument and no answer of the engine.
//!
//! # Images
//! An image runs as user 1000 with `/tmp`, `/run`, `/home/user` and `/var/lib/daas` as the
//! only places to write. It takes the size of its screen from `DAAS_WIDTH` and
//! `DAAS_HEIGHT`, the port from `DAAS_PORT`, the password from `/var/lib/daas/password`, and
//! has the commands `timeout` and `daas-resize`. `deploy/images` has some.
//!
//! # What is used of docker-api
//! The calls that it has and that need no options it lacks; the rest goes through a small
//! HTTP client of our own.

mod archive;
mod config;
mod container;
mod events;
mod exec;
mod fault;
mod guard;
mod left;
mod names;
mod network;
mod output;
mod raw;
mod time;
mod transport;
mod usage;

pub use config::{Config, Home, Installation, Network, ParseError, Probe, Subnet};
pub use transport::{Endpoint, SshFiles, TlsFiles};

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use docker_api::opts::ContainerStopOpts;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell, mpsc};
use tokio::time::{Instant, sleep, timeout};

use self::container::{Inspected, Listed, Place, SECRETS, Seen, Status};
use self::fault::{BACKEND, Fault};
use self::guard::Image;
use self::names::Names;
use self::raw::{Raw, with_labels};
use super::{
    Abilities, ExecOutput, HostReport, Hypervisor, HypervisorEvent, Observed, Origin, PowerState,
    Spec, Usage, probe,
};
use crate::error::{Error, Result};
use crate::model::{InstanceId, Reach, Timestamp};
use crate::secret::Secret;

/// Time for a desktop to answer when it is looked at.
const ANSWER: Duration = Duration::from_millis(500);
/// Desktops that are looked at at the same time.
const LOOKS: usize = 64;
/// How often it is looked whether a container that others create or remove is there or gone.
const POLL: Duration = Duration::from_millis(100);
/// Most bytes of an archive with a password; tar itself takes 1536.
const ARCHIVE_MAX: usize = 16 * 1024;
/// Time for a command inside: its ten seconds, and what goes around it.
const EXEC: Duration = Duration::from_secs(15);
/// How often it is tried again to freeze a container.
const FREEZES: u32 = 5;
/// Smallest and largest width and height of a screen, in pixels.
const SCREEN: std::ops::RangeInclusive<u32> = 64..=8192;

/// What an engine says of its machine.
#[derive(Deserialize)]
struct Info {
    #[serde(rename = "NCPU")]
    cpus: u32,
    /// In bytes.
    #[serde(rename = "MemTotal", default)]
    memory: u64,
}

/// A Docker engine.
#[derive(Debug)]
pub struct Docker {
    api: docker_api::Docker,
    raw: Raw,
    config: Config,
    names: Names,
    /// Processors of the host.
    cpus: OnceCell<u32>,
    /// When the guard was last seen; held while it is started.
    guarded: Mutex<Option<Instant>>,
    /// Held while addresses are chosen.
    networks: Mutex<()>,
    /// What passes calls on to an engine elsewhere.
    _forwarder: Option<transport::Forwarder>,
}

impl Docker {
    /// An engine on this machine that is not asked anything yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::by(config, None)
    }

    /// An engine anywhere that is not asked anything yet; the socket of the configuration does
    /// not count. It needs a runtime, on which calls are passed on.
    ///
    /// # Errors
    /// Where its files cannot be used.
    pub async fn open(mut config: Config, endpoint: &Endpoint) -> Result<Self> {
        let (socket, forwarder) = transport::open(endpoint).await?;
        config.socket = socket;
        Ok(Self::by(config, forwarder))
    }

    fn by(config: Config, forwarder: Option<transport::Forwarder>) -> Self {
        Self {
            api: docker_api::Docker::unix(&config.socket),
            raw: Raw::new(config.socket.clone()),
            names: Names::new(config.installation.clone()),
            config,
            cpus: OnceCell::new(),
            guarded: Mutex::new(None),
            networks: Mutex::new(()),
            _forwarder: forwarder,
        }
    }

    /// Waits for an answer, but not for longer than a limit.
    async fn timed<T>(
        &self,
        limit: Duration,
        what: &'static str,
        operation: &'static str,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T> {
        let answer = timeout(limit, call).await;
        let answer = answer.unwrap_or(Err(Fault::Silent(limit)));
        answer.map_err(|fault| fault.into_error(what, operation))
    }

    /// The same for what is asked of an instance, with the usual limit.
    async fn asked<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T> {
        let limit = self.config.call_timeout;
        self.timed(limit, "instance", operation, call).await
    }

    fn container(&self, id: InstanceId) -> docker_api::Container {
        self.api.containers().get(self.names.instance(id))
    }

    async fn inspected(&self, container: &str) -> Result<Inspected, Fault> {
        self.raw.get(&format!("/containers/{container}/json")).await
    }

    /// The container of an instance, if it is of this installation.
    async fn own_container(&self, id: InstanceId) -> Result<Inspected, Fault> {
        let inspected = self.inspected(&self.names.instance(id)).await?;
        let own = inspected
            .labels()
            .and_then(|labels| self.names.instance_of(labels));
        if own == Some(id) {
            Ok(inspected)
        } else {
            Err(Fault::Core(Error::NotFound { what: "instance" }))
        }
    }

    async fn status(&self, id: InstanceId) -> Result<Status, Fault> {
        Ok(self.own_container(id).await?.state.status)
    }

    /// What the engine answers where there was nothing to do differs from version to
    /// version; whether there was nothing to do does not.
    async fn settle(
        &self,
        id: InstanceId,
        goal: Status,
        answer: Result<(), docker_api::Error>,
    ) -> Result<(), Fault> {
        let Err(fault) = answer.map_err(Fault::from) else {
            return Ok(());
        };
        match fault.status() {
            Some(404) | None => Err(fault),
            Some(_) if self.status(id).await? == goal => Ok(()),
            Some(_) => Err(Fault::Status {
                status: 409,
                message: fault.to_string(),
            }),
        }
    }
}

/// Creating.
impl Docker {
    async fn create_all(&self, spec: &Spec) -> Result<(), Fault> {
        check_screen(spec.width, spec.height)?;
        let port = port(spec.reach)?;
        match self.status(spec.id).await {
            // Never started, so perhaps not finished.
            Ok(Status::Created) => return self.finish(spec).await,
            Ok(_) => return Ok(()),
            Err(fault) if is_missing(&fault) => {}
            Err(fault) => return Err(fault),
        }
        self.ensure_guard().await?;
        // Before anything is made that would be left.
        self.image(&spec.image).await?;
        let subnet = self.ensure_network(spec.id).await?;
        let place = Place {
            network: self.names.instance(spec.id),
            address: network::desktop(subnet)?,
            cpus: self.cpus().await?,
        };
        let body = container::body(spec, port, &self.config, &self.names, &place);
        self.create_container(spec.id, &body).await?;
        self.finish(spec).await
    }

    /// Creates a container, or waits for who is just creating it.
    async fn create_container(&self, id: InstanceId, body: &Value) -> Result<(), Fault> {
        let path = format!("/containers/create?name={}", self.names.instance(id));
        loop {
            match self.raw.command(&path, body).await {
                // The name is taken, by a container that others may not see yet.
                Err(fault) if fault.status() == Some(409) => match self.status(id).await {
                    Err(Fault::Status { status: 404, .. }) => sleep(POLL).await,
                    Err(Fault::Core(_)) => return Err(fault),
                    status => return status.map(|_| ()),
                },
                created => return created,
            }
        }
    }

    /// What labels and the file of the password say.
    async fn origin_of(&self, id: InstanceId) -> Result<Origin, Fault> {
        let inspected = self.own_container(id).await?;
        let label = |name| inspected.labels().and_then(|labels| labels.get(name));
        let app = label(names::APP).cloned().unwrap_or_default();
        let owner = label(names::OWNER).and_then(|owner| owner.parse().ok());
        Ok(Origin {
            app,
            owner,
            password: self.password(id).await?,
        })
    }

    /// None where the file is not what was put there.
    async fn password(&self, id: InstanceId) -> Result<Option<Secret<String>>, Fault> {
        let container = self.container(id);
        let mut parts = std::pin::pin!(container.copy_from(Path::new(SECRETS).join("password")));
        let mut archive = Vec::new();
        while let Some(part) = parts.next().await {
            match part.map_err(Fault::from) {
                Err(fault) if is_missing(&fault) => return Ok(None),
                part => archive.extend(part?),
            }
            if archive.len() > ARCHIVE_MAX {
                return Ok(None);
            }
        }
        let file = archive::only_file(&archive).ok();
        let text = file.and_then(|file| String::from_utf8(file).ok());
        Ok(text.map(Secret::new))
    }

    async fn finish(&self, spec: &Spec) -> Result<(), Fault> {
        let password = spec.password.expose().as_bytes();
        let archive = archive::secret_file("password", password);
        let archive = archive.map_err(|error| Fault::Unreadable(Box::new(error)))?;
        let container = self.container(spec.id);
        container
            .copy_to(Path::new(SECRETS), archive.into())
            .await?;
        self.connect_gateways(&self.names.instance(spec.id)).await
    }

    async fn image(&self, image: &str) -> Result<Image, Fault> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:@".contains(&byte);
        if !image.is_empty() && image.bytes().all(allowed) {
            self.raw.get(&format!("/images/{image}/json")).await
        } else {
            Err(Fault::Core(Error::NotFound { what: "image" }))
        }
    }

    async fn cpus(&self) -> Result<u32, Fault> {
        let ask = || async { Ok(self.info().await?.cpus) };
        self.cpus.get_or_try_init(ask).await.copied()
    }

    async fn info(&self) -> Result<Info, Fault> {
        self.raw.get("/info").await
    }
}

/// Starting, stopping and removing.
impl Docker {
    async fn start_all(&self, id: InstanceId) -> Result<(), Fault> {
        self.ensure_guard().await?;
        let answer = self.container(id).start().await;
        match answer.map_err(Fault::from) {
            Err(fault) if fault.status() == Some(304) => self.reconnect(id).await,
            // The container is there and something that it needs is not: its network.
            Err(fault) if fault.status() == Some(404) => {
                self.own_container(id).await?;
                self.reattach(id).await?;
                Ok(self.container(id).start().await?)
            }
            Err(fault) if matches!(fault.status(), Some(400 | 500)) => {
                self.clear_wedged(id, &fault).await?;
                Err(fault)
            }
            Err(fault) => Err(fault),
            Ok(()) => self.connect_gateways(&self.names.instance(id)).await,
        }
    }

    /// Starts a container once more that runs and is in no network: nobody gets there. An engine
    /// that was killed while it started one may find it like that.
    async fn reconnect(&self, id: InstanceId) -> Result<(), Fault> {
        let seen = Seen::from(self.own_container(id).await?);
        if (seen.status, seen.endpoint) != (Status::Running, None) {
            return Ok(());
        }
        tracing::warn!(instance = %id, "starting a container again that runs without a network");
        self.halt(id, Duration::ZERO).await?;
        self.reattach(id).await?;
        Ok(self.container(id).start().await?)
    }

    async fn halt(&self, id: InstanceId, within: Duration) -> Result<(), Fault> {
        let options = ContainerStopOpts::builder().wait(within).build();
        let answer = self.container(id).stop(&options).await;
        match answer.map_err(Fault::from) {
            // It has ended already.
            Err(fault) if fault.status() == Some(304) => Ok(()),
            answer => answer,
        }
    }

    /// What just makes a process, as health checks do, may escape the freezer; the engine gives
    /// up after a moment, and asking again helps.
    async fn freeze(&self, id: InstanceId) -> Result<(), Fault> {
        let mut tries = FREEZES;
        loop {
            let answer = self.container(id).pause().await;
            match &answer {
                Err(error) if tries > 0 && error.to_string().contains("unable to freeze") => {
                    tries -= 1;
                    sleep(POLL).await;
                }
                _ => return self.settle(id, Status::Paused, answer).await,
            }
        }
    }

    /// Removes a container that the engine does not start, so that the next try makes another
    /// one. An engine that was killed while it started one fails at that for ever, as its process
    /// goes on ("task … already exists", "id already in use"; only who looks after the host can
    /// end that), as it does where there are two networks of its name.
    async fn clear_wedged(&self, id: InstanceId, fault: &Fault) -> Result<(), Fault> {
        let container = self.own_container(id).await?;
        let loses_nothing = match container.state.status {
            // Never started: nobody has left anything in it.
            Status::Created => true,
            // What was left in it is in volumes that the next one gets.
            Status::Ended => fault.to_string().contains("already") && self.keeps(id, &container),
            _ => false,
        };
        if loses_nothing {
            tracing::warn!(instance = %id, %fault, "removing a container that does not start");
            self.remove_container(&container.id).await?;
        }
        Ok(())
    }

    /// Whether all volumes of a container are such that another one of the instance gets them.
    fn keeps(&self, id: InstanceId, container: &Inspected) -> bool {
        let own = self.names.volumes(id);
        container
            .volumes()
            .all(|name| own.iter().any(|own| own == name))
    }

    async fn remove_all(&self, id: InstanceId) -> Result<(), Fault> {
        match self.own_container(id).await {
            Ok(container) => self.remove_container(&container.id).await?,
            Err(fault) if is_missing(&fault) => {}
            Err(fault) => return Err(fault),
        }
        self.remove_networks(id).await?;
        self.remove_volumes(id).await
    }

    async fn remove_container(&self, container: &str) -> Result<(), Fault> {
        match self.force_remove(container).await {
            // Somebody else removes it: that has to end.
            Err(fault) if fault.status() == Some(409) => self.wait_until_gone(container).await,
            removed => removed,
        }
    }

    async fn wait_until_gone(&self, container: &str) -> Result<(), Fault> {
        loop {
            match self.inspected(container).await {
                Err(fault) if fault.status() == Some(404) => return Ok(()),
                Err(fault) => return Err(fault),
                Ok(_) => sleep(POLL).await,
            }
        }
    }

    /// Also those of which an engine that was killed while it made them has lost the labels.
    async fn remove_volumes(&self, id: InstanceId) -> Result<(), Fault> {
        let labelled = self.volumes(&self.names.of_one(id)).await?;
        let labelled = labelled.into_iter().map(|volume| volume.name);
        let names: BTreeSet<String> = labelled.chain(self.names.volumes(id)).collect();
        for name in names {
            let removed = self.api.volumes().get(name).delete().await;
            network::gone(removed.map_err(Fault::from))?;
        }
        Ok(())
    }
}

/// Looking.
impl Docker {
    async fn observe(&self, id: InstanceId) -> Result<Observed, Fault> {
        let inspected = self.own_container(id).await?;
        let started_at = inspected.state.started_at.clone();
        let seen = Seen::from(inspected);
        let power = match self.power(&seen).await {
            Some(power) => power,
            None => self.silent(&started_at),
        };
        Ok(observed(id, power, &seen))
    }

    async fn observe_all(&self) -> Result<Vec<Observed>, Fault> {
        let path = format!(
            "/containers/json?all=1&{}",
            with_labels(&self.names.of_all())
        );
        let listed: Vec<Listed> = self.raw.get(&path).await?;
        let looks = listed.into_iter().map(|listed| self.observe_listed(listed));
        let mut looks = stream::iter(looks).buffer_unordered(LOOKS);
        let mut all = Vec::new();
        while let Some(observed) = looks.next().await {
            all.extend(observed?);
        }
        self.add_what_is_left(&mut all).await?;
        Ok(all)
    }

    /// How many instances run; those that are frozen keep what they have, so they count.
    async fn count_running(&self) -> Result<u32, Fault> {
        let path = format!("/containers/json?{}", with_labels(&self.names.of_all()));
        let listed: Vec<Listed> = self.raw.get(&path).await?;
        let instances = listed.into_iter().map(Seen::from);
        let own = instances.filter(|seen| self.names.instance_of(&seen.labels).is_some());
        Ok(u32::try_from(own.count()).unwrap_or(u32::MAX))
    }

    async fn observe_listed(&self, listed: Listed) -> Result<Option<Observed>, Fault> {
        let seen = Seen::from(listed);
        let Some(id) = self.names.instance_of(&seen.labels) else {
            return Ok(None);
        };
        if let Some(power) = self.power(&seen).await {
            return Ok(Some(observed(id, power, &seen)));
        }
        // The list does not say since when it runs.
        match self.observe(id).await {
            Err(fault) if is_missing(&fault) => Ok(None),
            observed => observed.map(Some),
        }
    }

    /// What a container does; `None` where it runs and its desktop is silent.
    async fn power(&self, seen: &Seen) -> Option<PowerState> {
        match (seen.status, seen.endpoint) {
            (Status::Created | Status::Ended, _) => Some(PowerState::Stopped),
            (Status::Paused, _) => Some(PowerState::Suspended),
            (Status::Running, Some(endpoint)) => {
                let is_well = match self.config.probe {
                    Probe::Connect => probe::answers(endpoint, ANSWER).await,
                    Probe::Engine => seen.is_healthy,
                };
                is_well.then_some(PowerState::Running)
            }
            (Status::Running, None) => None,
        }
    }

    /// A desktop that is silent has not come so far, or has gone wrong since.
    fn silent(&self, started_at: &str) -> PowerState {
        let grace = i64::try_from(self.config.start_grace.as_millis()).unwrap_or(i64::MAX);
        let started = time::timestamp(started_at);
        if started.is_some_and(|started| started.plus_ms(grace) < Timestamp::now()) {
            PowerState::Unhealthy
        } else {
            PowerState::Starting
        }
    }
}

fn observed(id: InstanceId, power: PowerState, seen: &Seen) -> Observed {
    let stopped = power == PowerState::Stopped;
    Observed {
        id,
        power,
        endpoint: seen.endpoint.filter(|_| !stopped),
    }
}

fn is_missing(fault: &Fault) -> bool {
    fault.status() == Some(404) || matches!(fault, Fault::Core(Error::NotFound { .. }))
}

/// Containers have no console that could be looked at.
fn port(reach: Reach) -> Result<u16, Fault> {
    match reach {
        Reach::Port(port) => Ok(port),
        Reach::Console => Err(Fault::Core(Error::Unsupported {
            backend: BACKEND,
            operation: "showing the console",
        })),
    }
}

fn check_screen(width: u32, height: u32) -> Result<(), Fault> {
    if SCREEN.contains(&width) && SCREEN.contains(&height) {
        return Ok(());
    }
    let reason = format!("a screen of {width} by {height} pixels is not possible");
    Err(Fault::Core(Error::Conflict { reason }))
}

#[async_trait]
impl Hypervisor for Docker {
    async fn check(&self) -> Result<String> {
        let version = async { Ok(self.api.version().await?) };
        let version = self.asked("asking for the version", version).await?;
        // Starting the guard takes longer than an answer.
        let limit = self.config.create_timeout;
        let guarded = self.ensure_guard();
        self.timed(limit, "guard", "starting the guard", guarded)
            .await?;
        Ok(version.version.unwrap_or_default())
    }

    async fn report(&self) -> Result<HostReport> {
        let version = self.check().await?;
        let call = async {
            let (info, running) = (self.info().await?, self.count_running().await?);
            Ok(HostReport {
                version: format!("Docker {version}"),
                cpus: info.cpus,
                memory_mib: info.memory >> 20,
                running,
                ..HostReport::default()
            })
        };
        self.asked("asking how busy it is", call).await
    }

    fn can(&self) -> Abilities {
        Abilities {
            suspend: true,
            snapshot: false,
            exec: true,
            resize: true,
            console: false,
        }
    }

    async fn has_image(&self, image: &str) -> Result<bool> {
        let call = async {
            match self.image(image).await {
                Err(fault) if is_missing(&fault) => Ok(false),
                image => image.map(|_| true),
            }
        };
        self.asked("looking for an image", call).await
    }

    async fn create(&self, spec: &Spec) -> Result<()> {
        let limit = self.config.create_timeout;
        // The engine knows of nothing else that could be missing.
        self.timed(limit, "image", "creating", self.create_all(spec))
            .await
    }

    async fn start(&self, id: InstanceId) -> Result<()> {
        let limit = self.config.create_timeout;
        self.timed(limit, "instance", "starting", self.start_all(id))
            .await
    }

    async fn stop(&self, id: InstanceId, within: Duration) -> Result<()> {
        let limit = self.config.call_timeout.saturating_add(within);
        self.timed(limit, "instance", "stopping", self.halt(id, within))
            .await
    }

    async fn suspend(&self, id: InstanceId) -> Result<()> {
        self.asked("suspending", self.freeze(id)).await
    }

    async fn resume(&self, id: InstanceId) -> Result<()> {
        let call = async {
            let answer = self.container(id).unpause().await;
            self.settle(id, Status::Running, answer).await
        };
        self.asked("resuming", call).await
    }

    async fn remove(&self, id: InstanceId) -> Result<()> {
        let limit = self.config.create_timeout;
        self.timed(limit, "instance", "removing", self.remove_all(id))
            .await
    }

    async fn inspect(&self, id: InstanceId) -> Result<Observed> {
        self.asked("inspecting", self.observe(id)).await
    }

    async fn list(&self) -> Result<Vec<Observed>> {
        let limit = self.config.create_timeout;
        self.timed(limit, "instance", "listing", self.observe_all())
            .await
    }

    async fn origin(&self, id: InstanceId) -> Result<Origin> {
        self.asked("asking what it was made from", self.origin_of(id))
            .await
    }

    async fn usage(&self, id: InstanceId) -> Result<Usage> {
        let name = self.names.instance(id);
        self.asked("measuring", self.used(&name)).await
    }

    async fn log(&self, id: InstanceId) -> Result<Vec<u8>> {
        let name = self.names.instance(id);
        self.asked("reading the log", self.tail(&name)).await
    }

    /// A command that takes longer is ended; its code is 124.
    async fn exec(&self, id: InstanceId, command: &[&str]) -> Result<ExecOutput> {
        let name = self.names.instance(id);
        let call = self.run(&name, command);
        self.timed(EXEC, "instance", "running a command", call)
            .await
    }

    async fn resize(&self, id: InstanceId, width: u32, height: u32) -> Result<()> {
        let (name, size) = (
            self.names.instance(id),
            [width.to_string(), height.to_string()],
        );
        let call = async {
            check_screen(width, height)?;
            let output = self
                .run(&name, &["daas-resize", &size[0], &size[1]])
                .await?;
            if output.code == 0 {
                return Ok(());
            }
            Err(Fault::failed(&output.output))
        };
        self.timed(EXEC, "instance", "resizing", call).await
    }

    /// Says `Reconnected` also when it is connected for the first time.
    async fn watch(&self, events: mpsc::Sender<HypervisorEvent>) {
        self.send_events(events).await;
    }
}
