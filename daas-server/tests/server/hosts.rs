//! Hosts: what operators see of them, having one emptied, and those that are silent.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use daas_core::fleet::FleetConfig;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::fake::Fake;
use crate::support::{Options, Server, until};

const HOSTS: &str = "/api/v1/hosts";
const INSTANCES: &str = "/api/v1/instances";

/// Hosts that are asked often, and given up soon.
const FLEET: FleetConfig = FleetConfig {
    strategy: daas_core::fleet::Strategy::Spread,
    cpu_overcommit: 4.0,
    memory_reserve_mib: 512,
    refresh: Duration::from_millis(20),
    patience: Duration::from_millis(100),
    stale_after: Duration::from_secs(10),
};

/// Hosts `fake` and `other`.
async fn two() -> (Server, Arc<Fake>) {
    let other = Arc::new(Fake::with_images(["daas/desktop"]));
    let mut options = Options {
        others: vec![("other", other.clone())],
        fleet: FLEET,
        ..Options::default()
    };
    options.lifecycle.quota.instances = None;
    (Server::start_with(options).await, other)
}

async fn hosts(client: &Client) -> Vec<Value> {
    let page = client.get(HOSTS).await.json();
    assert_eq!(page["next_cursor"], Value::Null);
    page["items"].as_array().unwrap().clone()
}

async fn until_state(client: &Client, n: usize, state: &str) -> Value {
    until(|| async {
        let host = hosts(client).await.swap_remove(n);
        (host["state"] == state).then_some(host)
    })
    .await
}

