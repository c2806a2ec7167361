//! Verdicts: their history, and their effect on an integration's status.
//!
//! Only the status writer records verdicts.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use keyway_domain::{
    Evidence, IntegrationId, IntegrationStatus, OperationId, TenantId, Timestamp, Verdict, VerdictKind,
};
use sea_orm::{FromQueryResult, Value};
use uuid::Uuid;

use crate::{
    StoreError, SystemTx, TenantTx,
    entity::{integrations as integration_table, verdicts as table},
    integrations,
    sql::{Sql, chunk, for_update, int, limit, ms, uint},
};

/// A verdict as the status writer records it; its natural key is operation and attempt.
#[derive(Clone, Debug)]
pub struct VerdictRecord {
    /// Tenant that owns the integration.
    pub tenant_id: TenantId,
    /// Operation of the verification.
    pub operation_id: OperationId,
    /// Attempt of the operation.
    pub attempt: u32,
    /// Integration that was verified.
    pub integration_id: IntegrationId,
    /// Version of the secret that was verified.
    pub secret_version: i32,
    /// The verdict.
    pub verdict: Verdict,
    /// Time of the next verification; `None` keeps the planned one.
    pub next_check_at: Option<Timestamp>,
}

/// An integration that a verdict was applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Tenant that owns the integration.
    pub tenant_id: TenantId,
    /// Id of the integration.
    pub integration_id: IntegrationId,
    /// Its status before.
    pub from: IntegrationStatus,
    /// Its status now.
    pub to: IntegrationStatus,
    /// `true` if its provider was unreachable before and has answered now.
    pub is_back: bool,
}

/// One verdict of an integration's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictRow {
    /// Operation of the verification.
    pub operation_id: OperationId,
    /// Attempt of the operation.
    pub attempt: u32,
    /// Version of the secret that was verified.
    pub secret_version: i32,
    /// The verdict.
    pub verdict: Verdict,
}

/// Stores verdicts, one per attempt, and applies each new one to its integration if it is about the current secret and
/// newer than the stored one. Of an attempt that ran twice, the verdict that says something about the key is kept.
/// Returns the integrations that changed.
///
/// # Errors
/// See [`StoreError`].
pub async fn record(tx: &SystemTx, records: &[VerdictRecord]) -> Result<Vec<Applied>, StoreError> {
    let mut applied = Vec::new();
    for records in records.chunks(chunk(11)) {
        let ids = records.iter().map(|record| record.integration_id);
        let models = integrations::of_ids(tx, ids, for_update(tx)).await?;
        let mut current: HashMap<_, _> = models.into_iter().map(|model| (model.id, (model, None))).collect();
        let is_known = |record: &&VerdictRecord| {
            current.get(&record.integration_id.uuid()).is_some_and(|it| it.0.tenant_id == record.tenant_id.uuid())
        };
        let known = one_per_attempt(records.iter().filter(is_known));
        let mut filed = file(tx, &known).await?;
        for record in known {
            let is_new = filed.remove(&(record.operation_id.uuid(), int(record.attempt)));
            if let Some((model, change)) = current.get_mut(&record.integration_id.uuid()).filter(|_| is_new) {
                apply(model, change, record)?;
            }
        }
        let mut changed: Vec<_> = current.into_values().filter_map(|(model, change)| Some((model, change?))).collect();
        changed.sort_unstable_by_key(|(model, _)| model.id);
        store_applied(tx, &changed).await?;
        applied.extend(changed.into_iter().map(|(_, change)| change));
    }
    Ok(applied)
}

/// Returns the history of an integration, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn history(tx: &TenantTx, id: IntegrationId, rows: u64) -> Result<Vec<VerdictRow>, StoreError> {
    let text = "SELECT * FROM verdicts WHERE tenant_id = $1 AND integration_id = $2 \
                ORDER BY checked_at_ms DESC, operation_id DESC, attempt DESC LIMIT $3";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into(), limit(rows).into()]);
    sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect()
}

/// Keeps one verdict per attempt, in the order of arrival.
fn one_per_attempt<'r>(records: impl Iterator<Item = &'r VerdictRecord>) -> Vec<&'r VerdictRecord> {
    let (mut kept, mut places) = (Vec::<&VerdictRecord>::new(), HashMap::new());
    for record in records {
        match places.entry((record.operation_id, record.attempt)) {
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(record);
            }
            Entry::Occupied(place) => {
                let first = &mut kept[*place.get()];
                if record.verdict.kind.is_conclusive() && !first.verdict.kind.is_conclusive() {
                    *first = record;
                }
            }
        }
    }
    kept
}

