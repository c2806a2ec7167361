//! The audit log: appended once by event id, never changed. Only the audit writer appends.

use std::collections::{BTreeMap, HashSet};

use keyway_domain::{Actor, AuditEvent, AuditOutcome, MessageId, RequestId, TenantId, Timestamp};
use sea_orm::Value;
use uuid::Uuid;

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx,
    audit_chain::Chains,
    entity::audit_events as table,
    sql::{Sql, chunk, limit},
};

pub use crate::audit_record::AuditRecord;

/// Key of an audit event in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditKey {
    /// Time of the event.
    pub occurred_at: Timestamp,
    /// Id that orders events of the same time.
    pub event_id: MessageId,
}

/// Filter of a list of audit events; `None` accepts any value.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Action, exactly: `integration.created`.
    pub action: Option<String>,
    /// Id of the resource that was acted on.
    pub target: Option<String>,
    /// Actor type: `admin`, `virtual_key` or `system`.
    pub actor_type: Option<String>,
    /// Earliest time, inclusive.
    pub from: Option<Timestamp>,
    /// Latest time, exclusive.
    pub to: Option<Timestamp>,
}

/// Appends events to the log and to the chains of their tenants; skips those whose id is stored already. Returns the number
/// of new ones.
///
/// # Errors
/// See [`StoreError`].
pub async fn append(tx: &SystemTx, records: &[AuditRecord]) -> Result<u64, StoreError> {
    // The lock comes first: what another writer stores meanwhile is seen after it.
    let chains = Chains::lock(tx, &records.iter().map(|record| record.tenant_id).collect()).await?;
    let mut new: Vec<_> = records.iter().collect();
    new.sort_unstable_by_key(|record| record.event_id);
    new.dedup_by_key(|record| record.event_id);
    let known = known(tx, &new).await?;
    new.retain(|record| !known.contains(&record.event_id.uuid()));
    if new.is_empty() {
        return Ok(0);
    }
    for records in new.chunks(chunk(10)) {
        let mut sql = Sql::new(
            "INSERT INTO audit_events (event_id, tenant_id, action, actor_type, actor, target, outcome, \
             occurred_at_ms, request_id, changes) VALUES ",
        );
        sql.tuples(records.iter().map(|record| values(record)));
        sql.run(tx).await?;
    }
    chains.extend(tx, &new).await?;
    Ok(new.len() as u64)
}

/// Returns audit events of the tenant, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, filter: &Filter, page: Page<AuditKey>) -> Result<Paged<AuditRecord>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM audit_events WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    let texts = [(" AND action = ", &filter.action), (" AND target = ", &filter.target)];
    for (condition, value) in texts.into_iter().chain([(" AND actor_type = ", &filter.actor_type)]) {
        if let Some(value) = value {
            sql.push(condition).bind(value.as_str());
        }
    }
    if let Some(from) = filter.from {
        sql.push(" AND occurred_at_ms >= ").bind(from.ms());
    }
    if let Some(to) = filter.to {
        sql.push(" AND occurred_at_ms < ").bind(to.ms());
    }
    page.newest_first(&mut sql, ["occurred_at_ms", "event_id"], |after| {
        [after.occurred_at.ms().into(), after.event_id.uuid().into()]
    });
    let rows = sql.models::<table::Entity>(tx).await?;
    Ok(Paged::of(&page, rows.into_iter().map(record).collect::<Result<_, _>>()?))
}

/// Returns `true` if a tenant, which may be deleted, has any audit event.
///
/// # Errors
/// See [`StoreError`].
pub async fn has_any(tx: &SystemTx, tenant_id: TenantId) -> Result<bool, StoreError> {
    let text = "SELECT count(*) AS n FROM (SELECT 1 FROM audit_events WHERE tenant_id = $1 LIMIT 1) AS one";
    Ok(Sql::with(text, [tenant_id.uuid().into()]).number(tx).await? == 1)
}

