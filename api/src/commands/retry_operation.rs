//! Retries a failed or cancelled operation: one attempt further, same operation.

use keyway_domain::{Command as Job, Message, MessageId, OperationId, OperationState};
use keyway_store::{
    StoreError, dead_letters, integrations,
    operations::{self, OperationRow},
    replacements::{self, ReplacementRow, ReplacementState},
};
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    view::OperationView,
    work::{Command, Work},
};

/// Operation to retry.
pub(crate) struct RetryOperation {
    pub(crate) id: OperationId,
}

impl Command for RetryOperation {
    const STARTS_WORK: bool = true;

    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let row = again(work, self.id).await?;
        let location = format!("/api/v1/operations/{}", row.id);
        Ok(Answer::accepted(&OperationView::from(row), &location))
    }
}

/// Puts the operation back in the queue, one attempt further; marks its dead letter, if any, as replayed.
pub(super) async fn again(work: &mut Work<'_>, id: OperationId) -> Result<OperationRow, ApiError> {
    let before = operations::find(&work.tx, id).await?.ok_or_else(|| ApiError::not_found("operation"))?;
    let job = job(work, &before).await?;
    let retried = operations::retry(&work.tx, before.id, before.attempt, &job, work.now).await?;
    let row = retried
        .ok_or_else(|| ApiError::conflict("only an operation that failed or was called off can be tried again"))?;
    match dead_letters::mark_replayed(&work.tx, MessageId::of_attempt(id, before.attempt), work.now).await {
        Ok(()) | Err(StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    let id = MessageId::of_attempt(row.id, row.attempt);
    work.send(Message { id, attempt: row.attempt, ..Message::command(row.tenant_id, row.id, job) });
    work.audit("operation.retried", row.id, json!({ "kind": row.kind, "attempt": row.attempt }));
    Ok(row)
}

/// Returns the command of the next attempt: the last one's, except that a verification starts over.
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
        Job::VerifyKey { secret_version, .. } if *secret_version > integration.secret_version => {
            let waiting = replacements::find(&work.tx, integration_id).await?;
            let is_it = |it: &ReplacementRow| (it.version, it.state) == (*secret_version, ReplacementState::Verifying);
            if !waiting.as_ref().is_some_and(is_it) {
                return Err(ApiError::conflict("the key it was about is not kept any more; hand it in again"));
            }
            Job::VerifyKey { integration_id, secret_version: *secret_version, confirming: false }
        }
        Job::VerifyKey { .. } => {
            integrations::begin_test(&work.tx, integration_id).await?;
            Job::VerifyKey { integration_id, secret_version: integration.secret_version, confirming: false }
        }
        other => other.clone(),
    })
}
