//! Starting, stopping and what is between: look, do what is missing, look again.
//!
//! An operation ends when its effect is seen, and not before; what was lost on the way is done
//! again only after it was seen that it is missing and nothing is being done to the guest.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Proxmox;
use super::client::{Class, Current, Fault, Kind, Power};
use super::create::is_hopeless;
use super::inventory::Own;
use super::trouble::{BACKEND, Trouble};
use crate::error::Error;
use crate::model::InstanceId;

/// How often a guest may refuse before it is believed.
pub(super) const REFUSALS: u32 = 5;

/// What a guest does, as far as its power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Stopped,
    Running,
    /// Frozen, with its memory.
    Paused,
    /// Frozen, with its memory on disk.
    Saved,
}

impl From<&Current> for State {
    fn from(current: &Current) -> Self {
        let says = current.qmpstatus.as_deref().unwrap_or(&current.status);
        match (current.status.as_str(), says, current.lock.as_deref()) {
            ("stopped", _, Some("suspended")) => Self::Saved,
            ("stopped", ..) => Self::Stopped,
            // While its memory is written it stands still.
            (_, "paused" | "suspended", _) => Self::Paused,
            _ => Self::Running,
        }
    }
}

impl Proxmox {
    /// An instance and what it does now.
    pub(super) async fn state(&self, id: InstanceId) -> Result<(Own, Current), Trouble> {
        let own = self.instance(id).await?;
        match self.client.current(&own.guest).await {
            // It may have moved to another node.
            Err(fault) if fault.class() == Class::Gone => {
                self.forget_places().await;
                let own = self.instance(id).await?;
                let current = self.client.current(&own.guest).await?;
                Ok((own, current))
            }
            current => Ok((own, current?)),
        }
    }

    pub(super) async fn start_all(&self, id: InstanceId) -> Result<(), Trouble> {
        let _turn = self.turns.take(id).await;
        self.forget(id);
        let step = |_: &Own, state| match state {
            State::Running => Ok(None),
            State::Stopped => Ok(Some(Power::Start)),
            State::Paused | State::Saved => {
                Err(Trouble::conflict("the instance is suspended: resume it"))
            }
        };
        self.converge(id, step).await
    }

    pub(super) async fn stop_all(&self, id: InstanceId, within: Duration) -> Result<(), Trouble> {
        let _turn = self.turns.take(id).await;
        self.forget(id);
        let asked = AtomicBool::new(within < Duration::from_secs(1));
        let step = |_: &Own, state| {
            Ok(match state {
                State::Stopped => None,
                // A guest that is frozen cannot end by itself.
                State::Paused => Some(Power::Stop),
                // Nobody but root can give up what is on disk: it is thawed first.
                State::Saved => Some(Power::Start),
                State::Running if asked.swap(true, Ordering::Relaxed) => Some(Power::Stop),
                State::Running => Some(Power::Shutdown {
                    within,
                    or_stop: true,
                }),
            })
        };
        self.converge(id, step).await
    }

    pub(super) async fn suspend_all(&self, id: InstanceId) -> Result<(), Trouble> {
        let _turn = self.turns.take(id).await;
        self.forget(id);
        let to_disk = self.config.suspend_to_disk;
        let step = |own: &Own, state| match state {
            State::Paused | State::Saved => Ok(None),
            State::Stopped => Err(Trouble::conflict("the instance is not running")),
            // What there is for containers is an experiment, and loses them.
            State::Running if own.guest.kind == Kind::Lxc => {
                let (backend, operation) = (BACKEND, "suspending containers");
                Err(Trouble::Core(Error::Unsupported { backend, operation }))
            }
            State::Running => Ok(Some(Power::Suspend { to_disk })),
        };
        self.converge(id, step).await
    }

    pub(super) async fn resume_all(&self, id: InstanceId) -> Result<(), Trouble> {
        let _turn = self.turns.take(id).await;
        self.forget(id);
        let step = |_: &Own, state| match state {
            State::Running => Ok(None),
            State::Paused => Ok(Some(Power::Resume)),
            State::Saved => Ok(Some(Power::Start)),
            State::Stopped => Err(Trouble::conflict("the instance is not suspended")),
        };
        self.converge(id, step).await
    }

