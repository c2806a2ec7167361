//! Drift: usage that a provider reports for a key, compared with the calls metered by the proxy, per integration and
//! UTC day. Usage that is reported but not metered happened outside Keyway. Days before the key came to Keyway are left
//! out. A page reads the figures of its own lines and no others, however many keys there are.

use std::collections::HashMap;

use keyway_domain::{IntegrationId, ProjectId, TenantId, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx, Tx, only,
    page::beyond,
    slices::Slice,
    sql::{Sql, limit},
};

/// Largest number of lines in one page.
pub const MAX_LINES: u64 = 10_000;
/// Fewest tokens used outside Keyway in a day that count as drift.
const LEAST_TOKENS: i64 = 1_000;
const LEAST_REQUESTS: i64 = 10;

/// Reported and metered usage of one integration on one UTC day. Tokens are input and output summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Tenant that owns the integration.
    pub tenant_id: TenantId,
    /// Integration whose key was used.
    pub integration_id: IntegrationId,
    /// UTC day, `2026-11-20`.
    pub day: String,
    /// Calls that the provider reports; `None`: not reported.
    pub reported_requests: Option<i64>,
    /// Tokens that the provider reports; `None`: not reported.
    pub reported_tokens: Option<i64>,
    /// Calls through the proxy.
    pub metered_requests: i64,
    /// Tokens of the metered calls, as far as known.
    pub metered_tokens: i64,
    /// Metered calls that did not fail and whose tokens are unknown.
    pub unknown_token_requests: i64,
}

impl Drift {
    /// Returns `true` if more than `percent` of the reported usage did not go through the proxy. Compares tokens, or
    /// calls, if reported, where a call's tokens are unknown.
    #[must_use]
    pub fn is_outside(&self, percent: u64) -> bool {
        let beyond = |reported: Option<i64>, metered: i64, least: i64| {
            let reported = reported.unwrap_or(0);
            let outside = reported.saturating_sub(metered);
            outside >= least && i128::from(outside) * 100 > i128::from(reported) * i128::from(percent)
        };
        match (self.unknown_token_requests, self.reported_requests) {
            (0, _) | (_, None) => beyond(self.reported_tokens, self.metered_tokens, LEAST_TOKENS),
            _ => beyond(self.reported_requests, self.metered_requests, LEAST_REQUESTS),
        }
    }
}

/// A range of UTC days, both ends inclusive.
#[derive(Clone, Debug)]
pub struct Days {
    /// First day: `2026-11-01`.
    pub from: String,
    /// Last day: `2026-11-03`.
    pub to: String,
}

/// Key of a line: its day and integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineKey {
    /// UTC day.
    pub day: String,
    /// Integration.
    pub integration_id: IntegrationId,
}

#[derive(FromQueryResult)]
struct Reported {
    integration_id: Uuid,
    day: String,
    requests: Option<i64>,
    tokens: Option<i64>,
}

#[derive(FromQueryResult)]
struct Metered {
    integration_id: Uuid,
    start_ms: i64,
    requests: i64,
    tokens: i64,
    unknown: i64,
}

/// Returns the drift of the tenant's integrations (of this one or of all, of these projects or of all) whose provider
/// reports usage, by day and integration.
///
/// # Errors
/// See [`StoreError`].
pub async fn report(
    tx: &TenantTx,
    days: &Days,
    integration_id: Option<IntegrationId>,
    within: Option<&[ProjectId]>,
    page: Page<LineKey>,
) -> Result<Paged<Drift>, StoreError> {
    let mut sql = reported(days, tx.tenant_id(), page.after.as_ref());
    if let Some(integration_id) = integration_id {
        sql.push(" AND integration_id = ").bind(integration_id.uuid());
    }
    if within.is_some() {
        sql.push(" AND EXISTS (SELECT 1 FROM integrations AS owner WHERE owner.id = key_usage.integration_id");
        only::within(&mut sql, "owner.project_id", within);
        sql.push(")");
    }
    let lines = page.limit.clamp(1, MAX_LINES);
    let mut items = compared(tx, tx.tenant_id(), sql, lines + 1).await?;
    let more = items.len() as u64 > lines;
    items.truncate(usize::try_from(lines).unwrap_or(usize::MAX));
    Ok(Paged { items, more })
}

