//! What instances went through, and states of them that are kept.

use std::sync::atomic::Ordering::SeqCst;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::{Server, until};

const INSTANCES: &str = "/api/v1/instances";

async fn reaches(client: &Client, path: &str, state: &str) -> Value {
    until(|| async {
        let instance = client.get(path).await.json();
        (instance["state"] == state).then_some(instance)
    })
    .await
}

/// The path of an instance that runs.
async fn running(server: &Server, client: &Client) -> String {
    let body = json!({"app_id": server.apps[0]});
    let launched = client.post(INSTANCES, &body).await.json();
    let path = format!("{INSTANCES}/{}", launched["id"].as_str().unwrap());
    reaches(client, &path, "running").await;
    path
}

async fn items(client: &Client, path: &str) -> Vec<Value> {
    let answer = client.get(path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["items"].as_array().unwrap().clone()
}

async fn take(client: &Client, path: &str, name: &str) -> u16 {
    let body = json!({"name": name});
    let answer = client.post(&format!("{path}/snapshots"), &body).await;
    answer.status.as_u16()
}

async fn names(client: &Client, path: &str) -> Vec<String> {
    let kept = items(client, &format!("{path}/snapshots")).await;
    let names = kept.iter().map(|one| one["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_timeline_tells_each_state_and_how_long_it_was() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let path = running(&server, &client).await;
    client.act(&format!("{path}/stop")).await;
    reaches(&client, &path, "stopped").await;
    let steps = items(&client, &format!("{path}/timeline")).await;
    let states: Vec<_> = steps.iter().map(|step| step["state"].clone()).collect();
    assert_eq!(
        Value::from(states),
        json!(["requested", "starting", "running", "stopping", "stopped"])
    );
    let (last, before) = steps.split_last().unwrap();
    assert_eq!(last["duration_ms"], Value::Null);
    assert!(before.iter().all(|step| step["duration_ms"].is_u64()));
    assert!(steps.is_sorted_by_key(|step| step["at"].as_str().unwrap().to_owned()));
    assert!(steps.iter().all(|step| step["failure"].is_null()));
}

#[tokio::test]
async fn the_timeline_tells_what_went_wrong_in_plain_words() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let body = json!({"app_id": server.apps[1]});
    let launched = client.post(INSTANCES, &body).await.json();
    let path = format!("{INSTANCES}/{}", launched["id"].as_str().unwrap());
    reaches(&client, &path, "failed").await;
    let steps = items(&client, &format!("{path}/timeline")).await;
    let last = steps.last().unwrap();
    assert_eq!(last["failure"]["action"], "start");
    let text = last["failure"]["text"].as_str().unwrap();
    assert!(text.contains("image"), "{text}");
}

#[tokio::test]
async fn snapshots_are_taken_gone_back_to_and_removed() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let path = running(&server, &client).await;
    assert_eq!(names(&client, &path).await, Vec::<String>::new());
    assert_eq!(take(&client, &path, "before-update").await, 204);
    assert_eq!(take(&client, &path, "before-update").await, 204);
    let kept = items(&client, &format!("{path}/snapshots")).await;
    let expected = json!({"name": "before-update", "made_at": "2027-01-15T08:00:00.000Z"});
    assert_eq!(kept, [expected]);

    let back = format!("{path}/snapshots/before-update/rollback");
    let detail = client.act(&back).await.problem(409);
    assert!(detail.contains("running. Stop it first"), "{detail}");
    client.act(&format!("{path}/stop")).await;
    reaches(&client, &path, "stopped").await;
    assert_eq!(client.act(&back).await.status, 204);
    for none in ["other", "x", "a%2Fb", "current"] {
        let none = format!("{path}/snapshots/{none}/rollback");
        let detail = client.act(&none).await.problem(404);
        assert!(detail.contains("snapshot"), "{detail}");
    }
    let one = format!("{path}/snapshots/before-update");
    assert_eq!(client.delete(&one).await.status, 204);
    assert_eq!(client.delete(&one).await.status, 204);
    assert_eq!(names(&client, &path).await, Vec::<String>::new());
}

#[tokio::test]
async fn names_have_a_form() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let path = running(&server, &client).await;
    let long = "x".repeat(41);
    for wrong in ["", "x", "1st", "a b", "../x", "current", "vzdump", &long] {
        let body = json!({"name": wrong});
        let answer = client.post(&format!("{path}/snapshots"), &body).await;
        answer.problem(422);
        assert_eq!(answer.json()["errors"][0]["field"], "name", "{wrong}");
    }
    assert_eq!(names(&client, &path).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_done_is_in_the_audit_log_and_what_was_not_is_not() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let path = running(&server, &client).await;
    assert_eq!(take(&client, &path, "before").await, 204);
    let back = format!("{path}/snapshots/before/rollback");
    client.act(&back).await.problem(409);
    client.act(&format!("{path}/stop")).await;
    reaches(&client, &path, "stopped").await;
    assert_eq!(client.act(&back).await.status, 204);
    let one = format!("{path}/snapshots/before");
    assert_eq!(client.delete(&one).await.status, 204);
    let admin = server.log_in("admin").await;
    let log = items(&admin, "/api/v1/audit?limit=200").await;
    let of = |action: &str| {
        let found = log.iter().filter(|entry| entry["action"] == action);
        found
            .map(|entry| entry["after"].clone())
            .collect::<Vec<_>>()
    };
    for action in [
        "instance.snapshot",
        "instance.rollback",
        "instance.snapshot_remove",
    ] {
        assert_eq!(of(action), [json!({"snapshot": "before"})], "{action}");
    }
}

#[tokio::test]
async fn whoever_hangs_up_ends_nothing() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let path = running(&server, &client).await;
    let gate = server.fake.gate.lock().await;
    let asked = server.fake.calls.load(SeqCst);
    let taking = tokio::spawn({
        let (client, path) = (client.clone(), path.clone());
        async move { take(&client, &path, "kept").await }
    });
    // It looks what is there already, and waits at the gate then.
    until(|| async { (server.fake.calls.load(SeqCst) > asked).then_some(()) }).await;
    taking.abort();
    assert!(taking.await.unwrap_err().is_cancelled());
    drop(gate);
    until(|| async { (names(&client, &path).await == ["kept"]).then_some(()) }).await;
    let admin = server.log_in("admin").await;
    until(|| async {
        let log = admin
            .get("/api/v1/audit?action=instance.snapshot")
            .await
            .json();
        (log["items"].as_array().unwrap().len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_host_cannot_do_is_told_and_refused() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let path = running(&server, &client).await;
    let can = async || client.get(&path).await.json()["abilities"].clone();
    assert_eq!(can().await, json!({"suspend": true, "snapshot": true}));
    server.fake.plain.store(true, SeqCst);
    assert_eq!(can().await, json!({"suspend": false, "snapshot": false}));
    assert_eq!(names(&client, &path).await, Vec::<String>::new());
    assert_eq!(take(&client, &path, "before").await, 409);
    let answer = client.act(&format!("{path}/suspend")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["code"]),
        (409, &json!("unsupported"))
    );
    assert_eq!(client.get(&path).await.json()["state"], "running");
}