    /// Looks what is missing and does that, until nothing is.
    async fn converge(
        &self,
        id: InstanceId,
        step: impl Fn(&Own, State) -> Result<Option<Power>, Trouble> + Sync,
    ) -> Result<(), Trouble> {
        let mut refusals = 0;
        loop {
            let (own, current) = match self.state(id).await {
                Err(Trouble::Fault(fault)) if fault.class() == Class::Retryable => {
                    self.pause().await;
                    continue;
                }
                state => state?,
            };
            let state = State::from(&current);
            let Some(power) = step(&own, state)? else {
                self.note_done(id, state);
                return Ok(());
            };
            let Err(fault) = self.act(&own, power).await else {
                // A manager of HA says that it is done before it is.
                self.settle(&own, power).await;
                continue;
            };
            tracing::debug!(instance = %id, ?power, error = %fault, "looking again");
            refusals += u32::from(fault.class() == Class::Conflict);
            if is_hopeless(&fault) || refusals >= REFUSALS {
                return Err(fault.into());
            }
            self.until_quiet(&own).await?;
        }
    }

    async fn act(&self, own: &Own, power: Power) -> Result<(), Fault> {
        let upid = self.client.power(&own.guest, power).await?;
        self.client.wait(&upid, self.config.power_timeout).await
    }

    /// Waits a little for the effect of something that was said to be done.
    async fn settle(&self, own: &Own, power: Power) {
        let before = match power {
            Power::Start => State::Stopped,
            _ => return,
        };
        for _ in 0..20 {
            match self.client.current(&own.guest).await {
                Ok(current) if State::from(&current) == before => self.pause().await,
                _ => return,
            }
        }
    }

    /// Waits until nothing is being done to a guest, as far as that can be seen.
    pub(super) async fn until_quiet(&self, own: &Own) -> Result<(), Trouble> {
        loop {
            self.pause().await;
            let (node, vmid) = (&own.guest.node, own.guest.vmid);
            match self.client.tasks(node, Some(vmid), true).await {
                Ok(tasks) if tasks.is_empty() => return Ok(()),
                // Not where it was: whoever looks next will see.
                Err(fault) if is_hopeless(&fault) => return Ok(()),
                _ => {}
            }
        }
    }

    pub(super) async fn remove_all(&self, id: InstanceId) -> Result<(), Trouble> {
        let _turn = self.turns.take(id).await;
        self.forget(id);
        let mut refusals = 0;
        loop {
            let own = match self.find_any(id).await {
                Err(Trouble::Fault(fault)) if fault.class() == Class::Retryable => {
                    self.pause().await;
                    continue;
                }
                own => own?,
            };
            let Some(own) = own else {
                return Ok(());
            };
            let fault = match self.remove_once(&own).await {
                Ok(()) => {
                    self.forget_places().await;
                    continue;
                }
                Err(fault) => fault,
            };
            tracing::debug!(instance = %id, error = %fault, "looking again");
            self.forget_places().await;
            refusals += u32::from(fault.class() == Class::Conflict);
            if is_hopeless(&fault) || refusals >= REFUSALS {
                return Err(fault.into());
            }
            self.until_quiet(&own).await?;
        }
    }

    async fn remove_once(&self, own: &Own) -> Result<(), Fault> {
        let current = self.client.current(&own.guest).await?;
        match State::from(&current) {
            State::Stopped => {
                self.must_be_named(own).await?;
                let upid = self.client.destroy(&own.guest).await?;
                self.client.wait(&upid, self.config.power_timeout).await
            }
            State::Saved => self.act(own, Power::Start).await,
            State::Running | State::Paused => self.act(own, Power::Stop).await,
        }
    }

    /// What is removed does not come back: its name is looked at once more, where it is never
    /// late.
    async fn must_be_named(&self, own: &Own) -> Result<(), Fault> {
        let config = self.client.config(&own.guest).await?;
        let name = config.value("name").or_else(|| config.value("hostname"));
        if name.and_then(|name| self.marks.named(name)) == Some(own.id) {
            return Ok(());
        }
        let vmid = own.guest.vmid;
        Err(Fault::Invalid(format!(
            "guest {vmid} has been given another name"
        )))
    }
}
