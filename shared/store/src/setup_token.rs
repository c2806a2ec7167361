//! The token by which the first person becomes an owner: only its hash is stored, and only while there is nobody.

use crate::{StoreError, SystemTx, settings, sql::Sql, users};

/// Where the hash stands among the settings, as hexadecimal digits.
const KEY: &str = "setup_token_sha256";

/// Keeps the hash of a token, while there is nobody and no other token is offered. `true`: this one is to be shown.
///
/// # Errors
/// See [`StoreError`].
pub async fn offer(tx: &SystemTx, sha256: &[u8; 32]) -> Result<bool, StoreError> {
    if users::has_any(tx).await? {
        return Ok(false);
    }
    let hash = keyway_vault::to_hex(sha256);
    Ok(settings::put_if_absent(tx, KEY, &hash).await? == hash)
}

/// Keeps the hash of a token in the place of another one that nobody has any more. `false` where there is somebody.
///
/// # Errors
/// See [`StoreError`].
pub async fn offer_anew(tx: &SystemTx, sha256: &[u8; 32]) -> Result<bool, StoreError> {
    if users::has_any(tx).await? {
        return Ok(false);
    }
    settings::put(tx, KEY, &keyway_vault::to_hex(sha256)).await?;
    Ok(true)
}

/// Uses the token up. Of all who try at the same moment one succeeds, and none once there is somebody.
///
/// # Errors
/// See [`StoreError`].
pub async fn take(tx: &SystemTx, sha256: &[u8; 32]) -> Result<bool, StoreError> {
    let text = "DELETE FROM settings WHERE key = $1 AND value = $2 AND NOT EXISTS (SELECT 1 FROM users)";
    Ok(Sql::with(text, [KEY.into(), keyway_vault::to_hex(sha256).into()]).run(tx).await? == 1)
}
