//! `/api/v1/flows`: flows as React Flow has them, and changes of their parts.

use keyway_content::FlowOperation;
use keyway_domain::{DocumentId, DocumentKind};
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
    commands::{
        create_document::CreateDocument,
        update_document::{MutateFlow, UpdateDocument},
    },
    cursor::List,
    documents::{Draft, Target},
    error::ApiError,
    input,
    view::{DiffView, DocumentVersionView, DocumentView},
};

/// A flow to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlowInput {
    /// Flow as `toObject()` of React Flow gives it: `nodes`, `edges` and `viewport`.
    #[schema(value_type = Object)]
    document: Box<RawValue>,
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
    /// The id of the flow that it lies below; null: none.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    parent_id: Option<Option<String>>,
}

/// New draft of a flow; what is left out but `document` stays as it was.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlowChange {
    /// Flow as `toObject()` of React Flow gives it: `nodes`, `edges` and `viewport`.
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
    /// The id of the flow that it lies below; null: none.
    #[schema(value_type = Option<String>)]
    #[serde(default, deserialize_with = "input::nullable")]
    parent_id: Option<Option<String>>,
}

/// Changes of a flow.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MutationsInput {
    /// The id of the flow, where the path has none.
    flow_id: Option<String>,
    /// Version that the changes were made for.
    base_version: i32,
    /// Changes in their order, 1 to 1000: `type` (`insert`, `update` or `remove`), `collection` (`nodes`, `edges` or
    /// `viewport`), `key` (the id) and `value`; an update merges, and null removes a member.
    #[schema(value_type = Vec<Object>)]
    operations: Vec<FlowOperation>,
}

/// Create a flow, as a draft.
#[utoipa::path(post, path = "/api/v1/flows", operation_id = "create_flow", tag = "flows", request_body = FlowInput,
    responses((status = 201, body = DocumentView), (status = 409, description = "`name_taken`: the slug is")))]
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    let sent: FlowInput = call.json()?;
    let change = FlowChange {
        document: sent.document,
        name: Some(sent.name),
        slug: sent.slug,
        locale: sent.locale,
        access: sent.access,
        metadata: sent.metadata,
        parent_id: sent.parent_id,
    };
    let draft = change.into_draft()?;
    let (kind, type_name) = (DocumentKind::Flow, None);
    call.commit(CreateDocument { kind, type_name, format: None, draft }).await
}

/// List flows, newest first, without their documents.
#[utoipa::path(get, path = "/api/v1/flows", operation_id = "list_flows", tag = "flows", params(DocumentQuery),
    responses((status = 200, body = List<DocumentView>)))]
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    documents::list(call, DocumentKind::Flow).await
}

/// Write the draft of a flow anew. Readers get it once it is published.
#[utoipa::path(put, path = "/api/v1/flows/{id}", operation_id = "update_flow", tag = "flows", params(("id" = String, Path, description = "Id: flw_...")), request_body = FlowChange,
    responses((status = 200, body = DocumentView), (status = 409, description = "`name_taken`: the slug is; or it is published, and its slug and locale stay")))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let (target, expected) = (Target::of(&call, DocumentKind::Flow)?, call.expected_version()?);
    let change: FlowChange = call.json()?;
    call.commit(UpdateDocument { target, draft: change.into_draft()?, expected }).await
}

/// Change nodes, edges and the viewport of a flow: all changes are made, or none.
#[utoipa::path(post, path = "/api/v1/flows/{id}/mutations", operation_id = "mutate_flow", tag = "flows", params(("id" = String, Path, description = "Id: flw_...")), request_body = MutationsInput,
    responses((status = 200, body = DocumentView), (status = 409, description = "it has a newer version, which `ETag` says")))]
pub(crate) async fn mutate(call: Call) -> Result<Answer, ApiError> {
    let target = Target::of(&call, DocumentKind::Flow)?;
    mutate_one(call, target).await
}

/// Change a flow that the body names, for callers that know no other address for it.
#[utoipa::path(post, path = "/api/v1/flows/mutations", operation_id = "mutate_named_flow", tag = "flows", request_body = MutationsInput,
    responses((status = 200, body = DocumentView), (status = 409, description = "it has a newer version, which `ETag` says")))]
pub(crate) async fn mutate_named(call: Call) -> Result<Answer, ApiError> {
    let MutationsInput { flow_id, .. } = call.json()?;
    let id = flow_id.ok_or_else(|| ApiError::field("`flow_id` is missing"))?;
    let id = DocumentId::parse(DocumentKind::Flow, &id).map_err(|_| ApiError::not_found("flow"))?;
    mutate_one(call, Target { id, type_name: None }).await
}

async fn mutate_one(call: Call, target: Target) -> Result<Answer, ApiError> {
    let expected = call.expected_version()?;
    let MutationsInput { base_version, operations, .. } = call.json()?;
    call.commit(MutateFlow { target, base_version, operations, expected }).await
}

handlers! { Flow "flows"
    /// Show a flow: its draft, and where it stands.
    detail get "/api/v1/flows/{id}" "get_flow" (("id" = String, Path, description = "Id: flw_..."))
        [responses((status = 200, body = DocumentView))];

    /// Delete a flow that is not published.
    delete delete "/api/v1/flows/{id}" "delete_flow" (("id" = String, Path, description = "Id: flw_..."))
        [responses((status = 204), (status = 409, description = "it is published, or others lie below it"))];

    /// Publish the draft of a flow: readers get it as it is now.
    publish post "/api/v1/flows/{id}/publish" "publish_flow" (("id" = String, Path, description = "Id: flw_..."))
        [responses((status = 200, body = DocumentView))];

    /// Withdraw a flow: readers get it no more.
    unpublish post "/api/v1/flows/{id}/unpublish" "unpublish_flow" (("id" = String, Path, description = "Id: flw_..."))
        [responses((status = 200, body = DocumentView))];

    /// Have the draft of a flow published at a time, as it is now.
    schedule post "/api/v1/flows/{id}/schedule" "schedule_flow" (("id" = String, Path, description = "Id: flw_..."))
        [request_body = ScheduleInput, responses((status = 200, body = DocumentView))];

    /// List the versions of a flow, newest first: the last 50, and the one that readers have.
    versions get "/api/v1/flows/{id}/versions" "list_flow_versions" (("id" = String, Path, description = "Id: flw_..."), VersionQuery)
        [responses((status = 200, body = List<DocumentVersionView>))];

    /// Show a version of a flow.
    version get "/api/v1/flows/{id}/versions/{version}" "get_flow_version" (("id" = String, Path, description = "Id: flw_..."), ("version" = i32, Path))
        [responses((status = 200, body = DocumentVersionView))];

    /// Compare two versions of a flow.
    compare get "/api/v1/flows/{id}/diff" "compare_flow" (("id" = String, Path, description = "Id: flw_..."), DiffQuery)
        [responses((status = 200, body = DiffView))];

    /// Make an earlier version of a flow the draft again, as a new version.
    restore post "/api/v1/flows/{id}/restore" "restore_flow" (("id" = String, Path, description = "Id: flw_..."))
        [request_body = RestoreInput, responses((status = 200, body = DocumentView))];
}

impl FlowChange {
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
