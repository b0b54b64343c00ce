//! fakepve: a simulator of Proxmox VE that others made, which runs as a process of its own.
//! `DAAS_FAKEPVE` names its program. Where it is not there the tests say `SKIPPED: <reason>`
//! and pass; with `DAAS_REQUIRE_PROXMOX=1` they fail.
//!
//! What it cannot be asked for, and why, stands in [`Fixture::lacks`] below.

use std::future::Future;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use daas_core::Secret;
use daas_core::hypervisor::Hypervisor;
use daas_core::hypervisor::proxmox::client::{
    Client, Credentials, Fingerprint, Guest, Kind, Power, ResourceKind, Settings, Trust,
};
use daas_core::hypervisor::proxmox::{Config, Proxmox};
use daas_core::model::InstanceId;
use des::Des;
use des::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::conformance::{Ability, Fixture, launch};

/// Where the desktops of all containers are: their templates have an address.
const ADDRESS: &str = "127.77.0.9";

pub(crate) struct Elsewhere {
    process: Child,
    /// The desktop of containers.
    desktop: TcpListener,
    client: Client,
    proxmox: Proxmox,
    kind: Kind,
    _folder: tempfile::TempDir,
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program, unless there is none and none is required.
fn program() -> Option<String> {
    let program = std::env::var("DAAS_FAKEPVE").ok();
    if program.is_none() {
        let is_required = std::env::var_os("DAAS_REQUIRE_PROXMOX").is_some();
        assert!(!is_required, "fakepve is required: DAAS_FAKEPVE names none");
        let mut out = std::io::stderr();
        writeln!(out, "SKIPPED: fakepve: DAAS_FAKEPVE names none").unwrap();
    }
    program
}

/// Templates of both kinds.
fn guests() -> serde_json::Value {
    json!({ "guests": [
        { "vmid": 900, "name": "desktop", "template": true, "config": {
            "name": "desktop", "memory": "2048", "cores": 1, "agent": "1",
            "boot": "order=scsi0;net0", "scsi0": "local-lvm:base-900-disk-0,size=8G",
            "net0": "virtio=BC:24:11:00:00:09,bridge=vmbr0",
        } },
        { "vmid": 910, "type": "lxc", "name": "small", "template": true, "config": {
            "hostname": "small", "memory": 512, "rootfs": "local-lvm:base-910-disk-0,size=4G",
            "net0": format!("name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:0A,ip={ADDRESS}/8"),
        } },
    ] })
}

impl Elsewhere {
    fn start(kind: Kind) -> Option<Self> {
        let program = program()?;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = rcgen::generate_simple_self_signed(["127.0.0.2".to_owned()]).unwrap();
        std::fs::write(path("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(path("guests.json"), guests().to_string()).unwrap();
        let port = TcpListener::bind("127.0.0.2:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut process = Command::new(program)
            .arg(path("guests.json"))
            .args(["--host", "127.0.0.2", "--port", &port.to_string()])
            .args([
                "--time-scale",
                "0.02",
                "--user",
                "root@pam",
                "--password",
                "p&ss",
            ])
            .arg("--cert")
            .arg(path("cert.pem"))
            .arg("--key")
            .arg(path("key.pem"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert!(line.contains("listening"), "{line}");
        let bytes = Sha256::digest(made.cert.der());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let cluster = settings(port, hex.parse().unwrap());
        Some(Self {
            process,
            desktop: TcpListener::bind((ADDRESS, 0)).unwrap(),
            client: Client::new(cluster.clone()).unwrap(),
            proxmox: Proxmox::new(config(cluster)).unwrap(),
            kind,
            _folder: folder,
        })
    }

    async fn guest(&self, id: InstanceId) -> Guest {
        let all = self.client.resources(ResourceKind::Guests).await.unwrap();
        let tag = format!("daas-{id}");
        let found = all.iter().find(|guest| guest.tags.contains(&tag)).unwrap();
        Guest {
            kind: self.kind,
            node: found.node.clone(),
            vmid: u32::try_from(found.vmid).unwrap(),
        }
    }
}

fn settings(port: u16, pin: Fingerprint) -> Settings {
    let credentials = Credentials::Password {
        user: "root@pam".to_owned(),
        password: Secret::new("p&ss".to_owned()),
    };
    let endpoints = vec![format!("127.0.0.2:{port}").parse().unwrap()];
    let mut cluster = Settings::new(endpoints, credentials, Trust::Fingerprints(vec![pin]));
    cluster.poll_first = Duration::from_millis(20);
    cluster.poll_last = Duration::from_millis(100);
    cluster
}

fn config(cluster: Settings) -> Config {
    let networks = vec!["127.77.0.0/16".parse().unwrap()];
    let mut config = Config::new(cluster, "lab".parse().unwrap(), 5000..=5099, networks);
    config.cloud_init_user = Some("desktop".to_owned());
    config.watch_every = Duration::from_millis(200);
    config
}

#[async_trait]
impl Fixture for Elsewhere {
    fn hypervisor(&self) -> &dyn Hypervisor {
        &self.proxmox
    }

    fn image(&self) -> (String, u16) {
        let image = match self.kind {
            Kind::Qemu => "desktop",
            Kind::Lxc => "small",
        };
        (image.to_owned(), self.desktop.local_addr().unwrap().port())
    }

    fn lacks(&self, ability: Ability) -> Option<&'static str> {
        match (ability, self.kind) {
            (Ability::Commands, _) => Some("Proxmox VE runs no commands for us"),
            (Ability::Screen, _) => Some("Proxmox VE does not know the screen"),
            (Ability::Suspend, Kind::Lxc) => Some("containers are not frozen"),
            // The agent of a clone answers only after its Python object was told to.
            (Ability::Endpoint, Kind::Qemu) => Some("clones on fakepve have no agent"),
            _ => None,
        }
    }

    /// Somebody else ends it.
    async fn crash(&self, id: InstanceId) {
        let guest = self.guest(id).await;
        let upid = self.client.power(&guest, Power::Stop).await.unwrap();
        self.client
            .wait(&upid, Duration::from_secs(10))
            .await
            .unwrap();
    }

    async fn screen(&self, _id: InstanceId) -> (u32, u32) {
        unreachable!("it has none")
    }
}

type Test = Pin<Box<dyn Future<Output = ()> + Send>>;

fn run(kind: Kind, test: impl FnOnce(Arc<Elsewhere>) -> Test) {
    let Some(elsewhere) = Elsewhere::start(kind) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test(Arc::new(elsewhere)));
}

pub(crate) fn run_machines(test: impl FnOnce(Arc<Elsewhere>) -> Test) {
    run(Kind::Qemu, test);
}

pub(crate) fn run_containers(test: impl FnOnce(Arc<Elsewhere>) -> Test) {
    run(Kind::Lxc, test);
}

/// Its VNC server asks for the password, and says what the guest is called.
#[test]
fn the_screen_of_a_machine_is_there() {
    run(Kind::Qemu, |elsewhere| {
        Box::pin(async move { see(&elsewhere).await })
    });
}

async fn see(elsewhere: &Elsewhere) {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let id = launch(elsewhere).await;
    for is_right in [true, false, true] {
        let bridge = elsewhere.proxmox.bridge(id, here, here).await.unwrap();
        let mut stream = TcpStream::connect(bridge.address).await.unwrap();
        let password = match is_right {
            true => bridge.password.expose().clone(),
            false => "wrong".to_owned(),
        };
        let name = log_in(&mut stream, &password).await;
        let expected = is_right.then(|| format!("lab-{id}"));
        assert_eq!(name, expected);
    }
}

/// Logs in to a VNC server (RFC 6143, 7.1 to 7.3), and answers the name of its desktop.
async fn log_in(stream: &mut TcpStream, password: &str) -> Option<String> {
    let mut version = [0; 12];
    stream.read_exact(&mut version).await.unwrap();
    stream.write_all(&version).await.unwrap();
    assert_eq!(stream.read_u16().await.unwrap(), 0x0102);
    stream.write_u8(2).await.unwrap();
    let mut challenge = [0; 16];
    stream.read_exact(&mut challenge).await.unwrap();
    // The bits of each byte of the key are in reverse.
    let mut key = [0; 8];
    for (to, from) in key.iter_mut().zip(password.bytes()) {
        *to = from.reverse_bits();
    }
    for block in challenge.chunks_exact_mut(8) {
        let mut bytes: [u8; 8] = (&*block).try_into().unwrap();
        Des::new(&key.into()).encrypt_block((&mut bytes).into());
        block.copy_from_slice(&bytes);
    }
    stream.write_all(&challenge).await.unwrap();
    if stream.read_u32().await.unwrap() != 0 {
        return None;
    }
    stream.write_u8(1).await.unwrap();
    let mut server = [0; 24];
    stream.read_exact(&mut server).await.unwrap();
    let length = u32::from_be_bytes(server[20..].try_into().unwrap());
    let mut name = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut name).await.unwrap();
    Some(String::from_utf8(name).unwrap())
}
