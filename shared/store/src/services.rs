//! Services: programs that call the management API in one tenant. Only the SHA-256 of a token is stored.
//!
//! What a service may do is no more than what its maker may do: that is asked anew at each use, so whoever is no longer
//! a member has no service that works.

use keyway_domain::{Permissions, ServiceId, TenantId, Timestamp, UserId, VirtualKeyId};
use sea_orm::EntityTrait;

use crate::{
    Page, Paged, StoreError, SystemTx, TenantTx,
    entity::services as table,
    memberships,
    sql::{Sql, time},
    transaction::sealed::Inner,
};

/// How often at most it is written that a service was used, in milliseconds.
const TOUCH_EVERY_MS: i64 = 60_000;

/// A service as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    /// Its id.
    pub id: ServiceId,
    /// Where it acts.
    pub tenant_id: TenantId,
    /// Its name, unique among those of the tenant that are not revoked.
    pub name: String,
    /// The part of its token that is no secret.
    pub public_id: String,
    /// The SHA-256 of its token.
    pub token_sha256: [u8; 32],
    /// What it was made for.
    pub permissions: Permissions,
    /// Who made it, without whose rights it has none; `None`: the operator.
    pub made_by: Option<UserId>,
    /// Virtual key that it calls providers as; `None`: it calls none.
    pub virtual_key_id: Option<VirtualKeyId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was last used, give or take a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Counts its changes, for ETag and If-Match.
    pub version: i32,
}

/// What a new service is made of.
#[derive(Clone, Debug)]
pub struct NewService {
    /// Its name.
    pub name: String,
    /// The part of its token that is no secret.
    pub public_id: String,
    /// The SHA-256 of its token.
    pub token_sha256: [u8; 32],
    /// What it is made for.
    pub permissions: Permissions,
    /// Who makes it; `None`: the operator.
    pub made_by: Option<UserId>,
    /// Virtual key that it calls providers as; `None`: it calls none.
    pub virtual_key_id: Option<VirtualKeyId>,
    /// When it stops working.
    pub expires_at: Timestamp,
}

impl ServiceRow {
    /// Whether it works: neither revoked nor expired.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }
}

/// Adds a service.
///
/// # Errors
/// [`StoreError::NameTaken`].
pub async fn insert(tx: &TenantTx, new: NewService, now: Timestamp) -> Result<ServiceRow, StoreError> {
    let permissions = serde_json::to_string(&new.permissions).map_err(|_| StoreError::Corrupt("permission"))?;
    let model = table::Model {
        id: ServiceId::new().uuid(),
        tenant_id: tx.tenant_id().uuid(),
        name: new.name,
        public_id: new.public_id,
        token_sha256: new.token_sha256.to_vec(),
        permissions,
        made_by: new.made_by.map(UserId::uuid),
        virtual_key_id: new.virtual_key_id.map(VirtualKeyId::uuid),
        created_at_ms: now.ms(),
        expires_at_ms: new.expires_at.ms(),
        last_used_at_ms: None,
        revoked_at_ms: None,
        version: 1,
    };
    let stored: table::ActiveModel = model.clone().into();
    match table::Entity::insert(stored).exec_without_returning(tx.db()).await.map_err(StoreError::from) {
        Err(StoreError::Conflict) => Err(StoreError::NameTaken),
        Err(error) => Err(error),
        Ok(_) => row(model),
    }
}

/// One service of the tenant.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: ServiceId) -> Result<Option<ServiceRow>, StoreError> {
    let text = "SELECT * FROM services WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]);
    sql.models::<table::Entity>(tx).await?.pop().map(row).transpose()
}

/// Services of the tenant, newest first, revoked and expired ones too.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, page: Page<ServiceId>) -> Result<Paged<ServiceRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM services WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    page.newest_first(&mut sql, ["id"], |id| [id.uuid().into()]);
    let rows = sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(Paged::of(&page, rows))
}

/// The service whose token has this public part, of whichever tenant, revoked and expired ones too. Whether the rest of
/// the token is right is for the caller to compare.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_public_id(tx: &SystemTx, public_id: &str) -> Result<Option<ServiceRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM services WHERE public_id = $1", [public_id.into()]);
    sql.models::<table::Entity>(tx).await?.pop().map(row).transpose()
}

/// Returns the service with this token, of whichever tenant, revoked and expired ones too.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_token_hash(tx: &SystemTx, sha256: &[u8; 32]) -> Result<Option<ServiceRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM services WHERE token_sha256 = $1", [sha256.to_vec().into()]);
    sql.models::<table::Entity>(tx).await?.pop().map(row).transpose()
}

