//! Credentials that are to replace an integration's: kept sealed beside it until they are verified, and swapped in when
//! they are valid. Until then the old one serves, unchanged.
//!
//! Only the status writer ends a replacement ([`apply`]); its owner may discard it or put another in its place.

use std::collections::HashMap;

use keyway_domain::{
    DataKeyId, IntegrationId, IntegrationStatus, OperationId, TenantId, Timestamp, Verdict, VerdictKind,
};
use sea_orm::Value;

use crate::{
    StoreError, SystemTx, TenantTx,
    entity::replacements as table,
    integrations::{self, Binding, IntegrationRow, SealedSecret, refuse_duplicate, stored_verdict},
    sql::{Sql, chunk, for_update, limit, ms},
    verdicts::VerdictRecord,
};

/// State of a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplacementState {
    /// Its verification is under way.
    Verifying,
    /// The verdict refused it; its secret is deleted.
    Refused,
}

impl ReplacementState {
    /// Every state, for documents.
    pub const ALL: [Self; 2] = [Self::Verifying, Self::Refused];

    /// Returns the text in the table and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verifying => "verifying",
            Self::Refused => "refused",
        }
    }
}

/// A credential that waits to replace an integration's, or was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacementRow {
    /// Integration whose credential it is to replace.
    pub integration_id: IntegrationId,
    /// Version that the integration's secret has after the swap.
    pub version: i32,
    /// State.
    pub state: ReplacementState,
    /// Redacted form of the secret, enough to recognise it.
    pub hint: String,
    /// Operation that verifies it.
    pub operation_id: OperationId,
    /// Latest verdict.
    pub verdict: Option<Verdict>,
    /// Time of submission.
    pub created_at: Timestamp,
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
    /// Tenant that owns it.
    pub tenant_id: TenantId,
    /// Integration whose credential it is to replace.
    pub integration_id: IntegrationId,
    /// Version of the secret.
    pub version: i32,
}

/// Final result of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Tenant that owns it.
    pub tenant_id: TenantId,
    /// Integration whose credential it was to replace.
    pub integration_id: IntegrationId,
    /// Operation that verified it.
    pub operation_id: OperationId,
    /// Attempt that reached the verdict.
    pub attempt: u32,
    /// Version of the secret.
    pub version: i32,
    /// Redacted form of the secret, enough to recognise it.
    pub hint: String,
    /// Kind of the verdict.
    pub verdict: VerdictKind,
    /// Time of the verdict.
    pub at: Timestamp,
    /// `true` if the replacement serves now; `false` if it was refused.
    pub is_swapped: bool,
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

/// Keeps a secret, sealed for `version`, beside that of `integration`; overwrites one that waits already.
///
/// # Errors
/// [`StoreError::Duplicate`] if another integration of the project has the same secret.
pub async fn put(
    tx: &TenantTx,
    integration: &IntegrationRow,
    (version, secret): (i32, SealedSecret),
    binding: Option<Binding>,
    operation_id: OperationId,
    now: Timestamp,
) -> Result<ReplacementRow, StoreError> {
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
        secret.key_family.into(),
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

/// Returns those of the verdicts that are about a waiting replacement.
///
/// # Errors
/// See [`StoreError`].
pub async fn judged(tx: &SystemTx, records: &[VerdictRecord]) -> Result<Vec<VerdictRecord>, StoreError> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let waiting = of_records(tx, records).await?;
    Ok(records.iter().filter(|record| waiting.contains_key(&key(record))).cloned().collect())
}

