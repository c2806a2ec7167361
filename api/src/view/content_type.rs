//! Content types, types of nodes, and the modules of a tenant.

use keyway_domain::{ContentTypeId, Timestamp};
use keyway_store::{content_types::ContentTypeRow, modules::ModulesRow, node_types::NodeTypeRow};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{document::raw, operation::OperationView};
use crate::openapi::words;

/// A content type.
#[derive(Serialize, ToSchema)]
pub(crate) struct ContentTypeView {
    #[schema(value_type = words::ContentTypeId)]
    id: ContentTypeId,
    /// Name, which is in paths and never changes.
    name: String,
    title: String,
    /// Schema of the data of its entries, JSON Schema 2020-12.
    #[schema(value_type = Object)]
    schema: Option<Box<RawValue>>,
    /// Readers of published entries that name none: `public`, `members` or `private`.
    #[schema(value_type = String)]
    access: &'static str,
    /// Member of the data that slugs are made from.
    slug_field: Option<String>,
    /// Schema that is being checked against the entries.
    #[schema(value_type = Option<Object>)]
    waiting_schema: Option<Box<RawValue>>,
    /// Report of the last check: `is_used`, `checked`, `misfits`, and the first hundred entries that did not fit, with
    /// the pointer to what does not.
    #[schema(value_type = Option<Object>)]
    last_check: Option<Box<RawValue>>,
    version: i32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A content type whose entries are being checked, and the operation that does it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SchemaAccepted {
    pub(crate) content_type: ContentTypeView,
    pub(crate) operation: OperationView,
}

/// A type of nodes.
#[derive(Serialize, ToSchema)]
pub(crate) struct NodeTypeView {
    /// Name: the `type` of its nodes.
    name: String,
    /// Schema of the `data` of its nodes, JSON Schema 2020-12.
    #[schema(value_type = Object)]
    config_schema: Option<Box<RawValue>>,
    /// `true` if no circle may lead through its nodes.
    acyclic: bool,
    version: i32,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Modules of the tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModulesView {
    /// Those switched on: `content`, `flows`, `scenes`.
    #[schema(value_type = Vec<String>)]
    modules: Vec<&'static str>,
    /// Hosts that scenes may refer to.
    scene_hosts: Vec<String>,
    version: i32,
}

impl From<ContentTypeRow> for ContentTypeView {
    fn from(row: ContentTypeRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            title: row.title,
            schema: raw(row.schema),
            access: row.access.name(),
            slug_field: row.slug_field,
            waiting_schema: row.waiting_schema.and_then(raw),
            last_check: row.report.and_then(raw),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<NodeTypeRow> for NodeTypeView {
    fn from(row: NodeTypeRow) -> Self {
        Self {
            name: row.name,
            config_schema: raw(row.config_schema),
            acyclic: row.is_acyclic,
            version: row.version,
            updated_at: row.updated_at,
        }
    }
}

impl From<ModulesRow> for ModulesView {
    fn from(row: ModulesRow) -> Self {
        let modules = row.modules.into_iter().map(keyway_domain::Module::name).collect();
        Self { modules, scene_hosts: row.scene_hosts, version: row.version }
    }
}
