//! Reports over both ledgers, grouped as asked.

mod assigned;
mod durations;
mod metered;

use keyway_domain::{
    CredentialSource, IntegrationId, Ledger, NanoUsd, ProjectId, ServedBy, Timestamp, TokenCounts, VirtualKeyId,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    Only, Paged, StoreError, TenantTx,
    sql::{Sql, limit},
};

/// Largest number of groups in one report.
pub const MAX_GROUPS: u64 = 10_000;

/// Column that a report can be split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// The provider's name.
    Provider,
    /// The model.
    Model,
    /// The integration.
    Integration,
    /// The project.
    Project,
    /// The UTC day.
    Day,
    /// The UTC hour; of the metered ledger alone, and only as long as hours are kept.
    Hour,
    /// The virtual key; not in the reported ledger, as providers do not know it.
    VirtualKey,
    /// Source of the secret: the project's own or the operator's.
    Credential,
}

/// Parameters of a report.
#[derive(Clone, Debug)]
pub struct ReportQuery {
    /// Start, inclusive; rounded to whole UTC days, or to whole hours if it is split by them.
    pub from: Timestamp,
    /// End, exclusive; a day or hour that has begun counts as a whole.
    pub to: Timestamp,
    /// Columns to split by, in any order.
    pub group_by: Vec<GroupBy>,
    /// Ledger to sum.
    pub ledger: Ledger,
    /// Narrowing of the report.
    pub only: Only,
    /// Key of the last group of the page before; `None` for the first page. Of the metered ledger alone.
    pub after: Option<GroupKey>,
    /// Largest number of groups to return, at most [`MAX_GROUPS`].
    pub groups: u64,
}

/// Values of a group in the columns that a metered report is split by, in their order: see [`ReportQuery::key_of`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupKey(pub Vec<GroupValue>);

/// A group's value in one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupValue {
    /// Start of a day or hour.
    Start(Timestamp),
    /// An id.
    Id(Uuid),
    /// A name; empty if there is none.
    Name(String),
}

/// One group of a report. Columns that were not asked for are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageGroup {
    /// The UTC day.
    pub day: Option<String>,
    /// Start of the UTC hour.
    pub hour: Option<Timestamp>,
    /// The project.
    pub project_id: Option<ProjectId>,
    /// The integration; `None` also for calls with the operator's key.
    pub integration_id: Option<IntegrationId>,
    /// The virtual key.
    pub virtual_key_id: Option<VirtualKeyId>,
    /// Source of the secret; `None` also for calls that no secret served.
    pub credential: Option<CredentialSource>,
    /// The provider's name; `None` also for calls refused before one was chosen.
    pub provider: Option<String>,
    /// The model; `None` also for usage whose model is unknown.
    pub model: Option<String>,
    /// Calls to the provider; `None` if not reported.
    pub requests: Option<i64>,
    /// Metered only: calls that failed.
    pub failed_requests: Option<i64>,
    /// Metered only: calls whose tokens are unknown and missing from the token sums.
    pub unknown_token_requests: Option<i64>,
    /// Metered only: calls whose cost is unknown and missing from the cost.
    pub unpriced_requests: Option<i64>,
    /// Metered only: calls that Keyway itself refused; no other count includes them.
    pub refused_requests: Option<i64>,
    /// Tokens, as far as known.
    pub tokens: TokenCounts,
    /// Cost in nano-USD, as far as known.
    pub cost_nano_usd: Option<NanoUsd>,
    /// Metered only: estimate of the time in which half of the calls ended, where it is split by day, project and
    /// provider alone.
    pub duration_p50_ms: Option<i64>,
    /// Estimate of the time in which 99 % of them ended.
    pub duration_p99_ms: Option<i64>,
}

#[derive(FromQueryResult)]
struct Row {
    day: Option<String>,
    start_ms: Option<i64>,
    project_id: Option<Uuid>,
    integration_id: Option<Uuid>,
    virtual_key_id: Option<Uuid>,
    credential: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    requests: Option<i64>,
    failed_requests: Option<i64>,
    unknown_token_requests: Option<i64>,
    unpriced_requests: Option<i64>,
    refused_requests: Option<i64>,
    input_tokens: Option<i64>,
    cached_input_tokens: Option<i64>,
    cache_write_tokens: Option<i64>,
    cache_write_1h_tokens: Option<i64>,
    output_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    cost_nano_usd: Option<i64>,
}

/// Sums a ledger of the tenant, ordered by the columns that it is split by. Where the reported ledger is split by
/// integration or project, each figure that a provider reports by key belongs to the integration with that key; it has no
/// pages but the first.
///
/// # Errors
/// See [`StoreError`].
pub async fn report(tx: &TenantTx, query: &ReportQuery) -> Result<Paged<UsageGroup>, StoreError> {
    match query.ledger {
        Ledger::Metered => {
            let mut found = metered::report(tx, query).await?;
            durations::add(tx, query, &mut found.items).await?;
            Ok(found)
        }
        Ledger::Reported => reported(tx, query).await,
    }
}

