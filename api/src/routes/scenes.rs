//! `/api/v1/scenes`: scenes of three.js and glTF.

use keyway_content::SceneFormat;
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
    documents::{Draft, Target},
    error::ApiError,
    input,
    view::{DiffView, DocumentVersionView, DocumentView},
};

/// A scene to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SceneInput {
    /// Scene: `toJSON()` of three.js, or a glTF document whose buffers and images are at allowed hosts.
    #[schema(value_type = Object)]
    document: Box<RawValue>,
    /// Format of the document: `three` (object format 4.x) or `gltf` (2.0).
    #[schema(example = "three")]
    format: String,
    /// Name, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Last part of its public address: 1 to 96 characters of a-z, 0-9 and single hyphens within; if left out it is made
    /// from the name.
    slug: Option<String>,
    /// Language, like `en` or `pt-BR`; `en` if left out.
    locale: Option<String>,
    /// Readers once it is published: `public`, `members` or `private`; null: `public`.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    access: Option<Option<String>>,
    /// Owner's own notes, an object of at most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// The id of the scene that it lies below; null: none.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    parent_id: Option<Option<String>>,
}

/// New draft of a scene; what is left out but `document` stays as it was.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SceneChange {
    /// Scene: `toJSON()` of three.js, or a glTF document whose buffers and images are at allowed hosts.
    #[schema(value_type = Object)]
    document: Box<RawValue>,
    /// Name, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Last part of its public address; it stays while it is published.
    slug: Option<String>,
    /// Language; it stays while it is published.
    locale: Option<String>,
    /// Readers once it is published: `public`, `members` or `private`; null: `public`.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    access: Option<Option<String>>,
    /// Owner's own notes, an object of at most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// The id of the scene that it lies below; null: none.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    parent_id: Option<Option<String>>,
}

/// Create a scene, as a draft.
#[utoipa::path(post, path = "/api/v1/scenes", operation_id = "create_scene", tag = "scenes", request_body = SceneInput,
    responses((status = 201, body = DocumentView), (status = 409, description = "`name_taken`: the slug is")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let sent: SceneInput = call.json()?;
    let format = SceneFormat::parse(&sent.format);
    let format = format.ok_or_else(|| ApiError::field("`format` must be three or gltf"))?;
    let change = SceneChange {
        document: sent.document,
        name: Some(sent.name),
        slug: sent.slug,
        locale: sent.locale,
        access: sent.access,
        metadata: sent.metadata,
        parent_id: sent.parent_id,
    };
    let draft = change.into_draft()?;
    let (kind, type_name) = (DocumentKind::Scene, None);
    call.commit(CreateDocument { kind, type_name, format: Some(format.name()), draft }).await
}

/// List scenes, newest first, without their documents.
#[utoipa::path(get, path = "/api/v1/scenes", operation_id = "list_scenes", tag = "scenes", params(DocumentQuery),
    responses((status = 200, body = List<DocumentView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    documents::list(call, DocumentKind::Scene).await
}

/// Write the draft of a scene anew. Readers get it once it is published.
#[utoipa::path(put, path = "/api/v1/scenes/{id}", operation_id = "update_scene", tag = "scenes", params(("id" = String, Path, description = "Id: scn_...")), request_body = SceneChange,
    responses((status = 200, body = DocumentView), (status = 409, description = "`name_taken`: the slug is; or it is published, and its slug and locale stay")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let (target, expected) = (Target::of(&call, DocumentKind::Scene)?, call.expected_version()?);
    let change: SceneChange = call.json()?;
    call.commit(UpdateDocument { target, draft: change.into_draft()?, expected }).await
}

handlers! { Scene "scenes"
    /// Show a scene: its draft, and where it stands.
    detail get "/api/v1/scenes/{id}" "get_scene" (("id" = String, Path, description = "Id: scn_..."))
        [responses((status = 200, body = DocumentView))];

    /// Delete a scene that is not published.
    delete delete "/api/v1/scenes/{id}" "delete_scene" (("id" = String, Path, description = "Id: scn_..."))
        [responses((status = 204), (status = 409, description = "it is published, or others lie below it"))];

    /// Publish the draft of a scene: readers get it as it is now.
    publish post "/api/v1/scenes/{id}/publish" "publish_scene" (("id" = String, Path, description = "Id: scn_..."))
        [responses((status = 200, body = DocumentView))];

    /// Withdraw a scene: readers get it no more.
    unpublish post "/api/v1/scenes/{id}/unpublish" "unpublish_scene" (("id" = String, Path, description = "Id: scn_..."))
        [responses((status = 200, body = DocumentView))];

    /// Have the draft of a scene published at a time, as it is now.
    schedule post "/api/v1/scenes/{id}/schedule" "schedule_scene" (("id" = String, Path, description = "Id: scn_..."))
        [request_body = ScheduleInput, responses((status = 200, body = DocumentView))];

    /// List the versions of a scene, newest first: the last 50, and the one that readers have.
    versions get "/api/v1/scenes/{id}/versions" "list_scene_versions" (("id" = String, Path, description = "Id: scn_..."), VersionQuery)
        [responses((status = 200, body = List<DocumentVersionView>))];

    /// Show a version of a scene.
    version get "/api/v1/scenes/{id}/versions/{version}" "get_scene_version" (("id" = String, Path, description = "Id: scn_..."), ("version" = i32, Path))
        [responses((status = 200, body = DocumentVersionView))];

    /// Compare two versions of a scene.
    compare get "/api/v1/scenes/{id}/diff" "compare_scene" (("id" = String, Path, description = "Id: scn_..."), DiffQuery)
        [responses((status = 200, body = DiffView))];

    /// Make an earlier version of a scene the draft again, as a new version.
    restore post "/api/v1/scenes/{id}/restore" "restore_scene" (("id" = String, Path, description = "Id: scn_..."))
        [request_body = RestoreInput, responses((status = 200, body = DocumentView))];
}

impl SceneChange {
    fn into_draft(self) -> Result<Draft, ApiError> {
        Ok(Draft {
            slug: self.slug,
            title: self.name.map(|title| input::name("name", &title)).transpose()?,
            locale: self.locale,
            parent_id: self.parent_id,
            access: self.access.map(|access| access.as_deref().map(access_of).transpose()).transpose()?,
            metadata: self.metadata,
            body: self.document,
        })
    }
}
