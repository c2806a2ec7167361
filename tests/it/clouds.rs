//! A cloud's credential through the whole product: refused by its field, sealed, verified, its costs in the
//! reported ledger, and never called through the proxy.

use anyhow::{Context, Result, ensure};
use keyway_testkit::replay::{Fixture, Replay};
use reqwest::Method;
use serde_json::json;

use crate::harness::{Keyway, Services, text, until};

const ID: &str = "AKIACANARY7H1SMU5TN3";
const SECRET: &str = "c4n4ryThi5MustN3v3rL34k/9876543210+VWXYZ";

#[tokio::test]
async fn an_access_key_is_verified_and_its_costs_are_reported() -> Result<()> {
    let cases = ["verify_ok", "cost_page1", "cost_page2_last"];
    let aws =
        Replay::start(cases.iter().map(|name| Fixture::load(&format!("aws/{name}"))).collect::<Result<_>>()?).await?;
    let mut keyway = Keyway::on(Services::Embedded).await?;
    keyway.set("KEYWAY_TRUSTED_UPSTREAMS", &aws.host);
    keyway.start("serve").await?;
    let api = keyway.api()?;

    let config = json!({ "base_url": aws.root });
    let integration =
        |credentials| json!({ "provider": "aws", "name": "costs", "credentials": credentials, "config": config });
    let refused = api.post("/integrations", integration(json!({ "access_key_id": ID })), 422).await?;
    let message = text(&refused, "/error/message")?;
    ensure!(message.contains("`secret_access_key` is missing") && !message.contains(ID), "{message}");
    ensure!(aws.received().is_empty(), "a credential without a secret was sent");

    let credentials = json!({ "access_key_id": ID, "secret_access_key": SECRET });
    let submitted = api.post("/integrations", integration(credentials), 202).await?;
    ensure!(text(&submitted, "/integration/hint")? == ID, "{submitted}");
    let path = format!("/integrations/{}", text(&submitted, "/integration/id")?);
    until("the key is verified", async || Ok(text(&api.get(&path).await?, "/status")? == "connected")).await?;

    api.post("/usage/fetch", json!({ "from": "2026-11-01T00:00:00Z", "to": "2026-11-04T00:00:00Z" }), 202).await?;
    until("the costs of both pages are in the ledger", async || {
        let usage = api.get("/usage?ledger=reported&group_by=provider&from=2026-11-01&to=2026-11-04").await?;
        let row = usage["items"].as_array().and_then(|items| items.first()).context("no costs yet")?;
        ensure!(row["provider"] == "aws" && row["cost_nano_usd"] == 1_247_097_890_i64, "{usage}");
        Ok(true)
    })
    .await?;
    let asked = aws.received();
    ensure!(asked.len() == cases.len(), "{asked:?}");
    ensure!(!format!("{asked:?}").contains(SECRET), "the secret itself was sent");

    let key = text(&api.post("/virtual-keys", json!({ "name": "app" }), 201).await?, "/key")?;
    let proxy = api.with_key(&key);
    let answer = proxy.send(Method::POST, "/proxy/aws/", Some(json!({})), &[]).await?;
    ensure!(answer.text.contains("only report usage"), "{}", answer.text);
    ensure!(aws.received().len() == cases.len(), "the proxy called");
    ensure!(!String::from_utf8_lossy(&api.seen().bodies).contains(SECRET), "the secret was answered");
    keyway.finish().await
}
