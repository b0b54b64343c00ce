//! The client of Proxmox VE against a simulator of it: every call, every way in, and what goes
//! wrong between them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[allow(dead_code, unreachable_pub, reason = "not every test uses all of it")]
#[path = "support/pve/mod.rs"]
mod pve;

use std::time::{Duration, Instant};

use daas_core::Secret;
use daas_core::hypervisor::proxmox::client::{
    Class, Client, CloneSpec, Credentials, Fault, Form, Guest, Kind, Power, ResourceKind, Settings,
    Trust, Upid,
};
use pve::{Action, PASSWORD, PowerIs, Rule, Simulator, TOKEN_ID, TOKEN_SECRET, Timing, USER};

const LONG: Duration = Duration::from_secs(10);

fn token() -> Credentials {
    Credentials::Token {
        id: TOKEN_ID.to_owned(),
        secret: Secret::new(TOKEN_SECRET.to_owned()),
    }
}

fn person() -> Credentials {
    Credentials::Password {
        user: USER.to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
    }
}

fn settings(simulator: &Simulator, credentials: Credentials) -> Settings {
    let endpoints = vec![simulator.address().to_string().parse().unwrap()];
    let pins = vec![simulator.fingerprint.parse().unwrap()];
    let mut settings = Settings::new(endpoints, credentials, Trust::Fingerprints(pins));
    settings.poll_first = Duration::from_millis(10);
    settings.poll_last = Duration::from_millis(50);
    settings
}

fn client(simulator: &Simulator) -> Client {
    Client::new(settings(simulator, token())).unwrap()
}

fn guest(kind: Kind, node: &str, vmid: u32) -> Guest {
    Guest {
        kind,
        node: node.to_owned(),
        vmid,
    }
}

async fn done(client: &Client, upid: Result<Upid, Fault>) {
    client.wait(&upid.unwrap(), LONG).await.unwrap();
}

fn clone_of(vmid: u32) -> CloneSpec {
    CloneSpec {
        vmid,
        name: format!("clone-{vmid}"),
        description: "for a test".to_owned(),
        pool: Some("desktops".to_owned()),
        ..CloneSpec::default()
    }
}

/// A simulator with a clone of a template, and what kind it is of.
async fn with_clone(kind: Kind) -> (Simulator, Client, Guest) {
    let simulator = Simulator::start(Timing::short());
    let client = client(&simulator);
    let template = match kind {
        Kind::Qemu => guest(kind, "pve1", 900),
        Kind::Lxc => guest(kind, "pve2", 910),
    };
    done(
        &client,
        client.clone_guest(&template, &clone_of(5000)).await,
    )
    .await;
    let clone = guest(kind, &template.node, 5000);
    (simulator, client, clone)
}

