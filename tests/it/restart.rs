//! Starting, stopping and dying: in any order, at any moment.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use keyway_testkit::simulator::{Fault, Script};
use reqwest::Method;
use serde_json::json;

use crate::{
    harness::{Keyway, Services, text, until},
    session::ended,
};

const ROUNDS: usize = 4;
const PER_ROUND: usize = 6;

#[tokio::test]
async fn an_embedded_process_killed_right_after_accepting_loses_nothing() -> Result<()> {
    let mut keyway = Keyway::embedded().await?;
    let api = keyway.api()?.clone();
    let mut accepted = BTreeMap::new();
    for round in 0..ROUNDS {
        for at in 0..PER_ROUND {
            let (word, verdict) = if at % 3 == 2 { ("revoked", "invalid") } else { ("good", "valid") };
            let body = keyway.openai(&format!("{round}/{at}"), &format!("sk-sim-{word}-restart-{round}-{at}"));
            let answer = api.post("/integrations", body, 202).await?;
            accepted.insert(text(&answer, "/integration/id")?, (text(&answer, "/operation/id")?, verdict));
        }
        keyway.member(0).process.kill()?;
        keyway.respawn(0)?;
        keyway.ready(0).await?;
    }
    for (integration, (operation, verdict)) in &accepted {
        let operation = ended(&api, operation).await?;
        ensure!(operation["state"] == "succeeded", "{operation}");
        let row = api.get(&format!("/integrations/{integration}")).await?;
        ensure!(row["verdict"]["kind"] == *verdict, "{row}");
    }
    let created = "FROM audit_events WHERE action = 'integration.created'";
    let database = keyway.database().await?;
    until("every creation is in the audit log, once", async || {
        let all = database.number(&format!("SELECT COUNT(*) {created}")).await?;
        let distinct = database.number(&format!("SELECT COUNT(DISTINCT target) {created}")).await?;
        ensure!(all == i64::try_from(accepted.len())? && distinct == all, "{all}, {distinct} of them distinct");
        Ok(true)
    })
    .await?;
    keyway.finish().await
}

#[tokio::test]
async fn a_call_that_was_answered_is_metered_although_the_process_dies() -> Result<()> {
    let mut keyway = Keyway::embedded().await?;
    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("prod", "sk-sim-good-metered"), 202).await?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    let app = api.with_key(&text(&api.post("/virtual-keys", json!({ "name": "app" }), 201).await?, "/key")?);
    let chat = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "count me" }] });
    for _ in 0..5 {
        app.send(Method::POST, "/v1/chat/completions", Some(chat.clone()), &[]).await?.expect(200)?;
    }
    let metrics = async || crate::harness::metrics::sum(&keyway.ops(0, "/metrics").await?.text, "keyway_spooled_total");
    until("the records are in the spool's file", async || Ok(metrics().await? >= 5.0)).await?;
    keyway.member(0).process.kill()?;
    keyway.respawn(0)?;
    keyway.ready(0).await?;
    until("all calls are in the ledger", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        ensure!(usage["items"][0]["requests"] == 5, "{usage}");
        Ok(true)
    })
    .await?;
    keyway.finish().await
}

#[tokio::test]
async fn sigterm_lets_what_was_begun_end() -> Result<()> {
    let mut keyway = Keyway::embedded().await?;
    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("prod", "sk-sim-good-drain"), 202).await?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    let app = api.with_key(&text(&api.post("/virtual-keys", json!({ "name": "app" }), 201).await?, "/key")?);
    let slow = Script { key: "sk-sim-good-drain".into(), fault: Fault::None, times: None, latency_ms: 2000 };
    keyway.simulator.script(slow);

    let chat = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "finish me" }] });
    let call = app.send(Method::POST, "/v1/chat/completions", Some(chat), &[]);
    let stop = async {
        let path = "/v1/chat/completions";
        until("the call is at the provider", async || Ok(keyway.simulator.calls("sk-sim-good-drain", path) == 1))
            .await?;
        keyway.stop().await
    };
    let (answer, stopped) = tokio::join!(call, stop);
    answer?.expect(200)?;
    stopped?;
    ensure!(api.get("/projects").await.is_err(), "it still answers");

    keyway.respawn(0)?;
    keyway.ready(0).await?;
    until("the call is in the ledger", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        Ok(usage["items"][0]["requests"] == 1)
    })
    .await?;
    keyway.finish().await
}

#[tokio::test]
async fn two_processes_never_share_a_data_directory() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let second = keyway.run_any(&["serve"])?;
    let said = String::from_utf8_lossy(&second.stderr);
    ensure!(!second.status.success() && said.contains("another keyway serve uses"), "{said}");
    keyway.ops(0, "/readyz").await?.expect(200)?;
    keyway.finish().await
}

#[tokio::test]
async fn processes_wait_for_the_schema_and_migrations_wait_for_each_other() -> Result<()> {
    let mut keyway = Keyway::on(Services::shared().await?).await?;
    let (listener, workers) = (keyway.spawn("api")?, keyway.spawn("workers")?);
    for at in [listener, workers] {
        until("it is alive without a schema", async || Ok(keyway.ops(at, "/healthz").await?.status == 200)).await?;
        keyway.ops(at, "/readyz").await?.expect(503)?;
    }
    std::thread::scope(|scope| {
        let both = [scope.spawn(|| keyway.run(&["migrate"])), scope.spawn(|| keyway.run(&["migrate"]))];
        both.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("panicked"))?.map(drop))
    })?;
    for at in [listener, workers] {
        keyway.ready(at).await?;
    }
    let api = keyway.api()?;
    let accepted = api.post("/integrations", keyway.openai("prod", "sk-sim-good-order"), 202).await?;
    let operation = ended(api, &text(&accepted, "/operation/id")?).await?;
    ensure!(operation["state"] == "succeeded", "{operation}");
    keyway.finish().await
}

/// A provider that never answers holds a job at most as long as a stop may take; the job is done later.
#[tokio::test]
async fn a_stop_does_not_wait_for_a_provider_that_hangs() -> Result<()> {
    let mut keyway = Keyway::on(Services::Embedded).await?;
    keyway.set("KEYWAY_DRAIN_SECONDS", "1");
    keyway.start("serve").await?;
    let api = keyway.api()?.clone();
    let key = "sk-sim-hang-1";
    let accepted = api.post("/integrations", keyway.openai("prod", key), 202).await?;
    until("the probe hangs", async || Ok(keyway.simulator.calls(key, "/v1/models") == 1)).await?;
    keyway.member(0).process.terminate()?;
    tokio::time::timeout(Duration::from_secs(30), keyway.member(0).process.wait())
        .await
        .context("it does not stop")??;
    keyway.simulator.script(Script { key: key.into(), fault: Fault::None, times: None, latency_ms: 0 });
    keyway.respawn(0)?;
    let operation = ended(&api, &text(&accepted, "/operation/id")?).await?;
    ensure!(operation["state"] == "succeeded" && operation["attempt"] == 1, "{operation}");
    keyway.finish().await
}
