//! A virtual key whose answers are kept: the same call again costs nothing, and is seen in the ledger as such.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::{
    harness::{Keyway, text, until},
    session::ended,
};

#[tokio::test]
async fn the_same_call_again_costs_nothing_and_is_in_the_ledger() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("prod", "sk-sim-good-cache"), 202).await?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    api.post("/virtual-keys", json!({ "name": "app", "cache_ttl_seconds": 0 }), 422).await?;
    let made = api.post("/virtual-keys", json!({ "name": "app", "cache_ttl_seconds": 600 }), 201).await?;
    ensure!(made["cache_ttl_seconds"] == 600, "{made}");
    let app = api.with_key(&text(&made, "/key")?);

    let mut answers = Vec::new();
    for said in ["miss", "hit", "hit"] {
        let messages = json!([{ "role": "user", "content": "the same every time" }]);
        let chat = json!({ "model": "gpt-4o-mini", "messages": messages });
        let answer = app.send(Method::POST, "/v1/chat/completions", Some(chat), &[]).await?;
        ensure!(answer.status == 200 && answer.header("x-keyway-cache") == Some(said), "{answer:?}");
        answers.push(answer.text);
    }
    answers.dedup();
    ensure!(answers.len() == 1, "{answers:?}");
    until("all three are metered", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        Ok(usage["items"][0]["requests"] == 3)
    })
    .await?;
    let database = keyway.database().await?;
    let cached = "SELECT COUNT(*) FROM metered_calls WHERE cached AND cost_nano_usd = 0 AND input_tokens = 0";
    ensure!(database.number(cached).await? == 2);
    ensure!(database.number("SELECT COUNT(*) FROM metered_calls WHERE NOT cached AND cost_nano_usd > 0").await? == 1);

    let path = format!("/api/v1/virtual-keys/{}", text(&made, "/id")?);
    let off = api.send(Method::PATCH, &path, Some(json!({ "cache_ttl_seconds": null })), &[]).await?;
    ensure!(off.expect(200)?["cache_ttl_seconds"].is_null());
    keyway.finish().await
}
