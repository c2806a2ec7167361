//! Places that people have signed in from: the hash of a network and a device, for each person.

use keyway_domain::{Timestamp, UserId};

use crate::{StoreError, SystemTx, sql::Sql};

/// Notes a place. Returns `true` if the person is known from other places and was never seen at this one.
///
/// # Errors
/// See [`StoreError`].
pub async fn note(tx: &SystemTx, user_id: UserId, place_sha256: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
    let text = "SELECT count(*) AS n FROM known_places WHERE user_id = $1";
    let known = Sql::with(text, [user_id.uuid().into()]).number(tx).await?;
    let text = "UPDATE known_places SET seen_at_ms = $1 WHERE user_id = $2 AND place_sha256 = $3";
    let values = [now.ms().into(), user_id.uuid().into(), place_sha256.to_vec().into()];
    if Sql::with(text, values).run(tx).await? == 1 {
        return Ok(false);
    }
    let text =
        "INSERT INTO known_places (user_id, place_sha256, seen_at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let values = [user_id.uuid().into(), place_sha256.to_vec().into(), now.ms().into()];
    let is_new = Sql::with(text, values).run(tx).await? == 1;
    Ok(is_new && known > 0)
}
