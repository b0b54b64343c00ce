//! Instances on a real Docker engine. Where none can be had the tests say
//! `SKIPPED: <reason>` and pass; with `DAAS_REQUIRE_DOCKER=1` they fail.
#![cfg(feature = "docker")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic"
)]

mod support;

use std::collections::HashSet;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use daas_core::Error;
use daas_core::hypervisor::docker::{Config, Docker, Home};
use daas_core::hypervisor::{Hypervisor, HypervisorEvent, Observed, PowerState, Spec};
use daas_core::model::InstanceId;
use serde_json::Value;
use support::conformance::{Fixture, conformance, launch, spec, wait_for};
use support::docker::{docker, shell};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

const IMAGE: &str = "daas/editor";
const PORT: u16 = 5901;

/// Tests that run at a time: desktops need processors to start in time.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Whether there are an engine and the images.
fn is_ready() -> bool {
    support::docker::is_ready(&["editor", "desktop", "guard"])
}

/// An installation of its own for each test.
struct Engine {
    docker: Docker,
    config: Config,
}

impl Engine {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{count}", std::process::id());
        let mut config = Config::new(name.parse().unwrap());
        change(&mut config);
        Self {
            docker: Docker::new(config.clone()),
            config,
        }
    }

    fn name(&self, id: InstanceId) -> String {
        format!("{}-{id}", self.config.installation)
    }

    /// Everything on the engine with the label of the installation.
    fn all(&self) -> Vec<String> {
        let label = format!("label=daas.installation={}", self.config.installation);
        let kinds: [&[&str]; 3] = [
            &["ps", "-aq"],
            &["network", "ls", "-q"],
            &["volume", "ls", "-q"],
        ];
        let lists = kinds.map(|kind| docker(&[kind, &["--filter", &label]].concat()));
        lists
            .iter()
            .flat_map(|list| list.lines())
            .map(str::to_owned)
            .collect()
    }

    async fn clean_up(&self) {
        for observed in self.docker.list().await.unwrap() {
            self.docker.remove(observed.id).await.unwrap();
        }
        self.docker.remove_guard().await.unwrap();
    }
}

#[async_trait]
impl Fixture for Engine {
    fn hypervisor(&self) -> &dyn Hypervisor {
        &self.docker
    }

    fn image(&self) -> (String, u16) {
        (IMAGE.to_owned(), PORT)
    }

    async fn crash(&self, id: InstanceId) {
        docker(&["kill", &self.name(id)]);
    }

    async fn screen(&self, id: InstanceId) -> (u32, u32) {
        let output = self
            .docker
            .exec(id, &["xrandr", "--current"])
            .await
            .unwrap();
        let text = String::from_utf8(output.output).unwrap();
        // "Screen 0: minimum 32 x 32, current 1024 x 768, maximum …"
        let (_, rest) = text.split_once("current ").unwrap();
        let (size, _) = rest.split_once(',').unwrap();
        let (width, height) = size.split_once(" x ").unwrap();
        (width.parse().unwrap(), height.parse().unwrap())
    }
}

type Test = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs a test on an installation of its own, which is gone afterwards, passed or failed.
fn run(test: impl FnOnce(Arc<Engine>) -> Test) {
    run_with(|_| {}, test);
}

fn run_with(change: impl FnOnce(&mut Config), test: impl FnOnce(Arc<Engine>) -> Test) {
    if !is_ready() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let _turn = TURNS.acquire().await.unwrap();
        let engine = Arc::new(Engine::new(change));
        let result = tokio::spawn(test(engine.clone())).await;
        engine.clean_up().await;
        let left = engine.all();
        if let Err(error) = result {
            std::panic::resume_unwind(error.into_panic());
        }
        assert!(left.is_empty(), "left behind: {left:?}");
    });
}

conformance!(run);

