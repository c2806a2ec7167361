//! `keyway fetch-usage`: starts a fan-out beside a running Keyway, waits for it, and says how it ended.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{
    harness::{Keyway, text},
    session::ended,
};

// The simulator answers while the test waits for the command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_is_fetched_from_a_terminal_and_waited_for() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?.clone();
    for (name, key) in [("first", "sk-admin-sim-first"), ("second", "sk-admin-sim-second")] {
        let accepted = api.post("/integrations", keyway.openai(name, key), 202).await?;
        ended(&api, &text(&accepted, "/operation/id")?).await?;
    }
    let all = keyway.run(&["fetch-usage", "--wait"])?;
    ensure!(all.contains("fetches the usage of 2 integrations"), "{all}");
    ensure!(all.contains("succeeded: 2 in all, 2 done, 0 failed"), "{all}");
    let none = keyway.run(&["fetch-usage", "--provider", "groq", "--wait"])?;
    ensure!(none.contains("succeeded: 0 in all"), "{none}");
    let started = keyway.run(&["fetch-usage", "--provider", "openai"])?;
    let id = started.split_whitespace().next().unwrap_or_default();
    ensure!(id.starts_with("op_"), "{started}");
    ended(&api, id).await?;
    let unknown = keyway.run_any(&["fetch-usage", "--provider", "opnai"])?;
    let said = String::from_utf8_lossy(&unknown.stderr);
    ensure!(!unknown.status.success() && said.contains("no provider has this name"), "{said}");
    let asked = api.post("/usage/fetch", json!({ "provider": "groq" }), 202).await?;
    ensure!(asked["operation"]["total"] == 0, "{asked}");
    keyway.finish().await
}
