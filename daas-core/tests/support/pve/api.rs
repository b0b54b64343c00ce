//! Which call does what.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::faults::Action;
use super::http::{Answer, Refusal, Request, decoded};
use super::world::{Guest, GuestKind, World};
use super::{PASSWORD, Shared, TOKEN_ID, TOKEN_SECRET, USER};

/// A call of somebody.
pub struct Call<'a> {
    pub method: &'a str,
    pub params: &'a BTreeMap<String, String>,
    pub user: &'a str,
    pub fault: &'a Option<Action>,
}

impl Call<'_> {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    pub fn need(&self, name: &str) -> Result<&str, Refusal> {
        let missing = "property is missing and it is not optional";
        self.get(name)
            .ok_or_else(|| Refusal::parameter(name, missing))
    }

    pub fn is_on(&self, name: &str) -> bool {
        self.get(name) == Some("1")
    }

    pub fn vmid(&self, name: &str) -> Result<u32, Refusal> {
        let number = self.need(name)?.parse().ok();
        number
            .filter(|number| (100..=999_999_999).contains(number))
            .ok_or_else(|| Refusal::parameter(name, "type check ('integer') failed"))
    }

    /// Refuses parameters that the method does not have.
    pub fn only(&self, names: &[&str]) -> Result<(), Refusal> {
        match self
            .params
            .keys()
            .find(|name| !names.contains(&name.as_str()))
        {
            None => Ok(()),
            Some(name) => {
                let wrong = "property is not defined in schema and the schema does not allow \
                             additional properties";
                Err(Refusal::parameter(name, wrong))
            }
        }
    }
}

pub fn done(shared: &Arc<Shared>, request: &Request, fault: &Option<Action>) -> Answer {
    let mut world = shared.world();
    world.tick();
    let path = request.path.strip_prefix("/api2/json/");
    let path = path.ok_or_else(|| Refusal::bare(404, "not found"))?;
    let parts: Vec<String> = path.split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if let ("POST", ["access", "ticket"]) = (request.method.as_str(), &parts[..]) {
        return ticket(&mut world, &request.params);
    }
    let user = who(&world, request)?;
    let call = Call {
        method: &request.method,
        params: &request.params,
        user: &user,
        fault,
    };
    if call.method != "GET" && !world.has_quorum {
        return Err(Refusal::died("cluster not ready - no quorum?"));
    }
    let answer = route(&mut world, &call, &parts);
    world.tick();
    answer
}

/// Who calls.
pub fn who(world: &World, request: &Request) -> Result<String, Refusal> {
    if let Some(value) = request.headers.get("authorization") {
        let expected = format!("PVEAPIToken={TOKEN_ID}={TOKEN_SECRET}");
        return match *value == expected {
            true => Ok(TOKEN_ID.to_owned()),
            false => Err(Refusal::bare(401, "invalid token value!")),
        };
    }
    let cookies = request
        .headers
        .get("cookie")
        .map(String::as_str)
        .unwrap_or_default();
    let cookie = cookies
        .split("; ")
        .find_map(|one| one.strip_prefix("PVEAuthCookie="));
    let cookie = cookie.ok_or_else(|| Refusal::bare(401, "No ticket"))?;
    let known = world.tickets.get(&decoded(cookie));
    let invalid = || Refusal::bare(401, "permission denied - invalid PVE ticket");
    let (user, csrf) = known.ok_or_else(invalid)?;
    let token = request.headers.get("csrfpreventiontoken");
    if request.method != "GET" && token != Some(csrf) {
        return Err(Refusal::bare(401, "Permission denied - invalid csrf token"));
    }
    Ok(user.clone())
}

fn ticket(world: &mut World, params: &BTreeMap<String, String>) -> Answer {
    let get = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
    let is_right = get("password") == PASSWORD || world.tickets.contains_key(get("password"));
    if get("username") != USER || !is_right {
        return Err(Refusal::bare(401, "authentication failure"));
    }
    let number = world.next();
    let ticket = format!("PVE:{USER}:{number:08X}::c2lnbmVk+/{number}==");
    let csrf = format!("{number:08X}:csrf+/=");
    let held = (USER.to_owned(), csrf.clone());
    world.tickets.insert(ticket.clone(), held);
    Ok(json!({ "ticket": ticket, "CSRFPreventionToken": csrf, "username": USER, "cap": {} }))
}