/// Columns that the reported ledger can be split by, in the order of its groups.
const COLUMNS: [(GroupBy, &str); 6] = [
    (GroupBy::Day, "day"),
    (GroupBy::Project, "project_id"),
    (GroupBy::Integration, "integration_id"),
    (GroupBy::Credential, "credential"),
    (GroupBy::Provider, "provider"),
    (GroupBy::Model, "model"),
];

async fn reported(tx: &TenantTx, query: &ReportQuery) -> Result<Paged<UsageGroup>, StoreError> {
    let columns: Vec<&str> =
        COLUMNS.into_iter().filter(|(by, _)| query.group_by.contains(by)).map(|(_, column)| column).collect();
    let assigns = query.group_by.iter().any(|by| matches!(by, GroupBy::Integration | GroupBy::Project))
        || query.only.integration_id.is_some()
        || query.only.project_id.is_some()
        || query.only.within.is_some();
    let mut sql = if assigns { assigned::begin(tx, query) } else { Sql::new("") };
    sql.push("SELECT ");
    for (_, column) in COLUMNS {
        match (columns.contains(&column), column) {
            // Only providers' own keys are reported on.
            (true, "credential") => sql.push("'own' AS credential, "),
            (true, _) => sql.push(column).push(", "),
            (false, _) => sql.push(&nothing(tx, column)).push(", "),
        };
    }
    let unknown = ["failed", "unknown_token", "unpriced", "refused"];
    sql.push(&unknown.map(|count| format!("CAST(NULL AS BIGINT) AS {count}_requests, ")).concat());
    sql.push("CAST(sum(requests) AS BIGINT) AS requests, ").push(&nothing(tx, "virtual_key_id"));
    sql.push(", CAST(NULL AS BIGINT) AS start_ms, ").push(&FIGURES.map(summed).join(", ")).push(" FROM ");
    if assigns {
        sql.push(assigned::TABLE).push(" WHERE 1 = 1");
    } else {
        sql.push("reported_usage");
        within(&mut sql, tx, query);
    }
    // Providers know nothing of virtual keys.
    Only { virtual_key_id: None, ..query.only.clone() }.narrow(&mut sql);
    if columns.is_empty() {
        sql.push(" HAVING count(*) > 0");
    } else {
        let columns = columns.join(", ");
        sql.push(" GROUP BY ").push(&columns).push(" ORDER BY ").push(&columns);
    }
    sql.push(" LIMIT ").bind(limit(query.groups.min(MAX_GROUPS) + 1));
    let rows = sql.rows::<Row>(tx).await?;
    Ok(paged(rows, query))
}

const FIGURES: [&str; 7] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
];

fn summed(column: &str) -> String {
    format!("CAST(sum({column}) AS BIGINT) AS {column}")
}

/// Returns a column without a value.
fn nothing(tx: &TenantTx, column: &str) -> String {
    let kind = if column.ends_with("_id") && tx_is_postgres(tx) { "UUID" } else { "TEXT" };
    format!("CAST(NULL AS {kind}) AS {column}")
}

fn paged(mut rows: Vec<Row>, query: &ReportQuery) -> Paged<UsageGroup> {
    let size = usize::try_from(query.groups.min(MAX_GROUPS)).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    Paged { items: rows.into_iter().map(|row| group(row, query)).collect(), more }
}

/// Narrows a statement to the report's tenant, time and filter.
fn within(sql: &mut Sql, tx: &TenantTx, query: &ReportQuery) {
    sql.push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND day >= ").bind(query.from.day());
    sql.push(" AND day <= ").bind(Timestamp::from_ms(query.to.ms().saturating_sub(1)).day());
}

fn tx_is_postgres(tx: &TenantTx) -> bool {
    crate::transaction::sealed::Inner::is_postgres(tx)
}

fn group(row: Row, query: &ReportQuery) -> UsageGroup {
    let start = row.start_ms.map(Timestamp::from_ms);
    UsageGroup {
        day: row.day.or_else(|| start.filter(|_| query.group_by.contains(&GroupBy::Day)).map(Timestamp::day)),
        hour: start.filter(|_| query.group_by.contains(&GroupBy::Hour)),
        project_id: row.project_id.map(ProjectId::from_uuid),
        integration_id: row.integration_id.and_then(|id| ServedBy::from_uuid(id).integration()),
        virtual_key_id: row.virtual_key_id.map(VirtualKeyId::from_uuid),
        credential: row.credential.as_deref().and_then(CredentialSource::parse),
        provider: row.provider.filter(|provider| !provider.is_empty()),
        model: row.model.filter(|model| !model.is_empty()),
        requests: row.requests,
        failed_requests: row.failed_requests,
        unknown_token_requests: row.unknown_token_requests,
        unpriced_requests: row.unpriced_requests,
        refused_requests: row.refused_requests,
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
        duration_p50_ms: None,
        duration_p99_ms: None,
    }
}
