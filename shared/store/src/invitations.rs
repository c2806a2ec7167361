//! Invitations: offers of a membership, each bound to an address and taken up once. Only the SHA-256 of a token is stored.

use keyway_domain::{Email, InvitationId, ProjectId, Role, TenantId, Timestamp, UserId};
use sea_orm::EntityTrait;

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx,
    entity::invitations as table,
    memberships,
    sql::{Sql, time},
    transaction::sealed::Inner,
    users::UserRow,
};

/// An invitation as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRow {
    /// Its id.
    pub id: InvitationId,
    /// To which tenant.
    pub tenant_id: TenantId,
    /// Whom it is for.
    pub email: Email,
    /// What the person is to be.
    pub role: Role,
    /// Where alone.
    pub project_id: Option<ProjectId>,
    /// Who invites; `None`: the operator.
    pub invited_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it can no longer be taken up.
    pub expires_at: Timestamp,
    /// When it was taken up.
    pub accepted_at: Option<Timestamp>,
    /// By whom.
    pub accepted_by: Option<UserId>,
    /// When it was taken back, or a newer one took its place.
    pub revoked_at: Option<Timestamp>,
}

/// What a new invitation is made of.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Whom it is for.
    pub email: Email,
    /// What the person is to be.
    pub role: Role,
    /// Where alone.
    pub project_id: Option<ProjectId>,
    /// The SHA-256 of its token.
    pub token_sha256: [u8; 32],
    /// Who invites; `None`: the operator.
    pub invited_by: Option<UserId>,
    /// When it can no longer be taken up.
    pub expires_at: Timestamp,
}

impl InvitationRow {
    /// Whether it can still be taken up.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.accepted_at.is_none() && self.revoked_at.is_none() && self.expires_at > now
    }
}

/// Adds an invitation; open ones of the same address to the same place are taken back.
///
/// # Errors
/// [`StoreError::Conflict`] when the role does not fit a project, or the project is not there.
pub async fn insert(tx: &TenantTx, new: NewInvitation, now: Timestamp) -> Result<InvitationRow, StoreError> {
    if new.project_id.is_some() && !new.role.fits_a_project() {
        return Err(StoreError::Conflict);
    }
    let mut sql = Sql::new("UPDATE invitations SET revoked_at_ms = ");
    sql.bind(now.ms()).push(" WHERE accepted_at_ms IS NULL AND revoked_at_ms IS NULL AND tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(" AND email_key = ").bind(new.email.key());
    match new.project_id {
        Some(project_id) => sql.push(" AND project_id = ").bind(project_id.uuid()),
        None => sql.push(" AND project_id IS NULL"),
    };
    sql.run(tx).await?;
    let model = table::Model {
        id: InvitationId::new().uuid(),
        tenant_id: tx.tenant_id().uuid(),
        email: new.email.as_given().to_owned(),
        email_key: new.email.key().to_owned(),
        role: new.role.name().to_owned(),
        project_id: new.project_id.map(ProjectId::uuid),
        token_sha256: new.token_sha256.to_vec(),
        invited_by: new.invited_by.map(UserId::uuid),
        created_at_ms: now.ms(),
        expires_at_ms: new.expires_at.ms(),
        accepted_at_ms: None,
        accepted_by: None,
        revoked_at_ms: None,
    };
    let stored: table::ActiveModel = model.clone().into();
    table::Entity::insert(stored).exec_without_returning(tx.db()).await?;
    row(model)
}

/// One invitation of the tenant.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: InvitationId) -> Result<Option<InvitationRow>, StoreError> {
    let text = "SELECT * FROM invitations WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]);
    sql.models::<table::Entity>(tx).await?.pop().map(row).transpose()
}

/// Invitations of the tenant, newest first, with those that are settled.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, page: Page<InvitationId>) -> Result<Paged<InvitationRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM invitations WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    page.newest_first(&mut sql, ["id"], |id| [id.uuid().into()]);
    let rows = sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(Paged::of(&page, rows))
}

/// The invitation whose token has this hash, of whichever tenant, while it can be taken up: to show what is offered.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_open_by_token_hash(
    tx: &SystemTx,
    sha256: &[u8; 32],
    now: Timestamp,
) -> Result<Option<InvitationRow>, StoreError> {
    let text = "SELECT * FROM invitations WHERE token_sha256 = $1";
    let found = Sql::with(text, [sha256.to_vec().into()]).models::<table::Entity>(tx).await?.pop();
    Ok(found.map(row).transpose()?.filter(|invitation| invitation.is_open(now)))
}

/// Takes an invitation up for a person that has its address, and makes it a member. Of all who try at the same moment
/// one succeeds; `None` for the others, and where it is not open or is somebody else's. Who is a member of that place
/// already stays what it is.
///
/// # Errors
/// See [`StoreError`].
pub async fn accept(
    tx: &SystemTx,
    sha256: &[u8; 32],
    user: &UserRow,
    now: Timestamp,
) -> Result<Option<InvitationRow>, StoreError> {
    let text = "UPDATE invitations SET accepted_at_ms = $1, accepted_by = $2 WHERE token_sha256 = $3 \
                AND email_key = $4 AND accepted_at_ms IS NULL AND revoked_at_ms IS NULL AND expires_at_ms > $1 \
                RETURNING *";
    let values = [now.ms().into(), user.id.uuid().into(), sha256.to_vec().into(), user.email.key().into()];
    let Some(model) = Sql::with(text, values).models::<table::Entity>(tx).await?.pop() else { return Ok(None) };
    let invitation = row(model)?;
    let place = (invitation.role, invitation.project_id);
    memberships::insert(tx, invitation.tenant_id, user.id, place, now).await?;
    Ok(Some(invitation))
}

/// Takes an invitation back. One that is settled stays as it is.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn revoke(tx: &TenantTx, id: InvitationId, now: Timestamp) -> Result<InvitationRow, StoreError> {
    let text = "UPDATE invitations SET revoked_at_ms = $1 WHERE tenant_id = $2 AND id = $3 \
                AND accepted_at_ms IS NULL AND revoked_at_ms IS NULL";
    let values = [now.ms().into(), tx.tenant_id().uuid().into(), id.uuid().into()];
    Sql::with(text, values).run(tx).await?;
    find(tx, id).await?.ok_or(StoreError::NotFound)
}

fn row(model: table::Model) -> Result<InvitationRow, StoreError> {
    Ok(InvitationRow {
        id: InvitationId::from_uuid(model.id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        email: model.email.parse().map_err(|_| StoreError::Corrupt("address"))?,
        role: model.role.parse().map_err(|_| StoreError::Corrupt("role"))?,
        project_id: model.project_id.map(ProjectId::from_uuid),
        invited_by: model.invited_by.map(UserId::from_uuid),
        created_at: Timestamp::from_ms(model.created_at_ms),
        expires_at: Timestamp::from_ms(model.expires_at_ms),
        accepted_at: time(model.accepted_at_ms),
        accepted_by: model.accepted_by.map(UserId::from_uuid),
        revoked_at: time(model.revoked_at_ms),
    })
}
