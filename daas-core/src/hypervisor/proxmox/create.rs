//! Creating: clone, set up, mark as finished.
//!
//! The numbers that an instance's guest may get are tried in an order that depends on its id
//! alone, and a number whose outcome is not known is tried again before any other. So a clone
//! that was asked for twice has one number, and the second one is refused by the cluster.

use std::collections::HashSet;
use std::sync::PoisonError;

use super::Proxmox;
use super::client::{Class, CloneSpec, Fault, Form, Guest, GuestConfig, Kind};
use super::config::Cloning;
use super::inventory::{Own, guest};
use super::trouble::Trouble;
use crate::error::Error;
use crate::hypervisor::Spec;
use crate::model::{InstanceId, Resources};
use sha2::{Digest as _, Sha256};

/// What has become of a number that was to be a clone's.
enum Found {
    Nothing,
    Ours(Guest),
    Others,
}

/// A step of setting a clone up.
enum Step {
    Configure(Form),
    Grow(Resources),
}

/// How a template is cloned.
struct Way {
    /// With all data.
    is_full: bool,
    /// To another node.
    target: Option<String>,
}

/// A number that is being cloned to, as long as this is held.
struct Taken<'a>(&'a Proxmox, u32);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let cloning = self.0.cloning.lock();
        cloning
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.1);
    }
}

impl Proxmox {
    pub(super) async fn create_all(&self, spec: &Spec) -> Result<(), Trouble> {
        let _turn = self.turns.take(spec.id).await;
        match self.find_any(spec.id).await? {
            Some(Own { reach: Some(_), .. }) => return Ok(()),
            Some(own) => return self.finish(spec, &own.guest).await,
            None => {}
        }
        let template = self.template(&spec.image).await?;
        let template = template.ok_or_else(|| Trouble::missing("image"))?;
        let guest = self.clone_template(spec, &template).await?;
        self.finish(spec, &guest).await
    }

