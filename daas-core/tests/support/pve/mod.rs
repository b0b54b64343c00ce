//! A simulator of Proxmox VE: what its interface does, errors and delays included, for a
//! cluster that is in memory. It follows the sources and what was observed of the real
//! HTTP layer, not the documentation.

mod api;
mod desktops;
mod faults;
mod guests;
mod http;
mod power;
mod screen;
mod tasks;
mod websocket;
mod world;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use sha2::{Digest as _, Sha256};

#[allow(unused_imports, reason = "not every test uses all of it")]
pub use faults::{Action, Rule};
#[allow(unused_imports, reason = "not every test uses all of it")]
pub use screen::Screen;
#[allow(unused_imports, reason = "not every test uses all of it")]
pub use world::{Guest, GuestKind, PowerIs, SnapshotOf, Timing, World};

/// What calls may be made with.
pub const TOKEN_ID: &str = "daas@pve!main";
pub const TOKEN_SECRET: &str = "2f0c2f5e-3c1a-4d0e-9f2b-0d5b7a1c9e11";
pub const USER: &str = "daas@pve";
pub const PASSWORD: &str = "pass wörd&=+";

pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) is_over: AtomicBool,
}

impl Shared {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cluster that runs as long as this is held.
pub struct Simulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// SHA-256 of its certificate, with colons.
    pub fingerprint: String,
    /// Its certificate in PEM.
    pub certificate: String,
    _folder: tempfile::TempDir,
    /// A file with the certificate.
    pub ca_file: PathBuf,
}

impl Simulator {
    /// A cluster with two nodes, some storages and templates; see [`World::with_templates`].
    pub fn start(timing: Timing) -> Self {
        Self::start_on("127.0.0.1:0", World::with_templates(timing))
    }

    /// A cluster at an address of this machine.
    pub fn start_on(listen: &str, world: World) -> Self {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let der = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der.clone()], key)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("pve-root-ca.pem");
        std::fs::write(&ca_file, made.cert.pem()).unwrap();
        let shared = Arc::new(Shared {
            world: Mutex::new(world),
            is_over: AtomicBool::new(false),
        });
        let bytes = Sha256::digest(&der);
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        Self {
            address: listen_on(listen, &shared, Arc::new(tls)),
            shared,
            fingerprint: bytes.join(":"),
            certificate: made.cert.pem(),
            _folder: folder,
            ca_file,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Looks at the cluster, or changes something in it behind everybody's back.
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.shared.world();
        world.tick();
        let seen = look(&mut world);
        world.tick();
        seen
    }

    /// Adds something that goes wrong.
    pub fn rule(&self, rule: Rule) {
        self.world(|world| world.faults.rules.push(rule));
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.shared.world().desktops.close();
        let _ = TcpStream::connect(self.address);
    }
}

fn listen_on(listen: &str, shared: &Arc<Shared>, tls: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind(listen).unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            if shared.is_over.load(Ordering::SeqCst) {
                return;
            }
            let (shared, tls) = (Arc::clone(&shared), Arc::clone(&tls));
            // Who is spoken to may hang up in the middle.
            thread::spawn(move || drop(http::serve(stream, tls, &shared)));
        }
    });
    address
}
