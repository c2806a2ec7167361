//! Detects a transaction-mode pooler in front of PostgreSQL, which gives each transaction another session.
//!
//! Behind such a pooler, one client's session settings (above all its role) leak to another. Two connections reveal it:
//! a mark set on one shows up on the other, or is lost to the first while the other holds its session.

use std::time::Duration;

use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
    postgres::PgConnectOptions,
};

/// Number of tries: other clients of the pooler may take a session in between.
const ROUNDS: usize = 3;

/// Time limit: if the pooler has too few sessions for two connections, the second one waits.
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) async fn mixes_sessions(one: &mut PgConnection, options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let ask = async {
        let mut other = options.connect().await?;
        for _ in 0..ROUNDS {
            if mixes_once(one, &mut other).await? {
                return Ok(true);
            }
        }
        // It ends anyway, whatever closing it says.
        let _ = other.close().await;
        Ok(false)
    };
    tokio::time::timeout(DEADLINE, ask).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

async fn mixes_once(one: &mut PgConnection, other: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let mark = format!("{:016x}", fastrand::u64(..));
    let set = format!("SELECT set_config('keyway.mark', '{mark}', false)");
    one.execute(AssertSqlSafe(set)).await?;
    // Asked before anything is held: where there is one session for all, nobody could ask afterwards.
    if read(other).await? == mark {
        return Ok(true);
    }
    other.execute("BEGIN").await?;
    read(other).await?;
    let lost = read(one).await? != mark;
    other.execute("ROLLBACK").await?;
    Ok(lost)
}

async fn read(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    let row = connection.fetch_one("SELECT coalesce(current_setting('keyway.mark', true), '')").await?;
    row.try_get(0)
}