#[tokio::test]
async fn what_a_cluster_has_is_read() {
    let simulator = Simulator::start(Timing::short());
    let client = client(&simulator);
    let version = client.version().await.unwrap();
    assert_eq!(
        (version.version.as_str(), version.major()),
        ("9.1.2", Some(9))
    );
    let guests = client.resources(ResourceKind::Guests).await.unwrap();
    let names: Vec<_> = guests.iter().map(|guest| guest.name.as_deref()).collect();
    assert_eq!(names, [Some("desktop"), Some("heavy"), Some("small")]);
    assert!(guests.iter().all(|guest| guest.template));
    assert_eq!(
        client.resources(ResourceKind::Nodes).await.unwrap().len(),
        2
    );
    assert_eq!(
        client
            .resources(ResourceKind::Storages)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(client.nodes().await.unwrap(), ["pve1", "pve2"]);
    assert_eq!(client.node_status("pve1").await.unwrap().uptime, 4711);
    assert_eq!(client.pools().await.unwrap().len(), 2);
    // A text there, a number elsewhere.
    assert_eq!(client.next_id(None).await.unwrap(), 100);
    assert_eq!(client.next_id(Some(7000)).await.unwrap(), 7000);
    let taken = client.next_id(Some(900)).await.unwrap_err();
    assert_eq!(taken.class(), Class::Conflict);
    let machines = client.guests("pve1", Kind::Qemu).await.unwrap();
    assert_eq!(machines.len(), 2);
    assert!(
        machines
            .iter()
            .all(|guest| guest.current.qmpstatus.is_some())
    );
    let containers = client.guests("pve2", Kind::Lxc).await.unwrap();
    assert_eq!(containers[0].vmid, Some(910));
}

#[tokio::test]
async fn a_machine_lives() {
    let (simulator, client, clone) = with_clone(Kind::Qemu).await;
    let config = client.config(&clone).await.unwrap();
    assert_eq!(config.value("name"), Some("clone-5000"));
    assert_eq!(config.value("memory"), Some("2048"));
    let changes = Form::new().with("cores", 2).with("cipassword", "p&=+ ö");
    client.configure(&clone, changes).await.unwrap();
    let config = client.config(&clone).await.unwrap();
    assert_eq!(config.value("cores"), Some("2"));
    let kept = simulator.world(|world| world.guests[&5000].config["cipassword"].clone());
    assert_eq!(kept, "p&=+ ö");
    let upid = client
        .resize(&clone, "scsi0", "12G")
        .await
        .unwrap()
        .unwrap();
    client.wait(&upid, LONG).await.unwrap();
    let shrunk = client.resize(&clone, "scsi0", "4G").await.unwrap().unwrap();
    let shrunk = client.wait(&shrunk, LONG).await.unwrap_err();
    assert_eq!(
        (shrunk.class(), shrunk.text().as_str()),
        (Class::Fatal, "shrinking disks is not supported")
    );

    done(&client, client.power(&clone, Power::Start).await).await;
    assert_eq!(client.current(&clone).await.unwrap().status, "running");
    let again = client.power(&clone, Power::Start).await.unwrap();
    let again = client.wait(&again, LONG).await.unwrap_err();
    assert_eq!(again.class(), Class::Conflict);
    let quiet = client.interfaces(&clone).await.unwrap_err();
    assert_eq!(quiet.class(), Class::Conflict);
    tokio::time::sleep(Timing::short().boot).await;
    let interfaces = client.interfaces(&clone).await.unwrap();
    assert!(interfaces.iter().any(|one| one.mac.starts_with("bc:24:11")));
    done(&client, client.power(&clone, Power::Reboot).await).await;
    done(
        &client,
        client
            .power(&clone, Power::Suspend { to_disk: false })
            .await,
    )
    .await;
    let frozen = client.current(&clone).await.unwrap();
    assert_eq!(frozen.qmpstatus.as_deref(), Some("paused"));
    let within = Duration::from_secs(1);
    let shutdown = Power::Shutdown {
        within,
        or_stop: false,
    };
    let refused = client.power(&clone, shutdown).await.unwrap_err();
    assert_eq!(refused.class(), Class::Conflict);
    done(&client, client.power(&clone, Power::Resume).await).await;
    done(&client, client.power(&clone, shutdown).await).await;
    done(&client, client.power(&clone, Power::Start).await).await;
    done(
        &client,
        client.power(&clone, Power::Suspend { to_disk: true }).await,
    )
    .await;
    let saved = client.current(&clone).await.unwrap();
    assert_eq!(
        (saved.status.as_str(), saved.lock.as_deref()),
        ("stopped", Some("suspended"))
    );
    done(&client, client.power(&clone, Power::Start).await).await;
    let running = client.destroy(&clone).await.unwrap_err();
    assert_eq!(running.class(), Class::Conflict);
    done(&client, client.power(&clone, Power::Stop).await).await;
    done(&client, client.destroy(&clone).await).await;
    assert_eq!(
        client.config(&clone).await.unwrap_err().class(),
        Class::Gone
    );
}

#[tokio::test]
async fn a_container_lives() {
    let (_simulator, client, clone) = with_clone(Kind::Lxc).await;
    assert_eq!(
        client.config(&clone).await.unwrap().value("hostname"),
        Some("clone-5000")
    );
    client
        .configure(&clone, Form::new().with("memory", 1024))
        .await
        .unwrap();
    let stopped = client.power(&clone, Power::Stop).await.unwrap_err();
    assert_eq!(stopped.class(), Class::Conflict);
    done(&client, client.power(&clone, Power::Start).await).await;
    tokio::time::sleep(Timing::short().boot).await;
    let interfaces = client.interfaces(&clone).await.unwrap();
    assert!(
        interfaces
            .iter()
            .any(|one| one.name == "eth0" && one.addresses.len() == 2)
    );
    done(&client, client.power(&clone, Power::Reboot).await).await;
    done(
        &client,
        client
            .power(&clone, Power::Suspend { to_disk: false })
            .await,
    )
    .await;
    done(&client, client.power(&clone, Power::Resume).await).await;
    let within = Duration::from_secs(1);
    let shutdown = Power::Shutdown {
        within,
        or_stop: true,
    };
    done(&client, client.power(&clone, shutdown).await).await;
    assert!(
        client
            .resize(&clone, "rootfs", "+1G")
            .await
            .unwrap()
            .is_some()
    );
    assert!(client.make_template(&clone).await.unwrap().is_none());
}

#[tokio::test]
async fn snapshots_are_made_and_gone_back_to() {
    for kind in [Kind::Qemu, Kind::Lxc] {
        let (_simulator, client, clone) = with_clone(kind).await;
        done(&client, client.power(&clone, Power::Start).await).await;
        done(
            &client,
            client.snapshot(&clone, "before", "a note", true).await,
        )
        .await;
        let all = client.snapshots(&clone).await.unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].name.as_str(), all[0].description.as_str()),
            ("before", "a note")
        );
        assert_eq!(
            (all[0].made_at, all[0].with_memory),
            (1_800_000_000, kind == Kind::Qemu)
        );
        let twice = client.snapshot(&clone, "before", "", false).await.unwrap();
        let twice = client.wait(&twice, LONG).await.unwrap_err();
        assert_eq!(twice.class(), Class::Conflict);
        done(&client, client.rollback(&clone, "before", true).await).await;
        assert_eq!(client.current(&clone).await.unwrap().status, "running");
        let none = client.rollback(&clone, "other", false).await.unwrap();
        assert_eq!(
            client.wait(&none, LONG).await.unwrap_err().class(),
            Class::Gone
        );
        done(&client, client.delete_snapshot(&clone, "before").await).await;
        let none = client.delete_snapshot(&clone, "before").await.unwrap_err();
        assert_eq!(none.class(), Class::Gone);
    }
}

