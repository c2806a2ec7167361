//! Virtual keys: what applications present to the proxy. Only the SHA-256 of a key is stored.

use keyway_domain::{Limits, ProjectId, TenantId, Timestamp, VirtualKeyId};
use sea_orm::EntityTrait;

use crate::{
    Page, Paged, Place, PlaceValue, Sort, SortBy, StoreError, SystemTx, TenantTx,
    entity::virtual_keys as table,
    limits::{assign, stored_limits},
    sort,
    sql::{Sql, chunk, limit, ms, time},
    transaction::sealed::Inner,
};

/// A virtual key as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualKeyRow {
    /// Its id.
    pub id: VirtualKeyId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Whose integrations it may use.
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// Enough of it to recognise it by.
    pub hint: String,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, give or take the interval at which that is written.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts its changes, for ETag and If-Match.
    pub version: i32,
    /// What may be called with it.
    pub limits: Limits,
    /// How long answers to its calls are kept for the same call; `None`: not at all.
    pub cache_ttl_seconds: Option<i64>,
}

/// Which virtual keys to list; `None` means any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this project.
    pub project_id: Option<ProjectId>,
    /// With this text in its name, whatever the case of its letters.
    pub search: Option<String>,
    /// In which order.
    pub sort: Sort,
}

/// What a new virtual key is made of.
#[derive(Clone, Debug)]
pub struct NewVirtualKey {
    /// Whose integrations it may use.
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// The SHA-256 of the key.
    pub token_sha256: [u8; 32],
    /// Enough of it to recognise it by.
    pub hint: String,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// What may be called with it.
    pub limits: Limits,
    /// How long answers to its calls are kept for the same call; `None`: not at all.
    pub cache_ttl_seconds: Option<i64>,
}

/// What its owner changes of a virtual key.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// What may be called with it.
    pub limits: Limits,
    /// How long answers to its calls are kept for the same call; `None`: not at all.
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
    /// Where it stands in a list that is sorted by this: its name, when it was last used, or when it was made.
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
    sort::search(&mut sql, filter.search.as_deref());
    sort::page(&mut sql, filter.sort, &page);
    Ok(Paged::of(&page, sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect()))
}

/// One virtual key.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: VirtualKeyId) -> Result<Option<VirtualKeyRow>, StoreError> {
    let text = "SELECT * FROM virtual_keys WHERE tenant_id = $1 AND id = $2";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Changes a virtual key, if the version is still `expected`.
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

/// Revokes a virtual key for good; with `expected`, only if its version is still that one. Revoking it
/// again changes nothing.
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

/// The virtual key with this hash, of whichever tenant, revoked and expired ones too.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_token_hash(tx: &SystemTx, sha256: &[u8; 32]) -> Result<Option<VirtualKeyRow>, StoreError> {
    let sql = Sql::with("SELECT * FROM virtual_keys WHERE token_sha256 = $1", [sha256.to_vec().into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

/// Whether a virtual key of the tenant has this hash, revoked and expired ones too.
///
/// # Errors
/// See [`StoreError`].
pub async fn has_token(tx: &TenantTx, sha256: &[u8; 32]) -> Result<bool, StoreError> {
    let text = "SELECT count(*) AS n FROM virtual_keys WHERE tenant_id = $1 AND token_sha256 = $2";
    Ok(Sql::with(text, [tx.tenant_id().uuid().into(), sha256.to_vec().into()]).number(tx).await? > 0)
}

/// The keys used last, of every tenant, with their hashes: what a proxy loads before the first request.
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

/// Notes when keys were last used; an older time than the stored one changes nothing.
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
