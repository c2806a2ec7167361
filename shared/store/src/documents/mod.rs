//! Documents of a tenant: entries, flows and scenes, drafted, kept in versions, published and withdrawn alike.

mod publish;
mod row;
mod versions;

pub use publish::{Due, is_due, publish, publish_due, published, published_bytes, schedule, unpublish};
pub use row::{Collection, Content, DocumentRow, Position, PublishedRow, VersionRow};
pub use versions::{VERSIONS_KEPT, find_version, versions};

use keyway_domain::{DocumentId, Timestamp};
use sea_orm::Value;

use crate::{
    Page, Paged, Place, Sort, StoreError, TenantTx,
    entity::documents as table,
    sort,
    sql::{Sql, for_update, limit},
};

/// Largest number of documents of one collection.
pub const MAX: u64 = 10_000;

/// Filter of a list of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Language.
    pub locale: Option<String>,
    /// Document above them.
    pub parent_id: Option<DocumentId>,
    /// `true`: published ones only; `false`: others only.
    pub is_published: Option<bool>,
}

/// Adds a document with its first version.
///
/// # Errors
/// [`StoreError::NameTaken`] if another one of the collection has the slug in this locale, [`StoreError::Full`].
pub async fn insert(
    tx: &TenantTx,
    collection: Collection,
    (position, format): (&Position, Option<&str>),
    content: &Content,
    now: Timestamp,
) -> Result<DocumentRow, StoreError> {
    let mut count = Sql::new("SELECT count(*) AS n FROM documents");
    of_collection(&mut count, tx, collection);
    if count.number(tx).await? >= limit(MAX) {
        return Err(StoreError::Full { most: MAX });
    }
    let id = DocumentId::new(collection.kind);
    let text = "INSERT INTO documents (id, tenant_id, kind, type_id, slug, title, locale, access, author, parent_id, \
                format, body, metadata, version, created_at_ms, updated_at_ms) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $15) ON CONFLICT DO NOTHING";
    let values: Vec<Value> = vec![
        id.uuid().into(),
        tx.tenant_id().uuid().into(),
        collection.kind.name().into(),
        collection.type_id.map(keyway_domain::ContentTypeId::uuid).into(),
        position.slug.as_str().into(),
        content.title.as_str().into(),
        position.locale.as_str().into(),
        content.access.map(|access| access.name().to_owned()).into(),
        content.author.as_str().into(),
        position.parent_id.map(DocumentId::uuid).into(),
        format.map(str::to_owned).into(),
        content.body.as_str().into(),
        content.metadata.as_str().into(),
        now.ms().into(),
        now.ms().into(),
    ];
    if Sql::with(text, values).run(tx).await? == 0 {
        return Err(StoreError::NameTaken);
    }
    versions::keep(tx, id, 1, content, now).await?;
    find(tx, id).await?.ok_or(StoreError::NotFound)
}

/// Returns one document.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
    read(tx, id, "").await
}

/// Returns one document, and keeps others from changing it until the transaction ends.
///
/// # Errors
/// See [`StoreError`].
pub async fn hold(tx: &TenantTx, id: DocumentId) -> Result<Option<DocumentRow>, StoreError> {
    read(tx, id, for_update(tx)).await
}

/// Returns documents of a collection in the given order.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(
    tx: &TenantTx,
    collection: Collection,
    filter: &Filter,
    sort: Sort,
    page: Page<Place>,
) -> Result<Paged<DocumentRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM documents");
    of_collection(&mut sql, tx, collection);
    if let Some(locale) = &filter.locale {
        sql.push(" AND locale = ").bind(locale.as_str());
    }
    if let Some(parent_id) = filter.parent_id {
        sql.push(" AND parent_id = ").bind(parent_id.uuid());
    }
    match filter.is_published {
        None => {}
        Some(true) => drop(sql.push(" AND published_version IS NOT NULL")),
        Some(false) => drop(sql.push(" AND published_version IS NULL")),
    }
    sort::page(&mut sql, sort, &page);
    let rows = sql.models::<table::Entity>(tx).await?.into_iter().map(row::row).collect::<Result<_, _>>()?;
    Ok(Paged::of(&page, rows))
}

