//! A database that crashes, is slow or locked, or whose answers to COMMIT are lost.

use std::time::Duration;

use anyhow::Result;
use sea_orm::ConnectionTrait as _;

use crate::{
    cluster::{Cluster, weather},
    harness::Database,
};

const SLOW: Duration = Duration::from_secs(8);
const LOCKED: Duration = Duration::from_secs(3);
const CUTTING: Duration = Duration::from_millis(400);
const CUTS: usize = 10;

/// kill -9 of every server process under load, again and again.
pub(crate) async fn killed(cluster: &mut Cluster) -> Result<u64> {
    let (load, mut longest) = (cluster.load(), Duration::ZERO);
    let rounds = cluster.rounds;
    for _ in 0..rounds {
        load.more(10).await?;
        let (database, _) = cluster.keyway.services.own()?;
        database.kill().await?;
        database.revive().await?;
        longest = longest.max(cluster.ready().await?);
    }
    cluster.note = format!("ready again within {:.1} s", longest.as_secs_f64());
    load.more(10).await?;
    load.stop().await?;
    Ok(rounds as u64)
}

/// Every chunk arrives late; then tables are locked for seconds.
pub(crate) async fn slow_and_locked(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    let links = cluster.links()?;
    for link in [&links.api_database, &links.workers_database] {
        link.set(weather(|now| now.latency_ms = 400));
        tokio::time::sleep(SLOW).await;
        link.set(weather(|now| (now.slice_bytes, now.bytes_per_second) = (Some(64), Some(20_000))));
        tokio::time::sleep(SLOW).await;
        link.heal();
    }
    let database = cluster.keyway.database().await?;
    for table in ["operations", "outbox", "integrations", "audit_events"] {
        lock(&database, table, LOCKED).await?;
    }
    load.more(10).await?;
    load.stop().await?;
    Ok(8)
}

/// Nobody else reads or writes a table for so long.
pub(super) async fn lock(database: &Database, table: &str, how_long: Duration) -> Result<()> {
    let seconds = how_long.as_secs_f64();
    let sql = format!("DO $$ BEGIN LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep({seconds}); END $$");
    database.0.execute_unprepared(&sql).await?;
    Ok(())
}

/// The server commits, and the process that asked for it never hears so.
pub(crate) async fn cut_after_commit(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    let links = cluster.links()?;
    let mut faults = 0;
    for link in [&links.api_database, &links.workers_database] {
        let before = link.cut();
        for _ in 0..CUTS {
            link.set(weather(|now| now.cut_after = Some(b"COMMIT")));
            tokio::time::sleep(CUTTING).await;
            link.heal();
            load.more(5).await?;
        }
        faults += link.cut() - before;
    }
    load.stop().await?;
    Ok(faults)
}
