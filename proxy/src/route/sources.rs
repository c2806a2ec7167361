//! Sources: where projects and virtual keys are read from when they are not in memory.

use std::sync::Arc;

use keyway_providers::{LiveCatalog, guard::Guard};
use keyway_store::{Store, TenantKeyCache};
use keyway_telemetry::Home;
use keyway_vault::{ProviderSecret, VaultError};

use super::{outage::Outage, stand_ins::StandIns};
use crate::{
    grouped_audit::GroupedAudit,
    refusal::Refusal,
    request::caller::{KeyHash, KeyHolder},
    warm::Loaded,
};

/// The places that a project is read from.
pub(crate) struct Sources {
    /// The runtime in which the database is asked.
    pub(crate) home: Home,
    pub(crate) store: Store,
    pub(crate) keys: TenantKeyCache,
    pub(crate) catalog: LiveCatalog,
    pub(crate) guard: Guard,
    /// The operator's OpenRouter key.
    pub(crate) fallback_key: Option<Arc<ProviderSecret>>,
    /// The memory of whether asking is of any use.
    pub(crate) outage: Arc<Outage>,
    /// OpenRouter in the place of other providers.
    pub(crate) stand_ins: StandIns,
    /// The notes of secrets that do not open.
    pub(crate) audit: Arc<GroupedAudit>,
}

impl Sources {
    /// Refuses while the vault is sealed.
    pub(crate) fn check_open(&self) -> Result<(), Refusal> {
        match self.keys.vault().sealed_reason() {
            Some(reason) => Err(VaultError::Sealed(reason.to_owned()).into()),
            None => Ok(()),
        }
    }

    /// Loads the holder of the virtual key with this hash.
    pub(crate) async fn holder(&self, hash: KeyHash) -> Result<Loaded<KeyHolder>, Refusal> {
        let (store, outage) = (self.store.clone(), Arc::clone(&self.outage));
        let load = async move { Ok(KeyHolder::load(&store, &hash).await?) };
        self.home.run("virtual key", Box::pin(async move { outage.look_up(load).await })).await?
    }
}
