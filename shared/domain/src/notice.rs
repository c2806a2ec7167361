//! Notices: rows that people's pages show and that have changed. Ids and versions only, never content; nothing may depend
//! on one arriving.

use serde::{Deserialize, Serialize};

use crate::{IntegrationId, MessageId, OperationId, RequestId, Resource, TenantId, Timestamp};

/// A changed row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Tenant that owns the row.
    pub tenant_id: TenantId,
    /// The row; where several of a kind changed at once, one of them may stand for all.
    #[serde(flatten)]
    pub of: Noticed,
    /// Time of the change in milliseconds since 1970: a row is shown as of this or later once it was asked for anew.
    pub version: i64,
}

/// A row that pages show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Noticed {
    /// Status, verdict or existence of an integration; `None`: of any of them.
    Status(Option<IntegrationId>),
    /// State or progress of an operation.
    Operation(OperationId),
    /// Entries of the request log; the id is the latest one's.
    Request(RequestId),
    /// Entries of the audit log; the id is the latest one's.
    Audit(MessageId),
}

impl Notice {
    /// Makes a notice of a change at this time.
    #[must_use]
    pub const fn new(tenant_id: TenantId, of: Noticed, at: Timestamp) -> Self {
        Self { tenant_id, of, version: at.ms() }
    }
}

impl Noticed {
    /// Returns the kind: `status`, `operation`, `request` or `audit`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Operation(_) => "operation",
            Self::Request(_) => "request",
            Self::Audit(_) => "audit",
        }
    }

    /// Returns the row's id.
    #[must_use]
    pub fn id(self) -> Option<String> {
        match self {
            Self::Status(id) => id.map(|id| id.to_string()),
            Self::Operation(id) => Some(id.to_string()),
            Self::Request(id) => Some(id.to_string()),
            Self::Audit(id) => Some(id.to_string()),
        }
    }

    /// Returns the resource that a principal must be allowed to read to be told.
    #[must_use]
    pub const fn resource(self) -> Resource {
        match self {
            Self::Status(_) => Resource::Integrations,
            Self::Operation(_) => Resource::Operations,
            Self::Request(_) => Resource::Requests,
            Self::Audit(_) => Resource::Audit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_back_as_it_was_written() {
        for of in [
            Noticed::Status(None),
            Noticed::Status(Some(IntegrationId::new())),
            Noticed::Operation(OperationId::new()),
            Noticed::Request(RequestId::new()),
            Noticed::Audit(MessageId::new()),
        ] {
            let notice = Notice::new(TenantId::new(), of, Timestamp::from_ms(17));
            let text = serde_json::to_value(notice).unwrap();
            assert_eq!(text["kind"], of.kind());
            assert_eq!(text["id"].as_str().map(str::to_owned), of.id());
            assert_eq!(serde_json::from_value::<Notice>(text).unwrap(), notice);
        }
    }
}