#[tokio::test]
async fn templates_are_made_once() {
    let (_simulator, client, clone) = with_clone(Kind::Qemu).await;
    let upid = client.make_template(&clone).await.unwrap().unwrap();
    client.wait(&upid, LONG).await.unwrap();
    assert_eq!(
        client.make_template(&clone).await.unwrap_err().class(),
        Class::Conflict
    );
    done(&client, client.clone_guest(&clone, &clone_of(5001)).await).await;
    // What is linked to it needs its disks.
    let upid = client.destroy(&clone).await.unwrap();
    assert_eq!(
        client.wait(&upid, LONG).await.unwrap_err().class(),
        Class::Conflict
    );
}

#[tokio::test]
async fn tasks_are_listed_read_and_ended() {
    let simulator = Simulator::start(Timing {
        task: LONG,
        ..Timing::short()
    });
    let client = client(&simulator);
    let template = guest(Kind::Qemu, "pve1", 900);
    let upid = client
        .clone_guest(&template, &clone_of(5000))
        .await
        .unwrap();
    assert_eq!(
        (upid.kind(), upid.of(), upid.node()),
        ("qmclone", "900", "pve1")
    );
    assert_eq!(client.task_status(&upid).await.unwrap().ended(), None);
    let active = client.tasks("pve1", Some(900), true).await.unwrap();
    assert_eq!(active[0].upid, upid.as_str());
    assert_eq!(client.cluster_tasks().await.unwrap().len(), 1);
    assert_eq!(
        client.task_log(&upid, 0, 10).await.unwrap(),
        ["task qmclone of 5000 began"]
    );
    let late = client
        .wait(&upid, Duration::from_millis(80))
        .await
        .unwrap_err();
    assert!(matches!(late, Fault::Unfinished { .. }), "{late}");
    assert_eq!(late.class(), Class::Unknown);
    client.stop_task(&upid).await.unwrap();
    assert_eq!(
        client.wait(&upid, LONG).await.unwrap_err().class(),
        Class::Unknown
    );
    assert!(client.tasks("pve1", None, true).await.unwrap().is_empty());
    let other: Upid = "UPID:pve1:00000000:00000000:00000000:qmstart:1:u@pam:"
        .parse()
        .unwrap();
    assert_eq!(
        client.task_status(&other).await.unwrap_err().class(),
        Class::Gone
    );
}

