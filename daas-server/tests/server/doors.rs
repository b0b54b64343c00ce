//! Who gets through to a desktop, by real WebSockets and with a guacd behind them, and what
//! shuts the door again.

use std::net::IpAddr;
use std::time::Duration;

use daas_core::access::{AccessConfig, By, TOKEN_PREFIX, Token};
use daas_core::audit::{AuditAction, Target, TargetKind};
use daas_core::model::{App, LogIn, Protocol, Quota, Role, Scope, Timestamp, User};
use daas_core::storage::QuotaOf;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::guacd::{Guacd, Handshake, Peer, VNC_1_6};
use crate::sockets;
use crate::support::client::Client;
use crate::support::{Options, Server, fixtures, until, within};

/// Longest time from whatever ends a right to the end of the tunnel.
const SOON: Duration = Duration::from_secs(1);
/// What guacd would say to who may not.
const UNAUTHORIZED: &str = "3.769;10.disconnect;";

/// A server with guacd, and a desktop that runs.
pub(crate) struct House {
    pub(crate) guacd: Guacd,
    pub(crate) server: Server,
    pub(crate) owner: User,
    pub(crate) client: Client,
    pub(crate) instance: String,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(AccessConfig::default()).await
    }

    async fn with(access: AccessConfig) -> Self {
        Self::with_app(access, fixtures::app("desktop")).await
    }

    /// One whose desktop is of this application.
    async fn with_app(access: AccessConfig, app: App) -> Self {
        let guacd = Guacd::start().await;
        let options = Options {
            access,
            guacd: Some(guacd.address()),
            ..Options::default()
        };
        let server = Server::start_with(options).await;
        server.store.put_app(app).await.unwrap();
        let owner = server.add("owner", Role::User).await;
        let (client, _) = server.let_in(&owner).await;
        let body = json!({"app_id": server.apps[0]});
        let launched = client.post("/api/v1/instances", &body).await.json();
        let instance = format!("/api/v1/instances/{}", launched["id"].as_str().unwrap());
        until(async || {
            let shown = client.get(&instance).await.json();
            (shown["state"] == "running").then_some(())
        })
        .await;
        Self {
            guacd,
            server,
            owner,
            client,
            instance,
        }
    }

    pub(crate) async fn ticket(&self, client: &Client) -> String {
        let given = client.act(&format!("{}/tunnel", self.instance)).await;
        assert_eq!(given.status, 200, "{given:?}");
        given.json()["ticket"].as_str().unwrap().to_owned()
    }

    /// Asks for a WebSocket; the head of the answer, and what comes after it.
    async fn knock(&self, client: &Client, ticket: &str) -> (String, sockets::Client) {
        let path = format!("/api/v1/tunnel?ticket={ticket}");
        let (origin, cookie) = (client.origin.as_deref(), client.cookie.as_deref());
        let mut head = sockets::head_of(&path, self.server.address, origin, cookie);
        let others = client.headers.iter();
        head.extend(others.map(|(name, value)| format!("{name}: {value}")));
        let (stream, answer) = sockets::request(self.server.address, &head).await;
        (answer, sockets::Client { stream })
    }

    /// Gets through to the desktop.
    pub(crate) async fn enter(&self, client: &Client, ticket: &str) -> (sockets::Client, Peer) {
        let (socket, peer, _) = self.enter_and_hear(client, ticket).await;
        (socket, peer)
    }

    /// The same, with what guacd is told.
    async fn enter_and_hear(
        &self,
        client: &Client,
        ticket: &str,
    ) -> (sockets::Client, Peer, Handshake) {
        let (answer, mut socket) = self.knock(client, ticket).await;
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        assert!(socket.next().await.text().starts_with("0.,36."));
        let (peer, said) = within(self.guacd.accept_session(VNC_1_6)).await;
        (socket, peer, said)
    }

    /// Is told that the ticket is not good.
    async fn is_turned_away(&self, client: &Client, ticket: &str) {
        let (answer, mut socket) = self.knock(client, ticket).await;
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        let told = socket.next().await;
        assert!(told.text().ends_with(UNAUTHORIZED), "{told:?}");
        assert!(told.text().starts_with("5.error,"), "{told:?}");
        assert_eq!(socket.next().await.close().1, "769");
    }

    /// Gets no WebSocket.
    async fn is_refused(&self, client: &Client, ticket: &str, status: u16) {
        let (answer, _) = self.knock(client, ticket).await;
        assert!(
            answer.starts_with(&format!("http/1.1 {status} ")),
            "{answer}"
        );
    }

    async fn session_of(&self, role: Role) -> Client {
        let name = format!("another-{role:?}");
        let user = self.server.add(&name, role).await;
        self.server.let_in(&user).await.0
    }

    /// Nobody got as far as guacd.
    async fn stayed_empty(&self) {
        let somebody = tokio::time::timeout(Duration::from_millis(100), self.guacd.accept());
        assert!(somebody.await.is_err(), "somebody got through");
    }
}

