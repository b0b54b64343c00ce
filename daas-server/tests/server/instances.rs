//! The catalogue, and the life of instances.

use std::sync::atomic::Ordering::SeqCst;

use serde_json::{Value, json};

use crate::support::client::{Client, Events};
use crate::support::{Server, until};

const INSTANCES: &str = "/api/v1/instances";

async fn launch(server: &Server, client: &Client) -> String {
    let body = json!({"app_id": server.apps[0]});
    let answer = client.post(INSTANCES, &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    format!("{INSTANCES}/{id}")
}

async fn reaches(client: &Client, path: &str, state: &str) -> Value {
    until(|| async {
        let instance = client.get(path).await.json();
        (instance["state"] == state).then_some(instance)
    })
    .await
}

#[tokio::test]
async fn the_catalogue_says_which_images_are_there() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let apps = client.get("/api/v1/apps").await.json();
    assert_eq!(apps["next_cursor"], Value::Null);
    let items = apps["items"].as_array().unwrap();
    let seen: Vec<_> = items
        .iter()
        .map(|app| {
            (
                app["slug"].as_str().unwrap(),
                app["image_ready"].as_bool().unwrap(),
            )
        })
        .collect();
    // The third application is in the storage, but not in the configuration any more.
    assert_eq!(seen, [("desktop", true), ("editor", false)]);
    let expected = json!({
        "id": server.apps[0], "slug": "desktop", "name": "DESKTOP", "icon": "desktop",
        "description": "An application", "kind": "desktop", "image_ready": true,
        "cpu_millis": 1000, "memory_mib": 512, "disk_mib": 100,
    });
    assert_eq!(items[0], expected);
    let body = json!({"app_id": server.apps[2]});
    client.post(INSTANCES, &body).await.problem(404);
}

#[tokio::test]
async fn a_whole_life() {
    let server = Server::start().await;
    let (client, other) = (server.log_in("alice").await, server.log_in("bob").await);
    let mut events = Events::open(&client).await;
    let mut foreign = Events::open(&other).await;
    let path = launch(&server, &client).await;
    let mut steps = Vec::new();
    let running = loop {
        let (name, instance) = events.next().await.unwrap();
        assert_eq!(name, "instance");
        if instance["state"] == "running" {
            break instance;
        }
        steps.push(instance["step"].clone());
    };
    assert_eq!(
        steps,
        json!([null, "image", "container", "desktop"])
            .as_array()
            .unwrap()[..]
    );
    assert_eq!(running["step"], Value::Null);
    assert_eq!(running, client.get(&path).await.json());
    assert_eq!(running["app"]["slug"], "desktop");
    assert_eq!(running["tunnels"], 0);
    // Nothing ends it by itself.
    assert_eq!(
        (&running["ends"], &running["can_extend"]),
        (&Value::Null, &json!(false))
    );
    let created = running["created_at"].as_str().unwrap();
    assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
    for (action, intent, outcome) in [
        ("suspend", "suspending", "suspended"),
        ("resume", "resuming", "running"),
        ("stop", "stopping", "stopped"),
        ("start", "starting", "running"),
    ] {
        let answer = client.act(&format!("{path}/{action}")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["state"]),
            (202, &json!(intent))
        );
        reaches(&client, &path, outcome).await;
    }
    let answer = client.delete(&path).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["state"]),
        (202, &json!("deleting"))
    );
    while events.next().await.unwrap().1["state"] != "deleted" {}
    client.get(&path).await.problem(404);
    assert_eq!(client.get(INSTANCES).await.json()["items"], json!([]));
    assert_eq!(server.fake.count(), 0);
    // Nothing of it was told to anybody else.
    let body = json!({"app_id": server.apps[0]});
    let own = other.post(INSTANCES, &body).await.json();
    assert_eq!(foreign.next().await.unwrap().1["id"], own["id"]);
}

#[tokio::test]
async fn what_a_starting_desktop_waits_for_is_shown() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    server.fake.slow.store(true, SeqCst);
    let path = launch(&server, &client).await;
    until(|| async {
        let instance = client.get(&path).await.json();
        assert_eq!(instance["state"], "starting");
        (instance["step"] == "desktop").then_some(())
    })
    .await;
    client.act(&format!("{path}/tunnel")).await.problem(409);
    server.fake.slow.store(false, SeqCst);
    let running = reaches(&client, &path, "running").await;
    assert_eq!(running["step"], Value::Null);
    let ticket = client.act(&format!("{path}/tunnel")).await;
    assert_eq!(ticket.status, 200);
    let ticket = ticket.json();
    assert_eq!(ticket["url"], "/api/v1/tunnel");
    assert_eq!(ticket["ticket"].as_str().unwrap().len(), 43);
    assert!(ticket["expires_at"].as_str() > running["changed_at"].as_str());
}