    pub(super) fn is_cloning(&self, vmid: u32) -> bool {
        let cloning = self.cloning.lock();
        cloning
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&vmid)
    }

    /// Takes a number, unless this program uses it already.
    fn begin(&self, vmid: u32) -> Option<Taken<'_>> {
        let cloning = self.cloning.lock();
        let is_new = cloning.unwrap_or_else(PoisonError::into_inner).insert(vmid);
        is_new.then_some(Taken(self, vmid))
    }

    async fn clone_template(&self, spec: &Spec, template: &Guest) -> Result<Guest, Trouble> {
        let config = self.client.config(template).await?;
        let storage = disk(&config).and_then(|(_, volume)| volume.split(':').next());
        // Cloning locks the storage, and whoever waits for that too long fails.
        let storage = storage.unwrap_or_default().to_owned();
        let mut way = Way {
            is_full: self.config.cloning != Cloning::LinkedWherePossible,
            target: self.target(template, &storage).await.unwrap_or_default(),
        };
        let _turn = self.storages.take(storage).await;
        let used: HashSet<u64> = self.all().await?.iter().map(|guest| guest.vmid).collect();
        for vmid in numbers(spec.id, &self.config.vmids) {
            if used.contains(&u64::from(vmid)) {
                continue;
            }
            let Some(_held) = self.begin(vmid) else {
                continue;
            };
            if let Some(guest) = self.clone_to(spec, template, vmid, &mut way).await? {
                return Ok(guest);
            }
        }
        Err(Trouble::Core(Error::Exhausted {
            reason: "all numbers for desktops are used".to_owned(),
        }))
    }

    /// Clones to a number, until that has succeeded or somebody else has the number.
    async fn clone_to(
        &self,
        spec: &Spec,
        template: &Guest,
        vmid: u32,
        way: &mut Way,
    ) -> Result<Option<Guest>, Trouble> {
        loop {
            let done = self.clone_once(spec, template, vmid, way).await;
            let fault = done.err();
            let text = fault.as_ref().map(Fault::text).unwrap_or_default();
            if !way.is_full && text.contains("inked clone feature") {
                way.is_full = true;
                continue;
            }
            // Another disk than the first may be on one node only.
            if text.contains("non-shared storage") && way.target.take().is_some() {
                continue;
            }
            match self.look_at(spec.id, template, vmid).await? {
                Found::Ours(guest) => return Ok(Some(guest)),
                Found::Others => return Ok(None),
                Found::Nothing => {}
            }
            match fault {
                Some(fault) if is_hopeless(&fault) => return Err(fault.into()),
                _ => self.pause().await,
            }
        }
    }

    async fn clone_once(
        &self,
        spec: &Spec,
        template: &Guest,
        vmid: u32,
        way: &Way,
    ) -> Result<(), Fault> {
        let storage = match &self.config.cloning {
            Cloning::Full { storage } => storage.clone(),
            Cloning::LinkedWherePossible => None,
        };
        let clone = CloneSpec {
            vmid,
            name: self.marks.name(spec.id),
            description: self.marks.description(spec),
            pool: self.config.pool.clone(),
            full: way.is_full,
            storage,
            target: way.target.clone(),
        };
        let upid = self.client.clone_guest(template, &clone).await?;
        self.client.wait(&upid, self.config.create_timeout).await
    }

    /// Looks what has become of a number, and waits while that is not clear.
    async fn look_at(&self, id: InstanceId, template: &Guest, vmid: u32) -> Result<Found, Trouble> {
        let mut quiet = 0;
        loop {
            let list = match self.all().await {
                Err(fault) if fault.class() == Class::Retryable => {
                    self.pause().await;
                    continue;
                }
                list => list?,
            };
            let resource = list.iter().find(|guest| guest.vmid == u64::from(vmid));
            let found = resource
                .and_then(|resource| guest(resource).map(|guest| (guest, resource.lock.clone())));
            let Some((guest, lock)) = found else {
                // It may be that nobody has begun yet; if somebody does, they take this number.
                return Ok(Found::Nothing);
            };
            if let Some(own) = self.unfinished(guest).await? {
                if own.id != id {
                    return Ok(Found::Others);
                }
                if lock.is_none() {
                    return Ok(Found::Ours(own.guest));
                }
            } else if !matches!(lock.as_deref(), Some("clone" | "create")) {
                return Ok(Found::Others);
            }
            quiet = if self.is_worked_on(&template.node).await? {
                0
            } else {
                quiet + 1
            };
            if quiet > 3 {
                // Whoever was to make it died, and left a lock that only root can take away.
                let lock = lock.unwrap_or_default();
                tracing::warn!(
                    vmid,
                    lock,
                    "a guest is locked for ever: unlock and remove it"
                );
                return Ok(Found::Others);
            }
            self.pause().await;
        }
    }

    /// Sets a clone up. All of it can be done again; the tags at the end say that it is done.
    async fn finish(&self, spec: &Spec, guest: &Guest) -> Result<(), Trouble> {
        let limits = limits(spec, guest.kind, self.config.cloud_init_user.as_deref());
        let tags = Form::new().with("tags", self.marks.tags(spec.id, spec.reach));
        let steps = [
            Step::Configure(limits),
            Step::Grow(spec.resources),
            Step::Configure(tags),
        ];
        for step in &steps {
            self.persist(guest, step).await?;
        }
        self.forget_places().await;
        Ok(())
    }

    async fn configure(&self, guest: &Guest, form: Form) -> Result<(), Fault> {
        if form.is_empty() {
            return Ok(());
        }
        self.client.configure(guest, form).await
    }

    /// Makes the disk as large as it has to be; it is never made smaller.
    async fn grow(&self, guest: &Guest, resources: Resources) -> Result<(), Fault> {
        let config = self.client.config(guest).await?;
        let Some((name, volume)) = disk(&config) else {
            return Ok(());
        };
        let wanted = resources.disk_mib.div_ceil(1024);
        if wanted == 0 || mib(volume).is_none_or(|now| now >= u64::from(resources.disk_mib)) {
            return Ok(());
        }
        let size = format!("{wanted}G");
        match self.client.resize(guest, name, &size).await? {
            Some(upid) => self.client.wait(&upid, self.config.power_timeout).await,
            None => Ok(()),
        }
    }

    /// Does something again until it succeeds or there is no hope; whoever asked bounds the
    /// time.
    async fn persist(&self, guest: &Guest, step: &Step) -> Result<(), Trouble> {
        loop {
            let done = match step {
                Step::Configure(form) => self.configure(guest, form.clone()).await,
                Step::Grow(resources) => self.grow(guest, *resources).await,
            };
            match done {
                Ok(()) => return Ok(()),
                Err(fault) if is_hopeless(&fault) || fault.class() == Class::Gone => {
                    return Err(fault.into());
                }
                Err(fault) => {
                    tracing::debug!(error = %fault, "trying again");
                    self.pause().await;
                }
            }
        }
    }
}