#[test]
fn a_whole_desktop_comes_up() {
    run(|engine| {
        Box::pin(async move {
            let id = InstanceId::random();
            let spec = Spec {
                image: "daas/desktop".to_owned(),
                ..spec(&*engine, id)
            };
            engine.docker.create(&spec).await.unwrap();
            let began = Instant::now();
            engine.docker.start(id).await.unwrap();
            wait_for(&engine.docker, id, PowerState::Running)
                .await
                .unwrap();
            let answered = began.elapsed();
            let healthy = || async { engine.docker.exec(id, &["daas-health"]).await.unwrap().code };
            while healthy().await != 0 {
                assert!(
                    began.elapsed() < Duration::from_secs(60),
                    "no window manager"
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            println!(
                "answered after {answered:?}, complete after {:?}",
                began.elapsed()
            );
        })
    });
}

fn inspected(name: &str) -> Value {
    let text = docker(&["inspect", name]);
    let Value::Array(mut all) = serde_json::from_str(&text).unwrap() else {
        panic!("not a list: {text}");
    };
    all.remove(0)
}

/// Fields of `HostConfig` and what they have to be; empty lists and objects count as null.
const RIGHTS: [(&str, &str); 19] = [
    ("Privileged", "false"),
    ("ReadonlyRootfs", "true"),
    ("CapDrop", r#"["ALL"]"#),
    ("CapAdd", "null"),
    ("SecurityOpt", r#"["no-new-privileges:true"]"#),
    ("PidsLimit", "512"),
    ("Memory", "1073741824"),
    ("MemorySwap", "1073741824"),
    ("Init", "true"),
    ("IpcMode", r#""private""#),
    ("PidMode", r#""""#),
    ("UTSMode", r#""""#),
    ("UsernsMode", r#""""#),
    ("Binds", "null"),
    ("Devices", "null"),
    ("DeviceRequests", "null"),
    ("PortBindings", "null"),
    ("PublishAllPorts", "false"),
    ("VolumesFrom", "null"),
];

fn check_settings(container: &Value, name: &str) {
    let host = &container["HostConfig"];
    for (field, expected) in RIGHTS {
        let expected: Value = serde_json::from_str(expected).unwrap();
        let found = match &host[field] {
            Value::Array(list) if list.is_empty() => &Value::Null,
            Value::Object(object) if object.is_empty() => &Value::Null,
            found => found,
        };
        assert_eq!(found, &expected, "{field}");
    }
    assert!((1..=2_000_000_000).contains(&host["NanoCpus"].as_u64().unwrap()));
    assert_eq!(host["NetworkMode"], name);
    assert_eq!(host["LogConfig"]["Config"]["max-size"], "1m");
    let limits = host["Ulimits"].as_array().unwrap();
    let files = limits
        .iter()
        .find(|limit| limit["Name"] == "nofile")
        .unwrap();
    assert_eq!(files["Hard"], 4096);
    for memory in ["/tmp", "/run"] {
        let options = host["Tmpfs"][memory].as_str().unwrap();
        assert!(
            options.contains("size=") && options.contains("nosuid"),
            "{options}"
        );
    }
    for mount in container["Mounts"].as_array().unwrap() {
        assert_eq!(mount["Type"], "volume", "{mount}");
    }
}

/// What the kernel says of the first process, by the name of the field.
fn check_process(status: &str) {
    let field = |name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap().split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(field("Uid:"), "1000");
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Seccomp:"), "2");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
}

#[test]
fn containers_have_no_rights() {
    run(|engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            let name = engine.name(id);
            check_settings(&inspected(&name), &name);
            let read = engine.docker.exec(id, &["cat", "/proc/1/status"]).await;
            check_process(&String::from_utf8(read.unwrap().output).unwrap());
            let write = engine.docker.exec(id, &["touch", "/usr/x"]).await;
            assert_ne!(write.unwrap().code, 0);
        })
    });
}

#[test]
fn the_password_is_nowhere_to_be_seen() {
    run(|engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            let spec = spec(&*engine, id);
            let password = spec.password.expose().as_str();
            let name = engine.name(id);
            let sh = |script: &str| docker(&["exec", &name, "sh", "-c", script]);
            for (place, text) in [
                ("inspect", docker(&["inspect", &name])),
                ("image", docker(&["inspect", IMAGE])),
                ("processes", docker(&["top", &name, "axo", "pid,args"])),
                (
                    "environment",
                    sh("cat /proc/[0-9]*/environ | tr '\\0' '\\n'"),
                ),
                ("arguments", sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")),
                (
                    "log",
                    String::from_utf8_lossy(&engine.docker.log(id).await.unwrap()).into(),
                ),
                ("debug", format!("{spec:?} {:?}", engine.docker)),
            ] {
                assert!(text.len() > 10, "{place}: {text}");
                assert!(!text.contains(password), "{place}");
            }
            // And yet it is the one that the desktop asks for.
            let same = "printf %s \"$1\" | tigervncpasswd -f | cmp - /run/user/passwd";
            docker(&["exec", &name, "sh", "-c", same, "sh", password]);
            let other = engine
                .docker
                .exec(id, &["sh", "-c", same, "sh", "another"])
                .await;
            assert_ne!(other.unwrap().code, 0);
        })
    });
}

/// Whether something can be connected to from inside a container.
fn connects(from: &str, address: &str, port: u16) -> bool {
    let script = format!("exec 3<> /dev/tcp/{address}/{port}");
    let arguments = ["exec", from, "timeout", "2", "bash", "-c", &script];
    let output = Command::new("docker").args(arguments).output().unwrap();
    output.status.success()
}

/// Addresses of the host, but loopback.
fn host_addresses() -> Vec<String> {
    let output = shell("hostname -I", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let addresses = text
        .split_whitespace()
        .filter(|address| !address.contains(':'));
    addresses.map(str::to_owned).collect()
}

#[test]
fn desktops_reach_neither_each_other_nor_the_host() {
    let gateway = format!("test-gateway-{}", std::process::id());
    let name = gateway.clone();
    run_with(
        move |config| config.network.gateways.push(gateway),
        |engine| {
            Box::pin(async move {
                let serve = "while :; do perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 4822, Listen => 9, ReuseAddr => 1); while ($c = $s->accept) { close $c }'; done";
                docker(&[
                    "run",
                    "-d",
                    "--init",
                    "--name",
                    &name,
                    "--entrypoint",
                    "sh",
                    IMAGE,
                    "-c",
                    serve,
                ]);
                let tested = tokio::spawn(isolation(engine.clone(), name.clone())).await;
                docker(&["rm", "-fv", &name]);
                tested.unwrap();
            })
        },
    );
}

async fn isolation(engine: Arc<Engine>, gateway: String) {
    let (a, b) = (launch(&*engine).await, launch(&*engine).await);
    let (name_a, name_b) = (engine.name(a), engine.name(b));
    let address = |container: &str, network: &str| {
        let container = inspected(container);
        let address = &container["NetworkSettings"]["Networks"][network]["IPAddress"];
        address.as_str().unwrap().to_owned()
    };
    let service = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let (address_a, address_b) = (address(&name_a, &name_a), address(&name_b, &name_b));

    // What has to work: the host and the gateway reach desktops, and a desktop itself.
    for desktop in [&address_a, &address_b] {
        assert!(connects(&gateway, desktop, PORT), "gateway to {desktop}");
    }
    assert!(connects(&name_a, &address_a, PORT));
    let own = address(&gateway, "bridge");
    assert!(connects(&gateway, &own, 4822), "the gateway does not serve");
    assert!(
        host_addresses()
            .iter()
            .any(|host| connects(&gateway, host, port))
    );

    // And what must not.
    let mut forbidden = vec![
        (address_b.clone(), PORT),
        (address(&gateway, &name_a), 4822),
        (address(&gateway, &name_b), 4822),
        (own, 4822),
        ("169.254.169.254".to_owned(), 80),
        ("192.168.0.1".to_owned(), 80),
        ("100.64.0.1".to_owned(), 80),
    ];
    forbidden.extend(host_addresses().into_iter().map(|host| (host, port)));
    assert!(forbidden.len() > 9, "{forbidden:?}");
    for (address, port) in forbidden {
        assert!(
            !connects(&name_a, &address, port),
            "desktop to {address}:{port}"
        );
    }
    // A gateway made anew is put into all networks as soon as it starts.
    let (sender, mut events) = mpsc::channel(16);
    let watching = engine.clone();
    let watching = tokio::spawn(async move { watching.docker.watch(sender).await });
    assert_eq!(events.recv().await, Some(HypervisorEvent::Reconnected));
    docker(&["rm", "-fv", &gateway]);
    docker(&[
        "run",
        "-d",
        "--init",
        "--name",
        &gateway,
        "--entrypoint",
        "sleep",
        IMAGE,
        "600",
    ]);
    let began = Instant::now();
    while !connects(&gateway, &address_b, PORT) {
        assert!(began.elapsed() < Duration::from_secs(20), "not connected");
    }
    watching.abort();
}

#[test]
fn without_its_guard_nothing_is_made() {
    let unguarded = |config: &mut Config| config.network.guard = Some("no-such-guard".to_owned());
    run_with(unguarded, |engine| {
        Box::pin(async move {
            let spec = spec(&*engine, InstanceId::random());
            for refused in [
                engine.docker.check().await.map(|_| ()),
                engine.docker.create(&spec).await,
                engine.docker.start(spec.id).await,
            ] {
                assert!(
                    matches!(refused, Err(Error::Unavailable { .. })),
                    "{refused:?}"
                );
            }
            assert_eq!(engine.all(), [""; 0]);
        })
    });
}

#[test]
fn the_guard_puts_its_rules_back() {
    run(|engine| {
        Box::pin(async move {
            engine.docker.check().await.unwrap();
            let guard = format!("{}-guard", engine.config.installation);
            let table = format!("daas_{}", engine.config.installation).replace('-', "_");
            let nft = |arguments: &[&str]| {
                let command = ["exec", &guard, "nft"];
                let output = Command::new("docker")
                    .args(command)
                    .args(arguments)
                    .output();
                output.unwrap().status.success()
            };
            for family in ["inet", "bridge"] {
                assert!(nft(&["list", "table", family, &table]));
            }
            assert!(nft(&["delete", "table", "bridge", &table]));
            let began = Instant::now();
            while !nft(&["list", "table", "bridge", &table]) {
                assert!(began.elapsed() < Duration::from_secs(20), "not put back");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        })
    });
}

#[test]
fn without_internet_there_is_none() {
    let without = |config: &mut Config| config.network.internet = false;
    run_with(without, |engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            let networks = docker(&["network", "inspect", &engine.name(id)]);
            assert!(networks.contains("\"Internal\": true"), "{networks}");
            if let Some(outside) = outside() {
                assert!(!connects(&engine.name(id), &outside, 80));
            }
        })
    });
}

#[test]
fn with_internet_there_is_what_the_host_has() {
    run(|engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            let Some(outside) = outside() else { return };
            let script = "timeout 5 bash -c \"exec 3<> /dev/tcp/$1/80\"";
            let from_host = shell(script, &[&outside]).status.success();
            let from_desktop = connects(&engine.name(id), &outside, 80);
            assert_eq!(from_desktop, from_host);
        })
    });
}

