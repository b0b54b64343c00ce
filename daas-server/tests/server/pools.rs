//! Desktops that are kept ready.

use std::sync::atomic::Ordering::SeqCst;

use daas_core::model::Pool;
use daas_server::Settings;
use daas_server::config::Pools;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::{Options, Server, until};

const INSTANCES: &str = "/api/v1/instances";

/// A server that keeps some desktops ready.
async fn server(ready: u32) -> Server {
    let pool = Pool {
        ready,
        windows: Vec::new(),
    };
    let options = Options::default();
    let pools = Pools {
        of: vec![("desktop".to_owned(), pool)],
        ..Pools::default()
    };
    let settings = Settings {
        pools,
        ..options.settings
    };
    Server::start_with(Options {
        settings,
        ..options
    })
    .await
}

/// What waits, and runs, as operators see it.
async fn waiting(operator: &Client) -> Vec<String> {
    let all = operator.get("/api/v1/instances?all=true").await.json();
    let items = all["items"].as_array().unwrap().iter();
    let waits = items.filter(|item| item["waits"] == true && item["state"] == "running");
    waits
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn are_ready(operator: &Client, number: usize) -> Vec<String> {
    until(|| async {
        let waiting = waiting(operator).await;
        (waiting.len() == number).then_some(waiting)
    })
    .await
}

async fn launch(server: &Server, client: &Client) -> Value {
    let body = json!({"app_id": server.apps[0]});
    let answer = client.post(INSTANCES, &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn who_launches_gets_one_that_runs_and_another_takes_its_place() {
    let server = server(2).await;
    let operator = server.log_in("operator").await;
    let (alice, bob) = (server.log_in("alice").await, server.log_in("bob").await);
    let ready = are_ready(&operator, 2).await;
    // What waits is nobody's: not in the list of anybody, and not to be opened by its id.
    assert_eq!(alice.get(INSTANCES).await.json()["items"], json!([]));
    let path = format!("{INSTANCES}/{}", ready[0]);
    alice.get(&path).await.problem(404);
    alice
        .post(&format!("{path}/tunnel"), &json!({}))
        .await
        .problem(404);
    let (hers, his) = (launch(&server, &alice).await, launch(&server, &bob).await);
    for got in [&hers, &his] {
        assert_eq!(got["state"], "running", "{got}");
        assert_eq!(got["waits"], false);
        assert!(ready.iter().any(|id| got["id"] == **id));
    }
    assert_ne!(hers["id"], his["id"]);
    let again = are_ready(&operator, 2).await;
    assert!(again.iter().all(|id| !ready.contains(id)));
    assert_eq!(server.fake.count(), 4);
    let path = format!("{INSTANCES}/{}", hers["id"].as_str().unwrap());
    assert_eq!(alice.get(&path).await.json()["state"], "running");
    bob.get(&path).await.problem(404);
}

#[tokio::test]
async fn one_that_ended_is_replaced_and_not_given_out() {
    let server = server(1).await;
    let operator = server.log_in("operator").await;
    let ready = are_ready(&operator, 1).await;
    server.fake.end(ready[0].parse().unwrap()).await;
    let next = until(|| async {
        let waiting = waiting(&operator).await;
        (waiting.len() == 1 && waiting != ready).then_some(waiting)
    })
    .await;
    let alice = server.log_in("alice").await;
    assert_eq!(launch(&server, &alice).await["id"], *next[0]);
    // The one that ended is not left behind.
    until(|| async { (server.fake.count() == 2).then_some(()) }).await;
}

#[tokio::test]
async fn an_operator_may_end_one_that_waits_and_it_is_replaced() {
    let server = server(1).await;
    let operator = server.log_in("operator").await;
    let ready = are_ready(&operator, 1).await;
    let path = format!("{INSTANCES}/{}", ready[0]);
    assert_eq!(operator.delete(&path).await.status, 202);
    until(|| async {
        let waiting = waiting(&operator).await;
        (waiting.len() == 1 && waiting != ready).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_one_that_is_ready_it_is_launched_as_ever() {
    let server = server(1).await;
    let operator = server.log_in("operator").await;
    are_ready(&operator, 1).await;
    server.fake.slow.store(true, SeqCst);
    let alice = server.log_in("alice").await;
    assert_eq!(launch(&server, &alice).await["state"], "running");
    let second = launch(&server, &alice).await;
    assert_ne!(second["state"], "running");
    server.fake.slow.store(false, SeqCst);
    let path = format!("{INSTANCES}/{}", second["id"].as_str().unwrap());
    until(|| async { (alice.get(&path).await.json()["state"] == "running").then_some(()) }).await;
}
