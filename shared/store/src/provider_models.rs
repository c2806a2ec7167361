//! Models that a tenant added, to its custom providers or to predefined ones.

use std::collections::HashSet;

use keyway_domain::Timestamp;
use uuid::Uuid;

use crate::{
    StoreError, TenantTx,
    entity::provider_models as table,
    sql::{Sql, chunk, limit},
};

/// Largest number of models of a tenant: all are read at once.
pub const MAX: u64 = 2000;

/// A model as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRow {
    /// Its id.
    pub id: Uuid,
    /// The provider's name.
    pub provider: String,
    /// The model's name, as the provider spells it.
    pub model: String,
    /// Display name, if given.
    pub display_name: Option<String>,
}

/// A model to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewModel {
    /// Its name, as the provider spells it.
    pub name: String,
    /// Display name.
    pub display_name: Option<String>,
}

impl From<String> for NewModel {
    fn from(name: String) -> Self {
        Self { name, display_name: None }
    }
}

/// Adds models to a provider; for a model that exists only a given display name is stored.
///
/// # Errors
/// [`StoreError::Full`].
pub async fn insert(tx: &TenantTx, provider: &str, models: &[NewModel], now: Timestamp) -> Result<(), StoreError> {
    // One statement may not change a row twice; the first word stands.
    let mut known = HashSet::new();
    let models: Vec<_> = models.iter().filter(|model| known.insert(&model.name)).collect();
    for models in models.chunks(chunk(6)) {
        let mut sql = Sql::new(
            "INSERT INTO provider_models (id, tenant_id, provider_name, model, created_at_ms, display_name) VALUES ",
        );
        sql.tuples(models.iter().map(|model| {
            let (id, tenant_id) = (Uuid::now_v7().into(), tx.tenant_id().uuid().into());
            let (name, display_name) = (model.name.as_str().into(), model.display_name.clone().into());
            [id, tenant_id, provider.into(), name, now.ms().into(), display_name]
        }));
        sql.push(
            " ON CONFLICT (tenant_id, provider_name, model) DO UPDATE SET display_name = excluded.display_name \
             WHERE excluded.display_name IS NOT NULL",
        );
        sql.run(tx).await?;
    }
    let text = "SELECT count(*) AS n FROM provider_models WHERE tenant_id = $1";
    let count = Sql::with(text, [tx.tenant_id().uuid().into()]).number(tx).await?;
    if count > limit(MAX) { Err(StoreError::Full { most: MAX }) } else { Ok(()) }
}

/// Returns the models of one provider, or of all, by name.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, provider: Option<&str>) -> Result<Vec<ModelRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM provider_models WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    if let Some(provider) = provider {
        sql.push(" AND provider_name = ").bind(provider);
    }
    sql.push(" ORDER BY provider_name, model LIMIT ").bind(limit(MAX));
    Ok(sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect())
}

/// Returns the names of the providers that offer a model with this name.
///
/// # Errors
/// See [`StoreError`].
pub async fn providers_of(tx: &TenantTx, model: &str) -> Result<Vec<String>, StoreError> {
    let text = "SELECT * FROM provider_models WHERE tenant_id = $1 AND model = $2 ORDER BY provider_name";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), model.into()]);
    Ok(sql.models::<table::Entity>(tx).await?.into_iter().map(|model| model.provider_name).collect())
}

/// Deletes one model and returns it.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn delete(tx: &TenantTx, id: Uuid) -> Result<ModelRow, StoreError> {
    let text = "DELETE FROM provider_models WHERE tenant_id = $1 AND id = $2 RETURNING *";
    let sql = Sql::with(text, [tx.tenant_id().uuid().into(), id.into()]);
    sql.models::<table::Entity>(tx).await?.pop().map(row).ok_or(StoreError::NotFound)
}

pub(crate) async fn delete_of_provider(tx: &TenantTx, provider: &str) -> Result<(), StoreError> {
    let text = "DELETE FROM provider_models WHERE tenant_id = $1 AND provider_name = $2";
    Sql::with(text, [tx.tenant_id().uuid().into(), provider.into()]).run(tx).await?;
    Ok(())
}

fn row(model: table::Model) -> ModelRow {
    ModelRow { id: model.id, provider: model.provider_name, model: model.model, display_name: model.display_name }
}
