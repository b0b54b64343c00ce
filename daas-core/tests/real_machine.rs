//! A machine of QEMU, as Proxmox VE runs them, looked at as its people do: through a console of
//! the simulator, the bridge, and a real guacd, down to a picture.
//!
//! Where there is no QEMU, Docker engine or guacd the test says `SKIPPED: <reason>` and passes;
//! with `DAAS_REQUIRE_MACHINE=1` it fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[allow(unused_imports, unused_macros, reason = "it is made for more tests")]
mod support;

#[path = "support/guacd.rs"]
mod guacd;
#[path = "proxmox/lab.rs"]
#[allow(dead_code, reason = "it is made for more tests")]
mod lab;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use daas_core::gateway::{Connection, Display, Gateway as _, Guacd, GuacdConfig, Target, Way};
use daas_core::hypervisor::proxmox::Proxmox;
use daas_core::model::{InstanceId, LogIn, Protocol};
use guac_protocol::Limits;
use guac_protocol::handshake::ReceiveBuffer;
use guacd::{DEADLINE, encode, soon};
use support::conformance::launch;
use support::docker::shell;
use support::pve::Screen;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const QEMU: &str = "qemu-system-x86_64";
const LAYER: &str = "0";

/// A machine with an empty disk, which is enough for a picture: its firmware says so.
struct Machine {
    child: Child,
    folder: tempfile::TempDir,
}

impl Machine {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let child = Command::new(QEMU)
            .args(["-machine", "pc,accel=tcg", "-m", "64", "-nic", "none"])
            .args(["-vga", "std", "-display", "none"])
            .arg("-vnc")
            .arg(format!("unix:{},password=on", path("vnc")))
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", path("monitor")))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let machine = Self { child, folder };
        let screen = machine.screen();
        for socket in [&screen.socket, &screen.monitor] {
            wait_for(socket);
        }
        machine
    }

    fn screen(&self) -> Screen {
        Screen {
            socket: self.folder.path().join("vnc"),
            monitor: self.folder.path().join("monitor"),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn wait_for(socket: &Path) {
    let began = Instant::now();
    while !socket.exists() {
        assert!(began.elapsed() < DEADLINE, "QEMU does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// guacd in a network of its own, gone with this.
struct Gateway {
    name: String,
    address: IpAddr,
}

impl Gateway {
    async fn start() -> Self {
        let name = format!("machine-{}", std::process::id());
        let script = ". scripts/lib/guacd.sh; guacd_up \"$1\"";
        let up = shell(script, &[&name]);
        let said = String::from_utf8(up.stdout).unwrap();
        let (address, _) = said.trim().rsplit_once(':').expect("an address");
        let gateway = Self {
            name,
            address: address.parse().unwrap(),
        };
        let began = Instant::now();
        while gateway.pool().check().await.is_err() {
            assert!(began.elapsed() < DEADLINE, "guacd does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        gateway
    }

    fn pool(&self) -> Guacd {
        Guacd::new(GuacdConfig::new(vec![format!("{}:4822", self.address)]))
    }

    async fn connect(&self, proxmox: &Arc<Proxmox>, instance: InstanceId) -> Connection {
        let target = Target {
            protocol: Protocol::Console,
            way: Way::Console {
                hypervisor: proxmox.clone(),
                instance,
            },
            log_in: LogIn::default(),
            read_only: false,
        };
        let display = Display {
            width: 720,
            height: 400,
            dpi: 96,
            images: vec!["image/png".to_owned()],
            audio: Vec::new(),
            timezone: None,
            name: None,
        };
        let connection = soon("connect", self.pool().connect(&target, &display)).await;
        connection.unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(shell(
            ". scripts/lib/guacd.sh; guacd_down \"$1\"",
            &[&self.name],
        ));
    }
}

/// Why there is no picture to be had here.
fn missing() -> Option<String> {
    let qemu = Command::new(QEMU).arg("--version").output();
    if qemu.is_err() {
        return Some(format!("no {QEMU}"));
    }
    let image = shell("docker image inspect daas/guacd", &[]);
    (!image.status.success()).then(|| "no Docker engine with daas/guacd".to_owned())
}

fn is_ready() -> bool {
    let Some(reason) = missing() else {
        return true;
    };
    assert!(
        std::env::var_os("DAAS_REQUIRE_MACHINE").is_none(),
        "{reason}"
    );
    let mut stderr = std::io::stderr();
    writeln!(stderr, "SKIPPED: a real machine: {reason}").unwrap();
    false
}

/// The colours of a picture.
fn colours(picture: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(picture));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert!(info.width > 0 && info.height > 0);
    let pixels = pixels[..info.buffer_size()].chunks(info.color_type.samples());
    pixels.map(<[u8]>::to_vec).collect()
}

/// Reads what guacd sends until a picture of the screen has more than one colour; answers how
/// many it has.
async fn picture(connection: &mut Connection) -> usize {
    let mut received = ReceiveBuffer::new(Limits::GUACD);
    received.extend(&connection.read_ahead);
    let (mut picture, mut stream) = (Vec::new(), None);
    let mut room = vec![0; 65536];
    loop {
        let mut answers = Vec::new();
        while let Some(instruction) = received.poll_instruction().unwrap() {
            let elements: Vec<&str> = instruction.elements().collect();
            match elements[..] {
                ["img", number, _, LAYER, "image/png", ..] => {
                    stream = Some(number.to_owned());
                    picture.clear();
                }
                ["blob", number, data] if stream.as_deref() == Some(number) => {
                    picture.extend(BASE64.decode(data).unwrap());
                }
                ["end", number] if stream.as_deref() == Some(number) => {
                    stream = None;
                    match colours(&picture).len() {
                        // The screen is still dark.
                        0 | 1 => {}
                        many => return many,
                    }
                }
                ["sync", time, ..] => answers.extend(encode(&["sync", time])),
                ["error", text, status] => panic!("guacd: {text} ({status})"),
                _ => {}
            }
        }
        soon("write", connection.writer.write_all(&answers))
            .await
            .unwrap();
        let length = soon("a picture", connection.reader.read(&mut room)).await;
        let length = length.unwrap();
        assert!(length > 0, "guacd hung up");
        received.extend(&room[..length]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_machine_gives_a_picture() {
    if !is_ready() {
        return;
    }
    let machine = Machine::start();
    let gateway = Gateway::start().await;
    let lab = lab::Lab::new(|_| {});
    lab.simulator
        .world(|world| world.screen = Some(machine.screen()));
    let id = launch(&lab).await;
    let proxmox = Arc::new(lab::open(&lab.simulator));
    // Each connection has a password of its own.
    for _ in 0..2 {
        let mut connection = gateway.connect(&proxmox, id).await;
        let colours = soon("a picture", picture(&mut connection)).await;
        println!("a picture with {colours} colours");
    }
    let bad = lab.simulator.world(|world| world.bad_frames.clone());
    assert!(bad.is_empty(), "{bad:?}");
}
