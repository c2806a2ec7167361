//! `/routing`: who would serve a call, and why not the others.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, on_both};

on_both! {
    a_call_is_explained_without_one
    places_are_set_and_checked
}

async fn submit(api: &Api, provider: &str, name: &str, key: &str, priority: i32) -> Result<String> {
    let body = json!({ "provider": provider, "name": name, "credentials": key, "priority": priority });
    Ok(api.post("/api/v1/integrations", body).await?.expect(202)?.text_at("/integration/id").to_owned())
}

async fn a_call_is_explained_without_one(api: Api) -> Result<()> {
    let second = submit(&api, "openai", "b", KEY, 5).await?;
    let first = submit(&api, "openai", "a", &KEY.replace("wxyz", "abcd"), 1).await?;
    let other = submit(&api, "groq", "c", "gsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0).await?;
    let asked = api.get("/api/v1/routing?model=gpt-4o-mini").await?.expect(200)?;
    ensure!(asked.text_at("/integration_id") == first && asked.at("/refusal") == &Value::Null, "{}", asked.text);
    let order = |json: &Value| -> Vec<String> {
        let candidates = json["candidates"].as_array().cloned().unwrap_or_default();
        candidates.iter().map(|it| it["integration_id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    ensure!(order(&asked.json) == [first.clone(), second.clone(), other.clone()], "{}", asked.text);
    ensure!(asked.text_at("/candidates/2/refusal/code") == "model_not_found", "{}", asked.text);
    api.patch(&format!("/api/v1/integrations/{first}"), json!({ "enabled": false })).await?.expect(200)?;
    let asked = api.get("/api/v1/routing?provider=openai").await?.expect(200)?;
    ensure!(order(&asked.json) == [second.clone(), other.clone(), first.clone()], "{}", asked.text);
    ensure!(asked.text_at("/candidates/2/refusal/code") == "integration_disabled", "{}", asked.text);
    api.patch(&format!("/api/v1/integrations/{second}"), json!({ "enabled": false })).await?.expect(200)?;
    let nobody = api.get("/api/v1/routing?provider=openai").await?.expect(200)?;
    ensure!(nobody.at("/integration_id") == &Value::Null, "{}", nobody.text);
    ensure!(nobody.text_at("/refusal/code") == "integration_disabled", "{}", nobody.text);
    let unknown = api.get("/api/v1/routing?provider=nobody").await?.expect(200)?;
    ensure!(unknown.text_at("/refusal/code") == "unknown_provider", "{}", unknown.text);
    api.get("/api/v1/routing").await?.expect_error(400, "invalid_parameter")?;
    let foreign = "/api/v1/routing?provider=openai&project_id=prj_0198c0de0198c0de0198c0de0198c0de";
    api.get(foreign).await?.expect_error(404, "not_found")?;
    Ok(())
}

async fn places_are_set_and_checked(api: Api) -> Result<()> {
    let id = submit(&api, "openai", "a", KEY, 7).await?;
    let path = format!("/api/v1/integrations/{id}");
    let shown = api.get(&path).await?.expect(200)?;
    ensure!((shown.at("/priority"), shown.at("/weight")) == (&json!(7), &json!(1)), "{}", shown.text);
    let changed = api.patch(&path, json!({ "weight": 30 })).await?.expect(200)?;
    let places = (changed.at("/integration/priority"), changed.at("/integration/weight"));
    ensure!(places == (&json!(7), &json!(30)), "{}", changed.text);
    for wrong in [json!({ "priority": -1 }), json!({ "priority": 101 }), json!({ "weight": 0 })] {
        api.patch(&path, wrong).await?.expect_error(422, "invalid_field")?;
    }
    Ok(())
}
