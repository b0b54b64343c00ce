//! What tasks do.

use std::time::Instant;

use super::tasks::Effect;
use super::world::{GuestKind, PowerIs, World};

impl World {
    pub fn take_effect(&mut self, vmid: u32, effect: &Effect) -> Result<(), String> {
        let missing =
            || format!("Configuration file 'nodes/pve1/qemu-server/{vmid}.conf' does not exist");
        if let Effect::Clone {
            from,
            full,
            storage,
            config,
            pool,
            target,
        } = effect
        {
            self.cloned_now(vmid, *from, *full, storage, config, pool)?;
            // The last that is done.
            if let (Some(target), Some(guest)) = (target, self.guests.get_mut(&vmid)) {
                guest.node.clone_from(target);
            }
            return Ok(());
        }
        if matches!(effect, Effect::Destroy) {
            return self.destroyed(vmid);
        }
        let guest = self.guests.get_mut(&vmid).ok_or_else(missing)?;
        match effect {
            Effect::Fails(text) => return Err(text.clone()),
            Effect::Power(PowerIs::Running) if guest.power == PowerIs::Running => {
                return Err(format!("VM {vmid} already running"));
            }
            Effect::Power(PowerIs::Running) if guest.is_managed => {
                let soon = Instant::now() + self.timing.boot;
                guest.later = Some((soon, PowerIs::Running));
            }
            Effect::Power(power) => {
                let was = guest.power;
                guest.power = *power;
                guest.lock.take_if(|lock| lock == "suspended");
                if was == PowerIs::Stopped {
                    guest.started = Instant::now();
                }
            }
            Effect::Shutdown(is_made_to) => {
                if !guest.obeys && !is_made_to && guest.power != PowerIs::Stopped {
                    return Err(match guest.kind {
                        GuestKind::Qemu => "VM quit/powerdown failed - got timeout".to_owned(),
                        GuestKind::Lxc => "container did not stop".to_owned(),
                    });
                }
                guest.power = PowerIs::Stopped;
            }
            Effect::Reboot => guest.started = Instant::now(),
            Effect::SuspendToDisk => {
                guest.power = PowerIs::Stopped;
                guest.lock = Some("suspended".to_owned());
            }
            Effect::Snapshot(name) => {
                let snapshot = guest.snapshots.iter_mut().find(|one| one.name == *name);
                snapshot.ok_or("got wrong lock")?.unfinished = None;
                guest.lock = None;
            }
            Effect::Rollback { name, start } => {
                let snapshot = guest.snapshots.iter().find(|one| one.name == *name);
                let snapshot = snapshot.ok_or(format!("snapshot '{name}' does not exist"))?;
                if let Some(state) = snapshot.unfinished {
                    let text = "unable to rollback to incomplete snapshot";
                    return Err(format!("{text} (snapstate = {state})"));
                }
                guest.config = snapshot.config.clone();
                guest.power = match *start || snapshot.with_memory {
                    true => PowerIs::Running,
                    false => PowerIs::Stopped,
                };
                guest.lock = None;
            }
            Effect::DeleteSnapshot(name) => {
                guest.snapshots.retain(|one| one.name != *name);
                guest.lock = None;
            }
            Effect::Template => drop(guest.config.insert("template".into(), "1".into())),
            Effect::Resize { disk, size } => {
                let line = guest.config.get_mut(disk).ok_or("disk does not exist")?;
                let (volume, old) = line.rsplit_once("size=").ok_or("no size")?;
                if gib(old) > *size {
                    return Err("shrinking disks is not supported".to_owned());
                }
                *line = format!("{volume}size={size}G");
            }
            Effect::Nothing | Effect::Clone { .. } | Effect::Destroy => {}
        }
        Ok(())
    }

    fn cloned_now(
        &mut self,
        vmid: u32,
        from: u32,
        full: bool,
        storage: &Option<String>,
        config: &[(String, String)],
        pool: &Option<String>,
    ) -> Result<(), String> {
        let template = self.guests.get(&from);
        let template = template.ok_or("clone failed: the template is gone")?;
        let mut all = template.config.clone();
        all.remove("template");
        all.remove("description");
        all.extend(config.iter().cloned());
        let mac = self.next();
        for (key, value) in &mut all {
            *value = value.replace(&format!("base-{from}-"), &format!("vm-{vmid}-"));
            if key.starts_with("net") {
                let [.., a, b, c] = mac.to_be_bytes();
                let fresh = format!("BC:24:11:{a:02X}:{b:02X}:{c:02X}");
                if let Some(at) = value.find("BC:24:11") {
                    value.replace_range(at..at + 17, &fresh);
                }
            }
            if let (true, Some(storage)) = (key == "scsi0" || key == "rootfs", storage) {
                *value = format!("{storage}:{}", value.split_once(':').unwrap().1);
            }
        }
        let guest = self
            .guests
            .get_mut(&vmid)
            .ok_or("clone failed: it is gone")?;
        guest.config = all;
        guest.lock = None;
        guest.pool.clone_from(pool);
        guest.linked_to = (!full).then_some(from);
        Ok(())
    }

    fn destroyed(&mut self, vmid: u32) -> Result<(), String> {
        let is_needed = self
            .guests
            .values()
            .any(|guest| guest.linked_to == Some(vmid));
        if is_needed {
            let volume = format!("local-lvm:base-{vmid}-disk-0");
            return Err(format!(
                "base volume '{volume}' is still in use by linked cloned"
            ));
        }
        match self.guests.remove(&vmid) {
            Some(_) => Ok(()),
            None => Err(format!(
                "Configuration file 'nodes/pve1/qemu-server/{vmid}.conf' does not exist"
            )),
        }
    }
}

/// A size in GiB: `8G`, `512M` is none.
pub fn gib(text: &str) -> u64 {
    text.trim_end_matches('G').parse().unwrap_or(0)
}
