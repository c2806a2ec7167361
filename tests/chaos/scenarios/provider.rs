//! A provider that limits, fails, breaks off, lies, is slow, or is not there.

use std::time::Duration;

use anyhow::{Result, ensure};
use keyway_testkit::simulator::{Fault, Script};
use serde_json::json;

use crate::{
    application::{Application, call},
    cluster::{Cluster, base_url, weather},
    harness::{Api, until},
    ledger::KINDS,
};

const OUTAGE: Duration = Duration::from_secs(4);
/// Keys that meet one and the same fault at a time: so few that their host is not left alone for it.
const KEYS: usize = 4;
/// Memory by which a process may grow while it is sent lies.
const GROWTH_BYTES: f64 = 96e6;

/// Every key meets a wrong answer before the right one.
pub(crate) async fn answers_badly(cluster: &mut Cluster) -> Result<u64> {
    meet(cluster, &[Fault::RateLimited, Fault::ServerError, Fault::Cut]).await
}

/// Answers that are not what they say, too much of them, and the way to somebody else.
pub(crate) async fn lies(cluster: &mut Cluster) -> Result<u64> {
    let before = cluster.resident_bytes().await?;
    let called = cluster.elsewhere.connections();
    cluster.keyway.simulator.redirect_to(format!("{}/models", base_url(&cluster.elsewhere)));
    let lies = [Fault::Html, Fault::Truncated, Fault::GzipBomb, Fault::HugeHeader, Fault::Endless, Fault::Redirect];
    let verified = meet(cluster, &lies).await?;
    let application = Application::start(cluster).await?;
    let apis: Vec<Api> = cluster.keyway.apis().cloned().collect();
    let (_, key) = application.virtual_key(&apis[0]).await?;
    for api in &apis {
        let script =
            Script { key: application.credentials.clone(), fault: Fault::Redirect, times: Some(1), latency_ms: 0 };
        cluster.keyway.simulator.script(script);
        let led = call(&api.with_key(&key)).await?;
        ensure!(led.status >= 300, "a redirect was answered {}", led.status);
    }
    ensure!(cluster.elsewhere.connections() == called, "somebody was led elsewhere");
    let grown = cluster.resident_bytes().await? - before;
    ensure!(grown < GROWTH_BYTES, "a process grew by {:.0} MB", grown / 1e6);
    cluster.note = format!("no process grew by more than {:.0} MB", grown.max(0.0) / 1e6);
    Ok(verified + apis.len() as u64)
}

/// Some keys at a time meet a fault each; the next come when these are verified.
async fn meet(cluster: &Cluster, faults: &[Fault]) -> Result<u64> {
    let api = cluster.keyway.api()?.apart();
    for fault in faults {
        let mut submitted = Vec::new();
        for _ in 0..KEYS {
            let (name, key) = cluster.ledger.fresh(KINDS[0]);
            cluster.keyway.simulator.script(Script { key: key.clone(), fault: *fault, times: Some(1), latency_ms: 0 });
            let config = json!({ "base_url": cluster.base_url() });
            let body = json!({ "provider": "openai", "name": name, "credentials": key, "config": config });
            submitted.push(cluster.ledger.submitted(KINDS[0], &api.post("/integrations", body, 202).await?)?);
        }
        for id in submitted {
            until(&format!("a key that met {fault:?} is verified"), async || {
                Ok(api.get(&format!("/integrations/{id}")).await?["status"] == KINDS[0].status)
            })
            .await?;
        }
    }
    Ok((KEYS * faults.len()) as u64)
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
