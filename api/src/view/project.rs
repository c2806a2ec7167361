//! Projects.

use keyway_domain::{ProjectId, Timestamp};
use keyway_store::projects::ProjectRow;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{fallback::FallbackView, limits::LimitsView, openapi::words};

/// A project: what integrations and virtual keys belong to.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectView {
    #[schema(value_type = words::ProjectId)]
    id: ProjectId,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    limits: LimitsView,
    /// Whether calls may go to OpenRouter with the operator's key when no integration of the project serves them.
    pub(crate) fallback: Option<FallbackView>,
    /// Counts its changes; also its ETag.
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
