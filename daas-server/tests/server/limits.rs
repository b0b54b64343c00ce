//! How many requests anybody may make, and who counts as one.

use std::time::Duration;

use daas_core::access::{By, TOKEN_PREFIX};
use daas_core::model::{Role, Scope, Timestamp};
use daas_server::Rate;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::support::client::Client;
use crate::support::{Options, PASSWORD, Server, within};

const BURST: u32 = 5;
const SESSION: &str = "/api/v1/session";
/// Another address of this machine, where a proxy is that is believed.
const PROXY: &str = "127.0.0.2";

/// Slow enough that nothing comes back while a test asks.
const RATE: Rate = Rate {
    per_second: 1,
    burst: BURST,
};

async fn limited(change: impl FnOnce(&mut Options)) -> Server {
    let mut options = Options::default();
    options.settings.trusted_proxies = vec![PROXY.parse().unwrap()];
    change(&mut options);
    Server::start_with(options).await
}

async fn per_address() -> Server {
    limited(|options| options.settings.rates.per_address = RATE).await
}

/// How many of these are answered before one is refused.
async fn answered<F: Future<Output = Client>>(mut client: impl FnMut(u32) -> F) -> u32 {
    for n in 0..4 * BURST {
        let answer = client(n).await.get("/healthz").await;
        if answer.status == 429 {
            return n;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    4 * BURST
}

/// A burst, and what may have come back while it was asked for.
fn is_a_burst(answered: u32) -> bool {
    (BURST..=BURST + 2).contains(&answered)
}

/// What somebody gets by a proxy, which tells these addresses.
async fn by_proxy(server: &Server, chain: impl Fn(u32) -> String) -> u32 {
    answered(async |n| {
        let client = server.anonymous().from(PROXY);
        client.with("x-forwarded-for", &chain(n))
    })
    .await
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_again() {
    let server = per_address().await;
    assert!(is_a_burst(answered(async |_| server.anonymous()).await));
    // Whatever it asks for, and also for what is not there.
    let asked = ["/", "/nothing", "/api/v1/apps", SESSION].map(|path| {
        let client = server.anonymous();
        async move {
            let started = Instant::now();
            (client.get(path).await, started.elapsed())
        }
    });
    // A token came back meanwhile.
    let mut refused = futures_util::future::join_all(asked).await;
    refused.retain(|(answer, _)| answer.status == 429);
    assert!(refused.len() >= 3, "{refused:?}");
    for (answer, waited) in refused {
        assert!(waited >= Duration::from_secs(1), "{waited:?}");
        let told = answer.problem(429);
        assert!(told.contains("your network"), "{told}");
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.json()["retry_after"], 1);
    }
    // Others do not notice.
    let other = server.anonymous().from("127.0.0.3");
    assert_eq!(other.get("/healthz").await.status, 200);
    // Who comes when told is answered, again and again.
    for _ in 0..2 {
        while server.anonymous().get("/healthz").await.status != 429 {}
        sleep(Duration::from_secs(1)).await;
        assert_eq!(server.anonymous().get("/healthz").await.status, 200);
    }
}

#[tokio::test]
async fn an_account_has_a_limit_of_its_own_wherever_it_comes_from() {
    let server = limited(|options| options.settings.rates.per_account = RATE).await;
    let (one, other) = (
        server.add("one", Role::User).await,
        server.add("other", Role::User).await,
    );
    let (first, second) = (server.let_in(&one).await.0, server.let_in(&one).await.0);
    let (by, scopes, now) = (By::console(), vec![Scope::AppsRead], Timestamp::now());
    let made = server.access.make_token(&by, &one, "x", scopes, 1, now);
    let bearer = format!("Bearer {TOKEN_PREFIX}{}", made.await.unwrap().0.expose());
    let program = server.anonymous().with("authorization", &bearer);
    let elsewhere = second.from("127.0.0.3");
    let all = [&first, &elsewhere, &program];
    let start = Instant::now();
    let mut count = 0;
    let refusal = loop {
        let answer = all[count % all.len()].get("/api/v1/apps").await;
        if answer.status == 429 {
            break answer;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        count += 1;
        assert!(count < 20);
    };
    let most = BURST as usize + start.elapsed().as_secs() as usize + 1;
    assert!((BURST as usize..=most).contains(&count), "{count}");
    let told = refusal.problem(429);
    assert!(told.contains("your account"), "{told}");
    assert_eq!(refusal.header("retry-after"), "1");
    let (another, _) = server.let_in(&other).await;
    assert_eq!(another.get("/api/v1/apps").await.status, 200);
    // Nor does it cost them anything that somebody without a session asks.
    server.anonymous().get("/api/v1/apps").await.problem(401);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(first.get("/api/v1/apps").await.status, 200);
}

#[tokio::test]
async fn a_proxy_that_is_believed_tells_visitors_apart() {
    let server = per_address().await;
    for visitor in ["192.0.2.1", "192.0.2.2"] {
        assert!(is_a_burst(by_proxy(&server, |_| visitor.to_owned()).await));
    }
    assert_eq!(
        by_proxy(&server, |n| format!("192.0.2.{}", n + 10)).await,
        4 * BURST
    );
}

/// Only what the proxy itself added counts, which is the last.
#[tokio::test]
async fn what_visitors_write_before_the_proxy_does_not_help_them() {
    let server = per_address().await;
    for (visitor, chain) in [
        (1, "198.51.100.{n}, {visitor}"),
        (2, "198.51.100.{n}, 203.0.113.{n}, {visitor}"),
        (3, "x, 198.51.100.{n}, , {visitor}"),
        (4, "127.0.0.2, 198.51.100.{n}, {visitor}"),
        // Another proxy that is believed stands between.
        (5, "198.51.100.{n}, {visitor}, 127.0.0.2"),
        (6, "::ffff:198.51.100.{n}, {visitor}, ::ffff:127.0.0.2"),
    ] {
        let visitor = format!("192.0.2.{visitor}");
        let got = by_proxy(&server, |n| {
            let chain = chain.replace("{n}", &n.to_string());
            chain.replace("{visitor}", &visitor)
        });
        let got = got.await;
        assert!(is_a_burst(got), "{chain}: {got}");
    }
    // Two headers are one list.
    let got = answered(async |n| {
        let client = server.anonymous().from(PROXY);
        let client = client.with("x-forwarded-for", &format!("198.51.100.{n}"));
        client.with("x-forwarded-for", "192.0.2.100")
    });
    assert!(is_a_burst(got.await));
    // What is not an address is not one of anybody's: then it is the proxy's own.
    let got = by_proxy(&server, |n| format!("198.51.100.{n}, unknown")).await;
    assert!(is_a_burst(got), "{got}");
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let server = per_address().await;
    let got = answered(async |n| {
        let address = format!("198.51.100.{n}");
        let client = server.anonymous().from("127.0.0.3");
        let client = client.with("x-forwarded-for", &address);
        let client = client.with("x-real-ip", &address);
        client.with("forwarded", &format!("for={address}"))
    });
    assert!(is_a_burst(got.await));
    // Nor is the other header of a proxy that is believed.
    let got = answered(async |n| {
        let client = server.anonymous().from(PROXY);
        let client = client.with("forwarded", &format!("for=198.51.100.{n}"));
        client.with("x-forwarded-for", "192.0.2.1")
    });
    assert!(is_a_burst(got.await));
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_and_addresses_in_other_clothes_are_the_same() {
    let server = per_address().await;
    assert!(is_a_burst(
        by_proxy(&server, |n| format!("2001:db8::{n:x}")).await
    ));
    // But for what has come back since.
    let got = by_proxy(&server, |_| "2001:db8::ffff:1".to_owned()).await;
    assert!(got <= 1, "{got}");
    assert!(is_a_burst(
        by_proxy(&server, |n| format!("2001:db8:0:1::{n:x}")).await
    ));
    let clothes = ["192.0.2.1", "::ffff:192.0.2.1", "::FFFF:c000:201"];
    let got = by_proxy(&server, |n| clothes[n as usize % 3].to_owned()).await;
    assert!(is_a_burst(got), "{got}");
}

/// Log-ins have limits beside those of requests, and a chain that is made up is no way
/// around them, either.
#[tokio::test]
async fn log_ins_are_counted_for_names_and_addresses() {
    let server = limited(|_| {}).await;
    let guess = async |name: &str, chain: &str| {
        let client = server.anonymous().from(PROXY);
        let client = client.with("x-forwarded-for", chain);
        let body = json!({"username": name, "password": "wrong horse"});
        client.post(SESSION, &body).await
    };
    for n in 0..50 {
        let chain = format!("198.51.100.{n}, 2001:db8::{n}");
        guess(&format!("nobody{n}"), &chain).await.problem(401);
    }
    let refused = guess("alice", "198.51.100.99, 2001:db8::ffff").await;
    refused.problem(429);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((14 * 60..=15 * 60).contains(&wait), "{wait}");
    // A name is counted wherever the guesses come from.
    for n in 0..5 {
        guess("bob", &format!("192.0.2.{n}")).await.problem(401);
    }
    guess("BOB", "192.0.2.99").await.problem(429);
    // Others log in from there.
    let mut alice = server
        .anonymous()
        .from(PROXY)
        .with("x-forwarded-for", "192.0.2.99");
    within(alice.log_in("alice", PASSWORD)).await;
}
