//! Creates a virtual key. The key itself is in the answer, this once; only its SHA-256 is stored.

use keyway_domain::{Limits, ProjectId, Timestamp};
use keyway_store::virtual_keys::{self, NewVirtualKey};
use keyway_vault::token::VirtualKeyToken;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    code::Code,
    error::ApiError,
    limits::LimitsInput,
    provider_names,
    view::VirtualKeyView,
    work::{Command, Work},
};

/// Virtual key to create.
pub(crate) struct CreateVirtualKey {
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) name: String,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) limits: LimitsInput,
    pub(crate) cache_ttl_seconds: Option<i64>,
}

/// A virtual key with the key.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKeyView {
    #[serde(flatten)]
    virtual_key: VirtualKeyView,
    /// The key. It is shown this once; store it now.
    #[schema(example = "kw_live_...")]
    key: String,
}

impl Command for CreateVirtualKey {
    async fn run(self, work: &mut Work<'_>) -> Result<Answer, ApiError> {
        let project_id = provider_names::project(&work.tx, self.project_id).await?;
        work.by.check_project(project_id, "project")?;
        let token = VirtualKeyToken::generate()
            .ok_or_else(|| ApiError::new(Code::Internal, "the system gives no random bytes at the moment"))?;
        let new = NewVirtualKey {
            project_id,
            name: self.name,
            token_sha256: token.sha256(),
            hint: token.hint(),
            expires_at: self.expires_at,
            limits: self.limits.over(Limits::default()),
            cache_ttl_seconds: self.cache_ttl_seconds,
        };
        let row = virtual_keys::insert(&work.tx, new, work.now).await?;
        let changes = json!({ "name": row.name, "project_id": project_id, "expires_at": row.expires_at,
            "limits": row.limits, "cache_ttl_seconds": row.cache_ttl_seconds });
        work.audit("virtual_key.created", row.id, changes);
        let (location, version) = (format!("/api/v1/virtual-keys/{}", row.id), row.version);
        let view = NewKeyView { virtual_key: row.into(), key: token.plain().to_owned() };
        Ok(Answer::created(&view, &location).tagged(version).secret())
    }
}
