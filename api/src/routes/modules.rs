//! `/modules`: parts of Keyway that a tenant switches on; and `/node-types`, the types of its flows' nodes.

use keyway_domain::Module;
use keyway_store::{modules, node_types};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    answer::Answer,
    call::Call,
    commands::switch_modules::{DeleteNodeType, PutNodeType, SwitchModules},
    cursor::List,
    error::ApiError,
    input,
    view::{ModulesView, NodeTypeView},
};

/// Modules that the tenant is to have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModulesInput {
    /// Those to be on, all others off: `content`, `flows`, `scenes`. What they have stored stays.
    #[schema(example = json!(["content", "flows"]))]
    modules: Vec<String>,
    /// Hosts that scenes may refer to by https, at most 100; left out: those there are.
    #[schema(example = json!(["cdn.example.com"]))]
    scene_hosts: Option<Vec<String>>,
}

/// A type of nodes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeTypeInput {
    /// Schema of the `data` of its nodes, JSON Schema 2020-12.
    #[schema(value_type = Object)]
    config_schema: Box<RawValue>,
    /// `true` if no circle may lead through its nodes.
    #[serde(default)]
    acyclic: bool,
}

/// Show the modules that the tenant has switched on.
#[utoipa::path(get, path = "/api/v1/modules", operation_id = "get_modules", tag = "modules",
    responses((status = 200, body = ModulesView)))]
pub(crate) async fn detail(call: Call) -> Result<Answer, ApiError> {
    let row = modules::find(&call.read().await?).await?;
    let version = row.version;
    Ok(Answer::ok(&ModulesView::from(row)).tagged(version))
}

/// Switch modules on and off. The routes of one that is off do not exist for the tenant, nor do its publications.
#[utoipa::path(put, path = "/api/v1/modules", operation_id = "update_modules", tag = "modules", request_body = ModulesInput,
    responses((status = 200, body = ModulesView)))]
pub(crate) async fn update(call: Call) -> Result<Answer, ApiError> {
    let expected = call.expected_version()?;
    let ModulesInput { modules: names, scene_hosts } = call.json()?;
    let read = |name: &String| {
        let known = || ApiError::field("each of `modules` must be content, flows or scenes");
        Module::parse(name).ok_or_else(known)
    };
    let mut modules = names.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    modules.sort_unstable();
    modules.dedup();
    call.commit(SwitchModules { modules, scene_hosts, expected }).await
}

/// List the types of nodes.
#[utoipa::path(get, path = "/api/v1/node-types", operation_id = "list_node_types", tag = "flows",
    responses((status = 200, body = List<NodeTypeView>)))]
pub(crate) async fn list_node_types(call: Call) -> Result<Answer, ApiError> {
    let rows = node_types::list(&call.read().await?).await?;
    Ok(Answer::ok(&List::whole(rows.into_iter().map(NodeTypeView::from).collect())))
}

/// Add a type of nodes, or change it. Flows that are stored are judged by it when they are written again.
#[utoipa::path(put, path = "/api/v1/node-types/{id}", operation_id = "put_node_type", tag = "flows", params(("id" = String, Path, description = "Its name: the `type` of its nodes")),
    request_body = NodeTypeInput, responses((status = 200, body = NodeTypeView)))]
pub(crate) async fn put_node_type(call: Call) -> Result<Answer, ApiError> {
    let expected = call.expected_version()?;
    let NodeTypeInput { config_schema, acyclic } = call.json()?;
    let name = input::slug("name", &call.param().to_lowercase()).map(|_| call.param().to_owned())?;
    call.commit(PutNodeType { name, config_schema, is_acyclic: acyclic, expected }).await
}

/// Delete a type of nodes. Flows that have such nodes stay as they are.
#[utoipa::path(delete, path = "/api/v1/node-types/{id}", operation_id = "delete_node_type", tag = "flows", params(("id" = String, Path, description = "Its name: the `type` of its nodes")),
    responses((status = 204)))]
pub(crate) async fn delete_node_type(call: Call) -> Result<Answer, ApiError> {
    let (name, expected) = (call.param().to_owned(), call.expected_version()?);
    call.commit(DeleteNodeType { name, expected }).await
}
