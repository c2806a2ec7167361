//! The request log: single metered calls, newest first. No bodies are stored, so none can be shown; calls are kept as
//! long as the ledger's retention says.

use std::ops::RangeInclusive;

use keyway_domain::{
    CallOutcome, CredentialSource, IntegrationId, MeteredCall, ProjectId, RequestId, Timestamp, TokenCounts,
    VirtualKeyId,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    Page, Paged, StoreError, TenantTx,
    sql::{Sql, limit},
    usage::MeteredRow,
};

/// Key of a call in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Arrival time of the request.
    pub started_at: Timestamp,
    /// Id that orders calls of the same time.
    pub request_id: RequestId,
}

/// Filter of a list of calls; `None` accepts any value.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Project.
    pub project_id: Option<ProjectId>,
    /// Virtual key that made the call.
    pub virtual_key_id: Option<VirtualKeyId>,
    /// Integration that served the call.
    pub integration_id: Option<IntegrationId>,
    /// Source of the secret that served the call.
    pub credential: Option<CredentialSource>,
    /// Provider that served the call.
    pub provider: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Range of HTTP statuses of the answer.
    pub status: Option<RangeInclusive<u16>>,
    /// Outcome of the call.
    pub outcome: Option<CallOutcome>,
    /// Code of Keyway's own refusal.
    pub refused_code: Option<String>,
    /// Earliest arrival, inclusive.
    pub from: Option<Timestamp>,
    /// Latest arrival, exclusive.
    pub to: Option<Timestamp>,
}

#[derive(FromQueryResult)]
struct Row {
    request_id: Uuid,
    project_id: Uuid,
    virtual_key_id: Uuid,
    integration_id: Uuid,
    provider: String,
    model: Option<String>,
    path: String,
    http_status: Option<i32>,
    input_tokens: Option<i64>,
    cached_input_tokens: Option<i64>,
    cache_write_tokens: Option<i64>,
    cache_write_1h_tokens: Option<i64>,
    output_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    cost_nano_usd: Option<i64>,
    price_version: Option<String>,
    started_at_ms: i64,
    duration_ms: i64,
    first_byte_ms: Option<i64>,
    streamed: bool,
    complete: bool,
    overhead_us: Option<i64>,
    attempts: i32,
    cached: bool,
    settled: bool,
    credential: String,
    refused_code: Option<String>,
}

/// Returns calls of the tenant, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, filter: &Filter, page: Page<RequestKey>) -> Result<Paged<MeteredRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM metered_calls WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    let ids = [
        (" AND project_id = ", filter.project_id.map(ProjectId::uuid)),
        (" AND virtual_key_id = ", filter.virtual_key_id.map(VirtualKeyId::uuid)),
        (" AND integration_id = ", filter.integration_id.map(IntegrationId::uuid)),
    ];
    for (condition, id) in ids {
        if let Some(id) = id {
            sql.push(condition).bind(id);
        }
    }
    let texts = [
        (" AND provider = ", &filter.provider),
        (" AND model = ", &filter.model),
        (" AND refused_code = ", &filter.refused_code),
    ];
    for (condition, text) in texts {
        if let Some(text) = text {
            sql.push(condition).bind(text.as_str());
        }
    }
    if let Some(credential) = filter.credential {
        sql.push(" AND credential = ").bind(credential.name());
    }
    if let Some(status) = &filter.status {
        sql.push(" AND http_status BETWEEN ").bind(i32::from(*status.start()));
        sql.push(" AND ").bind(i32::from(*status.end()));
    }
    sql.push(match filter.outcome {
        None => "",
        Some(CallOutcome::Completed) => " AND complete AND NOT settled AND refused_code IS NULL",
        Some(CallOutcome::BrokenOff) => " AND NOT complete AND NOT settled AND refused_code IS NULL",
        Some(CallOutcome::Settled) => " AND settled AND refused_code IS NULL",
        Some(CallOutcome::Refused) => " AND refused_code IS NOT NULL",
    });
    if let Some(from) = filter.from {
        sql.push(" AND started_at_ms >= ").bind(from.ms());
    }
    if let Some(to) = filter.to {
        sql.push(" AND started_at_ms < ").bind(to.ms());
    }
    if let Some(after) = page.after {
        sql.push(" AND (started_at_ms, request_id) < (").bind(after.started_at.ms());
        sql.push(", ").bind(after.request_id.uuid()).push(")");
    }
    sql.push(" ORDER BY started_at_ms DESC, request_id DESC LIMIT ").bind(limit(page.probe()));
    let rows = sql.rows::<Row>(tx).await?;
    Ok(Paged::of(&page, rows.into_iter().map(row).collect()))
}

/// Returns one call of the tenant, unless its retention is over.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: RequestId) -> Result<Option<MeteredRow>, StoreError> {
    let text = "SELECT * FROM metered_calls WHERE request_id = $1 AND tenant_id = $2";
    let rows = Sql::with(text, [id.uuid().into(), tx.tenant_id().uuid().into()]).rows::<Row>(tx).await?;
    Ok(rows.into_iter().next().map(row))
}

fn row(row: Row) -> MeteredRow {
    let call = MeteredCall::begun(
        RequestId::from_uuid(row.request_id),
        (ProjectId::from_uuid(row.project_id), VirtualKeyId::from_uuid(row.virtual_key_id)),
        IntegrationId::from_uuid(row.integration_id),
        row.provider,
        row.path,
        Timestamp::from_ms(row.started_at_ms),
    );
    let call = MeteredCall {
        // A word of a later build: whose it was is not known here, and no integration's.
        credential: CredentialSource::parse(&row.credential).unwrap_or(CredentialSource::Fallback),
        model: row.model,
        http_status: row.http_status.and_then(|status| u16::try_from(status).ok()),
        tokens: TokenCounts {
            input: row.input_tokens,
            cached_input: row.cached_input_tokens,
            cache_write: row.cache_write_tokens,
            cache_write_1h: row.cache_write_1h_tokens,
            output: row.output_tokens,
            reasoning: row.reasoning_tokens,
            ..TokenCounts::default()
        },
        cost_nano_usd: row.cost_nano_usd,
        duration_ms: row.duration_ms,
        first_byte_ms: row.first_byte_ms,
        streamed: row.streamed,
        complete: row.complete,
        overhead_us: row.overhead_us,
        attempts: u16::try_from(row.attempts).unwrap_or(u16::MAX),
        cached: row.cached,
        settled: row.settled,
        refused_code: row.refused_code,
        ..call
    };
    MeteredRow { call, cost_nano_usd: row.cost_nano_usd, price_version: row.price_version }
}
