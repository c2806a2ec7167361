//! State shared by all management requests.

use std::{sync::Arc, time::Duration};

use keyway_domain::{Invalidation, Notice, Noticed, TenantId, Timestamp};
use keyway_providers::{GuardedClient, LiveCatalog, guard::Guard};
use keyway_store::{Store, TenantKeyCache, mails::Outgoing};
use tokio_util::sync::CancellationToken;

use crate::{
    admission::{Admission, OutboxLimits},
    beside::ProxyBeside,
    hashing::Hashing,
    idempotency::InFlight,
    live::Live,
    oidc::{Oidc, OidcSettings},
    principals::Principals,
    published::PublishedCache,
};

/// How long sessions hold.
#[derive(Clone, Copy, Debug)]
pub struct SessionTimes {
    /// Time without use after which one ends.
    pub idle: Duration,
    /// Time after which one ends in any case.
    pub absolute: Duration,
}

impl Default for SessionTimes {
    fn default() -> Self {
        Self { idle: Duration::from_secs(8 * 3600), absolute: Duration::from_secs(24 * 3600) }
    }
}

/// Parts of an [`App`].
pub struct AppParts {
    /// The database.
    pub store: Store,
    /// Data keys of the tenants, to seal with.
    pub keys: TenantKeyCache,
    /// Predefined providers.
    pub catalog: LiveCatalog,
    /// Rule for base URLs.
    pub guard: Guard,
    /// SHA-256 of the admin key.
    pub admin_key_sha256: [u8; 32],
    /// Tenant that the admin key acts in by default.
    pub default_tenant: TenantId,
    /// Address that people open Keyway at; `None`: that of the request.
    pub public_url: Option<String>,
    /// Way in which mails leave.
    pub outgoing: Outgoing,
    /// Largest body of a management request, in bytes.
    pub body_bytes: usize,
    /// Time limit for a body to arrive.
    pub body_timeout: Duration,
    /// Time until a new integration is verified again by schedule.
    pub verify_interval: Duration,
    /// Percentage of a key's reported usage that may be missing from the metered ledger before its owner is told.
    pub drift_percent: u64,
    /// Limits of the outbox above which new work is refused.
    pub outbox: OutboxLimits,
    /// Sign-in by an identity provider, and the way to it; `None`: there is none.
    pub oidc: Option<(OidcSettings, GuardedClient)>,
    /// How long sessions hold.
    pub sessions: SessionTimes,
    /// The proxy that is served beside it; `None`: none is.
    pub proxy: Option<Arc<dyn ProxyBeside>>,
}

/// The management API's state, shared by all requests.
pub struct App {
    pub(crate) store: Store,
    pub(crate) keys: TenantKeyCache,
    pub(crate) catalog: LiveCatalog,
    pub(crate) guard: Guard,
    pub(crate) admin_key_sha256: [u8; 32],
    pub(crate) default_tenant: TenantId,
    pub(crate) public_url: Option<String>,
    pub(crate) outgoing: Outgoing,
    pub(crate) body_bytes: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) verify_interval: Duration,
    pub(crate) drift_percent: u64,
    pub(crate) in_flight: InFlight,
    pub(crate) admission: Admission,
    pub(crate) sessions: SessionTimes,
    pub(crate) principals: Principals,
    pub(crate) hashing: Hashing,
    pub(crate) live: Live,
    pub(crate) published: PublishedCache,
    pub(crate) oidc: Option<Oidc>,
    pub(crate) proxy: Option<Arc<dyn ProxyBeside>>,
}

impl App {
    /// Builds the state from its parts.
    #[must_use]
    pub fn new(parts: AppParts) -> Arc<Self> {
        Arc::new(Self {
            store: parts.store,
            keys: parts.keys,
            catalog: parts.catalog,
            guard: parts.guard,
            admin_key_sha256: parts.admin_key_sha256,
            default_tenant: parts.default_tenant,
            public_url: parts.public_url,
            outgoing: parts.outgoing,
            body_bytes: parts.body_bytes,
            body_timeout: parts.body_timeout,
            verify_interval: parts.verify_interval,
            drift_percent: parts.drift_percent,
            in_flight: InFlight::default(),
            admission: Admission::new(parts.outbox),
            sessions: parts.sessions,
            principals: Principals::default(),
            hashing: Hashing::new(),
            live: Live::new(Timestamp::now()),
            published: PublishedCache::default(),
            oidc: parts.oidc.map(|(settings, http)| Oidc::new(settings, http)),
            proxy: parts.proxy,
        })
    }

    /// Watches the outbox until `stop`, so that new work is refused while too much waits. Unless this runs, everything
    /// is accepted.
    pub async fn watch_outbox(self: Arc<Self>, stop: CancellationToken) {
        self.admission.watch(&self.store, &stop).await;
    }

    /// Takes note of what another process has changed: drops what this API has in memory of people and services, and
    /// tells pages of a tenant whose integrations changed.
    pub fn note(&self, tenant_id: TenantId, what: Invalidation) {
        self.principals.forget(what);
        match what {
            Invalidation::Integrations => {
                self.live.tell([Notice::new(tenant_id, Noticed::Status(None), Timestamp::now())]);
            }
            Invalidation::User { .. } | Invalidation::Service { .. } => self.live.forget(what),
            Invalidation::Published => self.published.forget(tenant_id),
            Invalidation::VirtualKey { .. } | Invalidation::Providers => {}
        }
    }

    /// Tells open pages what has changed.
    pub fn notify(&self, notices: Vec<Notice>) {
        self.live.tell(notices);
    }

    /// Tells open pages that notices may have been missed.
    pub fn notices_lost(&self) {
        self.live.gap();
    }

    /// Ends the streams of open pages, so that a stop does not wait for them.
    pub fn end_streams(&self) {
        self.live.end();
    }

    /// Drops all that this API has in memory of people, services and publications, when changes may have been missed. Streams end, too:
    /// the rights of anybody who listens may be among them.
    pub fn forget_principals(&self) {
        self.principals.forget_all();
        self.published.forget_all();
        self.live.end();
    }

    /// Drops cache entries of this process that a committed change affects.
    pub(crate) fn forget(&self, tenant_id: TenantId, what: Invalidation) {
        self.principals.forget(what);
        if what == Invalidation::Published {
            self.published.forget(tenant_id);
        }
        if let Some(proxy) = &self.proxy {
            proxy.forget(tenant_id, what);
        }
    }
}
