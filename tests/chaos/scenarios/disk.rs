//! Full disks: that of PostgreSQL, and that of the processes' files: embedded database, spool and logs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::{
    application::{Application, call},
    cluster::Cluster,
    disk::Disk,
    harness::until,
};

const FULL: Duration = Duration::from_secs(8);
const PACE: Duration = Duration::from_millis(100);
/// Time limit for a refusal.
const ANSWERED: Duration = Duration::from_secs(20);

/// Not a byte fits in any process's directory: what needs none goes on, the rest is refused, no process ends.
pub(crate) async fn of_processes(cluster: &mut Cluster) -> Result<u64> {
    cluster.keyway.stop().await?;
    cluster.disk = Some(Disk::under(&cluster.keyway.dir)?);
    start_all(cluster).await?;
    let application = Application::start(cluster).await?;
    let api = cluster.keyway.api()?.apart();
    let app = api.with_key(&application.virtual_key(&api).await?.1);
    let (load, mut refused) = (cluster.load(), 0);
    for _ in 0..2 {
        load.more(20).await?;
        // A call is written down before it is made: where one was, there is room for the next when nothing else fits.
        let status = call(&app).await?.status;
        ensure!(status == 200, "a call was answered {status} while there was room");
        cluster.disk()?.fill()?;
        for _ in 0..10 {
            let status = call(&app).await?.status;
            ensure!(matches!(status, 200 | 503), "a call was answered {status} while the disk was full");
        }
        refused += submit_while_full(cluster).await?;
        cluster.disk()?.free()?;
    }
    // An embedded database is on the same disk.
    ensure!(cluster.links.is_some() || refused > 0, "nothing was refused while the disk was full");
    load.more(20).await?;
    load.stop().await?;
    until("every call is metered once", async || {
        let (made, metered) = application.metered(cluster).await?;
        ensure!(made == metered, "{made} calls were made, {metered} are metered");
        Ok(made > 0)
    })
    .await?;
    cluster.note = format!("{refused} refused clearly");
    cluster.keyway.stop().await?;
    cluster.disk.take().context("the disk")?.leave()?;
    start_all(cluster).await?;
    Ok(2)
}

/// PostgreSQL's disk is full: commands are refused, and when there is room again everything goes on.
pub(crate) async fn of_the_database(cluster: &mut Cluster) -> Result<u64> {
    let (database, _) = cluster.keyway.services.own()?;
    let data = database.directory().join("data");
    database.kill().await?;
    cluster.disk = Some(Disk::under(&data)?);
    cluster.keyway.services.own()?.0.revive().await?;
    cluster.ready().await?;
    let (load, mut refused) = (cluster.load(), 0);
    for _ in 0..2 {
        load.more(20).await?;
        cluster.disk()?.fill()?;
        refused += submit_while_full(cluster).await?;
        cluster.disk()?.free()?;
        until("PostgreSQL serves again", async || {
            // A server that finds no room to recover from its crash gives up; whoever runs it starts it again.
            if !data.join("postmaster.pid").exists() {
                cluster.keyway.services.own()?.0.revive().await?;
            }
            cluster.keyway.database().await?.number("SELECT COUNT(*) FROM tenants").await.map(|_| true)
        })
        .await?;
        cluster.ready().await?;
    }
    ensure!(refused > 0, "nothing was refused while the database's disk was full");
    load.more(20).await?;
    load.stop().await?;
    cluster.note = format!("{refused} refused clearly");
    cluster.keyway.services.own()?.0.kill().await?;
    cluster.disk.take().context("the disk")?.leave()?;
    cluster.keyway.services.own()?.0.revive().await?;
    cluster.ready().await?;
    Ok(2)
}

/// Checks that every submission is accepted, or refused in time with a remedy; returns the number of refusals.
async fn submit_while_full(cluster: &Cluster) -> Result<u64> {
    let (api, begun) = (cluster.keyway.api()?.apart(), Instant::now());
    let mut refused = 0;
    while begun.elapsed() < FULL {
        let (kind, asked) = (cluster.ledger.kind(), Instant::now());
        let (name, credentials) = cluster.ledger.fresh(kind);
        let config = json!({ "base_url": cluster.base_url() });
        let body = json!({ "provider": "openai", "name": name, "credentials": credentials, "config": config });
        let answer = api.send(Method::POST, "/api/v1/integrations", Some(body), &[]).await?;
        ensure!(asked.elapsed() < ANSWERED, "an answer took {:?}", asked.elapsed());
        match answer.status {
            202 => drop(cluster.ledger.submitted(kind, &answer.body)?),
            503 => {
                ensure!(answer.body["error"]["code"] == "unavailable", "refused with {}", answer.text);
                ensure!(answer.header("retry-after").is_some(), "refused without a word on when to come again");
                cluster.ledger.unanswered(None);
                refused += 1;
            }
            status => anyhow::bail!("a submission was answered {status}: {}", answer.text),
        }
        tokio::time::sleep(PACE).await;
    }
    Ok(refused)
}

async fn start_all(cluster: &mut Cluster) -> Result<()> {
    for at in 0..cluster.keyway.members().len() {
        cluster.keyway.respawn(at)?;
    }
    cluster.ready().await.map(drop)
}
