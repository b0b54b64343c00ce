//! Tasks: each waits for a lock, takes its time, and then changes something or fails.

use std::time::{Duration, Instant};

use super::faults::Action;
use super::world::{PowerIs, World};

/// What a task changes at its end.
#[derive(Clone, Debug)]
pub enum Effect {
    Clone {
        from: u32,
        full: bool,
        storage: Option<String>,
        config: Vec<(String, String)>,
        pool: Option<String>,
        target: Option<String>,
    },
    Power(PowerIs),
    /// Asks to end; `true` where it is made to.
    Shutdown(bool),
    Reboot,
    SuspendToDisk,
    /// Its name: it is there from the beginning, but not complete.
    Snapshot(String),
    Rollback {
        name: String,
        start: bool,
    },
    DeleteSnapshot(String),
    Destroy,
    Template,
    Resize {
        disk: String,
        size: u64,
    },
    Fails(String),
    Nothing,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub upid: String,
    pub node: String,
    pub kind: &'static str,
    /// The guest in the name of the task; for cloning, the template.
    pub of: u32,
    /// The guest that it changes.
    pub vmid: u32,
    pub user: String,
    pub ends_at: Instant,
    pub effect: Effect,
    /// How it ended.
    pub exit: Option<String>,
    pub log: Vec<String>,
}

impl World {
    /// Begins a task, and answers its name.
    pub fn begin(
        &mut self,
        kind: &'static str,
        of: u32,
        vmid: u32,
        user: &str,
        effect: Effect,
        fault: &Option<Action>,
    ) -> String {
        let node = self.guests[&of].node.clone();
        let number = self.next();
        let upid = format!("UPID:{node}:{number:08X}:0012D687:6B4A8C1F:{kind}:{of}:{user}:");
        let now = Instant::now();
        // One task of a guest after the other, as each holds its lock.
        let before = self.tasks.iter().filter(|task| task.exit.is_none());
        let before = before
            .filter(|task| task.vmid == vmid)
            .map(|task| task.ends_at);
        let free_at = before.max().unwrap_or(now).max(now);
        let (mut effect, mut duration) = (effect, self.timing.task);
        if free_at.duration_since(now) > self.timing.lock {
            let path = format!("/var/lock/qemu-server/lock-{vmid}.conf");
            effect = Effect::Fails(format!("can't lock file '{path}' - got timeout"));
            duration = self.timing.lock;
        }
        let mut ends_at = free_at + duration;
        if let Effect::Clone { from, .. } = &effect {
            let from = *from;
            match self.lock_storage(from, now, duration) {
                Ok(end) => ends_at = end,
                Err(text) => effect = Effect::Fails(format!("clone failed: {text}")),
            }
        }
        match fault {
            Some(Action::TaskFails(text)) => effect = Effect::Fails(text.clone()),
            Some(Action::WorkerDies) => effect = Effect::Nothing,
            _ => {}
        }
        let dies = *fault == Some(Action::WorkerDies);
        self.tasks.push(Task {
            upid: upid.clone(),
            node,
            kind,
            of,
            vmid,
            user: user.to_owned(),
            ends_at: if dies { now } else { ends_at },
            effect,
            exit: dies.then(|| "unexpected status".to_owned()),
            log: vec![format!("task {kind} of {vmid} began")],
        });
        upid
    }

    /// Cloning holds the lock of a storage.
    fn lock_storage(&mut self, from: u32, now: Instant, long: Duration) -> Result<Instant, String> {
        let name = self.storage_of(from).unwrap_or_default();
        let wait = self.timing.lock;
        let Some(storage) = self.storages.get_mut(&name) else {
            return Ok(now + long);
        };
        let free_at = storage.locked_until.max(now);
        if free_at.duration_since(now) > wait {
            let path = format!("/var/lock/pve-manager/pve-storage-{name}");
            return Err(format!("can't lock file '{path}' - got timeout"));
        }
        storage.locked_until = free_at + long;
        Ok(storage.locked_until)
    }

    /// The storage of the first disk of a guest.
    pub fn storage_of(&self, vmid: u32) -> Option<String> {
        let config = &self.guests.get(&vmid)?.config;
        let disk = config.get("scsi0").or_else(|| config.get("rootfs"))?;
        disk.split_once(':').map(|(storage, _)| storage.to_owned())
    }

    /// Ends what has to end by now.
    pub fn finish_tasks(&mut self) {
        let now = Instant::now();
        loop {
            let due = self.tasks.iter().enumerate();
            let due = due.filter(|(_, task)| task.exit.is_none() && task.ends_at <= now);
            let due = due.filter(|(_, task)| self.nodes.get(&task.node) == Some(&true));
            let Some((index, _)) = due.min_by_key(|(_, task)| task.ends_at) else {
                return;
            };
            let (vmid, effect) = (self.tasks[index].vmid, self.tasks[index].effect.clone());
            let exit = match self.take_effect(vmid, &effect) {
                Ok(()) => "OK".to_owned(),
                Err(text) => {
                    self.clean_up(vmid, self.tasks[index].kind);
                    text
                }
            };
            let task = &mut self.tasks[index];
            task.log.push(format!("TASK {exit}"));
            task.exit = Some(exit);
        }
    }

    /// What a worker takes back when it fails.
    fn clean_up(&mut self, vmid: u32, kind: &str) {
        let Some(guest) = self.guests.get_mut(&vmid) else {
            return;
        };
        match kind {
            "qmclone" | "vzclone" => drop(self.guests.remove(&vmid)),
            kind => {
                if kind.ends_with("snapshot") && !kind.contains("del") {
                    guest
                        .snapshots
                        .retain(|one| one.unfinished != Some("prepare"));
                }
                let own = ["snapshot", "rollback", "snapshot-delete", "suspending"];
                guest.lock.take_if(|lock| own.contains(&lock.as_str()));
            }
        }
    }
}
