//! Modules: which rows of the route table belong to one, and whether the caller's tenant has switched it on.

use keyway_content::{FLOW_BYTES, SCENE_BYTES};
use keyway_domain::{Module, TenantId};
use keyway_store::modules;

use crate::{App, code::Code, error::ApiError};

/// Bytes that a body has beside the document in it.
const AROUND_BYTES: usize = 64 << 10;

/// Returns the module that a row belongs to.
pub(crate) fn of(template: &str) -> Option<Module> {
    let resource = template.strip_prefix("/api/v1/")?.split('/').next()?;
    match resource {
        "content-types" | "content" => Some(Module::Content),
        "flows" | "node-types" => Some(Module::Flows),
        "scenes" => Some(Module::Scenes),
        _ => None,
    }
}

/// Returns the largest body of a row's requests.
pub(crate) fn body_bytes(app: &App, module: Option<Module>) -> usize {
    let own = match module {
        Some(Module::Flows) => FLOW_BYTES + AROUND_BYTES,
        Some(Module::Scenes) => SCENE_BYTES + AROUND_BYTES,
        Some(Module::Content) | None => 0,
    };
    app.body_bytes.max(own)
}

/// Checks that a tenant has the module switched on.
///
/// # Errors
/// 404 if it has not.
pub(crate) async fn check(app: &App, tenant_id: TenantId, module: Module) -> Result<(), ApiError> {
    if modules::find(&app.store.tenant_read(tenant_id).await?).await?.has(module) {
        return Ok(());
    }
    let name = module.name();
    let message = format!("the module `{name}` is off in this tenant; PUT /api/v1/modules switches it on");
    Err(ApiError::new(Code::NotFound, message))
}
