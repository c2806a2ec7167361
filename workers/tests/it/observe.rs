//! Observations of a test: rows as the API reads them, counts, and waiting for a condition with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use keyway_domain::{Message, OperationState};
use keyway_store::{
    Page,
    audit::{self, AuditRecord},
    dead_letters::{self, DeadLetterRow},
    integrations::{self, IntegrationRow},
    operations::{self, OperationRow},
    raw,
    verdicts::{self, VerdictRow},
};
use uuid::Uuid;

use crate::{seed::Submitted, world::World};

/// The path of a probe of an ordinary key.
pub(crate) const MODELS: &str = "/v1/models";
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);

/// Waits until the condition holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await? {
        if Instant::now() > deadline {
            bail!("it did not happen that {what}");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

impl World {
    /// The operation of a message.
    pub(crate) async fn operation(&self, message: &Message) -> Result<OperationRow> {
        let tx = self.store.tenant_read(message.tenant_id).await?;
        let id = message.operation_id.context("the message of an operation")?;
        operations::find(&tx, id).await?.context("the operation is gone")
    }

    /// The operation of a message, once it has ended.
    pub(crate) async fn ended(&self, message: &Message) -> Result<OperationRow> {
        let ended = async || Ok(self.operation(message).await?.state.is_final());
        until("the operation ends", ended).await.with_context(|| format!("{message:?}"))?;
        self.operation(message).await
    }

    /// Works like [`Self::ended`], without waiting for the times its attempts are due at.
    pub(crate) async fn hastened(&self, message: &Message) -> Result<OperationRow> {
        let id = message.operation_id.context("the message of an operation")?;
        let ended = async || {
            let operation = self.operation(message).await?;
            if operation.state == OperationState::Queued && operation.attempt > 1 {
                let due =
                    format!("UPDATE outbox SET available_at_ms = 0 WHERE operation_id = {}", self.uuid(id.uuid()));
                self.execute(&due).await?;
            }
            Ok(operation.state.is_final())
        };
        until("the operation ends", ended).await.with_context(|| format!("{message:?}"))?;
        self.operation(message).await
    }

    /// The operation of a message, once it waits for this attempt.
    pub(crate) async fn deferred(&self, message: &Message, attempt: u32) -> Result<OperationRow> {
        let deferred = async || {
            let operation = self.operation(message).await?;
            Ok(operation.state == OperationState::Queued && operation.attempt == attempt)
        };
        until("the attempt is deferred", deferred).await?;
        self.operation(message).await
    }

    pub(crate) async fn children(&self, plan: &Message) -> Result<Vec<OperationRow>> {
        let tx = self.store.tenant_read(plan.tenant_id).await?;
        let filter = operations::Filter { parent_id: plan.operation_id, ..operations::Filter::default() };
        Ok(operations::list(&tx, &filter, Page::first(1000)).await?.items)
    }

    pub(crate) async fn integration(&self, submitted: &Submitted) -> Result<IntegrationRow> {
        let tx = self.store.tenant_read(submitted.tenant.id).await?;
        integrations::find(&tx, submitted.id).await?.context("the integration is gone")
    }

    pub(crate) async fn history(&self, submitted: &Submitted) -> Result<Vec<VerdictRow>> {
        let tx = self.store.tenant_read(submitted.tenant.id).await?;
        Ok(verdicts::history(&tx, submitted.id, 100).await?)
    }

    /// The audited changes of an integration's status, oldest first, as `from>to`.
    pub(crate) async fn status_changes(&self, submitted: &Submitted) -> Result<Vec<String>> {
        let records = self.audited(submitted, "integration.status_changed").await?;
        let text = |record: &AuditRecord, field| record.event.changes[field].as_str().unwrap_or("?").to_owned();
        Ok(records.iter().rev().map(|it| format!("{}>{}", text(it, "from"), text(it, "to"))).collect())
    }

    pub(crate) async fn audited(&self, submitted: &Submitted, action: &str) -> Result<Vec<AuditRecord>> {
        let tx = self.store.tenant_read(submitted.tenant.id).await?;
        let filter = audit::Filter {
            action: Some(action.to_owned()),
            target: Some(submitted.id.to_string()),
            ..audit::Filter::default()
        };
        Ok(audit::list(&tx, &filter, Page::first(100)).await?.items)
    }

    pub(crate) async fn dead_letters(&self) -> Result<Vec<DeadLetterRow>> {
        let tx = self.store.system_read().await?;
        Ok(dead_letters::list_all(&tx, Page::first(100)).await?.items)
    }

    pub(crate) fn probes(&self, submitted: &Submitted) -> u64 {
        self.simulator.calls(&submitted.key, MODELS)
    }

    /// The column `n` of a hand-written query.
    pub(crate) async fn number(&self, text: &str) -> Result<i64> {
        let tx = self.store.system_read().await?;
        raw::number(&tx, text).await.with_context(|| text.to_owned())
    }

    /// Runs a hand-written statement.
    pub(crate) async fn execute(&self, text: &str) -> Result<u64> {
        let tx = self.store.system().await?;
        let touched = raw::execute(&tx, text).await.with_context(|| text.to_owned())?;
        tx.commit().await?;
        Ok(touched)
    }

    /// A UUID as this database writes it.
    pub(crate) fn uuid(&self, uuid: Uuid) -> String {
        if self.settings.embedded { format!("x'{}'", uuid.simple()) } else { format!("'{uuid}'") }
    }

    /// Bytes as this database writes them.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.settings.embedded { format!("x'{hex}'") } else { format!("'\\x{hex}'") }
    }
}
