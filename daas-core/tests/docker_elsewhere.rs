//! Instances on an engine that is reached by TLS and by SSH, and whose desktops cannot be
//! reached from here. `scripts/lib/hosts.sh` starts one and says where it is; without that
//! the tests say `SKIPPED: <reason>` and pass.
//!
//! ```text
//! scripts/test hosts
//! ```
#![cfg(feature = "docker")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

#[allow(unused_imports, unused_macros, reason = "it is made for more tests")]
mod support;

use std::env;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use daas_core::fleet::{Fleet, HostState};
use daas_core::hypervisor::Hypervisor;
use daas_core::hypervisor::docker::{Config, Docker, Endpoint, Probe, SshFiles, TlsFiles};
use daas_core::model::InstanceId;
use daas_core::{Error, chain};
use support::conformance::{self, Fixture};
use support::docker::docker;

const IMAGE: &str = "daas/editor";
const PORT: u16 = 5901;

/// Where the engine is.
struct Place {
    /// A folder with ca.pem, cert.pem, key.pem, id (of SSH) and known_hosts.
    folder: PathBuf,
    tls: String,
    ssh: String,
    /// The same engine by a socket, for the eyes of the tests.
    socket: String,
}

fn place() -> Option<Place> {
    let Some(folder) = env::var_os("DAAS_ELSEWHERE") else {
        let required = env::var_os("DAAS_REQUIRE_ELSEWHERE").is_some();
        assert!(!required, "there is no engine elsewhere");
        let thread = std::thread::current();
        let test = thread.name().unwrap_or_default().to_owned();
        let reason = "no engine elsewhere; scripts/test hosts has one";
        let mut stderr = std::io::stderr();
        writeln!(stderr, "SKIPPED: {test}: {reason}").unwrap();
        return None;
    };
    Some(Place {
        folder: folder.into(),
        tls: env::var("DAAS_ELSEWHERE_TLS").unwrap(),
        ssh: env::var("DAAS_ELSEWHERE_SSH").unwrap(),
        socket: env::var("DAAS_ELSEWHERE_SOCKET").unwrap(),
    })
}

impl Place {
    fn by_tls(&self) -> Endpoint {
        let mut endpoint: Endpoint = self.tls.parse().unwrap();
        if let Endpoint::Tls { files, .. } = &mut endpoint {
            *files = TlsFiles {
                ca: self.folder.join("ca.pem"),
                certificate: self.folder.join("cert.pem"),
                key: self.folder.join("key.pem"),
            };
        }
        endpoint
    }

    fn by_ssh(&self) -> Endpoint {
        let mut endpoint: Endpoint = self.ssh.parse().unwrap();
        if let Endpoint::Ssh { files, .. } = &mut endpoint {
            *files = SshFiles {
                key: Some(self.folder.join("id")),
                known_hosts: Some(self.folder.join("known_hosts")),
            };
        }
        endpoint
    }
}

/// An installation of its own for each test.
struct Elsewhere {
    docker: Docker,
    name: String,
    socket: String,
}

impl Elsewhere {
    async fn open(place: &Place, endpoint: &Endpoint) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("far-{}-{count}", std::process::id());
        let mut config = Config::new(name.parse().unwrap());
        config.probe = Probe::Engine;
        config.network.range = format!("10.216.{}.0/24", 10 * count).parse().unwrap();
        Self {
            docker: Docker::open(config, endpoint).await.unwrap(),
            name,
            socket: place.socket.clone(),
        }
    }

    async fn clean_up(&self) {
        for observed in self.docker.list().await.unwrap() {
            self.docker.remove(observed.id).await.unwrap();
        }
        self.docker.remove_guard().await.unwrap();
    }
}

#[async_trait]
impl Fixture for Elsewhere {
    fn hypervisor(&self) -> &dyn Hypervisor {
        &self.docker
    }

    fn image(&self) -> (String, u16) {
        (IMAGE.to_owned(), PORT)
    }

    async fn crash(&self, id: InstanceId) {
        let name = format!("{}-{id}", self.name);
        docker(&["-H", &format!("unix://{}", self.socket), "kill", &name]);
    }

    async fn screen(&self, _: InstanceId) -> (u32, u32) {
        unreachable!("screens are tried on an engine here")
    }
}

