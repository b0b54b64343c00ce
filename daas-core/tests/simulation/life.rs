//! One life of the server: from its start until it is killed, or ends.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use daas_core::audit::AuditAction;
use daas_core::fleet::{Fleet, FleetConfig, HostSetup};
use daas_core::lifecycle::{Lifecycle, LifecycleConfig};
use daas_core::model::{
    Action, App, AppId, Instance, InstanceId, InstanceState, Quota, Timestamp, UserId,
};
use daas_core::storage::{Instances as _, People as _, Sqlite, Used};
use daas_core::{Error, Result, simulation};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::{interval, sleep};

use crate::check;
use crate::hypervisor::{Engine, RIGID};
use crate::policies::{Keeping, POLICIES, apps};
use crate::store::Store;
use crate::support;
use crate::world::{Desktop, Fate, HOSTS, Happening, Power, World};

/// How often rows and desktops are compared.
const RECONCILE: Duration = Duration::from_secs(15);
/// Time in which all must be well again.
const SETTLED: Duration = Duration::from_secs(30);
/// For how long policies are kept in the last life.
const KEPT: Duration = Duration::from_secs(120);
/// How often pools are filled, and how many desktops wait in the one that there is.
const FILL: Duration = Duration::from_secs(5);
pub const READY: u32 = 2;
/// Time in which the pool is full again, even if it pauses after a failure.
const FILLED: Duration = Duration::from_secs(60);
/// What somebody may want.
const ACTIONS: [Action; 5] = [
    Action::Start,
    Action::Suspend,
    Action::Resume,
    Action::Stop,
    Action::Delete,
];

/// Whether the server still lives, and what it lives in.
pub struct Life {
    pub world: Arc<World>,
    killed: AtomicBool,
    death: Notify,
    /// Instances that somebody looks at, and when there was last input.
    viewers: Mutex<BTreeMap<InstanceId, Option<Timestamp>>>,
}

impl Life {
    pub fn viewers(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Option<Timestamp>>> {
        self.viewers.lock().unwrap()
    }

    /// Who looks at what.
    pub fn used(&self) -> Vec<Used> {
        let seen_at = Timestamp::now();
        let viewers = self.viewers();
        let each = viewers.iter();
        let used = each.map(|(&instance, &input_at)| Used {
            instance,
            seen_at,
            input_at,
        });
        used.collect()
    }

    /// Makes a call, unless it fails or the server dies. Nothing follows on death.
    pub async fn call<T>(
        &self,
        name: &str,
        fault: fn() -> Error,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.stay_dead().await;
        let fate = self.world.fate();
        match fate {
            Fate::KillsBefore => self.kill(name).await,
            Fate::FailsBefore => {
                self.world.count(Happening::FailedBefore);
                self.world.note(format_args!("{name}: fails before"));
                return Err(fault());
            }
            _ => {}
        }
        let done = call.await;
        self.stay_dead().await;
        self.world.note(format_args!("{name}: {}", done.is_ok()));
        match fate {
            Fate::KillsAfter => self.kill(name).await,
            Fate::FailsAfter if done.is_ok() => {
                self.world.count(Happening::FailedAfter);
                self.world.note(format_args!("{name}: fails after"));
                return Err(fault());
            }
            _ => {}
        }
        done
    }

    async fn stay_dead(&self) {
        if self.killed.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    async fn kill(&self, at: &str) {
        self.world.count(Happening::Kill);
        self.world.note(format_args!("killed at {at}"));
        self.killed.store(true, Ordering::Relaxed);
        self.death.notify_one();
        pending::<()>().await;
    }
}

/// What a life has.
struct Server {
    life: Arc<Life>,
    /// Without faults: for those who only look.
    store: Arc<Sqlite>,
    /// With faults.
    faulty: Arc<Store>,
    lifecycle: Lifecycle,
    owner: UserId,
    apps: Vec<App>,
}

/// Runs something in a life that begins now.
fn begin<F: Future<Output = ()>>(world: &Arc<World>, run: impl FnOnce(Server) -> F) {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (seed, start) = world.begin_life();
        let _world = simulation::enter(seed, start);
        let life = Arc::new(Life {
            world: Arc::clone(world),
            killed: AtomicBool::new(false),
            death: Notify::new(),
            viewers: Mutex::default(),
        });
        let server = start_server(&life).await;
        let run = run(server);
        tokio::select! {
            () = run => {}
            () = life.death.notified() => {}
        }
        world.end_life(Timestamp::now());
    });
    // With the runtime all that was under way is gone, as in a process that was killed.
}

