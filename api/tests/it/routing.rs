//! `/routing`: the integration that would serve a call, and the reasons against the others.

use anyhow::{Context, Result, ensure};
use keyway_testkit::postgres::TestDatabase;
use keyway_vault::ProviderSecret;
use serde_json::{Value, json};

use crate::fixture::{Api, KEY, Options, Reply, on_both};

on_both! {
    a_call_is_explained_without_one
    places_are_set_and_checked
    the_operators_key_is_named_with_why_it_does_not_help_out
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
        let own = candidates.iter().filter(|it| it["credential"] == "own");
        own.map(|it| it["integration_id"].as_str().unwrap_or_default().to_owned()).collect()
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
    let unknown = api.get("/api/v1/routing?provider=OpenAI").await?.expect_error(400, "invalid_parameter")?;
    ensure!(unknown.text_at("/error/message").contains("did you mean openai?"), "{}", unknown.text);
    api.get("/api/v1/routing").await?.expect_error(400, "invalid_parameter")?;
    let foreign = "/api/v1/routing?provider=openai&project_id=prj_0198c0de0198c0de0198c0de0198c0de";
    api.get(foreign).await?.expect_error(404, "not_found")?;
    Ok(())
}

/// The operator's key among the candidates: its place and its line.
fn operators(reply: &Reply) -> Result<(usize, Value)> {
    let candidates = reply.at("/candidates").as_array().context("no candidates")?;
    let of_operator = |it: &Value| it["credential"] == "fallback" && it["integration_id"].is_null();
    let place = candidates.iter().position(of_operator).context("it is not named")?;
    Ok((place, candidates[place].clone()))
}

async fn the_operators_key_is_named_with_why_it_does_not_help_out(api: Api) -> Result<()> {
    submit(&api, "openai", "a", KEY, 0).await?;
    let project = api.get("/api/v1/projects").await?.text_at("/items/0/id").to_owned();
    for (consent, why) in [(json!(null), "has not consented"), (json!({ "monthly_budget_nano_usd": 9 }), "has no key")]
    {
        api.patch(&format!("/api/v1/projects/{project}"), json!({ "fallback": consent })).await?.expect(200)?;
        let (place, line) = operators(&api.get("/api/v1/routing?model=gpt-4o-mini").await?)?;
        ensure!((place, &line["can_serve"], &line["priority"]) == (1, &json!(false), &Value::Null), "{line}");
        ensure!(line["refusal"]["code"] == "fallback_unavailable", "{line}");
        ensure!(line["refusal"]["message"].as_str().is_some_and(|message| message.contains(why)), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn the_operators_key_is_the_last_that_would_be_tried() -> Result<()> {
    let options =
        Options { fallback_key: Some(ProviderSecret::new("sk-or-v1-operators".to_owned())), ..Options::usual()? };
    let api = Api::start(TestDatabase::sqlite()?, options).await?;
    let project = api.get("/api/v1/projects").await?.text_at("/items/0/id").to_owned();
    let given = json!({ "fallback": { "monthly_budget_nano_usd": 9 } });
    api.patch(&format!("/api/v1/projects/{project}"), given).await?.expect(200)?;
    for query in ["model=gpt-4o-mini", "model=openai/gpt-4o-mini", "provider=openai&model=gpt-4o-mini"] {
        let asked = api.get(&format!("/api/v1/routing?{query}")).await?.expect(200)?;
        ensure!(asked.at("/refusal").is_null() && asked.at("/integration_id").is_null(), "{query}: {}", asked.text);
        ensure!(operators(&asked)?.1["can_serve"] == true, "without any key of its own: {query}: {}", asked.text);
    }
    let asked = api.get("/api/v1/routing?provider=mistral&model=codestral-latest").await?.expect(200)?;
    ensure!(asked.text_at("/refusal/code") == "integration_not_found", "{}", asked.text);
    ensure!(operators(&asked)?.1["can_serve"] == false, "{}", asked.text);
    let id = submit(&api, "openai", "a", KEY, 0).await?;
    submit(&api, "mistral", "b", "0123456789abcdefghijABCDEFGHIJ01", 0).await?;
    let asked = api.get("/api/v1/routing?provider=openai&model=gpt-4o-mini").await?.expect(200)?;
    let (place, line) = operators(&asked)?;
    ensure!((place, &line["can_serve"], &line["provider"]) == (1, &json!(true), &json!("openrouter")), "{line}");
    for (query, why) in [
        ("provider=openai", "name at OpenRouter or its price"),
        ("provider=mistral&model=codestral-latest", "no models of this provider"),
        ("model=gpt-4o-mini&endpoint=/messages/count_tokens", "no models of this provider"),
    ] {
        let (_, line) = operators(&api.get(&format!("/api/v1/routing?{query}")).await?.expect(200)?)?;
        ensure!(line["refusal"]["message"].as_str().is_some_and(|message| message.contains(why)), "{query}: {line}");
    }
    let tx = api.store.system().await?;
    keyway_store::raw::execute(&tx, "UPDATE integrations SET status = 'error'").await?;
    tx.commit().await?;
    // Tells the proxy that the project has changed.
    api.patch(&format!("/api/v1/projects/{project}"), json!({ "fallback": { "monthly_budget_nano_usd": 8 } })).await?;
    let asked = api.get("/api/v1/routing?model=gpt-4o-mini").await?.expect(200)?;
    ensure!(asked.at("/integration_id").is_null() && asked.at("/refusal").is_null(), "{}", asked.text);
    ensure!(operators(&asked)?.0 == 0, "{}", asked.text);
    api.patch(&format!("/api/v1/integrations/{id}"), json!({ "enabled": false })).await?.expect(200)?;
    let asked = api.get("/api/v1/routing?model=gpt-4o-mini").await?.expect(200)?;
    ensure!(asked.text_at("/refusal/code") == "integration_disabled", "{}", asked.text);
    let (_, line) = operators(&asked)?;
    ensure!(
        line["refusal"]["message"].as_str().is_some_and(|message| message.contains("disabled by their owner")),
        "{line}"
    );
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
