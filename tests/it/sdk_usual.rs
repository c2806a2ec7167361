//! The official Python SDKs doing what applications usually do: tools, files, pictures, sound, batches, calls at once,
//! and realtime sessions over a WebSocket; unmodified, but for where they call and with which key.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    harness::{Api, Keyway, until},
    sdk::{python, ran, submitted},
};

const OPENAI: &str = "openai[realtime]==3.52.0";
const ANTHROPIC: &str = "anthropic==2.11.0";
const GOOGLE: &str = "google-genai==3.4.0";
const GEMINI_KEY: &str = "AIzaSim-good-usual";

#[tokio::test]
async fn what_applications_usually_do_with_openais_sdk_works_unmodified() -> Result<()> {
    let model = "gpt-4o-mini";
    let python = tokio::task::spawn_blocking(|| python(OPENAI)).await??;
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?;
    let key = submitted(api, [keyway.openai("sdk", "sk-sim-good-usual")]).await?;
    let (url, routed_url) = (format!("{}/proxy/openai/v1", api.root()), format!("{}/v1", api.root()));
    let told = ran(&python, "openai_usual.py", [url.as_str(), &routed_url, &key, model]).await?;
    ensure!(told["requests"] == 29, "{told}");
    metered(api, model, &told).await?;
    keyway.finish().await
}

#[tokio::test]
async fn what_applications_usually_do_with_anthropics_sdk_works_unmodified() -> Result<()> {
    let model = "claude-sonnet-4-6";
    let python = tokio::task::spawn_blocking(|| python(ANTHROPIC)).await??;
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?;
    let config = json!({ "base_url": keyway.simulator.base_url });
    let new =
        json!({ "provider": "anthropic", "name": "sdk", "credentials": "sk-ant-sim-good-usual", "config": config });
    let key = submitted(api, [new]).await?;
    let url = format!("{}/proxy/anthropic", api.root());
    let told = ran(&python, "anthropic_usual.py", [url.as_str(), &key, model]).await?;
    ensure!(told["requests"] == 25 && told["calls"] == 35, "{told}");
    metered(api, model, &told).await?;
    keyway.finish().await
}

#[tokio::test]
async fn what_applications_usually_do_with_googles_sdk_works_unmodified() -> Result<()> {
    let model = "gemini-2.5-flash";
    let python = tokio::task::spawn_blocking(|| python(GOOGLE)).await??;
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?;
    let config = json!({ "base_url": format!("http://{}/v1beta", keyway.simulator.host()) });
    let new = json!({ "provider": "gemini", "name": "sdk", "credentials": GEMINI_KEY, "config": config });
    let key = submitted(api, [new]).await?;
    let url = format!("{}/proxy/gemini", api.root());
    let told = ran(&python, "gemini_usual.py", [url.as_str(), &key, model]).await?;
    ensure!(told["requests"] == 29 && told["calls"] == 34, "{told}");
    metered(api, model, &told).await?;
    // An upload is begun through Keyway. Its bytes go to the address that the provider named, without any key.
    let path = "/upload/v1/files";
    ensure!((keyway.simulator.calls(GEMINI_KEY, path), keyway.simulator.calls("", path)) == (1, 1), "uploads");
    let sent: Vec<u8> = (0..=255).cycle().take(256 * 12_000).collect();
    ensure!(keyway.simulator.last_body("", path) == Some(sent), "the bytes of a file are its own");
    keyway.finish().await
}

/// Waits until the ledger says what the SDK was told of this model, and has as many calls as it made.
async fn metered(api: &Api, model: &str, told: &Value) -> Result<()> {
    until("the ledger says what the SDK was told", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        let items = usage["items"].as_array().context("items")?;
        let row = items.iter().find(|row| row["model"] == model).with_context(|| format!("none yet: {usage}"))?;
        for (told_as, kept_as) in [("requests", "requests"), ("input", "input_tokens"), ("output", "output_tokens")] {
            ensure!(row[kept_as] == told[told_as], "{row}, told {told}");
        }
        let calls: i64 = items.iter().filter_map(|row| row["requests"].as_i64()).sum();
        ensure!(told["calls"].as_i64().is_none_or(|made| made == calls), "{usage}, told {told}");
        Ok(true)
    })
    .await
}
