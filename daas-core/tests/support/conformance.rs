//! What every hypervisor has to do. Each function is one test; a backend brings a
//! [`Fixture`] and runs them all with [`conformance!`].

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use daas_core::hypervisor::{Hypervisor, HypervisorEvent, Observed, PowerState, Spec};
use daas_core::model::{Endpoint, InstanceId, Reach, Resources, SnapshotName, UserId};
use daas_core::{Error, Secret};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Longest that a desktop may take to answer, on a machine that is busy.
const READY: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(10);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What not every backend can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Running commands inside.
    Commands,
    /// Changing the size of the screen.
    Screen,
    /// Freezing.
    Suspend,
    /// Saying where a desktop is.
    Endpoint,
    /// Telling of what happens.
    Events,
    /// Saying what is used.
    Usage,
}

/// A backend with something to run on it.
#[async_trait]
pub trait Fixture: Sync {
    /// The backend.
    fn hypervisor(&self) -> &dyn Hypervisor;
    /// An image with a desktop, and the port of it.
    fn image(&self) -> (String, u16);
    /// Why it cannot do something, where it cannot.
    fn lacks(&self, _ability: Ability) -> Option<&'static str> {
        None
    }
    /// Ends an instance without asking the backend, as a crash would.
    async fn crash(&self, id: InstanceId);
    /// Width and height of an instance's screen as seen from inside.
    async fn screen(&self, id: InstanceId) -> (u32, u32);
}

/// Runs all tests with a function `run` that takes one, makes a fixture and cleans up after.
macro_rules! conformance {
    ($run:path) => {
        $crate::support::conformance::conformance!($run:
            full_life, every_operation_is_idempotent, unknown_instances_are_not_found,
            without_its_image_nothing_is_made, states_that_do_not_allow_it_conflict,
            commands_give_code_and_output, commands_end_in_time, screens_are_resized,
            crashes_are_told, usage_and_log_are_there, many_at_once_make_one,
            people_see_the_console, it_is_told_what_it_was_made_from, states_are_kept_and_gone_back_to, without_the_ability_snapshots_are_unsupported);
    };
    ($run:path: $($test:ident),*) => {$(
        #[test]
        fn $test() {
            $run(|fixture| Box::pin(async move {
                $crate::support::conformance::$test(&*fixture).await;
            }));
        }
    )*};
}
pub(crate) use conformance;

/// Whether a backend can do something; says so where it cannot, past the capture of output.
fn can(fixture: &dyn Fixture, ability: Ability) -> bool {
    let Some(reason) = fixture.lacks(ability) else {
        return true;
    };
    let mut out = std::io::stderr();
    writeln!(out, "SKIPPED: {ability:?}: {reason}").unwrap();
    false
}

fn is_unsupported<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Unsupported { .. }))
}

/// What an instance is once it has been started and there was time.
async fn until_up(fixture: &dyn Fixture, id: InstanceId) -> Option<Endpoint> {
    if can(fixture, Ability::Endpoint) {
        wait_for(fixture.hypervisor(), id, PowerState::Running).await
    } else {
        let power = power(fixture.hypervisor(), id).await;
        assert!(
            matches!(power, PowerState::Starting | PowerState::Unhealthy),
            "{power:?}"
        );
        None
    }
}

pub fn spec(fixture: &dyn Fixture, id: InstanceId) -> Spec {
    let (image, port) = fixture.image();
    Spec {
        id,
        image,
        app: "test-desktop".to_owned(),
        owner: Some(UserId::random()),
        resources: Resources {
            cpu_millis: 2000,
            memory_mib: 1024,
            disk_mib: 0,
        },
        reach: Reach::Port(port),
        password: Secret::new("s3cr3t-p".to_owned()),
        width: 1024,
        height: 768,
    }
}

