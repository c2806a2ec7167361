//! `/operations`: units of work that commands started; poll, cancel or retry them.

use keyway_domain::{IntegrationId, OperationId, OperationKind, OperationState};
use keyway_store::operations::{self, Filter, OperationKey, OperationRow};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer::Answer,
    call::Call,
    commands::{cancel_operation::CancelOperation, retry_operation::RetryOperation},
    cursor::{self, List},
    error::ApiError,
    openapi::words,
    view::OperationView,
};

/// Filter of operations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OperationQuery {
    /// Kind.
    #[param(value_type = Option<words::OperationKind>)]
    kind: Option<OperationKind>,
    /// State.
    #[param(value_type = Option<words::OperationState>)]
    state: Option<OperationState>,
    /// Parent operation.
    #[param(value_type = Option<words::OperationId>)]
    parent_id: Option<OperationId>,
    /// Integration.
    #[param(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List operations, newest first.
#[utoipa::path(get, path = "/api/v1/operations", operation_id = "list_operations", tag = "operations", params(OperationQuery),
    responses((status = 200, body = List<OperationView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let OperationQuery { kind, state, parent_id, integration_id, limit, cursor } = call.query()?;
    let page = cursor::page(limit, cursor.as_deref())?;
    let filter = Filter { kind, state, parent_id, integration_id };
    let found = operations::list(&call.read().await?, &filter, page).await?;
    let key = |row: &OperationRow| OperationKey { created_at: row.created_at, id: row.id };
    Ok(Answer::ok(&List::of(found, key, OperationView::from)))
}

/// Show an operation, with its progress.
#[utoipa::path(get, path = "/api/v1/operations/{id}", operation_id = "get_operation", tag = "operations", params(("id" = inline(words::OperationId), Path)),
    responses((status = 200, body = OperationView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let id: OperationId = call.id("operation")?;
    let found = operations::find(&call.read().await?, id).await?.ok_or_else(|| ApiError::not_found("operation"))?;
    Ok(Answer::ok(&OperationView::from(found)))
}

/// Cancel an operation that has not ended, with its children.
#[utoipa::path(post, path = "/api/v1/operations/{id}/cancel", operation_id = "cancel_operation", tag = "operations", params(("id" = inline(words::OperationId), Path)),
    responses((status = 200, body = OperationView), (status = 409, description = "it has ended")))]
pub(crate) async fn cancel(call: Call) -> Result<Answer, ApiError> {
    call.commit(CancelOperation { id: call.id("operation")? }).await
}

/// Retry a failed or cancelled operation: a further attempt of the same operation.
#[utoipa::path(post, path = "/api/v1/operations/{id}/retry", operation_id = "retry_operation", tag = "operations", params(("id" = inline(words::OperationId), Path)),
    responses((status = 202, body = OperationView), (status = 409, description = "its state or subject does not allow it")))]
pub(crate) async fn retry(call: Call) -> Result<Answer, ApiError> {
    call.commit(RetryOperation { id: call.id("operation")? }).await
}
