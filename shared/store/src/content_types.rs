//! Content types of a tenant: schema, access, and the schema that waits to be checked against the entries.

use keyway_domain::{ContentTypeId, DocumentAccess, Timestamp};

use crate::{
    Page, Paged, StoreError, TenantTx,
    entity::content_types as table,
    sql::{Sql, for_share, for_update},
};

/// Largest number of content types of a tenant.
pub const MAX: u64 = 200;

/// A content type as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentTypeRow {
    /// Its id.
    pub id: ContentTypeId,
    /// Name, unique in the tenant; it is in paths and never changes.
    pub name: String,
    /// Title for people.
    pub title: String,
    /// Schema of the data of its entries, as JSON.
    pub schema: String,
    /// Access of entries that name none.
    pub access: DocumentAccess,
    /// Member of the data that the slug of an entry is made from.
    pub slug_field: Option<String>,
    /// Schema that is being checked against the entries, as JSON.
    pub waiting_schema: Option<String>,
    /// `true` if the waiting schema comes into use whatever the check finds.
    pub is_forced: bool,
    /// Report of the last check, as JSON.
    pub report: Option<String>,
    /// Number of changes, for ETag and If-Match.
    pub version: i32,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
}

/// New values of a content type's fields.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// Title for people.
    pub title: &'a str,
    /// Access of entries that name none.
    pub access: DocumentAccess,
    /// Member of the data that the slug of an entry is made from.
    pub slug_field: Option<&'a str>,
}

/// Lock that a look-up takes on the row until the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// None.
    Nothing,
    /// Against changes.
    Unchanged,
    /// For a change.
    Change,
}

/// Adds a content type.
///
/// # Errors
/// [`StoreError::NameTaken`], [`StoreError::Full`].
pub async fn insert(
    tx: &TenantTx,
    name: &str,
    schema: &str,
    fields: Fields<'_>,
    now: Timestamp,
) -> Result<ContentTypeRow, StoreError> {
    let count = "SELECT count(*) AS n FROM content_types WHERE tenant_id = $1";
    if Sql::with(count, [tx.tenant_id().uuid().into()]).number(tx).await? >= crate::sql::limit(MAX) {
        return Err(StoreError::Full { most: MAX });
    }
    let text = "INSERT INTO content_types (id, tenant_id, name, title, schema, access, slug_field, is_forced, version, \
                created_at_ms, updated_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10) \
                ON CONFLICT DO NOTHING";
    let values = [
        ContentTypeId::new().uuid().into(),
        tx.tenant_id().uuid().into(),
        name.into(),
        fields.title.into(),
        schema.into(),
        fields.access.name().into(),
        fields.slug_field.map(str::to_owned).into(),
        false.into(),
        now.ms().into(),
        now.ms().into(),
    ];
    if Sql::with(text, values).run(tx).await? == 0 {
        return Err(StoreError::NameTaken);
    }
    find_by_name(tx, name, Hold::Nothing).await?.ok_or(StoreError::NotFound)
}

/// Returns one content type.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &TenantTx, id: ContentTypeId) -> Result<Option<ContentTypeRow>, StoreError> {
    let text = "SELECT * FROM content_types WHERE tenant_id = $1 AND id = $2";
    one(tx, Sql::with(text, [tx.tenant_id().uuid().into(), id.uuid().into()])).await
}

/// Returns one content type by its name.
///
/// # Errors
/// See [`StoreError`].
pub async fn find_by_name(tx: &TenantTx, name: &str, hold: Hold) -> Result<Option<ContentTypeRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM content_types WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid()).push(" AND name = ").bind(name).push(match hold {
        Hold::Nothing => "",
        Hold::Unchanged => for_share(tx),
        Hold::Change => for_update(tx),
    });
    one(tx, sql).await
}

/// Returns content types, newest first.
///
/// # Errors
/// See [`StoreError`].
pub async fn list(tx: &TenantTx, page: Page<ContentTypeId>) -> Result<Paged<ContentTypeRow>, StoreError> {
    let mut sql = Sql::new("SELECT * FROM content_types WHERE tenant_id = ");
    sql.bind(tx.tenant_id().uuid());
    page.newest_first(&mut sql, ["id"], |after| [after.uuid().into()]);
    let rows = sql.models::<table::Entity>(tx).await?.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(Paged::of(&page, rows))
}