/// Waits until an instance is in a state, and answers where its desktop listens then.
pub async fn wait_for(
    hypervisor: &dyn Hypervisor,
    id: InstanceId,
    power: PowerState,
) -> Option<Endpoint> {
    let began = Instant::now();
    loop {
        let observed = hypervisor.inspect(id).await.unwrap();
        if observed.power == power {
            return observed.endpoint;
        }
        assert!(began.elapsed() < READY, "{power:?} expected: {observed:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Creates and starts an instance, and waits for its desktop.
pub async fn launch(fixture: &dyn Fixture) -> InstanceId {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    hypervisor.create(&spec(fixture, id)).await.unwrap();
    hypervisor.start(id).await.unwrap();
    until_up(fixture, id).await;
    id
}

async fn power(hypervisor: &dyn Hypervisor, id: InstanceId) -> PowerState {
    hypervisor.inspect(id).await.unwrap().power
}

async fn listed(hypervisor: &dyn Hypervisor, id: InstanceId) -> Option<Observed> {
    let all = hypervisor.list().await.unwrap();
    let mut own = all.into_iter().filter(|observed| observed.id == id);
    let first = own.next();
    assert_eq!(own.next(), None, "listed twice");
    first
}

pub async fn full_life(fixture: &dyn Fixture) {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    assert!(!hypervisor.check().await.unwrap().is_empty());
    assert!(hypervisor.has_image(&fixture.image().0).await.unwrap());
    assert_eq!(listed(hypervisor, id).await, None);

    hypervisor.create(&spec(fixture, id)).await.unwrap();
    let created = listed(hypervisor, id).await.unwrap();
    assert_eq!(created.power, PowerState::Stopped);
    assert_eq!(created.endpoint, None);
    assert_eq!(hypervisor.inspect(id).await.unwrap(), created);

    hypervisor.start(id).await.unwrap();
    assert_ne!(power(hypervisor, id).await, PowerState::Stopped);
    if let Some(endpoint) = until_up(fixture, id).await {
        assert_eq!(endpoint.port, fixture.image().1);
        let running = listed(hypervisor, id).await.unwrap();
        assert_eq!(running.power, PowerState::Running);
        assert_eq!(running.endpoint, Some(endpoint));
    }
    if can(fixture, Ability::Suspend) {
        is_frozen_and_thawed(fixture, id).await;
    }
    is_stopped_and_started(fixture, id).await;

    hypervisor.remove(id).await.unwrap();
    assert!(is_missing(hypervisor.inspect(id).await));
    assert_eq!(listed(hypervisor, id).await, None);
}

async fn is_frozen_and_thawed(fixture: &dyn Fixture, id: InstanceId) {
    let hypervisor = fixture.hypervisor();
    hypervisor.suspend(id).await.unwrap();
    assert_eq!(power(hypervisor, id).await, PowerState::Suspended);
    assert_eq!(
        listed(hypervisor, id).await.unwrap().power,
        PowerState::Suspended
    );
    hypervisor.resume(id).await.unwrap();
    until_up(fixture, id).await;
}

async fn is_stopped_and_started(fixture: &dyn Fixture, id: InstanceId) {
    let hypervisor = fixture.hypervisor();
    let runs = can(fixture, Ability::Commands);
    if runs {
        hypervisor.exec(id, &["touch", "kept"]).await.unwrap();
    }
    hypervisor.stop(id, SOON).await.unwrap();
    assert_eq!(power(hypervisor, id).await, PowerState::Stopped);
    hypervisor.start(id).await.unwrap();
    until_up(fixture, id).await;
    if runs {
        assert_eq!(hypervisor.exec(id, &["ls", "kept"]).await.unwrap().code, 0);
    }
}

pub async fn every_operation_is_idempotent(fixture: &dyn Fixture) {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    let spec = spec(fixture, id);
    hypervisor.create(&spec).await.unwrap();
    hypervisor.create(&spec).await.unwrap();
    hypervisor.stop(id, SOON).await.unwrap();
    hypervisor.start(id).await.unwrap();
    hypervisor.start(id).await.unwrap();
    let endpoint = until_up(fixture, id).await;
    let running = power(hypervisor, id).await;
    // Creating what runs changes nothing.
    hypervisor.create(&spec).await.unwrap();
    hypervisor.resume(id).await.unwrap();
    let unchanged = hypervisor.inspect(id).await.unwrap();
    assert_eq!((unchanged.power, unchanged.endpoint), (running, endpoint));

    if can(fixture, Ability::Suspend) {
        hypervisor.suspend(id).await.unwrap();
        hypervisor.suspend(id).await.unwrap();
        hypervisor.create(&spec).await.unwrap();
        assert_eq!(power(hypervisor, id).await, PowerState::Suspended);
        hypervisor.resume(id).await.unwrap();
        hypervisor.resume(id).await.unwrap();
    } else {
        assert!(is_unsupported(hypervisor.suspend(id).await));
    }

    hypervisor.stop(id, SOON).await.unwrap();
    hypervisor.stop(id, SOON).await.unwrap();
    hypervisor.create(&spec).await.unwrap();
    assert_eq!(power(hypervisor, id).await, PowerState::Stopped);
    hypervisor.remove(id).await.unwrap();
    hypervisor.remove(id).await.unwrap();
}

fn is_missing<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::NotFound { .. }))
}

