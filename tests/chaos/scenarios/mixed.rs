//! Faults of every kind in any order, for as long as asked; the printed seed says which.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::database;
use crate::cluster::{Cluster, weather};

/// Injects faults until the time is over; returns their number.
pub(crate) async fn mixed(cluster: &mut Cluster, how_long: Duration) -> Result<u64> {
    let (load, end) = (cluster.load(), Instant::now() + how_long);
    let mut faults = 0;
    while Instant::now() < end {
        load.more(fastrand::u64(1..25)).await?;
        one(cluster).await?;
        faults += 1;
    }
    for at in 0..cluster.keyway.members().len() {
        cluster.set(at, "FAILPOINTS", None);
        cluster.crash(at)?;
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
    match fastrand::u32(..15) {
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
        7 => cluster.restart(member).await,
        8 => unsteady(cluster, member),
        9 => {
            let broker = cluster.keyway.services.broker().context("a broker")?;
            broker.ctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await?;
            tokio::time::sleep(pause).await;
            broker.ctl(&["set_vm_memory_high_watermark", "0.4"]).await.map(drop)
        }
        10 => {
            let table = ["operations", "outbox", "integrations", "audit_events"][fastrand::usize(..4)];
            database::lock(&cluster.keyway.database().await?, table, pause).await
        }
        what => {
            let now = match what {
                11 => weather(|now| now.down = true),
                12 => weather(|now| (now.holds_requests, now.holds_answers) = (fastrand::bool(), true)),
                13 => weather(|now| now.cut_after = Some(b"COMMIT")),
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
    match fastrand::u32(..8) {
        0 => cluster.restart(0).await,
        1 => unsteady(cluster, 0),
        what @ 2..5 => {
            cluster.provider.set(match what {
                2 => weather(|now| now.down = true),
                3 => weather(|now| now.holds_answers = true),
                _ => weather(|now| (now.latency_ms, now.slice_bytes) = (fastrand::u64(1..500), Some(512))),
            });
            tokio::time::sleep(pause).await;
            cluster.provider.heal();
            Ok(())
        }
        _ => cluster.crash(0),
    }
}

/// From now on this process panics and stalls here and there.
fn unsteady(cluster: &mut Cluster, at: usize) -> Result<()> {
    let faults = "handler.before_effect=5%panic;status.before_commit=10%sleep(1500);relay.claimed=5%sleep(1500)";
    cluster.set(at, "FAILPOINTS", Some(faults));
    cluster.crash(at)
}