/// Returns tenants with reported usage in these days, in the order of their ids, starting after `after`.
///
/// # Errors
/// See [`StoreError`].
pub async fn tenants(
    tx: &SystemTx,
    days: &Days,
    after: Option<TenantId>,
    rows: u64,
) -> Result<Vec<TenantId>, StoreError> {
    let mut sql = Sql::new("SELECT DISTINCT tenant_id AS id FROM key_usage WHERE day >= ");
    sql.bind(days.from.clone()).push(" AND day <= ").bind(days.to.clone());
    if let Some(after) = after {
        sql.push(" AND tenant_id > ").bind(after.uuid());
    }
    sql.push(" ORDER BY id LIMIT ").bind(limit(rows));
    Ok(sql.ids(tx).await?.into_iter().map(TenantId::from_uuid).collect())
}

/// Returns lines of a tenant's existing integrations that the owner was not told of yet, starting after `after`.
///
/// # Errors
/// See [`StoreError`].
pub async fn untold(
    tx: &SystemTx,
    tenant_id: TenantId,
    days: &Days,
    after: Option<&LineKey>,
    lines: u64,
) -> Result<Vec<Drift>, StoreError> {
    let mut sql = reported(days, tenant_id, after);
    sql.push(
        " AND NOT EXISTS (SELECT 1 FROM drift_alarms AS told WHERE told.tenant_id = key_usage.tenant_id \
         AND told.integration_id = key_usage.integration_id AND told.day = key_usage.day) \
         AND EXISTS (SELECT 1 FROM integrations AS owner WHERE owner.id = key_usage.integration_id)",
    );
    compared(tx, tenant_id, sql, lines.clamp(1, MAX_LINES)).await
}