#[tokio::test]
async fn older_versions_are_understood() {
    for version in ["7.4-3", "8.4.1"] {
        let (simulator, client, clone) = with_clone(Kind::Qemu).await;
        simulator.world(|world| world.version = version);
        // Seven says what is wrong in the reason phrase only.
        let locked = guest(Kind::Qemu, "pve1", 4711);
        assert_eq!(
            client.config(&locked).await.unwrap_err().class(),
            Class::Gone
        );
        let resized = client.resize(&clone, "scsi0", "12G").await.unwrap();
        assert_eq!(resized.is_none(), version.starts_with('7'));
        let console = client.vncproxy(&clone).await.unwrap();
        assert!((5900..6000).contains(&console.port));
        assert!(client.version().await.unwrap().major().unwrap() < 9);
    }
}

#[tokio::test]
async fn tickets_are_asked_for_once_and_renewed() {
    let simulator = Simulator::start(Timing::short());
    let client = Client::new(settings(&simulator, person())).unwrap();
    let tickets = || {
        simulator.world(|world| {
            world
                .calls
                .iter()
                .filter(|(_, path)| path.ends_with("/access/ticket"))
                .count()
        })
    };
    let (a, b, c) = tokio::join!(client.version(), client.nodes(), client.pools());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(tickets(), 1);
    // In the middle of a call that changes something: it is done once.
    simulator.rule(Rule::once("POST", "/clone", Action::Expire));
    let template = guest(Kind::Qemu, "pve1", 900);
    done(
        &client,
        client.clone_guest(&template, &clone_of(5000)).await,
    )
    .await;
    assert_eq!(tickets(), 2);
    assert_eq!(simulator.world(|world| world.cloned.clone()), [5000]);
    // A new ticket is not asked for without end.
    simulator.rule(Rule::once("GET", "/version", Action::Refuse(401, "No ticket".into())).times(9));
    assert_eq!(
        client.version().await.unwrap_err().class(),
        Class::Permission
    );
    assert_eq!(tickets(), 3);
}

#[tokio::test]
async fn wrong_credentials_are_refused() {
    let simulator = Simulator::start(Timing::short());
    let wrong = Secret::new("wrong".to_owned());
    let began = Instant::now();
    for credentials in [
        Credentials::Token {
            id: TOKEN_ID.to_owned(),
            secret: wrong.clone(),
        },
        Credentials::Password {
            user: USER.to_owned(),
            password: wrong,
        },
    ] {
        let client = Client::new(settings(&simulator, credentials)).unwrap();
        let refused = client.version().await.unwrap_err();
        assert_eq!(refused.class(), Class::Permission, "{refused}");
    }
    assert!(began.elapsed() >= 2 * Timing::short().refusal);
}

