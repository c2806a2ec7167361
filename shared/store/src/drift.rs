//! Drift: usage that a provider reports for a key, compared with the calls metered by the proxy, per integration and
//! UTC day. Usage that is reported but not metered happened outside Keyway. Days before the key came to Keyway are left
//! out.

use keyway_domain::{IntegrationId, ProjectId, TenantId, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, SystemTx, TenantTx, Tx, only,
    sql::{Sql, limit},
};

/// Largest number of lines in one report.
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

#[derive(FromQueryResult)]
struct Row {
    tenant_id: Uuid,
    integration_id: Uuid,
    day: String,
    reported_requests: Option<i64>,
    reported_tokens: Option<i64>,
    metered_requests: i64,
    metered_tokens: i64,
    unknown_token_requests: i64,
}

/// Returns the drift of the tenant's integrations (of these projects, or of all) whose provider reports usage, by day and integration. [`MAX_LINES`] +
/// 1 lines mean that the report is truncated.
///
/// # Errors
/// See [`StoreError`].
pub async fn report(tx: &TenantTx, days: &Days, within: Option<&[ProjectId]>) -> Result<Vec<Drift>, StoreError> {
    let mut sql = compare(days, tx.tenant_id());
    if within.is_some() {
        sql.push(" WHERE EXISTS (SELECT 1 FROM integrations AS own WHERE own.id = reported.integration_id");
        only::within(&mut sql, "own.project_id", within);
        sql.push(")");
    }
    sql.push(" ORDER BY reported.day, reported.integration_id LIMIT ").bind(limit(MAX_LINES + 1));
    read(tx, sql).await
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

/// Returns the drift of a tenant's existing integrations that the owner was not told of yet; at most [`MAX_LINES`]
/// lines.
///
/// # Errors
/// See [`StoreError`].
pub async fn untold(tx: &SystemTx, tenant_id: TenantId, days: &Days) -> Result<Vec<Drift>, StoreError> {
    let mut sql = compare(days, tenant_id);
    sql.push(
        " WHERE NOT EXISTS (SELECT 1 FROM drift_alarms AS told WHERE told.tenant_id = reported.tenant_id \
         AND told.integration_id = reported.integration_id AND told.day = reported.day) \
         AND EXISTS (SELECT 1 FROM integrations WHERE id = reported.integration_id) \
         AND COALESCE(reported.tokens, 0) > COALESCE(metered.tokens, 0) ORDER BY reported.day, reported.integration_id LIMIT ",
    );
    sql.bind(limit(MAX_LINES));
    read(tx, sql).await
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

fn compare(days: &Days, tenant: TenantId) -> Sql {
    let tokens = "CAST(sum(COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0)) AS BIGINT)";
    let mut sql = Sql::new("WITH reported AS (SELECT tenant_id, integration_id, day, ");
    sql.push("CAST(sum(requests) AS BIGINT) AS requests, CASE WHEN count(input_tokens) = 0 THEN NULL ELSE ");
    sql.push(tokens).push(" END AS tokens FROM key_usage");
    let came = " AND NOT EXISTS (SELECT 1 FROM integrations AS own WHERE own.id = key_usage.integration_id \
                AND own.created_at_ms > key_usage.bucket_start_ms)";
    within(&mut sql, days, tenant, came);
    sql.push("), metered AS (SELECT tenant_id, integration_id, day, CAST(sum(requests) AS BIGINT) AS requests, ");
    sql.push(tokens).push(
        " AS tokens, CAST(sum(CASE WHEN unknown_token_requests > failed_requests \
         THEN unknown_token_requests - failed_requests ELSE 0 END) AS BIGINT) AS unknown FROM usage_daily",
    );
    within(&mut sql, days, tenant, "");
    sql.push(
        ") SELECT reported.tenant_id, reported.integration_id, reported.day, reported.requests AS reported_requests, \
         reported.tokens AS reported_tokens, COALESCE(metered.requests, 0) AS metered_requests, \
         COALESCE(metered.tokens, 0) AS metered_tokens, COALESCE(metered.unknown, 0) AS unknown_token_requests \
         FROM reported LEFT JOIN metered ON metered.tenant_id = reported.tenant_id \
         AND metered.integration_id = reported.integration_id AND metered.day = reported.day",
    );
    sql
}

fn within(sql: &mut Sql, days: &Days, tenant: TenantId, and: &str) {
    sql.push(" WHERE day >= ").bind(days.from.clone()).push(" AND day <= ").bind(days.to.clone());
    sql.push(" AND tenant_id = ").bind(tenant.uuid()).push(and);
    sql.push(" GROUP BY tenant_id, integration_id, day");
}

async fn read(tx: &impl Tx, sql: Sql) -> Result<Vec<Drift>, StoreError> {
    let drift = |row: Row| Drift {
        tenant_id: TenantId::from_uuid(row.tenant_id),
        integration_id: IntegrationId::from_uuid(row.integration_id),
        day: row.day,
        reported_requests: row.reported_requests,
        reported_tokens: row.reported_tokens,
        metered_requests: row.metered_requests,
        metered_tokens: row.metered_tokens,
        unknown_token_requests: row.unknown_token_requests,
    };
    Ok(sql.rows::<Row>(tx).await?.into_iter().map(drift).collect())
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
