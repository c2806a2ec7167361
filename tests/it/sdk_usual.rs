//! The official `openai` Python SDK doing what applications usually do: tools, files, sound, calls at once, and a
//! realtime session over a WebSocket; unmodified, but for where it calls.

use anyhow::{Context, Result, ensure};

use crate::{
    harness::{Keyway, until},
    sdk::{python, ran, submitted},
};

const PACKAGE: &str = "openai[realtime]==3.52.0";
const MODEL: &str = "gpt-4o-mini";

#[tokio::test]
async fn what_applications_usually_do_works_unmodified() -> Result<()> {
    let python = tokio::task::spawn_blocking(|| python(PACKAGE)).await??;
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?;
    let key = submitted(api, [keyway.openai("sdk", "sk-sim-good-usual")]).await?;
    let url = format!("{}/proxy/openai/v1", api.root());
    let told = ran(&python, "openai_usual.py", [url.as_str(), &key, MODEL]).await?;
    ensure!(told["requests"] == 23, "{told}");
    until("the ledger says what the SDK was told", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        let items = usage["items"].as_array().context("items")?;
        let Some(row) = items.iter().find(|row| row["model"] == MODEL) else { return Ok(false) };
        Ok(["requests", "input", "output"]
            .iter()
            .zip(["requests", "input_tokens", "output_tokens"])
            .all(|(told_as, kept_as)| row[kept_as] == told[*told_as]))
    })
    .await?;
    keyway.finish().await
}