/// Name of a host outside that this one can reach, if any: where its packages come from.
fn outside() -> Option<String> {
    let script = "cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null \
        | sed -n 's|^[^#]*http://\\([^/ ]*\\).*|\\1|p' | head -n 1";
    let name = String::from_utf8(shell(script, &[]).stdout).unwrap();
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[test]
fn nothing_of_others_is_touched() {
    run(|engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            let before: HashSet<_> = engine.all().into_iter().collect();
            // Another installation that even has the same names.
            let other = Engine::new(|_| {});
            let name = other.name(id);
            docker(&[
                "create",
                "--name",
                &name,
                "--label",
                "daas.installation=nobody",
                "--label",
                &format!("daas.instance={id}"),
                IMAGE,
            ]);
            assert!(matches!(
                other.docker.inspect(id).await,
                Err(Error::NotFound { .. })
            ));
            assert!(other.docker.create(&spec(&other, id)).await.is_err());
            // The network that it made before it found the name taken, and nothing of the other.
            let left = other.docker.list().await.unwrap();
            let own = |seen: &Observed| seen.power == PowerState::Absent && seen.id == id;
            assert!(left.len() == 1 && own(&left[0]), "{left:?}");
            other.docker.remove(id).await.unwrap();
            assert_eq!(other.docker.list().await.unwrap(), []);
            other.clean_up().await;
            docker(&["rm", "-v", &name]);
            let after: HashSet<_> = engine.all().into_iter().collect();
            assert_eq!(before, after);
            assert_eq!(
                engine.docker.inspect(id).await.unwrap().power,
                PowerState::Running
            );
        })
    });
}

