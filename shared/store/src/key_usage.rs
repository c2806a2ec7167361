//! Reports of organisations that split usage by key: each figure belongs to the integration with that key.

use keyway_domain::{IntegrationId, ProjectId, ReportedUsage, TenantId, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, TenantTx, Tx,
    sql::{Sql, chunk},
};

/// A key that its provider's reports name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedKey {
    /// Integration that has the key.
    pub integration_id: IntegrationId,
    /// Project of the integration.
    pub project_id: ProjectId,
    /// The provider's own id of the key.
    pub provider_key_id: String,
}

/// Figures by key from one report.
#[derive(Clone, Copy, Debug)]
pub struct KeyFigures<'r> {
    /// Integration whose credential read the report.
    pub reported_by: IntegrationId,
    /// The provider's name.
    pub provider: &'r str,
    /// Name of the report: that of the whole, followed by [`BY_KEY`].
    pub source: &'r str,
    /// Figures, each with its key.
    pub rows: &'r [(ReportedKey, ReportedUsage)],
}

/// Suffix of the name of a report split by key.
pub const BY_KEY: &str = ".by_key";

/// Returns the tenant's keys that carry the provider's own key id, given by the owner or found by a verification.
///
/// # Errors
/// See [`StoreError`].
pub async fn keys_of(tx: &TenantTx, provider: &str) -> Result<Vec<ReportedKey>, StoreError> {
    keys(tx, tx.tenant_id(), provider).await
}

/// Works like [`keys_of`], for any tenant.
pub(crate) async fn keys(tx: &impl Tx, tenant_id: TenantId, provider: &str) -> Result<Vec<ReportedKey>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        project_id: Uuid,
        config: String,
    }
    let text = "SELECT id, project_id, config FROM integrations \
                WHERE tenant_id = $1 AND provider = $2 AND config LIKE '%provider_key_id%' ORDER BY id";
    let rows = Sql::with(text, [tenant_id.uuid().into(), provider.into()]).rows::<Row>(tx).await?;
    let key = |row: Row| {
        let config: serde_json::Value = serde_json::from_str(&row.config).ok()?;
        let provider_key_id = config.get("provider_key_id")?.as_str()?.to_owned();
        let (integration_id, project_id) = (IntegrationId::from_uuid(row.id), ProjectId::from_uuid(row.project_id));
        Some(ReportedKey { integration_id, project_id, provider_key_id })
    };
    Ok(rows.into_iter().filter_map(key).collect())
}

/// Stores figures by key; rows with the same natural key are replaced. Returns the number of rows.
///
/// # Errors
/// See [`StoreError`].
pub async fn upsert(tx: &TenantTx, figures: &KeyFigures<'_>, now: Timestamp) -> Result<u64, StoreError> {
    let mut rows: Vec<_> = figures.rows.iter().collect();
    rows.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
    rows.dedup_by(|a, b| key(a) == key(b));
    let mut stored = 0;
    for rows in rows.chunks(chunk(17)) {
        let mut sql = Sql::new(
            "INSERT INTO key_usage (tenant_id, integration_id, source, bucket_start_ms, bucket_end_ms, model, day, \
             requests, input_tokens, output_tokens, fetched_at_ms, reported_by, project_id, provider, \
             cached_input_tokens, cache_write_tokens, cache_write_1h_tokens) VALUES ",
        );
        sql.tuples(rows.iter().map(|row| values(tx, figures, row, now)));
        sql.push(
            " ON CONFLICT (tenant_id, integration_id, source, bucket_start_ms, bucket_end_ms, model) DO UPDATE SET \
             requests = excluded.requests, input_tokens = excluded.input_tokens, \
             output_tokens = excluded.output_tokens, fetched_at_ms = excluded.fetched_at_ms, \
             reported_by = excluded.reported_by, project_id = excluded.project_id, provider = excluded.provider, \
             cached_input_tokens = excluded.cached_input_tokens, cache_write_tokens = excluded.cache_write_tokens, \
             cache_write_1h_tokens = excluded.cache_write_1h_tokens",
        );
        stored += sql.run(tx).await?;
    }
    Ok(stored)
}

fn key((key, row): &(ReportedKey, ReportedUsage)) -> (Uuid, Timestamp, Timestamp, &str) {
    (key.integration_id.uuid(), row.bucket_start, row.bucket_end, row.model.as_deref().unwrap_or(""))
}

fn values(tx: &TenantTx, figures: &KeyFigures<'_>, row: &(ReportedKey, ReportedUsage), now: Timestamp) -> [Value; 17] {
    let (integration_id, start, end, model) = key(row);
    let (owner, row) = row;
    [
        tx.tenant_id().uuid().into(),
        integration_id.into(),
        figures.source.into(),
        start.ms().into(),
        end.ms().into(),
        model.into(),
        start.day().into(),
        row.requests.into(),
        row.tokens.input.into(),
        row.tokens.output.into(),
        now.ms().into(),
        figures.reported_by.uuid().into(),
        owner.project_id.uuid().into(),
        figures.provider.into(),
        row.tokens.cached_input.into(),
        row.tokens.cache_write.into(),
        row.tokens.cache_write_1h.into(),
    ]
}
