//! The audit log: appended once by event id, never changed. Only the audit writer appends.

use keyway_domain::{Actor, AuditEvent, AuditOutcome, MessageId, RequestId, TenantId, Timestamp};
use sea_orm::Value;

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx,
    entity::audit_events as table,
    sql::{Sql, chunk},
};

/// An audit event with its tenant and id, as the audit writer appends it.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// Id of the message that carried the event: the natural key.
    pub event_id: MessageId,
    /// Tenant of the event.
    pub tenant_id: TenantId,
    /// The event.
    pub event: AuditEvent,
}

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

/// Appends events; skips those whose id is stored already. Returns the number of new ones.
///
/// # Errors
/// See [`StoreError`].
pub async fn append(tx: &SystemTx, records: &[AuditRecord]) -> Result<u64, StoreError> {
    let mut records: Vec<_> = records.iter().collect();
    records.sort_unstable_by_key(|record| record.event_id);
    let mut added = 0;
    for records in records.chunks(chunk(10)) {
        let mut sql = Sql::new(
            "INSERT INTO audit_events (event_id, tenant_id, action, actor_type, actor, target, outcome, \
             occurred_at_ms, request_id, changes) VALUES ",
        );
        sql.tuples(records.iter().map(|record| values(record)));
        sql.push(" ON CONFLICT DO NOTHING");
        added += sql.run(tx).await?;
    }
    Ok(added)
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
