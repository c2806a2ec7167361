//! Firings of schedules, each unique by its key.

use keyway_domain::Timestamp;
use sea_orm::FromQueryResult;

use crate::{StoreError, SystemTx, sql::Sql};

/// Claims one firing; returns `false` if another process has it already. The caller writes the outbox row of the
/// resulting work in the same transaction.
///
/// # Errors
/// See [`StoreError`].
pub async fn fire(tx: &SystemTx, schedule: &str, fire_at: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
    let text = "INSERT INTO schedule_fires (schedule, fire_at_ms, created_at_ms) VALUES ($1, $2, $3) \
                ON CONFLICT DO NOTHING";
    Ok(Sql::with(text, [schedule.into(), fire_at.ms().into(), now.ms().into()]).run(tx).await? == 1)
}

/// Returns the time of the latest firing of a schedule before another.
///
/// # Errors
/// See [`StoreError`].
pub async fn before(tx: &SystemTx, schedule: &str, at: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let text = "SELECT fire_at_ms FROM schedule_fires WHERE schedule = $1 AND fire_at_ms < $2 \
                ORDER BY fire_at_ms DESC LIMIT 1";
    let row = Sql::with(text, [schedule.into(), at.ms().into()]).rows::<Row>(tx).await?.pop();
    Ok(row.map(|row| Timestamp::from_ms(row.fire_at_ms)))
}

/// Returns the time of the latest firing of a schedule.
///
/// # Errors
/// See [`StoreError`].
pub async fn last(tx: &SystemTx, schedule: &str) -> Result<Option<Timestamp>, StoreError> {
    let text = "SELECT fire_at_ms FROM schedule_fires WHERE schedule = $1 ORDER BY fire_at_ms DESC LIMIT 1";
    let row = Sql::with(text, [schedule.into()]).rows::<Row>(tx).await?.pop();
    Ok(row.map(|row| Timestamp::from_ms(row.fire_at_ms)))
}

#[derive(FromQueryResult)]
struct Row {
    fire_at_ms: i64,
}
