//! The proxy of a process: what it is made of, its tasks, its start and its end.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use keyway_bus::Bus;
use keyway_domain::{AuthFailure, Invalidation, ProjectId, TenantId};
use keyway_providers::{LiveCatalog, guard::Guard};
use keyway_store::{Store, StoreError, TenantKeyCache, virtual_keys};
use keyway_telemetry::{Home, OnceAMinute, metrics, spawn};
use keyway_vault::ProviderSecret;
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    answer::cache::AnswerCache,
    auth_failures::AuthFailures,
    caches::Caches,
    client::{ProviderClient, connect::Connector},
    grouped_audit::GroupedAudit,
    invalidations,
    ledger::{
        drain::{DrainError, Drainer},
        refused_calls::RefusedCalls,
        spool::Spool,
    },
    limits::Limiter,
    refusal::{Code, Refusal},
    replica::Replica,
    request::{
        caller::{KeyHash, KeyHolder},
        cors::CorsOrigins,
        room::Room,
    },
    route::{
        cooling::Cooling, fallback, owners::Owners, project::Project, sources::Sources, stand_ins::StandIns, upstream,
        usage_option::UsageOption,
    },
    warm::{Held, Loaded, WarmCache},
};

/// Largest number of cached virtual keys; `PROJECTS` is that of projects.
const CALLERS: usize = 50_000;
const PROJECTS: usize = 10_000;
/// Largest number of concurrent look-ups of virtual keys in the database: made-up keys must not take every connection.
/// Cached keys do not wait.
const LOOK_UPS: usize = 16;
/// Time for which a look-up waits for its turn.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(1);
/// Directory of the spool, below the data directory.
pub const SPOOL: &str = "spool";
/// Number of virtual keys loaded at start.
const WARMED: u64 = 5_000;
/// Interval at which the drainer polls for segments.
const DRAIN_INTERVAL: Duration = Duration::from_secs(5);
/// Time limit of a stop for the disk and the database.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Parts of a [`Proxy`].
pub struct ProxyParts {
    /// The database, for entries that are not cached.
    pub store: Store,
    /// Data keys of the tenants, to open secrets with.
    pub keys: TenantKeyCache,
    /// Predefined providers.
    pub catalog: LiveCatalog,
    /// Rule for hosts.
    pub guard: Guard,
    /// Source of invalidations.
    pub bus: Arc<dyn Bus>,
    /// Data directory, which contains the spool.
    pub data_dir: PathBuf,
    /// Largest body that is read before it is forwarded, in bytes.
    pub body_bytes: usize,
    /// Memory limit in bytes of all bodies that were read, until they are sent on.
    pub bodies_bytes: usize,
    /// Time that providers have to begin an answer, for all attempts together.
    pub first_byte_timeout: Duration,
    /// Origins of web pages that may call.
    pub cors: CorsOrigins,
    /// The operator's OpenRouter key, for projects that consent to it.
    pub fallback_key: Option<ProviderSecret>,
}

