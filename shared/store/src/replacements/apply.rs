//! Ends replacements by what their verification found: for the status writer alone.

use std::collections::HashMap;

use keyway_domain::{IntegrationId, IntegrationStatus, OperationId, TenantId, Timestamp, VerdictKind};
use sea_orm::Value;

use super::row::{ReplacementState, binding};
use crate::{
    StoreError, SystemTx,
    entity::replacements as table,
    integrations::{of_ids, row},
    sql::{Sql, chunk, for_update, ms},
    verdicts::VerdictRecord,
};

/// Final result of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Integration whose credential it was to replace.
    pub integration_id: IntegrationId,
    /// Operation that verified it.
    pub operation_id: OperationId,
    /// The attempt of it.
    pub attempt: u32,
    /// Version of the secret.
    pub version: i32,
    /// Enough of the secret to recognise it by.
    pub hint: String,
    /// Kind of the verdict.
    pub verdict: VerdictKind,
    /// When.
    pub at: Timestamp,
    /// `true` if the replacement serves now; `false` if it was refused.
    pub is_swapped: bool,
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
    let before = of_ids(tx, [record.integration_id], for_update(tx)).await?.pop();
    let Some(before) = before.map(row).transpose()? else { return Ok(false) };
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
