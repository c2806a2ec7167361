//! Expiry dates that owners gave for their secrets: each warning is given once across all processes.

use std::time::Duration;

use keyway_domain::{IntegrationId, TenantId, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    StoreError, SystemTx,
    sql::{Sql, limit, skip_locked},
};

/// Days before the expiry at which the owner is warned; 0 says that the secret has expired.
pub const WARNING_DAYS: [u64; 4] = [30, 7, 1, 0];

/// A warning that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Integration whose secret expires.
    pub integration_id: IntegrationId,
    /// Tenant that owns the integration.
    pub tenant_id: TenantId,
    /// Time of expiry.
    pub expires_at: Timestamp,
    /// Days of the warning, one of [`WARNING_DAYS`].
    pub days: u64,
}

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    tenant_id: Uuid,
    expires_at_ms: i64,
}

/// Claims the warnings that are due, so that no other process gives them too. A missed warning is replaced by the later
/// one.
///
/// # Errors
/// See [`StoreError`].
pub async fn warnings_due(tx: &SystemTx, now: Timestamp, rows: u64) -> Result<Vec<Warning>, StoreError> {
    let mut sql = Sql::new(
        "WITH due AS MATERIALIZED (SELECT id AS due_id FROM integrations WHERE status <> 'disabled' AND expires_at_ms <= ",
    );
    sql.bind(now.after(days(WARNING_DAYS[0])).ms());
    // The latest warning whose time has come: what was said after that need not be said again.
    sql.push(" AND COALESCE(expiry_warned_at_ms, 0) < expires_at_ms - CASE");
    for warning in WARNING_DAYS.into_iter().rev() {
        let before_ms = i64::try_from(days(warning).as_millis()).unwrap_or(i64::MAX);
        sql.push(" WHEN expires_at_ms <= ").bind(now.after(days(warning)).ms());
        sql.push(&format!(" THEN {before_ms}"));
    }
    sql.push(" END ORDER BY expires_at_ms, id LIMIT ").bind(limit(rows)).push(skip_locked(tx));
    sql.push(") UPDATE integrations SET expiry_warned_at_ms = ").bind(now.ms());
    sql.push(" FROM due WHERE id = due_id RETURNING id, tenant_id, expires_at_ms");
    let warning = |row: Row| {
        let expires_at = Timestamp::from_ms(row.expires_at_ms);
        Some(Warning {
            integration_id: IntegrationId::from_uuid(row.id),
            tenant_id: TenantId::from_uuid(row.tenant_id),
            expires_at,
            days: WARNING_DAYS.into_iter().rev().find(|warning| expires_at <= now.after(days(*warning)))?,
        })
    };
    Ok(sql.rows::<Row>(tx).await?.into_iter().filter_map(warning).collect())
}

/// Counts secrets in use that expire within each of [`WARNING_DAYS`]; within 0 days means that they have expired.
///
/// # Errors
/// See [`StoreError`].
pub async fn count_within(tx: &SystemTx, now: Timestamp) -> Result<[(u64, i64); 4], StoreError> {
    let mut counts = WARNING_DAYS.map(|warning| (warning, 0));
    for (warning, count) in &mut counts {
        let text = "SELECT count(*) AS n FROM integrations WHERE expires_at_ms <= $1 AND status <> 'disabled'";
        *count = Sql::with(text, [now.after(days(*warning)).ms().into()]).number(tx).await?;
    }
    Ok(counts)
}

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}