/// Swaps in accepted replacements and deletes the secrets of refused ones; an inconclusive verdict is only stored.
/// Returns the replacements that ended.
///
/// # Errors
/// See [`StoreError`].
pub async fn apply(tx: &SystemTx, records: &[VerdictRecord]) -> Result<Vec<Ended>, StoreError> {
    let mut ended = Vec::new();
    for record in records {
        // Read again for each: an earlier one of the same transaction may have ended it.
        let Some(model) = of_records(tx, std::slice::from_ref(record)).await?.remove(&key(record)) else { continue };
        let kind = record.verdict.kind;
        let is_swapped = kind.accepts() && swap(tx, &model, record).await?;
        if !is_swapped {
            note(tx, &model, record).await?;
        }
        if kind.is_conclusive() {
            ended.push(Ended {
                tenant_id: record.tenant_id,
                integration_id: record.integration_id,
                operation_id: record.operation_id,
                attempt: record.attempt,
                version: record.secret_version,
                hint: model.hint,
                verdict: kind,
                at: record.verdict.checked_at,
                is_swapped,
            });
        }
    }
    Ok(ended)
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

type Key = (TenantId, IntegrationId, i32);

const fn key(record: &VerdictRecord) -> Key {
    (record.tenant_id, record.integration_id, record.secret_version)
}

async fn of_records(tx: &SystemTx, records: &[VerdictRecord]) -> Result<HashMap<Key, table::Model>, StoreError> {
    let mut found = HashMap::new();
    for records in records.chunks(chunk(1)) {
        let mut sql = Sql::new("SELECT * FROM replacements WHERE integration_id IN (");
        sql.list(records.iter().map(|record| record.integration_id.uuid()));
        sql.push(") AND state = 'verifying' ORDER BY integration_id").push(for_update(tx));
        for model in sql.models::<table::Entity>(tx).await? {
            let (tenant_id, id) =
                (TenantId::from_uuid(model.tenant_id), IntegrationId::from_uuid(model.integration_id));
            found.insert((tenant_id, id, model.version), model);
        }
    }
    Ok(found)
}

/// Makes the replacement the integration's secret. Returns `false` if another integration has got the same secret
/// meanwhile.
async fn swap(tx: &SystemTx, model: &table::Model, record: &VerdictRecord) -> Result<bool, StoreError> {
    let before = integrations::of_ids(tx, [record.integration_id], for_update(tx)).await?.pop();
    let Some(before) = before.map(integrations::row).transpose()? else { return Ok(false) };
    let text = "SELECT id FROM integrations WHERE project_id = $1 AND fingerprint_key_id = $2 AND fingerprint = $3 \
                AND id <> $4";
    let (project_id, id) = (before.project_id.uuid().into(), model.integration_id.into());
    let values = [project_id, model.data_key_id.into(), model.fingerprint.clone().into(), id];
    if !Sql::with(text, values).ids(tx).await?.is_empty() {
        return Ok(false);
    }
    let text = "UPDATE secrets SET version = $1, envelope = $2, data_key_id = $3, created_at_ms = $4 WHERE id = $5";
    let values: [Value; 5] = [
        model.version.into(),
        model.envelope.clone().into(),
        model.data_key_id.into(),
        model.created_at_ms.into(),
        before.secret_id.uuid().into(),
    ];
    Sql::with(text, values).run(tx).await?;
    let (base_url, config) = match binding(model)? {
        Some(binding) => (binding.base_url, binding.config),
        None => (before.base_url.clone(), before.settings_without_key_id()),
    };
    let status =
        if before.status == IntegrationStatus::Disabled { before.status } else { IntegrationStatus::Connected };
    let (verdict, evidence) = (&record.verdict, &record.verdict.evidence);
    let columns: [(&str, Value); 17] = [
        ("status", status.name().into()),
        ("secret_version", model.version.into()),
        ("fingerprint", model.fingerprint.clone().into()),
        ("fingerprint_key_id", model.data_key_id.into()),
        ("hint", model.hint.clone().into()),
        ("key_family", model.key_family.clone().into()),
        ("base_url", base_url.into()),
        ("config", config.to_string().into()),
        ("usage_not_reportable", Option::<String>::None.into()),
        ("settled_status", Option::<String>::None.into()),
        ("served_at_ms", Option::<i64>::None.into()),
        ("verdict_kind", verdict.kind.name().into()),
        ("verdict_http_status", evidence.http_status.map(i32::from).into()),
        ("verdict_request_id", evidence.provider_request_id.clone().into()),
        ("verdict_code", evidence.provider_code.clone().into()),
        ("verdict_reason", evidence.reason.clone().into()),
        ("checked_at_ms", verdict.checked_at.ms().into()),
    ];
    let mut sql = Sql::new("UPDATE integrations SET version = version + 1, updated_at_ms = ");
    sql.bind(verdict.checked_at.ms());
    sql.push(", next_check_at_ms = COALESCE(").bind(ms(record.next_check_at)).push(", next_check_at_ms)");
    for (column, value) in columns {
        sql.push(", ").push(column).push(" = ").bind(value);
    }
    sql.push(" WHERE id = ").bind(record.integration_id.uuid());
    sql.run(tx).await?;
    let text = "DELETE FROM replacements WHERE integration_id = $1 AND version = $2";
    Sql::with(text, [model.integration_id.into(), model.version.into()]).run(tx).await?;
    Ok(true)
}

/// Stores the verdict; a conclusive one marks the replacement as refused and deletes its secret.
async fn note(tx: &SystemTx, model: &table::Model, record: &VerdictRecord) -> Result<(), StoreError> {
    let (verdict, evidence) = (&record.verdict, &record.verdict.evidence);
    let mut sql = Sql::new("UPDATE replacements SET verdict_kind = ");
    sql.bind(verdict.kind.name()).push(", verdict_http_status = ").bind(evidence.http_status.map(i32::from));
    sql.push(", verdict_request_id = ").bind(evidence.provider_request_id.clone());
    sql.push(", verdict_code = ").bind(evidence.provider_code.clone());
    sql.push(", verdict_reason = ").bind(evidence.reason.clone());
    sql.push(", checked_at_ms = ").bind(verdict.checked_at.ms());
    if verdict.kind.is_conclusive() {
        sql.push(", state = ").bind(ReplacementState::Refused.name()).push(", envelope = ").bind(Vec::<u8>::new());
        sql.push(", fingerprint = ").bind(Vec::<u8>::new());
    }
    sql.push(" WHERE integration_id = ").bind(model.integration_id).push(" AND version = ").bind(model.version);
    sql.run(tx).await.map(drop)
}

fn binding(model: &table::Model) -> Result<Option<Binding>, StoreError> {
    let Some(config) = &model.config else { return Ok(None) };
    let config = serde_json::from_str(config).map_err(|_| StoreError::Corrupt("replacement config"))?;
    Ok(Some(Binding { base_url: model.base_url.clone(), config }))
}

fn row(model: table::Model) -> Result<ReplacementRow, StoreError> {
    let state = match model.state.as_str() {
        "verifying" => ReplacementState::Verifying,
        "refused" => ReplacementState::Refused,
        _ => return Err(StoreError::Corrupt("replacement state")),
    };
    Ok(ReplacementRow {
        integration_id: IntegrationId::from_uuid(model.integration_id),
        version: model.version,
        state,
        hint: model.hint,
        operation_id: OperationId::from_uuid(model.operation_id),
        verdict: stored_verdict!(model),
        created_at: Timestamp::from_ms(model.created_at_ms),
    })
}
