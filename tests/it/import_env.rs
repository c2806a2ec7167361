//! `keyway import-env`: keys come in from a `.env` file, each once, and are verified by the running process.

use std::fs;

use anyhow::{Result, ensure};

use crate::harness::{Keyway, process, until};

#[tokio::test]
async fn keys_are_imported_from_a_file_once_and_verified() -> Result<()> {
    let keyway = Keyway::embedded().await?;
    let api = keyway.api()?;
    let file = keyway.dir.join("team.env");
    let base_url = keyway.simulator.base_url.trim_end_matches("/v1");
    let lines = [
        "OPENAI_API_KEY=sk-sim-good-imported".to_owned(),
        "OPENAI_ADMIN_KEY=\"sk-admin-sim-imported\"".to_owned(),
        format!("OPENAI_BASE_URL={base_url}"),
        "GROQ_API_KEY=your_api_key_here".to_owned(),
        "MISTRAL_API_KEY=".to_owned(),
        "UNRELATED=sk-sim-good-unrelated".to_owned(),
        // As people write them: it holds up no other line.
        "APP_NAME=My App's name".to_owned(),
        "export NOTE = \"never closed canary".to_owned(),
    ];
    fs::write(&file, lines.join("\n"))?;
    let file = file.to_string_lossy().into_owned();
    let import = |more: &[&str]| keyway.run(&[&["import-env", "--file", &file], more].concat());

    let dry = import(&["--only", "openai", "--dry-run"])?;
    ensure!(
        dry.contains("would be imported: sk-...rted") && dry.contains("would be imported: sk-admin-...rted"),
        "{dry}"
    );
    ensure!(dry.contains("line 8 (NOTE)") && !dry.contains("canary"), "{dry}");
    ensure!(api.get("/integrations").await?["items"].as_array().is_some_and(Vec::is_empty), "a dry run imported");

    // The placeholder is refused, and holds up nobody else.
    let error = import(&[]).err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(error.contains("1 of them were not imported") && !error.contains("sk-sim-good"), "{error}");
    until("both keys are connected", async || {
        let connected = api.get("/integrations?status=connected").await?;
        Ok(connected["items"].as_array().map(Vec::len) == Some(2))
    })
    .await?;
    let dry = import(&["--only", "openai", "--dry-run"])?;
    let id = api.get("/integrations").await?["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    ensure!(dry.lines().filter(|line| line.contains("is there already")).count() == 2 && dry.contains(&id), "{dry}");
    let again = import(&["--only", "openai"])?;
    ensure!(again.lines().filter(|line| line.contains("is there already")).count() == 2, "{again}");
    ensure!(api.get("/integrations").await?["items"].as_array().map(Vec::len) == Some(2), "imported twice");
    ensure!(import(&["--only", "nobody"]).is_err() && import(&["--only", "mistral"]).is_err());
    let elsewhere = [("KEYWAY_DATA_DIR".to_owned(), keyway.dir.join("nowhere").display().to_string())];
    let arguments = ["import-env", "--file", &file, "--only", "openai", "--dry-run"];
    let output = process::command(process::program(), &keyway.dir, &elsewhere, &arguments).output()?;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    ensure!(output.status.success() && said.contains("there is no database yet"), "{said}");
    ensure!(said.matches("would be imported").count() == 2 && !keyway.dir.join("nowhere").exists(), "{said}");
    keyway.finish().await
}
