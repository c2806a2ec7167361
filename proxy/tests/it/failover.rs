//! Several integrations that could serve a call: the order, the failover, and the headers that show it.

use std::collections::HashMap;

use http::StatusCode;
use keyway_domain::{IntegrationId, Invalidation, Timestamp};
use keyway_store::integrations::{self, Change};
use keyway_vault::{Keyring, Vault};
use serde_json::{Value, json};

use super::harness::{Harness, Key, SECRET, chat, until};

const PATH: &str = "/v1/chat/completions";

/// Builds a project whose `openai` has one more integration, with this secret, priority and weight.
async fn beside(secret: &str, priority: i32, weight: i32) -> (Harness, Key, [IntegrationId; 2]) {
    let harness = Harness::start().await;
    let first = harness.integration("openai", SECRET).await;
    let second = harness.integration("openai", secret).await;
    place(&harness, second, priority, weight).await;
    let key = harness.virtual_key(None).await;
    (harness, key, [first, second])
}

pub(super) async fn place(harness: &Harness, id: IntegrationId, priority: i32, weight: i32) {
    let change = Change { priority: Some(priority), weight: Some(weight), ..Change::default() };
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    integrations::update(&tx, id, change, None, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.proxy.forget(harness.tenant, Invalidation::Integrations);
}

async fn switch(harness: &Harness, id: IntegrationId, on: bool) {
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    integrations::set_enabled(&tx, id, on, None, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.proxy.forget(harness.tenant, Invalidation::Integrations);
}

async fn ask(harness: &Harness, key: &Key) -> reqwest::Response {
    harness.post(PATH, key, &chat(false)).send().await.unwrap()
}

fn header<'a>(answer: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_lowest_priority_serves_and_the_next_stands_by() {
    let (harness, key, [first, second]) = beside("sk-sim-good-second", 1, 1).await;
    for _ in 0..20 {
        let answer = ask(&harness, &key).await;
        assert_eq!(header(&answer, "x-keyway-integration"), Some(first.to_string().as_str()));
        assert_eq!(header(&answer, "x-keyway-attempts"), None);
    }
    place(&harness, first, 2, 1).await;
    assert_eq!(header(&ask(&harness, &key).await, "x-keyway-integration"), Some(second.to_string().as_str()));
    switch(&harness, second, false).await;
    assert_eq!(header(&ask(&harness, &key).await, "x-keyway-integration"), Some(first.to_string().as_str()));
}

#[tokio::test]
async fn equals_share_by_weight_and_what_has_no_model_stays_with_one() {
    let (harness, key, ids) = beside("sk-sim-good-second", 0, 4).await;
    let mut served: HashMap<String, u32> = HashMap::new();
    for _ in 0..200 {
        let answer = ask(&harness, &key).await;
        *served.entry(header(&answer, "x-keyway-integration").unwrap().to_owned()).or_default() += 1;
    }
    // One in five of 200, give or take four standard deviations.
    let light = served[&ids[0].to_string()];
    assert!((17..=63).contains(&light), "{served:?}");
    for _ in 0..20 {
        let answer = harness.get("/proxy/openai/v1/models", &key).send().await.unwrap();
        assert_eq!(header(&answer, "x-keyway-integration"), Some(ids[0].to_string().as_str()));
    }
}

#[tokio::test]
async fn another_integration_takes_over_before_the_first_byte() {
    for (secret, status) in
        [("sk-sim-revoked-a", 401), ("sk-sim-429-a", 429), ("sk-sim-500-a", 500), ("sk-sim-nocredit-a", 429)]
    {
        let (harness, key, [good, bad]) = beside(secret, 0, 1).await;
        place(&harness, good, 1, 1).await;
        let answer = ask(&harness, &key).await;
        assert_eq!(answer.status(), StatusCode::OK, "{secret}");
        assert_eq!(header(&answer, "x-keyway-integration"), Some(good.to_string().as_str()));
        assert_eq!(header(&answer, "x-keyway-attempts"), Some(format!("{bad};{status}, {good};200").as_str()));
        assert!(answer.json::<Value>().await.unwrap()["usage"].is_object());
        let record = harness.records(1).await.remove(0);
        assert_eq!((record.served_by.integration(), record.attempts, record.http_status), (Some(good), 2, Some(200)));
        assert_eq!((record.refused[0].integration_id, record.refused[0].http_status), (bad, status), "{secret}");
        // It cools down: the next call does not ask it.
        let answer = ask(&harness, &key).await;
        assert_eq!((answer.status(), header(&answer, "x-keyway-attempts")), (StatusCode::OK, None), "{secret}");
        assert_eq!(harness.simulator.calls(secret, PATH), 1, "{secret}");
    }
}

#[tokio::test]
async fn a_stream_is_taken_over_too() {
    let (harness, key, [good, bad]) = beside("sk-sim-500-a", 0, 1).await;
    place(&harness, good, 1, 1).await;
    let answer = harness.post(PATH, &key, &chat(true)).send().await.unwrap();
    assert_eq!(header(&answer, "x-keyway-attempts"), Some(format!("{bad};500, {good};200").as_str()));
    assert!(answer.text().await.unwrap().ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_host_that_nobody_answers_at_is_passed_over() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let harness = Harness::start_with(Vault::open(Keyring::generate().unwrap()), std::slice::from_ref(&host)).await;
    let nobody = harness.integration_at("openai", SECRET, &format!("http://{host}/v1")).await;
    let good = harness.integration("openai", "sk-sim-good-second").await;
    place(&harness, good, 1, 1).await;
    let key = harness.virtual_key(None).await;
    let answer = ask(&harness, &key).await;
    let expected = format!("{nobody};upstream_unreachable, {good};200");
    assert_eq!(header(&answer, "x-keyway-attempts"), Some(expected.as_str()));
    assert_eq!(harness.records(1).await.remove(0).attempts, 2);
}

#[tokio::test]
async fn the_last_answer_is_the_callers_and_a_bad_request_is_nobody_elses() {
    let (harness, key, [good, _]) = beside("sk-sim-revoked-a", 1, 1).await;
    let wrong = json!({ "model": "nope", "messages": [] });
    let answer = harness.post(PATH, &key, &wrong).send().await.unwrap();
    assert_eq!((answer.status(), header(&answer, "x-keyway-attempts")), (StatusCode::NOT_FOUND, None));
    assert_eq!(header(&answer, "x-keyway-integration"), Some(good.to_string().as_str()));
    switch(&harness, good, false).await;
    for _ in 0..2 {
        let answer = ask(&harness, &key).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "nobody else is left: it is asked though it cools down");
        assert_eq!(header(&answer, "x-keyway-error"), None);
    }
    assert_eq!(harness.simulator.calls("sk-sim-revoked-a", PATH), 2);
}

#[tokio::test]
async fn a_caller_may_insist_on_an_integration() {
    let (harness, key, [first, second]) = beside("sk-sim-good-second", 9, 1).await;
    let pinned = |id: String| harness.post(PATH, &key, &chat(false)).header("x-keyway-integration", id).send();
    let answer = pinned(second.to_string()).await.unwrap();
    assert_eq!(header(&answer, "x-keyway-integration"), Some(second.to_string().as_str()));
    switch(&harness, second, false).await;
    for (id, code) in [
        (second.to_string(), "integration_disabled"),
        (IntegrationId::new().to_string(), "integration_not_found"),
        ("first".to_owned(), "invalid_header"),
    ] {
        let answer = pinned(id).await.unwrap();
        assert_eq!(header(&answer, "x-keyway-error"), Some(code));
    }
    assert_eq!(harness.simulator.calls(SECRET, PATH), 0, "{first} is not asked instead");
}

#[tokio::test]
async fn a_body_that_is_not_read_goes_to_one_only() {
    let (harness, key, [good, bad]) = beside("sk-sim-revoked-a", 0, 1).await;
    place(&harness, good, 1, 1).await;
    let upload = harness.post("/proxy/openai/v1/files", &key, &json!({}));
    let upload = upload.header("content-type", "multipart/form-data; boundary=x").body("--x--\r\n".repeat(9));
    let answer = upload.send().await.unwrap();
    assert_eq!((answer.status(), header(&answer, "x-keyway-attempts")), (StatusCode::UNAUTHORIZED, None));
    assert_eq!(header(&answer, "x-keyway-integration"), Some(bad.to_string().as_str()));
    until("the next to go elsewhere", async || {
        let answer = harness.get("/proxy/openai/v1/models", &key).send().await.unwrap();
        header(&answer, "x-keyway-integration") == Some(good.to_string().as_str())
    })
    .await;
}
