//! Machines and containers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::cluster::{must_be_list, unreadable};
use super::lenient::{
    de_count, de_number, de_some_count, de_some_text, de_text, de_truth, list, text,
};
use super::{Client, Fault, Form, Kind, Upid, upid};

/// A guest, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Guest {
    /// What it is.
    pub kind: Kind,
    /// Its node; changes when it is moved.
    pub node: String,
    /// Its number in the cluster.
    pub vmid: u32,
}

/// What a clone is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloneSpec {
    /// Its number.
    pub vmid: u32,
    /// Its name; of a container, its host name.
    pub name: String,
    /// What is noted of it.
    pub description: String,
    /// The pool into which it goes.
    pub pool: Option<String>,
    /// Whether all data are copied. Otherwise a template's clone is linked to it.
    pub full: bool,
    /// Where a full clone's data go.
    pub storage: Option<String>,
    /// The node where it is to be; only with storages that are shared.
    pub target: Option<String>,
}

/// What is done with the power of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Starts it.
    Start,
    /// Switches it off.
    Stop,
    /// Asks it to end; after the time given it is switched off, or the task fails.
    Shutdown {
        /// Time to end by itself.
        within: Duration,
        /// Whether it is switched off then.
        or_stop: bool,
    },
    /// Asks it to end and to start again.
    Reboot,
    /// Freezes it; with all of its memory on disk, where that is wanted.
    Suspend {
        /// Whether its memory goes to disk.
        to_disk: bool,
    },
    /// Thaws it.
    Resume,
}

/// What a guest does now.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Current {
    /// `running` or `stopped`.
    #[serde(deserialize_with = "de_text")]
    pub status: String,
    /// What its emulator says: `running`, `paused`, …
    #[serde(deserialize_with = "de_some_text")]
    pub qmpstatus: Option<String>,
    /// What is being done to it.
    #[serde(deserialize_with = "de_some_text")]
    pub lock: Option<String>,
    /// Seconds since its start.
    #[serde(deserialize_with = "de_count")]
    pub uptime: u64,
    /// Used part of its processors.
    #[serde(deserialize_with = "de_number")]
    pub cpu: f64,
    /// How many processors it has.
    #[serde(deserialize_with = "de_number")]
    pub cpus: f64,
    /// Memory that is used, in bytes.
    #[serde(deserialize_with = "de_count")]
    pub mem: u64,
}

/// A guest in the list of its node; that of the moment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ListedGuest {
    /// Its number.
    #[serde(deserialize_with = "de_some_count")]
    pub vmid: Option<u64>,
    /// Its name.
    #[serde(deserialize_with = "de_some_text")]
    pub name: Option<String>,
    /// Whether it is there to be cloned.
    #[serde(deserialize_with = "de_truth")]
    pub template: bool,
    /// What it does.
    #[serde(flatten)]
    pub current: Current,
}

/// The configuration of a guest, as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuestConfig(BTreeMap<String, String>);

impl GuestConfig {
    /// A value.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All of them by their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Machines and containers.
impl Client {
    async fn on(&self, guest: &Guest, rest: &[&str], form: Form) -> Result<Value, Fault> {
        let number = guest.vmid.to_string();
        self.post(&parts(guest, &number, rest), form).await
    }

    async fn of(&self, guest: &Guest, rest: &[&str], form: Form) -> Result<Value, Fault> {
        let number = guest.vmid.to_string();
        self.get(&parts(guest, &number, rest), form).await
    }

    /// The guests of a node.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn guests(&self, node: &str, kind: Kind) -> Result<Vec<ListedGuest>, Fault> {
        // What the emulator says is listed only if it is asked for.
        let form = Form::new().on("full", kind == Kind::Qemu);
        let data = self.get(&["nodes", node, kind.as_str()], form).await?;
        Ok(list(must_be_list(data)?))
    }

    /// Begins to clone a guest. The clone exists, locked, when this answers.
    ///
    /// # Errors
    /// `Conflict` where the number is taken; those of every call: see [`Fault`].
    pub async fn clone_guest(&self, guest: &Guest, clone: &CloneSpec) -> Result<Upid, Fault> {
        let name = match guest.kind {
            Kind::Qemu => "name",
            Kind::Lxc => "hostname",
        };
        let form = Form::new()
            .with("newid", clone.vmid)
            .with(name, &clone.name)
            .with("description", &clone.description)
            .maybe("pool", clone.pool.as_ref())
            .on("full", clone.full)
            .maybe("storage", clone.storage.as_ref().filter(|_| clone.full))
            .maybe("target", clone.target.as_ref());
        upid(&self.on(guest, &["clone"], form).await?)
    }