/// Notes that the owner is told of the drift; returns `false` if that was noted before.
///
/// # Errors
/// [`StoreError::Conflict`] if the integration is gone.
pub async fn tell(tx: &SystemTx, drift: &Drift, now: Timestamp) -> Result<bool, StoreError> {
    let text = "INSERT INTO drift_alarms (tenant_id, integration_id, day, raised_at_ms) VALUES ($1, $2, $3, $4) \
                ON CONFLICT DO NOTHING";
    let (tenant_id, integration_id) = (drift.tenant_id.uuid().into(), drift.integration_id.uuid().into());
    let values = [tenant_id, integration_id, drift.day.clone().into(), now.ms().into()];
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

/// Counts integrations whose owners were told of drift since `since`.
///
/// # Errors
/// See [`StoreError`].
pub async fn count_told(tx: &SystemTx, since: Timestamp) -> Result<i64, StoreError> {
    let text = "SELECT count(DISTINCT integration_id) AS n FROM drift_alarms WHERE raised_at_ms >= $1";
    Sql::with(text, [since.ms().into()]).number(tx).await
}

/// Begins the statement that reads what is reported.
fn reported(days: &Days, tenant_id: TenantId, after: Option<&LineKey>) -> Sql {
    let mut sql = Sql::new(
        "SELECT integration_id, day, CAST(sum(requests) AS BIGINT) AS requests, CASE WHEN count(input_tokens) = 0 \
         THEN NULL ELSE CAST(sum(COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0)) AS BIGINT) END AS tokens \
         FROM key_usage WHERE tenant_id = ",
    );
    sql.bind(tenant_id.uuid()).push(" AND day >= ").bind(days.from.clone());
    sql.push(" AND day <= ").bind(days.to.clone());
    if let Some(after) = after {
        beyond(&mut sql, &["day", "integration_id"], false);
        sql.bind(after.day.clone()).push(", ").bind(after.integration_id.uuid()).push(")");
    }
    sql.push(
        " AND NOT EXISTS (SELECT 1 FROM integrations AS own WHERE own.id = key_usage.integration_id \
         AND own.created_at_ms > key_usage.bucket_start_ms)",
    );
    sql
}

/// Reads lines of what is reported and sets what is metered beside them.
async fn compared(tx: &impl Tx, tenant_id: TenantId, mut sql: Sql, lines: u64) -> Result<Vec<Drift>, StoreError> {
    sql.push(" GROUP BY day, integration_id ORDER BY day, integration_id LIMIT ").bind(limit(lines));
    let reported = sql.rows::<Reported>(tx).await?;
    let mut metered = HashMap::new();
    for reported in reported.chunk_by(|one, other| one.day == other.day) {
        let ids = reported.iter().map(|line| line.integration_id);
        let day_ms = start_of(&reported[0].day).ms();
        for row in metered_on(tx, tenant_id, day_ms, ids).await? {
            metered.insert((row.start_ms, row.integration_id), row);
        }
    }
    let drift = |line: Reported| {
        let found = metered.get(&(start_of(&line.day).ms(), line.integration_id));
        Drift {
            tenant_id,
            integration_id: IntegrationId::from_uuid(line.integration_id),
            day: line.day,
            reported_requests: line.requests,
            reported_tokens: line.tokens,
            metered_requests: found.map_or(0, |row| row.requests),
            metered_tokens: found.map_or(0, |row| row.tokens),
            unknown_token_requests: found.map_or(0, |row| row.unknown),
        }
    };
    Ok(reported.into_iter().map(drift).collect())
}

async fn metered_on(
    tx: &impl Tx,
    tenant_id: TenantId,
    day_ms: i64,
    ids: impl Iterator<Item = Uuid>,
) -> Result<Vec<Metered>, StoreError> {
    let mut sql = Sql::new(
        "SELECT integration_id, start_ms, CAST(sum(requests) AS BIGINT) AS requests, \
         CAST(sum(COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0)) AS BIGINT) AS tokens, \
         CAST(sum(unknown_answered_requests) AS BIGINT) AS unknown FROM usage_rollups WHERE tenant_id = ",
    );
    sql.bind(tenant_id.uuid()).push(" AND slice = ").bind(Slice::DayIntegration.name());
    sql.push(" AND start_ms = ").bind(day_ms).push(" AND integration_id IN (").list(ids);
    sql.push(") GROUP BY integration_id, start_ms");
    sql.rows(tx).await
}

fn start_of(day: &str) -> Timestamp {
    Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap_or(Timestamp::from_ms(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_more_than_a_trifle_is_outside() {
        let drift = |reported, metered, unknown| Drift {
            tenant_id: TenantId::new(),
            integration_id: IntegrationId::new(),
            day: String::new(),
            reported_requests: Some(100),
            reported_tokens: reported,
            metered_requests: 95,
            metered_tokens: metered,
            unknown_token_requests: unknown,
        };
        for (reported, metered, unknown, expected) in [
            (Some(100_000), 100_000, 0, false),
            (Some(100_000), 95_000, 0, false),
            (Some(100_000), 94_999, 0, true),
            (Some(999), 0, 0, false),
            (Some(1_000), 0, 0, true),
            (Some(100), 200_000, 0, false),
            (None, 0, 0, false),
            // Calls tell: 5 of 100 are no more than a trifle.
            (Some(100_000), 0, 1, false),
        ] {
            let found = drift(reported, metered, unknown).is_outside(5);
            assert_eq!(found, expected, "{reported:?} {metered} {unknown}");
        }
        assert!(Drift { metered_requests: 80, ..drift(None, 0, 3) }.is_outside(5));
        assert!(Drift { reported_requests: None, ..drift(Some(100_000), 0, 3) }.is_outside(5), "nobody reports calls");
    }
}
