//! The official Python SDKs in common use: tools, files, images, audio, batches, concurrent calls, and realtime
//! sessions over a WebSocket; unmodified, except for base URL and key.

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
    let new = |keyway: &Keyway| keyway.openai("sdk", "sk-sim-good-usual");
    let bases = ["/proxy/openai/v1", "/v1"];
    let (keyway, told) = done(OPENAI, "openai_usual.py", "gpt-4o-mini", new, &bases).await?;
    ensure!(told["requests"] == 29, "{told}");
    keyway.finish().await
}

#[tokio::test]
async fn what_applications_usually_do_with_anthropics_sdk_works_unmodified() -> Result<()> {
    let new = |keyway: &Keyway| {
        let config = json!({ "base_url": keyway.simulator.base_url });
        json!({ "provider": "anthropic", "name": "sdk", "credentials": "sk-ant-sim-good-usual", "config": config })
    };
    let bases = ["/proxy/anthropic"];
    let (keyway, told) = done(ANTHROPIC, "anthropic_usual.py", "claude-sonnet-4-6", new, &bases).await?;
    ensure!(told["requests"] == 25 && told["calls"] == 35, "{told}");
    keyway.finish().await
}

#[tokio::test]
async fn what_applications_usually_do_with_googles_sdk_works_unmodified() -> Result<()> {
    let new = |keyway: &Keyway| {
        let config = json!({ "base_url": format!("http://{}/v1beta", keyway.simulator.host()) });
        json!({ "provider": "gemini", "name": "sdk", "credentials": GEMINI_KEY, "config": config })
    };
    let bases = ["/proxy/gemini"];
    let (keyway, told) = done(GOOGLE, "gemini_usual.py", "gemini-2.5-flash", new, &bases).await?;
    ensure!(told["requests"] == 29 && told["calls"] == 34, "{told}");
    // An upload is begun through Keyway. Its bytes go to the address that the provider named, without any key.
    let path = "/upload/v1/files";
    ensure!((keyway.simulator.calls(GEMINI_KEY, path), keyway.simulator.calls("", path)) == (1, 1), "uploads");
    let sent: Vec<u8> = (0..=255).cycle().take(256 * 12_000).collect();
    ensure!(keyway.simulator.last_body("", path) == Some(sent), "the bytes of a file are its own");
    keyway.finish().await
}

/// Runs a script against a Keyway with one integration, told where (`bases`) and with which key, and waits until the
/// ledger says what it was told. Returns what it reports.
async fn done(
    package: &'static str,
    script: &str,
    model: &str,
    integration: impl FnOnce(&Keyway) -> Value,
    bases: &[&str],
) -> Result<(Keyway, Value)> {
    // Before anything is connected: the installation takes longer than a server keeps an idle connection.
    let python = tokio::task::spawn_blocking(move || python(package)).await??;
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?;
    let key = submitted(api, [integration(&keyway)]).await?;
    let urls: Vec<_> = bases.iter().map(|base| format!("{}{base}", api.root())).collect();
    let arguments = urls.iter().map(String::as_str).chain([key.as_str(), model]);
    let told = ran(&python, script, arguments).await?;
    metered(api, model, &told).await?;
    Ok((keyway, told))
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
