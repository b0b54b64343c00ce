//! What can be done with a guest.

use std::time::Instant;

use serde_json::{Value, json};

use super::api::{Call, unknown};
use super::faults::Action;
use super::http::{Answer, Refusal};
use super::power::gib;
use super::tasks::Effect;
use super::world::{Guest, GuestKind, Listening, PowerIs, SnapshotOf, World};

pub fn on_guest(
    world: &mut World,
    call: &Call<'_>,
    node: &str,
    kind: GuestKind,
    vmid: &str,
    rest: &[&str],
) -> Answer {
    let number: u32 = vmid
        .parse()
        .ok()
        .filter(|number| *number >= 100)
        .ok_or_else(|| Refusal::parameter("vmid", "type check ('integer') failed"))?;
    let found = world.guests.get(&number);
    if !found.is_some_and(|guest| guest.node == node && guest.kind == kind) {
        let folder = match kind {
            GuestKind::Qemu => "qemu-server",
            GuestKind::Lxc => "lxc",
        };
        let path = format!("nodes/{node}/{folder}/{number}.conf");
        return Err(Refusal::died(format!(
            "Configuration file '{path}' does not exist"
        )));
    }
    match (call.method, rest) {
        ("GET", ["status", "current"]) => Ok(current(number, &world.guests[&number])),
        ("POST", ["status", verb]) => power(world, call, number, verb),
        ("GET", ["config"]) => Ok(config(&world.guests[&number])),
        ("PUT", ["config"]) => configure(world, call, number),
        ("PUT", ["resize"]) => resize(world, call, number),
        ("POST", ["clone"]) => clone(world, call, number),
        ("POST", ["template"]) => template(world, call, number),
        ("DELETE", []) => destroy(world, call, number),
        ("GET", ["snapshot"]) => Ok(snapshots(&world.guests[&number])),
        ("POST", ["snapshot"]) => snapshot(world, call, number),
        ("POST", ["snapshot", name, "rollback"]) => rollback(world, call, number, name),
        ("DELETE", ["snapshot", name]) => delete_snapshot(world, call, number, name),
        ("GET", ["agent", "network-get-interfaces"]) if kind == GuestKind::Qemu => {
            agent(world, number)
        }
        ("GET", ["interfaces"]) if kind == GuestKind::Lxc && !world.version.starts_with('7') => {
            Ok(container_interfaces(world, number))
        }
        ("POST", ["vncproxy"]) => vncproxy(world, call, number),
        _ => Err(unknown(
            call,
            &[&["nodes", node, kind.as_str(), vmid], rest].concat(),
        )),
    }
}

fn of(world: &World, vmid: u32) -> &Guest {
    &world.guests[&vmid]
}

fn of_mut(world: &mut World, vmid: u32) -> &mut Guest {
    world.guests.get_mut(&vmid).unwrap()
}

/// Refuses while something is being done to a guest.
fn unlocked(guest: &Guest) -> Result<(), Refusal> {
    match &guest.lock {
        None => Ok(()),
        Some(lock) => Err(Refusal::died(locked(guest, lock))),
    }
}

fn locked(guest: &Guest, lock: &str) -> String {
    format!("{} is locked ({lock})", guest.kind.word())
}

pub fn current(vmid: u32, guest: &Guest) -> Value {
    let runs = guest.power != PowerIs::Stopped;
    let seconds = if runs {
        guest.started.elapsed().as_secs()
    } else {
        0
    };
    let memory = guest
        .config
        .get("memory")
        .and_then(|text| text.parse().ok());
    let memory = memory.unwrap_or(512_u64) << 20;
    let mut entry = json!({
        "vmid": vmid, "status": guest.status(), "uptime": seconds,
        "cpu": if runs { 0.25 } else { 0.0 },
        "cpus": guest.config.get("cores").map_or("1", String::as_str),
        "mem": if runs { memory / 2 } else { 0 }, "maxmem": memory,
        "ha": { "managed": u8::from(guest.is_managed) },
    });
    if let Some(name) = guest.name() {
        entry["name"] = json!(name);
    }
    if guest.kind == GuestKind::Qemu {
        entry["qmpstatus"] = json!(match guest.power {
            PowerIs::Paused => "paused",
            _ => guest.status(),
        });
    }
    if guest.is_template() {
        entry["template"] = json!(1);
    }
    if let Some(tags) = guest.config.get("tags") {
        entry["tags"] = json!(tags);
    }
    if let Some(lock) = &guest.lock {
        entry["lock"] = json!(lock);
    }
    entry
}

