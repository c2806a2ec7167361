//! Documents, their versions and their published copies as stored.

use keyway_domain::{ContentTypeId, DocumentAccess, DocumentId, DocumentKind, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use crate::{
    Place, PlaceValue, SortBy, StoreError,
    entity::{document_versions as version_table, documents as table},
    sql::time,
};

/// A set of documents in which slugs differ: the entries of a type, all flows, or all scenes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Kind of its documents.
    pub kind: DocumentKind,
    /// Type of its entries; `None`: they are no entries.
    pub type_id: Option<ContentTypeId>,
}

/// Content of a document, which its versions keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Title for people.
    pub title: String,
    /// Readers once it is published; `None`: those of its type.
    pub access: Option<DocumentAccess>,
    /// Who wrote this version: the id of a principal.
    pub author: String,
    /// Data of an entry, or the flow or scene: the JSON that was sent.
    pub body: String,
    /// Owner's own notes, as JSON.
    pub metadata: String,
}

/// Place of a document among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Last part of its address, unique with the locale.
    pub slug: String,
    /// Language.
    pub locale: String,
    /// Document above it.
    pub parent_id: Option<DocumentId>,
}

/// A document: its draft, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRow {
    /// Its id.
    pub id: DocumentId,
    /// Type of an entry.
    pub type_id: Option<ContentTypeId>,
    /// Place among others.
    pub position: Position,
    /// Content of the draft.
    pub content: Content,
    /// Format of a scene.
    pub format: Option<String>,
    /// Version of the draft, for ETag and If-Match.
    pub version: i32,
    /// Version that readers get.
    pub published_version: Option<i32>,
    /// Time at which it was published.
    pub published_at: Option<Timestamp>,
    /// Version that is to be published.
    pub scheduled_version: Option<i32>,
    /// Time at which that is to be published.
    pub publish_at: Option<Timestamp>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change of the draft.
    pub updated_at: Timestamp,
}

/// A version of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRow {
    /// Its number.
    pub version: i32,
    /// Its content.
    pub content: Content,
    /// Time at which it was written.
    pub created_at: Timestamp,
}

/// The published copy of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedRow {
    /// Document that it is of.
    pub id: DocumentId,
    /// Place among others.
    pub position: Position,
    /// Content of the published version.
    pub content: Content,
    /// Format of a scene.
    pub format: Option<String>,
    /// Version that is published.
    pub version: i32,
    /// Time at which it was published.
    pub published_at: Timestamp,
    /// Time at which the version was written.
    pub updated_at: Timestamp,
}

#[derive(FromQueryResult)]
pub(super) struct PublishedModel {
    id: Uuid,
    slug: String,
    locale: String,
    parent_id: Option<Uuid>,
    format: Option<String>,
    version: i32,
    published_at_ms: Option<i64>,
    title: String,
    access: Option<String>,
    author: String,
    body: String,
    metadata: String,
    updated_at_ms: i64,
}

impl DocumentRow {
    /// Returns the set that the document belongs to.
    #[must_use]
    pub const fn collection(&self) -> Collection {
        Collection { kind: self.id.kind(), type_id: self.type_id }
    }

    /// Returns its place in a list sorted by creation or by the last change.
    #[must_use]
    pub fn place(&self, by: SortBy) -> Place {
        match by {
            SortBy::UpdatedAt => Place { by, value: PlaceValue::Number(self.updated_at.ms()), id: self.id.uuid() },
            _ => Place::of_id(self.id.uuid()),
        }
    }
}

pub(super) fn row(model: table::Model) -> Result<DocumentRow, StoreError> {
    let kind = DocumentKind::parse(&model.kind).ok_or(StoreError::Corrupt("kind of document"))?;
    Ok(DocumentRow {
        id: DocumentId::from_uuid(kind, model.id),
        type_id: model.type_id.map(ContentTypeId::from_uuid),
        position: Position {
            slug: model.slug,
            locale: model.locale,
            parent_id: model.parent_id.map(|id| DocumentId::from_uuid(kind, id)),
        },
        content: Content {
            title: model.title,
            access: access(model.access)?,
            author: model.author,
            body: model.body,
            metadata: model.metadata,
        },
        format: model.format,
        version: model.version,
        published_version: model.published_version,
        published_at: time(model.published_at_ms),
        scheduled_version: model.scheduled_version,
        publish_at: time(model.publish_at_ms),
        created_at: Timestamp::from_ms(model.created_at_ms),
        updated_at: Timestamp::from_ms(model.updated_at_ms),
    })
}

pub(super) fn version(model: version_table::Model) -> Result<VersionRow, StoreError> {
    let content = Content {
        title: model.title,
        access: access(model.access)?,
        author: model.author,
        body: model.body,
        metadata: model.metadata,
    };
    Ok(VersionRow { version: model.version, content, created_at: Timestamp::from_ms(model.created_at_ms) })
}

pub(super) fn published(kind: DocumentKind, model: PublishedModel) -> Result<PublishedRow, StoreError> {
    Ok(PublishedRow {
        id: DocumentId::from_uuid(kind, model.id),
        position: Position {
            slug: model.slug,
            locale: model.locale,
            parent_id: model.parent_id.map(|id| DocumentId::from_uuid(kind, id)),
        },
        content: Content {
            title: model.title,
            access: access(model.access)?,
            author: model.author,
            body: model.body,
            metadata: model.metadata,
        },
        format: model.format,
        version: model.version,
        published_at: Timestamp::from_ms(model.published_at_ms.unwrap_or_default()),
        updated_at: Timestamp::from_ms(model.updated_at_ms),
    })
}

fn access(name: Option<String>) -> Result<Option<DocumentAccess>, StoreError> {
    name.map(|name| DocumentAccess::parse(&name).ok_or(StoreError::Corrupt("access"))).transpose()
}