fn route(world: &mut World, call: &Call<'_>, parts: &[&str]) -> Answer {
    match (call.method, parts) {
        ("GET", ["version"]) => {
            Ok(json!({ "version": world.version, "release": "9.1", "repoid": "0f5cf5bb" }))
        }
        ("GET", ["access", "permissions"]) => Ok(json!({ "/": { "VM.Audit": 1 } })),
        ("GET", ["cluster", "resources"]) => resources(world, call),
        ("GET", ["cluster", "nextid"]) => next_id(world, call),
        ("GET", ["cluster", "tasks"]) => Ok(task_list(world, |_| true)),
        ("GET", ["cluster", "status"]) => Ok(json!([
            { "type": "cluster", "name": "lab", "quorate": u8::from(world.has_quorum) }
        ])),
        ("GET", ["nodes"]) => Ok(nodes(world)),
        ("GET", ["pools"]) => {
            let pools = world.pools.iter();
            Ok(pools.map(|pool| json!({ "poolid": pool })).collect())
        }
        (_, ["nodes", node, rest @ ..]) => on_node(world, call, node, rest),
        _ => Err(unknown(call, parts)),
    }
}

pub fn unknown(call: &Call<'_>, parts: &[&str]) -> Refusal {
    let path = parts.join("/");
    Refusal::new(
        501,
        format!("Method '{} /{path}' not implemented", call.method),
    )
}

fn on_node(world: &mut World, call: &Call<'_>, node: &str, rest: &[&str]) -> Answer {
    match world.nodes.get(node) {
        Some(true) => {}
        Some(false) => return Err(Refusal::bare(595, "No route to host")),
        None => {
            let reason = format!("hostname lookup '{node}' failed - failed to get address info");
            return Err(Refusal::died(reason));
        }
    }
    match (call.method, rest) {
        ("GET", ["status"]) => Ok(json!({
            "uptime": 4711, "cpu": 0.02, "pveversion": format!("pve-manager/{}", world.version),
        })),
        ("GET", ["tasks"]) => tasks_of(world, call, node),
        (_, ["tasks", upid, rest @ ..]) => on_task(world, call, node, upid, rest),
        ("GET", ["qemu"]) => Ok(listed(world, call, node, GuestKind::Qemu)),
        ("GET", ["lxc"]) => Ok(listed(world, call, node, GuestKind::Lxc)),
        (_, ["qemu", vmid, rest @ ..]) => {
            super::guests::on_guest(world, call, node, GuestKind::Qemu, vmid, rest)
        }
        (_, ["lxc", vmid, rest @ ..]) => {
            super::guests::on_guest(world, call, node, GuestKind::Lxc, vmid, rest)
        }
        _ => Err(unknown(call, &[&["nodes", node], rest].concat())),
    }
}

fn nodes(world: &World) -> Value {
    let nodes = world.nodes.iter().map(|(name, is_on)| {
        let status = if *is_on { "online" } else { "offline" };
        let used = world.used_memory.get(name).copied().unwrap_or(8);
        json!({ "node": name, "type": "node", "status": status, "maxmem": 64_u64 << 30, "maxcpu": 16,
            "mem": used << 30, "id": format!("node/{name}") })
    });
    nodes.collect()
}

/// Once for each node that reaches it.
fn storages(world: &World) -> Value {
    let all = world.storages.iter().flat_map(|(name, storage)| {
        let nodes = world.nodes.keys().take(if storage.shared { 2 } else { 1 });
        nodes.map(move |node| {
            json!({ "type": "storage", "storage": name, "node": node,
                "shared": u8::from(storage.shared) })
        })
    });
    all.collect()
}

fn resources(world: &World, call: &Call<'_>) -> Answer {
    call.only(&["type"])?;
    match call.get("type") {
        Some("node") => Ok(nodes(world)),
        Some("storage") => Ok(storages(world)),
        None | Some("vm") => Ok(world
            .guests
            .iter()
            .map(|(vmid, guest)| resource(world, *vmid, guest))
            .collect()),
        Some(_) => {
            let wrong = "value is not in the enumeration 'vm, storage, node, sdn'";
            Err(Refusal::parameter("type", wrong))
        }
    }
}

