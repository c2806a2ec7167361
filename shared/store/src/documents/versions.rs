//! Versions of a document: each that was written, as far back as they are kept.

use keyway_domain::{DocumentId, Timestamp};
use sea_orm::Value;

use super::row::{self, Content, DocumentRow, VersionRow};
use crate::{Page, Paged, StoreError, TenantTx, entity::document_versions as table, sql::Sql};

/// Number of versions of a document that are kept, beside the one that is published or will be.
pub const VERSIONS_KEPT: i32 = 50;

/// Returns the versions of a document, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn versions(tx: &TenantTx, id: DocumentId, page: Page<i32>) -> Result<Paged<VersionRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM document_versions WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(" AND document_id = ").bind(id.uuid());
    page.newest_first(&mut sql, ["version"], |after| [(*after).into()]);
    let rows = sql.models::<table::Entity>(tx).await?.into_iter().map(row::version).collect::<Result<_, _>>()?;
    Ok(Paged::of(&page, rows))
}

/// Returns one version of a document.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_version(tx: &TenantTx, id: DocumentId, version: i32) -> Result<Option<VersionRow>, StoreError> {
    let text = "SELECT * FROM document_versions WHERE tenant_id = $1 AND document_id = $2 AND version = $3";
    let values = [tx.tenant_id().uuid().into(), id.uuid().into(), version.into()];
    Sql::with(text, values).models::<table::Entity>(tx).await?.pop().map(row::version).transpose()
}

/// Keeps a version.
pub(super) async fn keep(
    tx: &TenantTx,
    id: DocumentId,
    version: i32,
    content: &Content,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = "INSERT INTO document_versions (tenant_id, document_id, version, title, access, author, body, metadata, \
                created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values: [Value; 9] = [
        tx.tenant_id().uuid().into(),
        id.uuid().into(),
        version.into(),
        content.title.as_str().into(),
        content.access.map(|access| access.name().to_owned()).into(),
        content.author.as_str().into(),
        content.body.as_str().into(),
        content.metadata.as_str().into(),
        now.ms().into(),
    ];
    Sql::with(text, values).run(tx).await.map(drop)
}

/// Drops the versions that are older than those that are kept.
pub(super) async fn trim(tx: &TenantTx, document: &DocumentRow, newest: i32) -> Result<(), StoreError> {
    // No version has the number 0.
    let (published, scheduled) = (document.published_version.unwrap_or(0), document.scheduled_version.unwrap_or(0));
    let text = "DELETE FROM document_versions WHERE tenant_id = $1 AND document_id = $2 AND version <= $3 \
                AND version <> $4 AND version <> $5";
    let oldest = newest - VERSIONS_KEPT;
    let (tenant_id, id) = (tx.tenant_id().uuid().into(), document.id.uuid().into());
    Sql::with(text, [tenant_id, id, oldest.into(), published.into(), scheduled.into()]).run(tx).await.map(drop)
}