fn power(world: &mut World, call: &Call<'_>, vmid: u32, verb: &str) -> Answer {
    let guest = of(world, vmid);
    let (is_lxc, word) = (guest.kind == GuestKind::Lxc, guest.kind.word());
    let (now, lock) = (guest.power, guest.lock.clone());
    let running = now != PowerIs::Stopped;
    let not_running = || Refusal::died(format!("{word} {vmid} not running"));
    let resumes = lock.as_deref() == Some("suspended") && matches!(verb, "start" | "resume");
    let mut effect = match verb {
        "start" if is_lxc && running => {
            return Err(Refusal::died(format!("CT {vmid} already running")));
        }
        "start" => Effect::Power(PowerIs::Running),
        "stop" | "shutdown" if is_lxc && !running => return Err(not_running()),
        "shutdown" if now == PowerIs::Paused && !is_lxc => {
            return Err(Refusal::died("VM is paused - cannot shutdown"));
        }
        "stop" => Effect::Power(PowerIs::Stopped),
        "shutdown" => Effect::Shutdown(call.is_on("forceStop")),
        "reboot" if !running => return Err(not_running()),
        "reboot" => Effect::Reboot,
        "suspend" if !running => return Err(not_running()),
        "suspend" if call.is_on("todisk") => Effect::SuspendToDisk,
        "suspend" => Effect::Power(PowerIs::Paused),
        "resume" if !running && !resumes => return Err(not_running()),
        "resume" if now == PowerIs::Running => Effect::Nothing,
        "resume" => Effect::Power(PowerIs::Running),
        _ => return Err(unknown(call, &["status", verb])),
    };
    if let Some(allowed) = match verb {
        "start" => Some(&["skiplock", "timeout"][..]),
        "stop" => Some(&["skiplock", "timeout", "keepActive", "overrule-shutdown"][..]),
        "shutdown" => Some(&["timeout", "forceStop"][..]),
        "suspend" if !is_lxc => Some(&["todisk", "statestorage"][..]),
        _ => Some(&[][..]),
    } {
        call.only(allowed)?;
    }
    if verb == "start" && of(world, vmid).is_template() {
        effect = Effect::Fails(format!("you can't start a {} if it's a template", word));
    }
    if let Some(lock) = lock.filter(|_| !resumes) {
        // The worker says so, unless the method looks first.
        effect = Effect::Fails(locked(of(world, vmid), &lock));
    }
    if matches!(effect, Effect::SuspendToDisk) && !matches!(call.fault, Some(Action::TaskFails(_)))
    {
        of_mut(world, vmid).lock = Some("suspending".to_owned());
    }
    let kind = match (verb, is_lxc) {
        ("start", _) if of(world, vmid).is_managed => "hastart",
        ("start", false) => "qmstart",
        ("stop", false) => "qmstop",
        ("shutdown", false) => "qmshutdown",
        ("reboot", false) => "qmreboot",
        ("suspend", false) if call.is_on("todisk") => "qmsuspend",
        ("suspend", false) => "qmpause",
        ("resume", false) => "qmresume",
        ("start", true) => "vzstart",
        ("stop", true) => "vzstop",
        ("shutdown", true) => "vzshutdown",
        ("reboot", true) => "vzreboot",
        ("suspend", true) => "vzsuspend",
        _ => "vzresume",
    };
    Ok(json!(
        world.begin(kind, vmid, vmid, call.user, effect, call.fault)
    ))
}

