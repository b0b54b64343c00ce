//! All that the handlers use.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use daas_core::access::Access;
use daas_core::chain;
use daas_core::fleet::Fleet;
use daas_core::gateway::Gateway;
use daas_core::lifecycle::Lifecycle;
use daas_core::model::{Timestamp, UserId};
use daas_core::storage::Store;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::api;
use crate::config::{AddressRange, Config, Origin, Pools};
use crate::http::{Limiter, Problem, Rates, Router, network};
use crate::metrics::Metrics;
use crate::sign_on::SignOn;
use crate::steps::Steps;
use crate::tunnels::Tunnels;

/// Log-outs that a stream may be behind.
const LOG_OUTS: usize = 64;
/// How often what expired is removed, and sessions with open tunnels are kept.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// How often sessions are looked at that have something open.
const WATCH_SESSIONS: Duration = Duration::from_millis(500);
/// How often rows and hosts are compared, beside all events.
const RECONCILE: Duration = Duration::from_secs(15);
/// How often pools are looked at, beside whenever something was taken out of one.
const FILL: Duration = Duration::from_secs(5);
/// Most event streams of one person.
const STREAMS_MAX: usize = 16;
/// For how long somebody who asks too often waits for the refusal, and how many do at most.
const HELD: Duration = Duration::from_secs(1);
const HELD_MAX: usize = 1024;

/// What of the configuration matters to requests.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where browsers find the page.
    pub public_origins: Vec<Origin>,
    /// Whether only this machine can reach the server.
    pub loopback: bool,
    /// Whether this server itself speaks TLS.
    pub tls: bool,
    /// Addresses whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<AddressRange>,
    /// How many requests anybody may make.
    pub rates: Rates,
    /// Whether `/readyz` and `/metrics` answer everybody.
    pub public_metrics: bool,
    /// Slugs of the applications to show.
    pub apps: HashSet<String>,
    /// A session that is not used ends after this.
    pub session_idle: Duration,
    /// For how long an end that comes by itself can be put off at a time; zero is never.
    pub extend: Duration,
    /// Desktops that are kept ready.
    pub pools: Pools,
}

impl Settings {
    /// From a configuration that was checked.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            public_origins: config.server.public_origins.clone(),
            loopback: config.server.listen.ip().is_loopback(),
            tls: config.speaks_tls(),
            trusted_proxies: config.server.trusted_proxies.clone(),
            rates: config.rates,
            public_metrics: config.server.public_metrics,
            apps: config.apps.iter().map(|app| app.slug.clone()).collect(),
            session_idle: config.access.session_idle,
            extend: config.extend,
            pools: config.pools.clone(),
        }
    }

    /// Whether browsers come over TLS, to this server or to a proxy in front: then the cookie
    /// is for TLS only.
    pub(crate) fn secure_cookie(&self) -> bool {
        self.tls || self.public_origins.iter().any(Origin::is_secure)
    }

    /// How the origin of a page begins that comes from this server without a proxy.
    pub(crate) const fn own_scheme(&self) -> &'static str {
        if self.tls { "https://" } else { "http://" }
    }

    /// Whether what a proxy with this address says is believed.
    pub(crate) fn trusts(&self, proxy: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|range| range.contains(proxy))
    }
}

/// What a server is made of.
#[allow(missing_debug_implementations, reason = "backends need not have one")]
pub struct Parts {
    /// Storage.
    pub store: Arc<dyn Store>,
    /// What turns desktops into instructions.
    pub gateway: Arc<dyn Gateway>,
    /// Sessions and tickets.
    pub access: Access,
    /// Drives instances.
    pub lifecycle: Lifecycle,
    /// Open tunnels.
    pub tunnels: Arc<dyn Tunnels>,
    /// Other places that say who somebody is.
    pub sign_on: SignOn,
    /// Of the configuration.
    pub settings: Settings,
}

/// All that the handlers use.
pub struct Services {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) gateway: Arc<dyn Gateway>,
    pub(crate) access: Access,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) tunnels: Arc<dyn Tunnels>,
    pub(crate) sign_on: SignOn,
    pub(crate) settings: Settings,
    pub(crate) router: Router,
    pub(crate) metrics: Metrics,
    pub(crate) steps: Steps,
    addresses: Limiter,
    accounts: Limiter,
    held_back: Semaphore,
    started: Instant,
    log_outs: broadcast::Sender<[u8; 32]>,
    stopping: watch::Sender<bool>,
    streams: Mutex<Streams>,
}

