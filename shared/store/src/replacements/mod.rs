//! Credentials that are to replace an integration's: kept sealed beside it until they are verified, and swapped in when
//! they are valid. Until then the old one serves, unchanged.
//!
//! Only the status writer ends a replacement ([`apply`]); its owner may discard it or put another in its place.

mod apply;
mod row;

use keyway_domain::{DataKeyId, IntegrationId, OperationId, TenantId, Timestamp};

use crate::{
    StoreError, SystemTx, TenantTx,
    entity::replacements as table,
    integrations::{Binding, IntegrationRow, SealedSecret, refuse_duplicate},
    sql::{Sql, limit},
};

pub use apply::{Ended, apply, judged};
pub use row::{ReplacementRow, ReplacementState};
use row::{binding, row};

/// What a new replacement is made of.
pub struct NewReplacement {
    /// The version that the secret is sealed for, as [`next_version`] gives it.
    pub version: i32,
    /// The secret.
    pub secret: SealedSecret,
    /// Settings that come with it.
    pub binding: Option<Binding>,
    /// The operation that verifies it.
    pub operation_id: OperationId,
}

/// A replacement that waits, with its sealed secret.
pub(crate) struct Waiting {
    pub(crate) envelope: Vec<u8>,
    pub(crate) data_key_id: DataKeyId,
    pub(crate) binding: Option<Binding>,
}

/// A replacement without a running verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unattended {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Integration whose credential it is to replace.
    pub integration_id: IntegrationId,
    /// Version of the secret.
    pub version: i32,
}

/// Returns the replacement of an integration's credential, waiting or refused, if there is one.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: IntegrationId) -> Result<Option<ReplacementRow>, StoreError> {
    model(tx, id).await?.map(row).transpose()
}

/// Returns the version for the next secret of an integration: one that no secret of it was ever sealed for.
///
/// # Errors
/// See [`StoreError`].
pub async fn next_version(tx: &TenantTx, integration: &IntegrationRow) -> Result<i32, StoreError> {
    let other = model(tx, integration.id).await?.map_or(0, |model| model.version);
    Ok(integration.secret_version.max(other) + 1)
}

/// Keeps a secret beside that of `integration`, in place of one that waits already.
///
/// # Errors
/// [`StoreError::Duplicate`] when another integration of the project has it.
pub async fn put(
    tx: &TenantTx,
    integration: &IntegrationRow,
    new: NewReplacement,
    now: Timestamp,
) -> Result<ReplacementRow, StoreError> {
    let NewReplacement { version, secret, binding, operation_id } = new;
    refuse_duplicate(tx, integration, &secret).await?;
    let (base_url, config) = match binding {
        Some(binding) => (binding.base_url, Some(binding.config.to_string())),
        None => (None, None),
    };
    let mut sql = Sql::new(
        "INSERT INTO replacements (tenant_id, integration_id, version, state, envelope, data_key_id, fingerprint, hint, \
         key_family, base_url, config, operation_id, created_at_ms) VALUES ",
    );
    sql.tuples([[
        tx.tenant_id().uuid().into(),
        integration.id.uuid().into(),
        version.into(),
        ReplacementState::Verifying.name().into(),
        secret.envelope.into(),
        secret.data_key_id.uuid().into(),
        secret.fingerprint.to_vec().into(),
        secret.hint.into(),
        secret.key_family.name().into(),
        base_url.into(),
        config.into(),
        operation_id.uuid().into(),
        now.ms().into(),
    ]]);
    sql.push(
        " ON CONFLICT (integration_id, tenant_id) DO UPDATE SET version = excluded.version, state = excluded.state, \
         envelope = excluded.envelope, data_key_id = excluded.data_key_id, fingerprint = excluded.fingerprint, \
         hint = excluded.hint, key_family = excluded.key_family, base_url = excluded.base_url, \
         config = excluded.config, operation_id = excluded.operation_id, created_at_ms = excluded.created_at_ms, \
         verdict_kind = NULL, verdict_http_status = NULL, verdict_request_id = NULL, verdict_code = NULL, \
         verdict_reason = NULL, checked_at_ms = NULL",
    );
    sql.run(tx).await?;
    find(tx, integration.id).await?.ok_or(StoreError::NotFound)
}

/// Deletes the replacement of an integration's credential.
///
/// # Errors
/// See [`StoreError`].
pub async fn discard(tx: &TenantTx, id: IntegrationId) -> Result<(), StoreError> {
    let text = "DELETE FROM replacements WHERE tenant_id = $1 AND integration_id = $2";
    Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]).run(tx).await.map(drop)
}

/// Deletes the replacement that a cancelled operation was to verify.
///
/// # Errors
/// See [`StoreError`].
pub async fn discard_of(tx: &TenantTx, id: OperationId) -> Result<(), StoreError> {
    let text = "DELETE FROM replacements WHERE tenant_id = $1 AND operation_id = $2 AND state = 'verifying'";
    Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]).run(tx).await.map(drop)
}

/// Returns replacements that wait since before `since` without a running verification. Those of disabled integrations
/// are left out.
///
/// # Errors
/// See [`StoreError`].
pub async fn unattended(tx: &SystemTx, since: Timestamp, rows: u64) -> Result<Vec<Unattended>, StoreError> {
    let text = "SELECT * FROM replacements WHERE state = 'verifying' AND created_at_ms < $1 \
                AND NOT EXISTS (SELECT 1 FROM operations AS job WHERE job.id = replacements.operation_id \
                AND job.state IN ('queued', 'running')) AND NOT EXISTS (SELECT 1 FROM integrations \
                WHERE integrations.id = replacements.integration_id AND integrations.status = 'disabled') \
                ORDER BY created_at_ms LIMIT $2";
    let found = Sql::with(text, [since.ms().into(), limit(rows).into()]).models::<table::Entity>(tx).await?;
    let unattended = |model: table::Model| Unattended {
        tenant_id: TenantId::from_uuid(model.tenant_id),
        integration_id: IntegrationId::from_uuid(model.integration_id),
        version: model.version,
    };
    Ok(found.into_iter().map(unattended).collect())
}

/// Stores the operation that verifies a replacement from now on.
///
/// # Errors
/// See [`StoreError`].
pub async fn attend(tx: &SystemTx, one: Unattended, operation_id: OperationId) -> Result<(), StoreError> {
    let text = "UPDATE replacements SET operation_id = $1 WHERE integration_id = $2 AND version = $3";
    let values = [operation_id.uuid().into(), one.integration_id.uuid().into(), one.version.into()];
    Sql::with(text, values).run(tx).await.map(drop)
}

/// Returns the sealed secret of a waiting replacement, if `version` is its version.
pub(crate) async fn waiting(tx: &TenantTx, id: IntegrationId, version: i32) -> Result<Option<Waiting>, StoreError> {
    let is_it = |model: &table::Model| model.version == version && model.state == ReplacementState::Verifying.name();
    let Some(model) = model(tx, id).await?.filter(is_it) else { return Ok(None) };
    let binding = binding(&model)?;
    Ok(Some(Waiting { envelope: model.envelope, data_key_id: DataKeyId::from_uuid(model.data_key_id), binding }))
}

async fn model(tx: &TenantTx, id: IntegrationId) -> Result<Option<table::Model>, StoreError> {
    let text = "SELECT * FROM replacements WHERE integration_id = $1 AND tenant_id = $2";
    let sql = Sql::with(text, [id.uuid().into(), tx.tenant_id().uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop())
}