fn is_conflict<T>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Conflict { .. }))
}

pub async fn unknown_instances_are_not_found(fixture: &dyn Fixture) {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    assert!(is_missing(hypervisor.inspect(id).await));
    assert!(is_missing(hypervisor.start(id).await));
    assert!(is_missing(hypervisor.stop(id, SOON).await));
    assert!(is_missing(hypervisor.suspend(id).await));
    assert!(is_missing(hypervisor.resume(id).await));
    assert!(is_missing(hypervisor.usage(id).await));
    assert!(is_missing(hypervisor.log(id).await));
    assert!(is_missing(hypervisor.exec(id, &["true"]).await));
    assert!(is_missing(hypervisor.resize(id, 800, 600).await));
    hypervisor.remove(id).await.unwrap();
}

pub async fn without_its_image_nothing_is_made(fixture: &dyn Fixture) {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    for image in ["no-such-image:v1", "No Such?Image", ""] {
        assert!(!hypervisor.has_image(image).await.unwrap());
        let spec = Spec {
            image: image.to_owned(),
            ..spec(fixture, id)
        };
        let created = hypervisor.create(&spec).await;
        assert!(
            matches!(created, Err(Error::NotFound { what: "image" })),
            "{created:?}"
        );
        assert!(is_missing(hypervisor.inspect(id).await));
    }
}

pub async fn states_that_do_not_allow_it_conflict(fixture: &dyn Fixture) {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    hypervisor.create(&spec(fixture, id)).await.unwrap();
    assert!(is_conflict(hypervisor.suspend(id).await));
    assert!(is_conflict(hypervisor.resume(id).await));
    if can(fixture, Ability::Commands) {
        assert!(is_conflict(hypervisor.exec(id, &["true"]).await));
    } else {
        assert!(is_unsupported(hypervisor.exec(id, &["true"]).await));
    }
    assert_eq!(power(hypervisor, id).await, PowerState::Stopped);

    hypervisor.start(id).await.unwrap();
    until_up(fixture, id).await;
    if can(fixture, Ability::Suspend) {
        hypervisor.suspend(id).await.unwrap();
        assert!(is_conflict(hypervisor.start(id).await));
        if can(fixture, Ability::Commands) {
            assert!(is_conflict(hypervisor.exec(id, &["true"]).await));
        }
    }
    // What is frozen can be stopped.
    hypervisor.stop(id, SOON).await.unwrap();
    assert_eq!(power(hypervisor, id).await, PowerState::Stopped);
    hypervisor.remove(id).await.unwrap();
}

pub async fn commands_give_code_and_output(fixture: &dyn Fixture) {
    if !can(fixture, Ability::Commands) {
        return;
    }
    let (hypervisor, id) = (fixture.hypervisor(), launch(fixture).await);
    let run = async |command: &[&str]| hypervisor.exec(id, command).await.unwrap();

    let unicode = run(&["printf", "%s", "Grüße, 世界 🖥"]).await;
    assert_eq!((unicode.code, unicode.output), (0, "Grüße, 世界 🖥".into()));
    let failed = run(&["sh", "-c", "echo error >&2; exit 7"]).await;
    assert_eq!((failed.code, failed.output), (7, b"error\n".into()));
    // Arguments are not for a shell.
    assert_eq!(run(&["echo", "$HOME;`id`"]).await.output, b"$HOME;`id`\n");
    assert_ne!(run(&["no-such-command"]).await.code, 0);
    let long = run(&["sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x; exit 3"]).await;
    assert_eq!((long.code, long.output), (3, vec![b'x'; 64 << 10]));
    hypervisor.remove(id).await.unwrap();
}

pub async fn commands_end_in_time(fixture: &dyn Fixture) {
    if !can(fixture, Ability::Commands) {
        return;
    }
    let (hypervisor, id) = (fixture.hypervisor(), launch(fixture).await);
    let began = Instant::now();
    let endless = timeout(2 * SOON, hypervisor.exec(id, &["sleep", "1000"])).await;
    assert!(began.elapsed() < SOON + SOON / 2, "{:?}", began.elapsed());
    assert_ne!(endless.unwrap().unwrap().code, 0);
    hypervisor.remove(id).await.unwrap();
}