async fn launch(server: &Server, client: &Client) -> Value {
    let body = json!({"app_id": server.apps[0]});
    let answer = client.post(INSTANCES, &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let path = format!("{INSTANCES}/{}", answer.json()["id"].as_str().unwrap());
    until(|| async {
        let instance = client.get(&path).await.json();
        (instance["state"] == "running").then_some(instance)
    })
    .await
}

#[tokio::test]
async fn operators_see_how_busy_hosts_are() {
    let (server, _) = two().await;
    let client = server.log_in("operator").await;
    until_state(&client, 0, "fine").await;
    until_state(&client, 1, "fine").await;
    launch(&server, &client).await;
    let found = until(|| async {
        let hosts = hosts(&client).await;
        (hosts[0]["running"] == 1).then_some(hosts)
    })
    .await;
    let seen_at = found[0]["seen_at"].clone();
    assert!(seen_at.is_string());
    let expected = json!({
        "name": "fake", "labels": [], "state": "fine", "seen_at": seen_at, "fault": null,
        "drained": false, "version": "Fake 1.0", "cpus": 1000, "memory_mib": 1 << 20,
        "memory_used_mib": null, "running": 1,
        "capacity": {"cpu_millis": 4_000_000, "memory_mib": (1 << 20) - 512},
        "committed": {"instances": 1, "cpu_millis": 1000, "memory_mib": 512}, "orphans": 0,
        "can": {"suspend": true, "snapshot": true, "exec": true, "resize": true}, "nodes": [],
    });
    assert_eq!(found[0], expected);
    assert_eq!(found[1]["committed"]["instances"], 0);
}

#[tokio::test]
async fn where_a_desktop_is_is_for_those_who_may_see_hosts() {
    let (server, _) = two().await;
    let operator = server.log_in("operator").await;
    until_state(&operator, 0, "fine").await;
    let own = launch(&server, &operator).await;
    assert_eq!(own["stale"], false);
    assert_eq!(own["host_state"], "fine");
    assert!(own["host"] == "fake" || own["host"] == "other", "{own}");
    let alice = launch(&server, &server.log_in("alice").await).await;
    assert_eq!(alice["stale"], false);
    assert_eq!(alice.get("host"), None);
    assert_eq!(alice.get("host_state"), None);
}

#[tokio::test]
async fn a_host_is_emptied_and_taken_back() {
    let (server, _) = two().await;
    let operator = server.log_in("operator").await;
    let change = async |path: &str, body: Value| {
        let path = format!("{HOSTS}/{path}");
        operator.send("PATCH", &path, Some(body.to_string())).await
    };
    for path in ["nowhere", "No%20Name", "fake%2F"] {
        change(path, json!({"drained": true})).await.problem(404);
    }
    change("fake", json!({"drained": 1})).await.problem(422);
    change("fake", json!({})).await.problem(422);
    for _ in 0..2 {
        let drained = change("fake", json!({"drained": true})).await;
        assert_eq!(drained.json()["drained"], true);
    }
    for _ in 0..3 {
        assert_eq!(launch(&server, &operator).await["host"], "other");
    }
    change("other", json!({"drained": true})).await;
    let body = json!({"app_id": server.apps[0]});
    let refused = operator.post(INSTANCES, &body).await.problem(409);
    assert!(refused.starts_with("No host has room"), "{refused}");
    change("fake", json!({"drained": false})).await;
    assert_eq!(launch(&server, &operator).await["host"], "fake");

    let admin = server.log_in("admin").await;
    let audit = admin.get("/api/v1/audit?action=host.drain").await.json();
    let entries = audit["items"].as_array().unwrap();
    // What was so already is not told again.
    assert_eq!(entries.len(), 3, "{audit}");
    let last = &entries[0];
    assert_eq!(
        (&last["target"], &last["target_kind"], &last["actor"]),
        (&json!("fake"), &json!("host"), &json!("operator"))
    );
    assert_eq!(
        (&last["before"], &last["after"]),
        (&json!({"drained": true}), &json!({"drained": false}))
    );
}

#[tokio::test]
async fn a_silent_host_is_told_at_once_and_comes_back_by_itself() {
    let (server, other) = two().await;
    let operator = server.log_in("operator").await;
    until_state(&operator, 0, "fine").await;
    until_state(&operator, 1, "fine").await;
    let mut on_other = launch(&server, &operator).await;
    while on_other["host"] != "other" {
        on_other = launch(&server, &operator).await;
    }
    other.silent.store(true, SeqCst);
    let host = until_state(&operator, 1, "unreachable").await;
    assert!(host["fault"].as_str().unwrap().contains("no answer"));
    assert_eq!(host["version"], "Fake 1.0");
    // From here on nothing comes back from that host, and yet all is answered.
    let path = format!("{INSTANCES}/{}", on_other["id"].as_str().unwrap());
    let shown = operator.get(&path).await.json();
    assert_eq!(shown["state"], "running");
    assert_eq!(
        (&shown["stale"], &shown["host_state"]),
        (&json!(true), &json!("unreachable"))
    );
    let all = operator.get(INSTANCES).await.json();
    assert!(all["items"].as_array().unwrap().contains(&shown), "{all}");
    assert_eq!(operator.get("/api/v1/apps").await.status, 200);
    assert_eq!(server.anonymous().get("/readyz").await.status, 200);
    // What is new goes elsewhere.
    assert_eq!(launch(&server, &operator).await["host"], "fake");

    other.silent.store(false, SeqCst);
    until_state(&operator, 1, "fine").await;
    assert_eq!(operator.get(&path).await.json()["stale"], false);
}

#[tokio::test]
async fn nothing_that_is_shown_asks_a_host() {
    // Nobody asks in between, either.
    let other = Arc::new(Fake::with_images(["daas/desktop"]));
    let fleet = FleetConfig {
        refresh: Duration::from_secs(3600),
        ..FleetConfig::default()
    };
    let options = Options {
        others: vec![("other", other.clone())],
        fleet,
        ..Options::default()
    };
    let server = Server::start_with(options).await;
    let operator = server.log_in("operator").await;
    until_state(&operator, 0, "fine").await;
    until_state(&operator, 1, "fine").await;
    let instance = launch(&server, &operator).await;
    let path = format!("{INSTANCES}/{}", instance["id"].as_str().unwrap());
    // Comparing rows and hosts goes on beside all this, in order.
    let calls = || server.fake.calls.load(SeqCst) + other.calls.load(SeqCst);
    for fake in [&server.fake, &other] {
        fake.silent.store(true, SeqCst);
    }
    let before = calls();
    for _ in 0..20 {
        for path in [HOSTS, INSTANCES, &path, "/api/v1/instances?all=true"] {
            assert_eq!(operator.get(path).await.status, 200);
        }
    }
    // Both are compared at most once meanwhile, and neither call comes back.
    assert!(calls() <= before + 2, "{} calls", calls() - before);
}
