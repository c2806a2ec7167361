//! Virtual keys, which applications present to the proxy. Only the SHA-256 of a key is stored.

use keyway_domain::{Limits, ProjectId, TenantId, Timestamp, VirtualKeyId};
use sea_orm::EntityTrait;

use crate::{
    Page, Paged, Place, PlaceValue, Sort, SortBy, StoreError, SystemTx, TenantTx,
    entity::virtual_keys as table,
    limits::{assign, stored_limits},
    only, sort,
    sql::{Sql, chunk, limit, ms, time},
    transaction::sealed::Inner,
};

/// A virtual key as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualKeyRow {
    /// Its id.
    pub id: VirtualKeyId,
    /// Tenant that owns it.
    pub tenant_id: TenantId,
    /// Project whose integrations it may use.
    pub project_id: ProjectId,
    /// Name.
    pub name: String,
    /// Redacted form of the key, enough to recognise it.
    pub hint: String,
    /// Time at which it stops working; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// Time of revocation.
    pub revoked_at: Option<Timestamp>,
    /// Time of the last use, exact to the interval at which that is written.
    pub last_used_at: Option<Timestamp>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Number of changes, for ETag and If-Match.
    pub version: i32,
    /// Limits of its calls.
    pub limits: Limits,
    /// Time to live of cached answers to its calls, in seconds; `None`: answers are not cached.
    pub cache_ttl_seconds: Option<i64>,
}

/// Which virtual keys to list; `None` means any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Project.
    pub project_id: Option<ProjectId>,
    /// Projects that any of them must be in.
    pub within: Option<Vec<ProjectId>>,
    /// Text in the name, ignoring case.
    pub search: Option<String>,
    /// Order of the list.
    pub sort: Sort,
}

/// Fields of a new virtual key.
#[derive(Clone, Debug)]
pub struct NewVirtualKey {
    /// Project whose integrations it may use.
    pub project_id: ProjectId,
    /// Name.
    pub name: String,
    /// The SHA-256 of the key.
    pub token_sha256: [u8; 32],
    /// Redacted form of the key, enough to recognise it.
    pub hint: String,
    /// Time at which it stops working; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// Limits of its calls.
    pub limits: Limits,
    /// Time to live of cached answers to its calls, in seconds; `None`: answers are not cached.
    pub cache_ttl_seconds: Option<i64>,
}

/// New values of a virtual key's fields.
#[derive(Clone, Debug)]
pub struct Change {
    /// Name.
    pub name: String,
    /// Time at which it stops working; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// Limits of its calls.
    pub limits: Limits,
    /// Time to live of cached answers to its calls, in seconds; `None`: answers are not cached.
    pub cache_ttl_seconds: Option<i64>,
}

/// Adds a virtual key.
///
/// # Errors
/// [`StoreError::Conflict`] when the project does not exist in the tenant.
pub async fn insert(tx: &TenantTx, new: NewVirtualKey, now: Timestamp) -> Result<VirtualKeyRow, StoreError> {
    let model = table::Model {
        id: VirtualKeyId::new().uuid(),
        tenant_id: tx.tenant_id().uuid(),
        project_id: new.project_id.uuid(),
        name: new.name,
        token_sha256: new.token_sha256.to_vec(),
        hint: new.hint,
        expires_at_ms: ms(new.expires_at),
        revoked_at_ms: None,
        last_used_at_ms: None,
        created_at_ms: now.ms(),
        version: 1,
        requests_per_minute: new.limits.requests_per_minute,
        tokens_per_minute: new.limits.tokens_per_minute,
        daily_budget_nano_usd: new.limits.daily_budget_nano_usd,
        monthly_budget_nano_usd: new.limits.monthly_budget_nano_usd,
        cache_ttl_seconds: new.cache_ttl_seconds,
    };
    let stored: table::ActiveModel = model.clone().into();
    table::Entity::insert(stored).exec_without_returning(tx.db()).await?;
    Ok(row(model))
}

impl VirtualKeyRow {
    /// Returns its place in a list sorted by name, last use or creation.
    #[must_use]
    pub fn place(&self, by: SortBy) -> Place {
        let id = self.id.uuid();
        match by {
            SortBy::Name => Place { by, value: PlaceValue::Text(self.name.clone()), id },
            SortBy::LastUsedAt => Place { by, value: PlaceValue::Number(ms(self.last_used_at).unwrap_or(0)), id },
            _ => Place::of_id(id),
        }
    }
}

/// Virtual keys, in the order of the filter.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, filter: &Filter, page: Page<Place>) -> Result<Paged<VirtualKeyRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM virtual_keys WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    if let Some(project_id) = filter.project_id {
        sql.push(" AND project_id = ").bind(project_id.uuid());
    }
    only::within(&mut sql, "project_id", filter.within.as_deref());
    sort::search(&mut sql, filter.search.as_deref());
    sort::page(&mut sql, filter.sort, &page);
    Ok(Paged::of(&page, sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect()))
}