/// Reason why the proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The spool cannot be made: check the data directory.
    #[error("the spool cannot be made in the data directory: {0}")]
    Spool(#[source] io::Error),
    /// TLS is not usable: check the machine's certificates.
    #[error("TLS is not usable; check the machine's certificates: {0}")]
    Tls(#[source] io::Error),
}

/// The proxy of this process.
pub struct Proxy {
    pub(crate) sources: Arc<Sources>,
    pub(crate) caches: Caches,
    look_ups: Semaphore,
    connector: Connector,
    pub(crate) cooling: Cooling,
    pub(crate) usage_option: UsageOption,
    pub(crate) refused_calls: RefusedCalls,
    pub(crate) auth_failures: AuthFailures,
    audit: Arc<GroupedAudit>,
    pub(crate) owners: Arc<Owners>,
    pub(crate) cors: CorsOrigins,
    pub(crate) first_byte_timeout: Duration,
    pub(crate) limiter: Arc<Limiter>,
    replica: Replica,
    pub(crate) spool: Spool,
    drainer: Arc<Mutex<Drainer>>,
    pub(crate) room: Room,
    /// WebSockets under way, which have left their server connections.
    pub(crate) sessions: TaskTracker,
    pub(crate) end_sessions: CancellationToken,
    _stop: DropGuard,
}

impl Proxy {
    /// Starts the proxy: its spool, and the tasks that drain it and drop outdated entries. They end when the proxy is
    /// dropped.
    ///
    /// # Errors
    /// [`ProxyError`].
    pub fn new(parts: ProxyParts) -> Result<Arc<Self>, ProxyError> {
        // A counter that appears with its first event has no increase that an alert could see.
        for code in Code::ALL {
            metrics().proxy_refused.with_label_values(&[code.text()]);
        }
        fallback::show_counters();
        upstream::show_counters();
        let (home, stop) = (Home::here(), CancellationToken::new());
        let (sealed, bytes) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
        let directory = parts.data_dir.join(SPOOL);
        let (spool, writer) =
            Spool::new(&directory, Arc::clone(&sealed), Arc::clone(&bytes)).map_err(ProxyError::Spool)?;
        drop(spawn("spool writer", writer.run()));
        let drainer = Arc::new(Mutex::new(Drainer::new(directory, parts.store.clone(), bytes)));
        drop(spawn("spool drainer", keep_draining(Arc::clone(&drainer), sealed, stop.clone())));
        let callers = Arc::new(WarmCache::new("callers", CALLERS));
        let projects = Arc::new(WarmCache::new("projects", PROJECTS));
        let answers = AnswerCache::new();
        let caches = Caches { callers, projects, answers };
        let signals = parts.bus.invalidations();
        let replica = Replica::start(&parts.data_dir, parts.store.clone(), caches.clone(), &stop);
        let (replica, dropped) = replica.map_err(ProxyError::Spool)?;
        drop(spawn("proxy invalidations", invalidations::listen(signals, caches.clone(), dropped, stop.clone())));
        let catalog = parts.catalog.changes();
        drop(spawn("proxy catalog", invalidations::follow(catalog, caches.clone(), stop.clone())));
        let audit = Arc::new(GroupedAudit::new(parts.store.clone()));
        drop(spawn("grouped audit", keep_auditing(Arc::clone(&audit), stop.clone())));
        let limiter = Limiter::new(home.clone(), parts.store.clone());
        drop(spawn("limits", Arc::clone(&limiter).keep_tidy(stop.clone())));
        Ok(Arc::new(Self {
            connector: Connector::new(&parts.guard).map_err(ProxyError::Tls)?,
            sources: Arc::new(Sources {
                home,
                store: parts.store,
                keys: parts.keys,
                catalog: parts.catalog,
                guard: parts.guard,
                fallback_key: parts.fallback_key.map(Arc::new),
                outage: Arc::default(),
                stand_ins: StandIns::default(),
                audit: Arc::clone(&audit),
            }),
            caches,
            look_ups: Semaphore::new(LOOK_UPS),
            cooling: Cooling::default(),
            usage_option: UsageOption::default(),
            refused_calls: RefusedCalls::default(),
            auth_failures: AuthFailures::new(Arc::clone(&audit)),
            audit: Arc::clone(&audit),
            owners: Arc::default(),
            cors: parts.cors,
            first_byte_timeout: parts.first_byte_timeout,
            limiter,
            replica,
            spool,
            drainer,
            room: Room::new(parts.body_bytes, parts.bodies_bytes),
            sessions: TaskTracker::new(),
            end_sessions: CancellationToken::new(),
            _stop: stop.drop_guard(),
        }))
    }

    /// Loads the most recently used virtual keys and their projects, so that the first requests find them.
    ///
    /// # Errors
    /// The database is away; requests will load the entries they need.
    pub async fn warm(&self) -> Result<(), StoreError> {
        let store = &self.sources.store;
        let mut holders = Vec::new();
        let reading = async {
            let tx = store.system_read().await?;
            let rows = virtual_keys::recently_used(&tx, WARMED).await?;
            holders.extend(rows.iter().map(|(_, row)| KeyHolder::known(row)));
            Ok::<_, StoreError>(rows.into_iter().map(|(hash, row)| (hash, KeyHolder::known(&row))).collect())
        };
        self.caches.callers.fill(reading).await?;
        for holder in holders {
            let KeyHolder::Known(principal) = holder.value() else { continue };
            let (tenant_id, project_id) = (principal.tenant_id, principal.project_id);
            if let Err(refusal) = self.project(tenant_id, project_id, Instant::now()).await {
                tracing::debug!(code = refusal.code().text(), "a project could not be loaded ahead");
            }
        }
        Ok(())
    }

    /// Drops entries that a change made by this process affects, before its answer is sent.
    pub fn forget(&self, tenant_id: TenantId, what: Invalidation) {
        self.caches.forget(tenant_id, what);
    }

    /// Notes a failure at another door of this process, and waits as long as its sender has to: of one address all wrong
    /// keys count together.
    pub async fn refuse(&self, peer: SocketAddr, failure: AuthFailure) {
        self.auth_failures.refuse(peer, failure).await;
    }

    /// Builds a client for one event loop: its connections to providers stay there.
    pub fn client(&self) -> ProviderClient {
        ProviderClient::new(self.connector.clone())
    }

    /// Ends every WebSocket and waits until its record is kept, for a graceful stop.
    pub(crate) async fn end_sessions(&self) {
        self.end_sessions.cancel();
        self.sessions.close();
        self.sessions.wait().await;
    }

    /// Moves every record into the outbox and hands back leases, for a graceful stop, after the last answer.
    pub async fn drain(&self) {
        self.limiter.give_back().await;
        let drained = async {
            self.spool.flush().await;
            let mut drainer = self.drainer.lock().await;
            drainer.round().await?;
            drainer.write_uses().await?;
            self.audit.write_all().await?;
            Ok::<_, DrainError>(self.replica.leave().await?)
        };
        match tokio::time::timeout(DRAIN_TIMEOUT, drained).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "records stay on the spool; the next start moves them"),
            Err(_) => tracing::warn!("the spool was not drained in time; the next start goes on"),
        }
    }

    pub(crate) async fn caller(&self, hash: &KeyHash, now: Instant) -> Result<Held<KeyHolder>, Refusal> {
        match self.caches.callers.peek(hash, now) {
            Some(caller) => Ok(caller),
            None => self.caches.callers.get(hash, Box::pin(self.look_up(hash))).await,
        }
    }

    async fn look_up(&self, hash: &KeyHash) -> Result<Loaded<KeyHolder>, Refusal> {
        let busy = |_| Refusal::new(Code::Unavailable, "too many virtual keys are being looked up; try again");
        let turn = tokio::time::timeout(LOOK_UP_TIMEOUT, self.look_ups.acquire()).await;
        let _turn = turn.map_err(busy)?;
        self.sources.holder(*hash).await
    }

    pub(crate) async fn project(
        &self,
        tenant_id: TenantId,
        project_id: ProjectId,
        now: Instant,
    ) -> Result<Held<Project>, Refusal> {
        match self.caches.projects.peek(&project_id, now) {
            Some(project) => Ok(project),
            None => self.caches.projects.get(&project_id, Box::pin(self.sources.project(tenant_id, project_id))).await,
        }
    }
}

async fn keep_auditing(audit: Arc<GroupedAudit>, stop: CancellationToken) {
    audit.keep_writing(&stop).await;
}

async fn keep_draining(drainer: Arc<Mutex<Drainer>>, sealed: Arc<Notify>, stop: CancellationToken) {
    loop {
        if let Err(error) = drainer.lock().await.round().await {
            static TOLD: OnceAMinute = OnceAMinute::new();
            if let Some(held_back) = TOLD.passes() {
                tracing::warn!(%error, held_back, "records stay on the spool for now");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sealed.notified() => {}
            () = tokio::time::sleep(DRAIN_INTERVAL) => {}
        }
    }
}
