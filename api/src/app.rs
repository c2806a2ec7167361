//! State shared by all management requests.

use std::{sync::Arc, time::Duration};

use keyway_domain::{Invalidation, TenantId};
use keyway_providers::{GuardedClient, LiveCatalog, guard::Guard};
use keyway_store::{Store, TenantKeyCache};
use tokio_util::sync::CancellationToken;

use crate::{
    admission::{Admission, OutboxLimits},
    beside::ProxyBeside,
    hashing::Hashing,
    idempotency::InFlight,
    oidc::{Oidc, OidcSettings},
    principals::Principals,
};

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
    /// Address that people open Keyway at; `None`: that of the request.
    pub public_url: Option<String>,
    /// Sign-in by an identity provider, and the way to it; `None`: there is none.
    pub oidc: Option<(OidcSettings, GuardedClient)>,
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
    pub(crate) body_bytes: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) verify_interval: Duration,
    pub(crate) drift_percent: u64,
    pub(crate) in_flight: InFlight,
    pub(crate) admission: Admission,
    pub(crate) principals: Principals,
    pub(crate) hashing: Hashing,
    pub(crate) public_url: Option<String>,
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
            body_bytes: parts.body_bytes,
            body_timeout: parts.body_timeout,
            verify_interval: parts.verify_interval,
            drift_percent: parts.drift_percent,
            in_flight: InFlight::default(),
            admission: Admission::new(parts.outbox),
            principals: Principals::default(),
            hashing: Hashing::new(),
            public_url: parts.public_url,
            oidc: parts.oidc.map(|(settings, http)| Oidc::new(settings, http)),
            proxy: parts.proxy,
        })
    }

    /// Watches the outbox until `stop`, so that new work is refused while too much waits. Unless this runs, everything
    /// is accepted.
    pub async fn watch_outbox(self: Arc<Self>, stop: CancellationToken) {
        self.admission.watch(&self.store, &stop).await;
    }

    /// Drops what this API has in memory of people and services, when another process has changed it.
    pub fn forget_principal(&self, what: Invalidation) {
        self.principals.forget(what);
    }

    /// Drops all that this API has in memory of people and services, when changes may have been missed.
    pub fn forget_principals(&self) {
        self.principals.forget_all();
    }

    /// Drops cache entries of this process that a committed change affects.
    pub(crate) fn forget(&self, tenant_id: TenantId, what: Invalidation) {
        self.principals.forget(what);
        if let Some(proxy) = &self.proxy {
            proxy.forget(tenant_id, what);
        }
    }
}
