//! Google's official Python SDK, unmodified, against Keyway: its answers, and the agreement of the metered ledger with
//! the figures that the SDK got.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    harness::{Keyway, until},
    sdk::{python, ran, submitted},
};

const PACKAGE: &str = "google-genai==3.4.0";
const MODEL: &str = "gemini-2.5-flash";
/// A model for whose embeddings Google reports no token count.
const EMBEDDING_MODEL: &str = "gemini-embedding-001";
const COUNTED_EMBEDDING_MODEL: &str = "gemini-embedding-2";

#[tokio::test]
async fn googles_official_sdk_is_served_and_metered() -> Result<()> {
    // Before anything is connected: the installation takes longer than a server keeps an idle connection.
    let python = tokio::task::spawn_blocking(|| python(PACKAGE)).await??;
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?;
    let config = json!({ "base_url": format!("http://{}/v1beta", keyway.simulator.host()) });
    let new = json!({ "provider": "gemini", "name": "sdk", "credentials": "AIzaSim-good-sdk", "config": config });
    let key = submitted(api, [new]).await?;

    let url = format!("{}/proxy/gemini", api.root());
    let arguments = [&url, &key, MODEL, EMBEDDING_MODEL, COUNTED_EMBEDDING_MODEL];
    let report = ran(&python, "gemini_client.py", arguments).await?;
    let chat = report["chat"].as_array().context("chat")?;
    let told = |field: &str| chat.iter().filter_map(|call| call[field].as_i64()).sum::<i64>();
    let (input, cached, output) = (told("input"), told("cached"), told("output"));
    ensure!(chat.len() == 4 && input > cached && cached > 0 && output > 0, "{report}");
    let counted: i64 = report["embedded"].as_array().context("embedded")?.iter().filter_map(Value::as_i64).sum();
    ensure!(counted == 6, "{report}");

    until("the ledger says what the SDK was told", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        let row = |model| usage["items"].as_array()?.iter().find(|row| row["model"] == model);
        let figures = |model| -> Result<[Option<i64>; 4]> {
            let row = row(model).with_context(|| format!("no {model} yet: {usage}"))?;
            Ok(["requests", "input_tokens", "output_tokens", "cost_nano_usd"].map(|field| row[field].as_i64()))
        };
        // Dollars a million tokens in models.yaml: 0.3 in, 0.03 of it from the cache, 2.5 out; counting is free.
        let cost = (input - cached) * 300 + cached * 30 + output * 2500;
        let expected = [Some(4 + 2), Some(input), Some(output), Some(cost)];
        ensure!(figures(MODEL)? == expected, "{usage}, told {report}");
        let expected = [Some(2), Some(counted), Some(0), Some(counted * 200)];
        ensure!(figures(COUNTED_EMBEDDING_MODEL)? == expected, "{usage}, told {report}");
        ensure!(figures(EMBEDDING_MODEL)? == [Some(2), None, None, None], "unknown is not 0: {usage}");
        Ok(true)
    })
    .await?;
    keyway.finish().await
}