#[tokio::test]
async fn certificates_are_checked() {
    let simulator = Simulator::start(Timing::short());
    let with = |trust| {
        let mut settings = settings(&simulator, token());
        settings.trust = trust;
        Client::new(settings).unwrap()
    };
    let by_file = with(Trust::Authorities(simulator.ca_file.clone()));
    by_file.version().await.unwrap();
    let other = Simulator::start(Timing::short());
    let pins = |simulator: &Simulator| simulator.fingerprint.parse().unwrap();
    with(Trust::Fingerprints(vec![pins(&other), pins(&simulator)]))
        .version()
        .await
        .unwrap();
    let refused = [
        with(Trust::Fingerprints(vec![pins(&other)])),
        with(Trust::Authorities(other.ca_file.clone())),
        with(Trust::System),
    ];
    for client in refused {
        let refused = client.version().await.unwrap_err();
        assert!(matches!(refused, Fault::Unreachable(_)), "{refused}");
    }
    // Nothing was said before that.
    assert_eq!(simulator.world(|world| world.calls.len()), 2);
    for trust in [
        Trust::Fingerprints(Vec::new()),
        Trust::Authorities("/no/such/file".into()),
    ] {
        let mut settings = settings(&simulator, token());
        settings.trust = trust;
        assert!(Client::new(settings).is_err());
    }
}

#[tokio::test]
async fn another_endpoint_is_tried() {
    let simulator = Simulator::start(Timing::short());
    let mut settings = settings(&simulator, token());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = closed.local_addr().unwrap();
    for address in [closed, silent.local_addr().unwrap()] {
        settings
            .endpoints
            .insert(0, address.to_string().parse().unwrap());
    }
    settings.connect_timeout = Duration::from_millis(300);
    let client = Client::new(settings.clone()).unwrap();
    client.version().await.unwrap();
    // And stays.
    let began = Instant::now();
    client.version().await.unwrap();
    assert!(
        began.elapsed() < Duration::from_millis(250),
        "{:?}",
        began.elapsed()
    );
    settings.endpoints.truncate(2);
    let none = Client::new(settings).unwrap().version().await.unwrap_err();
    assert_eq!(none.class(), Class::Retryable);
}

#[tokio::test]
async fn what_was_lost_is_unknown_only_if_it_changes_something() {
    let simulator = Simulator::start(Timing::short());
    let mut settings = settings(&simulator, token());
    settings.call_timeout = Duration::from_millis(300);
    let client = Client::new(settings).unwrap();
    let template = guest(Kind::Qemu, "pve1", 900);
    let late = Action::Delay(Duration::from_millis(600));
    let broken = Action::RefuseAfter(596, "Broken pipe".to_owned());
    let mut vmid = 5000;
    for action in [Action::DropBefore, Action::DropAfter, late, broken] {
        simulator.rule(Rule::once("GET", "/version", action.clone()));
        let reading = client.version().await.unwrap_err();
        assert_eq!(reading.class(), Class::Retryable, "{action:?}: {reading}");
        vmid += 1;
        simulator.rule(Rule::once("POST", "/clone", action.clone()));
        let changing = client
            .clone_guest(&template, &clone_of(vmid))
            .await
            .unwrap_err();
        assert_eq!(changing.class(), Class::Unknown, "{action:?}: {changing}");
        let was_done = simulator.world(|world| world.cloned.contains(&vmid));
        assert_eq!(was_done, action != Action::DropBefore);
    }
    simulator.world(|world| world.nodes.insert("pve1".to_owned(), false));
    let off = client
        .clone_guest(&template, &clone_of(6000))
        .await
        .unwrap_err();
    assert_eq!(off.class(), Class::Retryable, "{off}");
    simulator.world(|world| world.has_quorum = false);
    let alone = client
        .clone_guest(&template, &clone_of(6000))
        .await
        .unwrap_err();
    assert_eq!(alone.class(), Class::Retryable, "{alone}");
}

