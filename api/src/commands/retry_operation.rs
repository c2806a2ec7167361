//! Tries an operation again that failed or was called off: one attempt further, same operation.

use keyway_domain::{Command as Job, Message, MessageId, OperationId, OperationState};
use keyway_store::{integrations, operations, operations::OperationRow};
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    view::OperationView,
    work::{Command, Work},
};

/// Which operation.
pub(crate) struct RetryOperation {
    pub(crate) id: OperationId,
}

impl Command for RetryOperation {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let before = operations::find(&work.tx, self.id).await?.ok_or_else(|| ApiError::not_found("operation"))?;
        let job = job(work, &before).await?;
        let retried = operations::retry(&work.tx, before.id, before.attempt, &job, work.now).await?;
        let row = retried
            .ok_or_else(|| ApiError::conflict("only an operation that failed or was called off can be tried again"))?;
        let id = MessageId::of_attempt(row.id, row.attempt);
        work.send(Message { id, attempt: row.attempt, ..Message::command(row.tenant_id, row.id, job) });
        work.audit("operation.retried", row.id, json!({ "kind": row.kind, "attempt": row.attempt }));
        let location = format!("/api/v1/operations/{}", row.id);
        Ok(Answer::accepted(&OperationView::from(row), &location))
    }
}

/// What the next attempt does: as the last one, but a verification starts from its beginning.
async fn job(work: &Work<'_>, before: &OperationRow) -> Result<Job, ApiError> {
    if matches!(before.command, Job::PlanUsage { .. }) && before.state == OperationState::Cancelled {
        return Err(ApiError::conflict(
            "its children were called off too; start a new one with POST /api/v1/usage/fetch",
        ));
    }
    let Some(integration_id) = before.integration_id else { return Ok(before.command.clone()) };
    let integration = integrations::find(&work.tx, integration_id).await?;
    let integration = integration.ok_or_else(|| ApiError::conflict("the integration it is about is gone"))?;
    Ok(match &before.command {
        Job::VerifyKey { .. } => {
            Job::VerifyKey { integration_id, secret_version: integration.secret_version, confirming: false }
        }
        other => other.clone(),
    })
}
