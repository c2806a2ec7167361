//! A keyring that does not fit the database: the process starts sealed, serves what needs no secret,
//! never makes a keyring, and works again with the right one.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::{
    harness::{Api, Database, Keyway, PATIENCE, Services, metrics, text, until},
    session::ended,
};

#[tokio::test]
async fn a_foreign_or_missing_keyring_seals_and_the_right_one_opens() -> Result<()> {
    let mut keyway = Keyway::embedded().await?;
    let ring = keyway.dir.join("keyring.json");
    let right = fs::read(&ring)?;
    ensure!(fs::metadata(&ring)?.permissions().mode() & 0o077 == 0, "others may read the keyring");
    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("kept", "sk-sim-good-kept"), 202).await?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    let integration = text(&accepted, "/integration/id")?;
    let key = text(&api.post("/virtual-keys", json!({ "name": "app" }), 201).await?, "/key")?;

    let foreign = {
        let other = keyway.dir.join("foreign.json");
        keyway.set("KEYWAY_KEYRING", &other.display().to_string());
        keyway.run(&["keys", "init"])?;
        keyway.set("KEYWAY_KEYRING", &ring.display().to_string());
        fs::read(other)?
    };
    for wrong in [Some(foreign), None] {
        keyway.stop().await?;
        fs::remove_file(&ring)?;
        if let Some(wrong) = &wrong {
            fs::write(&ring, wrong)?;
            fs::set_permissions(&ring, fs::Permissions::from_mode(0o600))?;
        }
        keyway.respawn(0)?;
        is_sealed(&keyway, &key, &integration).await?;
        ensure!(fs::read(&ring).ok() == wrong, "a sealed process wrote a keyring");
        let verified = keyway.run_any(&["keys", "verify"])?;
        ensure!(!verified.status.success(), "keys verify is content with a keyring that does not fit");
    }

    keyway.stop().await?;
    fs::write(&ring, &right)?;
    fs::set_permissions(&ring, fs::Permissions::from_mode(0o600))?;
    keyway.respawn(0)?;
    keyway.ready(0).await?;
    keyway.run(&["keys", "verify"])?;
    let chat = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "open again" }] });
    api.with_key(&key).send(Method::POST, "/v1/chat/completions", Some(chat), &[]).await?.expect(200)?;
    let accepted = api.post("/integrations", keyway.openai("new", "sk-sim-good-new"), 202).await?;
    let operation = ended(&api, &text(&accepted, "/operation/id")?).await?;
    ensure!(operation["state"] == "succeeded", "{operation}");
    until("the call is metered", async || {
        let usage = api.get("/usage?ledger=metered&group_by=model").await?;
        Ok(usage["items"].as_array().is_some_and(|items| !items.is_empty()))
    })
    .await?;
    keyway.finish().await
}

