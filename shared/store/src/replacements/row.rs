//! From rows of the table to replacements.

use keyway_domain::{IntegrationId, OperationId, Timestamp, Verdict};

use crate::{
    StoreError,
    entity::replacements as table,
    integrations::{Binding, stored_verdict},
};

/// Where a replacement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplacementState {
    /// It is being verified.
    Verifying,
    /// It was not accepted; its secret is gone.
    Refused,
}

impl ReplacementState {
    /// Every state, for documents.
    pub const ALL: [Self; 2] = [Self::Verifying, Self::Refused];

    /// The text in the table and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verifying => "verifying",
            Self::Refused => "refused",
        }
    }
}

/// A credential that waits to replace an integration's, or was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacementRow {
    /// Whose credential it is to replace.
    pub integration_id: IntegrationId,
    /// The version that the secret has then.
    pub version: i32,
    /// Where it stands.
    pub state: ReplacementState,
    /// Enough of the secret to recognise it by.
    pub hint: String,
    /// The operation that verifies it, or did.
    pub operation_id: OperationId,
    /// What its last verification found.
    pub verdict: Option<Verdict>,
    /// When it was handed in.
    pub created_at: Timestamp,
}

pub(super) fn binding(model: &table::Model) -> Result<Option<Binding>, StoreError> {
    let Some(config) = &model.config else { return Ok(None) };
    let config = serde_json::from_str(config).map_err(|_| StoreError::Corrupt("replacement config"))?;
    Ok(Some(Binding { base_url: model.base_url.clone(), config }))
}

pub(super) fn row(model: table::Model) -> Result<ReplacementRow, StoreError> {
    let state = match model.state.as_str() {
        "verifying" => ReplacementState::Verifying,
        "refused" => ReplacementState::Refused,
        _ => return Err(StoreError::Corrupt("replacement state")),
    };
    Ok(ReplacementRow {
        integration_id: IntegrationId::from_uuid(model.integration_id),
        version: model.version,
        state,
        hint: model.hint,
        operation_id: OperationId::from_uuid(model.operation_id),
        verdict: stored_verdict!(model),
        created_at: Timestamp::from_ms(model.created_at_ms),
    })
}
