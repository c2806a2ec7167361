//! The API's commands without its listener, for an operator at a terminal.

use std::{sync::Arc, time::Duration};

use keyway_api::{App, AppParts, Console, OutboxLimits, SessionTimes};
use keyway_config::Config;
use keyway_domain::Timestamp;
use keyway_providers::{LiveCatalog, guard::Guard};
use keyway_store::{Store, TenantKeyCache, tenants};
use keyway_vault::Vault;

/// Returns a console on an existing database; a sealed vault is enough for commands that neither open nor seal.
///
/// # Errors
/// A failure, with the remedy.
pub(crate) async fn open(config: &Config, store: Store, vault: Vault, catalog: LiveCatalog) -> anyhow::Result<Console> {
    let tx = store.system().await?;
    let default_tenant = tenants::ensure_default(&tx, Timestamp::now()).await?.id;
    tx.commit().await?;
    Ok(Console::new(App::new(AppParts {
        store,
        keys: TenantKeyCache::new(Arc::new(vault)),
        catalog,
        guard: Guard::new(&config.process.trusted_upstreams)?,
        admin_key_sha256: [0; 32],
        default_tenant,
        public_url: config.api.public_url.clone(),
        outgoing: crate::parts::outgoing(config),
        body_bytes: config.api.api_body_bytes,
        body_timeout: Duration::from_secs(30),
        verify_interval: config.workers.verify_interval,
        drift_percent: config.workers.drift_percent,
        outbox: OutboxLimits { max_rows: config.api.outbox_max_rows, max_age: config.api.outbox_max_age },
        oidc: None,
        sessions: SessionTimes { idle: config.api.session_idle, absolute: config.api.session },
        proxy: None,
    })))
}
