//! Integrations whose verification ended without a verdict or has to wait: until their provider is back, or until a
//! call proves their key. None of them may stay `verifying` while no operation verifies it.

use keyway_domain::{IntegrationId, IntegrationStatus, TenantId, Timestamp};

use super::{DueIntegration, row};
use crate::{
    StoreError, SystemTx, Tx,
    entity::integrations as table,
    sql::{Sql, chunk, limit},
};

/// Shortest time in milliseconds between two proofs of a key by calls.
const PROVED_AT_MOST_EVERY_MS: i64 = 60_000;

/// Divisor of a host's time away that gives the time until it is asked again.
const AWAY_PART: i64 = 120;

/// SQL condition: a verification of the integration is under way.
const UNDER_WAY: &str = "EXISTS (SELECT 1 FROM operations AS job WHERE job.integration_id = integrations.id \
                         AND job.kind = 'verify_key' AND job.state IN ('queued', 'running'))";

/// An integration whose verification ended without a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Tenant that owns the integration.
    pub tenant_id: TenantId,
    /// Id of the integration.
    pub integration_id: IntegrationId,
    /// New status.
    pub to: IntegrationStatus,
}

/// Ends the status `verifying` of integrations that no operation verifies any more: one that was connected before its
/// test becomes `connected` again, any other `error`. Returns those whose status it ended.
///
/// # Errors
/// See [`StoreError`].
pub async fn settle(tx: &impl Tx, ids: &[IntegrationId], now: Timestamp) -> Result<Vec<Settled>, StoreError> {
    let mut ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut settled = Vec::new();
    for ids in ids.chunks(chunk(1)) {
        let mut sql = Sql::new(
            "UPDATE integrations SET status = CASE WHEN settled_status = 'connected' THEN 'connected' ELSE 'error' END, \
             settled_status = NULL, updated_at_ms = ",
        );
        sql.bind(now.ms()).push(" WHERE status = 'verifying' AND NOT ").push(UNDER_WAY);
        sql.push(" AND id IN (").list(ids.iter().copied()).push(") RETURNING *");
        for model in sql.models::<table::Entity>(tx).await? {
            let row = row(model)?;
            settled.push(Settled { tenant_id: row.tenant_id, integration_id: row.id, to: row.status });
        }
    }
    Ok(settled)
}

/// Returns integrations that are `verifying` since before `since` although no operation verifies them.
///
/// # Errors
/// See [`StoreError`].
pub async fn unattended(tx: &SystemTx, since: Timestamp, rows: u64) -> Result<Vec<DueIntegration>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM integrations WHERE status = 'verifying' AND updated_at_ms < ");
    sql.bind(since.ms()).push(" AND NOT ").push(UNDER_WAY).push(" ORDER BY updated_at_ms LIMIT ").bind(limit(rows));
    Ok(sql.models::<table::Entity>(tx).await?.iter().map(due).collect())
}

/// Returns one integration per unreachable host that has no verification under way: the one checked longest ago, before
/// `since`. Its verification finds out for all of them whether the host is back. The wait grows with the time the host
/// is away: at most a minute during the first two hours.
///
/// # Errors
/// See [`StoreError`].
pub async fn unreachable(
    tx: &SystemTx,
    since: Timestamp,
    now: Timestamp,
    rows: u64,
) -> Result<Vec<DueIntegration>, StoreError> {
    const OF_HOST: &str = "OVER (PARTITION BY tenant_id, provider, base_url";
    let mut sql = Sql::new("SELECT * FROM (SELECT *, row_number() ");
    sql.push(OF_HOST).push(" ORDER BY checked_at_ms, id) AS place, max(CASE WHEN ").push(UNDER_WAY);
    sql.push(" THEN 1 ELSE 0 END) ").push(OF_HOST).push(
        ") AS asked FROM integrations WHERE verdict_kind = 'unreachable' AND status <> 'disabled') AS ranked \
         WHERE place = 1 AND asked = 0 AND checked_at_ms < ",
    );
    sql.bind(since.ms()).push(" AND checked_at_ms + (checked_at_ms - COALESCE(away_since_ms, checked_at_ms)) / ");
    sql.bind(AWAY_PART).push(" < ").bind(now.ms()).push(" ORDER BY checked_at_ms LIMIT ").bind(limit(rows));
    Ok(sql.models::<table::Entity>(tx).await?.iter().map(due).collect())
}

/// Makes verifications due now for every integration whose host was unreachable and has just answered one of `ids`;
/// verifications under way are left alone.
///
/// # Errors
/// See [`StoreError`].
pub async fn look_again(tx: &SystemTx, ids: &[IntegrationId], now: Timestamp) -> Result<(), StoreError> {
    for id in ids {
        let text = "UPDATE integrations SET next_check_at_ms = $1 FROM integrations AS answered \
                    WHERE answered.id = $2 AND integrations.tenant_id = answered.tenant_id \
                    AND integrations.provider = answered.provider \
                    AND COALESCE(integrations.base_url, '') = COALESCE(answered.base_url, '') \
                    AND integrations.verdict_kind = 'unreachable' AND integrations.status <> 'disabled' AND NOT ";
        let text = format!("{text}{UNDER_WAY}");
        Sql::with(&text, [now.ms().into(), id.uuid().into()]).run(tx).await?;
    }
    Ok(())
}

/// Notes that calls were served with secrets that no verification could judge, and makes their verification due now. A
/// call that began before the secret was stored proves an earlier one and is ignored.
///
/// # Errors
/// See [`StoreError`].
pub async fn served(
    tx: &SystemTx,
    tenant_id: TenantId,
    calls: &[(IntegrationId, Timestamp)],
) -> Result<(), StoreError> {
    let mut calls = calls.to_vec();
    calls.sort_unstable();
    for calls in calls.chunks(chunk(2) - 1) {
        let mut sql = Sql::new("WITH calls(call_id, at_ms) AS (VALUES ");
        sql.tuples(calls.iter().map(|(id, at)| [id.uuid().into(), at.ms().into()]));
        sql.push(") UPDATE integrations SET served_at_ms = at_ms, next_check_at_ms = at_ms");
        sql.push(" FROM calls WHERE id = call_id AND status IN ('verifying', 'error') AND tenant_id = ");
        sql.bind(tenant_id.uuid()).push(
            " AND (verdict_kind IS NULL OR verdict_kind IN ('misconfigured', 'unreachable', 'rate_limited')) \
             AND (served_at_ms IS NULL OR served_at_ms < at_ms - ",
        );
        sql.bind(PROVED_AT_MOST_EVERY_MS).push(
            ") AND EXISTS (SELECT 1 FROM secrets WHERE secrets.id = integrations.secret_id \
             AND secrets.created_at_ms <= at_ms)",
        );
        sql.run(tx).await?;
    }
    Ok(())
}

pub(super) fn due(model: &table::Model) -> DueIntegration {
    DueIntegration {
        id: IntegrationId::from_uuid(model.id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        secret_version: model.secret_version,
    }
}
