//! People and their sessions.

use keyway_domain::{Email, ProjectId, Role, SessionId, TenantId, Timestamp, UserId};
use keyway_store::{memberships::MembershipRow, sessions::SessionRow, users::UserRow};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// A person.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    #[schema(value_type = words::UserId)]
    id: UserId,
    #[schema(value_type = String, max_length = 254, example = "ana@example.org")]
    email: Email,
    name: String,
    /// Language it is written to in.
    #[schema(example = "en")]
    locale: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Number of its changes; also its ETag.
    version: i32,
}

/// A tenant that the caller acts in, or one of its projects.
#[derive(Serialize, ToSchema)]
pub(crate) struct OwnTenantView {
    #[schema(value_type = words::TenantId)]
    pub(crate) id: TenantId,
    pub(crate) name: String,
    /// Role of a person; null for a service.
    #[schema(value_type = Option<words::Role>)]
    pub(crate) role: Option<Role>,
    /// Project that the role holds in alone; null: in the whole tenant.
    #[schema(value_type = Option<words::ProjectId>)]
    pub(crate) project_id: Option<ProjectId>,
}

/// A session that holds.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    #[schema(value_type = words::SessionId)]
    id: SessionId,
    /// `true` for the session of this request.
    is_current: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Give or take a minute.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// Time at which it ends in any case.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Network address that it began from.
    address: Option<String>,
    /// Program that it began in, as that calls itself.
    device: Option<String>,
    /// Last proof in it: `password`, `totp` and so on.
    proved_by: &'static str,
}

impl From<UserRow> for UserView {
    fn from(row: UserRow) -> Self {
        let UserRow { id, email, name, locale, created_at, version, .. } = row;
        Self { id, email, name, locale, created_at, version }
    }
}

impl OwnTenantView {
    /// Builds the view of a membership in a tenant of this name.
    pub(crate) fn of(row: &MembershipRow, name: String) -> Self {
        Self { id: row.tenant_id, name, role: Some(row.grant.role), project_id: row.grant.project_id }
    }
}

impl SessionView {
    /// Builds the view for a request in the session `current`.
    pub(crate) fn of(row: SessionRow, current: SessionId) -> Self {
        Self {
            id: row.id,
            is_current: row.id == current,
            created_at: row.created_at,
            last_seen_at: row.seen_at,
            expires_at: row.ends_at,
            address: row.address,
            device: row.device,
            proved_by: row.proved_by.name(),
        }
    }
}
