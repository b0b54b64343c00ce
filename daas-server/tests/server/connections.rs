//! Connections: how long they may wait, and how they end.

use std::time::Duration;

use daas_server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::client::Events;
use crate::support::{Options, Server, until, within};

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

async fn with_limits(change: impl FnOnce(&mut Limits)) -> Server {
    let mut options = Options::default();
    change(&mut options.limits);
    Server::start_with(options).await
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"ok\n") {
        assert_ne!(within(stream.read_buf(&mut text)).await.unwrap(), 0);
    }
    String::from_utf8(text).unwrap()
}

/// How long the server waits before it hangs up.
async fn waits(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    drop(within(stream.read_to_end(&mut rest)).await);
    start.elapsed()
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let server = with_limits(|limits| limits.head = Duration::from_millis(300)).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(&REQUEST[..10]).await.unwrap();
    assert!(waits(&mut silent).await < Duration::from_secs(5));
    // One byte now and then does not help.
    let start = Instant::now();
    while slow.write_all(b"x").await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_idle_connection_ends_later_than_a_slow_head() {
    let server = with_limits(|limits| {
        limits.head = Duration::from_millis(50);
        limits.idle = Duration::from_millis(600);
    });
    let server = server.await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    answer(&mut stream).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    stream.write_all(REQUEST).await.unwrap();
    answer(&mut stream).await;
    let waited = waits(&mut stream).await;
    assert!((300..5000).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test]
async fn a_stream_of_events_is_not_idle() {
    let server = with_limits(|limits| {
        limits.head = Duration::from_millis(50);
        limits.idle = Duration::from_millis(50);
    });
    let server = server.await;
    let client = server.log_in("alice").await;
    let mut events = Events::open(&client).await;
    let end = tokio::time::timeout(Duration::from_millis(400), events.next()).await;
    assert!(end.is_err(), "it ended");
}

#[tokio::test]
async fn there_are_no_more_connections_than_the_limit() {
    let server = with_limits(|limits| limits.connections = 2).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        answer(&mut stream).await;
        streams.push(stream);
    }
    let mut third = TcpStream::connect(server.address).await.unwrap();
    third.write_all(REQUEST).await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(200), third.read(&mut byte)).await;
    assert!(early.is_err(), "answered beyond the limit");
    drop(streams.pop());
    answer(&mut third).await;
}

#[tokio::test]
async fn the_end_waits_for_nobody_who_is_idle() {
    let server = Server::start().await;
    let client = server.log_in("alice").await;
    let mut events = Events::open(&client).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(REQUEST).await.unwrap();
    answer(&mut idle).await;
    let address = server.address;
    let start = Instant::now();
    server.stop().await;
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(events.next().await.is_none());
    waits(&mut idle).await;
    until(|| async { TcpStream::connect(address).await.err() }).await;
}
