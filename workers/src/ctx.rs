//! The context of every handler.

use std::{sync::Arc, time::Duration};

use keyway_bus::Bus;
use keyway_domain::Message;
use keyway_providers::{GuardedClient, LiveCatalog};
use keyway_store::{Store, TenantKeyCache, audit::AuditRecord, mails::Outgoing};

use crate::{gate::Gate, group::Group, mail::Mailer};

/// Parts of a worker process, as the binary hands them in.
pub struct WorkerParts {
    /// The database.
    pub store: Store,
    /// Tenant keys over the vault.
    pub keys: TenantKeyCache,
    /// Lanes.
    pub bus: Arc<dyn Bus>,
    /// Providers and prices.
    pub catalog: LiveCatalog,
    /// The only outbound HTTP client.
    pub http: GuardedClient,
    /// Sends mails; `None`: no mail server is set.
    pub mailer: Option<Mailer>,
    /// Intervals and sizes.
    pub settings: WorkerSettings,
}

/// Intervals and sizes.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// Interval at which usage is fetched for every integration.
    pub usage_interval: Duration,
    /// Interval at which every key is verified again.
    pub verify_interval: Duration,
    /// Shortest wait until a key is verified again whose provider was unreachable or whose verification ended without a
    /// verdict.
    pub recheck_after: Duration,
    /// Delay between a first probe that refused a key and the second, independent one.
    pub confirm_after: Duration,
    /// Retention of finished operations and verdicts.
    pub retention: Duration,
    /// Retention of single metered calls; their daily sums stay.
    pub ledger_retention: Duration,
    /// Concurrent jobs in each of the verify and usage lanes.
    pub concurrency: u16,
    /// Concurrent jobs that call the same provider.
    pub provider_concurrency: u16,
    /// Percentage of a key's reported usage that may be missing from the metered ledger before its owner is told.
    pub drift_percent: u64,
    /// Time limit for started jobs to end after a stop.
    pub drain: Duration,
    /// `true` if this process alone uses the database, so that claims need no expiry.
    pub embedded: bool,
}

/// Context of a handler: the parts, and the groups. Only the attempt's shell publishes on the bus.
pub(crate) struct Ctx {
    /// The database.
    pub store: Store,
    /// Tenant keys over the vault.
    pub keys: TenantKeyCache,
    /// Lanes.
    pub bus: Arc<dyn Bus>,
    /// Providers and prices.
    pub catalog: LiveCatalog,
    /// The only outbound HTTP client.
    pub http: GuardedClient,
    /// Sends mails; `None`: no mail server is set.
    pub mailer: Option<Arc<Mailer>>,
    /// Way in which mails leave, for those who write some.
    pub outgoing: Outgoing,
    /// Intervals and sizes.
    pub settings: WorkerSettings,
    /// Concurrency limits and breakers of the providers.
    pub gate: Gate,
    /// Group commits of status events.
    pub status: Group<Message>,
    /// Group commits of audit events.
    pub audit: Group<AuditRecord>,
}
