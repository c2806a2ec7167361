//! While too much waits in the outbox, new work is refused and everything else goes on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use keyway_api::OutboxLimits;
use keyway_telemetry::metrics;
use keyway_testkit::postgres::TestDatabase;
use reqwest::Method;
use serde_json::json;

use crate::fixture::{Api, KEY, Options, Reply, send};

/// Every command that starts work, on an integration and an operation that failed.
async fn start_work(api: &Api, integration: &str, operation: &str) -> Result<Vec<Reply>> {
    let new = json!({ "provider": "openai", "name": "new", "credentials": KEY.replace("wxyz", "0002") });
    let with_key =
        json!({ "name": "acme", "base_url": "https://api.acme.dev/v1", "api_key": KEY.replace("wxyz", "0004") });
    let path = format!("/api/v1/integrations/{integration}");
    Ok(vec![
        api.post("/api/v1/integrations", new).await?,
        send(api.request(Method::POST, &format!("{path}/test"))).await?,
        api.put(&format!("{path}/credentials"), json!({ "credentials": KEY.replace("wxyz", "0003") })).await?,
        api.post("/api/v1/usage/fetch", json!({})).await?,
        api.post("/api/v1/providers", with_key).await?,
        api.put("/api/v1/providers/openai", json!({ "api_key": KEY.replace("wxyz", "0005") })).await?,
        send(api.request(Method::POST, &format!("/api/v1/operations/{operation}/retry"))).await?,
    ])
}

/// Waits until a command that starts work is answered with this status.
async fn until_answered(api: &Api, integration: &str, status: u16) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let reply = send(api.request(Method::POST, &format!("/api/v1/integrations/{integration}/test"))).await?;
        if reply.status == status {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "still answered {}", reply.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn refused(reason: &str) -> u64 {
    metrics().commands_refused.with_label_values(&[reason]).get()
}

async fn overloaded(database: TestDatabase, limits: OutboxLimits, fill: &str, reason: &str) -> Result<()> {
    let api = Api::start(database, Options { outbox: limits, ..Options::usual()? }).await?;
    let first = json!({ "provider": "openai", "name": "first", "credentials": KEY });
    let submit = async || {
        send(api.request(Method::POST, "/api/v1/integrations").header("idempotency-key", "k").json(&first)).await
    };
    let accepted = submit().await?.expect(202)?;
    let (integration, operation) = (accepted.text_at("/integration/id"), accepted.text_at("/operation/id"));
    api.execute("UPDATE operations SET state = 'failed'").await?;
    api.execute(fill).await?;
    until_answered(&api, integration, 503).await?;
    let (rows, before) = (api.number("SELECT count(*) AS n FROM outbox").await?, refused(reason));
    for reply in start_work(&api, integration, operation).await? {
        ensure!(reply.header("retry-after") == "10", "{:?}", reply.headers);
        reply.expect_error(503, "overloaded")?;
    }
    ensure!(refused(reason) == before + 7);
    ensure!(api.number("SELECT count(*) AS n FROM outbox").await? == rows, "a refused command wrote something");
    // What was accepted is answered as it was, and nothing but new work is refused.
    ensure!(submit().await?.expect(202)?.text_at("/integration/id") == integration);
    api.get(&format!("/api/v1/integrations/{integration}")).await?.expect(200)?;
    api.get("/api/v1/operations").await?.expect(200)?;
    api.patch(&format!("/api/v1/integrations/{integration}"), json!({ "name": "renamed" })).await?.expect(200)?;
    let project = api.post("/api/v1/projects", json!({ "name": "shop" })).await?.expect(201)?;
    api.delete(&format!("/api/v1/projects/{}", project.text_at("/id"))).await?.expect(204)?;
    api.execute("DELETE FROM outbox").await?;
    until_answered(&api, integration, 202).await.context("once the outbox is empty")?;
    api.delete(&format!("/api/v1/integrations/{integration}")).await?.expect(204)?;
    Ok(())
}

const OLD: &str = "UPDATE outbox SET available_at_ms = 1";
const NOTHING: &str = "DELETE FROM outbox WHERE 1 = 0";

const fn deep() -> OutboxLimits {
    OutboxLimits { max_rows: 3, max_age: Duration::from_secs(3600) }
}

const fn old() -> OutboxLimits {
    OutboxLimits { max_rows: 1_000_000, max_age: Duration::from_secs(3600) }
}

#[tokio::test]
async fn a_deep_outbox_refuses_new_work_only_on_postgres() -> Result<()> {
    overloaded(TestDatabase::postgres().await?, deep(), NOTHING, "outbox_rows").await
}

#[tokio::test]
async fn a_deep_outbox_refuses_new_work_only_on_sqlite() -> Result<()> {
    overloaded(TestDatabase::sqlite()?, deep(), NOTHING, "outbox_rows").await
}

#[tokio::test]
async fn an_old_outbox_refuses_new_work_only_on_postgres() -> Result<()> {
    overloaded(TestDatabase::postgres().await?, old(), OLD, "outbox_age").await
}

#[tokio::test]
async fn an_old_outbox_refuses_new_work_only_on_sqlite() -> Result<()> {
    overloaded(TestDatabase::sqlite()?, old(), OLD, "outbox_age").await
}
