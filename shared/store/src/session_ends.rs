//! The end of all sessions of a person, which follows from a change of the person, its members or its factors. Looks at no
//! session.

use keyway_domain::{SessionId, UserId};

use crate::{StoreError, SystemTx, sql::Sql};

/// Ends all sessions of a person except `keep`, and says how many there were.
///
/// # Errors
/// See [`StoreError`].
pub async fn end_all_of(tx: &SystemTx, user_id: UserId, keep: Option<SessionId>) -> Result<u64, StoreError> {
    let mut sql = Sql::new("DELETE FROM sessions WHERE user_id = ");
    sql.bind(user_id.uuid());
    if let Some(keep) = keep {
        sql.push(" AND id <> ").bind(keep.uuid());
    }
    sql.run(tx).await
}
