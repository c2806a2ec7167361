//! Processes that die, stall, stand still, or are asked to stop, while clients go on.

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use anyhow::{Result, ensure};
use keyway_testkit::fault_proxy::FaultProxy;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;

use crate::{
    cluster::{Cluster, weather},
    harness::{Api, until},
};

const KILLED: i32 = 9;
/// Longer than a relay's claim.
const STANDSTILL: Duration = Duration::from_secs(35);
const LOST_ANSWERS: usize = 12;

pub(crate) async fn killed_in_commands(cluster: &mut Cluster) -> Result<u64> {
    killed_at(cluster, &["command.before_commit", "command.after_commit"]).await
}

pub(crate) async fn killed_in_the_relay(cluster: &mut Cluster) -> Result<u64> {
    killed_at(cluster, &["relay.claimed", "relay.published"]).await
}

pub(crate) async fn killed_in_handlers(cluster: &mut Cluster) -> Result<u64> {
    killed_at(cluster, &["handler.before_effect", "handler.after_effect", "handler.after_publish"]).await
}

pub(crate) async fn killed_in_writers(cluster: &mut Cluster) -> Result<u64> {
    let points = ["status.before_commit", "status.after_commit", "audit.before_commit", "audit.after_commit"];
    killed_at(cluster, &points).await
}

/// Kills a process at each of the steps, at another passage each time.
async fn killed_at(cluster: &mut Cluster, points: &[&str]) -> Result<u64> {
    for (turn, point) in points.iter().enumerate() {
        let members = if point.starts_with("command") { cluster.listeners() } else { cluster.workers() };
        let at = members[turn % members.len()];
        let passages = fastrand::u32(0..12);
        cluster.set(at, "FAILPOINTS", Some(&format!("{point}={passages}*off->return")));
        cluster.crash(at)?;
        let load = cluster.load();
        let ended = cluster.keyway.member(at).process.wait().await?;
        ensure!(ended.signal() == Some(KILLED), "{point}: ended with {ended}");
        cluster.set(at, "FAILPOINTS", None);
        cluster.keyway.respawn(at)?;
        load.more(20).await?;
        load.stop().await?;
    }
    // The crash that put each failpoint in place is a fault too.
    Ok(2 * points.len() as u64)
}

/// Kills processes of both kinds, whatever they are doing.
pub(crate) async fn killed_at_random(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    let rounds = cluster.rounds;
    for _ in 0..rounds {
        load.more(fastrand::u64(5..30)).await?;
        let at = fastrand::usize(..cluster.keyway.members().len());
        cluster.crash(at)?;
    }
    load.more(20).await?;
    load.stop().await?;
    Ok(rounds as u64)
}

/// Handlers that panic, and steps that take seconds: neighbours go on, nothing is done twice.
pub(crate) async fn panics_and_stalls(cluster: &mut Cluster) -> Result<u64> {
    let faults =
        ["handler.before_effect=10%panic", "status.before_commit=20%sleep(1500)", "relay.claimed=5%sleep(1500)"];
    let workers = cluster.workers();
    for at in &workers {
        cluster.set(*at, "FAILPOINTS", Some(&faults.join(";")));
        cluster.crash(*at)?;
    }
    let load = cluster.load();
    load.more(80).await?;
    load.stop().await?;
    for at in &workers {
        cluster.set(*at, "FAILPOINTS", None);
        cluster.crash(*at)?;
    }
    Ok((faults.len() * workers.len()) as u64)
}

/// The client never hears the answer, and asks again with the same key.
pub(crate) async fn answers_lost(cluster: &mut Cluster) -> Result<u64> {
    let direct = cluster.keyway.api()?.apart();
    let address = direct.root().trim_start_matches("http://").parse()?;
    let link = FaultProxy::start(address).await?;
    for _ in 0..LOST_ANSWERS {
        let deaf = Api::new(format!("http://{}", link.address), &cluster.keyway.admin_key)?;
        let kind = cluster.ledger.kind();
        let (name, credentials) = cluster.ledger.fresh(kind);
        let config = json!({ "base_url": cluster.base_url() });
        let body = json!({ "provider": "openai", "name": name, "credentials": credentials, "config": config });
        let key = format!("{:032x}", fastrand::u128(..));
        let headers = [("idempotency-key", key.as_str())];
        let path = "/api/v1/integrations";
        link.set(weather(|now| now.holds_answers = true));
        let lost = tokio::time::timeout(
            Duration::from_millis(fastrand::u64(1..80)),
            deaf.send(Method::POST, path, Some(body.clone()), &headers),
        );
        ensure!(!matches!(lost.await, Ok(Ok(_))), "an answer came through");
        link.reset();
        let mut again = None;
        until("the request is answered", async || {
            let answer = direct.send(Method::POST, path, Some(body.clone()), &headers).await?;
            // The first one is still under way.
            ensure!(answer.status != 409, "{}", answer.text);
            again = Some(answer.expect(202)?);
            Ok(true)
        })
        .await?;
        let again = again.unwrap_or_default();
        let once_more = direct.send(Method::POST, path, Some(body), &headers).await?.expect(202)?;
        ensure!(once_more["integration"]["id"] == again["integration"]["id"], "another answer: {once_more}");
        cluster.ledger.submitted(kind, &again)?;
    }
    Ok(LOST_ANSWERS as u64)
}

/// A worker is paused for longer than its claims and its connections live.
pub(crate) async fn stands_still(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    load.more(20).await?;
    let workers = cluster.workers();
    cluster.keyway.member(workers[0]).process.signal(Signal::STOP)?;
    tokio::time::sleep(STANDSTILL).await;
    cluster.keyway.member(workers[0]).process.signal(Signal::CONT)?;
    load.more(20).await?;
    load.stop().await?;
    Ok(1)
}

/// Everything is down; the processes come first, and wait.
pub(crate) async fn started_first(cluster: &mut Cluster) -> Result<u64> {
    cluster.keyway.stop().await?;
    let (database, broker) = cluster.keyway.services.own()?;
    broker.kill().await?;
    database.kill().await?;
    for at in 0..cluster.keyway.members().len() {
        cluster.keyway.respawn(at)?;
    }
    for at in 0..cluster.keyway.members().len() {
        until("it is alive without its services", async || {
            let alive = cluster.keyway.ops(at, "/healthz").await?.status == 200;
            Ok(alive && cluster.keyway.ops(at, "/readyz").await?.status == 503)
        })
        .await?;
    }
    cluster.keyway.services.own()?.0.revive().await?;
    let load = cluster.load();
    load.more(20).await?;
    cluster.keyway.services.own()?.1.start().await?;
    cluster.ready().await?;
    load.stop().await?;
    Ok(2)
}

/// Asks each process in turn to stop under load; each must end well.
pub(crate) async fn terminated(cluster: &mut Cluster) -> Result<u64> {
    let load = cluster.load();
    let members = cluster.keyway.members().len();
    for at in 0..members {
        load.more(15).await?;
        cluster.keyway.member(at).process.terminate()?;
        let ended = cluster.keyway.member(at).process.wait().await?;
        ensure!(ended.success(), "ended with {ended}");
        cluster.keyway.respawn(at)?;
    }
    load.more(15).await?;
    load.stop().await?;
    Ok(members as u64)
}
