//! The official `openai` Python SDK, unmodified, against Keyway: its answers, and the agreement of the metered ledger
//! with the figures that the SDK got.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
pub(crate) use keyway_testkit::python::python;
use serde_json::{Value, json};

use crate::harness::{Api, Keyway, text, until};

const PACKAGE: &str = "openai==3.52.0";
const MODEL: &str = "gpt-4o-mini";
const EMBEDDING_MODEL: &str = "text-embedding-3-small";

#[tokio::test]
async fn the_official_sdk_is_served_and_metered() -> Result<()> {
    // Before anything is connected: the installation takes longer than a server keeps an idle connection.
    let python = tokio::task::spawn_blocking(|| python(PACKAGE)).await??;
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?;
    let key = submitted(api, [keyway.openai("sdk", "sk-sim-good-sdk")]).await?;

    let mut told = (0, 0, 0, 0);
    for base in ["/v1", "/proxy/openai/v1"] {
        let url = format!("{}{base}", api.root());
        let report = ran(&python, "openai_client.py", [&url, &key, MODEL, EMBEDDING_MODEL]).await?;
        for call in report["chat"].as_array().context("chat")? {
            told.0 += 1;
            told.1 += call["input"].as_i64().context("input")?;
            told.2 += call["output"].as_i64().context("output")?;
        }
        told.3 += report["embedded"].as_i64().context("embedded")?;
        ensure!(base != "/v1" || report["retrieved"] == MODEL, "{report}");
    }

    let (calls, input, output, embedded) = told;
    ensure!(calls == 6 && input > 0 && output > 0 && embedded > 0, "{told:?}");
    until("the ledger says what the SDK was told", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        let row = |model| usage["items"].as_array()?.iter().find(|row| row["model"] == model);
        let (chat, vectors) = (row(MODEL).context("no chat yet")?, row(EMBEDDING_MODEL).context("no vectors yet")?);
        // Dollars a million tokens in models.yaml: 0.15 in, 0.60 out; 0.02 for embeddings.
        let chat_cost = input * 150 + output * 600;
        let agrees = |row: &Value, figures: [i64; 4]| {
            ["requests", "input_tokens", "output_tokens", "cost_nano_usd"]
                .iter()
                .zip(figures)
                .all(|(field, figure)| row[field].as_i64().unwrap_or(0) == figure)
        };
        ensure!(agrees(chat, [calls, input, output, chat_cost]), "{chat}, told {told:?}");
        ensure!(agrees(vectors, [2, embedded, 0, embedded * 20]), "{vectors}, told {told:?}");
        Ok(true)
    })
    .await?;
    keyway.finish().await
}

/// Submits integrations, waits until their keys are verified, and makes a virtual key.
pub(crate) async fn submitted(api: &Api, integrations: impl IntoIterator<Item = Value>) -> Result<String> {
    let mut count = 0;
    for integration in integrations {
        api.post("/integrations", integration, 202).await?;
        count += 1;
    }
    until("the keys are verified", async || {
        let rows = api.get("/integrations?status=connected").await?;
        Ok(rows["items"].as_array().is_some_and(|items| items.len() == count))
    })
    .await?;
    text(&api.post("/virtual-keys", json!({ "name": "sdk" }), 201).await?, "/key")
}

/// Runs one of the scripts of `sdk/` to its end and reads its report.
pub(crate) async fn ran<'a>(
    python: &Path,
    script: &str,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<Value> {
    let mut client = Command::new(python);
    client.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sdk").join(script)).args(arguments);
    let output = tokio::task::spawn_blocking(move || client.output()).await??;
    ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}
