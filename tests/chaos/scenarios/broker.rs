//! A broker that crashes, restarts, raises alarms, or whose topology somebody took apart.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lapin::{
    Connection, ConnectionProperties,
    options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};

use crate::{cluster::Cluster, harness::until};
use keyway_domain::Timestamp;

const ALARM: Duration = Duration::from_secs(6);

/// kill -9 under load, again and again; notes how long the longest return of the consumers took.
pub(crate) async fn killed(cluster: &mut Cluster) -> Result<u64> {
    let (load, mut longest) = (cluster.load(), Duration::ZERO);
    let rounds = cluster.rounds;
    for _ in 0..rounds {
        load.more(10).await?;
        cluster.keyway.services.own()?.1.kill().await?;
        // Commands are accepted without a broker.
        load.more(5).await?;
        cluster.keyway.services.own()?.1.start().await?;
        longest = longest.max(works_again(cluster).await?);
    }
    cluster.note = format!("jobs done again within {:.1} s", longest.as_secs_f64());
    load.stop().await?;
    Ok(rounds as u64)
}

/// kill -9 under load, and another broker in its place that knows nothing of what was confirmed before.
pub(crate) async fn replaced(cluster: &mut Cluster) -> Result<u64> {
    let (load, rounds) = (cluster.load(), cluster.rounds.div_ceil(4));
    for _ in 0..rounds {
        load.more(30).await?;
        let broker = cluster.keyway.services.own()?.1;
        broker.kill().await?;
        broker.start_empty().await?;
        works_again(cluster).await?;
    }
    load.stop().await?;
    Ok(rounds as u64)
}

/// Waits until an operation ends that was still open now; how long that took.
async fn works_again(cluster: &Cluster) -> Result<Duration> {
    let (begun, now) = (Instant::now(), Timestamp::now().ms());
    let database = cluster.keyway.database().await?;
    let ended = format!("SELECT COUNT(*) FROM operations WHERE finished_at_ms > {now}");
    until("an operation ends", async || Ok(database.number(&ended).await? > 0)).await?;
    Ok(begun.elapsed())
}

pub(crate) async fn restarted(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    let rounds = cluster.rounds.div_ceil(4);
    for _ in 0..rounds {
        load.more(10).await?;
        let broker = cluster.keyway.services.broker().context("a broker")?;
        broker.ctl(&["close_all_connections", "chaos"]).await?;
        load.more(10).await?;
        let broker = cluster.keyway.services.broker().context("a broker")?;
        broker.ctl(&["stop_app"]).await?;
        load.more(5).await?;
        let broker = cluster.keyway.services.broker().context("a broker")?;
        broker.ctl(&["start_app"]).await?;
        cluster.ready().await?;
    }
    load.stop().await?;
    Ok(2 * rounds as u64)
}

/// Queues and exchanges are deleted under load, and one is replaced by a queue that could lose messages.
pub(crate) async fn topology_gone(cluster: &mut Cluster) -> Result<u64> {
    let url = cluster.keyway.services.broker().context("a broker")?.amqp_url.clone();
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut faults = 0;
    for queue in ["keyway.verify", "keyway.status", "keyway.audit"] {
        let load = cluster.load();
        load.more(15).await?;
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
        load.stop().await?;
        work(cluster).await?;
        faults += 1;
    }
    for exchange in ["keyway.commands", "keyway.events", "keyway.dead", "keyway.invalidate"] {
        cluster.keyway.settle().await?;
        channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await?;
        work(cluster).await?;
        faults += 1;
    }
    cluster.keyway.settle().await?;
    for at in cluster.workers() {
        cluster.keyway.member(at).process.terminate()?;
        cluster.keyway.member(at).process.wait().await?;
    }
    channel.queue_delete("keyway.verify".into(), QueueDeleteOptions::default()).await?;
    channel.queue_declare("keyway.verify".into(), QueueDeclareOptions::default(), FieldTable::default()).await?;
    for at in cluster.workers() {
        cluster.keyway.respawn(at)?;
    }
    // Accepted and kept: nothing may be given to a queue that is not Keyway's.
    let load = cluster.load();
    load.more(20).await?;
    load.stop().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let wrong = channel.queue_declare("keyway.verify".into(), options, FieldTable::default()).await?;
    ensure!(wrong.message_count() == 0, "{} messages are in a queue that is not Keyway's", wrong.message_count());
    channel.queue_delete("keyway.verify".into(), QueueDeleteOptions::default()).await?;
    connection.close(200, "done".into()).await?;
    cluster.ready().await?;
    Ok(faults + 1)
}

async fn work(cluster: &Cluster) -> Result<()> {
    let load = cluster.load();
    load.more(15).await?;
    load.stop().await
}

/// Disk and memory alarms: commands are accepted, and everything flows again afterwards.
pub(crate) async fn alarms(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    for (raise, lower) in [
        (&["set_disk_free_limit", "9000GB"][..], &["set_disk_free_limit", "50MB"][..]),
        (&["set_vm_memory_high_watermark", "absolute", "1MB"], &["set_vm_memory_high_watermark", "0.4"]),
    ] {
        load.more(10).await?;
        cluster.keyway.services.broker().context("a broker")?.ctl(raise).await?;
        tokio::time::sleep(ALARM).await;
        load.more(10).await?;
        cluster.keyway.services.broker().context("a broker")?.ctl(lower).await?;
    }
    load.more(10).await?;
    load.stop().await?;
    Ok(2)
}