fn apply(
    model: &mut integration_table::Model,
    change: &mut Option<Applied>,
    record: &VerdictRecord,
) -> Result<(), StoreError> {
    let verdict = &record.verdict;
    let from = IntegrationStatus::parse(&model.status).ok_or(StoreError::Corrupt("integration status"))?;
    // One that is still to be verified waits for any verdict: the stored one is of an earlier secret or time, by
    // whichever worker's clock.
    let is_newer = from == IntegrationStatus::Verifying
        || model.checked_at_ms.is_none_or(|checked_at_ms| checked_at_ms < verdict.checked_at.ms());
    if model.secret_version != record.secret_version || !is_newer {
        return Ok(());
    }
    // An inconclusive verdict leaves a test under way.
    let stood = model.settled_status.as_deref().and_then(IntegrationStatus::parse);
    let to = match (verdict.kind, stood) {
        (VerdictKind::Misconfigured, Some(stood)) => stood.after(verdict.kind),
        _ => from.after(verdict.kind),
    };
    if to != IntegrationStatus::Verifying {
        model.settled_status = None;
    }
    let was_away = model.verdict_kind.as_deref() == Some(VerdictKind::Unreachable.name());
    let is_back = was_away && verdict.kind != VerdictKind::Unreachable || change.is_some_and(|earlier| earlier.is_back);
    let is_away = verdict.kind == VerdictKind::Unreachable;
    model.away_since_ms = is_away.then(|| model.away_since_ms.unwrap_or(verdict.checked_at.ms()));
    to.name().clone_into(&mut model.status);
    model.verdict_kind = Some(verdict.kind.name().to_owned());
    model.verdict_http_status = verdict.evidence.http_status.map(i32::from);
    model.verdict_request_id.clone_from(&verdict.evidence.provider_request_id);
    model.verdict_code.clone_from(&verdict.evidence.provider_code);
    model.verdict_reason = Some(verdict.evidence.reason.clone());
    model.checked_at_ms = Some(verdict.checked_at.ms());
    model.next_check_at_ms = ms(record.next_check_at).or(model.next_check_at_ms);
    let from = change.map_or(from, |earlier| earlier.from);
    let tenant_id = TenantId::from_uuid(model.tenant_id);
    *change = Some(Applied { tenant_id, integration_id: record.integration_id, from, to, is_back });
    Ok(())
}

async fn store_applied(tx: &SystemTx, changed: &[(integration_table::Model, Applied)]) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(
        "WITH v(v_id, v_status, v_kind, v_http, v_request, v_code, v_reason, v_at, v_next, v_settled, v_away) AS (VALUES ",
    );
    sql.tuples(changed.iter().map(|(model, _)| -> [Value; 11] {
        [
            model.id.into(),
            model.status.clone().into(),
            model.verdict_kind.clone().into(),
            model.verdict_http_status.into(),
            model.verdict_request_id.clone().into(),
            model.verdict_code.clone().into(),
            model.verdict_reason.clone().into(),
            model.checked_at_ms.into(),
            model.next_check_at_ms.into(),
            model.settled_status.clone().into(),
            model.away_since_ms.into(),
        ]
    }));
    sql.push(
        ") UPDATE integrations SET status = v_status, verdict_kind = v_kind, verdict_http_status = v_http, \
         verdict_request_id = v_request, verdict_code = v_code, verdict_reason = v_reason, checked_at_ms = v_at, \
         updated_at_ms = v_at, next_check_at_ms = v_next, settled_status = v_settled, away_since_ms = v_away FROM v WHERE id = v_id",
    );
    sql.run(tx).await.map(drop)
}

/// Stores the verdicts; returns operation and attempt of those that are new, or say more than the stored one.
async fn file(tx: &SystemTx, records: &[&VerdictRecord]) -> Result<HashSet<(Uuid, i32)>, StoreError> {
    #[derive(FromQueryResult)]
    struct Filed {
        operation_id: Uuid,
        attempt: i32,
    }
    if records.is_empty() {
        return Ok(HashSet::new());
    }
    let mut sql = Sql::new(
        "INSERT INTO verdicts (operation_id, attempt, tenant_id, integration_id, secret_version, kind, http_status, \
         provider_request_id, provider_code, reason, checked_at_ms) VALUES ",
    );
    sql.tuples(records.iter().map(|record| -> [Value; 11] {
        let evidence = &record.verdict.evidence;
        [
            record.operation_id.uuid().into(),
            int(record.attempt).into(),
            record.tenant_id.uuid().into(),
            record.integration_id.uuid().into(),
            record.secret_version.into(),
            record.verdict.kind.name().into(),
            evidence.http_status.map(i32::from).into(),
            evidence.provider_request_id.clone().into(),
            evidence.provider_code.clone().into(),
            evidence.reason.clone().into(),
            record.verdict.checked_at.ms().into(),
        ]
    }));
    let inconclusive = || VerdictKind::ALL.into_iter().filter(|kind| !kind.is_conclusive()).map(VerdictKind::name);
    sql.push(
        " ON CONFLICT (operation_id, attempt) DO UPDATE SET kind = excluded.kind, http_status = excluded.http_status, \
         provider_request_id = excluded.provider_request_id, provider_code = excluded.provider_code, \
         reason = excluded.reason, checked_at_ms = excluded.checked_at_ms WHERE verdicts.kind IN (",
    );
    sql.list(inconclusive()).push(") AND excluded.kind NOT IN (").list(inconclusive());
    sql.push(") RETURNING operation_id, attempt");
    Ok(sql.rows::<Filed>(tx).await?.into_iter().map(|filed| (filed.operation_id, filed.attempt)).collect())
}

fn row(model: table::Model) -> Result<VerdictRow, StoreError> {
    Ok(VerdictRow {
        operation_id: OperationId::from_uuid(model.operation_id),
        attempt: uint(model.attempt),
        secret_version: model.secret_version,
        verdict: Verdict {
            kind: VerdictKind::parse(&model.kind).ok_or(StoreError::Corrupt("verdict"))?,
            evidence: Evidence {
                http_status: model.http_status.and_then(|status| u16::try_from(status).ok()),
                provider_request_id: model.provider_request_id,
                provider_code: model.provider_code,
                reason: model.reason,
            },
            checked_at: Timestamp::from_ms(model.checked_at_ms),
        },
    })
}
