//! What every handler may use.

use std::{sync::Arc, time::Duration};

use keyway_bus::Bus;
use keyway_domain::Message;
use keyway_providers::{GuardedClient, LiveCatalog};
use keyway_store::{Store, TenantKeyCache, audit::AuditRecord};

use crate::{gate::Gate, group::Group};

/// The parts a worker process is made of, as the binary hands them in.
pub struct WorkerParts {
    /// The database.
    pub store: Store,
    /// Tenant keys over the vault.
    pub keys: TenantKeyCache,
    /// Lanes.
    pub bus: Arc<dyn Bus>,
    /// Providers and prices.
    pub catalog: LiveCatalog,
    /// The only way out.
    pub http: GuardedClient,
    /// Cadences and sizes.
    pub settings: WorkerSettings,
}

/// Cadences and sizes.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// How often usage is fetched for every integration.
    pub usage_interval: Duration,
    /// How often every key is verified again.
    pub verify_interval: Duration,
    /// How long a key waits at least, whose provider was away or whose verification came to nothing, until somebody looks
    /// again.
    pub recheck_after: Duration,
    /// When the second, independent probe follows the first that refused a key.
    pub confirm_after: Duration,
    /// How long finished operations and verdicts are kept.
    pub retention: Duration,
    /// How long single metered calls are kept; the sums of their days stay.
    pub ledger_retention: Duration,
    /// Jobs at once in each of the verify and usage lanes.
    pub concurrency: u16,
    /// Jobs that call the same provider at once.
    pub provider_concurrency: u16,
    /// So many percent of what is reported of a key may be missing from the metered ledger.
    pub drift_percent: u64,
    /// How long started jobs may take to end after a stop.
    pub drain: Duration,
    /// Whether this process owns the database alone: claims need no expiry then.
    pub embedded: bool,
}

/// What a handler is given: the parts, and the groups. Only the shell publishes on the bus.
pub(crate) struct Ctx {
    /// The database.
    pub store: Store,
    /// Tenant keys over the vault.
    pub keys: TenantKeyCache,
    /// Lanes.
    pub bus: Arc<dyn Bus>,
    /// Providers and prices.
    pub catalog: LiveCatalog,
    /// The only way out.
    pub http: GuardedClient,
    /// Cadences and sizes.
    pub settings: WorkerSettings,
    /// Who may call which provider now.
    pub gate: Gate,
    /// Where status events are committed in groups.
    pub status: Group<Message>,
    /// Where audit events are committed in groups.
    pub audit: Group<AuditRecord>,
}
