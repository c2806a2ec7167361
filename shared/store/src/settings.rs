//! Facts about this installation: the hash of the admin key, the keyring's check values.

use crate::{StoreError, SystemTx, entity::settings as table, sql::Sql};

/// Returns the value of a fact.
///
/// # Errors
/// See [`StoreError`].
pub async fn find(tx: &SystemTx, key: &str) -> Result<Option<String>, StoreError> {
    let sql = Sql::with("SELECT * FROM settings WHERE key = $1", [key.into()]);
    Ok(sql.models::<table::Entity>(tx).await?.pop().map(|setting| setting.value))
}

/// Stores a fact, replacing an earlier value.
///
/// # Errors
/// See [`StoreError`].
pub async fn put(tx: &SystemTx, key: &str, value: &str) -> Result<(), StoreError> {
    let text =
        "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    Sql::with(text, [key.into(), value.into()]).run(tx).await.map(drop)
}

/// Stores a fact unless it has a value, and returns the stored value: for decisions that only the first process makes.
///
/// # Errors
/// See [`StoreError`].
pub async fn put_if_absent(tx: &SystemTx, key: &str, value: &str) -> Result<String, StoreError> {
    let text = "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    Sql::with(text, [key.into(), value.into()]).run(tx).await?;
    find(tx, key).await?.ok_or(StoreError::NotFound)
}

/// Returns facts whose key begins with `prefix`, as key and value, in the order of their keys.
///
/// # Errors
/// See [`StoreError`].
pub async fn with_prefix(tx: &SystemTx, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
    let sql = Sql::with("SELECT * FROM settings WHERE substr(key, 1, length($1)) = $1 ORDER BY key", [prefix.into()]);
    Ok(sql.models::<table::Entity>(tx).await?.into_iter().map(|setting| (setting.key, setting.value)).collect())
}
