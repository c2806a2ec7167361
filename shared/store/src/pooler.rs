//! Finds out whether what answers as PostgreSQL is a pooler that gives each transaction another session.
//!
//! There, what one client sets for its session (its role, above all) another one has. Two connections show it: a mark
//! that one sets is seen by the other, or is lost to the first while the other holds its session.

use sea_orm::sqlx::{
    self, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
    postgres::PgConnectOptions,
};

/// Other clients of the pooler may take a session in between; not every time.
const ROUNDS: usize = 3;

pub(crate) async fn mixes_sessions(one: &mut PgConnection, options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut other = options.connect().await?;
    let mut mixes = false;
    for _ in 0..ROUNDS {
        let mark = format!("{:016x}", fastrand::u64(..));
        let set = format!("SELECT set_config('keyway.mark', '{mark}', false)");
        one.execute(AssertSqlSafe(set)).await?;
        mixes |= read(&mut other).await? == mark;
        other.execute("BEGIN").await?;
        read(&mut other).await?;
        mixes |= read(one).await? != mark;
        other.execute("ROLLBACK").await?;
    }
    // It ends anyway, whatever closing it says.
    let _ = other.close().await;
    Ok(mixes)
}

async fn read(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    let row = connection.fetch_one("SELECT coalesce(current_setting('keyway.mark', true), '')").await?;
    row.try_get(0)
}
