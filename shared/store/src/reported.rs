//! The reported ledger: usage as providers report it, and the cursor of each report.

use keyway_domain::{IntegrationId, ProjectId, ReportedUsage, Timestamp};
use sea_orm::{FromQueryResult, Value};

use crate::{
    StoreError, TenantTx,
    sql::{Sql, chunk},
};

/// Progress of fetching one report of an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// End of the stored usage: everything before it is in the ledger.
    pub fetched_to: Timestamp,
    /// Number of moves; a move names the revision it was computed from.
    pub revision: i64,
}

/// One fetched window of a report, stored together with the cursor.
#[derive(Clone, Debug)]
pub struct Fetched<'r> {
    /// Integration whose usage was fetched.
    pub integration_id: IntegrationId,
    /// Project of the integration.
    pub project_id: ProjectId,
    /// The provider's name.
    pub provider: &'r str,
    /// Name of the report in the rows and the cursor.
    pub source: &'r str,
    /// Rows; one with the same natural key as a stored row replaces it.
    pub rows: &'r [ReportedUsage],
    /// Cursor read before the fetch; `None` if there was none.
    pub cursor: Option<Cursor>,
    /// New end of the fetched usage; a cursor never moves back.
    pub fetched_to: Timestamp,
}

/// Returns the cursor of a report of an integration.
///
/// # Errors
/// See [`StoreError`].
pub async fn cursor(tx: &TenantTx, integration_id: IntegrationId, source: &str) -> Result<Option<Cursor>, StoreError> {
    #[derive(FromQueryResult)]
    struct Row {
        fetched_to_ms: i64,
        revision: i64,
    }
    let text = "SELECT fetched_to_ms, revision FROM usage_cursors \
                WHERE tenant_id = $1 AND integration_id = $2 AND source = $3";
    let values = [tx.tenant_id().uuid().into(), integration_id.uuid().into(), source.into()];
    let row = Sql::with(text, values).rows::<Row>(tx).await?.pop();
    Ok(row.map(|row| Cursor { fetched_to: Timestamp::from_ms(row.fetched_to_ms), revision: row.revision }))
}

/// Moves the cursor of a report whose rows are stored elsewhere, if it is unchanged since it was read.
///
/// # Errors
/// [`StoreError::Stale`].
pub async fn advance(tx: &TenantTx, fetched: &Fetched<'_>) -> Result<(), StoreError> {
    move_cursor(tx, fetched).await
}

/// Stores the fetched rows and moves the cursor, if it is unchanged since it was read. Returns the number of rows.
///
/// # Errors
/// [`StoreError::Stale`] if another fetch moved the cursor meanwhile: roll back, nothing is lost.
/// [`StoreError::Conflict`] if the integration is gone.
pub async fn upsert_reported(tx: &TenantTx, fetched: &Fetched<'_>, now: Timestamp) -> Result<u64, StoreError> {
    move_cursor(tx, fetched).await?;
    let mut rows: Vec<_> = fetched.rows.iter().collect();
    rows.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
    rows.dedup_by(|a, b| key(a) == key(b));
    let mut stored = 0;
    for rows in rows.chunks(chunk(19)) {
        let mut sql = Sql::new(
            "INSERT INTO reported_usage (tenant_id, integration_id, source, bucket_start_ms, bucket_end_ms, model, \
             line_item, project_id, provider, day, requests, input_tokens, cached_input_tokens, cache_write_tokens, \
             cache_write_1h_tokens, output_tokens, reasoning_tokens, cost_nano_usd, fetched_at_ms) VALUES ",
        );
        sql.tuples(rows.iter().map(|row| values(tx, fetched, row, now)));
        sql.push(
            " ON CONFLICT (tenant_id, integration_id, source, bucket_start_ms, bucket_end_ms, model, line_item) \
             DO UPDATE SET requests = excluded.requests, input_tokens = excluded.input_tokens, \
             cached_input_tokens = excluded.cached_input_tokens, \
             cache_write_tokens = excluded.cache_write_tokens, \
             cache_write_1h_tokens = excluded.cache_write_1h_tokens, output_tokens = excluded.output_tokens, \
             reasoning_tokens = excluded.reasoning_tokens, cost_nano_usd = excluded.cost_nano_usd, \
             fetched_at_ms = excluded.fetched_at_ms",
        );
        stored += sql.run(tx).await?;
    }
    Ok(stored)
}

async fn move_cursor(tx: &TenantTx, fetched: &Fetched<'_>) -> Result<(), StoreError> {
    let (tenant_id, integration_id) = (tx.tenant_id().uuid(), fetched.integration_id.uuid());
    let to_ms = fetched.fetched_to.ms();
    let sql = match fetched.cursor {
        None => Sql::with(
            "INSERT INTO usage_cursors (tenant_id, integration_id, source, fetched_to_ms, revision) \
             VALUES ($1, $2, $3, $4, 1) ON CONFLICT DO NOTHING",
            [tenant_id.into(), integration_id.into(), fetched.source.into(), to_ms.into()],
        ),
        Some(cursor) => Sql::with(
            "UPDATE usage_cursors SET fetched_to_ms = $1, revision = revision + 1 \
             WHERE tenant_id = $2 AND integration_id = $3 AND source = $4 AND revision = $5",
            [
                to_ms.max(cursor.fetched_to.ms()).into(),
                tenant_id.into(),
                integration_id.into(),
                fetched.source.into(),
                cursor.revision.into(),
            ],
        ),
    };
    if sql.run(tx).await? == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

fn key(row: &ReportedUsage) -> (&str, Timestamp, Timestamp, &str, &str) {
    let (model, line_item) = (row.model.as_deref().unwrap_or(""), row.line_item.as_deref().unwrap_or(""));
    (&row.source, row.bucket_start, row.bucket_end, model, line_item)
}

fn values(tx: &TenantTx, fetched: &Fetched<'_>, row: &ReportedUsage, now: Timestamp) -> [Value; 19] {
    let (source, start, end, model, line_item) = key(row);
    [
        tx.tenant_id().uuid().into(),
        fetched.integration_id.uuid().into(),
        source.into(),
        start.ms().into(),
        end.ms().into(),
        model.into(),
        line_item.into(),
        fetched.project_id.uuid().into(),
        fetched.provider.into(),
        start.day().into(),
        row.requests.into(),
        row.tokens.input.into(),
        row.tokens.cached_input.into(),
        row.tokens.cache_write.into(),
        row.tokens.cache_write_1h.into(),
        row.tokens.output.into(),
        row.tokens.reasoning.into(),
        row.cost_nano_usd.into(),
        now.ms().into(),
    ]
}
