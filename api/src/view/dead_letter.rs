//! Dead letters, without their bodies.

use keyway_domain::{Body, Command, DeadReason, Label, Message, MessageId, OperationId, TenantId, Timestamp};
use keyway_store::dead_letters::{self, DeadLetterRow};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// A message that no handler could process.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetterView {
    #[schema(value_type = words::MessageId)]
    id: MessageId,
    /// Tenant; null if it could not be read.
    #[schema(value_type = Option<words::TenantId>)]
    tenant_id: Option<TenantId>,
    /// Operation of the message, which has its history.
    #[schema(value_type = Option<words::OperationId>)]
    operation_id: Option<OperationId>,
    #[schema(value_type = String, example = "verify")]
    lane: String,
    /// Reason, one word.
    #[schema(example = "malformed")]
    reason: String,
    /// Error message.
    error: String,
    /// Next automatic step, and possible actions.
    next: &'static str,
    /// Number of times the message was tried.
    attempts: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Time of the latest replay.
    #[schema(value_type = Option<String>, format = DateTime)]
    replayed_at: Option<Timestamp>,
}

impl From<DeadLetterRow> for DeadLetterView {
    fn from(row: DeadLetterRow) -> Self {
        let next = next(&row);
        Self {
            id: row.id,
            tenant_id: row.tenant_id,
            operation_id: Label::read(&row.body).operation_id,
            lane: row.lane,
            reason: row.reason,
            next,
            error: row.error,
            attempts: row.attempts,
            created_at: row.created_at,
            replayed_at: row.replayed_at,
        }
    }
}

/// Returns the next step of a letter.
fn next(row: &DeadLetterRow) -> &'static str {
    if row.replayed_at.is_some() {
        return "it was handed to its lane again; should it fail once more, it comes back";
    }
    if DeadReason::UNREAD.iter().any(|reason| reason.name() == row.reason) {
        return "it is replayed by itself once a build runs that can read it; discard it if none will";
    }
    if row.reason != dead_letters::EXHAUSTED {
        return "it waits here: replay it once its cause is gone, or discard it";
    }
    match Message::decode(&row.body).map(|message| message.body) {
        Ok(Body::Command(Command::FetchUsage { .. })) => {
            "the other fetches of its plan have gone on; the next round of the usage schedule reads the last days again, with \
             what is missing, as long as it is among them: replay it to read it now, or discard it"
        }
        Ok(Body::Command(Command::PlanUsage { .. })) => {
            "the next round of the usage schedule plans anew: replay it to fetch now, or discard it"
        }
        Ok(Body::Command(Command::VerifyKey { .. })) => {
            "the key is verified again at its next check: replay it to have it verified now, or discard it"
        }
        _ => "its operation has failed and is not tried again by itself: replay it to try again, or discard it",
    }
}

#[cfg(test)]
mod tests {
    use keyway_domain::{IntegrationId, UsageWindow};

    use super::*;

    #[test]
    fn a_letter_says_what_happens_next() {
        let now = Timestamp::now();
        let (tenant_id, integration_id) = (TenantId::new(), IntegrationId::new());
        let letter = |reason: &str, command: Option<Command>, replayed_at| DeadLetterRow {
            id: MessageId::new(),
            tenant_id: Some(tenant_id),
            lane: "usage.fetch".to_owned(),
            reason: reason.to_owned(),
            error: String::new(),
            body: command.map_or_else(
                || b"rubbish".to_vec(),
                |command| Message::command(tenant_id, OperationId::new(), command).encode().unwrap(),
            ),
            attempts: 5,
            created_at: now,
            replayed_at,
        };
        let window = UsageWindow { from: now, to: now };
        let fetch = || Some(Command::FetchUsage { integration_id, window, resume: None });
        let verify = Some(Command::VerifyKey { integration_id, secret_version: 1, confirming: false });
        for (row, said) in [
            (letter("exhausted", fetch(), None), "the next round of the usage schedule reads the last days again"),
            (letter("exhausted", verify, None), "verified again at its next check"),
            (letter("exhausted", None, None), "not tried again by itself"),
            (letter("unknown_kind", None, None), "replayed by itself"),
            (letter("crashed", fetch(), None), "waits here"),
            (letter("exhausted", fetch(), Some(now)), "handed to its lane again"),
        ] {
            assert!(next(&row).contains(said), "{}: {}", row.reason, next(&row));
        }
    }
}
