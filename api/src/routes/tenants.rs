//! `/tenants`: the customers of this installation; for the operator.

use keyway_domain::TenantId;
use keyway_store::tenants;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Answer,
    call::Call,
    commands::{create_tenant, delete_tenant, rename_tenant},
    cursor::{self, List},
    error::ApiError,
    input,
    openapi::words,
    view::TenantView,
};

/// A tenant to create, or its new name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantInput {
    /// Name, 1 to 100 characters, unique in the installation.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// Page of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Create a tenant, with its project `default`.
#[utoipa::path(post, path = "/api/v1/tenants", operation_id = "create_tenant", tag = "tenants", request_body = TenantInput,
    responses((status = 201, body = TenantView), (status = 409, description = "`name_taken`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let name = input::name("name", &call.json::<TenantInput>()?.name)?;
    create_tenant::run(&call, &name).await
}

/// List tenants.
#[utoipa::path(get, path = "/api/v1/tenants", operation_id = "list_tenants", tag = "tenants", params(PageQuery),
    responses((status = 200, body = List<TenantView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: PageQuery = call.query()?;
    let page = cursor::page(query.limit, query.cursor.as_deref())?;
    let tx = call.app.store.system_read().await?;
    let tenants = tenants::list(&tx, page).await?;
    Ok(Answer::ok(&List::of(tenants, |row| row.id, TenantView::from)))
}

/// Show a tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{id}", operation_id = "get_tenant", tag = "tenants", params(("id" = inline(words::TenantId), Path)),
    responses((status = 200, body = TenantView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let id: TenantId = call.id("tenant")?;
    let tx = call.app.store.system_read().await?;
    let tenant = tenants::find(&tx, id).await?.ok_or_else(|| ApiError::not_found("tenant"))?;
    Ok(Answer::ok(&TenantView::from(tenant)))
}

/// Rename a tenant.
#[utoipa::path(patch, path = "/api/v1/tenants/{id}", operation_id = "update_tenant", tag = "tenants", params(("id" = inline(words::TenantId), Path)),
    request_body = TenantInput, responses((status = 200, body = TenantView), (status = 409, description = "`name_taken`")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let id: TenantId = call.id("tenant")?;
    let name = input::name("name", &call.json::<TenantInput>()?.name)?;
    rename_tenant::run(&call, id, &name).await
}

/// Delete a tenant with everything but its audit log. A tenant with integrations is kept, and `default` always is.
#[utoipa::path(delete, path = "/api/v1/tenants/{id}", operation_id = "delete_tenant", tag = "tenants", params(("id" = inline(words::TenantId), Path)),
    responses((status = 204), (status = 409, description = "it has integrations, or is `default`")))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    delete_tenant::run(&call, call.id("tenant")?).await
}
