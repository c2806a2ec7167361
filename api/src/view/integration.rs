//! Integrations and the credentials that are to replace theirs. No type here can hold a credential.

use keyway_domain::{IntegrationId, IntegrationStatus, OperationId, ProjectId, Timestamp};
use keyway_store::{integrations::IntegrationRow, operations::OperationRow, replacements::ReplacementRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HistoryView, OperationView, VerdictView};
use crate::{config::ConfigView, limits::LimitsView, openapi::words};

/// An integration: one credential for one provider, without the credential.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntegrationView {
    #[schema(value_type = words::IntegrationId)]
    id: IntegrationId,
    #[schema(value_type = words::ProjectId)]
    project_id: ProjectId,
    #[schema(example = "openai")]
    provider: String,
    name: String,
    #[schema(value_type = words::IntegrationStatus)]
    status: IntegrationStatus,
    /// Redacted form of the credential, enough to recognise it.
    #[schema(example = "sk-...abcd")]
    hint: String,
    config: ConfigView,
    /// The owner's note, unchanged.
    #[schema(value_type = Object)]
    meta: serde_json::Value,
    /// Family of the key.
    #[schema(value_type = words::KeyFamily)]
    key_family: String,
    /// Reason why its usage cannot be fetched; null if it can, or if it was never tried.
    usage_not_reportable: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Latest verdict; null until a verification has ended.
    verdict: Option<VerdictView>,
    #[schema(value_type = Option<String>, format = DateTime)]
    next_check_at: Option<Timestamp>,
    /// Priority; the lowest is tried first.
    priority: i32,
    /// Share of the calls among integrations of the same priority.
    weight: i32,
    limits: LimitsView,
    /// Give or take a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Number of its owner's changes; also its ETag.
    version: i32,
}

/// An integration with the history of its verdicts, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntegrationDetail {
    #[serde(flatten)]
    pub(crate) integration: IntegrationView,
    /// Credential that is to replace the present one, during its verification or after its refusal; null: none.
    pub(crate) replacement: Option<ReplacementView>,
    pub(crate) history: Vec<HistoryView>,
}

/// A credential that is to replace another one, which goes on serving until this one is verified.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReplacementView {
    /// `verifying`: it is swapped in if the verdict is `valid`. `refused`: it was not accepted and is not kept.
    #[schema(value_type = words::ReplacementState)]
    state: &'static str,
    /// Redacted form of it, enough to recognise it.
    #[schema(example = "sk-...abcd")]
    hint: String,
    /// Version of the credential after the swap.
    secret_version: i32,
    /// Operation that verifies it.
    #[schema(value_type = words::OperationId)]
    operation_id: OperationId,
    /// Latest verdict; null until a verification has ended.
    verdict: Option<VerdictView>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// An accepted integration and the operation that verifies it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Submitted {
    pub(crate) integration: IntegrationView,
    /// Credential that waits to replace the integration's, which serves until this one is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replacement: Option<ReplacementView>,
    /// Operation that was started; null if none had to be. For an integration that was disabled, it ends when every
    /// replica has dropped the integration.
    pub(crate) operation: Option<OperationView>,
}

impl Submitted {
    pub(crate) fn new(integration: IntegrationRow, operation: Option<OperationRow>) -> Self {
        Self { integration: integration.into(), replacement: None, operation: operation.map(Into::into) }
    }
}

impl From<ReplacementRow> for ReplacementView {
    fn from(row: ReplacementRow) -> Self {
        Self {
            state: row.state.name(),
            hint: row.hint,
            secret_version: row.version,
            operation_id: row.operation_id,
            verdict: row.verdict.map(VerdictView::from),
            created_at: row.created_at,
        }
    }
}

impl From<IntegrationRow> for IntegrationView {
    fn from(row: IntegrationRow) -> Self {
        Self {
            config: ConfigView::from(&row),
            meta: row.meta,
            id: row.id,
            project_id: row.project_id,
            provider: row.provider,
            name: row.name,
            status: row.status,
            hint: row.hint,
            key_family: row.key_family,
            usage_not_reportable: row.usage_not_reportable,
            expires_at: row.expires_at,
            verdict: row.verdict.map(VerdictView::from),
            next_check_at: row.next_check_at,
            priority: row.routing.priority,
            weight: row.routing.weight,
            limits: row.limits.into(),
            last_used_at: row.last_used_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
