//! Views of resources in the API: one type per resource, converted from a row. A field that is not here is never shown;
//! no type here can hold a stored secret.

use keyway_domain::{
    Code, IntegrationId, IntegrationStatus, OperationId, OperationKind, OperationState, ProjectId, ReplicaId, TenantId,
    Timestamp, Verdict, VerdictKind, VirtualKeyId,
};
use keyway_store::{
    integrations::IntegrationRow, operations::OperationRow, projects::ProjectRow, replacements::ReplacementRow,
    tenants::TenantRow, verdicts::VerdictRow, virtual_keys::VirtualKeyRow,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{config::ConfigView, fallback::FallbackView, limits::LimitsView, openapi::words};

/// A tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantView {
    #[schema(value_type = words::TenantId)]
    id: TenantId,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A project: a group of integrations and virtual keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectView {
    #[schema(value_type = words::ProjectId)]
    id: ProjectId,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    limits: LimitsView,
    /// Consent to send calls that no integration serves to OpenRouter with the operator's key; null: no consent.
    pub(crate) fallback: Option<FallbackView>,
    /// Number of its changes; also its ETag.
    version: i32,
}

/// A virtual key, without the key.
#[derive(Serialize, ToSchema)]
pub(crate) struct VirtualKeyView {
    #[schema(value_type = words::VirtualKeyId)]
    id: VirtualKeyId,
    #[schema(value_type = words::ProjectId)]
    project_id: ProjectId,
    name: String,
    /// Redacted form of the key, enough to recognise it.
    #[schema(example = "kw_live_...x7Qa")]
    hint: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// Time of the last use, exact to a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    limits: LimitsView,
    /// Seconds for which answers to its calls are cached; null: not cached.
    cache_ttl_seconds: Option<i64>,
    /// Number of its changes; also its ETag.
    version: i32,
}

/// A virtual key that was revoked, and the operation that ends when every replica has dropped it.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevokedKeyView {
    #[serde(flatten)]
    pub(crate) key: VirtualKeyView,
    pub(crate) operation: OperationView,
}

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
    /// Time of the last call it served, exact to a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Number of its owner's changes; also its ETag.
    version: i32,
}

/// Result of a verification, with its evidence.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerdictView {
    #[schema(value_type = words::VerdictKind)]
    kind: VerdictKind,
    /// HTTP status of the provider's answer; null if there was none.
    http_status: Option<u16>,
    /// The provider's own id of the request.
    request_id: Option<String>,
    /// The provider's error code, if it is a known one.
    code: Option<String>,
    /// Sentence that says what it means and what to do.
    reason: String,
    #[schema(value_type = String, format = DateTime)]
    checked_at: Timestamp,
}

/// One verdict of an integration's history.
#[derive(Serialize, ToSchema)]
pub(crate) struct HistoryView {
    #[schema(value_type = words::OperationId)]
    operation_id: OperationId,
    attempt: u32,
    /// Version of the credential that was verified.
    secret_version: i32,
    #[serde(flatten)]
    verdict: VerdictView,
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

/// The operation that was started.
#[derive(Serialize, ToSchema)]
pub(crate) struct Started {
    pub(crate) operation: OperationView,
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

impl From<TenantRow> for TenantView {
    fn from(row: TenantRow) -> Self {
        Self { id: row.id, name: row.name, created_at: row.created_at }
    }
}

impl From<ProjectRow> for ProjectView {
    fn from(row: ProjectRow) -> Self {
        let fallback = row.fallback_budget_nano_usd.map(FallbackView::new);
        Self {
            id: row.id,
            name: row.name,
            created_at: row.created_at,
            limits: row.limits.into(),
            fallback,
            version: row.version,
        }
    }
}

impl From<VirtualKeyRow> for VirtualKeyView {
    fn from(row: VirtualKeyRow) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            name: row.name,
            hint: row.hint,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
            limits: row.limits.into(),
            cache_ttl_seconds: row.cache_ttl_seconds,
            version: row.version,
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

impl From<Verdict> for VerdictView {
    fn from(verdict: Verdict) -> Self {
        Self {
            kind: verdict.kind,
            http_status: verdict.evidence.http_status,
            request_id: verdict.evidence.provider_request_id,
            code: verdict.evidence.provider_code,
            reason: verdict.evidence.reason,
            checked_at: verdict.checked_at,
        }
    }
}

impl From<VerdictRow> for HistoryView {
    fn from(row: VerdictRow) -> Self {
        Self {
            operation_id: row.operation_id,
            attempt: row.attempt,
            secret_version: row.secret_version,
            verdict: row.verdict.into(),
        }
    }
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