async fn start_server(life: &Arc<Life>) -> Server {
    let (db, keys) = life.world.files();
    let store = Arc::new(Sqlite::open(&db, &keys).await.unwrap());
    let (owner, apps) = first_rows(&store).await;
    let faulty = Arc::new(Store {
        life: Arc::clone(life),
        store: Arc::clone(&store),
    });
    let hosts = HOSTS.into_iter().enumerate().map(|(host, name)| {
        let life = Arc::clone(life);
        HostSetup::new(name.parse().unwrap(), Arc::new(Engine { life, host }))
    });
    let config = LifecycleConfig {
        quota: Quota {
            instances: Some(8),
            ..Quota::default()
        },
        start_timeout: Duration::from_secs(20),
        stop_timeout: Duration::from_secs(5),
        ..LifecycleConfig::default()
    };
    let fleet = Fleet::new(hosts.collect(), FleetConfig::default());
    let lifecycle = Lifecycle::new(faulty.clone(), fleet.clone(), config);
    let (watching, comparing) = (lifecycle.clone(), lifecycle.clone());
    let keeping = Keeping {
        life: Arc::clone(life),
        store: faulty.clone(),
        lifecycle: lifecycle.clone(),
    };
    tokio::spawn(async move { keeping.run().await });
    tokio::spawn(async move { watching.watch().await });
    tokio::spawn(async move { comparing.keep_reconciled(RECONCILE).await });
    tokio::spawn(async move { fleet.keep_fresh().await });
    let (filling, app) = (lifecycle.clone(), apps[0].id);
    tokio::spawn(async move {
        let mut ticks = interval(FILL);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = filling.claimed() => {}
            }
            // It is tried again.
            drop(filling.fill_pools(&[(app, READY)], Timestamp::now()).await);
        }
    });
    Server {
        life: Arc::clone(life),
        store,
        faulty,
        lifecycle,
        owner,
        apps,
    }
}

async fn first_rows(store: &Sqlite) -> (UserId, Vec<App>) {
    if store.count_users().await.unwrap() == 0 {
        let (user, entry) = (
            support::user("ada"),
            support::entry(AuditAction::UserCreate),
        );
        store.add_user(user, Vec::new(), entry).await.unwrap();
        for app in apps() {
            store.put_app(app).await.unwrap();
        }
    }
    let owner = store.user_by_name("ada").await.unwrap().id;
    (owner, store.apps().await.unwrap())
}

/// A life in which people do things and things go wrong.
pub fn live(world: &Arc<World>) {
    begin(world, |server| async move {
        let world = Arc::clone(&server.life.world);
        for _ in 0..world.between(5, 40) {
            sleep(Duration::from_millis(world.between(0, 8000))).await;
            server.step().await;
        }
    });
}

/// A life without faults, at the end of which all is well.
pub fn settle(world: &Arc<World>) {
    begin(world, |server| async move {
        // The last time that policies are kept.
        let until = Timestamp::now().plus_ms(1000 * KEPT.as_secs() as i64);
        server.life.world.inner().policies_until = until;
        sleep(KEPT + SETTLED).await;
        check::agree(&server.life.world, &server.store).await;
        check::nothing_is_left_due(&server.life.world, &server.store).await;
        let kept = server.life.world.inner().policies_kept;
        assert!(kept >= until.plus_ms(-1000 * POLICIES.as_secs() as i64 - 1));
        sleep(FILLED).await;
        check::agree(&server.life.world, &server.store).await;
        check::is_full(&server.store).await;
    });
}

fn runs(row: &Instance) -> bool {
    row.state == InstanceState::Running
}

impl Server {
    async fn step(&self) {
        let world = &self.life.world;
        match world.between(0, 99) {
            0..32 => self.launch().await,
            32..60 => self.act().await,
            60..70 => self.look().await,
            70..73 => self.leave(),
            73..77 => self.input(),
            77..80 => self.extend().await,
            80..86 => self.end_desktop(),
            86..90 => self.lose_desktop(),
            90..93 => self.touch_desktop(),
            93..95 => self.find_desktop(),
            95..98 => self.begin_outage(),
            _ => self.life.kill("any time").await,
        }
    }

    async fn launch(&self) {
        self.life.world.count(Happening::Launch);
        let ids: Vec<AppId> = self.apps.iter().map(|app| app.id).collect();
        let app = self.life.world.pick(&ids).unwrap();
        if let Ok(instance) = self.lifecycle.launch(self.owner, app).await {
            assert_eq!(instance.owner, Some(self.owner));
            if instance.state == InstanceState::Running {
                self.life.world.count(Happening::Claim);
            }
            self.told(instance.id, Action::Start);
        }
    }

    fn told(&self, id: InstanceId, action: Action) {
        self.life
            .world
            .note(format_args!("{action} {id} is under way"));
        self.life.world.inner().told.insert(id, action);
    }

    async fn act(&self) {
        let world = &self.life.world;
        let (Some(row), Some(action)) = (self.a_row(|_| true).await, world.pick(&ACTIONS)) else {
            return;
        };
        let id = row.id;
        let is_rigid = |app: &App| app.id == row.app && app.slug == RIGID;
        if action == Action::Suspend && self.apps.iter().any(is_rigid) {
            // Whoever asks for what cannot be is told that it failed.
            return;
        }
        world.count(Happening::Act);
        if self.lifecycle.act(id, action).await.is_ok() {
            self.told(id, action);
        }
    }