/// Event streams that are open: whose, and of which session.
#[derive(Default)]
struct Streams {
    last: u64,
    open: HashMap<u64, (UserId, [u8; 32])>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

impl Services {
    /// Puts the parts together.
    ///
    /// # Errors
    /// Where the table of routes contradicts itself.
    pub fn new(parts: Parts) -> Result<Arc<Self>, matchit::InsertError> {
        let rates = parts.settings.rates;
        Ok(Arc::new(Self {
            addresses: Limiter::new(rates.per_address),
            accounts: Limiter::new(rates.per_account),
            held_back: Semaphore::new(HELD_MAX),
            started: Instant::now(),
            store: parts.store,
            gateway: parts.gateway,
            access: parts.access,
            lifecycle: parts.lifecycle,
            tunnels: parts.tunnels,
            sign_on: parts.sign_on,
            settings: parts.settings,
            router: Router::new(api::ROUTES)?,
            metrics: Metrics::default(),
            steps: Steps::default(),
            log_outs: broadcast::channel(LOG_OUTS).0,
            stopping: watch::channel(false).0,
            streams: Mutex::default(),
        }))
    }

    /// Counts a request of an address.
    ///
    /// # Errors
    /// 429 where it makes too many.
    pub(crate) fn admit_address(&self, address: IpAddr) -> Result<(), Problem> {
        let taken = self
            .addresses
            .take(network(address), self.started.elapsed());
        taken.map_err(|wait| Problem::too_many("your network", wait))
    }

    /// Counts a request of an account.
    ///
    /// # Errors
    /// As [`admit_address`](Self::admit_address).
    pub(crate) fn admit_account(&self, user: UserId) -> Result<(), Problem> {
        let taken = self.accounts.take(user, self.started.elapsed());
        taken.map_err(|wait| Problem::too_many("your account", wait))
    }

    /// Lets whoever asks too often wait for the refusal, as long as it tells them to wait at
    /// least: who asks again as soon as they are answered does not take the processor from
    /// those who do not. Of those who wait there are so many at most; others are refused at
    /// once.
    pub(crate) async fn hold_back(&self) {
        if let Ok(_held) = self.held_back.try_acquire() {
            let mut stopping = self.stopping();
            let stopped = stopping.wait_for(|stopping| *stopping);
            let _ = timeout(HELD, stopped).await;
        }
    }

    /// Starts what goes on beside all requests, on the present runtime. It ends when the
    /// server stops.
    pub fn start(self: &Arc<Self>) {
        self.spawn(Self::note_steps);
        self.spawn(Self::keep_house);
        self.spawn(Self::watch_sessions);
        self.spawn(Self::keep_policies);
        self.spawn(Self::keep_fresh);
        self.spawn(Self::reconcile);
        self.spawn(Self::watch);
        self.spawn(Self::keep_pools);
    }

