//! Verdicts, with their evidence.

use keyway_domain::{OperationId, Timestamp, Verdict, VerdictKind};
use keyway_store::verdicts::VerdictRow;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

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
