//! Desktops and keys.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use daas_core::Secret;
use daas_core::model::{Action, Endpoint, Instance, Quota, Timestamp};
use daas_core::storage::{Instances as _, Outcome, People as _, Sqlite};

use crate::guacd::{VNC_1_6, encode};
use crate::search::Value;
use crate::sockets;
use crate::world::{World, canary, texts};

/// Where nobody listens, so that nothing waits for an answer.
const NO_GUACD: (&str, &str) = ("DAAS_GATEWAY__GUACD", "127.0.0.1:1");

async fn store(world: &World) -> Sqlite {
    let (database, keys) = (
        world.path("data/daas.sqlite3"),
        world.path("data/daas.keys"),
    );
    Sqlite::open(&database, &keys).await.unwrap()
}

/// The password of a desktop, as the server opens it.
pub async fn password_of(world: &World, id: &str) -> String {
    let instance = store(world).await.instance(id.parse().unwrap()).await;
    instance.unwrap().password.expose().clone()
}

/// A desktop that runs as far as the server knows. VNC takes eight characters.
pub async fn desktop_password(world: &mut World) -> Vec<Value> {
    let (store, now) = (store(world).await, Timestamp::now());
    let password: String = canary().chars().rev().take(8).collect();
    let owner = store.user_by_name("admin").await.unwrap().id;
    let app = store.apps().await.unwrap()[0].id;
    let instance = Instance::requested(Some(owner), app, Secret::new(password.clone()), now);
    let (id, no_limits) = (instance.id, Quota::default());
    store
        .add_instance(instance, no_limits.into())
        .await
        .unwrap();
    let begun = store
        .begin(id, Action::Start, no_limits.into(), now)
        .await
        .unwrap();
    let endpoint = Endpoint {
        address: Ipv4Addr::LOCALHOST.into(),
        port: 5901,
    };
    let done = Outcome::Done {
        endpoint: Some(endpoint),
    };
    store.finish(id, begun.revision, done, now).await.unwrap();
    world.kept.insert("instance", id.to_string());
    world.kept.insert("desktop", password.clone());
    let admin = world.admin();
    for path in ["/api/v1/instances", &format!("/api/v1/instances/{id}")] {
        let shown = world.get("instance", &admin, path).await;
        assert!(shown.text().contains("running"), "{shown:?}");
    }
    texts([password])
}

pub async fn ticket(world: &mut World) -> Vec<Value> {
    let admin = world.admin();
    let path = format!("/api/v1/instances/{}/tunnel", world.kept["instance"]);
    let given = world.send("ticket", &admin, ("POST", &path), None).await;
    let ticket = given.json()["ticket"].as_str().unwrap().to_owned();
    world.kept.insert("ticket", ticket.clone());
    vec![Value::Token(ticket)]
}

/// Opens the desktop, which proves that its sealed password is the one that guacd gets.
pub async fn id_of_guacd(world: &mut World) -> Vec<Value> {
    let admin = world.admin();
    let path = format!("/api/v1/tunnel?ticket={}", world.kept["ticket"]);
    let (origin, cookie) = (admin.origin.as_deref(), admin.cookie.as_deref());
    let head = sockets::head_of(&path, world.address, origin, cookie);
    let (stream, answer) = sockets::request(world.address, &head).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    world.record("tunnel", answer.as_bytes());
    let mut browser = sockets::Client { stream };
    let mut peer = world.guacd.accept().await;
    let said = peer.until_connect(VNC_1_6).await;
    assert_eq!(said.value("password"), Some(world.kept["desktop"].as_str()));
    let id = canary();
    peer.send(&encode(&["ready", &format!("${id}")])).await;
    peer.send(b"4.sync,1.1;").await;
    let mut seen = String::new();
    while !seen.contains("4.sync,1.1;") {
        seen.push_str(browser.next().await.text());
    }
    world.record("tunnel", seen.as_bytes());
    let live = world.get("live sessions", &admin, "/api/v1/sessions").await;
    assert!(live.text().contains("admin"), "{live:?}");
    // A ticket is good once.
    let (stream, answer) = sockets::request(world.address, &head).await;
    world.record("tunnel", answer.as_bytes());
    let farewell = sockets::Client { stream }.next().await;
    world.record("tunnel", &farewell.data);
    drop((browser, peer));
    texts([id])
}

/// The keys of the vault, as they are in their file.
pub async fn vault_key(world: &mut World) -> Vec<Value> {
    let text = fs::read_to_string(world.path("data/daas.keys")).unwrap();
    let keys = text.lines().filter(|line| !line.starts_with('#'));
    let keys: Vec<String> = keys
        .map(|line| line.split_once(' ').unwrap().1.to_owned())
        .collect();
    assert_eq!(keys.len(), 1, "{}", keys.len());
    let bytes = STANDARD.decode(&keys[0]).unwrap();
    vec![Value::Bytes(bytes)]
}