/// Who and where are those of the moment; the rest is late.
fn resource(world: &World, vmid: u32, guest: &Guest) -> Value {
    let kind = guest.kind.as_str();
    let mut entry = json!({ "id": format!("{kind}/{vmid}"), "type": kind, "vmid": vmid,
        "node": guest.node, "status": "unknown" });
    if let Some(statistics) = &guest.statistics {
        entry["name"] = json!(statistics.name);
        entry["template"] = json!(u8::from(statistics.template));
        if world.nodes.get(&guest.node) == Some(&true) {
            entry["status"] = json!(statistics.status);
        }
    }
    let more = [
        ("tags", guest.config.get("tags")),
        ("lock", guest.lock.as_ref()),
        ("pool", guest.pool.as_ref()),
    ];
    for (key, value) in more {
        if let Some(value) = value {
            entry[key] = json!(value);
        }
    }
    entry
}

fn next_id(world: &World, call: &Call<'_>) -> Answer {
    if call.get("vmid").is_some() {
        let vmid = call.vmid("vmid")?;
        return match world.guests.contains_key(&vmid) {
            true => Err(Refusal::parameter(
                "vmid",
                &format!("VM {vmid} already exists"),
            )),
            false => Ok(json!(vmid.to_string())),
        };
    }
    let free = (100..).find(|vmid| !world.guests.contains_key(vmid));
    Ok(json!(free.unwrap().to_string()))
}

fn listed(world: &World, call: &Call<'_>, node: &str, kind: GuestKind) -> Value {
    let guests = world.guests.iter();
    let guests = guests.filter(|(_, guest)| guest.node == node && guest.kind == kind);
    let guests = guests.map(|(vmid, guest)| {
        let mut entry = super::guests::current(*vmid, guest);
        if kind == GuestKind::Qemu && !call.is_on("full") {
            entry.as_object_mut().unwrap().remove("qmpstatus");
        }
        // Numbers of containers are texts.
        if kind == GuestKind::Lxc {
            entry["vmid"] = json!(vmid.to_string());
        }
        entry
    });
    guests.collect()
}

fn task_list(world: &World, fits: impl Fn(&super::tasks::Task) -> bool) -> Value {
    let tasks = world.tasks.iter().rev().filter(|task| fits(task)).take(50);
    let tasks = tasks.map(|task| {
        let mut entry = json!({ "upid": task.upid, "node": task.node, "type": task.kind,
            "id": task.of.to_string(), "user": task.user, "starttime": 1_800_000_000 });
        if let Some(exit) = &task.exit {
            entry["status"] = json!(exit);
        }
        entry
    });
    tasks.collect()
}

fn tasks_of(world: &World, call: &Call<'_>, node: &str) -> Answer {
    call.only(&[
        "vmid",
        "source",
        "limit",
        "start",
        "typefilter",
        "errors",
        "since",
    ])?;
    let vmid = call.get("vmid").map(|_| call.vmid("vmid")).transpose()?;
    let active = call.get("source") == Some("active");
    Ok(task_list(world, |task| {
        task.node == node
            && vmid.is_none_or(|vmid| task.of == vmid)
            && (!active || task.exit.is_none())
    }))
}

fn on_task(world: &mut World, call: &Call<'_>, node: &str, upid: &str, rest: &[&str]) -> Answer {
    let parts: Vec<&str> = upid.split(':').collect();
    if parts.len() != 9 || parts[0] != "UPID" {
        return Err(Refusal::parameter("upid", "unable to parse worker upid"));
    }
    let task = world
        .tasks
        .iter_mut()
        .find(|task| task.upid == upid && task.node == node);
    let task = task.ok_or_else(|| Refusal::parameter("upid", "no such task"))?;
    match (call.method, rest) {
        ("GET", ["status"]) => Ok(match &task.exit {
            None => json!({ "upid": upid, "status": "running", "pid": 4711 }),
            Some(exit) => json!({ "upid": upid, "status": "stopped", "exitstatus": exit }),
        }),
        ("GET", ["log"]) => {
            let number = |name| call.get(name).and_then(|text| text.parse().ok());
            let (start, limit) = (number("start").unwrap_or(0), number("limit").unwrap_or(50));
            let lines = task.log.iter().enumerate().skip(start).take(limit);
            Ok(lines
                .map(|(index, line)| json!({ "n": index + 1, "t": line }))
                .collect())
        }
        ("DELETE", []) => {
            task.exit
                .get_or_insert_with(|| "interrupted by signal".to_owned());
            Ok(Value::Null)
        }
        _ => Err(unknown(
            call,
            &[&["nodes", node, "tasks", upid], rest].concat(),
        )),
    }
}
