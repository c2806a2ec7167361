//! A provider that limits, fails, breaks off, lies, is slow, or is not there.

use std::time::Duration;

use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use keyway_testkit::simulator::{Fault, Script};
use serde_json::json;

use crate::{
    cluster::{Cluster, weather},
    ledger::KINDS,
};

const OUTAGE: Duration = Duration::from_secs(4);
/// Answers that go wrong before one is right, for each key.
const WRONG: u32 = 2;

/// Every key meets wrong answers before the right one.
pub(crate) async fn answers_badly(cluster: &mut Cluster) -> Result<u64> {
    let faults = [Fault::RateLimited, Fault::ServerError, Fault::Html, Fault::Truncated, Fault::Cut, Fault::Redirect];
    let submissions = faults.iter().cycle().take(5 * faults.len()).map(|fault| {
        let (kind, cluster) = (KINDS[0], &*cluster);
        let (name, key) = cluster.ledger.fresh(kind);
        // A provider that limits says when to come again, which is later than any other retry.
        let times = if *fault == Fault::RateLimited { 1 } else { WRONG };
        cluster.keyway.simulator.script(Script { key: key.clone(), fault: *fault, times: Some(times), latency_ms: 0 });
        let config = json!({ "base_url": cluster.base_url() });
        let body = json!({ "provider": "openai", "name": name, "credentials": key, "config": config });
        async move {
            let answer = cluster.keyway.api()?.post("/integrations", body, 202).await?;
            cluster.ledger.submitted(kind, &answer)?;
            anyhow::Ok(u64::from(times))
        }
    });
    stream::iter(submissions).buffer_unordered(4).try_fold(0, |sum, faults| async move { Ok(sum + faults) }).await
}

/// The link to the provider is cut and flaps.
pub(crate) async fn unreachable(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    load.more(10).await?;
    cluster.provider.set(weather(|now| now.down = true));
    tokio::time::sleep(OUTAGE).await;
    cluster.provider.heal();
    for _ in 0..10 {
        load.more(3).await?;
        cluster.provider.reset();
    }
    load.stop().await?;
    Ok(cluster.provider.cut())
}

/// Answers come late and in small pieces, or stay away for a while.
pub(crate) async fn slow(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    for now in [
        weather(|now| now.latency_ms = 700),
        weather(|now| (now.slice_bytes, now.bytes_per_second) = (Some(16), Some(800))),
        weather(|now| now.holds_answers = true),
    ] {
        cluster.provider.set(now);
        load.more(20).await?;
        tokio::time::sleep(OUTAGE).await;
        cluster.provider.heal();
    }
    load.stop().await?;
    Ok(3)
}