/// Whether doing the same again cannot help.
pub(super) fn is_hopeless(fault: &Fault) -> bool {
    matches!(
        fault.class(),
        Class::Permission | Class::Exhausted | Class::Fatal
    )
}

/// All numbers, in an order that depends on the instance alone.
fn numbers(
    id: InstanceId,
    range: &std::ops::RangeInclusive<u32>,
) -> impl Iterator<Item = u32> + use<> {
    let (first, last) = (*range.start(), *range.end());
    let count = u64::from(last.saturating_sub(first)) + 1;
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(id.to_string()).into();
    let start = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % count;
    let all = (0..count).map(move |turn| (start + turn) % count);
    all.filter_map(move |offset| first.checked_add(u32::try_from(offset).ok()?))
}

fn limits(spec: &Spec, kind: Kind, user: Option<&str>) -> Form {
    let Resources {
        cpu_millis,
        memory_mib,
        ..
    } = spec.resources;
    let mut form = Form::new();
    if cpu_millis > 0 {
        form = form.with("cores", cpu_millis.div_ceil(1000));
        // Whole processors need no other limit.
        if cpu_millis % 1000 != 0 {
            form = form.with("cpulimit", f64::from(cpu_millis) / 1000.0);
        }
    }
    if memory_mib > 0 {
        form = form.with("memory", memory_mib);
    }
    if let (Kind::Qemu, Some(user)) = (kind, user) {
        form = form
            .with("ciuser", user)
            .with("cipassword", spec.password.expose());
    }
    form
}

/// The first disk of a guest: its name, and what is said of it.
fn disk(config: &GuestConfig) -> Option<(&str, &str)> {
    let order = config
        .value("boot")
        .and_then(|boot| boot.strip_prefix("order="));
    let ordered = order.into_iter().flat_map(|order| order.split(';'));
    let usual = ["scsi0", "virtio0", "sata0", "ide0", "rootfs"];
    let names = ordered.chain(config.value("bootdisk")).chain(usual);
    let mut disks = names.filter_map(|name| Some((name, config.value(name)?)));
    disks.find(|(name, volume)| !name.starts_with("net") && !volume.contains("media=cdrom"))
}

/// Size of a disk in MiB, where it says one.
fn mib(volume: &str) -> Option<u64> {
    let size = volume
        .split(',')
        .find_map(|part| part.strip_prefix("size="))?;
    let digits = size.trim_end_matches(char::is_alphabetic);
    let number: u64 = digits.parse().ok()?;
    match &size[digits.len()..] {
        "M" => Some(number),
        "G" => number.checked_mul(1024),
        "T" => number.checked_mul(1024 * 1024),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn all_numbers_are_tried_once_in_an_order_of_their_own() {
        let (range, id) = (5000..=5099, InstanceId::random());
        let order: Vec<u32> = numbers(id, &range).collect();
        assert_eq!(order, numbers(id, &range).collect::<Vec<_>>());
        let all: HashSet<u32> = order.iter().copied().collect();
        assert_eq!((order.len(), all), (100, range.clone().collect()));
        let firsts = (0..50).map(|_| numbers(InstanceId::random(), &range).next().unwrap());
        assert!(firsts.collect::<HashSet<_>>().len() > 10);
        let whole = 100..=999_999_999;
        assert!(whole.contains(&numbers(id, &whole).next().unwrap()));
    }

    #[test]
    fn sizes_are_read() {
        for (volume, expected) in [
            ("local-lvm:vm-1-disk-0,size=32G", Some(32 * 1024)),
            ("a:b,discard=on,size=512M,ssd=1", Some(512)),
            ("a:b,size=2T", Some(2 << 20)),
            ("a:b", None),
            ("a:b,size=G", None),
            ("a:b,size=1K", None),
            ("a:b,size=99999999999999999999G", None),
        ] {
            assert_eq!(mib(volume), expected, "{volume}");
        }
    }
}
