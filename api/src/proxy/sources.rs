//! Sources: where projects and virtual keys are read from when they are not in memory.

use std::sync::Arc;

use keyway_providers::{LiveCatalog, guard::Guard};
use keyway_store::{Store, TenantKeyCache};
use keyway_telemetry::Home;
use keyway_vault::{SecretString, VaultError};

use super::{
    caller::{KeyHash, KeyHolder},
    outage::Outage,
    refusal::Refusal,
    stand_ins::StandIns,
    warm::Loaded,
};
use crate::grouped_audit::GroupedAudit;

/// The places that a project is read from.
pub(super) struct Sources {
    /// The runtime in which the database is asked.
    pub(super) home: Home,
    pub(super) store: Store,
    pub(super) keys: TenantKeyCache,
    pub(super) catalog: LiveCatalog,
    pub(super) guard: Guard,
    /// The operator's OpenRouter key.
    pub(super) fallback_key: Option<Arc<SecretString>>,
    /// The memory of whether asking is of any use.
    pub(super) outage: Arc<Outage>,
    /// OpenRouter in the place of other providers.
    pub(super) stand_ins: StandIns,
    /// The notes of secrets that do not open.
    pub(super) audit: Arc<GroupedAudit>,
}

impl Sources {
    /// Refuses while the vault is sealed.
    pub(super) fn check_open(&self) -> Result<(), Refusal> {
        match self.keys.vault().sealed_reason() {
            Some(reason) => Err(VaultError::Sealed(reason.to_owned()).into()),
            None => Ok(()),
        }
    }

    /// Reads who has the virtual key with this hash.
    pub(super) async fn holder(&self, hash: KeyHash) -> Result<Loaded<KeyHolder>, Refusal> {
        let (store, outage) = (self.store.clone(), Arc::clone(&self.outage));
        let load = async move { Ok(KeyHolder::load(&store, &hash).await?) };
        self.home.run("virtual key", Box::pin(async move { outage.look_up(load).await })).await?
    }
}