/// What guacd is to do for whoever opens a desktop.
fn check_told(said: &Handshake, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(said.value(name), Some(*value), "{name}");
    }
}

#[tokio::test]
async fn a_console_is_opened_for_each_connection() {
    let app = App {
        protocol: Protocol::Console,
        ..fixtures::app("desktop")
    };
    let house = House::with_app(AccessConfig::default(), app).await;
    for _ in 0..2 {
        let ticket = house.ticket(&house.client).await;
        let opened = house.enter_and_hear(&house.client, &ticket).await;
        let (_socket, _peer, said) = opened;
        let console = [
            ("hostname", "127.0.0.1"),
            ("port", "5999"),
            ("password", "of-the-console"),
        ];
        check_told(&said, &console);
        assert_eq!(said.select, "vnc");
    }
    let opened = house.server.fake.consoles.lock().unwrap().clone();
    let here = IpAddr::from([127, 0, 0, 1]);
    let ends: Vec<_> = opened
        .iter()
        .map(|(_, here, guacd)| (*here, *guacd))
        .collect();
    // Where guacd comes from, and where it sees this machine.
    assert_eq!(ends, [(here, here), (here, here)]);
    assert!(
        opened
            .iter()
            .all(|(id, ..)| house.instance.ends_with(&id.to_string()))
    );
}