fn config(guest: &Guest) -> Value {
    let mut all = json!({ "digest": "5f1d" });
    for (key, value) in &guest.config {
        all[key] = match key.as_str() {
            "cores" | "template" => json!(value.parse::<u64>().unwrap_or(1)),
            "cipassword" => json!("**********"),
            "description" => json!(format!("{value}\n")),
            _ => json!(value),
        };
    }
    if let Some(lock) = &guest.lock {
        all["lock"] = json!(lock);
    }
    all
}

const QEMU_KEYS: &[&str] = &[
    "name",
    "cores",
    "memory",
    "tags",
    "description",
    "ciuser",
    "cipassword",
    "cpulimit",
    "onboot",
    "net0",
    "agent",
    "delete",
    "digest",
    "balloon",
    "ipconfig0",
    "sshkeys",
    "protection",
];
const LXC_KEYS: &[&str] = &[
    "hostname",
    "cores",
    "memory",
    "swap",
    "tags",
    "description",
    "cpulimit",
    "onboot",
    "net0",
    "delete",
    "digest",
    "protection",
];

fn configure(world: &mut World, call: &Call<'_>, vmid: u32) -> Answer {
    let guest = of_mut(world, vmid);
    if let Some(key) = ["args", "lock", "hookscript"]
        .iter()
        .find(|key| call.get(key).is_some())
    {
        return Err(Refusal::died(format!("only root can set '{key}' config")));
    }
    call.only(match guest.kind {
        GuestKind::Qemu => QEMU_KEYS,
        GuestKind::Lxc => LXC_KEYS,
    })?;
    if call.params.is_empty() {
        return Err(Refusal::died("no options specified"));
    }
    unlocked(guest)?;
    let tags = call.get("tags").unwrap_or_default();
    let is_tag = |tag: &str| {
        let starts = tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        starts
            && tag
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-+.".contains(c))
    };
    if !tags
        .split([';', ',', ' '])
        .all(|tag| tag.is_empty() || is_tag(tag))
    {
        return Err(Refusal::parameter(
            "tags",
            "invalid format - invalid characters in tag",
        ));
    }
    for (key, value) in call.params {
        match key.as_str() {
            "delete" => drop(guest.config.remove(value)),
            "digest" => {}
            _ => drop(
                guest
                    .config
                    .insert(key.clone(), value.trim_end().to_owned()),
            ),
        }
    }
    Ok(Value::Null)
}

fn resize(world: &mut World, call: &Call<'_>, vmid: u32) -> Answer {
    call.only(&["disk", "size", "digest"])?;
    let guest = of(world, vmid);
    let disk = call.need("disk")?.to_owned();
    let line = guest.config.get(&disk);
    let line = line.ok_or_else(|| Refusal::died(format!("disk '{disk}' does not exist")))?;
    unlocked(guest)?;
    let old = gib(line
        .rsplit_once("size=")
        .map(|(_, size)| size)
        .unwrap_or_default());
    let wanted = call.need("size")?;
    let size = match wanted.strip_prefix('+') {
        Some(more) => old + gib(more),
        None => gib(wanted),
    };
    if guest.kind == GuestKind::Lxc && size < old {
        return Err(Refusal::died("unable to shrink disk size"));
    }
    let effect = Effect::Resize { disk, size };
    if world.version.starts_with('7') {
        world.take_effect(vmid, &effect).map_err(Refusal::died)?;
        return Ok(Value::Null);
    }
    Ok(json!(world.begin(
        "resize", vmid, vmid, call.user, effect, call.fault
    )))
}