#[tokio::test]
async fn actions_that_the_state_forbids_name_it() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let path = launch(&server, &client).await;
    reaches(&client, &path, "running").await;
    for action in ["start", "resume"] {
        let answer = client.act(&format!("{path}/{action}")).await;
        assert!(answer.problem(409).contains("running"));
    }
}

#[tokio::test]
async fn a_missing_image_fails_with_a_reason() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let body = json!({"app_id": server.apps[1]});
    let launched = client.post(INSTANCES, &body).await.json();
    let path = format!("{INSTANCES}/{}", launched["id"].as_str().unwrap());
    let failed = reaches(&client, &path, "failed").await;
    assert_eq!(failed["failure"]["action"], "start");
    assert!(
        failed["failure"]["text"]
            .as_str()
            .unwrap()
            .contains("image")
    );
}

#[tokio::test]
async fn a_desktop_that_ends_by_itself_is_stopped() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let path = launch(&server, &client).await;
    let running = reaches(&client, &path, "running").await;
    server
        .fake
        .end(running["id"].as_str().unwrap().parse().unwrap())
        .await;
    reaches(&client, &path, "stopped").await;
}

#[tokio::test]
async fn there_are_no_more_than_the_limit() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    launch(&server, &client).await;
    launch(&server, &client).await;
    let body = json!({"app_id": server.apps[0]});
    let detail = client.post(INSTANCES, &body).await.problem(409);
    assert!(detail.contains("2 desktops"), "{detail}");
}

#[tokio::test]
async fn without_a_hypervisor_the_rest_works() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let path = launch(&server, &client).await;
    reaches(&client, &path, "running").await;
    server.fake.down.store(true, SeqCst);
    let body = json!({"app_id": server.apps[0]});
    let answer = client.post(INSTANCES, &body).await;
    let detail = answer.problem(503);
    let expected = "The host of the desktops does not answer";
    assert!(detail.starts_with(expected), "{detail}");
    assert!(!answer.text().contains("secret-insides"));
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(client.get("/api/v1/apps").await.status, 200);
    let items = client.get(INSTANCES).await.json();
    assert_eq!(items["items"].as_array().unwrap().len(), 1);
    assert_eq!(client.get("/api/v1/session").await.status, 200);
    server.log_in("bob").await;
    // What is asked meanwhile is done as soon as it can be.
    client.act(&format!("{path}/stop")).await;
    reaches(&client, &path, "stopping").await;
    server.fake.down.store(false, SeqCst);
    reaches(&client, &path, "stopped").await;
    assert_eq!(client.delete(&path).await.status, 202);
    until(|| async { (server.fake.count() == 0).then_some(()) }).await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let (first, second) = (
        launch(&server, &client).await,
        launch(&server, &client).await,
    );
    let all = client.get(INSTANCES).await.json();
    assert_eq!(all["next_cursor"], Value::Null);
    let page = client.get(&format!("{INSTANCES}?limit=1")).await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = format!("{INSTANCES}?limit=1&cursor={cursor}");
    let rest = client.get(&rest).await.json();
    assert_eq!(rest["next_cursor"], Value::Null);
    let ids = [&page["items"][0]["id"], &rest["items"][0]["id"]];
    assert_eq!(ids, [&all["items"][0]["id"], &all["items"][1]["id"]]);
    let mut paths = ids.map(|id| format!("{INSTANCES}/{}", id.as_str().unwrap()));
    let mut launched = [first, second];
    paths.sort();
    launched.sort();
    assert_eq!(paths, launched);
    for wrong in ["limit=0", "limit=x", "limit=201", "cursor=x"] {
        let answer = client.get(&format!("{INSTANCES}?{wrong}")).await;
        answer.problem(422);
        assert_eq!(
            answer.json()["errors"][0]["field"],
            wrong.split_once('=').unwrap().0
        );
    }
}

#[tokio::test]
async fn event_streams_are_counted() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        streams.push(Events::open(&client).await);
    }
    client.get("/api/v1/events").await.problem(429);
    Events::open(&server.log_in("bob").await).await;
    drop(streams);
    until(|| async {
        let answer = client.open("GET", "/api/v1/events", None).await;
        (answer.status() == 200).then_some(())
    })
    .await;
}