pub async fn screens_are_resized(fixture: &dyn Fixture) {
    if !can(fixture, Ability::Screen) {
        return;
    }
    let (hypervisor, id) = (fixture.hypervisor(), launch(fixture).await);
    assert_eq!(fixture.screen(id).await, (1024, 768));
    for (width, height) in [
        (1000, 701),
        (1920, 1080),
        (1000, 701),
        (640, 480),
        (333, 999),
    ] {
        hypervisor.resize(id, width, height).await.unwrap();
        assert_eq!(fixture.screen(id).await, (width, height));
    }
    for (width, height) in [(0, 0), (1, 700), (u32::MAX, 700)] {
        assert!(hypervisor.resize(id, width, height).await.is_err());
    }
    assert_eq!(fixture.screen(id).await, (333, 999));
    hypervisor.remove(id).await.unwrap();
}

pub async fn crashes_are_told(fixture: &dyn Fixture) {
    if !can(fixture, Ability::Events) {
        return;
    }
    let (hypervisor, id) = (fixture.hypervisor(), launch(fixture).await);
    let (sender, mut events) = mpsc::channel(16);
    let watched = async {
        // A second crash shows that the events go on.
        for _ in 0..2 {
            fixture.crash(id).await;
            until_stopped(hypervisor, id, &mut events).await;
            hypervisor.start(id).await.unwrap();
            until_up(fixture, id).await;
        }
        drop(events);
    };
    // Watching ends when nobody listens any more.
    let both = async { tokio::join!(hypervisor.watch(sender), watched) };
    timeout(3 * READY, both).await.unwrap();
    hypervisor.remove(id).await.unwrap();
}

async fn until_stopped(
    hypervisor: &dyn Hypervisor,
    id: InstanceId,
    events: &mut mpsc::Receiver<HypervisorEvent>,
) {
    loop {
        let event = timeout(SOON, events.recv()).await.unwrap().unwrap();
        let told = matches!(event, HypervisorEvent::Changed(changed) if changed == id)
            || event == HypervisorEvent::Reconnected;
        if told && power(hypervisor, id).await == PowerState::Stopped {
            return;
        }
    }
}

pub async fn usage_and_log_are_there(fixture: &dyn Fixture) {
    if !can(fixture, Ability::Usage) {
        return;
    }
    let (hypervisor, id) = (fixture.hypervisor(), launch(fixture).await);
    let usage = hypervisor.usage(id).await.unwrap();
    assert!(usage.cpu_ns > 1_000_000, "{usage:?}");
    assert!(
        (1 << 20..1 << 30).contains(&usage.memory_bytes),
        "{usage:?}"
    );
    let log = hypervisor.log(id).await.unwrap();
    assert!(!log.is_empty() && log.len() <= 64 << 10);
    hypervisor.stop(id, SOON).await.unwrap();
    assert!(hypervisor.log(id).await.unwrap().len() >= log.len());
    hypervisor.remove(id).await.unwrap();
}

pub async fn many_at_once_make_one(fixture: &dyn Fixture) {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    let spec = spec(fixture, id);
    let create = || hypervisor.create(&spec);
    let (a, b, c) = tokio::join!(create(), create(), create());
    [a, b, c].into_iter().for_each(|created| created.unwrap());
    let (a, b) = tokio::join!(hypervisor.start(id), hypervisor.start(id));
    [a, b].into_iter().for_each(|started| started.unwrap());
    until_up(fixture, id).await;
    assert!(listed(hypervisor, id).await.is_some());
    let (a, b) = tokio::join!(hypervisor.remove(id), hypervisor.remove(id));
    [a, b].into_iter().for_each(|removed| removed.unwrap());
    assert!(is_missing(hypervisor.inspect(id).await));
}

fn snapshot_name(text: &str) -> SnapshotName {
    text.parse().unwrap()
}

pub async fn it_is_told_what_it_was_made_from(fixture: &dyn Fixture) {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    assert!(is_missing(hypervisor.origin(id).await));
    let theirs = spec(fixture, id);
    hypervisor.create(&theirs).await.unwrap();
    for _ in 0..2 {
        let origin = hypervisor.origin(id).await.unwrap();
        assert_eq!((&origin.app, origin.owner), (&theirs.app, theirs.owner));
        // Not all can tell it; none tells another.
        if let Some(password) = origin.password {
            assert_eq!(password.expose(), theirs.password.expose());
        }
        hypervisor.start(id).await.unwrap();
    }
    let waiting = Spec {
        owner: None,
        ..spec(fixture, InstanceId::random())
    };
    hypervisor.create(&waiting).await.unwrap();
    assert_eq!(hypervisor.origin(waiting.id).await.unwrap().owner, None);
}

