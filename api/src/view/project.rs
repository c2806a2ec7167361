//! Projects.

use keyway_domain::{ProjectId, Timestamp};
use keyway_store::projects::ProjectRow;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{fallback::FallbackView, limits::LimitsView, openapi::words};

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
