//! Entries, flows and scenes as those see them who write them, and their versions.

use keyway_content::Change;
use keyway_domain::{DocumentId, DocumentKind, Timestamp};
use keyway_store::documents::{DocumentRow, VersionRow};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

/// An entry, a flow or a scene: its draft, and where it stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentView {
    #[schema(value_type = String, example = "ent_0198c0de0198c0de0198c0de0198c0de")]
    id: DocumentId,
    /// Content type of an entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    /// Last part of its public address.
    slug: String,
    /// Title; of a flow or scene, its name.
    title: String,
    locale: String,
    /// Readers once it is published: `public`, `members` or `private`; null: those of its type, and of flows and scenes
    /// `public`.
    access: Option<&'static str>,
    /// Principal that wrote the draft.
    author: String,
    #[schema(value_type = Option<String>)]
    parent_id: Option<DocumentId>,
    /// Format of a scene: `three` or `gltf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    /// Data of an entry.
    #[schema(value_type = Option<Value>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    /// Flow or scene, as it was sent.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Box<RawValue>>,
    #[schema(value_type = Object)]
    metadata: Option<Box<RawValue>>,
    /// `draft`: readers have nothing; `published`: they have the draft as it is; `changed`: they have an earlier version.
    #[schema(example = "draft")]
    state: &'static str,
    /// Version of the draft.
    version: i32,
    /// Version that readers have.
    published_version: Option<i32>,
    #[schema(value_type = Option<String>, format = DateTime)]
    published_at: Option<Timestamp>,
    /// Version that is to be published at `publish_at`.
    scheduled_version: Option<i32>,
    #[schema(value_type = Option<String>, format = DateTime)]
    publish_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A version of an entry, flow or scene.
#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentVersionView {
    version: i32,
    title: String,
    /// Principal that wrote it.
    author: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Data, flow or scene; left out in lists.
    #[schema(value_type = Option<Value>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Box<RawValue>>,
    /// Owner's notes; left out in lists.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
}

/// Difference of two versions.
#[derive(Serialize, ToSchema)]
pub(crate) struct DiffView {
    pub(crate) from: i32,
    pub(crate) to: i32,
    /// Places at which they differ, the first thousand: `pointer`, and the value in each that has one.
    #[schema(value_type = Vec<Object>)]
    pub(crate) changes: Vec<Change>,
}

impl DocumentView {
    /// Shows a document of a type.
    pub(crate) fn of(row: DocumentRow, type_name: Option<&str>) -> Self {
        let state = match row.published_version {
            None => "draft",
            Some(version) if version == row.version => "published",
            Some(_) => "changed",
        };
        let body = raw(row.content.body);
        let (data, document) = if row.id.kind() == DocumentKind::Entry { (body, None) } else { (None, body) };
        Self {
            id: row.id,
            r#type: type_name.map(str::to_owned),
            slug: row.position.slug,
            title: row.content.title,
            locale: row.position.locale,
            access: row.content.access.map(|access| access.name()),
            author: row.content.author,
            parent_id: row.position.parent_id,
            format: row.format,
            data,
            document,
            metadata: raw(row.content.metadata),
            state,
            version: row.version,
            published_version: row.published_version,
            published_at: row.published_at,
            scheduled_version: row.scheduled_version,
            publish_at: row.publish_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// Shows a document as lists do: a flow or scene without its document.
    pub(crate) fn listed(row: DocumentRow, type_name: Option<&str>) -> Value {
        let view = Self { document: None, ..Self::of(row, type_name) };
        serde_json::to_value(view).unwrap_or_default()
    }
}

impl DocumentVersionView {
    /// Shows a version without its content.
    pub(crate) fn listed(row: VersionRow) -> Self {
        Self { content: None, metadata: None, ..Self::from(row) }
    }
}

impl From<VersionRow> for DocumentVersionView {
    fn from(row: VersionRow) -> Self {
        Self {
            version: row.version,
            title: row.content.title,
            author: row.content.author,
            created_at: row.created_at,
            content: raw(row.content.body),
            metadata: raw(row.content.metadata),
        }
    }
}

/// Returns stored JSON to be shown as it is.
pub(super) fn raw(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text).ok()
}