pub async fn vault_key_after_rotation(world: &mut World) -> Vec<Value> {
    world.look_at_files("before");
    let said = world.command("secrets rotate", "");
    // That of the second factor, and that of the desktop.
    assert!(said.starts_with("2 secrets are sealed"), "{said}");
    vault_key(world).await
}

/// A key and the lines of its file. The bytes that count are those of the number itself.
fn tls_files(world: &World) -> (rcgen::KeyPair, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    fs::write(world.path("tls.crt"), certificate.pem()).unwrap();
    let pem = key.serialize_pem();
    (key, pem)
}

fn write_key(world: &World, name: &str, text: &str) {
    let path = world.path(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn of_key(key: &rcgen::KeyPair, pem: &str) -> Vec<Value> {
    let der = key.serialize_der();
    // An OCTET STRING of 32 bytes: RFC 5915.
    let at = der.windows(2).position(|two| two == [0x04, 0x20]).unwrap();
    let number = der[at + 2..at + 34].to_vec();
    let line = pem.lines().nth(1).unwrap().to_owned();
    vec![Value::Bytes(number), Value::Text(line)]
}

pub async fn tls_key(world: &mut World) -> Vec<Value> {
    let (key, pem) = tls_files(world);
    write_key(world, "tls.key", &pem);
    let settings = [
        ("DAAS_TLS__CERTIFICATE", "tls.crt"),
        ("DAAS_TLS__KEY", "tls.key"),
        NO_GUACD,
    ];
    let said = world.other_server("a server with TLS", &settings, true);
    assert!(said.contains("listening on https://"), "{said}");
    for line in ["config", "check"] {
        world.run(line, "", &settings);
    }
    of_key(&key, &pem)
}

/// Keys that cannot be read: what is said of them must not repeat them.
pub async fn broken_tls_key(world: &mut World) -> Vec<Value> {
    let (key, pem) = tls_files(world);
    let lines: Vec<&str> = pem.lines().collect();
    let one_line = lines.concat();
    let no_end = lines[..lines.len() - 1].join("\n");
    let no_begin = lines[1..].join("\n");
    let not_base64 = pem.replace(lines[1], &format!("!{}", lines[1]));
    for text in [
        one_line,
        no_end,
        no_begin,
        not_base64,
        pem.replace("PRIVATE", "PRIVAT"),
    ] {
        write_key(world, "broken.key", &text);
        for (certificate, key) in [("tls.crt", "broken.key"), ("broken.key", "broken.key")] {
            let settings = [
                ("DAAS_TLS__CERTIFICATE", certificate),
                ("DAAS_TLS__KEY", key),
                NO_GUACD,
            ];
            let said = world.other_server("a server with a broken key", &settings, false);
            assert!(said.contains("broken.key"), "{said}");
            world.run("check", "", &settings);
        }
    }
    of_key(&key, &pem)
}

async fn audit_list(world: &mut World) {
    let (admin, mut path) = (world.admin(), "/api/v1/audit?limit=200".to_owned());
    loop {
        let page = world.get("audit list", &admin, &path).await;
        match page.json()["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/audit?limit=200&cursor={cursor}"),
            None => return,
        }
    }
}

/// Looks at all that shows anything.
pub async fn look_around(world: &mut World) {
    let admin = world.admin();
    for path in [
        "/api/v1/users?limit=200",
        "/api/v1/groups",
        "/api/v1/tokens",
        "/api/v1/apps",
        "/api/v1/instances?all=true",
        "/api/v1/sessions",
        "/api/v1/profile/sessions",
        "/api/v1/profile/quota",
        "/api/v1/sign-on",
        "/readyz",
        "/",
    ] {
        world.get(path, &admin, path).await;
    }
    audit_list(world).await;
    for (label, path) in [
        ("audit as JSON Lines", "/api/v1/audit/export?format=jsonl"),
        ("audit as CSV", "/api/v1/audit/export?format=csv"),
        ("metrics", "/metrics"),
    ] {
        let answer = world.get(label, &admin, path).await;
        assert_eq!(answer.status, 200, "{label}");
    }
    for line in [
        "config",
        "user list",
        "audit verify",
        "audit export",
        "audit export --format csv",
    ] {
        world.command(line, "");
    }
    // Much is missing here, which it tells.
    world.run("check", "", &[NO_GUACD]);
}
