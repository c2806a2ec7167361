//! Sealed secrets together with the data needed to open and use them, for the proxy's cache and the verify and fetch
//! workers. Still sealed: only the vault opens an envelope.

use std::collections::HashMap;

use keyway_domain::{DataKeyId, IntegrationId, ProjectId, SecretId};

use crate::{
    StoreError, TenantTx,
    data_keys::{self, DataKeyRow},
    entity::{integrations as table, secrets},
    integrations::{self, IntegrationRow},
    replacements,
    sql::Sql,
};

/// Largest number of integrations of one provider that serve a project; further ones are stored but never used.
const MAX_OF_PROVIDER: i64 = 50;
/// Largest number of integrations that serve a project.
const MAX_OF_PROJECT: i64 = 2000;

/// An integration with its sealed secret and the wrapped data key that opens it.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The integration; the envelope is bound to its `secret_id` and `secret_version`.
    pub integration: IntegrationRow,
    /// The sealed secret.
    pub envelope: Vec<u8>,
    /// The data key that seals it.
    pub data_key: DataKeyRow,
    /// Headers that the integration's settings add to each call, as [`IntegrationRow::forwarded_headers`] returns them.
    pub forwarded_headers: Vec<(&'static str, String)>,
}

/// Returns the credentials of a project, whatever their status, by provider: keys that can call models before admin
/// keys, which only report usage; then active ones first, then by priority, then the oldest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn of_project(tx: &TenantTx, project_id: ProjectId) -> Result<Vec<Credential>, StoreError> {
    let text = "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY provider ORDER BY \
                CASE key_family WHEN 'admin' THEN 1 ELSE 0 END, \
                CASE status WHEN 'connected' THEN 0 WHEN 'verifying' THEN 0 ELSE 1 END, priority, id) AS place \
                FROM integrations WHERE tenant_id = $1 AND project_id = $2) AS ranked \
                WHERE place <= $3 ORDER BY provider, place LIMIT $4";
    let tenant_id = tx.tenant_id().uuid().into();
    let values = [tenant_id, project_id.uuid().into(), MAX_OF_PROVIDER.into(), MAX_OF_PROJECT.into()];
    let found = Sql::with(text, values).models::<table::Entity>(tx).await?;
    with_secrets(tx, found).await
}

/// Returns the credential of one integration, whatever its status.
///
/// # Errors
/// See [`StoreError`].
pub async fn of_integration(tx: &TenantTx, id: IntegrationId) -> Result<Option<Credential>, StoreError> {
    let text = "SELECT * FROM integrations WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]);
    let found = sql.models::<table::Entity>(tx).await?;
    Ok(with_secrets(tx, found).await?.pop())
}

/// Returns the credential that waits to replace the integration's, if `version` is its version. Its `integration` is
/// the row as it would be after the swap.
///
/// # Errors
/// See [`StoreError`].
pub async fn of_replacement(tx: &TenantTx, id: IntegrationId, version: i32) -> Result<Option<Credential>, StoreError> {
    let Some(waiting) = replacements::waiting(tx, id, version).await? else { return Ok(None) };
    let Some(mut integration) = integrations::find(tx, id).await? else { return Ok(None) };
    let data_key = data_keys::of_ids(tx, [waiting.data_key_id]).await?.pop();
    let data_key = data_key.ok_or(StoreError::Corrupt("reference to a data key"))?;
    integration.secret_version = version;
    integration.served_at = None;
    if let Some(binding) = waiting.binding {
        integration.base_url = binding.base_url;
        integration.config = binding.config;
    }
    let forwarded_headers = integration.forwarded_headers();
    Ok(Some(Credential { integration, envelope: waiting.envelope, data_key, forwarded_headers }))
}

async fn with_secrets(tx: &TenantTx, found: Vec<table::Model>) -> Result<Vec<Credential>, StoreError> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new("SELECT * FROM secrets WHERE id IN (");
    sql.list(found.iter().map(|integration| integration.secret_id)).push(")");
    let sealed = sql.models::<secrets::Entity>(tx).await?;
    let keys = data_keys::of_ids(tx, sealed.iter().map(|secret| DataKeyId::from_uuid(secret.data_key_id))).await?;
    let keys: HashMap<_, _> = keys.into_iter().map(|key| (key.id, key)).collect();
    let mut sealed: HashMap<_, _> = sealed.into_iter().map(|secret| (SecretId::from_uuid(secret.id), secret)).collect();
    let mut credentials = Vec::with_capacity(found.len());
    for model in found {
        let integration = integrations::row(model)?;
        // A row of another version was replaced between the two reads: the invalidation that follows reloads it.
        let Some(secret) = sealed.remove(&integration.secret_id).filter(|it| it.version == integration.secret_version)
        else {
            continue;
        };
        let data_key = keys.get(&DataKeyId::from_uuid(secret.data_key_id)).cloned();
        let data_key = data_key.ok_or(StoreError::Corrupt("reference to a data key"))?;
        let forwarded_headers = integration.forwarded_headers();
        credentials.push(Credential { integration, envelope: secret.envelope, data_key, forwarded_headers });
    }
    Ok(credentials)
}