/// Checks the operator's key for a project without a secret that opens, and the report about a broken secret.
#[tokio::test]
async fn a_project_that_consents_is_served_while_sealed_and_a_broken_secret_is_told_of() -> Result<()> {
    let mut keyway = Keyway::on(Services::Embedded).await?;
    let file = keyway.dir.join("models.yaml");
    let openrouter = keyway.simulator.base_url.clone();
    fs::write(&file, include_str!("../../models.yaml").replace("https://openrouter.ai/api/v1", &openrouter))?;
    keyway.set("KEYWAY_MODELS_FILE", &file.display().to_string());
    keyway.set("KEYWAY_FALLBACK_OPENROUTER_KEY", "sk-sim-good-operators");
    keyway.start("serve").await?;
    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("own", "sk-sim-good-own"), 202).await?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    let integration = text(&accepted, "/integration/id")?;
    let given = json!({ "name": "consenting", "fallback": { "monthly_budget_nano_usd": 1_000_000_000 } });
    let project = text(&api.post("/projects", given, 201).await?, "/id")?;
    let own = api.with_key(&text(&api.post("/virtual-keys", json!({ "name": "own" }), 201).await?, "/key")?);
    let helped = json!({ "name": "helped", "project_id": project });
    let helped = api.with_key(&text(&api.post("/virtual-keys", helped, 201).await?, "/key")?);
    let ring = keyway.dir.join("keyring.json");
    served(&own, "own").await?;
    served(&helped, "fallback").await?;

    keyway.stop().await?;
    fs::rename(&ring, keyway.dir.join("elsewhere.json"))?;
    keyway.respawn(0)?;
    until("the sealed process serves", async || Ok(keyway.ops(0, "/healthz").await?.status == 200)).await?;
    until("it helps out", async || Ok(served(&helped, "fallback").await.is_ok())).await?;
    let refused = own.send(Method::POST, "/v1/chat/completions", Some(chat()), &[]).await?.expect(503)?;
    ensure!(refused["error"]["code"] == "sealed", "{refused}");
    let asked = api.get(&format!("/routing?model=gpt-4o-mini&project_id={project}")).await?;
    ensure!(asked["refusal"].is_null() && asked["candidates"][0]["credential"] == "fallback", "{asked}");
    let asked = api.get("/routing?model=gpt-4o-mini").await?;
    ensure!(asked["refusal"]["code"] == "sealed", "{asked}");

    keyway.stop().await?;
    fs::rename(keyway.dir.join("elsewhere.json"), &ring)?;
    let url = format!("sqlite://{}?mode=rw", keyway.dir.join("serve-0/keyway.db").display());
    Database::open(&url).await?.0.execute_unprepared("UPDATE secrets SET envelope = x'00'").await?;
    keyway.respawn(0)?;
    keyway.ready(0).await?;
    let refused = own.send(Method::POST, "/v1/chat/completions", Some(chat()), &[]).await?.expect(503)?;
    ensure!(refused["error"]["code"] == "credential_unreadable", "{refused}");
    let asked = api.get("/routing?model=gpt-4o-mini").await?;
    ensure!(asked["candidates"][0]["refusal"]["code"] == "credential_unreadable", "{asked}");
    let mut events = Vec::new();
    until("it is audited", async || {
        let found = api.get("/audit?action=integration.secret_unreadable").await?;
        events = found["items"].as_array().cloned().unwrap_or_default();
        Ok(!events.is_empty())
    })
    .await?;
    ensure!(events.len() == 1 && events[0]["target"] == integration.as_str(), "{events:?}");
    ensure!(events[0]["changes"]["reason"] == "unreadable", "{events:?}");
    let figures = keyway.ops(0, "/metrics").await?.text;
    ensure!(metrics::sum(&figures, "keyway_secrets_unopened_total")? > 0.0);
    let log = keyway.members()[0].process.log()?;
    let said = log.lines().any(|line| line.contains("a secret cannot be opened") && line.contains(&integration));
    ensure!(said && log.contains("ERROR"), "nothing in the log");
    ensure!(!log.contains("sk-sim-good-own") && !log.contains("sk-sim-good-operators"), "a secret is in the log");
    keyway.finish().await
}

fn chat() -> Value {
    json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "hi" }], "max_tokens": 20 })
}

async fn served(app: &Api, by: &str) -> Result<()> {
    let answer = app.send(Method::POST, "/v1/chat/completions", Some(chat()), &[]).await?;
    ensure!(answer.status == 200 && answer.header("x-keyway-credential") == Some(by), "{}", answer.text);
    Ok(())
}

async fn is_sealed(keyway: &Keyway, key: &str, integration: &str) -> Result<()> {
    let api = keyway.api()?;
    until("the sealed process serves", async || {
        Ok(api.send(Method::GET, "/api/openapi.json", None, &[]).await?.status == 200)
    })
    .await?;
    keyway.ops(0, "/healthz").await?.expect(200)?;
    keyway.ops(0, "/readyz").await?.expect(503)?;
    let refused = api.post("/integrations", keyway.openai("new", "sk-sim-good-new"), 503).await?;
    ensure!(refused["error"]["code"] == "sealed", "{refused}");
    let chat = json!({ "model": "gpt-4o-mini", "messages": [] });
    let refused = api.with_key(key).send(Method::POST, "/v1/chat/completions", Some(chat), &[]).await?.expect(503)?;
    ensure!(refused["error"]["code"] == "sealed", "{refused}");
    let row = api.get(&format!("/integrations/{integration}")).await?;
    ensure!(row["status"] == "connected", "reading works: {row}");
    Ok(())
}