fn clone(world: &mut World, call: &Call<'_>, from: u32) -> Answer {
    let (template, is_lxc) = (of(world, from), of(world, from).kind == GuestKind::Lxc);
    let name = if is_lxc { "hostname" } else { "name" };
    call.only(&[
        "newid",
        name,
        "description",
        "pool",
        "full",
        "storage",
        "target",
        "format",
        "snapname",
        "bwlimit",
    ])?;
    let new = call.vmid("newid")?;
    let full = match call.get("full") {
        Some(value) => value == "1",
        None => !template.is_template(),
    };
    if let Some(guest) = world.guests.get(&new) {
        let text = format!("VM {new} already exists on node '{}'", guest.node);
        return Err(Refusal::died(format!("unable to create VM {new} - {text}")));
    }
    if let Some(pool) = call.get("pool").filter(|pool| !world.pools.contains(*pool)) {
        return Err(Refusal::died(format!("pool '{pool}' does not exist")));
    }
    unlocked(template)?;
    if !full && call.get("storage").is_some() {
        return Err(Refusal::died(
            "parameter 'storage' not allowed for linked clones",
        ));
    }
    let storage = world.storage_of(from).unwrap_or_default();
    let is_shared = world
        .storages
        .get(&storage)
        .is_some_and(|storage| storage.shared);
    if call.get("target").is_some() && !is_shared {
        let text = format!("can't clone to non-shared storage '{storage}'");
        return Err(Refusal::died(text));
    }
    let links = world
        .storages
        .get(&storage)
        .is_some_and(|storage| storage.links);
    if !full && !links {
        let text = "Linked clone feature is not supported for drive 'scsi0'";
        return Err(Refusal::died(text));
    }
    if let Some(label) = call.get(name).filter(|label| {
        label.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '.')
    }) {
        let wrong = format!("invalid format - value does not look like a valid DNS name: {label}");
        return Err(Refusal::parameter(name, &wrong));
    }
    let kind = of(world, from).kind;
    let node = of(world, from).node.clone();
    let mut guest = Guest::new(kind, &node);
    guest.lock = Some(if is_lxc { "create" } else { "clone" }.to_owned());
    world.guests.insert(new, guest);
    world.cloned.push(new);
    let given = [name, "description"].into_iter();
    let given = given.filter_map(|key| Some((key.to_owned(), call.get(key)?.to_owned())));
    let effect = Effect::Clone {
        from,
        full,
        storage: call.get("storage").map(str::to_owned),
        config: given.collect(),
        pool: call.get("pool").map(str::to_owned),
        target: call.get("target").map(str::to_owned),
    };
    let task = if is_lxc { "vzclone" } else { "qmclone" };
    Ok(json!(
        world.begin(task, from, new, call.user, effect, call.fault)
    ))
}

fn template(world: &mut World, call: &Call<'_>, vmid: u32) -> Answer {
    let guest = of(world, vmid);
    unlocked(guest)?;
    if guest.is_template() {
        return Err(Refusal::died("you can't convert a template to a template"));
    }
    if !guest.snapshots.is_empty() {
        return Err(Refusal::died(
            "unable to create template, because VM contains snapshots",
        ));
    }
    if guest.power != PowerIs::Stopped {
        return Err(Refusal::died(
            "you can't convert a VM to template if VM is running",
        ));
    }
    if guest.kind == GuestKind::Lxc {
        world
            .take_effect(vmid, &Effect::Template)
            .map_err(Refusal::died)?;
        return Ok(Value::Null);
    }
    Ok(json!(world.begin(
        "qmtemplate",
        vmid,
        vmid,
        call.user,
        Effect::Template,
        call.fault
    )))
}

fn destroy(world: &mut World, call: &Call<'_>, vmid: u32) -> Answer {
    call.only(&["purge", "destroy-unreferenced-disks", "skiplock", "force"])?;
    let guest = of(world, vmid);
    let word = guest.kind.word();
    if guest
        .config
        .get("protection")
        .is_some_and(|value| value == "1")
    {
        let text = format!("can't remove {word} {vmid} - protection mode enabled");
        return Err(Refusal::died(text));
    }
    unlocked(guest)?;
    if guest.is_managed && !call.is_on("purge") {
        let text = "used in HA resources and purge parameter not set.";
        return Err(Refusal::died(format!(
            "unable to remove {word} {vmid} - {text}"
        )));
    }
    if guest.power != PowerIs::Stopped {
        return Err(Refusal::died(format!(
            "{word} {vmid} is running - destroy failed"
        )));
    }
    let task = match guest.kind {
        GuestKind::Qemu => "qmdestroy",
        GuestKind::Lxc => "vzdestroy",
    };
    Ok(json!(world.begin(
        task,
        vmid,
        vmid,
        call.user,
        Effect::Destroy,
        call.fault
    )))
}

