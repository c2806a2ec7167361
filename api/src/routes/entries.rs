//! `/api/v1/content/{type}`: entries of a content type.

use keyway_domain::DocumentKind;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    content_types::access_of,
    documents::{self, DiffQuery, DocumentQuery, RestoreInput, ScheduleInput, VersionQuery, handlers},
};
use crate::{
    answer::Answer,
    call::Call,
    commands::{create_document::CreateDocument, update_document::UpdateDocument},
    cursor::List,
    documents::{Draft, Target, type_name},
    error::ApiError,
    input,
    view::{DiffView, DocumentVersionView, DocumentView},
};

/// An entry to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryInput {
    /// Data, which fits the schema of the type.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// Title, 1 to 100 characters; the data's own `title` or the slug if left out.
    #[schema(min_length = 1, max_length = 100)]
    title: Option<String>,
    /// Last part of its public address: 1 to 96 characters of a-z, 0-9 and single hyphens within; if left out it is made
    /// from the type's `slug_field`, the title, or the data's own.
    slug: Option<String>,
    /// Language, like `en` or `pt-BR`; `en` if left out.
    locale: Option<String>,
    /// Readers once it is published: `public`, `members` or `private`; null: those of the type.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    access: Option<Option<String>>,
    /// Owner's own notes, an object of at most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// The id of the entry that it lies below; null: none.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    parent_id: Option<Option<String>>,
}

/// New draft of an entry; what is left out but `data` stays as it was.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryChange {
    /// Data, which fits the schema of the type.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// Title, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    title: Option<String>,
    /// Last part of its public address; it stays while it is published.
    slug: Option<String>,
    /// Language; it stays while it is published.
    locale: Option<String>,
    /// Readers once it is published: `public`, `members` or `private`; null: those of the type.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    access: Option<Option<String>>,
    /// Owner's own notes, an object of at most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// The id of the entry that it lies below; null: none.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    parent_id: Option<Option<String>>,
}

/// Create an entry, as a draft.
#[utoipa::path(post, path = "/api/v1/content/{type}", operation_id = "create_entry", tag = "content", params(("type" = String, Path, description = "The name of the content type")), request_body = EntryInput,
    responses((status = 201, body = DocumentView), (status = 409, description = "`name_taken`: the slug is")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let sent: EntryInput = call.json()?;
    let change = EntryChange {
        data: sent.data,
        title: sent.title,
        slug: sent.slug,
        locale: sent.locale,
        access: sent.access,
        metadata: sent.metadata,
        parent_id: sent.parent_id,
    };
    let draft = change.into_draft()?;
    let (kind, type_name) = (DocumentKind::Entry, type_name(&call, DocumentKind::Entry));
    call.commit(CreateDocument { kind, type_name, format: None, draft }).await
}

/// List entries of a type, newest first.
#[utoipa::path(get, path = "/api/v1/content/{type}", operation_id = "list_entries", tag = "content", params(("type" = String, Path, description = "The name of the content type"), DocumentQuery),
    responses((status = 200, body = List<DocumentView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    documents::list(call, DocumentKind::Entry).await
}

/// Write the draft of an entry anew. Readers get it once it is published.
#[utoipa::path(put, path = "/api/v1/content/{type}/{id}", operation_id = "update_entry", tag = "content", params(("type" = String, Path, description = "The name of the content type"), ("id" = String, Path, description = "Id: ent_...")), request_body = EntryChange,
    responses((status = 200, body = DocumentView), (status = 409, description = "`name_taken`: the slug is; or it is published, and its slug and locale stay")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let (target, expected) = (Target::of(&call, DocumentKind::Entry)?, call.expected_version()?);
    let change: EntryChange = call.json()?;
    call.commit(UpdateDocument { target, draft: change.into_draft()?, expected }).await
}

handlers! { Entry "content"
    /// Show an entry: its draft, and where it stands.
    detail get "/api/v1/content/{type}/{id}" "get_entry" (("type" = String, Path, description = "The name of the content type"), ("id" = String, Path, description = "Id: ent_..."))
        [responses((status = 200, body = DocumentView))];

    /// Delete an entry that is not published.
    delete delete "/api/v1/content/{type}/{id}" "delete_entry" (("type" = String, Path, description = "The name of the content type"), ("id" = String, Path, description = "Id: ent_..."))
        [responses((status = 204), (status = 409, description = "it is published, or others lie below it"))];

    /// Publish the draft of an entry: readers get it as it is now.
    publish post "/api/v1/content/{type}/{id}/publish" "publish_entry" (("type" = String, Path, description = "The name of the content type"), ("id" = String, Path, description = "Id: ent_..."))
        [responses((status = 200, body = DocumentView))];

    /// Withdraw an entry: readers get it no more.
    unpublish post "/api/v1/content/{type}/{id}/unpublish" "unpublish_entry" (("type" = String, Path, description = "The name of the content type"), ("id" = String, Path, description = "Id: ent_..."))
        [responses((status = 200, body = DocumentView))];

    /// Have the draft of an entry published at a time, as it is now.
    schedule post "/api/v1/content/{type}/{id}/schedule" "schedule_entry" (("type" = String, Path, description = "The name of the content type"), ("id" = String, Path, description = "Id: ent_..."))
        [request_body = ScheduleInput, responses((status = 200, body = DocumentView))];

    /// List the versions of an entry, newest first: the last 50, and the one that readers have.
    versions get "/api/v1/content/{type}/{id}/versions" "list_entry_versions" (("type" = String, Path, description = "The name of the content type"), ("id" = String, Path, description = "Id: ent_..."), VersionQuery)
        [responses((status = 200, body = List<DocumentVersionView>))];

    /// Show a version of an entry.
    version get "/api/v1/content/{type}/{id}/versions/{version}" "get_entry_version" (("type" = String, Path, description = "The name of the content type"), ("id" = String, Path, description = "Id: ent_..."), ("version" = i32, Path))
        [responses((status = 200, body = DocumentVersionView))];

    /// Compare two versions of an entry.
    compare get "/api/v1/content/{type}/{id}/diff" "compare_entry" (("type" = String, Path, description = "The name of the content type"), ("id" = String, Path, description = "Id: ent_..."), DiffQuery)
        [responses((status = 200, body = DiffView))];

    /// Make an earlier version of an entry the draft again, as a new version.
    restore post "/api/v1/content/{type}/{id}/restore" "restore_entry" (("type" = String, Path, description = "The name of the content type"), ("id" = String, Path, description = "Id: ent_..."))
        [request_body = RestoreInput, responses((status = 200, body = DocumentView))];
}

impl EntryChange {
    fn into_draft(self) -> Result<Draft, ApiError> {
        Ok(Draft {
            slug: self.slug,
            title: self.title.map(|title| input::name("title", &title)).transpose()?,
            locale: self.locale,
            parent_id: self.parent_id,
            access: self.access.map(|access| access.as_deref().map(access_of).transpose()).transpose()?,
            metadata: self.metadata,
            body: self.data,
        })
    }
}
