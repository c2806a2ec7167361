//! Memberships: who is what in a tenant, or in one of its projects. A tenant never loses its last owner.
//!
//! A change of what somebody may do ends its other sessions: it is made in a [`SystemTx`], which sees them.

use keyway_domain::{Grant, MembershipId, ProjectId, Rights, Role, SessionId, TenantId, Timestamp, UserId};

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx, Tx,
    entity::memberships as table,
    sessions,
    sql::{Sql, for_update},
};

/// A membership as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipRow {
    /// Its id.
    pub id: MembershipId,
    /// In which tenant.
    pub tenant_id: TenantId,
    /// Whose it is.
    pub user_id: UserId,
    /// As what, where, and whether it reveals.
    pub grant: Grant,
    /// When it began.
    pub created_at: Timestamp,
    /// Counts its changes, for ETag and If-Match.
    pub version: i32,
}

/// Makes a person a member; who is one there already stays what it is, and `None` is returned.
///
/// # Errors
/// [`StoreError::Conflict`] when the role does not fit a project, or tenant, person or project is not there.
pub async fn insert(
    tx: &SystemTx,
    tenant_id: TenantId,
    user_id: UserId,
    (role, project_id): (Role, Option<ProjectId>),
    now: Timestamp,
) -> Result<Option<MembershipRow>, StoreError> {
    if project_id.is_some() && !role.fits_a_project() {
        return Err(StoreError::Conflict);
    }
    let grant = Grant { role, project_id, may_reveal: false };
    let row = MembershipRow { id: MembershipId::new(), tenant_id, user_id, grant, created_at: now, version: 1 };
    let text = "INSERT INTO memberships (id, tenant_id, user_id, role, project_id, may_reveal, created_at_ms, version) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT DO NOTHING";
    let values = [
        row.id.uuid().into(),
        tenant_id.uuid().into(),
        user_id.uuid().into(),
        role.name().into(),
        project_id.map(ProjectId::uuid).into(),
        false.into(),
        now.ms().into(),
    ];
    Ok((Sql::with(text, values).run(tx).await? == 1).then_some(row))
}

/// One membership of a tenant.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &impl Tx, tenant_id: TenantId, id: MembershipId) -> Result<Option<MembershipRow>, StoreError> {
    let text = "SELECT * FROM memberships WHERE tenant_id = $1 AND id = $2";
    rows(tx, Sql::with(text, [tenant_id.uuid().into(), id.uuid().into()])).await.map(|mut rows| rows.pop())
}

/// Memberships of the tenant, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, page: Page<MembershipId>) -> Result<Paged<MembershipRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM memberships WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    page.newest_first(&mut sql, ["id"], |id| [id.uuid().into()]);
    Ok(Paged::of(&page, rows(tx, sql).await?))
}

/// Everything a person is, in every tenant.
///
/// # Errors
/// See [`StoreError`].
pub async fn of_user(tx: &SystemTx, user_id: UserId) -> Result<Vec<MembershipRow>, StoreError> {
    let text = "SELECT * FROM memberships WHERE user_id = $1 ORDER BY id";
    rows(tx, Sql::with(text, [user_id.uuid().into()])).await
}

/// Everything that anybody is in a tenant.
///
/// # Errors
/// See [`StoreError`].
pub async fn of_tenant(tx: &SystemTx, tenant_id: TenantId) -> Result<Vec<MembershipRow>, StoreError> {
    let text = "SELECT * FROM memberships WHERE tenant_id = $1 ORDER BY id";
    rows(tx, Sql::with(text, [tenant_id.uuid().into()])).await
}

/// What a person may do in a tenant; nothing where it is no member, or shut out.
///
/// # Errors
/// See [`StoreError`].
pub async fn rights_of(tx: &SystemTx, tenant_id: TenantId, user_id: UserId) -> Result<Rights, StoreError> {
    let text = "SELECT * FROM memberships WHERE tenant_id = $1 AND user_id = $2 AND NOT EXISTS \
                (SELECT 1 FROM users WHERE users.id = memberships.user_id AND disabled_at_ms IS NOT NULL)";
    let sql = Sql::with(text, [tenant_id.uuid().into(), user_id.uuid().into()]);
    Ok(rows(tx, sql).await?.into_iter().map(|row| row.grant).collect())
}