    fn spawn<F>(self: &Arc<Self>, task: fn(Arc<Self>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (services, mut stopping) = (Arc::clone(self), self.stopping());
        tokio::spawn(async move {
            tokio::select! {
                () = task(services) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
        });
    }

    async fn note_steps(self: Arc<Self>) {
        let mut events = self.lifecycle.subscribe();
        loop {
            match events.recv().await {
                Ok(event) => self.steps.note(&event),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    async fn keep_house(self: Arc<Self>) {
        let mut ticks = interval(HOUSEKEEPING);
        loop {
            ticks.tick().await;
            let now = Timestamp::now();
            for session in self.tunnels.sessions() {
                self.keep_session(session, now).await;
            }
            self.stop_out_of_time(now).await;
            if let Err(error) = self.store.remove_expired(now).await {
                tracing::warn!(error = chain(&error), "what expired was not removed");
            }
        }
    }

    /// Stops what runs though the hours of its owner are used up, and tells who looks at it.
    pub async fn stop_out_of_time(&self, now: Timestamp) {
        match self.lifecycle.stop_out_of_time(now).await {
            Ok(stopped) => {
                for instance in stopped {
                    tracing::info!(instance = %instance.id, "stopped, as it is out of time");
                    self.tunnels.end_out_of_time(instance.id);
                }
            }
            Err(error) => tracing::warn!(error = chain(&error), "quotas of hours were not kept"),
        }
    }

    /// A session with an open desktop is in use; one that has ended takes its desktops along.
    async fn keep_session(&self, session: [u8; 32], now: Timestamp) {
        let idle = i64::try_from(self.settings.session_idle.as_millis()).unwrap_or(i64::MAX);
        let kept = self.store.use_session(session, now, now.plus_ms(-idle));
        if let Err(daas_core::Error::NotFound { .. }) = kept.await {
            self.end_session(session);
        }
    }

    async fn keep_fresh(self: Arc<Self>) {
        self.fleet().keep_fresh().await;
    }

    async fn reconcile(self: Arc<Self>) {
        self.lifecycle.keep_reconciled(RECONCILE).await;
    }

    async fn watch(self: Arc<Self>) {
        self.lifecycle.watch().await;
    }

    /// The hosts that run instances.
    pub(crate) fn fleet(&self) -> &Fleet {
        self.lifecycle.fleet()
    }

    async fn keep_pools(self: Arc<Self>) {
        loop {
            if let Err(error) = self.fill_pools().await {
                tracing::warn!(error = chain(&error), "pools were not filled");
            }
            tokio::select! {
                () = sleep(FILL) => {}
                () = self.lifecycle.claimed() => {}
            }
        }
    }

    async fn fill_pools(&self) -> daas_core::Result<()> {
        let wanted = self.settings.pools.wanted(jiff::Timestamp::now());
        let apps = self.store.apps().await?;
        let ids = apps.iter().filter_map(|app| {
            let (_, ready) = wanted.iter().find(|(slug, _)| *slug == app.slug)?;
            Some((app.id, *ready))
        });
        let ids: Vec<_> = ids.collect();
        self.lifecycle.fill_pools(&ids, Timestamp::now()).await
    }

    /// Looks again and again for sessions that have ended, wherever that was: by a request
    /// here, by another server, or by somebody at the database.
    async fn watch_sessions(self: Arc<Self>) {
        let mut ticks = interval(WATCH_SESSIONS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.end_ended_sessions().await;
        }
    }

    /// Ends what sessions have open that are no longer good.
    pub(crate) async fn end_ended_sessions(&self) {
        let mut sessions = self.tunnels.sessions();
        sessions.extend(self.streams().open.values().map(|(_, session)| *session));
        if sessions.is_empty() {
            return;
        }
        sessions.sort_unstable();
        sessions.dedup();
        match self.access.ended_sessions(sessions, Timestamp::now()).await {
            Ok(ended) => ended.into_iter().for_each(|hash| self.end_session(hash)),
            // Nothing is known, so all goes on until it is.
            Err(error) => tracing::warn!(error = chain(&error), "sessions could not be looked at"),
        }
    }

    /// Ends all that a session has open.
    pub(crate) fn end_session(&self, session: [u8; 32]) {
        self.tunnels.end_session(session);
        // Nobody may be listening.
        let _ = self.log_outs.send(session);
    }

    pub(crate) fn log_outs(&self) -> broadcast::Receiver<[u8; 32]> {
        self.log_outs.subscribe()
    }

    /// Becomes true when the server is to end.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Ends event streams, tunnels, and what goes on beside requests.
    pub(crate) async fn stop(&self) {
        self.stopping.send_replace(true);
        self.tunnels.stop().await;
        self.note_use_or_say(Timestamp::now()).await;
    }

    /// Counts an event stream of somebody; nothing where there are too many.
    pub(crate) fn enter_stream(
        self: &Arc<Self>,
        user: UserId,
        session: [u8; 32],
    ) -> Option<Stream> {
        let mut streams = self.streams();
        let of_user = streams.open.values().filter(|(other, _)| *other == user);
        if of_user.count() >= STREAMS_MAX {
            return None;
        }
        streams.last += 1;
        let id = streams.last;
        streams.open.insert(id, (user, session));
        Some(Stream {
            services: Arc::clone(self),
            id,
        })
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event stream that is counted until this is dropped.
pub(crate) struct Stream {
    services: Arc<Services>,
    id: u64,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.services.streams().open.remove(&self.id);
    }
}
