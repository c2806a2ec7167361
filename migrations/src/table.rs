//! Short names for columns, tables and indexes, so that a migration reads like the schema it makes.

use sea_orm_migration::{
    SchemaManager,
    prelude::{ColumnDef, ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, Index, Table},
    schema,
    sea_orm::{ConnectionTrait, DbErr},
};

use crate::protect::{Access, protect};

/// Returns a text column. Lengths are checked where input is parsed, not here.
pub(crate) fn text(name: &'static str) -> ColumnDef {
    schema::text(name)
}

/// Returns a bytes column without a bound.
pub(crate) fn bytes(name: &'static str) -> ColumnDef {
    schema::blob(name)
}

/// Returns a nullable UUID column.
pub(crate) fn uuid_null(name: &'static str) -> ColumnDef {
    schema::uuid_null(name)
}

pub(crate) use sea_orm_migration::schema::{
    big_integer as number, big_integer_null as number_null, boolean as flag, integer as small,
    integer_null as small_null, pk_uuid as id, text_null, uuid,
};

/// Returns a reference of a tenant's row to another row of the same tenant: the tenant is part of the key, because
/// foreign keys look past row-level security.
pub(crate) fn same_tenant(
    from: &'static str,
    column: &'static str,
    to: &'static str,
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, ("tenant_id", column)).to(to, ("tenant_id", "id")).on_delete(on_delete).to_owned()
}

/// Returns a reference to the tenant; its rows go with it.
pub(crate) fn to_tenant(from: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, "tenant_id").to("tenants", "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}

/// A reference to a person; the row goes with it.
pub(crate) fn to_user(from: &'static str) -> ForeignKeyCreateStatement {
    to_user_in(from, "user_id")
}

/// A reference to a person in this column; the row goes with it.
pub(crate) fn to_user_in(from: &'static str, column: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, column).to("users", "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}

/// A table under construction.
pub(crate) struct NewTable {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<ColumnDef>,
    /// Columns of a composite primary key; empty if a column is the key itself.
    pub(crate) key: &'static [&'static str],
    pub(crate) references: Vec<ForeignKeyCreateStatement>,
    pub(crate) access: Access,
}

/// Creates a table and gives both roles their rights.
pub(crate) async fn create(manager: &SchemaManager<'_>, new: NewTable) -> Result<(), DbErr> {
    let mut table = Table::create();
    table.table(new.name);
    for mut column in new.columns {
        table.col(&mut column);
    }
    if !new.key.is_empty() {
        let mut key = Index::create();
        for column in new.key {
            key.col(*column);
        }
        table.primary_key(&mut key);
    }
    for mut reference in new.references {
        table.foreign_key(&mut reference);
    }
    manager.create_table(table).await?;
    protect(manager, new.name, new.access).await
}

/// Creates indexes from SQL that both databases accept; the builder has no partial indexes.
pub(crate) async fn indexes(manager: &SchemaManager<'_>, definitions: &[&str]) -> Result<(), DbErr> {
    for definition in definitions {
        let (unique, rest) = match definition.strip_prefix("UNIQUE ") {
            Some(rest) => ("UNIQUE ", rest),
            None => ("", *definition),
        };
        manager.get_connection().execute_unprepared(&format!("CREATE {unique}INDEX {rest}")).await?;
    }
    Ok(())
}
