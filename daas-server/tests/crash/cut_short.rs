//! The engine is killed while it starts a container: the container runs, and nothing of that is
//! written.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use daas_core::hypervisor::docker::{Config, Docker};
use daas_core::hypervisor::{Hypervisor, PowerState, Spec};
use daas_core::model::{InstanceId, Reach, Resources};
use daas_core::{Error, Secret};

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::engine::{Engine, Found};
use crate::installation::IMAGE;
use crate::own_engine::{OwnEngine, own_engine};

/// Time for a desktop to answer, from the start of the engine.
const ANSWERS: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

struct Lab {
    engine: OwnEngine,
    asked: Engine,
    docker: Docker,
    id: InstanceId,
}

impl Lab {
    fn new(engine: OwnEngine) -> Self {
        let name = format!("cut-short-{}", std::process::id());
        let mut config = Config::new(name.parse().unwrap());
        config.socket = engine.socket();
        let asked = Engine {
            socket: Some(engine.socket()),
            installation: name,
        };
        Self {
            engine,
            asked,
            docker: Docker::new(config),
            id: InstanceId::random(),
        }
    }

    fn name(&self) -> String {
        format!("{}-{}", self.asked.installation, self.id)
    }

    fn spec(&self) -> Spec {
        Spec {
            id: self.id,
            image: IMAGE.to_owned(),
            app: "greeter".to_owned(),
            owner: None,
            resources: Resources {
                cpu_millis: 500,
                memory_mib: 64,
                disk_mib: 0,
            },
            reach: Reach::Port(5901),
            password: Secret::new("s3cr3t".to_owned()),
            width: 640,
            height: 480,
        }
    }

    /// What the engine says of the container.
    fn inspected(&self, format: &str) -> String {
        let text = self.asked.ask(&["inspect", "-f", format, &self.name()]);
        text.unwrap().trim().to_owned()
    }

    /// What the engine itself has written of the container.
    fn written(&self) -> PathBuf {
        let containers = self.engine.data().join("containers");
        containers
            .join(self.inspected("{{.Id}}"))
            .join("config.v2.json")
    }

    /// Starts the desktop, and kills the engine as if it had not come to write that.
    async fn cut_short(&mut self) {
        let path = self.written();
        let before = fs::read(&path).unwrap();
        self.docker.start(self.id).await.unwrap();
        self.engine.end(Signal::KILL);
        fs::write(&path, before).unwrap();
        self.engine.start_again().unwrap();
    }

    /// Starts it again and again, as is done until it is known what became of it.
    async fn start(&self) {
        let end = Instant::now() + ANSWERS;
        loop {
            let started = match self.docker.create(&self.spec()).await {
                Ok(()) => self.docker.start(self.id).await,
                failed => failed,
            };
            match started {
                Ok(()) => break,
                Err(Error::Unavailable { .. } | Error::Backend { .. }) if Instant::now() < end => {}
                failed => panic!("{failed:?}\n{}", self.engine.log()),
            }
            sleep(POLL).await;
        }
        loop {
            let power = self.docker.inspect(self.id).await.unwrap().power;
            if power == PowerState::Running {
                return;
            }
            assert!(Instant::now() < end, "{power:?}");
            sleep(POLL).await;
        }
    }

    /// A first start of which the next engine hears late, from the process that holds the
    /// container: it knows that the container runs then, and of no network.
    async fn heard_of_late(&mut self) {
        self.docker.create(&self.spec()).await.unwrap();
        self.cut_short().await;
        let event = started(&self.inspected("{{.Id}}"));
        self.engine.publish("/tasks/start", &event);
        let end = Instant::now() + ANSWERS;
        while self.inspected("{{.State.Status}}") != "running" {
            assert!(Instant::now() < end, "it did not hear of it");
            sleep(POLL).await;
        }
        let inspected = self.docker.inspect(self.id).await.unwrap();
        assert_eq!(inspected.endpoint, None);
        self.start().await;
    }

    async fn first_time(&mut self) {
        self.docker.create(&self.spec()).await.unwrap();
        self.cut_short().await;
        self.start().await;
    }

    /// What somebody has left in it is still there.
    async fn once_more(&mut self) {
        self.docker.create(&self.spec()).await.unwrap();
        self.start().await;
        let file = "/var/lib/daas/file";
        let made = self.docker.exec(self.id, &["touch", file]).await.unwrap();
        assert_eq!(made.code, 0);
        self.docker.stop(self.id, Duration::ZERO).await.unwrap();
        self.cut_short().await;
        self.start().await;
        let found = self.docker.exec(self.id, &["ls", file]).await.unwrap();
        assert_eq!(found.code, 0);
    }

    async fn remove(&self) {
        self.docker.remove(self.id).await.unwrap();
        assert_eq!(self.asked.found().unwrap(), Found::default());
    }
}

/// That the process of a container has started, as containerd tells it: an `Any` of Protocol
/// Buffers with a `containerd.events.TaskStart`, whose first field is the id of the container.
fn started(id: &str) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).unwrap();
        assert!(length < 128, "a length of one byte");
        [&[number << 3 | 2, length], bytes].concat()
    };
    let task_start = field(1, id.as_bytes());
    [
        field(1, b"containerd.events.TaskStart"),
        field(2, &task_start),
    ]
    .concat()
}

fn run(test: impl AsyncFnOnce(&mut Lab)) {
    let _turn = crate::turn();
    let Some(engine) = own_engine() else {
        return;
    };
    // On this thread, which is in the network of the engine.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut lab = Lab::new(engine);
        test(&mut lab).await;
        lab.remove().await;
        lab.docker.remove_guard().await.unwrap();
    });
}

#[test]
fn a_first_start_that_was_cut_short_is_got_over() {
    run(async |lab| lab.first_time().await);
}

#[test]
fn a_start_that_was_cut_short_loses_nothing() {
    run(async |lab| lab.once_more().await);
}

#[test]
fn a_first_start_that_is_heard_of_late_is_got_over() {
    run(async |lab| lab.heard_of_late().await);
}
