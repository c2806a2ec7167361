//! Custom providers of a tenant. Predefined ones live in the catalog, not here.

use keyway_domain::{IntegrationId, ProviderId, TenantId, Timestamp};

use crate::{
    Page, Paged, StoreError, TenantTx,
    entity::providers as table,
    provider_limits, provider_models,
    sql::{Sql, for_share, for_update, limit},
};

/// Largest number of custom providers of a tenant: all are read at once.
pub const MAX: u64 = Page::<ProviderId>::MAX;

/// A custom provider as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRow {
    /// Its id.
    pub id: ProviderId,
    /// Tenant that owns it.
    pub tenant_id: TenantId,
    /// Name, unique in the tenant; used by integrations and in paths.
    pub name: String,
    /// Display name.
    pub display_name: String,
    /// Base URL of its API.
    pub base_url: String,
    /// Way its keys are sent, by the catalog's name for it.
    pub auth: String,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Number of changes, for ETag and If-Match.
    pub version: i32,
}

/// New values of a provider's fields.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Display name.
    pub display_name: &'a str,
    /// Base URL of its API.
    pub base_url: &'a str,
    /// Way its keys are sent, by the catalog's name for it.
    pub auth: &'a str,
}

/// Adds a custom provider.
///
/// # Errors
/// [`StoreError::NameTaken`], [`StoreError::Full`].
pub async fn insert(
    tx: &TenantTx,
    name: &str,
    display_name: &str,
    base_url: &str,
    auth: &str,
    now: Timestamp,
) -> Result<ProviderRow, StoreError> {
    let row = ProviderRow {
        id: ProviderId::new(),
        tenant_id: tx.tenant_id(),
        name: name.to_owned(),
        display_name: display_name.to_owned(),
        base_url: base_url.to_owned(),
        auth: auth.to_owned(),
        created_at: now,
        version: 1,
    };
    let text = "INSERT INTO providers (id, tenant_id, name, display_name, base_url, auth, created_at_ms, version) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT DO NOTHING";
    let (id, tenant_id) = (row.id.uuid().into(), row.tenant_id.uuid().into());
    let values = [id, tenant_id, name.into(), display_name.into(), base_url.into(), auth.into(), now.ms().into()];
    if Sql::with(text, values).run(tx).await? == 0 {
        return Err(StoreError::NameTaken);
    }
    let text = "SELECT count(*) AS n FROM providers WHERE tenant_id = $1";
    let count = Sql::with(text, [tx.tenant_id().uuid().into()]).number(tx).await?;
    if count > limit(MAX) { Err(StoreError::Full { most: MAX }) } else { Ok(row) }
}

/// Returns one custom provider.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: ProviderId) -> Result<Option<ProviderRow>, StoreError> {
    let text = "SELECT * FROM providers WHERE tenant_id = $1 AND id = $2";
    one(tx, Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()])).await
}

/// Returns one custom provider by its name.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_name(tx: &TenantTx, name: &str) -> Result<Option<ProviderRow>, StoreError> {
    let text = "SELECT * FROM providers WHERE tenant_id = $1 AND name = $2";
    one(tx, Sql::with(text, [tx.tenant_id().uuid().into(), name.into()])).await
}

/// Returns one custom provider by its name and locks its row until `tx` ends, for a change that binds a credential to
/// its base URL. `tx` must be a writing transaction.
///
/// # Errors
/// See [`StoreError`].
pub async fn hold_by_name(tx: &TenantTx, name: &str) -> Result<Option<ProviderRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM providers WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(" AND name = ").bind(name).push(for_share(tx));
    one(tx, sql).await
}

/// Returns custom providers, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, page: Page<ProviderId>) -> Result<Paged<ProviderRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM providers WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    if let Some(after) = page.after {
        sql.push(" AND id < ").bind(after.uuid());
    }
    sql.push(" ORDER BY id DESC LIMIT ").bind(limit(page.probe()));
    Ok(Paged::of(&page, sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect()))
}

/// Changes display name, base URL and auth; with `expected`, only if the version still equals it. The base URL of a
/// provider with integrations is fixed, as their secrets are bound to it. `renewed` is the integration whose secret is
/// replaced in the same transaction.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`], [`StoreError::Conflict`].
pub async fn update(
    tx: &TenantTx,
    id: ProviderId,
    Change { display_name, base_url, auth }: Change<'_>,
    renewed: Option<IntegrationId>,
    expected: Option<i32>,
) -> Result<ProviderRow, StoreError> {
    let before = lock(tx, id).await?;
    if before.base_url != base_url && is_used(tx, &before.name, renewed).await? {
        return Err(StoreError::Conflict);
    }
    let expected = expected.unwrap_or(before.version);
    let text = "UPDATE providers SET display_name = $1, base_url = $2, auth = $3, version = version + 1 \
                WHERE tenant_id = $4 AND id = $5 AND version = $6";
    let tenant_id = tx.tenant_id().uuid().into();
    let values = [display_name.into(), base_url.into(), auth.into(), tenant_id, id.uuid().into(), expected.into()];
    if Sql::with(text, values).run(tx).await? == 0 {
        return Err(StoreError::Stale);
    }
    let (display_name, base_url, auth) = (display_name.to_owned(), base_url.to_owned(), auth.to_owned());
    Ok(ProviderRow { display_name, base_url, auth, version: expected + 1, ..before })
}

/// Deletes a custom provider with its models and limits; with `expected`, only if its version still equals it. A
/// provider with integrations is kept.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Stale`], [`StoreError::Conflict`].
pub async fn delete(tx: &TenantTx, id: ProviderId, expected: Option<i32>) -> Result<(), StoreError> {
    let provider = lock(tx, id).await?;
    if expected.is_some_and(|expected| expected != provider.version) {
        return Err(StoreError::Stale);
    }
    if is_used(tx, &provider.name, None).await? {
        return Err(StoreError::Conflict);
    }
    provider_models::delete_of_provider(tx, &provider.name).await?;
    provider_limits::delete_of_provider(tx, &provider.name).await?;
    let text = "DELETE FROM providers WHERE tenant_id = $1 AND id = $2";
    Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()]).run(tx).await?;
    Ok(())
}

/// Locks the row, so that no credential is bound to it before this transaction ends.
async fn lock(tx: &TenantTx, id: ProviderId) -> Result<ProviderRow, StoreError> {
    let mut sql = Sql::new("SELECT * FROM providers WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(" AND id = ").bind(id.uuid()).push(for_update(tx));
    one(tx, sql).await?.ok_or(StoreError::NotFound)
}

async fn is_used(tx: &TenantTx, name: &str, but_by: Option<IntegrationId>) -> Result<bool, StoreError> {
    let text = "SELECT count(*) AS n FROM integrations WHERE tenant_id = $1 AND provider = $2 AND id <> $3";
    let but_by = but_by.unwrap_or(IntegrationId::NONE).uuid();
    Ok(Sql::with(text, [tx.tenant_id().uuid().into(), name.into(), but_by.into()]).number(tx).await? > 0)
}

async fn one(tx: &TenantTx, sql: Sql) -> Result<Option<ProviderRow>, StoreError> {
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(row))
}

fn row(model: table::Model) -> ProviderRow {
    ProviderRow {
        id: ProviderId::from_uuid(model.id),
        tenant_id: TenantId::from_uuid(model.tenant_id),
        name: model.name,
        display_name: model.display_name,
        base_url: model.base_url,
        auth: model.auth,
        created_at: Timestamp::from_ms(model.created_at_ms),
        version: model.version,
    }
}
