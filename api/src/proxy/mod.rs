//! The proxy: applications call providers with a virtual key and never see a provider's key.
//!
//! A virtual key leads to its project, the project to an integration, the integration to a sealed secret;
//! all three are kept in memory, the secret sealed: it is opened for each request and wiped after it.
//! Answers stream; a request's body streams unless its model routes it or its stream is metered, when
//! it is read first. Every call leaves one record on the spool. The proxy must never store or log a
//! secret, follow a redirect, or ask the database on the warm path.

mod caller;
mod client;
mod drain;
mod events;
mod forward;
mod headers;
mod inspect;
mod intake;
mod models;
mod path;
mod plan;
mod project;
mod record;
mod redact;
mod refusal;
mod relay;
mod spool;
mod tee;
mod under_way;
mod upstream;
mod warm;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use keyway_bus::{Bus, InvalidationSignal, InvalidationStream};
use keyway_domain::{Invalidation, ProjectId, TenantId};
use keyway_providers::{CatalogChanges, LiveCatalog, guard::Guard};
use keyway_store::{Store, StoreError, TenantKeyCache, virtual_keys};
use keyway_telemetry::{metrics, spawn};
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

use caller::{KeyHash, KeyHolder, Principal};
use client::ProviderClient;
use drain::Drainer;
use intake::Room;
use project::{Project, Sources};
use refusal::{Code, Refusal};
pub use relay::ProxyBody as Body;
use spool::Spool;
use warm::{Held, Loaded, WarmCache};

/// Callers and projects kept in memory at most.
const CALLERS: usize = 50_000;
const PROJECTS: usize = 10_000;
/// Virtual keys that are looked up in the database at once: keys that somebody makes up must not take
/// every connection. Those that are in memory do not wait.
const LOOK_UPS: usize = 16;
/// How long a look-up waits for its turn.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(1);
/// What bodies that were read may take together, until they are sent on.
const BODIES_BYTES: usize = 512 << 20;
/// Virtual keys that are loaded at start.
const WARMED: u64 = 5_000;
/// How often the drainer looks for segments without being told.
const DRAIN_INTERVAL: Duration = Duration::from_secs(5);
/// A stop waits no longer for the disk and the database.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

/// What a [`Proxy`] is made of.
pub struct ProxyParts {
    /// The database, for what is not in memory.
    pub store: Store,
    /// The tenants' data keys, to open secrets with.
    pub keys: TenantKeyCache,
    /// The predefined providers.
    pub catalog: LiveCatalog,
    /// The rule for hosts.
    pub guard: Guard,
    /// Tells what to forget.
    pub bus: Arc<dyn Bus>,
    /// The spool lies below it.
    pub data_dir: PathBuf,
    /// The largest body that is read before it is forwarded.
    pub body_bytes: usize,
}

/// Why there is no proxy.
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
    sources: Arc<Sources>,
    callers: Arc<WarmCache<KeyHash, KeyHolder>>,
    look_ups: Semaphore,
    projects: Arc<WarmCache<ProjectId, Project>>,
    client: ProviderClient,
    spool: Spool,
    drainer: Arc<Mutex<Drainer>>,
    room: Room,
    _stop: DropGuard,
}

impl Proxy {
    /// Starts the proxy: its spool, and the tasks that drain it and forget what changed. They end
    /// when the proxy is dropped.
    ///
    /// # Errors
    /// [`ProxyError`].
    pub fn new(parts: ProxyParts) -> Result<Arc<Self>, ProxyError> {
        // A counter that appears with its first event has no increase that an alert could see.
        for code in Code::ALL {
            metrics().proxy_refused.with_label_values(&[code.text()]);
        }
        let stop = CancellationToken::new();
        let (sealed, bytes) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
        let directory = parts.data_dir.join("spool");
        let (spool, writer) =
            Spool::new(&directory, Arc::clone(&sealed), Arc::clone(&bytes)).map_err(ProxyError::Spool)?;
        drop(spawn("spool writer", writer.run()));
        let drainer = Arc::new(Mutex::new(Drainer::new(directory, parts.store.clone(), bytes)));
        drop(spawn("spool drainer", keep_draining(Arc::clone(&drainer), sealed, stop.clone())));
        let callers = Arc::new(WarmCache::new("callers", CALLERS));
        let projects = Arc::new(WarmCache::new("projects", PROJECTS));
        let signals = parts.bus.invalidations();
        drop(spawn("proxy invalidations", listen(signals, Arc::clone(&callers), Arc::clone(&projects), stop.clone())));
        let catalog = parts.catalog.changes();
        drop(spawn("proxy catalog", follow(catalog, Arc::clone(&projects), stop.clone())));
        Ok(Arc::new(Self {
            client: client::client(&parts.guard).map_err(ProxyError::Tls)?,
            sources: Arc::new(Sources {
                store: parts.store,
                keys: parts.keys,
                catalog: parts.catalog,
                guard: parts.guard,
            }),
            callers,
            look_ups: Semaphore::new(LOOK_UPS),
            projects,
            spool,
            drainer,
            room: Room::new(parts.body_bytes, BODIES_BYTES),
            _stop: stop.drop_guard(),
        }))
    }