/// Returns what a service may do now: no more than its maker.
///
/// # Errors
/// See [`StoreError`].
pub async fn permissions_now(tx: &SystemTx, service: &ServiceRow) -> Result<Permissions, StoreError> {
    let Some(maker) = service.made_by else { return Ok(service.permissions) };
    let rights = memberships::rights_of(tx, service.tenant_id, maker).await?;
    Ok(service.permissions.and(&rights.of_tenant()))
}

/// Gives a service another token, from now on the only one.
///
/// # Errors
/// [`StoreError::NotFound`] where the tenant has no such service, or it is revoked.
pub async fn rotate(
    tx: &TenantTx,
    id: ServiceId,
    public_id: &str,
    token_sha256: &[u8; 32],
    expires_at: Timestamp,
) -> Result<ServiceRow, StoreError> {
    let text = "UPDATE services SET version = version + 1, public_id = $1, token_sha256 = $2, expires_at_ms = $3 \
                WHERE tenant_id = $4 AND id = $5 AND revoked_at_ms IS NULL RETURNING *";
    let (tenant_id, id) = (tx.tenant_id().uuid().into(), id.uuid().into());
    let values = [public_id.into(), token_sha256.to_vec().into(), expires_at.ms().into(), tenant_id, id];
    Sql::with(text, values).models::<table::Entity>(tx).await?.pop().map_or(Err(StoreError::NotFound), row)
}

/// Gives a service other permissions; with `expected`, only if its version is still that one.
///
/// # Errors
/// [`StoreError::NotFound`] where the tenant has no such service, or it is revoked; [`StoreError::Stale`].
pub async fn set_permissions(
    tx: &TenantTx,
    id: ServiceId,
    permissions: &Permissions,
    expected: i32,
) -> Result<ServiceRow, StoreError> {
    let list = serde_json::to_string(permissions).map_err(|_| StoreError::Corrupt("permission"))?;
    let text = "UPDATE services SET version = version + 1, permissions = $1 \
                WHERE tenant_id = $2 AND id = $3 AND version = $4 AND revoked_at_ms IS NULL";
    let values = [list.into(), tx.tenant_id().uuid().into(), id.uuid().into(), expected.into()];
    let changed = Sql::with(text, values).run(tx).await?;
    let row = find(tx, id).await?.filter(|row| row.revoked_at.is_none()).ok_or(StoreError::NotFound)?;
    if changed == 0 { Err(StoreError::Stale) } else { Ok(row) }
}

/// Revokes a service for good; with `expected`, only if its version is still that one. Revoking it again changes
/// nothing.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`].
pub async fn revoke(
    tx: &TenantTx,
    id: ServiceId,
    expected: Option<i32>,
    now: Timestamp,
) -> Result<ServiceRow, StoreError> {
    let mut sql = Sql::new("UPDATE services SET version = version + 1, revoked_at_ms = ");
    sql.bind(now.ms()).push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND id = ").bind(id.uuid());
    if let Some(expected) = expected {
        sql.push(" AND version = ").bind(expected);
    }
    sql.push(" AND revoked_at_ms IS NULL");
    let changed = sql.run(tx).await?;
    let row = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    let is_stale = changed == 0 && expected.is_some_and(|expected| expected != row.version);
    if is_stale { Err(StoreError::Stale) } else { Ok(row) }
}

/// Notes that a service is used; within a minute of the last note nothing is written.
///
/// # Errors
/// See [`StoreError`].
pub async fn touch(tx: &SystemTx, id: ServiceId, now: Timestamp) -> Result<(), StoreError> {
    let text = "UPDATE services SET last_used_at_ms = $1 WHERE id = $2 AND COALESCE(last_used_at_ms, 0) <= $3";
    let before = now.ms().saturating_sub(TOUCH_EVERY_MS);
    Sql::with(text, [now.ms().into(), id.uuid().into(), before.into()]).run(tx).await.map(drop)
}

fn row(model: table::Model) -> Result<ServiceRow, StoreError> {
    Ok(ServiceRow {
        id: ServiceId::from_uuid(model.id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        name: model.name,
        public_id: model.public_id,
        token_sha256: model.token_sha256.as_slice().try_into().map_err(|_| StoreError::Corrupt("token hash"))?,
        permissions: permissions(&model.permissions)?,
        made_by: model.made_by.map(UserId::from_uuid),
        virtual_key_id: model.virtual_key_id.map(VirtualKeyId::from_uuid),
        created_at: Timestamp::from_ms(model.created_at_ms),
        expires_at: Timestamp::from_ms(model.expires_at_ms),
        last_used_at: time(model.last_used_at_ms),
        revoked_at: time(model.revoked_at_ms),
        version: model.version,
    })
}

/// Reads a list of permissions; one that only a newer build knows is none.
fn permissions(list: &str) -> Result<Permissions, StoreError> {
    let names: Vec<String> = serde_json::from_str(list).map_err(|_| StoreError::Corrupt("permission"))?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}
