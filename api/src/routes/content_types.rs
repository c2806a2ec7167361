//! `/content-types`: schemas of content, by name.

use keyway_content::is_slug;
use keyway_domain::{ContentTypeId, DocumentAccess};
use keyway_store::content_types::{self, Hold};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Answer,
    call::Call,
    commands::change_content_type::{ChangeSchema, CreateContentType, DeleteContentType, UpdateContentType},
    cursor::{self, List},
    error::ApiError,
    input,
    published::RESERVED,
    view::{ContentTypeView, SchemaAccepted},
};

const MAX_NAME_CHARS: usize = 64;

/// A content type to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContentTypeInput {
    /// Name, which is in paths and never changes: 1 to 64 characters of a-z, 0-9 and single hyphens within.
    #[schema(min_length = 1, max_length = 64, example = "article")]
    name: String,
    /// Title, 1 to 100 characters; the name if left out.
    #[schema(min_length = 1, max_length = 100)]
    title: Option<String>,
    /// Schema of the data of its entries, JSON Schema 2020-12.
    #[schema(value_type = Object)]
    schema: Box<RawValue>,
    /// Readers of published entries that name none: `public`, `members` or `private`, which it is if left out.
    access: Option<String>,
    /// Member of the data that the slug of an entry is made from when it names none.
    #[schema(example = "slug")]
    slug_field: Option<String>,
}

/// New values; a field that is left out keeps its value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContentTypeChange {
    /// Title, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    title: Option<String>,
    /// Readers of published entries that name none: `public`, `members` or `private`.
    access: Option<String>,
    /// Member of the data that slugs are made from; null: none.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    slug_field: Option<Option<String>>,
}

/// A schema to check the entries against, and to use.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemaInput {
    /// JSON Schema 2020-12.
    #[schema(value_type = Object)]
    schema: Box<RawValue>,
    /// `true`: it comes into use even if entries do not fit; they are reported all the same.
    #[serde(default)]
    force: bool,
}

/// A page of content types.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ContentTypeQuery {
    /// Page size, 1 to 200; 50 if left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Create a content type.
#[utoipa::path(post, path = "/api/v1/content-types", operation_id = "create_content_type", tag = "content", request_body = ContentTypeInput,
    responses((status = 201, body = ContentTypeView), (status = 409, description = "`name_taken`")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let ContentTypeInput { name, title, schema, access, slug_field } = call.json()?;
    if !is_slug(&name) || name.len() > MAX_NAME_CHARS || RESERVED.iter().any(|(reserved, _)| *reserved == name) {
        let message = "`name` must have 1 to 64 characters of a-z, 0-9 and single hyphens within, and be neither `flows` \
                       nor `scenes`";
        return Err(ApiError::field(message));
    }
    let title = input::name("title", title.as_deref().unwrap_or(&name))?;
    let access = access.as_deref().map(access_of).transpose()?.unwrap_or(DocumentAccess::Private);
    let slug_field = slug_field.map(|field| input::name("slug_field", &field)).transpose()?;
    call.commit(CreateContentType { name, title, schema, access, slug_field }).await
}

/// List content types, newest first.
#[utoipa::path(get, path = "/api/v1/content-types", operation_id = "list_content_types", tag = "content", params(ContentTypeQuery),
    responses((status = 200, body = List<ContentTypeView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let query: ContentTypeQuery = call.query()?;
    let page = cursor::page::<ContentTypeId>(query.limit, query.cursor.as_deref())?;
    let rows = content_types::list(&call.read().await?, page).await?;
    Ok(Answer::ok(&List::of(rows, |row| row.id, ContentTypeView::from)))
}

/// Show a content type.
#[utoipa::path(get, path = "/api/v1/content-types/{id}", operation_id = "get_content_type", tag = "content", params(("id" = String, Path, description = "Its name")),
    responses((status = 200, body = ContentTypeView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let found = content_types::find_by_name(&call.read().await?, call.param(), Hold::Nothing).await?;
    let row = found.ok_or_else(|| ApiError::not_found("content type"))?;
    let version = row.version;
    Ok(Answer::ok(&ContentTypeView::from(row)).tagged(version))
}

/// Change a content type's title, access or slug field.
#[utoipa::path(patch, path = "/api/v1/content-types/{id}", operation_id = "update_content_type", tag = "content", params(("id" = String, Path, description = "Its name")),
    request_body = ContentTypeChange, responses((status = 200, body = ContentTypeView)))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let (name, expected) = (call.param().to_owned(), call.expected_version()?);
    let ContentTypeChange { title, access, slug_field } = call.json()?;
    let title = title.map(|title| input::name("title", &title)).transpose()?;
    let access = access.as_deref().map(access_of).transpose()?;
    let slug_field =
        slug_field.map(|field| field.map(|field| input::name("slug_field", &field)).transpose()).transpose()?;
    call.commit(UpdateContentType { name, title, access, slug_field, expected }).await
}

/// Check all entries against another schema, which comes into use if all fit it. The content type's `last_check` says
/// which do not.
#[utoipa::path(put, path = "/api/v1/content-types/{id}/schema", operation_id = "change_schema", tag = "content", params(("id" = String, Path, description = "Its name")),
    request_body = SchemaInput, responses((status = 202, body = SchemaAccepted)))]
pub(crate) async fn change_schema(call: Call) -> Result<Answer, ApiError> {
    let (name, expected) = (call.param().to_owned(), call.expected_version()?);
    let SchemaInput { schema, force } = call.json()?;
    call.commit(ChangeSchema { name, schema, is_forced: force, expected }).await
}

/// Delete a content type without entries.
#[utoipa::path(delete, path = "/api/v1/content-types/{id}", operation_id = "delete_content_type", tag = "content", params(("id" = String, Path, description = "Its name")),
    responses((status = 204), (status = 409, description = "it has entries")))]
pub(crate) async fn delete(call: Call) -> Result<Answer, ApiError> {
    let (name, expected) = (call.param().to_owned(), call.expected_version()?);
    call.commit(DeleteContentType { name, expected }).await
}

/// Reads who may read publications.
pub(super) fn access_of(name: &str) -> Result<DocumentAccess, ApiError> {
    DocumentAccess::parse(name).ok_or_else(|| ApiError::field("`access` must be public, members or private"))
}