/// Returns those of these events that are in the tenant's log, by id.
pub(crate) async fn by_ids(tx: &TenantTx, ids: &[Uuid]) -> Result<BTreeMap<MessageId, AuditRecord>, StoreError> {
    let mut records = BTreeMap::new();
    for ids in ids.chunks(chunk(1)) {
        let mut sql = Sql::new("SELECT * FROM audit_events WHERE tenant_id = ");
        sql.bind(tx.tenant_id().uuid()).push(" AND event_id IN (").list(ids.iter().copied()).push(")");
        for model in sql.models::<table::Entity>(tx).await? {
            records.insert(MessageId::from_uuid(model.event_id), record(model)?);
        }
    }
    Ok(records)
}

/// Returns events of a tenant that are in no chain, the oldest first, behind `after`.
pub(crate) async fn outside(
    tx: &SystemTx,
    tenant_id: TenantId,
    after: Option<AuditKey>,
    rows: u64,
) -> Result<Vec<AuditRecord>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM audit_events AS e WHERE tenant_id = ");
    sql.bind(tenant_id.uuid());
    sql.push(" AND NOT EXISTS (SELECT 1 FROM audit_entries AS x WHERE x.event_id = e.event_id)");
    if let Some(after) = after {
        sql.push(" AND (occurred_at_ms, event_id) > (").bind(after.occurred_at.ms()).push(", ");
        sql.bind(after.event_id.uuid()).push(")");
    }
    sql.push(" ORDER BY occurred_at_ms, event_id LIMIT ").bind(limit(rows));
    sql.models::<table::Entity>(tx).await?.into_iter().map(record).collect()
}

async fn known(tx: &SystemTx, records: &[&AuditRecord]) -> Result<HashSet<Uuid>, StoreError> {
    let mut known = HashSet::new();
    for records in records.chunks(chunk(1)) {
        let mut sql = Sql::new("SELECT event_id AS id FROM audit_events WHERE event_id IN (");
        sql.list(records.iter().map(|record| record.event_id.uuid())).push(")");
        known.extend(sql.ids(tx).await?);
    }
    Ok(known)
}

fn values(record: &AuditRecord) -> [Value; 10] {
    let event = &record.event;
    let actor_type = match event.actor {
        Actor::Admin => "admin",
        Actor::VirtualKey { .. } => "virtual_key",
        Actor::User { .. } => "user",
        Actor::Service { .. } => "service",
        Actor::System { .. } => "system",
    };
    [
        record.event_id.uuid().into(),
        record.tenant_id.uuid().into(),
        event.action.clone().into(),
        actor_type.into(),
        serde_json::to_value(&event.actor).unwrap_or_default().to_string().into(),
        event.target.clone().into(),
        outcome_name(event.outcome).into(),
        event.occurred_at.ms().into(),
        event.request_id.map(RequestId::uuid).into(),
        event.changes.to_string().into(),
    ]
}

fn record(model: table::Model) -> Result<AuditRecord, StoreError> {
    let outcomes = [AuditOutcome::Success, AuditOutcome::Denied];
    let outcome = outcomes.into_iter().find(|outcome| outcome_name(*outcome) == model.outcome);
    Ok(AuditRecord {
        event_id: MessageId::from_uuid(model.event_id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        event: AuditEvent {
            action: model.action,
            actor: serde_json::from_str(&model.actor).map_err(|_| StoreError::Corrupt("audit actor"))?,
            target: model.target,
            outcome: outcome.ok_or(StoreError::Corrupt("audit outcome"))?,
            occurred_at: Timestamp::from_ms(model.occurred_at_ms),
            request_id: model.request_id.map(RequestId::from_uuid),
            changes: serde_json::from_str(&model.changes).map_err(|_| StoreError::Corrupt("audit changes"))?,
        },
    })
}

const fn outcome_name(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Success => "success",
        AuditOutcome::Denied => "denied",
    }
}
