//! Reports over both ledgers, grouped as asked.

mod assigned;

use keyway_domain::{
    CredentialSource, IntegrationId, Ledger, NanoUsd, ProjectId, ServedBy, Timestamp, TokenCounts, VirtualKeyId,
};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    Only, StoreError, TenantTx,
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
    /// The virtual key; not in the reported ledger, as providers do not know it.
    VirtualKey,
    /// Source of the secret: the project's own or the operator's.
    Credential,
}

impl GroupBy {
    const ALL: [Self; 7] =
        [Self::Day, Self::Project, Self::Integration, Self::VirtualKey, Self::Credential, Self::Provider, Self::Model];

    const fn column(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Integration => "integration_id",
            Self::Project => "project_id",
            Self::Day => "day",
            Self::VirtualKey => "virtual_key_id",
            Self::Credential => "credential",
        }
    }
}

/// Parameters of a report.
#[derive(Clone, Debug)]
pub struct ReportQuery {
    /// Start, inclusive; rounded to whole UTC days.
    pub from: Timestamp,
    /// End, exclusive; a day that has begun counts as a whole.
    pub to: Timestamp,
    /// Columns to split by, in any order.
    pub group_by: Vec<GroupBy>,
    /// Ledger to sum.
    pub ledger: Ledger,
    /// Narrowing of the report.
    pub only: Only,
}

/// One group of a report. Columns that were not asked for are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageGroup {
    /// The UTC day.
    pub day: Option<String>,
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
}

#[derive(FromQueryResult)]
struct Row {
    day: Option<String>,
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

/// Sums a ledger of the tenant. Where the reported ledger is split by integration or project, each figure that a
/// provider reports by key belongs to the integration with that key. [`MAX_GROUPS`] + 1 groups mean that the report is
/// truncated.
///
/// # Errors
/// See [`StoreError`].
pub async fn report(tx: &TenantTx, query: &ReportQuery) -> Result<Vec<UsageGroup>, StoreError> {
    let metered = query.ledger == Ledger::Metered;
    let columns: Vec<&str> = GroupBy::ALL
        .into_iter()
        .filter(|by| query.group_by.contains(by) && (metered || *by != GroupBy::VirtualKey))
        .map(GroupBy::column)
        .collect();
    let splits = query.group_by.iter().any(|by| matches!(by, GroupBy::Integration | GroupBy::Project))
        || query.only.integration_id.is_some()
        || query.only.project_id.is_some()
        || query.only.within.is_some();
    let assigns = splits && !metered;
    let mut sql = if assigns { assigned::begin(tx, query) } else { Sql::new("") };
    sql.push("SELECT ");
    for by in GroupBy::ALL.map(GroupBy::column) {
        let kind = if by.ends_with("_id") && tx_is_postgres(tx) { "UUID" } else { "TEXT" };
        match (columns.contains(&by), by) {
            // Only providers' own keys are reported on.
            (true, "credential") if !metered => sql.push("'own' AS credential"),
            (true, "credential") => {
                sql.push("CASE WHEN integration_id <> ").bind(ServedBy::NoIntegration.uuid());
                sql.push(" THEN 'own' WHEN requests > 0 THEN 'fallback' END AS credential")
            }
            (true, _) => sql.push(by),
            (false, by) => sql.push(&format!("CAST(NULL AS {kind}) AS {by}")),
        };
        sql.push(", ");
    }
    for (column, in_metered_only) in SUMS {
        let sum = if metered || !in_metered_only { column } else { "CAST(NULL AS BIGINT)" };
        sql.push(&format!("CAST(sum({sum}) AS BIGINT) AS {column}, "));
    }
    sql.push("CAST(sum(cost_nano_usd) AS BIGINT) AS cost_nano_usd FROM ");
    if assigns {
        sql.push(assigned::TABLE).push(" WHERE 1 = 1");
    } else {
        sql.push(if metered { "usage_daily" } else { "reported_usage" });
        within(&mut sql, tx, query);
    }
    // Providers know nothing of virtual keys.
    let virtual_key_id = query.only.virtual_key_id.filter(|_| metered);
    Only { virtual_key_id, ..query.only.clone() }.narrow(&mut sql);
    if columns.is_empty() {
        sql.push(" HAVING count(*) > 0");
    } else {
        let columns = columns.join(", ");
        sql.push(" GROUP BY ").push(&columns).push(" ORDER BY ").push(&columns);
    }
    sql.push(" LIMIT ").bind(limit(MAX_GROUPS + 1));
    Ok(sql.rows::<Row>(tx).await?.into_iter().map(group).collect())
}

const SUMS: [(&str, bool); 11] = [
    ("requests", false),
    ("failed_requests", true),
    ("unknown_token_requests", true),
    ("unpriced_requests", true),
    ("refused_requests", true),
    ("input_tokens", false),
    ("cached_input_tokens", false),
    ("cache_write_tokens", false),
    ("cache_write_1h_tokens", false),
    ("output_tokens", false),
    ("reasoning_tokens", false),
];

/// Narrows a statement to the report's tenant, time and filter.
fn within(sql: &mut Sql, tx: &TenantTx, query: &ReportQuery) {
    sql.push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND day >= ").bind(query.from.day());
    sql.push(" AND day <= ").bind(Timestamp::from_ms(query.to.ms().saturating_sub(1)).day());
}

fn tx_is_postgres(tx: &TenantTx) -> bool {
    crate::transaction::sealed::Inner::is_postgres(tx)
}

fn group(row: Row) -> UsageGroup {
    UsageGroup {
        day: row.day,
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
    }
}
