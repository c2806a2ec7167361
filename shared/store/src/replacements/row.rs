//! From rows of the table to replacements.

use keyway_domain::{IntegrationId, OperationId, Timestamp, Verdict};

use crate::{
    StoreError,
    entity::replacements as table,
    integrations::{Binding, stored_verdict},
};

/// State of a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplacementState {
    /// Its verification is under way.
    Verifying,
    /// The verdict refused it; its secret is deleted.
    Refused,
}

impl ReplacementState {
    /// Every state, for documents.
    pub const ALL: [Self; 2] = [Self::Verifying, Self::Refused];

    /// Returns the text in the table and in JSON.
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
    /// Integration whose credential it is to replace.
    pub integration_id: IntegrationId,
    /// Version that the integration's secret has after the swap.
    pub version: i32,
    /// State.
    pub state: ReplacementState,
    /// Enough of the secret to recognise it by.
    pub hint: String,
    /// Operation that verifies it.
    pub operation_id: OperationId,
    /// Latest verdict.
    pub verdict: Option<Verdict>,
    /// Time of submission.
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