#[test]
fn a_network_that_was_pruned_is_made_anew() {
    run(|engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            engine
                .docker
                .stop(id, Duration::from_secs(5))
                .await
                .unwrap();
            docker(&["network", "rm", &engine.name(id)]);
            engine.docker.start(id).await.unwrap();
            let endpoint = wait_for(&engine.docker, id, PowerState::Running).await;
            assert!(endpoint.is_some());
        })
    });
}

/// As after `docker container prune`.
#[test]
fn a_container_that_was_pruned_is_made_anew_with_its_home() {
    run(|engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            let file = ["touch", "/home/user/file"];
            assert_eq!(engine.docker.exec(id, &file).await.unwrap().code, 0);
            docker(&["rm", "-f", "-v", &engine.name(id)]);
            engine.docker.create(&spec(&*engine, id)).await.unwrap();
            engine.docker.start(id).await.unwrap();
            wait_for(&engine.docker, id, PowerState::Running).await;
            let file = ["ls", "/home/user/file"];
            assert_eq!(engine.docker.exec(id, &file).await.unwrap().code, 0);
            let own = format!("label=daas.instance={id}");
            let volumes = docker(&["volume", "ls", "-q", "--filter", &own]);
            assert_eq!(volumes.lines().count(), 2, "{volumes}");
        })
    });
}

