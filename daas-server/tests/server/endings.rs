//! What ends desktops by itself: nobody looks, nobody does anything, or their time is over.
//!
//! The time is an argument of what the server does every 15 seconds, so that hours take none.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use daas_core::Secret;
use daas_core::fleet::Fleet;
use daas_core::hypervisor::{Hypervisor as _, Spec};
use daas_core::lifecycle::{Lifecycle, LifecycleConfig};
use daas_core::model::{
    Action, App, Endpoint, Instance, InstanceId, Policies, Policy, Quota, Reach, Role, Timestamp,
};
use daas_core::storage::{Outcome, Store};
use daas_server::{NoTunnels, Parts, Services, Settings, SignOn};
use serde_json::{Value, json};

use crate::doors::House;
use crate::sockets;
use crate::support::client::{Client, Events};
use crate::support::fake::Fake;
use crate::support::{Options, Server, fixtures, open, until};

fn policies(disconnect: &str, idle: &str, lifetime: &str) -> Policies {
    let policy = |text| Policy::parse(text).unwrap();
    Policies {
        disconnect: policy(disconnect),
        idle: policy(idle),
        lifetime: policy(lifetime),
    }
}

async fn set(store: &dyn Store, policies: Policies) {
    let app = App {
        policies,
        ..fixtures::app("desktop")
    };
    store.put_app(app).await.unwrap();
}

/// So many seconds from now.
fn later(s: i64) -> Timestamp {
    Timestamp::now().plus_ms(1000 * s)
}

impl House {
    async fn of(policies: Policies) -> Self {
        let house = Self::new().await;
        set(&*house.server.store, policies).await;
        house
    }

    fn id(&self) -> InstanceId {
        self.instance.rsplit('/').next().unwrap().parse().unwrap()
    }

    /// What the server does every 15 seconds.
    async fn tick(&self, at: Timestamp) {
        self.server.services.carry_out_policies(at).await;
    }

    async fn shown(&self) -> Value {
        self.client.get(&self.instance).await.json()
    }

    async fn reaches(&self, state: &str) -> Value {
        reaches(&self.client, &self.instance, state).await
    }

    /// Somebody looks at it, until the socket is dropped.
    async fn look(&self) -> (sockets::Client, crate::guacd::Peer) {
        let ticket = self.ticket(&self.client).await;
        self.enter(&self.client, &ticket).await
    }

    async fn nobody_looks(&self) {
        until(async || (self.shown().await["tunnels"] == 0).then_some(())).await;
    }
}

async fn reaches(client: &Client, path: &str, state: &str) -> Value {
    until(async || {
        let shown = client.get(path).await.json();
        (shown["state"] == state).then_some(shown)
    })
    .await
}

/// The seconds until the next end.
fn ends_in(shown: &Value) -> i64 {
    let at: Timestamp = shown["ends"]["at"].as_str().unwrap().parse().unwrap();
    (at.0 - Timestamp::now().0) / 1000
}

/// The `error` that a viewer is told.
async fn told(socket: &mut sockets::Client) -> String {
    loop {
        let frame = socket.next().await;
        if frame.first == 0x81 && frame.text().starts_with("5.error,") {
            return frame.text().to_owned();
        }
    }
}