    /// Loads the virtual keys used last and their projects, so that the first requests find them.
    ///
    /// # Errors
    /// The database is away; requests will load what they need.
    pub async fn warm(&self) -> Result<(), StoreError> {
        let store = &self.sources.store;
        let mut holders = Vec::new();
        let reading = async {
            let tx = store.system_read().await?;
            let rows = virtual_keys::recently_used(&tx, WARMED).await?;
            holders.extend(rows.iter().map(|(_, row)| KeyHolder::known(row)));
            Ok::<_, StoreError>(rows.into_iter().map(|(hash, row)| (hash, KeyHolder::known(&row))).collect())
        };
        self.callers.fill(reading).await?;
        for holder in holders {
            let KeyHolder::Known(principal) = holder.value() else { continue };
            if let Err(refusal) = self.project(principal, Instant::now()).await {
                tracing::debug!(code = refusal.code().text(), "a project could not be loaded ahead");
            }
        }
        Ok(())
    }

    /// Drops from memory what a change of this process touches, before its answer goes out.
    pub fn forget(&self, tenant_id: TenantId, what: Invalidation) {
        forget(&self.callers, &self.projects, tenant_id, what);
    }

    /// Moves every record into the outbox: for a graceful stop, after the last answer.
    pub async fn drain(&self) {
        let drained = async {
            self.spool.flush().await;
            let mut drainer = self.drainer.lock().await;
            drainer.round().await?;
            drainer.write_uses().await
        };
        match tokio::time::timeout(DRAIN_TIMEOUT, drained).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "records stay on the spool; the next start moves them"),
            Err(_) => tracing::warn!("the spool was not drained in time; the next start goes on"),
        }
    }

    async fn caller(&self, hash: &KeyHash, now: Instant) -> Result<Held<KeyHolder>, Refusal> {
        match self.callers.peek(hash, now) {
            Some(caller) => Ok(caller),
            None => self.callers.get(hash, self.look_up(hash)).await,
        }
    }

    async fn look_up(&self, hash: &KeyHash) -> Result<Loaded<KeyHolder>, Refusal> {
        let busy = |_| Refusal::new(Code::Unavailable, "too many virtual keys are being looked up; try again");
        let turn = tokio::time::timeout(LOOK_UP_TIMEOUT, self.look_ups.acquire()).await;
        let _turn = turn.map_err(busy)?;
        Ok(KeyHolder::load(&self.sources.store, hash).await?)
    }

    async fn project(&self, principal: &Principal, now: Instant) -> Result<Held<Project>, Refusal> {
        match self.projects.peek(&principal.project_id, now) {
            Some(project) => Ok(project),
            None => self.projects.get(&principal.project_id, Project::load(&self.sources, principal)).await,
        }
    }
}

fn forget(
    callers: &WarmCache<KeyHash, KeyHolder>,
    projects: &WarmCache<ProjectId, Project>,
    tenant_id: TenantId,
    what: Invalidation,
) {
    match what {
        Invalidation::VirtualKey { id } => callers.forget(id.uuid()),
        Invalidation::Integrations | Invalidation::Providers => projects.forget(tenant_id.uuid()),
    }
}

async fn listen(
    mut signals: InvalidationStream,
    callers: Arc<WarmCache<KeyHash, KeyHolder>>,
    projects: Arc<WarmCache<ProjectId, Project>>,
    stop: CancellationToken,
) {
    loop {
        let signal = tokio::select! {
            () = stop.cancelled() => return,
            signal = signals.next() => signal,
        };
        match signal {
            Some(InvalidationSignal::Changed(tenant_id, what, _)) => forget(&callers, &projects, tenant_id, what),
            Some(InvalidationSignal::Lost) => {
                callers.forget_all();
                projects.forget_all();
            }
            // The bus is gone, and with it the process soon; until then entries live for their time.
            None => return,
        }
    }
}

/// What is kept of a project holds what the catalog said of its providers.
async fn follow(mut catalog: CatalogChanges, projects: Arc<WarmCache<ProjectId, Project>>, stop: CancellationToken) {
    while stop.run_until_cancelled(catalog.next()).await.is_some() {
        projects.forget_all();
    }
}

async fn keep_draining(drainer: Arc<Mutex<Drainer>>, sealed: Arc<Notify>, stop: CancellationToken) {
    loop {
        if let Err(error) = drainer.lock().await.round().await {
            tracing::warn!(%error, "records stay on the spool for now");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sealed.notified() => {}
            () = tokio::time::sleep(DRAIN_INTERVAL) => {}
        }
    }
}