/// What is seen by its console need not listen anywhere; what has none is not even made.
pub async fn people_see_the_console(fixture: &dyn Fixture) {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    let spec = Spec {
        reach: Reach::Console,
        ..spec(fixture, id)
    };
    if !hypervisor.can().console {
        assert!(is_unsupported(hypervisor.create(&spec).await));
        assert!(is_unsupported(hypervisor.console(id, HERE, HERE).await));
        assert_eq!(listed(hypervisor, id).await, None);
        return;
    }
    hypervisor.create(&spec).await.unwrap();
    hypervisor.create(&spec).await.unwrap();
    hypervisor.start(id).await.unwrap();
    assert_eq!(wait_for(hypervisor, id, PowerState::Running).await, None);
    let seen = listed(hypervisor, id).await.unwrap();
    assert_eq!((seen.power, seen.endpoint), (PowerState::Running, None));
    hypervisor.stop(id, SOON).await.unwrap();
    assert!(is_conflict(hypervisor.console(id, HERE, HERE).await));
    hypervisor.remove(id).await.unwrap();
    assert!(is_missing(hypervisor.console(id, HERE, HERE).await));
}

/// Names of the snapshots that are there, the oldest first.
async fn kept(hypervisor: &dyn Hypervisor, id: InstanceId) -> Vec<String> {
    let all = hypervisor.snapshots(id).await.unwrap();
    assert!(all.iter().all(|one| one.made_at.0 > 0), "{all:?}");
    all.into_iter().map(|one| one.name.into()).collect()
}

pub async fn states_are_kept_and_gone_back_to(fixture: &dyn Fixture) {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    if !hypervisor.can().snapshot {
        return;
    }
    let (first, second) = (snapshot_name("first"), snapshot_name("Second_2"));
    assert!(is_missing(hypervisor.snapshots(id).await));
    assert!(is_missing(hypervisor.snapshot(id, &first).await));
    assert!(is_missing(hypervisor.rollback(id, &first).await));

    hypervisor.create(&spec(fixture, id)).await.unwrap();
    assert!(kept(hypervisor, id).await.is_empty());
    assert!(is_missing(hypervisor.rollback(id, &first).await));
    hypervisor.snapshot(id, &first).await.unwrap();
    // One of that name is fine, and one of what runs.
    hypervisor.snapshot(id, &first).await.unwrap();
    hypervisor.start(id).await.unwrap();
    until_up(fixture, id).await;
    hypervisor.snapshot(id, &second).await.unwrap();
    let mut all = kept(hypervisor, id).await;
    all.sort();
    assert_eq!(all, ["Second_2", "first"]);

    let running = power(hypervisor, id).await;
    assert!(is_conflict(hypervisor.rollback(id, &second).await));
    assert_eq!(power(hypervisor, id).await, running);
    hypervisor.stop(id, SOON).await.unwrap();
    hypervisor.rollback(id, &second).await.unwrap();
    hypervisor.rollback(id, &second).await.unwrap();
    assert_eq!(power(hypervisor, id).await, PowerState::Stopped);
    hypervisor.start(id).await.unwrap();
    until_up(fixture, id).await;

    hypervisor.remove_snapshot(id, &second).await.unwrap();
    hypervisor.remove_snapshot(id, &second).await.unwrap();
    assert_eq!(kept(hypervisor, id).await, ["first"]);
    // What is left goes with the instance.
    hypervisor.remove(id).await.unwrap();
    assert!(is_missing(hypervisor.snapshots(id).await));
}

pub async fn without_the_ability_snapshots_are_unsupported(fixture: &dyn Fixture) {
    let (hypervisor, id) = (fixture.hypervisor(), InstanceId::random());
    if hypervisor.can().snapshot {
        return;
    }
    let name = snapshot_name("first");
    assert!(is_unsupported(hypervisor.snapshots(id).await));
    assert!(is_unsupported(hypervisor.snapshot(id, &name).await));
    assert!(is_unsupported(hypervisor.rollback(id, &name).await));
    assert!(is_unsupported(hypervisor.remove_snapshot(id, &name).await));
}