fn snapshots(guest: &Guest) -> Value {
    let mut all: Vec<Value> = guest
        .snapshots
        .iter()
        .map(|one| {
            let mut entry = json!({ "name": one.name, "description": one.description,
                "snaptime": "1800000000", "vmstate": u8::from(one.with_memory) });
            if let Some(state) = one.unfinished {
                entry["snapstate"] = json!(state);
            }
            entry
        })
        .collect();
    all.push(
        json!({ "name": "current", "description": "You are here!", "digest": "5f1d",
        "running": u8::from(guest.power != PowerIs::Stopped) }),
    );
    Value::Array(all)
}

fn snapshot(world: &mut World, call: &Call<'_>, vmid: u32) -> Answer {
    let guest = of_mut(world, vmid);
    let allowed: &[&str] = match guest.kind {
        GuestKind::Qemu => &["snapname", "description", "vmstate"],
        GuestKind::Lxc => &["snapname", "description"],
    };
    call.only(allowed)?;
    let name = call.need("snapname")?.to_owned();
    if matches!(name.as_str(), "current" | "pending" | "vzdump") {
        let text = format!("unable to use snapshot name '{name}' (reserved name)");
        return Err(Refusal::died(text));
    }
    let mut effect = Effect::Snapshot(name.clone());
    if guest.is_template() {
        effect = Effect::Fails("you can't take a snapshot if it's a template".to_owned());
    } else if guest.snapshots.iter().any(|one| one.name == name) {
        effect = Effect::Fails(format!("snapshot name '{name}' already used"));
    } else if let Some(lock) = &guest.lock {
        effect = Effect::Fails(locked(guest, lock));
    } else {
        guest.lock = Some("snapshot".to_owned());
        guest.snapshots.push(SnapshotOf {
            with_memory: call.is_on("vmstate") && guest.power != PowerIs::Stopped,
            description: call.get("description").unwrap_or_default().to_owned(),
            config: guest.config.clone(),
            name,
            unfinished: Some("prepare"),
        });
    }
    let task = match of(world, vmid).kind {
        GuestKind::Qemu => "qmsnapshot",
        GuestKind::Lxc => "vzsnapshot",
    };
    Ok(json!(
        world.begin(task, vmid, vmid, call.user, effect, call.fault)
    ))
}

fn rollback(world: &mut World, call: &Call<'_>, vmid: u32, name: &str) -> Answer {
    call.only(&["start"])?;
    let guest = of_mut(world, vmid);
    let mut effect = Effect::Rollback {
        name: name.to_owned(),
        start: call.is_on("start"),
    };
    if let Some(lock) = &guest.lock {
        effect = Effect::Fails(locked(guest, lock));
    } else if guest.snapshots.iter().all(|one| one.name != name) {
        effect = Effect::Fails(format!("snapshot '{name}' does not exist"));
    } else {
        guest.lock = Some("rollback".to_owned());
    }
    let task = match of(world, vmid).kind {
        GuestKind::Qemu => "qmrollback",
        GuestKind::Lxc => "vzrollback",
    };
    Ok(json!(
        world.begin(task, vmid, vmid, call.user, effect, call.fault)
    ))
}

fn delete_snapshot(world: &mut World, call: &Call<'_>, vmid: u32, name: &str) -> Answer {
    call.only(&["force"])?;
    let guest = of_mut(world, vmid);
    unlocked(guest)?;
    if guest.snapshots.iter().all(|one| one.name != name) {
        return Err(Refusal::died(format!("snapshot '{name}' does not exist")));
    }
    guest.lock = Some("snapshot-delete".to_owned());
    let named = guest.snapshots.iter_mut().filter(|one| one.name == name);
    named.for_each(|one| one.unfinished = Some("delete"));
    let effect = Effect::DeleteSnapshot(name.to_owned());
    let task = match of(world, vmid).kind {
        GuestKind::Qemu => "qmdelsnapshot",
        GuestKind::Lxc => "vzdelsnapshot",
    };
    Ok(json!(
        world.begin(task, vmid, vmid, call.user, effect, call.fault)
    ))
}

