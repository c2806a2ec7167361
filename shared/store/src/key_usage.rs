//! What organisations report of single keys: each figure belongs to the integration whose key it is.

use keyway_domain::{IntegrationId, ReportedUsage, Timestamp};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, TenantTx,
    sql::{Sql, chunk},
};

/// A key that its provider's reports name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedKey {
    /// Whose key it is.
    pub integration_id: IntegrationId,
    /// The provider's own id of it.
    pub provider_key_id: String,
}

/// The keys of the tenant that its provider's reports name, by the owner's word.
///
/// # Errors
/// See [`StoreError`].
pub async fn keys_of(tx: &TenantTx, provider: &str) -> Result<Vec<ReportedKey>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        config: String,
    }
    let text = "SELECT id, config FROM integrations \
                WHERE tenant_id = $1 AND provider = $2 AND config LIKE '%provider_key_id%' ORDER BY id";
    let rows = Sql::with(text, [tx.tenant_id().uuid().into(), provider.into()]).rows::<Row>(tx).await?;
    let key = |row: Row| {
        let config: serde_json::Value = serde_json::from_str(&row.config).ok()?;
        let provider_key_id = config.get("provider_key_id")?.as_str()?.to_owned();
        Some(ReportedKey { integration_id: IntegrationId::from_uuid(row.id), provider_key_id })
    };
    Ok(rows.into_iter().filter_map(key).collect())
}

/// Stores figures of keys; those that are there already, by their natural key, are replaced.
///
/// # Errors
/// See [`StoreError`].
pub async fn upsert(
    tx: &TenantTx,
    source: &str,
    rows: &[(IntegrationId, ReportedUsage)],
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
    rows.dedup_by(|a, b| key(a) == key(b));
    let mut stored = 0;
    for rows in rows.chunks(chunk(11)) {
        let mut sql = Sql::new(
            "INSERT INTO key_usage (tenant_id, integration_id, source, bucket_start_ms, bucket_end_ms, model, day, \
             requests, input_tokens, output_tokens, fetched_at_ms) VALUES ",
        );
        sql.tuples(rows.iter().map(|row| values(tx, source, row, now)));
        sql.push(
            " ON CONFLICT (tenant_id, integration_id, source, bucket_start_ms, bucket_end_ms, model) DO UPDATE SET \
             requests = excluded.requests, input_tokens = excluded.input_tokens, \
             output_tokens = excluded.output_tokens, fetched_at_ms = excluded.fetched_at_ms",
        );
        stored += sql.run(tx).await?;
    }
    Ok(stored)
}

fn key((integration_id, row): &(IntegrationId, ReportedUsage)) -> (Uuid, Timestamp, Timestamp, &str) {
    (integration_id.uuid(), row.bucket_start, row.bucket_end, row.model.as_deref().unwrap_or(""))
}

fn values(tx: &TenantTx, source: &str, row: &(IntegrationId, ReportedUsage), now: Timestamp) -> [Value; 11] {
    let (integration_id, start, end, model) = key(row);
    let (_, row) = row;
    [
        tx.tenant_id().uuid().into(),
        integration_id.into(),
        source.into(),
        start.ms().into(),
        end.ms().into(),
        model.into(),
        start.day().into(),
        row.requests.into(),
        row.tokens.input.into(),
        row.tokens.output.into(),
        now.ms().into(),
    ]
}
