//! `/virtual-keys`: keys that applications present to the proxy. A key is shown once, when it is created.

use keyway_domain::{ProjectId, Timestamp, VirtualKeyId};
use keyway_store::{
    Only, SortBy,
    virtual_keys::{self, Filter},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Answer,
    call::Call,
    commands::{
        create_virtual_key::{CreateVirtualKey, NewKeyView},
        revoke_virtual_key::RevokeVirtualKey,
        update_virtual_key::UpdateVirtualKey,
    },
    cursor::List,
    error::ApiError,
    input,
    limits::LimitsInput,
    listing,
    openapi::words,
    provider_names,
    view::{RevokedKeyView, VirtualKeyView},
};

/// A virtual key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VirtualKeyInput {
    /// Project whose integrations it may use; `default` if left out.
    #[schema(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
    /// Name, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Time at which it stops working; never if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Limits of its calls.
    #[serde(default)]
    limits: LimitsInput,
    /// Seconds, 1 to 86400, for which answers to its calls are cached for the same call by any key of the project; not
    /// cached if left out. A call can override that with the header `x-keyway-cache: on`, `off` or `refresh`.
    #[schema(minimum = 1, maximum = 86_400)]
    cache_ttl_seconds: Option<i64>,
}

/// New values; a field that is left out keeps its value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VirtualKeyChange {
    /// Name, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Time at which it stops working; null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "input::nullable")]
    expires_at: Option<Option<Timestamp>>,
    #[serde(default)]
    limits: LimitsInput,
    /// Seconds for which answers to its calls are cached; null: not cached.
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 86_400)]
    #[serde(default, deserialize_with = "input::nullable")]
    cache_ttl_seconds: Option<Option<i64>>,
}

/// Filter of virtual keys.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VirtualKeyQuery {
    /// Project.
    #[param(value_type = Option<words::ProjectId>)]
    project_id: Option<ProjectId>,
    /// Text in the name, ignoring case; 1 to 100 characters.
    #[param(min_length = 1, max_length = 100)]
    search: Option<String>,
    /// `created_at`, `last_used_at` or `name`, with a leading `-` for the reverse order; `-created_at` if left out.
    #[param(example = "-last_used_at")]
    sort: Option<String>,
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Sort fields of the list.
const SORTED_BY: listing::Fields =
    &[("created_at", SortBy::CreatedAt), ("last_used_at", SortBy::LastUsedAt), ("name", SortBy::Name)];

/// Create a virtual key. The answer holds the key, this once.
#[utoipa::path(post, path = "/api/v1/virtual-keys", operation_id = "create_virtual_key", tag = "virtual keys", request_body = VirtualKeyInput,
    responses((status = 201, body = NewKeyView), (status = 404, description = "no such project")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let VirtualKeyInput { project_id, name, expires_at, limits, cache_ttl_seconds } = call.json()?;
    let cache_ttl_seconds = input::cache_ttl(cache_ttl_seconds)?;
    let expires_at = input::expiry(expires_at, Timestamp::now())?;
    let (name, limits) = (input::name("name", &name)?, limits.checked()?);
    call.commit(CreateVirtualKey { project_id, name, expires_at, limits, cache_ttl_seconds }).await
}

/// List virtual keys, revoked and expired ones too.
#[utoipa::path(get, path = "/api/v1/virtual-keys", operation_id = "list_virtual_keys", tag = "virtual keys", params(VirtualKeyQuery),
    responses((status = 200, body = List<VirtualKeyView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: VirtualKeyQuery = call.query()?;
    let sort = listing::sort(query.sort.as_deref(), SORTED_BY)?;
    let page = listing::page(query.limit, query.cursor.as_deref(), sort)?;
    let within = call.by.within(query.project_id)?;
    let filter = Filter { project_id: query.project_id, within, search: listing::search(query.search)?, sort };
    let (tx, is_first) = (call.read().await?, page.after.is_none());
    let keys = virtual_keys::list(&tx, &filter, page).await?;
    if keys.items.is_empty() && is_first {
        let named = Only { project_id: filter.project_id, ..Only::default() };
        provider_names::require_known(&named, &call.app.catalog.now(), &tx).await?;
    }
    Ok(Answer::ok(&List::of(keys, |row| row.place(sort.by), VirtualKeyView::from)))
}

/// Show a virtual key, without the key.
#[utoipa::path(get, path = "/api/v1/virtual-keys/{id}", operation_id = "get_virtual_key", tag = "virtual keys", params(("id" = inline(words::VirtualKeyId), Path)),
    responses((status = 200, body = VirtualKeyView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let id: VirtualKeyId = call.id("virtual key")?;
    let key = virtual_keys::find(&call.read().await?, id).await?.ok_or_else(|| ApiError::not_found("virtual key"))?;
    call.by.check_project(key.project_id, "virtual key")?;
    let version = key.version;
    Ok(Answer::ok(&VirtualKeyView::from(key)).tagged(version))
}

/// Change a virtual key's name, expiry, limits or cache.
#[utoipa::path(patch, path = "/api/v1/virtual-keys/{id}", operation_id = "update_virtual_key", tag = "virtual keys", params(("id" = inline(words::VirtualKeyId), Path)),
    request_body = VirtualKeyChange, responses((status = 200, body = VirtualKeyView), (status = 409, description = "it is revoked")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let (id, expected) = (call.id("virtual key")?, call.expected_version()?);
    let VirtualKeyChange { name, expires_at, limits, cache_ttl_seconds } = call.json()?;
    let name = name.map(|name| input::name("name", &name)).transpose()?;
    let now = Timestamp::now();
    let expires_at = expires_at.map(|expires_at| input::expiry(expires_at, now)).transpose()?;
    let (limits, cache_ttl_seconds) = (limits.checked()?, cache_ttl_seconds.map(input::cache_ttl).transpose()?);
    call.commit(UpdateVirtualKey { id, name, expires_at, limits, cache_ttl_seconds, expected }).await
}

/// Revoke a virtual key for good. The operation ends when every replica refuses it.
#[utoipa::path(post, path = "/api/v1/virtual-keys/{id}/revoke", operation_id = "revoke_virtual_key", tag = "virtual keys", params(("id" = inline(words::VirtualKeyId), Path)),
    responses((status = 200, body = RevokedKeyView)))]
pub(crate) async fn revoke(call: Call) -> Result<Answer, ApiError> {
    call.commit(RevokeVirtualKey { id: call.id("virtual key")?, expected: None, show: true }).await
}

/// Revoke a virtual key for good; it stays in the list. `Location` is the operation that ends when every replica
/// refuses it.
#[utoipa::path(delete, path = "/api/v1/virtual-keys/{id}", operation_id = "delete_virtual_key", tag = "virtual keys", params(("id" = inline(words::VirtualKeyId), Path)),
    responses((status = 204)))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    let (id, expected) = (call.id("virtual key")?, call.expected_version()?);
    call.commit(RevokeVirtualKey { id, expected, show: false }).await
}
