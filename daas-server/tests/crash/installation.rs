//! An installation with a database of its own, whose server comes and goes.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::api::{Api, PASSWORD, Row};
use crate::docker::{is_ready, shell};
use crate::engine::{Engine, Found, differences};

/// Image of what is launched.
pub const IMAGE: &str = "daas/greeter";

/// Time for rows and engine to agree again.
pub const SETTLES: Duration = Duration::from_secs(30);
const STARTS: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

pub struct Installation {
    folder: tempfile::TempDir,
    pub engine: Engine,
    range: String,
    server: Option<Child>,
    starts: u32,
}

/// Whether there is an engine with the images.
pub fn prepared() -> bool {
    if !is_ready(&["guard"]) {
        return false;
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crash/greeter");
    let script = "docker buildx version > /dev/null 2>&1 || export DOCKER_BUILDKIT=0
                  docker build -q -t \"$1\" \"$2\"";
    let built = shell(script, &[IMAGE, folder]);
    assert!(built.status.success(), "{built:?}");
    true
}

impl Installation {
    /// With a name of its own; `range` has to be free.
    pub fn new(name: &str, range: &str, socket: Option<PathBuf>) -> Self {
        let installation = Self {
            folder: tempfile::tempdir().unwrap(),
            engine: Engine {
                socket,
                installation: format!("{name}-{}", std::process::id()),
            },
            range: range.to_owned(),
            server: None,
            starts: 0,
        };
        let app = format!(
            "[[catalogue.apps]]\nslug = \"greeter\"\nname = \"Greeter\"\ndescription = \"\"\n\
             icon = \"app\"\nkind = \"application\"\nimage = \"{IMAGE}\"\ncpu_millis = 500\n\
             memory_mib = 64\n\n\
             # A hundred are to fit on a small machine.\n\
             [placement]\ncpu_overcommit = 100.0\n"
        );
        fs::write(installation.path("daas.toml"), app).unwrap();
        installation
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self) -> Command {
        let mut command = crate::program::plain_program(self.folder.path());
        if let Some(socket) = &self.engine.socket {
            command.env("DAAS_DOCKER__SOCKET", socket);
        }
        command
            .env("DAAS_ADMIN_PASSWORD", PASSWORD)
            .env("DAAS_SERVER__LISTEN", "127.0.0.1:0")
            .env("DAAS_STORAGE__PATH", self.path("data/daas.sqlite3"))
            .env("DAAS_DOCKER__INSTALLATION", &self.engine.installation)
            .env("DAAS_DOCKER__RANGE", &self.range)
            .env("DAAS_LIMITS__INSTANCES_PER_USER", "0")
            .env("DAAS_LIMITS__REQUESTS_PER_SECOND_PER_ADDRESS", "0")
            .env("DAAS_LIMITS__REQUESTS_PER_SECOND_PER_ACCOUNT", "0")
            .env("DAAS_LOG__FILTER", "info,daas_core=debug")
            .args(["--config", "daas.toml"]);
        command
    }

    /// Starts the server; answers where it listens.
    pub fn start(&mut self) -> SocketAddr {
        assert!(self.server.is_none());
        self.starts += 1;
        let log = self.log_path();
        let mut command = self.program();
        command
            .arg("serve")
            .stdout(File::create(self.path("out")).unwrap());
        command.stderr(File::create(&log).unwrap());
        self.server = Some(command.spawn().unwrap());
        let end = Instant::now() + STARTS;
        loop {
            let text = fs::read_to_string(&log).unwrap();
            if let Some(address) = listens(&text) {
                return address;
            }
            let ended = self.server.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "{text}");
            sleep(Duration::from_millis(5));
        }
    }

    fn log_path(&self) -> PathBuf {
        self.path(&format!("log-{}", self.starts))
    }

    /// What the server has said since its start, and before its end.
    pub fn log(&self) -> String {
        let logs = (1..=self.starts).rev().take(3).collect::<Vec<_>>();
        let logs = logs.into_iter().rev();
        logs.filter_map(|start| fs::read_to_string(self.path(&format!("log-{start}"))).ok())
            .collect::<Vec<_>>()
            .join("--- killed ---\n")
    }

    /// Kills the server, which cannot do anything about it.
    pub fn kill(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// Waits until nothing is being done any more, and rows and engine agree; answers the rows,
    /// and how long it took.
    pub fn settle(&self, api: &Api, within: Duration) -> (Vec<Row>, Duration) {
        let began = Instant::now();
        loop {
            let rows = api.rows().expect("a server");
            let wrong = match rows.iter().find(|row| row.is_pending()) {
                Some(row) => vec![format!("{} is {}", row.id, row.state)],
                None => self.compared(&rows),
            };
            if wrong.is_empty() {
                return (rows, began.elapsed());
            }
            assert!(
                began.elapsed() < within,
                "not settled: {wrong:#?}\n{}\n{}",
                self.engine.containers(&rows),
                self.log()
            );
            sleep(POLL);
        }
    }

    fn compared(&self, rows: &[Row]) -> Vec<String> {
        match self.engine.found() {
            Some(found) => differences(rows, &found),
            None => vec!["the engine does not answer".to_owned()],
        }
    }

    /// Deletes everything, and sees that nothing is left.
    pub fn delete_all(&self, api: &Api) {
        let rows = api.rows().unwrap();
        std::thread::scope(|scope| {
            for row in &rows {
                scope.spawn(|| {
                    let (status, answer) = api.act(&row.id, "delete").unwrap();
                    assert_eq!(status, 202, "{answer}");
                });
            }
        });
        let (rows, _) = self.settle(api, Duration::from_secs(120));
        assert_eq!(rows, []);
        assert_eq!(self.engine.found().unwrap(), Found::default());
    }

    pub fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path("data/daas.sqlite3")).unwrap()
    }

    /// Looks at the database after the server has ended: it is whole, and so is the audit log.
    pub fn check_database(&self) {
        let database = self.database();
        let check = "PRAGMA integrity_check";
        let said: String = database.query_row(check, [], |row| row.get(0)).unwrap();
        assert_eq!(said, "ok");
        let verify = self.program().args(["audit", "verify"]).output().unwrap();
        let said = String::from_utf8_lossy(&verify.stdout);
        assert!(said.starts_with("The audit log is whole"), "{verify:?}");
    }

    /// The states that an instance was in, one after the other.
    pub fn steps(&self, id: &str) -> Vec<String> {
        let database = self.database();
        let sql = "SELECT state FROM transitions WHERE instance = ?1 ORDER BY at, rowid";
        let mut found = database.prepare(sql).unwrap();
        let states = found.query_map([id], |row| row.get(0)).unwrap();
        states.map(Result::unwrap).collect()
    }
}

/// Where a server says that it listens.
fn listens(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("listening on http://")?;
    // It may be half of it.
    let (address, _) = rest.split_once(|c: char| !c.is_ascii_digit() && !".:".contains(c))?;
    address.parse().ok()
}

impl Drop for Installation {
    /// Nothing is left behind, whatever became of the test.
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            drop(server.kill());
            drop(server.wait());
        }
        // An engine of one's own takes all of it along.
        if self.engine.socket.is_none() {
            let script = "source scripts/lib/installation.sh; installation_remove \"$1\" \"$2\"";
            drop(shell(script, &[&self.engine.installation, &self.range]));
        }
    }
}