/// Changes title, access and slug field. The caller holds the row for a change.
///
/// # Errors
/// See [`StoreError`].
pub async fn update(
    tx: &TenantTx,
    before: &ContentTypeRow,
    fields: Fields<'_>,
    now: Timestamp,
) -> Result<ContentTypeRow, StoreError> {
    let mut sql = Sql::new("UPDATE content_types SET version = version + 1, title = ");
    sql.bind(fields.title).push(", access = ").bind(fields.access.name());
    sql.push(", slug_field = ").bind(fields.slug_field.map(str::to_owned));
    changed(tx, sql, before, now).await
}

/// Puts a schema up to be checked. The caller holds the row for a change.
///
/// # Errors
/// See [`StoreError`].
pub async fn await_schema(
    tx: &TenantTx,
    before: &ContentTypeRow,
    schema: &str,
    is_forced: bool,
    now: Timestamp,
) -> Result<ContentTypeRow, StoreError> {
    let mut sql = Sql::new("UPDATE content_types SET version = version + 1, waiting_schema = ");
    sql.bind(schema).push(", is_forced = ").bind(is_forced);
    changed(tx, sql, before, now).await
}

/// Ends a check: the waiting schema comes into use, or is dropped; the report stays.
///
/// # Errors
/// [`StoreError::Stale`] if the type has changed since it was read.
pub async fn settle(
    tx: &TenantTx,
    before: &ContentTypeRow,
    is_used: bool,
    report: &str,
    now: Timestamp,
) -> Result<ContentTypeRow, StoreError> {
    let schema = before.waiting_schema.as_deref().filter(|_| is_used).unwrap_or(&before.schema);
    let mut sql = Sql::new("UPDATE content_types SET version = version + 1, waiting_schema = NULL, schema = ");
    sql.bind(schema).push(", report = ").bind(report);
    changed(tx, sql, before, now).await
}

/// Deletes a content type. One with entries is kept.
///
/// # Errors
/// [`StoreError::Conflict`], [`StoreError::Stale`].
pub async fn delete(tx: &TenantTx, row: &ContentTypeRow) -> Result<(), StoreError> {
    let (tenant_id, id) = (tx.tenant_id().uuid(), row.id.uuid());
    let count = "SELECT count(*) AS n FROM documents WHERE tenant_id = $1 AND type_id = $2";
    if Sql::with(count, [tenant_id.into(), id.into()]).number(tx).await? > 0 {
        return Err(StoreError::Conflict);
    }
    let text = "DELETE FROM content_types WHERE tenant_id = $1 AND id = $2 AND version = $3";
    let deleted = Sql::with(text, [tenant_id.into(), id.into(), row.version.into()]).run(tx).await?;
    if deleted == 0 { Err(StoreError::Stale) } else { Ok(()) }
}

async fn changed(
    tx: &TenantTx,
    mut sql: Sql,
    before: &ContentTypeRow,
    now: Timestamp,
) -> Result<ContentTypeRow, StoreError> {
    sql.push(", updated_at_ms = ").bind(now.ms()).push(" WHERE tenant_id = ").bind(tx.tenant_id().uuid());
    sql.push(" AND id = ").bind(before.id.uuid()).push(" AND version = ").bind(before.version);
    if sql.run(tx).await? == 0 {
        return Err(StoreError::Stale);
    }
    find(tx, before.id).await?.ok_or(StoreError::NotFound)
}

async fn one(tx: &TenantTx, sql: Sql) -> Result<Option<ContentTypeRow>, StoreError> {
    sql.models::<table::Entity>(tx).await?.pop().map(row).transpose()
}

fn row(model: table::Model) -> Result<ContentTypeRow, StoreError> {
    Ok(ContentTypeRow {
        id: ContentTypeId::from_uuid(model.id),
        name: model.name,
        title: model.title,
        schema: model.schema,
        access: DocumentAccess::parse(&model.access).ok_or(StoreError::Corrupt("access"))?,
        slug_field: model.slug_field,
        waiting_schema: model.waiting_schema,
        is_forced: model.is_forced,
        report: model.report,
        version: model.version,
        created_at: Timestamp::from_ms(model.created_at_ms),
        updated_at: Timestamp::from_ms(model.updated_at_ms),
    })
}
