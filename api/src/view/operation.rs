//! Operations.

use keyway_domain::{Code, IntegrationId, OperationId, OperationKind, OperationState, ReplicaId, Timestamp};
use keyway_store::operations::OperationRow;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// An operation: a unit of work that a command started.
#[derive(Serialize, ToSchema)]
pub(crate) struct OperationView {
    #[schema(value_type = words::OperationId)]
    id: OperationId,
    #[schema(value_type = words::OperationKind)]
    kind: OperationKind,
    #[schema(value_type = words::OperationState)]
    state: OperationState,
    /// Number of the current attempt, from 1.
    attempt: u32,
    #[schema(value_type = Option<words::OperationId>)]
    parent_id: Option<OperationId>,
    #[schema(value_type = Option<words::IntegrationId>)]
    integration_id: Option<IntegrationId>,
    /// Trigger.
    #[schema(value_type = words::OperationOrigin)]
    origin: &'static str,
    /// Number of children of a fan-out; for a revocation, of replicas that must drop the revoked entries; else null.
    total: Option<i64>,
    /// Number of children that succeeded; for a revocation, of replicas that acknowledged; else null.
    done: Option<i64>,
    /// Number of failed or cancelled children; for a finished revocation, of replicas that never acknowledged; else
    /// null.
    failed: Option<i64>,
    /// Replicas that have not acknowledged a revocation. If it succeeded nevertheless, they are gone and hold no
    /// entries any more.
    #[schema(value_type = Vec<words::ReplicaId>)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unanswered: Vec<ReplicaId>,
    /// Reason why the last attempt did not succeed.
    error: Option<OperationError>,
    /// Time at which the next attempt is due.
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
}

/// Reason why an attempt did not succeed.
#[derive(Serialize, ToSchema)]
struct OperationError {
    #[schema(value_type = String, example = "unreachable")]
    code: Code,
    message: &'static str,
}

/// The operation that was started.
#[derive(Serialize, ToSchema)]
pub(crate) struct Started {
    pub(crate) operation: OperationView,
}

impl From<OperationRow> for OperationView {
    fn from(row: OperationRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            attempt: row.attempt,
            parent_id: row.parent_id,
            integration_id: row.integration_id,
            origin: row.origin.name(),
            total: row.progress.as_ref().map(|progress| progress.total),
            done: row.progress.as_ref().map(|progress| progress.done),
            failed: row.progress.as_ref().map(|progress| progress.failed),
            unanswered: row.progress.map(|progress| progress.unanswered).unwrap_or_default(),
            error: row.error.map(|code| OperationError { code, message: code.message() }),
            due_at: row.due_at,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}
