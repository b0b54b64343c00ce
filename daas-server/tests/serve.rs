//! The server over real sockets.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Sends requests on one connection, ends the server, and reads all answers.
async fn answers(requests: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(daas_server::serve(listener, async {
        drop(stopped.await);
    }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    answers
}

async fn check(head: &str, expected: &[&str]) {
    let answer = answers(&format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
    for part in expected {
        assert!(answer.contains(part), "{part:?} is not in {answer}");
    }
    assert!(answer.contains("x-content-type-options: nosniff"));
}

#[tokio::test]
async fn healthy() {
    check("GET /healthz HTTP/1.1", &["HTTP/1.1 200 ", "\r\n\r\nok\n"]).await;
}

#[tokio::test]
async fn unknown_route() {
    let json = "content-type: application/problem+json";
    check(
        "GET /nothing HTTP/1.1",
        &["HTTP/1.1 404 ", json, r#""status":404"#],
    )
    .await;
}

#[tokio::test]
async fn wrong_method() {
    check(
        "POST /healthz HTTP/1.1",
        &["HTTP/1.1 405 ", "allow: GET, HEAD"],
    )
    .await;
}