    async fn a_row(&self, fits: fn(&Instance) -> bool) -> Option<Instance> {
        let mut rows = self.store.instances(None).await.unwrap();
        rows.retain(fits);
        rows.sort_unstable_by_key(|row| row.id);
        let places: Vec<usize> = (0..rows.len()).collect();
        let place = self.life.world.pick(&places)?;
        Some(rows.swap_remove(place))
    }

    /// Somebody looks at a desktop, as a tunnel is opened: first that is noted, and then looked
    /// whether it runs.
    async fn look(&self) {
        let Some(row) = self.a_row(runs).await else {
            return;
        };
        let used = Used {
            instance: row.id,
            seen_at: Timestamp::now(),
            input_at: None,
        };
        if self.faulty.note_use(vec![used]).await.is_err() {
            return;
        }
        let now = self.faulty.instance(row.id).await;
        if now.is_ok_and(|row| runs(&row)) {
            self.life.world.count(Happening::Look);
            self.life.viewers().insert(row.id, None);
        }
    }

    fn leave(&self) {
        let watched: Vec<InstanceId> = self.life.viewers().keys().copied().collect();
        if let Some(id) = self.life.world.pick(&watched) {
            self.life.viewers().remove(&id);
        }
    }

    fn input(&self) {
        let watched: Vec<InstanceId> = self.life.viewers().keys().copied().collect();
        if let Some(id) = self.life.world.pick(&watched) {
            self.life.viewers().insert(id, Some(Timestamp::now()));
        }
    }

    async fn extend(&self) {
        let Some(row) = self.a_row(runs).await else {
            return;
        };
        self.life.world.count(Happening::Extend);
        let until = Timestamp::now().plus_ms(self.life.world.between(1000, 60_000) as i64);
        let entry = support::entry(AuditAction::InstanceExtend);
        // It may have stopped meanwhile.
        drop(self.lifecycle.extend(row.id, until, entry).await);
    }

    fn a_desktop(&self) -> Option<InstanceId> {
        let world = &self.life.world;
        let ids: Vec<InstanceId> = world.inner().desktops.keys().copied().collect();
        world.pick(&ids)
    }

    fn a_host(&self) -> usize {
        let hosts: Vec<usize> = (0..HOSTS.len()).collect();
        self.life.world.pick(&hosts).unwrap()
    }

    fn end_desktop(&self) {
        let Some(id) = self.a_desktop() else {
            return;
        };
        let world = &self.life.world;
        world.count(Happening::DesktopEnded);
        world.note(format_args!("{id} ends by itself"));
        let mut inner = world.inner();
        if let Some(desktop) = inner.desktops.get_mut(&id) {
            desktop.power = Power::Stopped;
            let host = desktop.host;
            inner.tell_of(id, host);
        }
    }

    /// Somebody with a shell freezes, thaws or starts it.
    fn touch_desktop(&self) {
        let Some(id) = self.a_desktop() else {
            return;
        };
        let world = &self.life.world;
        world.count(Happening::DesktopTouched);
        world.note(format_args!("{id} is touched"));
        let (mut inner, ready_at) = (world.inner(), Timestamp::now());
        let endpoint = inner.new_endpoint();
        if let Some(desktop) = inner.desktops.get_mut(&id) {
            desktop.power = match desktop.power {
                Power::Runs { .. } if desktop.is_rigid => Power::Stopped,
                Power::Runs { ready_at } => Power::Frozen { ready_at },
                Power::Frozen { ready_at } => Power::Runs { ready_at },
                Power::Stopped => {
                    desktop.endpoint = endpoint;
                    Power::Runs { ready_at }
                }
            };
            let host = desktop.host;
            inner.tell_of(id, host);
        }
    }

    /// Somebody went back to an older copy of the database, which knows less.
    fn find_desktop(&self) {
        let (world, id) = (&self.life.world, InstanceId::random());
        world.count(Happening::DesktopFound);
        world.note(format_args!("{id} is there, and nobody knows it"));
        let (host, ready_at) = (self.a_host(), Timestamp::now());
        let mut inner = world.inner();
        let desktop = Desktop {
            host,
            power: Power::Runs { ready_at },
            endpoint: inner.new_endpoint(),
            is_rigid: false,
        };
        inner.desktops.insert(id, desktop);
    }

    fn lose_desktop(&self) {
        let Some(id) = self.a_desktop() else {
            return;
        };
        let world = &self.life.world;
        world.count(Happening::DesktopLost);
        world.note(format_args!("{id} is lost"));
        let mut inner = world.inner();
        if let Some(desktop) = inner.desktops.remove(&id) {
            inner.tell_of(id, desktop.host);
        }
    }

    fn begin_outage(&self) {
        let world = &self.life.world;
        let (host, lasts) = (self.a_host(), world.between(100, 40_000) as i64);
        world.count(Happening::Outage);
        world.note(format_args!("outage of {} for {lasts} ms", HOSTS[host]));
        world.inner().outage_until[host] = Timestamp::now().plus_ms(lasts);
    }
}
