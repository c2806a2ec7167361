//! Mails.

use keyway_domain::{Code, MailId, MailKind, MailState, OperationId, TenantId, Timestamp};
use keyway_store::mails::MailRow;
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// A mail to one recipient.
#[derive(Serialize, ToSchema)]
pub(crate) struct MailView {
    #[schema(value_type = words::MailId)]
    id: MailId,
    /// Tenant; null: it is about a person's own account.
    #[schema(value_type = Option<words::TenantId>)]
    tenant_id: Option<TenantId>,
    #[schema(value_type = words::MailKind)]
    kind: MailKind,
    /// Address.
    recipient: String,
    #[schema(value_type = words::MailState)]
    state: MailState,
    /// Reason why the last attempt did not succeed.
    error: Option<MailError>,
    /// Number of attempts.
    attempts: u32,
    /// Operation that sends it; null: no mail server was set.
    #[schema(value_type = Option<words::OperationId>)]
    operation_id: Option<OperationId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time from which on it is of no use any more.
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
}

/// Reason why a mail was not sent.
#[derive(Serialize, ToSchema)]
struct MailError {
    #[schema(value_type = String, example = "mail_bounced")]
    code: Code,
    message: &'static str,
}

impl From<MailRow> for MailView {
    fn from(row: MailRow) -> Self {
        Self {
            id: row.id,
            tenant_id: row.tenant_id,
            kind: row.content.kind(),
            recipient: row.recipient,
            state: row.state,
            error: row.error.map(|code| MailError { code, message: code.message() }),
            attempts: row.attempts,
            operation_id: row.operation_id,
            created_at: row.created_at,
            ends_at: row.ends_at,
            sent_at: row.sent_at,
        }
    }
}