/// Returns one virtual key.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: VirtualKeyId) -> Result<Option<VirtualKeyRow>, StoreError> {
    let text = "SELECT * FROM virtual_keys WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Changes a virtual key, if its version still equals `expected`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`].
pub async fn update(
    tx: &TenantTx,
    id: VirtualKeyId,
    change: Change,
    expected: i32,
) -> Result<VirtualKeyRow, StoreError> {
    let mut sql = Sql::new("UPDATE virtual_keys SET version = version + 1, name = ");
    sql.bind(change.name).push(", expires_at_ms = ").bind(ms(change.expires_at));
    sql.push(", cache_ttl_seconds = ").bind(change.cache_ttl_seconds);
    assign(&mut sql, &change.limits);
    sql.push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND id = ").bind(id.uuid());
    sql.push(" AND version = ").bind(expected);
    let changed = sql.run(tx).await?;
    let row = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    if changed == 0 { Err(StoreError::Stale) } else { Ok(row) }
}

/// Revokes a virtual key for good; with `expected`, only if its version still equals it. Revoking it again changes
/// nothing.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`].
pub async fn revoke(
    tx: &TenantTx,
    id: VirtualKeyId,
    expected: Option<i32>,
    now: Timestamp,
) -> Result<VirtualKeyRow, StoreError> {
    let mut sql = Sql::new("UPDATE virtual_keys SET version = version + 1, revoked_at_ms = ");
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

/// Returns the virtual key with this hash, of any tenant, even if revoked or expired.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_token_hash(tx: &SystemTx, sha256: &[u8; 32]) -> Result<Option<VirtualKeyRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM virtual_keys WHERE token_sha256 = $1", [sha256.to_vec().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Returns one virtual key of a tenant, revoked or expired ones too.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_of(
    tx: &SystemTx,
    tenant_id: TenantId,
    id: VirtualKeyId,
) -> Result<Option<VirtualKeyRow>, StoreError> {
    let text = "SELECT * FROM virtual_keys WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tenant_id.uuid().into(), id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Returns `true` if a virtual key of the tenant, even a revoked or expired one, has this hash.
///
/// # Errors
/// See [`StoreError`].
pub async fn has_token(tx: &TenantTx, sha256: &[u8; 32]) -> Result<bool, StoreError> {
    let text = "SELECT count(*) AS n FROM virtual_keys WHERE tenant_id = $1 AND token_sha256 = $2";
    Ok(Sql::with(text, [tx.tenant_id().uuid().into(), sha256.to_vec().into()]).number(tx).await? > 0)
}

/// Returns the most recently used keys of every tenant, with their hashes, for the proxy to load before its first
/// request.
///
/// # Errors
/// See [`StoreError`].
pub async fn recently_used(tx: &SystemTx, rows: u64) -> Result<Vec<([u8; 32], VirtualKeyRow)>, StoreError> {
    let mut sql = Sql::new(
        "SELECT * FROM virtual_keys WHERE revoked_at_ms IS NULL \
         ORDER BY coalesce(last_used_at_ms, created_at_ms) DESC LIMIT ",
    );
    sql.bind(limit(rows));
    let hashed = |model: table::Model| {
        let hash = model.token_sha256.as_slice().try_into().map_err(|_| StoreError::Corrupt("token hash"))?;
        Ok((hash, row(model)))
    };
    sql.models::<table::Entity>(tx).await?.into_iter().map(hashed).collect()
}

/// Stores when keys were last used; a time older than the stored one changes nothing.
///
/// # Errors
/// See [`StoreError`].
pub async fn touch_last_used(tx: &SystemTx, uses: &[(VirtualKeyId, Timestamp)]) -> Result<(), StoreError> {
    let mut uses: Vec<_> = uses.to_vec();
    uses.sort_unstable();
    for uses in uses.chunks(chunk(2)) {
        let mut sql = Sql::new("WITH used(id, at_ms) AS (VALUES ");
        sql.tuples(uses.iter().map(|(id, at)| [id.uuid().into(), at.ms().into()]));
        sql.push(
            ") UPDATE virtual_keys SET last_used_at_ms = used.at_ms FROM used WHERE virtual_keys.id = used.id \
             AND (last_used_at_ms IS NULL OR last_used_at_ms < used.at_ms)",
        );
        sql.run(tx).await?;
    }
    Ok(())
}

fn row(model: table::Model) -> VirtualKeyRow {
    VirtualKeyRow {
        id: VirtualKeyId::from_uuid(model.id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        project_id: ProjectId::from_uuid(model.project_id),
        name: model.name,
        hint: model.hint,
        expires_at: time(model.expires_at_ms),
        revoked_at: time(model.revoked_at_ms),
        last_used_at: time(model.last_used_at_ms),
        created_at: Timestamp::from_ms(model.created_at_ms),
        version: model.version,
        cache_ttl_seconds: model.cache_ttl_seconds,
        limits: stored_limits!(model),
    }
}
