//! Faults of every kind in any order, for as long as asked; the printed seed says which.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::cluster::{Cluster, weather};

/// Injects faults until the time is over. How many there were.
pub(crate) async fn mixed(cluster: &mut Cluster, how_long: Duration) -> Result<u64> {
    let (load, end) = (cluster.load(), Instant::now() + how_long);
    let mut faults = 0;
    while Instant::now() < end {
        load.more(fastrand::u64(1..25)).await?;
        one(cluster).await?;
        faults += 1;
    }
    load.stop().await?;
    Ok(faults)
}

async fn one(cluster: &mut Cluster) -> Result<()> {
    let pause = Duration::from_millis(fastrand::u64(50..3000));
    let member = fastrand::usize(..cluster.keyway.members().len());
    if cluster.links.is_none() {
        return one_embedded(cluster, pause).await;
    }
    match fastrand::u32(..12) {
        0..3 => cluster.crash(member),
        3 => {
            cluster.keyway.member(member).process.signal(Signal::STOP)?;
            tokio::time::sleep(pause).await;
            cluster.keyway.member(member).process.signal(Signal::CONT)
        }
        4 => {
            cluster.keyway.services.own()?.1.kill().await?;
            tokio::time::sleep(pause).await;
            cluster.keyway.services.own()?.1.start().await
        }
        5 => {
            let (database, _) = cluster.keyway.services.own()?;
            database.kill().await?;
            tokio::time::sleep(pause).await;
            database.revive().await
        }
        6 => cluster.keyway.services.broker().context("a broker")?.ctl(&["close_all_connections", "x"]).await.map(drop),
        7 => stop_and_start(cluster, member).await,
        what => {
            let now = match what {
                8 => weather(|now| now.down = true),
                9 => weather(|now| (now.holds_requests, now.holds_answers) = (fastrand::bool(), true)),
                10 => weather(|now| now.cut_after = Some(b"COMMIT")),
                _ => weather(|now| (now.latency_ms, now.slice_bytes) = (fastrand::u64(1..200), Some(512))),
            };
            let link = cluster.links()?.all()[fastrand::usize(..4)];
            link.set(now.clone());
            if fastrand::bool() {
                cluster.provider.set(now);
            }
            tokio::time::sleep(pause).await;
            link.heal();
            cluster.provider.heal();
            Ok(())
        }
    }
}

async fn one_embedded(cluster: &mut Cluster, pause: Duration) -> Result<()> {
    match fastrand::u32(..4) {
        0 => stop_and_start(cluster, 0).await,
        1 => {
            cluster.provider.set(weather(|now| now.down = true));
            tokio::time::sleep(pause).await;
            cluster.provider.heal();
            Ok(())
        }
        _ => cluster.crash(0),
    }
}

async fn stop_and_start(cluster: &mut Cluster, at: usize) -> Result<()> {
    cluster.keyway.member(at).process.terminate()?;
    let ended = cluster.keyway.member(at).process.wait().await?;
    // A process that is asked to stop before it listens to signals ends by the signal.
    anyhow::ensure!(ended.code().is_none_or(|code| code == 0), "ended with {ended}");
    cluster.keyway.respawn(at)
}
