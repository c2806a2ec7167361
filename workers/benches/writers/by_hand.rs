//! The same rows written by hand: arrays, one statement per table, one transaction per batch, one connection.

use std::str::FromStr as _;

use anyhow::{Result, bail};
use keyway_domain::{Body, Event, Message, MessageId};
use keyway_store::audit::AuditRecord;
use sqlx::{Connection as _, Executor as _, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

/// Returns a connection with the rights of the writers.
pub(crate) async fn connect(url: &str) -> Result<PgConnection> {
    let options = PgConnectOptions::from_str(url)?.options([("role", "keyway_system")]);
    Ok(PgConnection::connect_with(&options).await?)
}

/// Vacuums the tables, so that rows of earlier rounds do not slow down the next.
pub(crate) async fn tidy(url: &str) -> Result<()> {
    let mut owner = PgConnection::connect(url).await?;
    for table in ["operations", "verdicts", "outbox", "integrations"] {
        owner.execute(sqlx::query(sqlx::AssertSqlSafe(format!("VACUUM ANALYZE {table}")))).await?;
    }
    Ok(owner.close().await?)
}

/// One array per column.
#[derive(Default)]
struct Columns {
    operations: Vec<Uuid>,
    integrations: Vec<Uuid>,
    tenants: Vec<Uuid>,
    at: Vec<i64>,
    requests: Vec<Option<String>>,
    reasons: Vec<String>,
    messages: Vec<Uuid>,
    bodies: Vec<Vec<u8>>,
}

/// Writes the changes of a batch of starts and verdicts: operations twice, the history, the integrations, the outbox.
pub(crate) async fn status(connection: &mut PgConnection, batch: &[Message]) -> Result<()> {
    let (mut started, mut started_at, mut found) = (Vec::new(), Vec::new(), Columns::default());
    for message in batch {
        let operation = message.operation_id.map(|id| id.uuid()).unwrap_or_default();
        match &message.body {
            Body::Event(Event::OperationStarted { observed_at }) => {
                started.push(operation);
                started_at.push(observed_at.ms());
            }
            Body::Event(Event::KeyVerified { integration_id, verdict, .. }) => {
                found.operations.push(operation);
                found.integrations.push(integration_id.uuid());
                found.tenants.push(message.tenant_id.uuid());
                found.at.push(verdict.checked_at.ms());
                found.requests.push(verdict.evidence.provider_request_id.clone());
                found.reasons.push(verdict.evidence.reason.clone());
                // The audit event and the invalidation that follow, each about as long as this one.
                found.messages.push(MessageId::new().uuid());
                found.bodies.push(message.encode()?);
            }
            _ => bail!("not an event of this benchmark"),
        }
    }
    let mut tx = connection.begin().await?;
    let text = "UPDATE operations SET state = 'running', due_at_ms = NULL, started_at_ms = s.at \
                FROM UNNEST($1::uuid[], $2::bigint[]) AS s(id, at) WHERE operations.id = s.id AND state = 'queued'";
    tx.execute(sqlx::query(text).bind(&started).bind(&started_at)).await?;
    let text = "UPDATE operations SET state = 'succeeded', due_at_ms = NULL, finished_at_ms = s.at FROM UNNEST($1::uuid[], \
                $2::bigint[]) AS s(id, at) WHERE operations.id = s.id AND state IN ('queued', 'running')";
    tx.execute(sqlx::query(text).bind(&found.operations).bind(&found.at)).await?;
    let text = "INSERT INTO verdicts (operation_id, attempt, tenant_id, integration_id, secret_version, kind, http_status, \
                provider_request_id, reason, checked_at_ms) SELECT op, 1, tenant, integration, 1, 'valid', 200, request, \
                reason, at FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[]) \
                AS s(op, tenant, integration, request, reason, at) ON CONFLICT DO NOTHING";
    let insert = sqlx::query(text).bind(&found.operations).bind(&found.tenants).bind(&found.integrations);
    tx.execute(insert.bind(&found.requests).bind(&found.reasons).bind(&found.at)).await?;
    let text = "UPDATE integrations SET status = 'connected', verdict_kind = 'valid', verdict_http_status = 200, \
                verdict_request_id = request, verdict_reason = reason, checked_at_ms = at, updated_at_ms = at, \
                next_check_at_ms = at + 86400000 FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[]) \
                AS s(id, request, reason, at) WHERE integrations.id = s.id";
    let update = sqlx::query(text).bind(&found.integrations).bind(&found.requests).bind(&found.reasons);
    tx.execute(update.bind(&found.at)).await?;
    for route in ["audit", "invalidate"] {
        let text = "INSERT INTO outbox (id, tenant_id, route, body, available_at_ms, created_at_ms) SELECT id, tenant, $5, \
                    body, at, at FROM UNNEST($1::uuid[], $2::uuid[], $3::bytea[], $4::bigint[]) AS s(id, tenant, body, at)";
        let insert = sqlx::query(text).bind(&found.messages).bind(&found.tenants).bind(&found.bodies);
        tx.execute(insert.bind(&found.at).bind(route)).await?;
        found.messages.iter_mut().for_each(|id| *id = MessageId::new().uuid());
    }
    Ok(tx.commit().await?)
}

/// Appends a batch of audit events.
pub(crate) async fn audit(connection: &mut PgConnection, batch: &[AuditRecord]) -> Result<()> {
    let ids: Vec<_> = batch.iter().map(|record| record.event_id.uuid()).collect();
    let tenants: Vec<_> = batch.iter().map(|record| record.tenant_id.uuid()).collect();
    let actions: Vec<_> = batch.iter().map(|record| record.event.action.clone()).collect();
    let targets: Vec<_> = batch.iter().map(|record| record.event.target.clone()).collect();
    let at: Vec<_> = batch.iter().map(|record| record.event.occurred_at.ms()).collect();
    let actors = batch.iter().map(|record| serde_json::to_string(&record.event.actor));
    let actors = actors.collect::<Result<Vec<_>, _>>()?;
    let changes: Vec<_> = batch.iter().map(|record| record.event.changes.to_string()).collect();
    let mut tx = connection.begin().await?;
    let text = "INSERT INTO audit_events (event_id, tenant_id, action, actor_type, actor, target, outcome, occurred_at_ms, \
                changes) SELECT id, tenant, action, 'system', actor, target, 'success', at, changes FROM UNNEST($1::uuid[], \
                $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[]) \
                AS s(id, tenant, action, actor, target, at, changes) ON CONFLICT DO NOTHING";
    let insert = sqlx::query(text).bind(&ids).bind(&tenants).bind(&actions).bind(&actors).bind(&targets);
    tx.execute(insert.bind(&at).bind(&changes)).await?;
    Ok(tx.commit().await?)
}