/// An engine that was killed at a start may leave one like that.
#[test]
fn a_desktop_that_runs_without_its_network_is_started_again() {
    run(|engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            let name = engine.name(id);
            docker(&["network", "disconnect", "-f", &name, &name]);
            let inspected = engine.docker.inspect(id).await.unwrap();
            assert_eq!(inspected.endpoint, None);
            engine.docker.start(id).await.unwrap();
            let endpoint = wait_for(&engine.docker, id, PowerState::Running).await;
            assert!(endpoint.is_some());
        })
    });
}

#[test]
fn what_is_left_of_an_instance_is_removed() {
    run(|engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            // By hand, without its volumes.
            docker(&["rm", "-f", &engine.name(id)]);
            assert!(matches!(
                engine.docker.start(id).await,
                Err(Error::NotFound { .. })
            ));
            engine.docker.remove(id).await.unwrap();
            // Its guard is all that there is.
            assert_eq!(engine.all().len(), 1);
        })
    });
}

/// An engine that was killed while it made a volume has lost its labels.
#[test]
fn volumes_without_labels_are_used_and_removed() {
    run(|engine| {
        Box::pin(async move {
            let id = InstanceId::random();
            let own = || {
                let name = format!("name={}", engine.name(id));
                docker(&["volume", "ls", "-q", "--filter", &name])
            };
            for what in ["home", "secrets"] {
                let name = format!("{}-{what}", engine.name(id));
                docker(&["volume", "create", &name]);
            }
            engine.docker.create(&spec(&*engine, id)).await.unwrap();
            assert_eq!(own().lines().count(), 2);
            engine.docker.remove(id).await.unwrap();
            assert_eq!(own(), "");
        })
    });
}