#[tokio::test]
async fn tasks_that_end_badly_say_how() {
    let (simulator, client, clone) = with_clone(Kind::Qemu).await;
    for (action, class) in [
        (Action::WorkerDies, Class::Unknown),
        (
            Action::TaskFails("VM is locked (backup)".to_owned()),
            Class::Busy,
        ),
        (
            Action::TaskFails("start failed: QEMU exited with code 1".to_owned()),
            Class::Fatal,
        ),
    ] {
        simulator.rule(Rule::once("POST", "/status/start", action));
        let upid = client.power(&clone, Power::Start).await.unwrap();
        let fault = client.wait(&upid, LONG).await.unwrap_err();
        assert_eq!(fault.class(), class, "{fault}");
    }
    // What cannot be looked at for a while is looked at again.
    simulator.rule(Rule::once("GET", "/status", Action::DropBefore).times(2));
    done(&client, client.power(&clone, Power::Start).await).await;
    assert_eq!(
        simulator.world(|world| world.guests[&5000].power),
        PowerIs::Running
    );
}

#[tokio::test]
async fn a_node_is_not_asked_too_much_at_once() {
    let simulator = Simulator::start(Timing::short());
    let client = client(&simulator);
    let slow = Action::Delay(Duration::from_millis(30));
    simulator.rule(Rule::once("GET", "/nodes/pve1/status", slow).times(40));
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.node_status("pve1").await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(simulator.world(|world| world.in_flight_most), 4);
}

#[tokio::test]
async fn the_simulator_is_as_strict_as_the_real_one() {
    use std::io::{Read as _, Write as _};
    use std::sync::Arc;
    let simulator = Simulator::start(Timing::short());
    let mut roots = rustls::RootCertStore::empty();
    let pem = std::fs::read(&simulator.ca_file).unwrap();
    use rustls::pki_types::pem::PemObject as _;
    roots
        .add(rustls::pki_types::CertificateDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let token = format!("Authorization: PVEAPIToken={TOKEN_ID}={TOKEN_SECRET}\r\n");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (request, expected) in [
        (
            format!("GET /api2/json/no/such HTTP/1.1\r\n{token}\r\n"),
            "HTTP/1.1 501 Method 'GET /no/such' not implemented",
        ),
        (
            format!("GET /api2/json/nodes/pve1/tasks/x/status HTTP/1.1\r\n{token}\r\n"),
            "HTTP/1.1 400 Parameter verification failed.",
        ),
        (
            "GET /api2/json/version HTTP/1.1\r\n\r\n".to_owned(),
            "HTTP/1.1 401 No ticket",
        ),
        (
            format!(
                "POST /api2/json/x HTTP/1.1\r\n{token}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            "HTTP/1.1 501 chunked",
        ),
        (
            format!("DELETE /api2/json/x HTTP/1.1\r\n{token}{form}Content-Length: 3\r\n\r\na=1"),
            "HTTP/1.1 501 Unexpected content",
        ),
        (
            format!("POST /api2/json/x HTTP/1.1\r\n{token}{form}Content-Length: 600000\r\n\r\n"),
            "HTTP/1.1 501 for data too large",
        ),
        (
            format!(
                "POST /api2/json/x HTTP/1.1\r\n{token}Content-Type: a/b\r\nContent-Length: 3\r\n\r\na=1"
            ),
            "HTTP/1.1 506 ",
        ),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            "HTTP/1.1 506 ",
        ),
    ] {
        let name = "127.0.0.1".try_into().unwrap();
        let connection = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
        let socket = std::net::TcpStream::connect(simulator.address()).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, socket);
        // It may answer and hang up before it has read all. What is said to be too long is not
        // sent at all: a connection that ends with bytes unread can lose the answer.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = vec![0; 100];
        let read = stream.read(&mut answer).unwrap_or(0);
        let answer = String::from_utf8_lossy(&answer[..read]);
        assert!(answer.starts_with(expected), "{expected}: {answer}");
    }
}
