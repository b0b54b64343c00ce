//! The real program beside a cluster of Proxmox VE, which is the simulator of `daas-core`: people
//! see the console of a machine, which is in no network that anybody else could reach.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[allow(dead_code, unreachable_pub, reason = "it is made for more tests")]
#[path = "server/support/client.rs"]
mod client;
#[path = "../../daas-core/tests/support/guacd.rs"]
mod guacd;
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, unreachable_pub, reason = "it is made for more tests")]
#[path = "../../daas-core/tests/support/pve/mod.rs"]
mod pve;
#[path = "support/mod.rs"]
mod sockets;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use client::Client;
use guacd::{Guacd, Handshake, Peer, VNC_1_6};
use program::{Server, program};
use pve::{Simulator, TOKEN_ID, TOKEN_SECRET, Timing};

const DEADLINE: Duration = Duration::from_secs(20);
const PASSWORD: &str = "given horse";

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("it takes too long")
}

/// A server with a cluster and a guacd; machines are `machine`, containers `container`.
struct Lab {
    server: Server,
    guacd: Guacd,
    simulator: Simulator,
    _folder: tempfile::TempDir,
}

fn config(simulator: &Simulator, guacd: &Guacd) -> String {
    let cluster = format!(
        "[docker]\nenabled = false\n\
         [gateway]\nguacd = [\"{}\"]\n\
         [[proxmox]]\nname = \"pve\"\nurls = [\"https://{}\"]\n\
         token_id = \"{TOKEN_ID}\"\ntoken_secret_file = \"token\"\nfingerprints = [\"{}\"]\n\
         vmids = [5000, 5099]\nnetworks = [\"127.64.0.0/10\"]\npool = \"desktops\"\n",
        guacd.address(),
        simulator.address(),
        simulator.fingerprint,
    );
    let apps = [("machine", "desktop"), ("container", "small")].map(|(slug, template)| {
        format!(
            "[[catalogue.apps]]\nslug = \"{slug}\"\nname = \"{slug}\"\nimage = \"{template}\"\n\
             protocol = \"console\"\n"
        )
    });
    cluster + &apps.concat()
}

impl Lab {
    async fn start() -> Self {
        let (simulator, guacd) = (Simulator::start(Timing::short()), Guacd::start().await);
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::write(path("daas.toml"), config(&simulator, &guacd)).unwrap();
        fs::write(path("token"), TOKEN_SECRET).unwrap();
        fs::set_permissions(path("token"), fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = program(folder.path());
        command.args(["serve", "--config", "daas.toml", "--port", "0"]);
        command.env("DAAS_ADMIN_PASSWORD", PASSWORD);
        Self {
            server: Server::start(&mut command),
            guacd,
            simulator,
            _folder: folder,
        }
    }

    async fn log_in(&self) -> Client {
        let mut client = Client::new(self.server.address);
        client.log_in("admin", PASSWORD).await;
        client
    }

    /// Launches an application, and answers what is shown of it once it runs.
    async fn launch(&self, client: &Client, slug: &str) -> Value {
        let apps = client.get("/api/v1/apps").await.json();
        let apps = apps["items"].as_array();
        let app = apps.unwrap().iter().find(|app| app["slug"] == slug);
        let body = json!({"app_id": app.unwrap()["id"]});
        let launched = client.post("/api/v1/instances", &body).await.json();
        let path = format!("/api/v1/instances/{}", launched["id"].as_str().unwrap());
        until(client, &path, "running").await
    }

    /// Opens a desktop, as far as guacd is told where it is.
    async fn open(&self, client: &Client, id: &Value) -> (sockets::Client, Peer, Handshake) {
        let path = format!("/api/v1/instances/{}/tunnel", id.as_str().unwrap());
        let given = client.act(&path).await.json();
        let ticket = given["ticket"].as_str().unwrap();
        let path = format!("/api/v1/tunnel?ticket={ticket}");
        let (origin, cookie) = (client.origin.as_deref(), client.cookie.as_deref());
        let head = sockets::head_of(&path, self.server.address, origin, cookie);
        let (stream, answer) = sockets::request(self.server.address, &head).await;
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        let (peer, said) = within(self.guacd.accept_session(VNC_1_6)).await;
        (sockets::Client { stream }, peer, said)
    }
}

async fn until(client: &Client, path: &str, state: &str) -> Value {
    let began = Instant::now();
    loop {
        let shown = client.get(path).await.json();
        if shown["state"] == state {
            return shown;
        }
        assert!(began.elapsed() < DEADLINE, "not {state}: {shown}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Goes where guacd is told to go, and hears a VNC server there.
async fn is_greeted(said: &Handshake) {
    let value = |name| said.value(name).unwrap();
    assert_eq!(said.select, "vnc");
    assert!(value("password").len() >= 8, "it changes each time");
    let address: SocketAddr = format!("{}:{}", value("hostname"), value("port"))
        .parse()
        .unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut greeting = [0; 12];
    within(stream.read_exact(&mut greeting)).await.unwrap();
    assert_eq!(&greeting, b"RFB 003.008\n");
}

#[tokio::test]
async fn the_console_of_a_machine_is_a_desktop() {
    let lab = Lab::start().await;
    let client = lab.log_in().await;
    let shown = lab.launch(&client, "machine").await;
    assert_eq!(shown["abilities"]["suspend"], true, "{shown}");
    let mut ports = Vec::new();
    for _ in 0..2 {
        let (_socket, _peer, said) = lab.open(&client, &shown["id"]).await;
        is_greeted(&said).await;
        ports.push(said.value("port").map(str::to_owned));
    }
    assert_ne!(ports[0], ports[1], "each way is used once");
}

/// The page answers at once meanwhile, and says that it may be otherwise by now.
#[tokio::test]
async fn a_node_that_is_silent_makes_its_desktops_stale_until_it_is_back() {
    let lab = Lab::start().await;
    let client = lab.log_in().await;
    let shown = lab.launch(&client, "machine").await;
    let path = format!("/api/v1/instances/{}", shown["id"].as_str().unwrap());
    assert_eq!(shown["stale"], false);
    let mut slowest = Duration::ZERO;
    for is_on in [false, true] {
        let guest = |guest: &&pve::Guest| !guest.is_template();
        lab.simulator.world(|world| {
            let node = world.guests.values().find(guest).unwrap().node.clone();
            world.nodes.insert(node, is_on);
        });
        let began = Instant::now();
        loop {
            let asked = Instant::now();
            let shown = client.get(&path).await.json();
            slowest = slowest.max(asked.elapsed());
            assert_eq!(shown["state"], "running");
            if shown["stale"] == !is_on {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{shown}");
            sleep(Duration::from_millis(100)).await;
        }
    }
    println!("the slowest answer took {slowest:?}");
}

#[tokio::test]
async fn containers_are_not_offered_to_be_suspended() {
    let lab = Lab::start().await;
    let client = lab.log_in().await;
    let shown = lab.launch(&client, "container").await;
    let (_socket, _peer, said) = lab.open(&client, &shown["id"]).await;
    is_greeted(&said).await;
    assert_eq!(shown["abilities"]["suspend"], false, "{shown}");
    let path = format!("/api/v1/instances/{}", shown["id"].as_str().unwrap());
    let refused = client.act(&format!("{path}/suspend")).await;
    let why = refused.problem(409);
    assert_eq!(why, "The host of this desktop cannot suspend it.");
    assert_eq!(client.get(&path).await.json()["state"], "running");
}
