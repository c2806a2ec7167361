//! Services that crash: what was accepted is done when they are back, what cannot be kept is refused,
//! and no process of Keyway ends.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use anyhow::{Context, Result, ensure};
use reqwest::Method;

use crate::{
    harness::{Api, Keyway, Services, metrics, text, until},
    session::ended,
};

/// Submissions while a service is away.
const MEANWHILE: usize = 20;
/// Accepted submissions that the database's crash has to happen among.
const BEFORE_AND_AFTER: usize = 25;

#[tokio::test]
async fn a_broker_that_is_away_delays_and_a_database_that_is_away_refuses() -> Result<()> {
    let mut keyway = Keyway::on(Services::private().await?).await?;
    keyway.run(&["migrate"])?;
    keyway.start("api").await?;
    keyway.start("workers").await?;
    let api = keyway.api()?.clone();

    let mut accepted = vec![submit(&keyway, &api, "first").await?.context("refused")?];
    ended(&api, &accepted[0]).await?;
    until("every lane is consumed", async || {
        let consumers = metrics::sum(&keyway.ops(1, "/metrics").await?.text, "keyway_lane_consumers")?;
        ensure!(consumers >= 6.0, "{consumers} consumers");
        Ok(true)
    })
    .await?;
    keyway.services.own()?.1.settle().await?;
    keyway.services.own()?.1.kill().await?;
    until("workers that nothing reaches are not ready", async || Ok(keyway.ops(1, "/readyz").await?.status == 503))
        .await?;
    keyway.ops(0, "/readyz").await?.expect(200)?;
    for at in 0..MEANWHILE {
        let operation = submit(&keyway, &api, &format!("without a broker {at}")).await?;
        accepted.push(operation.context("a submission was refused because the broker is away")?);
    }
    let row = api.get(&format!("/operations/{}", accepted[MEANWHILE])).await?;
    ensure!(row["state"] == "queued", "{row}");
    keyway.services.own()?.1.start().await?;
    all_succeed(&api, &accepted).await?;
    keyway.ready(1).await?;

    accepted.extend(submit_through_a_database_crash(&mut keyway, &api).await?);
    all_succeed(&api, &accepted).await?;
    let known = keyway.database().await?.number("SELECT COUNT(*) FROM integrations").await?;
    // A commit whose answer was lost is there without having been accepted; never the other way round.
    ensure!(known >= i64::try_from(accepted.len())?, "{} were accepted, {known} are there", accepted.len());
    for at in 0..keyway.members().len() {
        let ended = keyway.member(at).process.ended()?;
        ensure!(ended.is_none(), "a process ended because a service was away: {ended:?}");
    }
    keyway.finish().await
}

/// Submits without a pause while PostgreSQL is killed and started. The accepted operations.
async fn submit_through_a_database_crash(keyway: &mut Keyway, api: &Api) -> Result<Vec<String>> {
    let (away, refused, over) = (AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false));
    let database = match &keyway.services {
        Services::Private(database, _) => database,
        _ => anyhow::bail!("the database is shared"),
    };
    let (mut accepted, mut after) = (Vec::new(), 0);
    let load = async {
        while !over.load(SeqCst) || after < BEFORE_AND_AFTER {
            match submit(keyway, api, &format!("load {}", fastrand::u64(..))).await? {
                Some(operation) => {
                    after += usize::from(over.load(SeqCst));
                    accepted.push(operation);
                }
                None => refused.store(true, SeqCst),
            }
            if accepted.len() == BEFORE_AND_AFTER {
                away.store(true, SeqCst);
            }
        }
        anyhow::Ok(())
    };
    let crash = async {
        until("some submissions are accepted", async || Ok(away.load(SeqCst))).await?;
        database.kill().await?;
        let answer = keyway.ops(0, "/readyz").await?;
        ensure!(answer.status == 503, "ready without its database: {}", answer.text);
        keyway.ops(0, "/healthz").await?.expect(200)?;
        // A server that is back soon enough delays a submission and refuses none.
        until("a submission is refused", async || Ok(refused.load(SeqCst))).await?;
        database.revive().await?;
        over.store(true, SeqCst);
        Ok(())
    };
    tokio::try_join!(load, crash)?;
    Ok(accepted)
}

/// The operation, or nothing when it was refused for now. Any other answer is an error.
async fn submit(keyway: &Keyway, api: &Api, name: &str) -> Result<Option<String>> {
    let key = format!("sk-sim-good-{:016x}", fastrand::u64(..));
    let body = keyway.openai(name, &key);
    let answer = api.send(Method::POST, "/api/v1/integrations", Some(body), &[]).await?;
    if answer.status == 503 {
        ensure!(answer.body["error"]["code"] == "unavailable", "{}", answer.text);
        return Ok(None);
    }
    Ok(Some(text(&answer.expect(202)?, "/operation/id")?))
}

async fn all_succeed(api: &Api, operations: &[String]) -> Result<()> {
    for operation in operations {
        let row = ended(api, operation).await?;
        ensure!(row["state"] == "succeeded", "{row}");
    }
    Ok(())
}