/// The part of the suite that depends on the way to an engine: calls, streams, and commands.
async fn try_all(place: &Place, endpoint: &Endpoint) {
    let elsewhere = Elsewhere::open(place, endpoint).await;
    let report = elsewhere.docker.report().await.unwrap();
    assert!(report.version.starts_with("Docker "), "{report:?}");
    assert!(report.cpus > 0 && report.memory_mib > 0, "{report:?}");
    conformance::full_life(&elsewhere).await;
    conformance::unknown_instances_are_not_found(&elsewhere).await;
    conformance::commands_give_code_and_output(&elsewhere).await;
    conformance::crashes_are_told(&elsewhere).await;
    conformance::usage_and_log_are_there(&elsewhere).await;
    elsewhere.clean_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_tls() {
    if let Some(place) = place() {
        try_all(&place, &place.by_tls()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_ssh() {
    if let Some(place) = place() {
        try_all(&place, &place.by_ssh()).await;
    }
}

/// Why a host is not reachable, as an operator is told.
async fn fault(endpoint: &Endpoint) -> String {
    let config = Config::new("far".parse().unwrap());
    let engine = Docker::open(config, endpoint).await.unwrap();
    let fleet = Fleet::single("far".parse().unwrap(), std::sync::Arc::new(engine));
    assert_eq!(fleet.refresh().await, [false]);
    let view = fleet.views().swap_remove(0);
    assert_eq!(view.state, HostState::Unreachable);
    view.fault.unwrap()
}

/// A copy of a file with other rights or content.
fn changed(path: &Path, to: &str, mode: u32, content: Option<&[u8]>) -> PathBuf {
    let copy = path.with_extension(to);
    let content = content.map_or_else(|| fs::read(path).unwrap(), <[u8]>::to_vec);
    fs::write(&copy, content).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(mode)).unwrap();
    copy
}

#[tokio::test]
async fn others_certificates_are_not_trusted() {
    let Some(place) = place() else { return };
    let Endpoint::Tls { host, port, files } = place.by_tls() else {
        panic!("it is TLS")
    };
    let with = |files: TlsFiles| {
        let host = host.clone();
        Endpoint::Tls { host, port, files }
    };
    // Somebody else's authority, which is that of nobody here.
    let others = rcgen::generate_simple_self_signed(vec![host.clone()]).unwrap();
    let others_ca = others.cert.pem();
    let ca = changed(&files.ca, "others", 0o644, Some(others_ca.as_bytes()));
    let told = fault(&with(TlsFiles {
        ca,
        ..files.clone()
    }))
    .await;
    assert!(told.contains("certificate"), "{told}");
    // A certificate of ours that nobody knows there.
    let key = others.signing_key.serialize_pem();
    let unknown = TlsFiles {
        certificate: changed(
            &files.certificate,
            "others",
            0o644,
            Some(others_ca.as_bytes()),
        ),
        key: changed(&files.key, "others", 0o600, Some(key.as_bytes())),
        ..files.clone()
    };
    let told = fault(&with(unknown)).await;
    assert!(
        told.contains("refuses us") || told.contains("certificate"),
        "{told}"
    );
    // A key that everybody can read is no key.
    let open = TlsFiles {
        key: changed(&files.key, "open", 0o644, None),
        ..files
    };
    let config = Config::new("far".parse().unwrap());
    let opened = Docker::open(config, &with(open)).await;
    let told = chain(&opened.map(drop).unwrap_err());
    assert!(told.contains("open to every user"), "{told}");
}

#[tokio::test]
async fn hosts_that_are_not_known_are_refused() {
    let Some(place) = place() else { return };
    let Endpoint::Ssh {
        user,
        host,
        port,
        files,
    } = place.by_ssh()
    else {
        panic!("it is SSH")
    };
    let with = |files: SshFiles| Endpoint::Ssh {
        user: user.clone(),
        host: host.clone(),
        port,
        files,
    };
    let known = files.known_hosts.clone().unwrap();
    let nobody = SshFiles {
        known_hosts: Some(changed(&known, "nobody", 0o600, Some(b""))),
        ..files.clone()
    };
    let told = fault(&with(nobody)).await;
    assert!(told.contains("Host key verification failed"), "{told}");
    let key = files.key.clone().unwrap();
    let wrong = SshFiles {
        key: Some(changed(&key, "wrong", 0o600, Some(b"no key\n"))),
        ..files
    };
    let told = fault(&with(wrong)).await;
    assert!(told.contains("Permission denied"), "{told}");
}

#[tokio::test]
async fn where_nobody_listens_it_is_said_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let Some(place) = place() else { return };
    let Endpoint::Tls { files, .. } = place.by_tls() else {
        panic!("it is TLS")
    };
    let host = "127.0.0.1".to_owned();
    let told = fault(&Endpoint::Tls { host, port, files }).await;
    assert!(told.contains("refused"), "{told}");
}

/// What does not name the engine is an error before anything is sent.
#[tokio::test]
async fn files_that_are_not_there_are_named() {
    let files = TlsFiles {
        ca: "/nowhere/ca.pem".into(),
        certificate: "/nowhere/cert.pem".into(),
        key: "/nowhere/key.pem".into(),
    };
    let endpoint = Endpoint::Tls {
        host: "127.0.0.1".to_owned(),
        port: 1,
        files,
    };
    let config = Config::new("far".parse().unwrap());
    let error = Docker::open(config, &endpoint).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::Backend { .. }));
    assert!(chain(&error).contains("/nowhere/ca.pem"), "{error:?}");
}
