//! What every management request may use.

use std::{sync::Arc, time::Duration};

use keyway_domain::TenantId;
use keyway_providers::{Catalog, guard::Guard};
use keyway_store::{Store, TenantKeyCache};

use crate::idempotency::InFlight;

/// What an [`App`] is made of.
pub struct AppParts {
    /// The database.
    pub store: Store,
    /// The tenants' data keys, to seal with.
    pub keys: TenantKeyCache,
    /// The predefined providers.
    pub catalog: Arc<Catalog>,
    /// The rule for base URLs.
    pub guard: Guard,
    /// The SHA-256 of the admin key.
    pub admin_key_sha256: [u8; 32],
    /// The tenant the admin key acts in by default.
    pub default_tenant: TenantId,
    /// The largest body of a management request.
    pub body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// When a new integration is verified again by schedule.
    pub verify_interval: Duration,
}

/// The management API's state, shared by all requests.
pub struct App {
    pub(crate) store: Store,
    pub(crate) keys: TenantKeyCache,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) guard: Guard,
    pub(crate) admin_key_sha256: [u8; 32],
    pub(crate) default_tenant: TenantId,
    pub(crate) body_bytes: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) verify_interval: Duration,
    pub(crate) in_flight: InFlight,
}

impl App {
    /// Puts the parts together.
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
            in_flight: InFlight::default(),
        })
    }
}
