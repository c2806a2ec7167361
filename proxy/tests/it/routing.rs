//! The integration that serves a model, and the list of models.

use keyway_domain::{Invalidation, Timestamp};
use keyway_providers::Catalog;
use keyway_store::{provider_models, providers};
use serde_json::{Value, json};

use super::{
    harness::{Harness, Key, SECRET, until},
    hostile::ANSWER,
    scripted::{Scripted, behind},
};

const OTHER: &str = "sk-sim-good-other";

async fn custom(harness: &Harness, name: &str, models: &[&str]) {
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    providers::insert(&tx, name, name, &harness.simulator.base_url, "bearer", Timestamp::now()).await.unwrap();
    let models: Vec<_> = models.iter().map(|&model| model.to_owned().into()).collect();
    provider_models::insert(&tx, name, &models, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.integration(name, OTHER).await;
    harness.proxy.forget(harness.tenant, Invalidation::Providers);
}

async fn ask(harness: &Harness, key: &Key, model: &str) -> reqwest::Response {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
    harness.post("/v1/chat/completions", key, &body).send().await.unwrap()
}

fn model_sent(harness: &Harness, secret: &str) -> Value {
    let body = harness.simulator.last_body(secret, "/v1/chat/completions").unwrap();
    serde_json::from_slice::<Value>(&body).unwrap()["model"].clone()
}

#[tokio::test]
async fn a_model_leads_to_the_integration_that_has_it() {
    let (harness, key) = Harness::ready().await;
    custom(&harness, "acme", &["acme-1", "gpt-4o"]).await;
    assert_eq!(ask(&harness, &key, "acme-1").await.status(), 200);
    assert_eq!(model_sent(&harness, OTHER), "acme-1");
    for model in ["gpt-4o-mini", "gpt-4o-mini-2024-07-18"] {
        assert_eq!(ask(&harness, &key, model).await.status(), 200);
        assert_eq!(model_sent(&harness, SECRET), model);
    }
    for (model, secret) in [("acme/gpt-4o", OTHER), ("openai/gpt-4o", SECRET)] {
        assert_eq!(ask(&harness, &key, model).await.status(), 200);
        assert_eq!(model_sent(&harness, secret), "gpt-4o", "{model}");
    }
    for model in ["gpt-4o", "unheard-of", "nobody/gpt-4o"] {
        let answer = ask(&harness, &key, model).await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["x-keyway-error"].to_str().unwrap()),
            (404, "model_not_found")
        );
        let error = answer.json::<Value>().await.unwrap()["error"].clone();
        assert_eq!((&error["type"], &error["param"]), (&json!("invalid_request_error"), &json!("model")));
    }
}

#[tokio::test]
async fn the_only_integration_gets_models_that_nobody_listed() {
    let (harness, key) = Harness::ready().await;
    assert_eq!(ask(&harness, &key, "ft:brand-new").await.status(), 200);
    let answer = ask(&harness, &key, "nope").await;
    assert_eq!(answer.status(), 404);
    assert!(answer.headers().get("x-keyway-error").is_none(), "the provider says so itself");
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "model_not_found");
}

#[tokio::test]
async fn the_list_of_models_is_the_union_and_each_can_be_asked_for() {
    let (harness, key) = Harness::ready().await;
    custom(&harness, "acme", &["acme-1", "gpt-4o"]).await;
    let list: Value = harness.get("/v1/models", &key).send().await.unwrap().json().await.unwrap();
    let ids: Vec<&str> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(list["object"], "list");
    for id in ["acme-1", "acme/gpt-4o", "openai/gpt-4o", "gpt-4o-mini"] {
        assert!(ids.contains(&id), "{ids:?}");
        let one: Value = harness
            .get(&format!("/v1/models/{}", id.replace('/', "%2F")), &key)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(one["id"], id);
        assert_eq!(one["object"], "model");
        assert!(one["created"].as_i64().unwrap() > 0);
    }
    assert!(!ids.contains(&"gpt-4o"));
    assert_eq!(harness.get("/v1/models/none", &key).send().await.unwrap().status(), 404);
    assert!(harness.simulator.all_calls().is_empty());
}

#[tokio::test]
async fn another_catalog_is_followed_at_once() {
    let (harness, key) = Harness::ready().await;
    let listed = async |model: &str| {
        harness.get(&format!("/v1/models/{model}"), &key).send().await.unwrap().status().is_success()
    };
    assert!(listed("gpt-4o-mini").await && !listed("gpt-brand-new").await);
    let yaml = include_str!("../../../models.yaml").replace("gpt-4o-mini", "gpt-brand-new");
    harness.catalog.replace(Catalog::parse(&yaml).unwrap());
    until("the new model is listed", async || listed("gpt-brand-new").await).await;
    assert!(!listed("gpt-4o-mini").await);
    assert_eq!(ask(&harness, &key, "gpt-brand-new").await.status(), 200);
}

#[tokio::test]
async fn a_name_that_the_catalog_took_later_stays_the_tenants() {
    let (mut provider, harness, key) = behind(Scripted::says(ANSWER).await).await;
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    let base_url = provider.base_url.clone();
    providers::insert(&tx, "groq", "Ours", &base_url, "bearer", Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.integration_of("groq", OTHER, None).await;
    let answer = harness.get("/proxy/groq/v1/models", &key).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(provider.requests.recv().await.unwrap().contains(OTHER));
}