#[tokio::test]
async fn nobody_looks_and_it_is_suspended() {
    let house = House::of(policies("suspend after 10m", "keep", "keep")).await;
    let mut events = Events::open(&house.client).await;
    let (socket, peer) = house.look().await;
    assert_eq!(house.shown().await["ends"], Value::Null, "somebody looks");
    // However long they do.
    house.tick(later(3600)).await;
    assert_eq!(house.shown().await["state"], "running");
    drop((socket, peer));
    house.nobody_looks().await;
    let ends = house.shown().await["ends"].clone();
    assert_eq!(
        (&ends["action"], &ends["reason"]),
        (&json!("suspend"), &json!("disconnect"))
    );
    assert_eq!(ends["after_s"], 600);
    house.tick(later(3600 + 590)).await;
    assert_eq!(house.shown().await["state"], "running");
    house.tick(later(3600 + 601)).await;
    let shown = house.reaches("suspended").await;
    let text = "The desktop was suspended, as nobody looked at it for 10 minutes.";
    assert_eq!(shown["failure"], json!({"action": "suspend", "text": text}));
    assert_eq!(shown["ends"], Value::Null);
    while events.next().await.unwrap().1["state"] != "suspended" {}
    let admin = house.server.log_in("admin").await;
    let log = admin
        .get("/api/v1/audit?action=instance.suspend")
        .await
        .json();
    let entry = &log["items"][0];
    assert_eq!(entry["actor"], "system");
    assert_eq!(
        entry["after"]["reason"],
        "nobody looked at it for 10 minutes"
    );
    assert_eq!(log["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn who_comes_back_in_time_finds_it_running() {
    let house = House::of(policies("stop after 1m", "keep", "keep")).await;
    drop(house.look().await);
    house.nobody_looks().await;
    house.tick(later(0)).await;
    let _looks = house.look().await;
    house.tick(later(61)).await;
    assert_eq!(house.shown().await["state"], "running");
}

/// A tunnel is noted when it is opened: another server that looks right then sees it.
#[tokio::test]
async fn what_is_opened_is_known_at_once() {
    let house = House::of(policies("stop after 1m", "keep", "keep")).await;
    let before = Timestamp::now();
    let _looks = house.look().await;
    let row = house.server.store.instance(house.id()).await.unwrap();
    assert!(row.seen_at >= Some(before));
}

#[tokio::test]
async fn input_keeps_it_and_nothing_else_does() {
    let house = House::of(policies("keep", "stop after 30m", "keep")).await;
    let (mut socket, mut peer) = house.look().await;
    peer.send(b"4.sync,1.1;").await;
    let begun = house.shown().await;
    assert!((1700..=1800).contains(&ends_in(&begun)), "{begun}");
    let idle = "4.sync,1.1;4.size,3.640,3.480;9.clipboard,1.0,10.text/plain;3.end,1.0;";
    socket.text(idle).await;
    while peer.next().await.unwrap()[0] != "end" {}
    assert_eq!(house.shown().await["ends"], begun["ends"]);
    let before = later(1800);
    socket.text("5.mouse,1.1,1.1,1.0;").await;
    while peer.next().await.unwrap()[0] != "mouse" {}
    // That is known at once.
    let shown = house.shown().await;
    let at: Timestamp = shown["ends"]["at"].as_str().unwrap().parse().unwrap();
    assert!(at >= before, "{shown}");
    house.tick(later(1790)).await;
    assert_eq!(house.shown().await["state"], "running");
    house.tick(later(1801)).await;
    let told = told(&mut socket).await;
    assert!(
        told.contains("was not used for a long time") && told.contains(",3.522;"),
        "{told}"
    );
    let shown = house.reaches("stopped").await;
    let text = "The desktop was stopped, as nobody used it for 30 minutes.";
    assert_eq!(shown["failure"]["text"], text);
}

#[tokio::test]
async fn the_end_of_its_time_comes_while_somebody_looks_and_while_it_is_frozen() {
    let house = House::of(policies("keep", "keep", "stop after 8h")).await;
    let (mut socket, _peer) = house.look().await;
    house.tick(later(8 * 3600 + 1)).await;
    let told = told(&mut socket).await;
    assert!(
        told.contains("its time is over") && told.contains(",3.523;"),
        "{told}"
    );
    house.reaches("stopped").await;
    house.client.act(&format!("{}/start", house.instance)).await;
    house.reaches("running").await;
    house
        .client
        .act(&format!("{}/suspend", house.instance))
        .await;
    let shown = house.reaches("suspended").await;
    assert_eq!(shown["ends"]["reason"], "lifetime");
    assert_eq!(shown["can_extend"], false, "it does not run");
    house.tick(later(8 * 3600 + 1)).await;
    let shown = house.reaches("stopped").await;
    let text = "The desktop was stopped, as its time of 8 hours is over.";
    assert_eq!(shown["failure"]["text"], text);
}

#[tokio::test]
async fn what_cannot_be_suspended_is_stopped() {
    let house = House::of(policies("suspend after 1m", "keep", "keep")).await;
    house.server.fake.rigid.store(true, SeqCst);
    house.tick(later(61)).await;
    let shown = house.reaches("stopped").await;
    let text = "The desktop was stopped, as nobody looked at it for 1 minute. Desktops of this kind \
                cannot be suspended.";
    assert_eq!(shown["failure"], json!({"action": "stop", "text": text}));
}

#[tokio::test]
async fn what_cannot_be_suspended_goes_on_where_a_person_asked() {
    let house = House::of(policies("keep", "keep", "keep")).await;
    house.server.fake.rigid.store(true, SeqCst);
    let answer = house
        .client
        .act(&format!("{}/suspend", house.instance))
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let shown = house.reaches("running").await;
    assert_eq!(shown["failure"], json!(null));
}

#[tokio::test]
async fn an_end_is_put_off() {
    let house = House::of(policies(
        "stop after 1m",
        "stop after 2m",
        "delete after 30m",
    ))
    .await;
    let mut events = Events::open(&house.client).await;
    let extend = format!("{}/extend", house.instance);
    let answer = house.client.act(&extend).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let extended = answer.json();
    let by = ends_in(&extended);
    // The longest of its times, as that is less than may be put off.
    assert!((1790..=1800).contains(&by), "{by}");
    assert_eq!(
        (&extended["can_extend"], &extended["ends"]["action"]),
        (&json!(true), &json!("delete"))
    );
    while events.next().await.unwrap().1["ends"]["at"] != extended["ends"]["at"] {}
    house.tick(later(1780)).await;
    assert_eq!(house.shown().await["state"], "running");
    let admin = house.server.log_in("admin").await;
    let log = admin
        .get("/api/v1/audit?action=instance.extend")
        .await
        .json();
    let entry = &log["items"][0];
    assert_eq!(
        (&entry["actor"], &entry["after"]["until"]),
        (&json!("owner"), &extended["ends"]["at"])
    );
    house.client.act(&format!("{}/stop", house.instance)).await;
    house.reaches("stopped").await;
    let detail = house.client.act(&extend).await.problem(409);
    assert!(detail.contains("stopped"), "{detail}");
}

#[tokio::test]
async fn what_does_not_end_cannot_be_put_off() {
    let house = House::new().await;
    let extend = format!("{}/extend", house.instance);
    house.client.act(&extend).await.problem(409);
    assert_eq!(house.shown().await["can_extend"], false);
    let options = Options::default();
    let settings = Settings {
        extend: Duration::ZERO,
        ..options.settings
    };
    let server = Server::start_with(Options {
        settings,
        ..Options::default()
    })
    .await;
    set(&*server.store, policies("keep", "keep", "stop after 8h")).await;
    let client = server.log_in("alice").await;
    let launched = client
        .post("/api/v1/instances", &json!({"app_id": server.apps[0]}))
        .await
        .json();
    let path = format!("/api/v1/instances/{}", launched["id"].as_str().unwrap());
    let shown = reaches(&client, &path, "running").await;
    assert_eq!(
        (&shown["ends"]["reason"], &shown["can_extend"]),
        (&json!("lifetime"), &json!(false))
    );
    client.act(&format!("{path}/extend")).await.problem(409);
}

/// Another server on the database of one that has ended.
async fn next_server(store: Arc<dyn Store>, fake: Arc<Fake>, house: &Server) -> Arc<Services> {
    let config = LifecycleConfig::default();
    let parts = Parts {
        lifecycle: Lifecycle::new(
            store.clone(),
            Fleet::single("fake".parse().unwrap(), fake.clone()),
            config,
        ),
        store,
        gateway: fake,
        access: house.access.clone(),
        tunnels: Arc::new(NoTunnels::default()),
        sign_on: SignOn::default(),
        settings: Settings::default(),
    };
    Services::new(parts).unwrap()
}

/// What is known of a desktop is known to the next server, too: it ends neither before its time,
/// nor is it forgotten.
#[tokio::test]
async fn a_restart_changes_nothing() {
    let house = House::of(policies("suspend after 10m", "keep", "keep")).await;
    let id = house.id();
    let _looks = house.look().await;
    let (fake, folder) = (house.server.fake.clone(), house.server.folder.clone());
    let store: Arc<dyn Store> = Arc::new(open(folder.path()).await);
    let next = next_server(store.clone(), fake, &house.server).await;
    let before = Timestamp::now();
    // Who looked until the end is noted at the end.
    house.server.stop().await;
    let seen = store.instance(id).await.unwrap().seen_at.unwrap();
    assert!(seen >= before);
    next.carry_out_policies(seen.plus_ms(599_999)).await;
    let state = async || store.instance(id).await.unwrap().state.as_str();
    assert_eq!(state().await, "running");
    next.carry_out_policies(seen.plus_ms(600_000)).await;
    until(async || (state().await == "suspended").then_some(())).await;
}

/// After a start nothing ends before pages could come back; and nobody has to ask for it.
#[tokio::test]
async fn nothing_ends_right_after_a_start() {
    let server = Server::start().await;
    set(&*server.store, policies("stop after 1m", "keep", "keep")).await;
    let owner = server.add("owner", Role::User).await;
    let (client, _) = server.let_in(&owner).await;
    // The comparison of the start is not to find the desktop before its row.
    until(async || (server.fake.lists.load(SeqCst) > 0).then_some(())).await;
    // It runs for ten minutes already, and nobody looks.
    let since = later(-600);
    let app = server.apps[0];
    let password = Secret::new("x".to_owned());
    let row = Instance::requested(Some(owner.id), app, password.clone(), since);
    let spec = Spec {
        id: row.id,
        image: "daas/desktop".to_owned(),
        app: "desktop".to_owned(),
        owner: None,
        resources: fixtures::app("desktop").resources,
        reach: Reach::Port(5901),
        password,
        width: 640,
        height: 480,
    };
    server.fake.create(&spec).await.unwrap();
    server.fake.start(row.id).await.unwrap();
    let endpoint = Some(Endpoint {
        address: [10, 0, 0, 1].into(),
        port: 5901,
    });
    let (store, path) = (&server.store, format!("/api/v1/instances/{}", row.id));
    store
        .add_instance(row.clone(), Quota::default().into())
        .await
        .unwrap();
    let begun = store
        .begin(row.id, Action::Start, Quota::default().into(), since)
        .await
        .unwrap();
    let done = Outcome::Done { endpoint };
    store
        .finish(row.id, begun.revision, done, since)
        .await
        .unwrap();
    let shown = client.get(&path).await.json();
    assert!(ends_in(&shown) < 0, "{shown}");
    let tick = async || {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(15)).await;
        tokio::time::resume();
        for _ in 0..20 {
            client.get(&path).await;
        }
        client.get(&path).await.json()["state"].clone()
    };
    assert_eq!(tick().await, "running");
    assert_eq!(tick().await, "running");
    tick().await;
    reaches(&client, &path, "stopped").await;
    let steps = store.transitions(row.id).await.unwrap();
    assert!(steps.iter().any(|step| step.failure.is_some()), "{steps:?}");
}
