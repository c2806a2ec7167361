//! Unwrapped tenant keys, loaded from their rows and kept in memory.
//!
//! A data key never changes under its id, so an entry is never stale; the cache is bounded. This
//! must never write an unwrapped key anywhere.

use std::sync::Arc;

use keyway_domain::{DataKeyId, Timestamp};
use keyway_vault::{TenantKeys, Vault, VaultError, WrappedDataKey};
use quick_cache::sync::Cache;

use crate::{
    StoreError, TenantTx,
    data_keys::{self, DataKeyRow},
};

const CAPACITY: usize = 10_000;

/// Reason why a tenant's keys are not available.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The vault is sealed, or the row does not open with this keyring.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The row cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The tenant keys of this process.
#[derive(Clone)]
pub struct TenantKeyCache {
    vault: Arc<Vault>,
    keys: Arc<Cache<DataKeyId, Arc<TenantKeys>>>,
}

impl TenantKeyCache {
    /// Returns an empty cache over this vault.
    #[must_use]
    pub fn new(vault: Arc<Vault>) -> Self {
        Self { vault, keys: Arc::new(Cache::new(CAPACITY)) }
    }

    /// Returns the vault behind the cache.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Returns the keys that seal new secrets of the tenant. The first call for a tenant makes them, in `tx`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn current(&self, tx: &TenantTx) -> Result<Arc<TenantKeys>, KeyError> {
        if let Some(row) = data_keys::active(tx).await? {
            return Ok(self.unwrapped(row)?);
        }
        let made = self.vault.new_data_key(tx.tenant_id())?;
        let row = data_keys::insert_if_absent(tx, &stored(made.row), Timestamp::now()).await?;
        // Not cached: only the commit of `tx` makes the row real.
        Ok(if row.id == made.keys.id() { Arc::new(made.keys) } else { self.unwrapped(row)? })
    }

    /// Returns the keys for secrets sealed under the data key `id`.
    ///
    /// # Errors
    /// [`KeyError`]; [`StoreError::NotFound`] when the tenant has no such data key.
    pub async fn by_id(&self, tx: &TenantTx, id: DataKeyId) -> Result<Arc<TenantKeys>, KeyError> {
        if let Some(keys) = self.keys.get(&id) {
            return Ok(keys);
        }
        Ok(self.unwrapped(data_keys::find(tx, id).await?.ok_or(StoreError::NotFound)?)?)
    }

    /// Returns the keys of a data key row that was read already.
    ///
    /// # Errors
    /// [`VaultError`] if the vault is sealed, or the row does not open with this keyring.
    pub fn unwrapped(&self, row: DataKeyRow) -> Result<Arc<TenantKeys>, VaultError> {
        if let Some(keys) = self.keys.get(&row.id) {
            return Ok(keys);
        }
        let keys = Arc::new(self.vault.unwrap(&wrapped(row))?);
        self.keys.insert(keys.id(), Arc::clone(&keys));
        Ok(keys)
    }
}

fn stored(key: WrappedDataKey) -> DataKeyRow {
    DataKeyRow {
        id: key.id,
        tenant_id: key.tenant_id,
        root_version: key.root_version,
        wrapped_enc: key.wrapped_enc,
        wrapped_fp: key.wrapped_fp,
    }
}

fn wrapped(row: DataKeyRow) -> WrappedDataKey {
    WrappedDataKey {
        id: row.id,
        tenant_id: row.tenant_id,
        root_version: row.root_version,
        wrapped_enc: row.wrapped_enc,
        wrapped_fp: row.wrapped_fp,
    }
}