    /// Its configuration.
    ///
    /// # Errors
    /// `Gone` where it is not on that node; those of every call: see [`Fault`].
    pub async fn config(&self, guest: &Guest) -> Result<GuestConfig, Fault> {
        let Value::Object(values) = self.of(guest, &["config"], Form::new()).await? else {
            return Err(unreadable("it is no configuration"));
        };
        let texts = values
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), text(value)?)));
        Ok(GuestConfig(texts.collect()))
    }

    /// Changes its configuration.
    ///
    /// # Errors
    /// `Busy` where it is locked; those of every call: see [`Fault`].
    pub async fn configure(&self, guest: &Guest, changes: Form) -> Result<(), Fault> {
        let number = guest.vmid.to_string();
        let path = parts(guest, &number, &["config"]);
        self.put(&path, changes).await.map(drop)
    }

    /// Begins to make a disk larger; a size is `32G`, or `+1G` for so much more. Version 7
    /// has done it when it answers.
    ///
    /// # Errors
    /// Those of every call: see [`Fault`].
    pub async fn resize(
        &self,
        guest: &Guest,
        disk: &str,
        size: &str,
    ) -> Result<Option<Upid>, Fault> {
        let number = guest.vmid.to_string();
        let form = Form::new().with("disk", disk).with("size", size);
        let data = self.put(&parts(guest, &number, &["resize"]), form).await?;
        if data.is_null() {
            return Ok(None);
        }
        upid(&data).map(Some)
    }

    /// What it does now.
    ///
    /// # Errors
    /// `Gone` where it is not on that node; those of every call: see [`Fault`].
    pub async fn current(&self, guest: &Guest) -> Result<Current, Fault> {
        let data = self.of(guest, &["status", "current"], Form::new()).await?;
        let current: Option<Current> = serde_json::from_value(data).ok();
        let said = current.filter(|current| !current.status.is_empty());
        said.ok_or_else(|| unreadable("it does not say what the guest does"))
    }

    /// Begins to do something with its power.
    ///
    /// # Errors
    /// `Conflict` where its state does not allow it; those of every call: see [`Fault`].
    pub async fn power(&self, guest: &Guest, power: Power) -> Result<Upid, Fault> {
        let (verb, form) = match power {
            Power::Start => ("start", Form::new()),
            Power::Stop => ("stop", Form::new()),
            Power::Shutdown { within, or_stop } => {
                let form = Form::new().with("timeout", within.as_secs());
                ("shutdown", form.on("forceStop", or_stop))
            }
            Power::Reboot => ("reboot", Form::new()),
            Power::Suspend { to_disk } => ("suspend", Form::new().on("todisk", to_disk)),
            Power::Resume => ("resume", Form::new()),
        };
        upid(&self.on(guest, &["status", verb], form).await?)
    }

    /// Begins to remove it, with what belongs to it: jobs, rules, rights.
    ///
    /// # Errors
    /// `Conflict` where it runs; those of every call: see [`Fault`].
    pub async fn destroy(&self, guest: &Guest) -> Result<Upid, Fault> {
        let number = guest.vmid.to_string();
        let form = Form::new().with("purge", 1);
        upid(&self.delete(&parts(guest, &number, &[]), form).await?)
    }

    /// Makes a template of it. Containers are done with it when this answers, as are machines
    /// up to version 6.
    ///
    /// # Errors
    /// `Conflict` where it is one; those of every call: see [`Fault`].
    pub async fn make_template(&self, guest: &Guest) -> Result<Option<Upid>, Fault> {
        let data = self.on(guest, &["template"], Form::new()).await?;
        if data.is_null() {
            return Ok(None);
        }
        upid(&data).map(Some)
    }
}

/// The path to something of a guest.
pub(super) fn parts<'a>(guest: &'a Guest, number: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    let mut parts = vec!["nodes", guest.node.as_str(), guest.kind.as_str(), number];
    parts.extend(rest);
    parts
}
