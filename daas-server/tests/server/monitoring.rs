//! Health and metrics.

use std::sync::atomic::Ordering::SeqCst;

use serde_json::json;

use crate::support::{Options, Server, until};

#[tokio::test]
async fn ready_when_all_parts_answer() {
    let server = Server::start().await;
    let client = server.anonymous();
    assert_eq!(client.get("/healthz").await.text(), "ok\n");
    let answer = client.get("/readyz").await;
    let expected = json!({"ready": true, "storage": "ok", "hypervisor": "ok", "gateway": "ok"});
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expected));
    server.fake.down.store(true, SeqCst);
    let answer = client.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["storage"], "ok");
    assert_eq!(answer.json()["hypervisor"], "unavailable");
    assert_eq!(client.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn metrics_count() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let body = json!({"app_id": server.apps[0]});
    client.post("/api/v1/instances", &body).await;
    client.get("/api/v1/nothing").await;
    until(|| async {
        let answer = client.get("/metrics").await;
        assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
        let text = answer.text();
        let all = [
            "daas_http_requests_total{method=\"POST\",route=\"/api/v1/session\",status=\"200\"} 1\n",
            "daas_http_requests_total{method=\"GET\",route=\"-\",status=\"404\"} 1\n",
            "daas_instances{state=\"running\"} 1\n",
            "daas_tunnels_open 0\n",
        ];
        all.iter().all(|line| text.contains(line)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn others_are_told_nothing_unless_allowed() {
    let server = Server::start().await;
    let mut options = Options::default();
    options.settings.public_metrics = true;
    let open = Server::start_with(options).await;
    for path in ["/metrics", "/readyz"] {
        // A proxy on this machine asks on behalf of somebody else.
        let proxied = server.anonymous().with("x-forwarded-for", "192.0.2.1");
        proxied.get(path).await.problem(403);
        let proxied = open.anonymous().with("x-forwarded-for", "192.0.2.1");
        assert_eq!(proxied.get(path).await.status, 200);
    }
}
