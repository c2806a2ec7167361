//! Modules that a tenant has switched on, and the hosts that its scenes may refer to.

use keyway_domain::Module;

use crate::{
    StoreError, TenantTx,
    entity::modules as table,
    sql::{Sql, for_update},
};

/// Modules of a tenant. Without a stored row: none, version 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModulesRow {
    /// Those switched on.
    pub modules: Vec<Module>,
    /// Hosts that scenes may refer to.
    pub scene_hosts: Vec<String>,
    /// Number of changes, for ETag and If-Match.
    pub version: i32,
}

impl ModulesRow {
    /// Returns `true` if the module is switched on.
    #[must_use]
    pub fn has(&self, module: Module) -> bool {
        self.modules.contains(&module)
    }
}

/// Returns the modules of the tenant.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx) -> Result<ModulesRow, StoreError> {
    read(tx, "").await
}

/// Changes the modules of the tenant; with `expected`, only if the version still equals it.
///
/// # Errors
/// [`StoreError::Stale`].
pub async fn put(
    tx: &TenantTx,
    modules: &[Module],
    scene_hosts: &[String],
    expected: Option<i32>,
) -> Result<ModulesRow, StoreError> {
    let before = read(tx, for_update(tx)).await?;
    if expected.is_some_and(|expected| expected != before.version) {
        return Err(StoreError::Stale);
    }
    let names: Vec<_> = modules.iter().map(|module| module.name()).collect();
    let text = "INSERT INTO modules (tenant_id, modules, scene_hosts, version) VALUES ($1, $2, $3, 1) \
                ON CONFLICT (tenant_id) DO UPDATE SET modules = excluded.modules, \
                scene_hosts = excluded.scene_hosts, version = modules.version + 1";
    let (names, hosts) = (serde_json::json!(names).to_string(), serde_json::json!(scene_hosts).to_string());
    Sql::with(text, [tx.tenant_id().uuid().into(), names.into(), hosts.into()]).run(tx).await?;
    find(tx).await
}

async fn read(tx: &TenantTx, lock: &str) -> Result<ModulesRow, StoreError> {
    let mut sql = Sql::new("SELECT * FROM modules WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(lock);
    match sql.models::<table::Entity>(tx).await?.pop() {
        Some(model) => row(&model),
        None => Ok(ModulesRow::default()),
    }
}

fn row(model: &table::Model) -> Result<ModulesRow, StoreError> {
    let names: Vec<String> =
        serde_json::from_str(&model.modules).map_err(|_| StoreError::Corrupt("list of modules"))?;
    let hosts = serde_json::from_str(&model.scene_hosts).map_err(|_| StoreError::Corrupt("list of hosts"))?;
    // One that another build has is none of this one's.
    let modules = names.iter().filter_map(|name| Module::parse(name)).collect();
    Ok(ModulesRow { modules, scene_hosts: hosts, version: model.version })
}
