//! `keyway audit`: the log of a running installation is proved, online and from an export alone, and what was changed in
//! either is named.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use sea_orm::ConnectionTrait as _;

use crate::harness::{Keyway, until};

#[tokio::test]
async fn a_log_is_proved_and_what_was_changed_in_it_is_named() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?;
    api.post("/projects", serde_json::json!({ "name": "audited" }), 201).await?;
    until("a checkpoint is signed", async || {
        Ok(api.get("/audit/checkpoints").await?["items"].as_array().is_some_and(|items| !items.is_empty()))
    })
    .await?;
    let proven = keyway.run(&["audit", "verify"])?;
    ensure!(proven.contains("are as they were written") && proven.contains("signed at"), "{proven}");
    let key = api.get("/audit/key").await?["public_key"].as_str().context("a key")?.to_owned();
    ensure!(keyway.run(&["audit", "key"])?.trim() == key, "one key for both");

    let file = keyway.dir.join("log.jsonl");
    let name = file.to_string_lossy().into_owned();
    keyway.run(&["audit", "export", "--out", &name])?;
    ensure!(keyway.run(&["audit", "export", "--out", &name]).is_err(), "a file that is there is left as it is");
    let offline = ["audit", "verify", "--offline", &name, "--key", &key];
    ensure!(keyway.run(&offline)?.contains("proof: self"));
    let note = &api.get("/audit/checkpoints").await?["items"][0]["note"];
    let anchor = keyway.dir.join("anchor");
    fs::write(&anchor, note.as_str().context("a note")?)?;
    let anchor = anchor.to_string_lossy();
    let anchored = [&offline[..], &["--anchor", &anchor]].concat();
    ensure!(keyway.run(&anchored)?.contains("proof: second store"));

    let exported = fs::read_to_string(&file)?;
    fs::write(&file, exported.replacen("success", "denied", 1))?;
    ensure!(refusal(&keyway, &offline)?.contains("entry 1: its bytes and its hash"));
    fs::write(&file, exported.lines().skip(1).collect::<Vec<_>>().join("\n"))?;
    let tenant = tenant(&exported)?;
    let named = [&offline[..], &["--tenant", &tenant]].concat();
    ensure!(refusal(&keyway, &named)?.contains("entry 1: missing"));

    // SQLite grants everything to whoever has the file.
    let forged = "UPDATE audit_events SET action = 'nothing.happened' WHERE event_id = \
                  (SELECT event_id FROM audit_entries WHERE sequence = 1)";
    let database = keyway.dir.join(&keyway.members()[0].process.name).join("keyway.db");
    sea_orm::Database::connect(format!("sqlite://{}", database.display())).await?.execute_unprepared(forged).await?;
    let refused = refusal(&keyway, &["audit", "verify"])?;
    ensure!(refused.contains("entry 1: the event msg_") && refused.contains("was changed"), "{refused}");
    keyway.finish().await
}

/// The last line of a command that must fail with 1.
fn refusal(keyway: &Keyway, arguments: &[&str]) -> Result<String> {
    let output = keyway.run_any(arguments)?;
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1), "{arguments:?}: {printed}");
    Ok(printed.lines().last().unwrap_or_default().to_owned())
}

/// The tenant that the first entry of an export names.
fn tenant(exported: &str) -> Result<String> {
    let line: serde_json::Value = serde_json::from_str(exported.lines().next().context("a line")?)?;
    let entry: serde_json::Value = serde_json::from_str(line["entry"].as_str().context("an entry")?)?;
    Ok(entry["tenant_id"].as_str().context("a tenant")?.to_owned())
}
