//! The password of a desktop on a real engine. Where none can be had the test says
//! `SKIPPED: <reason>` and passes; with `DAAS_REQUIRE_DOCKER=1` it fails.

use std::fs;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::NamedTempFile;

use crate::docker::{docker, is_ready, shell};
use crate::places;
use crate::search::Value;
use crate::world::World;

/// Time for a desktop to start.
const PATIENCE: Duration = Duration::from_secs(120);
const RANGE: &str = "10.231.0.0/16";

/// Removes what an installation has on the engine, whatever becomes of the test.
struct Removal(String);

impl Drop for Removal {
    fn drop(&mut self) {
        let script = "source scripts/lib/installation.sh; installation_remove \"$1\" \"$2\"";
        drop(shell(script, &[&self.0, RANGE]));
    }
}

/// Launches an application; answers the id of the instance once it runs.
async fn launch(world: &mut World) -> String {
    let admin = world.admin();
    let apps = world.get("apps", &admin, "/api/v1/apps").await.json();
    let mut apps = apps["items"].as_array().unwrap().iter();
    let editor = apps.find(|app| app["slug"] == "editor").unwrap();
    let body = json!({"app_id": editor["id"]});
    let launched = world
        .post("launch", &admin, "/api/v1/instances", body)
        .await;
    assert_eq!(launched.status, 201, "{launched:?}");
    let id = launched.json()["id"].as_str().unwrap().to_owned();
    let end = Instant::now() + PATIENCE;
    loop {
        let path = format!("/api/v1/instances/{id}");
        let shown = world.get("instance", &admin, &path).await.json();
        if shown["state"] == "running" {
            return id;
        }
        assert!(
            shown["state"] != "failed" && Instant::now() < end,
            "{shown}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// All that the engine says of an installation.
fn inspect(world: &mut World, installation: &str) {
    let label = format!("label=daas.installation={installation}");
    for kind in ["container", "network", "volume"] {
        let mut list = vec![kind, "ls", "-q", "--filter", &label];
        if kind == "container" {
            list.push("-a");
        }
        let ids = docker(&list);
        let ids: Vec<&str> = ids.lines().collect();
        assert!(!ids.is_empty(), "there is no {kind}");
        let about = docker(&[&[kind, "inspect"], &ids[..]].concat());
        world.record(&format!("{kind} inspect"), about.as_bytes());
        for id in ids.iter().filter(|_| kind == "container") {
            let log = shell("docker logs \"$1\" 2>&1", &[id]);
            world.record("log of a container", &log.stdout);
        }
    }
}

/// All that the engine tells while it lives. Asked afterwards it would tell the last few only.
struct Events {
    child: Child,
    told: NamedTempFile,
}

impl Events {
    fn listen() -> Self {
        let told = NamedTempFile::new().unwrap();
        let child = Command::new("docker")
            .args(["events", "--format", "json"])
            .stdout(told.reopen().unwrap())
            .spawn()
            .unwrap();
        let events = Self { child, told };
        // Not all of them have to be of interest: those of this one show that it listens.
        let end = Instant::now() + PATIENCE;
        while events.told().is_empty() {
            assert!(Instant::now() < end, "the engine tells nothing");
            let name = format!("daas-canaries-{}", std::process::id());
            docker(&["volume", "create", &name]);
            docker(&["volume", "rm", &name]);
            sleep(Duration::from_millis(100));
        }
        events
    }

    fn told(&self) -> Vec<u8> {
        fs::read(self.told.path()).unwrap()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What programs in the desktop can be seen by: their arguments and environments.
fn look_inside(world: &mut World, container: &str) {
    for what in ["cmdline", "environ"] {
        let script = format!("cat /proc/[0-9]*/{what} 2>/dev/null; true");
        let seen = docker(&["exec", container, "sh", "-c", &script]);
        assert!(seen.len() > 100, "{what}: {seen}");
        world.record(&format!("{what} in the desktop"), seen.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_does_not_know_the_password_of_a_desktop() {
    if !is_ready(&["editor", "desktop", "guard"]) {
        return;
    }
    let installation = format!("canaries-{}", std::process::id());
    let _removal = Removal(installation.clone());
    let settings = [
        ("DAAS_DOCKER__INSTALLATION", installation.as_str()),
        ("DAAS_DOCKER__RANGE", RANGE),
    ];
    let events = Events::listen();
    let mut world = World::start(&settings).await;
    let first = world.kept["first password"].clone();
    world.log_in("admin", &first).await;
    let id = launch(&mut world).await;
    let password = crate::desktop::password_of(&world, &id).await;
    let container = format!("{installation}-{id}");
    // It is the one that the desktop asks for.
    let inside = docker(&["exec", &container, "cat", "/var/lib/daas/password"]);
    assert_eq!(inside.trim_end(), password);
    inspect(&mut world, &installation);
    look_inside(&mut world, &container);
    let admin = world.admin();
    let path = format!("/api/v1/instances/{id}");
    world.send("delete", &admin, ("DELETE", &path), None).await;
    world.look_at_files("running");
    world.end_server("server");
    world.look_at_files("ended");
    world.record("events", &events.told());
    let name = places(&[Value::Text(id)], &world.records);
    // The id is no secret, so that it is known what can be seen.
    for place in ["container inspect", "volume inspect", "events"] {
        assert!(name.contains(&(place, "raw")), "{place}: {name:?}");
    }
    let seen = places(&[Value::Text(password)], &world.records);
    assert!(seen.is_empty(), "{seen:?}");
}