#[tokio::test]
async fn who_logs_in_is_said_by_the_application() {
    let app = App {
        log_in: LogIn {
            user: "student".to_owned(),
            ..LogIn::default()
        },
        ..fixtures::app("desktop")
    };
    let house = House::with_app(AccessConfig::default(), app).await;
    let ticket = house.ticket(&house.client).await;
    let opened = house.enter_and_hear(&house.client, &ticket).await;
    check_told(
        &opened.2,
        &[("hostname", "10.0.0.1"), ("username", "student")],
    );
    assert!(house.server.fake.consoles.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_ticket_opens_once() {
    let house = House::new().await;
    let ticket = house.ticket(&house.client).await;
    let _open = house.enter(&house.client, &ticket).await;
    for _ in 0..3 {
        house.is_turned_away(&house.client, &ticket).await;
    }
    house.stayed_empty().await;
}

/// Of many that come with one ticket at once, one gets in.
#[tokio::test]
async fn a_ticket_opens_once_also_for_many_at_once() {
    let house = House::new().await;
    let ticket = house.ticket(&house.client).await;
    let knocks = (0..20).map(|_| async {
        let (answer, mut socket) = house.knock(&house.client, &ticket).await;
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        // Those who got in are greeted; the others are told why not.
        let first = socket.next().await;
        (first.text().starts_with("0.,36."), socket)
    });
    let inside = async { within(house.guacd.accept_session(VNC_1_6)).await };
    let (knocked, _inside) = tokio::join!(futures_util::future::join_all(knocks), inside);
    let got_in = knocked.iter().filter(|(got_in, _)| *got_in).count();
    assert_eq!(got_in, 1);
    house.stayed_empty().await;
}

/// A ticket that somebody else shows has leaked: it is gone for its owner as well.
#[tokio::test]
async fn a_ticket_is_good_for_its_session_only() {
    let house = House::new().await;
    let mut others = vec![house.server.let_in(&house.owner).await.0];
    for role in [Role::User, Role::Operator, Role::Admin] {
        others.push(house.session_of(role).await);
    }
    for other in others {
        let ticket = house.ticket(&house.client).await;
        house.is_turned_away(&other, &ticket).await;
        house.is_turned_away(&house.client, &ticket).await;
    }
    house.stayed_empty().await;
}

#[tokio::test]
async fn a_ticket_ends() {
    let house = House::with(AccessConfig {
        ticket: Duration::from_millis(100),
        ..AccessConfig::default()
    })
    .await;
    let ticket = house.ticket(&house.client).await;
    sleep(Duration::from_millis(150)).await;
    house.is_turned_away(&house.client, &ticket).await;
    house.stayed_empty().await;
}

#[tokio::test]
async fn an_altered_ticket_opens_nothing() {
    let house = House::new().await;
    let ticket = house.ticket(&house.client).await;
    let mut altered = vec![
        String::new(),
        "x".to_owned(),
        "A".repeat(43),
        "A".repeat(4000),
        format!("{ticket}A"),
        format!("{ticket}="),
        format!("%20{ticket}"),
        ticket[1..].to_owned(),
        ticket.to_ascii_uppercase(),
        Token::random().unwrap().expose(),
    ];
    for index in 0..ticket.len() {
        let mut bytes = ticket.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        altered.push(String::from_utf8(bytes).unwrap());
    }
    for altered in altered {
        house.is_turned_away(&house.client, &altered).await;
    }
    house.stayed_empty().await;
    let _open = house.enter(&house.client, &ticket).await;
}

/// The matrix of the one WebSocket: who is not let in, whatever the ticket.
#[tokio::test]
async fn who_gets_no_websocket() {
    let house = House::new().await;
    let ticket = house.ticket(&house.client).await;
    house
        .is_refused(&house.server.anonymous(), &ticket, 401)
        .await;
    let mut unknown = house.client.clone();
    unknown.cookie = Some(format!(
        "daas_session={}",
        Token::random().unwrap().expose()
    ));
    house.is_refused(&unknown, &ticket, 401).await;
    for scope in Scope::ALL {
        let (access, by) = (&house.server.access, By::console());
        let now = Timestamp::now();
        let made = access.make_token(&by, &house.owner, "x", vec![scope], 1, now);
        let value = format!("Bearer {TOKEN_PREFIX}{}", made.await.unwrap().0.expose());
        let program = house.server.anonymous().with("authorization", &value);
        house.is_refused(&program, &ticket, 403).await;
        // Nor beside the right cookie.
        let both = house.client.clone().with("authorization", &value);
        house.is_refused(&both, &ticket, 403).await;
    }
    let port = house.server.address.port();
    for origin in [
        None,
        Some("null".to_owned()),
        Some("https://example.org".to_owned()),
        Some(format!("https://127.0.0.1:{port}")),
        Some(format!("http://127.0.0.1:{port}.example.org")),
        Some(format!("http://127.0.0.1:{port}, http://example.org")),
    ] {
        let mut page = house.client.clone();
        page.origin = origin;
        house.is_refused(&page, &ticket, 403).await;
    }
    house.stayed_empty().await;
    let _open = house.enter(&house.client, &ticket).await;
}

/// What ends the right to look ends that one looks.
async fn is_shut(how: &str, shut: impl AsyncFn(&House, &Client)) {
    let house = House::new().await;
    let admin = house.server.log_in("admin").await;
    let ticket = house.ticket(&house.client).await;
    let (mut socket, _peer) = house.enter(&house.client, &ticket).await;
    let start = Instant::now();
    shut(&house, &admin).await;
    // It may still be asked whether the browser is there.
    while let Some(frame) = socket.read().await {
        if frame.first == 0x88 {
            break;
        }
    }
    let elapsed = start.elapsed();
    assert!(elapsed < SOON, "{how}: after {elapsed:?}");
    println!("{how}: after {elapsed:?}");
}

async fn change(house: &House, admin: &Client, change: serde_json::Value) {
    let path = format!("/api/v1/users/{}", house.owner.id);
    let answer = admin.send("PATCH", &path, Some(change.to_string())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn done(client: &Client, method: &str, path: &str) {
    let answer = client.send(method, path, None).await;
    assert!(answer.status.is_success(), "{answer:?}");
}

#[tokio::test]
async fn doors_shut() {
    is_shut("log-out", async |house, _| {
        done(&house.client, "DELETE", "/api/v1/session").await;
    })
    .await;
    is_shut("disabled", async |house, admin| {
        change(house, admin, json!({"disabled": true})).await;
    })
    .await;
    is_shut("another role", async |house, admin| {
        change(house, admin, json!({"role": "operator"})).await;
    })
    .await;
    is_shut("another password", async |house, admin| {
        change(house, admin, json!({"password": "another horse"})).await;
    })
    .await;
    is_shut(
        "sessions ended by an administrator",
        async |house, admin| {
            let path = format!("/api/v1/users/{}/sessions", house.owner.id);
            done(admin, "DELETE", &path).await;
        },
    )
    .await;
    is_shut("removed", async |house, admin| {
        let path = format!("/api/v1/users/{}?desktops=delete", house.owner.id);
        done(admin, "DELETE", &path).await;
    })
    .await;
    is_shut("session revoked by another one", async |house, _| {
        let (other, _) = house.server.let_in(&house.owner).await;
        done(&other, "DELETE", "/api/v1/profile/sessions").await;
    })
    .await;
    is_shut("ended by an operator", async |house, _| {
        let operator = house.server.log_in("operator").await;
        let open = operator.get("/api/v1/sessions").await.json();
        let id = open["items"][0]["id"].as_str().unwrap().to_owned();
        done(&operator, "DELETE", &format!("/api/v1/sessions/{id}")).await;
    })
    .await;
    is_shut("stopped by an operator", async |house, _| {
        let operator = house.server.log_in("operator").await;
        done(&operator, "POST", &format!("{}/stop", house.instance)).await;
    })
    .await;
}

/// Whose hours are used up is told so, by the tunnel and by the instance.
#[tokio::test]
async fn a_desktop_out_of_time_ends_in_words() {
    let house = House::new().await;
    let admin = house.server.log_in("admin").await;
    let ticket = house.ticket(&house.client).await;
    let (mut socket, _peer) = house.enter(&house.client, &ticket).await;
    let stop = || house.server.services.stop_out_of_time(Timestamp::now());
    stop().await;
    let shown = house.client.get(&house.instance).await.json();
    assert_eq!(shown["state"], "running", "there is no quota");
    let quota = json!({"instances": null, "cpu_millis": null, "memory_mib": null,
                       "disk_mib": null, "hours_week": 0});
    let path = format!("/api/v1/users/{}/quota", house.owner.id);
    let set = admin.send("PUT", &path, Some(quota.to_string())).await;
    assert_eq!(set.status, 200, "{set:?}");
    stop().await;
    let told = loop {
        let frame = socket.next().await;
        if frame.first == 0x81 && frame.text().starts_with("5.error,") {
            break frame.text().to_owned();
        }
    };
    assert!(told.contains("hours for this week are used up"), "{told}");
    assert!(told.contains(",3.523;"), "{told}");
    let shown = until(async || {
        let shown = house.client.get(&house.instance).await.json();
        (shown["state"] == "stopped").then_some(shown)
    })
    .await;
    let why = "your desktops may run 0 hours in seven days, and that is used up";
    let text = format!("The desktop was stopped: {why}.");
    assert_eq!(shown["failure"], json!({"action": "stop", "text": text}));
    let start = format!("{}/start", house.instance);
    let detail = house.client.act(&start).await.problem(409);
    assert!(detail.contains("0 hours in seven days"), "{detail}");
    let log = admin.get("/api/v1/audit?action=instance.stop").await.json();
    let entry = &log["items"][0];
    assert_eq!(
        (&entry["actor"], &entry["after"]["reason"]),
        (&json!("system"), &json!(why))
    );
    assert_eq!(log["items"].as_array().map(Vec::len), Some(1));
}

/// Nobody has to ask for it.
#[tokio::test]
async fn time_runs_out_by_itself() {
    let house = House::new().await;
    let quota = Quota {
        hours_week: Some(0),
        ..Quota::default()
    };
    let (of, now) = (QuotaOf::User(house.owner.id), Timestamp::now());
    let target = Target::new(TargetKind::User, house.owner.id, "owner");
    let entry = By::system().did(AuditAction::QuotaChange, target, now);
    house
        .server
        .store
        .set_quota(of, quota, entry)
        .await
        .unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    until(async || {
        let shown = house.client.get(&house.instance).await.json();
        (shown["state"] == "stopped").then_some(())
    })
    .await;
}

/// What another process changes in the database is found as well.
#[tokio::test]
async fn doors_shut_without_a_request() {
    is_shut("disabled at the console", async |house, _| {
        let change = daas_core::access::UserChange {
            disabled: Some(true),
            ..Default::default()
        };
        let (by, now) = (By::console(), Timestamp::now());
        let access = &house.server.access;
        let changed = access.change_user(&by, house.owner.id, change, now);
        changed.await.unwrap();
    })
    .await;
}
