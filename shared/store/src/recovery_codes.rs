//! Recovery codes of people, hashed. Each is burned once.

use keyway_domain::{Timestamp, UserId};

use crate::{StoreError, SystemTx, sql::Sql};

/// Gives a person these codes in the place of all it had.
///
/// # Errors
/// [`StoreError::Conflict`] when there is no such person.
pub async fn replace(tx: &SystemTx, user_id: UserId, codes_sha256: &[[u8; 32]]) -> Result<(), StoreError> {
    Sql::with("DELETE FROM recovery_codes WHERE user_id = $1", [user_id.uuid().into()]).run(tx).await?;
    if codes_sha256.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new("INSERT INTO recovery_codes (user_id, code_sha256) VALUES ");
    sql.tuples(codes_sha256.iter().map(|code| [user_id.uuid().into(), code.to_vec().into()]));
    sql.run(tx).await.map(drop)
}

/// Burns a code. Of all who show it at the same moment one succeeds.
///
/// # Errors
/// See [`StoreError`].
pub async fn burn(tx: &SystemTx, user_id: UserId, sha256: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
    let text = "UPDATE recovery_codes SET used_at_ms = $1 WHERE user_id = $2 AND code_sha256 = $3 \
                AND used_at_ms IS NULL";
    let values = [now.ms().into(), user_id.uuid().into(), sha256.to_vec().into()];
    Ok(Sql::with(text, values).run(tx).await? == 1)
}

/// How many codes a person has left.
///
/// # Errors
/// See [`StoreError`].
pub async fn count_left(tx: &SystemTx, user_id: UserId) -> Result<i64, StoreError> {
    let text = "SELECT count(*) AS n FROM recovery_codes WHERE user_id = $1 AND used_at_ms IS NULL";
    Sql::with(text, [user_id.uuid().into()]).number(tx).await
}