/// Writes a new version of a document's draft. The caller holds the document.
///
/// # Errors
/// [`StoreError::NameTaken`], [`StoreError::Stale`].
pub async fn update(
    tx: &TenantTx,
    before: &DocumentRow,
    position: &Position,
    content: &Content,
    now: Timestamp,
) -> Result<DocumentRow, StoreError> {
    let version = before.version + 1;
    write(tx, before, (position, content), version, now).await?;
    versions::keep(tx, before.id, version, content, now).await?;
    versions::trim(tx, before, version).await?;
    find(tx, before.id).await?.ok_or(StoreError::NotFound)
}

/// Writes a draft that differs from the one before in nothing that makes a version.
///
/// # Errors
/// [`StoreError::NameTaken`], [`StoreError::Stale`].
pub async fn touch(
    tx: &TenantTx,
    before: &DocumentRow,
    (position, content): (&Position, &Content),
    now: Timestamp,
) -> Result<DocumentRow, StoreError> {
    write(tx, before, (position, content), before.version, now).await?;
    find(tx, before.id).await?.ok_or(StoreError::NotFound)
}

/// Deletes a document with its versions. One with others below it is kept.
///
/// # Errors
/// [`StoreError::Conflict`].
pub async fn delete(tx: &TenantTx, id: DocumentId) -> Result<(), StoreError> {
    let values = || [tx.tenant_id().uuid().into(), id.uuid().into()];
    let count = "SELECT count(*) AS n FROM documents WHERE tenant_id = $1 AND parent_id = $2";
    if Sql::with(count, values()).number(tx).await? > 0 {
        return Err(StoreError::Conflict);
    }
    Sql::with("DELETE FROM documents WHERE tenant_id = $1 AND id = $2", values()).run(tx).await.map(drop)
}

async fn write(
    tx: &TenantTx,
    before: &DocumentRow,
    (position, content): (&Position, &Content),
    version: i32,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE documents SET slug = ");
    sql.bind(position.slug.as_str()).push(", locale = ").bind(position.locale.as_str());
    sql.push(", parent_id = ").bind(position.parent_id.map(DocumentId::uuid));
    sql.push(", title = ").bind(content.title.as_str());
    sql.push(", access = ").bind(content.access.map(|access| access.name().to_owned()));
    sql.push(", author = ").bind(content.author.as_str()).push(", body = ").bind(content.body.as_str());
    sql.push(", metadata = ").bind(content.metadata.as_str()).push(", version = ").bind(version);
    sql.push(", updated_at_ms = ").bind(now.ms()).push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid());
    sql.push(" AND id = ").bind(before.id.uuid()).push(" AND version = ").bind(before.version);
    match sql.run(tx).await {
        Err(StoreError::Conflict) => Err(StoreError::NameTaken),
        Ok(0) => Err(StoreError::Stale),
        written => written.map(drop),
    }
}

/// Begins the condition of a statement on documents: those of a collection.
fn of_collection(sql: &mut Sql, tx: &TenantTx, collection: Collection) {
    sql.push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND kind = ").bind(collection.kind.name());
    match collection.type_id {
        Some(type_id) => sql.push(" AND type_id = ").bind(type_id.uuid()),
        None => sql.push(" AND type_id IS NULL"),
    };
}

async fn read(tx: &TenantTx, id: DocumentId, lock: &str) -> Result<Option<DocumentRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM documents WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(" AND id = ").bind(id.uuid());
    sql.push(" AND kind = ").bind(id.kind().name()).push(lock);
    sql.models::<table::Entity>(tx).await?.pop().map(row::row).transpose()
}
