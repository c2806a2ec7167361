//! Members, invitations and services of a tenant.

use keyway_domain::{
    Email, InvitationId, MembershipId, Permissions, ProjectId, Role, ServiceId, Timestamp, UserId, VirtualKeyId,
};
use keyway_store::{invitations::InvitationRow, memberships::MembershipRow, services::ServiceRow, users::UserRow};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::words;

/// A member: a person, with its role in the tenant or in one of its projects.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberView {
    #[schema(value_type = words::MembershipId)]
    id: MembershipId,
    #[schema(value_type = words::UserId)]
    user_id: UserId,
    #[schema(value_type = Option<String>, max_length = 254)]
    email: Option<Email>,
    name: Option<String>,
    #[schema(value_type = words::Role)]
    role: Role,
    /// Project that the role holds in alone; null: in the whole tenant.
    #[schema(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
    /// Whether an owner allowed it to reveal secrets.
    may_reveal: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Number of its changes; also its ETag.
    version: i32,
}

/// An invitation.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationView {
    #[schema(value_type = words::InvitationId)]
    id: InvitationId,
    #[schema(value_type = String, max_length = 254)]
    email: Email,
    #[schema(value_type = words::Role)]
    role: Role,
    #[schema(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
    /// Person who invited; null: the operator or a service.
    #[schema(value_type = Option<words::UserId>)]
    invited_by: Option<UserId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    accepted_at: Option<Timestamp>,
    /// Time at which it was taken back, or a newer one took its place.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

/// An invitation with its link.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewInvitationView {
    #[serde(flatten)]
    pub(crate) invitation: InvitationView,
    /// Link to hand over, shown this once; left out where it is sent by mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
    /// Token at the end of the link, for `POST /api/v1/invitations/accept`; left out where it is sent by mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

/// A service.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceView {
    #[schema(value_type = words::ServiceId)]
    id: ServiceId,
    name: String,
    /// Part of its token that is no secret: `kw_svc_<public_id>_...`.
    public_id: String,
    #[schema(value_type = Vec<String>)]
    permissions: Permissions,
    /// Person without whose rights it has none; null: the operator made it.
    #[schema(value_type = Option<words::UserId>)]
    made_by: Option<UserId>,
    /// Virtual key that it calls providers as; null: it calls none.
    #[schema(value_type = Option<words::VirtualKeyId>)]
    virtual_key_id: Option<VirtualKeyId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Give or take a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    /// Number of its changes; also its ETag.
    version: i32,
}

/// A service with its token.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewServiceView {
    #[serde(flatten)]
    pub(crate) service: ServiceView,
    /// The token. It is shown this once; store it now.
    #[schema(example = "kw_svc_...")]
    pub(crate) token: String,
}

impl MemberView {
    /// Builds the view of a row, with what is known of the person among `people`.
    pub(crate) fn of(row: MembershipRow, people: &[UserRow]) -> Self {
        let person = people.iter().find(|user| user.id == row.user_id);
        Self {
            id: row.id,
            user_id: row.user_id,
            email: person.map(|person| person.email.clone()),
            name: person.map(|person| person.name.clone()),
            role: row.grant.role,
            project_id: row.grant.project_id,
            may_reveal: row.grant.may_reveal,
            created_at: row.created_at,
            version: row.version,
        }
    }
}

impl From<InvitationRow> for InvitationView {
    fn from(row: InvitationRow) -> Self {
        let InvitationRow { id, email, role, project_id, invited_by, created_at, expires_at, .. } = row;
        let (accepted_at, revoked_at) = (row.accepted_at, row.revoked_at);
        Self { id, email, role, project_id, invited_by, created_at, expires_at, accepted_at, revoked_at }
    }
}

impl From<ServiceRow> for ServiceView {
    fn from(row: ServiceRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            public_id: row.public_id,
            permissions: row.permissions,
            made_by: row.made_by,
            virtual_key_id: row.virtual_key_id,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
            version: row.version,
        }
    }
}