#[tokio::test]
async fn a_keyring_is_never_overwritten_and_a_verification_waits_while_sealed() -> Result<()> {
    let mut keyway = Keyway::embedded().await?;
    let ring = keyway.dir.join("keyring.json");
    let right = fs::read(&ring)?;
    let refused = keyway.run_any(&["keys", "init"])?;
    ensure!(!refused.status.success() && fs::read(&ring)? == right, "keys init touched an existing keyring");
    keyway.run(&["keys", "init", "--if-missing"])?;
    ensure!(fs::read(&ring)? == right, "keys init --if-missing touched an existing keyring");

    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("kept", "sk-sim-good-waits"), 202).await?;
    let integration = text(&accepted, "/integration/id")?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    keyway.stop().await?;
    fs::rename(&ring, keyway.dir.join("elsewhere.json"))?;
    keyway.respawn(0)?;
    until("the sealed process serves", async || Ok(keyway.ops(0, "/healthz").await?.status == 200)).await?;
    let mut operation = None;
    until("a test is accepted", async || {
        let path = format!("/integrations/{integration}/test");
        operation = Some(text(&api.post(&path, json!({}), 202).await?, "/operation/id")?);
        Ok(true)
    })
    .await?;
    let operation = operation.with_context(|| format!("none within {PATIENCE:?}"))?;
    keyway.stop().await?;
    fs::rename(keyway.dir.join("elsewhere.json"), &ring)?;
    keyway.respawn(0)?;
    let row = ended(&api, &operation).await?;
    ensure!(row["state"] == "succeeded" && row["attempt"] == 1, "no attempt is burned while sealed: {row}");
    keyway.finish().await
}

/// Checks that a database that is gone or empty is not made anew beside a keyring that has sealed something.
#[tokio::test]
async fn a_lost_database_seals_and_is_not_made_anew() -> Result<()> {
    let mut keyway = Keyway::embedded().await?;
    let file = keyway.dir.join("serve-0/keyway.db");
    let kept = keyway.dir.join("kept.db");
    // Nothing is sealed yet: whoever begins anew is not held up.
    keyway.stop().await?;
    fs::remove_file(&file)?;
    keyway.respawn(0)?;
    keyway.ready(0).await?;
    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("kept", "sk-sim-good-kept"), 202).await?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    keyway.stop().await?;
    fs::rename(&file, &kept)?;
    for is_empty in [false, true] {
        if is_empty {
            fs::write(&file, "")?;
        }
        let refused = keyway.run_any(&["migrate"])?;
        ensure!(
            !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("put the database back")
        );
        keyway.respawn(0)?;
        until("it is alive", async || Ok(keyway.ops(0, "/healthz").await?.status == 200)).await?;
        until("it says why", async || Ok(keyway.ops(0, "/readyz").await?.text.contains("the vault is sealed"))).await?;
        let why = keyway.ops(0, "/readyz").await?;
        ensure!(why.status == 503 && why.text.contains("put the database back"), "{}", why.text);
        for path in ["/api/v1/me", "/v1/models", "/"] {
            let answer = api.send(Method::GET, path, None, &[]).await?;
            ensure!(answer.status == 503 && answer.text.contains(r#""code":"sealed""#), "{path}: {}", answer.text);
        }
        keyway.stop().await?;
        ensure!(fs::metadata(&file).map_or(!is_empty, |found| is_empty && found.len() == 0), "a database was made");
    }
    let offers = keyway.members()[0].process.log()?.matches("Nobody can sign in yet").count();
    ensure!(offers == 2, "a new installation was offered");
    fs::rename(&kept, &file)?;
    keyway.respawn(0)?;
    keyway.ready(0).await?;
    keyway.finish().await
}