/// Gives a member another role; with `expected`, only if the version is still that one. What it was allowed to reveal
/// it no longer is, and its sessions end, except `keep`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`], [`StoreError::LastOwner`], [`StoreError::Conflict`] when the role
/// does not fit a project.
pub async fn set_role(
    tx: &SystemTx,
    tenant_id: TenantId,
    id: MembershipId,
    role: Role,
    expected: Option<i32>,
    keep: Option<SessionId>,
) -> Result<MembershipRow, StoreError> {
    let row = hold(tx, tenant_id, id, expected).await?;
    if row.grant.project_id.is_some() && !role.fits_a_project() {
        return Err(StoreError::Conflict);
    }
    if role == row.grant.role {
        return Ok(row);
    }
    if row.grant.role == Role::Owner {
        leave_an_owner(tx, tenant_id, id).await?;
    }
    let mut sql = Sql::new("UPDATE memberships SET version = version + 1, role = ");
    sql.bind(role.name()).push(", may_reveal = ").bind(false);
    change(tx, &row, sql).await?;
    let _ = sessions::end_all_of(tx, row.user_id, keep).await?;
    find(tx, tenant_id, id).await?.ok_or(StoreError::NotFound)
}

/// Allows a member to reveal secrets where it is one, or forbids it; with `expected`, only if the version is still that
/// one. Its sessions end, except `keep`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`].
pub async fn set_may_reveal(
    tx: &SystemTx,
    tenant_id: TenantId,
    id: MembershipId,
    may_reveal: bool,
    expected: Option<i32>,
    keep: Option<SessionId>,
) -> Result<MembershipRow, StoreError> {
    let row = hold(tx, tenant_id, id, expected).await?;
    if may_reveal == row.grant.may_reveal {
        return Ok(row);
    }
    let mut sql = Sql::new("UPDATE memberships SET version = version + 1, may_reveal = ");
    sql.bind(may_reveal);
    change(tx, &row, sql).await?;
    let _ = sessions::end_all_of(tx, row.user_id, keep).await?;
    find(tx, tenant_id, id).await?.ok_or(StoreError::NotFound)
}

/// Takes a membership away; with `expected`, only if the version is still that one. The person's sessions end, except
/// `keep`. Returns what is gone.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`], [`StoreError::LastOwner`].
pub async fn remove(
    tx: &SystemTx,
    tenant_id: TenantId,
    id: MembershipId,
    expected: Option<i32>,
    keep: Option<SessionId>,
) -> Result<MembershipRow, StoreError> {
    let row = hold(tx, tenant_id, id, expected).await?;
    if row.grant.role == Role::Owner {
        leave_an_owner(tx, tenant_id, id).await?;
    }
    change(tx, &row, Sql::new("DELETE FROM memberships")).await?;
    let _ = sessions::end_all_of(tx, row.user_id, keep).await?;
    Ok(row)
}

async fn hold(
    tx: &SystemTx,
    tenant_id: TenantId,
    id: MembershipId,
    expected: Option<i32>,
) -> Result<MembershipRow, StoreError> {
    let row = find(tx, tenant_id, id).await?.ok_or(StoreError::NotFound)?;
    if expected.is_some_and(|expected| expected != row.version) { Err(StoreError::Stale) } else { Ok(row) }
}

/// Makes sure that somebody else is an owner, and stays one until this transaction ends: who would take away another
/// owner at the same moment waits for it, and then finds one less. All lock the rows in one order.
async fn leave_an_owner(tx: &SystemTx, tenant_id: TenantId, leaving: MembershipId) -> Result<(), StoreError> {
    let mut sql = Sql::new("SELECT id FROM memberships WHERE role = ");
    sql.bind(Role::Owner.name()).push(" AND tenant_id = ").bind(tenant_id.uuid());
    sql.push(" ORDER BY id").push(for_update(tx));
    let stays = |id: &uuid::Uuid| *id != leaving.uuid();
    if sql.ids(tx).await?.iter().any(stays) { Ok(()) } else { Err(StoreError::LastOwner) }
}

/// Runs the beginning of a statement on a row, as it was read.
async fn change(tx: &SystemTx, row: &MembershipRow, mut sql: Sql) -> Result<(), StoreError> {
    sql.push(" WHERE tenant_id = ").bind(row.tenant_id.uuid()).push(" AND id = ").bind(row.id.uuid());
    sql.push(" AND version = ").bind(row.version);
    if sql.run(tx).await? == 0 { Err(StoreError::Stale) } else { Ok(()) }
}

async fn rows(tx: &impl Tx, sql: Sql) -> Result<Vec<MembershipRow>, StoreError> {
    sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect()
}

fn row(model: table::Model) -> Result<MembershipRow, StoreError> {
    let grant = Grant {
        role: model.role.parse().map_err(|_| StoreError::Corrupt("role"))?,
        project_id: model.project_id.map(ProjectId::from_uuid),
        may_reveal: model.may_reveal,
    };
    Ok(MembershipRow {
        id: MembershipId::from_uuid(model.id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        user_id: UserId::from_uuid(model.user_id),
        grant,
        created_at: Timestamp::from_ms(model.created_at_ms),
        version: model.version,
    })
}