#[test]
fn a_home_in_memory_is_not_kept() {
    let memory = |config: &mut Config| config.home = Home::Memory { mib: 64 };
    run_with(memory, |engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            let fill = ["sh", "-c", "head -c 100M /dev/zero > file"];
            assert_ne!(engine.docker.exec(id, &fill).await.unwrap().code, 0);
            engine
                .docker
                .stop(id, Duration::from_secs(5))
                .await
                .unwrap();
            engine.docker.start(id).await.unwrap();
            wait_for(&engine.docker, id, PowerState::Running).await;
            assert_ne!(
                engine.docker.exec(id, &["ls", "file"]).await.unwrap().code,
                0
            );
        })
    });
}

#[test]
fn a_desktop_that_hangs_is_unhealthy() {
    let hasty = |config: &mut Config| config.start_grace = Duration::from_secs(1);
    run_with(hasty, |engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            docker(&[
                "exec",
                &engine.name(id),
                "sh",
                "-c",
                "for p in /proc/[0-9]*; do case $(cat $p/comm) in Xtigervnc) kill -STOP ${p#/proc/};; esac; done",
            ]);
            wait_for(&engine.docker, id, PowerState::Unhealthy).await;
            let listed = engine.docker.list().await.unwrap();
            assert_eq!(listed[0].power, PowerState::Unhealthy);
            let stopping = Instant::now();
            engine
                .docker
                .stop(id, Duration::from_secs(1))
                .await
                .unwrap();
            assert!(stopping.elapsed() < Duration::from_secs(10));
        })
    });
}

#[test]
fn an_application_that_ends_is_started_again() {
    run(|engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            let pid = "for p in /proc/[0-9]*; do [ \"$(cat $p/comm)\" != mousepad ] || echo ${p#/proc/}; done";
            let began = Instant::now();
            let mut first = None;
            loop {
                let output = engine
                    .docker
                    .exec(id, &["sh", "-c", pid])
                    .await
                    .unwrap()
                    .output;
                let found = String::from_utf8(output).unwrap().trim().to_owned();
                match &first {
                    None if !found.is_empty() => {
                        engine.docker.exec(id, &["kill", &found]).await.unwrap();
                        first = Some(found);
                    }
                    Some(first) if !found.is_empty() && found != *first => break,
                    _ => {}
                }
                assert!(began.elapsed() < Duration::from_secs(60));
            }
        })
    });
}

/// A server that was killed may have asked for what the next one asks for.
#[test]
fn two_that_know_nothing_of_each_other_make_one() {
    run(|engine| {
        Box::pin(async move {
            let other = Docker::new(engine.config.clone());
            engine.docker.check().await.unwrap();
            for _ in 0..5 {
                let id = InstanceId::random();
                let spec = spec(&*engine, id);
                // The one is gone before anybody hears what came of it.
                let (_, created) = tokio::join!(other.create(&spec), engine.docker.create(&spec));
                created.unwrap();
                if engine.docker.start(id).await.is_err() {
                    engine.docker.create(&spec).await.unwrap();
                    engine.docker.start(id).await.unwrap();
                }
                engine.docker.remove(id).await.unwrap();
            }
        })
    });
}

/// The engine lets two networks have one name, where they were asked for at the same time.
#[test]
fn a_second_network_of_the_same_name_is_got_over() {
    run(|engine| {
        Box::pin(async move {
            let id = InstanceId::random();
            let (name, spec) = (engine.name(id), spec(&*engine, id));
            engine.docker.create(&spec).await.unwrap();
            let labels = format!(
                "{{\"daas.installation\": \"{}\", \"daas.instance\": \"{id}\"}}",
                engine.config.installation
            );
            let body = format!(
                "{{\"Name\": \"{name}\", \"Labels\": {labels}, \"IPAM\": {{\"Config\": \
                 [{{\"Subnet\": \"10.213.255.0/28\"}}]}}}}"
            );
            // Newer engines refuse, which is as well.
            let script = "curl -s --unix-socket /var/run/docker.sock -d \"$1\" \
                          -H 'content-type: application/json' http://docker/networks/create";
            shell(script, &[&body]);
            if engine.docker.start(id).await.is_err() {
                engine.docker.create(&spec).await.unwrap();
                engine.docker.start(id).await.unwrap();
            }
            let network = format!("name={name}");
            let networks = docker(&["network", "ls", "-q", "--filter", &network]);
            assert_eq!(networks.lines().count(), 1, "{networks}");
        })
    });
}

