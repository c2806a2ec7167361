//! Published copies: which version readers get, from when on, and what of a collection is published.

use keyway_domain::{ContentTypeId, DocumentId, DocumentKind, TenantId, Timestamp};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::row::{self, Collection, DocumentRow, PublishedModel, PublishedRow};
use crate::{
    StoreError, SystemTx, TenantTx,
    sql::{Sql, limit, skip_locked},
};

/// A document that its schedule has published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Tenant that owns it.
    pub tenant_id: TenantId,
    /// Its id.
    pub id: DocumentId,
    /// Version that readers get from now on.
    pub version: i32,
}

#[derive(FromQueryResult)]
struct DueModel {
    id: Uuid,
    tenant_id: Uuid,
    kind: String,
    scheduled_version: Option<i32>,
}

/// Publishes the present version of a document, and takes it off its schedule. The caller holds the document.
///
/// # Errors
/// See [`StoreError`].
pub async fn publish(tx: &TenantTx, document: &DocumentRow, now: Timestamp) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE documents SET published_version = version, published_at_ms = ");
    sql.bind(now.ms()).push(", scheduled_version = NULL, publish_at_ms = NULL");
    of(sql, tx, document).run(tx).await.map(drop)
}

/// Withdraws a document, and takes it off its schedule. The caller holds the document.
///
/// # Errors
/// See [`StoreError`].
pub async fn unpublish(tx: &TenantTx, document: &DocumentRow) -> Result<(), StoreError> {
    let sql = Sql::new(
        "UPDATE documents SET published_version = NULL, published_at_ms = NULL, scheduled_version = NULL, \
         publish_at_ms = NULL",
    );
    of(sql, tx, document).run(tx).await.map(drop)
}

/// Has the present version of a document published at a time. The caller holds the document.
///
/// # Errors
/// See [`StoreError`].
pub async fn schedule(tx: &TenantTx, document: &DocumentRow, publish_at: Timestamp) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE documents SET scheduled_version = version, publish_at_ms = ");
    sql.bind(publish_at.ms());
    of(sql, tx, document).run(tx).await.map(drop)
}

/// Returns `true` if the time of a document has come.
///
/// # Errors
/// See [`StoreError`].
pub async fn is_due(tx: &SystemTx, now: Timestamp) -> Result<bool, StoreError> {
    let text = "SELECT count(*) AS n FROM documents WHERE publish_at_ms <= $1";
    Ok(Sql::with(text, [now.ms().into()]).number(tx).await? > 0)
}

/// Publishes up to `most` documents whose time has come, and returns them. Those that somebody else is at are left out.
///
/// # Errors
/// See [`StoreError`].
pub async fn publish_due(tx: &SystemTx, now: Timestamp, most: u64) -> Result<Vec<Due>, StoreError> {
    let mut sql = Sql::new("SELECT id, tenant_id, kind, scheduled_version FROM documents WHERE publish_at_ms <= ");
    sql.bind(now.ms()).push(" ORDER BY publish_at_ms LIMIT ").bind(limit(most)).push(skip_locked(tx));
    let mut due = Vec::new();
    for model in sql.rows::<DueModel>(tx).await? {
        let kind = DocumentKind::parse(&model.kind).ok_or(StoreError::Corrupt("kind of document"))?;
        let version = model.scheduled_version.ok_or(StoreError::Corrupt("schedule"))?;
        let text = "UPDATE documents SET published_version = $1, published_at_ms = $2, scheduled_version = NULL, \
                    publish_at_ms = NULL WHERE tenant_id = $3 AND id = $4";
        let values = [version.into(), now.ms().into(), model.tenant_id.into(), model.id.into()];
        Sql::with(text, values).run(tx).await?;
        let (tenant_id, id) = (TenantId::from_uuid(model.tenant_id), DocumentId::from_uuid(kind, model.id));
        due.push(Due { tenant_id, id, version });
    }
    Ok(due)
}

/// Returns the published copies of a collection, in the order of their documents' creation.
///
/// # Errors
/// See [`StoreError`].
pub async fn published(tx: &TenantTx, collection: Collection) -> Result<Vec<PublishedRow>, StoreError> {
    let mut sql = Sql::new(
        "SELECT d.id, d.slug, d.locale, d.parent_id, d.format, v.version, d.published_at_ms, v.title, v.access, \
         v.author, v.body, v.metadata, v.created_at_ms AS updated_at_ms",
    );
    of_published(&mut sql, tx, collection);
    sql.push(" ORDER BY d.id");
    let rows = sql.rows::<PublishedModel>(tx).await?;
    rows.into_iter().map(|model| row::published(collection.kind, model)).collect()
}

/// Returns the bytes of all published copies of a collection but of this document's.
///
/// # Errors
/// See [`StoreError`].
pub async fn published_bytes(tx: &TenantTx, but: &DocumentRow) -> Result<i64, StoreError> {
    let mut sql =
        Sql::new("SELECT CAST(COALESCE(SUM(OCTET_LENGTH(v.body) + OCTET_LENGTH(v.metadata)), 0) AS BIGINT) AS n");
    of_published(&mut sql, tx, but.collection());
    sql.push(" AND d.id <> ").bind(but.id.uuid());
    sql.number(tx).await
}

fn of_published(sql: &mut Sql, tx: &TenantTx, collection: Collection) {
    sql.push(
        " FROM documents d JOIN document_versions v ON v.tenant_id = d.tenant_id AND v.document_id = d.id \
         AND v.version = d.published_version WHERE d.tenant_id = ",
    );
    sql.bind(tx.tenant_id().uuid()).push(" AND d.kind = ").bind(collection.kind.name());
    match collection.type_id {
        Some(type_id) => sql.push(" AND d.type_id = ").bind(ContentTypeId::uuid(type_id)),
        None => sql.push(" AND d.type_id IS NULL"),
    };
}

fn of(mut sql: Sql, tx: &TenantTx, document: &DocumentRow) -> Sql {
    sql.push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid()).push(" AND id = ").bind(document.id.uuid());
    sql
}
