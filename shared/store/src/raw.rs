//! Hand-written statements inside a transaction, for tests that try to get around the queries.
//!
//! Exists only with the feature `raw`, which nothing but a dev-dependency turns on.

use sea_orm::{ConnectionTrait, Statement};

use crate::{StoreError, Tx};

/// Runs a statement unchanged and returns the number of affected rows.
///
/// # Errors
/// See [`StoreError`].
pub async fn execute(tx: &impl Tx, text: &str) -> Result<u64, StoreError> {
    Ok(tx.db().execute_unprepared(text).await?.rows_affected())
}

/// Runs a query unchanged and reads the column `n` of its first row.
///
/// # Errors
/// See [`StoreError`].
pub async fn number(tx: &impl Tx, text: &str) -> Result<i64, StoreError> {
    let statement = Statement::from_string(tx.db().get_database_backend(), text);
    let row = tx.db().query_one_raw(statement).await?.ok_or(StoreError::NotFound)?;
    Ok(row.try_get("", "n")?)
}

/// Runs a query unchanged and reads the column `name` of each row.
///
/// # Errors
/// See [`StoreError`].
pub async fn names(tx: &impl Tx, text: &str) -> Result<Vec<String>, StoreError> {
    let statement = Statement::from_string(tx.db().get_database_backend(), text);
    let rows = tx.db().query_all_raw(statement).await?;
    Ok(rows.iter().map(|row| row.try_get("", "name")).collect::<Result<_, _>>()?)
}