fn agent(world: &World, vmid: u32) -> Answer {
    let guest = of(world, vmid);
    if guest
        .config
        .get("agent")
        .is_none_or(|value| !value.starts_with('1'))
    {
        return Err(Refusal::died("No QEMU guest agent configured"));
    }
    if guest.power == PowerIs::Stopped {
        return Err(Refusal::died(format!("VM {vmid} is not running")));
    }
    if !world.is_up(guest) {
        return Err(Refusal::died("QEMU guest agent is not running"));
    }
    let mut result = vec![
        json!({ "name": "lo", "hardware-address": "00:00:00:00:00:00",
        "ip-addresses": [{ "ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8 }] }),
    ];
    for (index, lie) in guest.tells.iter().enumerate() {
        result.push(json!({ "name": format!("docker{index}"),
            "hardware-address": "02:42:00:00:00:01", "ip-addresses": [{ "ip-address": lie }] }));
    }
    let net = guest
        .config
        .get("net0")
        .map(String::as_str)
        .unwrap_or_default();
    let mac = net
        .split(['=', ','])
        .nth(1)
        .unwrap_or_default()
        .to_ascii_lowercase();
    result.push(
        json!({ "name": "ens18", "hardware-address": mac, "ip-addresses": [
        { "ip-address": "fe80::be24:11ff:fe00:1", "ip-address-type": "ipv6", "prefix": 64 },
        { "ip-address": World::address(vmid).to_string(), "prefix": "24" },
    ] }),
    );
    Ok(json!({ "result": result }))
}

fn container_interfaces(world: &World, vmid: u32) -> Value {
    let guest = of(world, vmid);
    if !world.is_up(guest) {
        return json!([]);
    }
    json!([
        { "name": "lo", "hwaddr": "00:00:00:00:00:00", "inet": "127.0.0.1/8", "inet6": "::1/128" },
        { "name": "eth0", "hwaddr": "bc:24:11:00:00:02",
          "inet": format!("{}/24", World::address(vmid)), "inet6": "fe80::be24:11ff:fe00:2/64" },
    ])
}

fn vncproxy(world: &mut World, call: &Call<'_>, vmid: u32) -> Answer {
    let is_lxc = of(world, vmid).kind == GuestKind::Lxc;
    let allowed: &[&str] = match is_lxc {
        false => &["websocket", "generate-password"],
        true => &["websocket", "height", "width"],
    };
    call.only(allowed)?;
    let now = Instant::now();
    world.consoles.retain(|_, console| console.until > now);
    let port = (5900..=5999).find(|port| !world.consoles.contains_key(port));
    let port = port.ok_or_else(|| Refusal::died("unable to find free port (5900-6000)"))?;
    let number = world.next();
    let ticket = format!("PVEVNC:{number:08X}::c2ln+/{number}==");
    let until = now + world.timing.console;
    let console = Listening {
        vmid,
        ticket: ticket.clone(),
        user: call.user.to_owned(),
        until,
    };
    world.consoles.insert(port, console);
    let password = format!("pw{number:06}");
    if let Some(screen) = &world.screen {
        let set = screen.set_password(&password);
        set.map_err(|error| Refusal::died(error.to_string()))?;
    }
    let upid = world.begin("vncproxy", vmid, vmid, call.user, Effect::Nothing, &None);
    let mut answer = json!({ "user": call.user, "ticket": ticket, "upid": upid, "cert": "" });
    if world.version.starts_with('9') {
        answer["port"] = json!(port);
        answer["password"] = json!(password);
    } else {
        answer["port"] = json!(port.to_string());
    }
    if call.is_on("generate-password") {
        answer["password"] = json!(password);
    }
    Ok(answer)
}
