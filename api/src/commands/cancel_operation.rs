//! Cancels an operation that has not ended, with its children and their unclaimed messages.

use keyway_domain::{Invalidation, OperationId, OperationKind};
use keyway_store::{integrations, operations, replacements};
use serde_json::json;

use crate::{
    answer::Answer,
    error::ApiError,
    view::OperationView,
    work::{Command, Work},
};

/// Operation to cancel.
pub(crate) struct CancelOperation {
    pub(crate) id: OperationId,
}

impl Command for CancelOperation {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let missing = || ApiError::not_found("operation");
        operations::find(&work.tx, self.id).await?.ok_or_else(missing)?;
        if !operations::cancel(&work.tx, self.id, work.now).await? {
            return Err(ApiError::conflict("the operation has ended; there is nothing to call off"));
        }
        let row = operations::find(&work.tx, self.id).await?.ok_or_else(missing)?;
        if row.kind == OperationKind::VerifyKey {
            replacements::discard_of(&work.tx, row.id).await?;
            let ids: Vec<_> = row.integration_id.into_iter().collect();
            if !integrations::settle(&work.tx, &ids, work.now).await?.is_empty() {
                work.invalidate(Invalidation::Integrations);
            }
        }
        work.audit("operation.cancelled", row.id, json!({ "kind": row.kind }));
        Ok(Answer::ok(&OperationView::from(row)))
    }
}