/// What a server asked for that was killed, and the engine made later than anybody looked.
#[test]
fn what_is_left_without_a_container_is_listed_and_removed() {
    run(|engine| {
        Box::pin(async move {
            let id = InstanceId::random();
            let labels = [
                format!("daas.installation={}", engine.config.installation),
                format!("daas.instance={id}"),
            ];
            for kind in ["network", "volume"] {
                let name = engine.name(id);
                docker(&[
                    kind, "create", "--label", &labels[0], "--label", &labels[1], &name,
                ]);
                let listed = engine.docker.list().await.unwrap();
                assert_eq!(listed.len(), 1, "{listed:?}");
                assert_eq!((listed[0].id, listed[0].power), (id, PowerState::Absent));
                let inspected = engine.docker.inspect(id).await;
                assert!(matches!(inspected, Err(Error::NotFound { .. })));
                engine.docker.remove(id).await.unwrap();
                assert_eq!(engine.docker.list().await.unwrap(), []);
            }
        })
    });
}

/// A socket in front of the engine's, whose connections can be cut.
struct Proxy {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Proxy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            path: folder.path().join("docker.sock"),
            _folder: folder,
        }
    }

    /// Passes connections on until dropped.
    fn serve(&self) -> JoinSet<()> {
        let _ = std::fs::remove_file(&self.path);
        let listener = UnixListener::bind(&self.path).unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut engine = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut engine).await;
                });
            }
        });
        tasks
    }
}

#[test]
fn events_go_on_after_the_connection_was_lost() {
    let proxy = Proxy::new();
    let path = proxy.path.clone();
    run(|engine| {
        Box::pin(async move {
            let id = launch(&*engine).await;
            let config = Config {
                socket: path,
                ..engine.config.clone()
            };
            let docker = Docker::new(config);
            let (sender, mut events) = mpsc::channel(16);
            let mut next = async || {
                let event = tokio::time::timeout(Duration::from_secs(20), events.recv());
                event.await.unwrap().unwrap()
            };
            let lost = docker.inspect(id).await;
            assert!(matches!(lost, Err(Error::Unavailable { .. })), "{lost:?}");
            let watching = tokio::spawn(async move { docker.watch(sender).await });
            for _ in 0..2 {
                let connections = proxy.serve();
                assert_eq!(next().await, HypervisorEvent::Reconnected);
                engine.docker.suspend(id).await.unwrap();
                assert_eq!(next().await, HypervisorEvent::Changed(id));
                drop(connections);
                // Nobody sees this one.
                engine.docker.resume(id).await.unwrap();
            }
            watching.abort();
        })
    });
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_unavailable_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let mut config = Config::new("test-silent".parse().unwrap());
    config.socket = socket.clone();
    config.call_timeout = Duration::from_millis(200);
    config.create_timeout = Duration::from_millis(200);
    let docker = Docker::new(config);
    let id = InstanceId::random();
    let all_unavailable = async || {
        let began = Instant::now();
        let unavailable = |result: Result<(), Error>| {
            assert!(
                matches!(result, Err(Error::Unavailable { .. })),
                "{result:?}"
            );
        };
        unavailable(docker.check().await.map(|_| ()));
        unavailable(docker.start(id).await);
        unavailable(docker.stop(id, Duration::ZERO).await);
        unavailable(docker.suspend(id).await);
        unavailable(docker.remove(id).await);
        unavailable(docker.inspect(id).await.map(|_| ()));
        unavailable(docker.list().await.map(|_| ()));
        assert!(began.elapsed() < Duration::from_secs(5));
    };
    // Nobody there, and somebody who takes the connection and says nothing.
    all_unavailable().await;
    let _listener = UnixListener::bind(&socket).unwrap();
    all_unavailable().await;
}
