//! `/content/{tenant}/...`: publications, for anybody; and for members of the tenant those that are theirs alone.
//!
//! A warm one is answered before it comes here, from memory: see [`crate::published`].

use http::{HeaderValue, Method, header};
use keyway_domain::{RequestId, Resource, TenantId, Verb};
use keyway_telemetry::metrics;

use crate::{
    access::{Access, Scope},
    answer::Answer,
    auth::{self, Asked},
    call::Call,
    cookie,
    error::ApiError,
    published::Reader,
};

/// List publications: entries of a type, `flows` or `scenes`, each in the locale that fits best, without the documents of
/// flows and scenes. Beside the parameters here `filter[field][comparison]`, as in lists of drafts.
#[utoipa::path(get, path = "/content/{tenant}/{type}", operation_id = "list_publications", tag = "publications",
    params(("tenant" = String, Path, description = "The name of the tenant"), ("type" = String, Path, description = "The name of a content type, `flows` or `scenes`"),
        ("sort" = Option<String>, Query, description = "A field, with a leading `-` for the reverse order; `-published_at` if left out"),
        ("fields" = Option<String>, Query, description = "Fields to show, like `slug,title,data.topic`"),
        ("locale" = Option<String>, Query, description = "Languages, like `Accept-Language`, in whose place it stands"),
        ("parent" = Option<String>, Query, description = "The id of the one they lie below"),
        ("limit" = Option<u64>, Query, description = "Page size, 1 to 200; 50 if left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, body = Object, description = "`items` and `next_cursor`")))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    read(call).await
}

/// Read a publication by its slug: an entry, or the flow or scene itself (`model/gltf+json` if it is glTF).
#[utoipa::path(get, path = "/content/{tenant}/{type}/{slug}", operation_id = "get_publication", tag = "publications",
    params(("tenant" = String, Path, description = "The name of the tenant"), ("type" = String, Path, description = "The name of a content type, `flows` or `scenes`"),
        ("slug" = String, Path), ("locale" = Option<String>, Query, description = "Languages, like `Accept-Language`, in whose place it stands")),
    responses((status = 200, body = Value)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    read(call).await
}

async fn read(call: Call) -> Result<Answer, ApiError> {
    let none = || ApiError::not_found("publication");
    let reader = Reader::of(&call.path, &call.query, &call.headers).ok_or_else(none)?;
    metrics().cache_lookups.with_label_values(&["published", "miss"]).inc();
    let shelf = call.app.published.shelf(&call.app.store, reader.place).await?.ok_or_else(none)?;
    let is_member = shelf.has_closed() && is_member(&call, shelf.tenant_id()).await;
    Ok(Answer::published(&reader.read(&shelf, is_member)?))
}

/// Returns `true` for who may read content in the tenant. Anybody else reads what anybody may.
async fn is_member(call: &Call, tenant_id: TenantId) -> bool {
    let proves = call.headers.contains_key(header::AUTHORIZATION)
        || call.headers.contains_key("x-api-key")
        || cookie::token(&call.headers).is_some();
    let Ok(named) = HeaderValue::try_from(tenant_id.to_string()) else { return false };
    if !proves {
        return false;
    }
    let mut headers = call.headers.clone();
    headers.insert(auth::TENANT, named);
    const ACCESS: Access = Access::needs(Resource::Content, Verb::Read, Scope::Tenant);
    let asked = Asked { method: &Method::GET, access: ACCESS, params: &[], headers: &headers, peer: None };
    let known = (RequestId::new(), call.by.traceparent.clone());
    auth::caller(&call.app, asked, known).await.is_ok_and(|caller| caller.tenant_id == tenant_id)
}
