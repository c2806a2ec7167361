//! The models file of a running Keyway: a change is taken without a restart, a fault of it changes nothing.

use std::{cell::Cell, fs, path::Path};

use anyhow::{Error, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    harness::{Api, Keyway, Services, metrics, text, until},
    session::ended,
};

const MODELS: &str = include_str!("../../models.yaml");
/// Price of gpt-4o-mini, before and after the change.
const PRICE: &str = r#"{ input: "0.15", cached_input: "0.075", cache_write: "0.15", output: "0.6" }"#;
const DEARER: &str = r#"{ input: "1.5", cached_input: "0.075", cache_write: "0.15", output: "6" }"#;

#[tokio::test]
async fn prices_change_without_a_restart_and_a_faulty_file_changes_nothing() -> Result<()> {
    let mut keyway = Keyway::on(Services::Embedded).await?;
    let file = keyway.dir.join("models.yaml");
    fs::write(&file, MODELS)?;
    keyway.set("KEYWAY_MODELS_FILE", &file.display().to_string());
    keyway.start("serve").await?;
    let api = keyway.api()?.clone();
    let accepted = api.post("/integrations", keyway.openai("prod", "sk-sim-good-prices"), 202).await?;
    ended(&api, &text(&accepted, "/operation/id")?).await?;
    let app = api.with_key(&text(&api.post("/virtual-keys", json!({ "name": "app" }), 201).await?, "/key")?);

    let (calls, changed) = (Cell::new(1), Cell::new(false));
    let cheap = cost_of_a_call(&keyway, &app, calls.get()).await?;
    replace(&file, &MODELS.replace(PRICE, DEARER))?;
    let watching = async {
        until("the price has changed", async || Ok(input_price(&api).await? == 1_500_000_000)).await?;
        changed.set(true);
        Ok(())
    };
    let calling = async {
        while !changed.get() {
            call(&app).await?;
            calls.set(calls.get() + 1);
        }
        Ok::<_, Error>(())
    };
    futures::future::try_join(watching, calling).await?;
    let calls = calls.get();
    let dear = cost_of_a_call(&keyway, &app, calls + 1).await?;
    ensure!(cheap > 0 && dear == 10 * cheap, "{cheap} {dear}");

    replace(&file, &MODELS.replace(PRICE, r#"{ input: "-1" }"#))?;
    until("the fault is seen", async || Ok(stale(&keyway).await? == 1.0)).await?;
    ensure!(input_price(&api).await? == 1_500_000_000, "a faulty file was used");
    ensure!(cost_of_a_call(&keyway, &app, calls + 2).await? == dear);

    ensure!(calls > 2, "no call was made while the file changed");
    let priced = "SELECT DISTINCT price_version || ' ' || CAST(cost_nano_usd AS TEXT) FROM metered_calls \
                  WHERE cost_nano_usd IS NOT NULL";
    let priced = keyway.database().await?.texts(priced).await?;
    ensure!(priced.len() == 2, "each call is priced by one of the two lists, as a whole: {priced:?}");

    replace(&file, MODELS)?;
    until("the corrected file is in use", async || Ok(input_price(&api).await? == 150_000_000)).await?;
    ensure!(stale(&keyway).await? == 0.0);
    keyway.finish().await
}

/// Replaces the file the recommended way: writes another name, then renames it.
fn replace(file: &Path, text: &str) -> Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    Ok(fs::rename(&new, file)?)
}

async fn call(app: &Api) -> Result<()> {
    let messages = json!([{ "role": "user", "content": "the same every time" }]);
    let chat = json!({ "model": "gpt-4o-mini", "messages": messages });
    app.send(Method::POST, "/v1/chat/completions", Some(chat), &[]).await?.expect(200).map(drop)
}

/// Returns the metered cost of the `at`th call.
async fn cost_of_a_call(keyway: &Keyway, app: &Api, at: i64) -> Result<i64> {
    call(app).await?;
    let database = keyway.database().await?;
    let count = "SELECT COUNT(*) FROM metered_calls";
    until("the call is metered", async || Ok(database.number(count).await? == at)).await?;
    database.number("SELECT cost_nano_usd FROM metered_calls ORDER BY started_at_ms DESC LIMIT 1").await
}

async fn input_price(api: &Api) -> Result<i64> {
    let models = api.get("/providers/openai/models").await?;
    let all = models["items"].as_array().map_or(&[][..], Vec::as_slice);
    let named = all.iter().find(|model| model["name"] == "gpt-4o-mini");
    Ok(named.and_then(|model: &Value| model["price"]["input"].as_i64()).unwrap_or_default())
}

async fn stale(keyway: &Keyway) -> Result<f64> {
    metrics::sum(&keyway.ops(0, "/metrics").await?.text, "keyway_catalog_stale")
}
