//! Limits over real HTTP, on both databases: calls that pass, calls that are refused and their errors, and the total
//! that several proxies let through.

use keyway_domain::{IntegrationId, Invalidation, Limits, Timestamp};
use keyway_store::{integrations, projects, virtual_keys};
use keyway_testkit::{
    postgres::TestDatabase,
    simulator::{Fault, Script},
};
use keyway_vault::{Keyring, Vault};
use serde_json::{Value, json};

use super::harness::{Harness, Key, SECRET, chat, until};

const CHAT: &str = "/v1/chat/completions";
/// Cost of one call of [`tiny`]: three words in, eight out, at 0.15 and 0.60 US dollars for a million.
const COST: i64 = 3 * 150 + 8 * 600;

/// Runs a test on both databases.
macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test]
            async fn postgres() {
                super::$name(super::on(super::TestDatabase::postgres().await.unwrap()).await).await;
            }

            #[tokio::test]
            async fn sqlite() {
                super::$name(super::on(super::TestDatabase::sqlite().unwrap()).await).await;
            }
        }
    )*};
}

on_both! {
    requests_are_counted_by_all_proxies_together
    a_refusal_speaks_as_the_callers_sdk_reads_it
    tokens_are_settled_with_what_was_really_used
    a_call_whose_path_names_its_model_is_bounded_by_its_body
    a_budget_is_used_up_to_its_last_call_and_no_further
    what_costs_nothing_passes_a_budget_and_what_nobody_can_price_does_not
    a_project_counts_all_its_keys_and_an_integration_all_its_callers
    a_call_that_nobody_served_uses_up_no_budget
    a_changed_limit_holds_from_the_next_call_on
    without_the_database_what_is_leased_is_spent_and_no_more
}

async fn on(database: TestDatabase) -> Harness {
    let harness = Harness::start_on(database, Vault::open(Keyring::generate().unwrap()), &[]).await;
    harness.integration("openai", SECRET).await;
    harness
}

fn requests(most: i64) -> Limits {
    Limits { requests_per_minute: Some(most), ..Limits::default() }
}

fn budget(nano_usd: i64) -> Limits {
    Limits { monthly_budget_nano_usd: Some(nano_usd), ..Limits::default() }
}

/// A body whose bound is known: its bytes, and `max_tokens`.
fn tiny(max_tokens: i64) -> Value {
    let mut body = chat(false);
    body["max_tokens"] = json!(max_tokens);
    body
}

/// Status, code, and the headers of one call, whose answer is read to its end.
async fn answer(request: reqwest::RequestBuilder) -> (u16, String, reqwest::header::HeaderMap) {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let code = headers.get("x-keyway-error").map(|code| code.to_str().unwrap().to_owned()).unwrap_or_default();
    response.bytes().await.unwrap();
    (status, code, headers)
}

fn number(headers: &reqwest::header::HeaderMap, name: &str) -> i64 {
    headers.get(name).unwrap_or_else(|| panic!("no {name} in {headers:?}")).to_str().unwrap().parse().unwrap()
}

/// Puts the window of a minute so far ahead that it does not end while a test runs.
pub(super) async fn hold_still(harness: &Harness, scope: uuid::Uuid) {
    let minute = Timestamp::now().after(std::time::Duration::from_secs(3600)).floor(std::time::Duration::from_secs(60));
    let tx = harness.store.system().await.unwrap();
    for measure in ["requests_per_minute", "tokens_per_minute"] {
        // The same text reads as an id in PostgreSQL, and in SQLite as the bytes that ids are kept as.
        let text = format!(
            "INSERT INTO limit_windows SELECT id, {}, '{measure}', {}, 0, 0, 0 FROM tenants WHERE name = 'shop'",
            harness.literal(scope),
            minute.ms()
        );
        assert_eq!(keyway_store::raw::execute(&tx, &text).await.unwrap(), 1);
    }
    tx.commit().await.unwrap();
}

async fn requests_are_counted_by_all_proxies_together(mut harness: Harness) {
    let key = harness.virtual_key_within(requests(100), None).await;
    hold_still(&harness, key.id.uuid()).await;
    let (_first, url) = (std::sync::Arc::clone(&harness.proxy), harness.url.clone());
    harness.restart().await;
    let urls = [url, harness.url.clone()];
    let call = |at: usize| {
        let request = harness
            .http
            .post(format!("{}{CHAT}", urls[at % 2]))
            .bearer_auth(&key.text)
            .json(&chat(at.is_multiple_of(3)));
        async move { answer(request).await.0 }
    };
    let calls = futures::StreamExt::buffer_unordered(futures::stream::iter((0..160).map(call)), 16);
    let statuses: Vec<u16> = futures::StreamExt::collect(calls).await;
    let passed = statuses.iter().filter(|status| **status == 200).count();
    assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
    assert_eq!(harness.simulator.calls(SECRET, CHAT), u64::try_from(passed).unwrap());
    assert!((90..=100).contains(&passed), "{passed} of 100 passed");
}

async fn a_refusal_speaks_as_the_callers_sdk_reads_it(harness: Harness) {
    let key = harness.virtual_key_within(requests(1), None).await;
    hold_still(&harness, key.id.uuid()).await;
    let (status, _, headers) = answer(harness.post(CHAT, &key, &chat(false))).await;
    assert_eq!((status, number(&headers, "x-keyway-ratelimit-limit-requests")), (200, 1));
    assert_eq!(number(&headers, "x-keyway-ratelimit-remaining-requests"), 0);
    assert!(number(&headers, "x-keyway-ratelimit-reset-requests") > 60);
    assert!(headers.contains_key("x-ratelimit-limit-requests"), "the provider's own stay: {headers:?}");
    for (path, names) in [
        (CHAT, ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"]),
        (
            "/proxy/openai/v1/messages",
            [
                "anthropic-ratelimit-requests-limit",
                "anthropic-ratelimit-requests-remaining",
                "anthropic-ratelimit-requests-reset",
            ],
        ),
    ] {
        let (status, code, headers) = answer(harness.post(path, &key, &chat(false))).await;
        assert_eq!((status, code.as_str()), (429, "rate_limited"), "{path}");
        assert_eq!((number(&headers, names[0]), number(&headers, names[1])), (1, 0), "{path}");
        assert!(headers.contains_key(names[2]), "{path}: {headers:?}");
        assert!(number(&headers, "retry-after") > 60, "{path}");
        assert_eq!(headers["x-keyway-limit-scope"], "virtual_key");
        assert_eq!(headers["x-keyway-limit"], "requests_per_minute");
        assert!(Timestamp::parse(headers["x-keyway-limit-reset"].to_str().unwrap()).unwrap() > Timestamp::now());
    }
    assert_eq!(harness.simulator.calls(SECRET, CHAT), 1);
    let codes: Vec<_> = harness.records(3).await.into_iter().map(|call| call.refused_code).collect();
    assert_eq!(codes, [None, Some("rate_limited".to_owned()), Some("rate_limited".to_owned())]);
}

async fn tokens_are_settled_with_what_was_really_used(harness: Harness) {
    let limits = Limits { tokens_per_minute: Some(400), ..Limits::default() };
    let key = harness.virtual_key_within(limits, None).await;
    hold_still(&harness, key.id.uuid()).await;
    // Each reserves more than 130 and uses 11.
    for at in 1..=10 {
        let (status, code, headers) = answer(harness.post(CHAT, &key, &tiny(20))).await;
        assert_eq!(status, 200, "call {at}: {code}");
        assert_eq!(number(&headers, "x-keyway-ratelimit-limit-tokens"), 400);
    }
    // Longer than what is left: it passes alone, and is settled too.
    let (status, ..) = answer(harness.post(CHAT, &key, &tiny(5000))).await;
    assert_eq!(status, 200);
    let streamed = harness.post(CHAT, &key, &chat(true)).send().await.unwrap();
    assert_eq!(streamed.status(), 200, "121 of 400 are used");
    assert!(streamed.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    // Nobody knows what an answer that broke off used: all that was left for it.
    harness.simulator.script(Script { key: SECRET.to_owned(), fault: Fault::Cut, times: Some(1), latency_ms: 0 });
    let cut = harness.post(CHAT, &key, &tiny(5000)).send().await.unwrap();
    assert!(cut.status() == 502 || cut.text().await.is_err());
    let (status, code, headers) = answer(harness.post(CHAT, &key, &tiny(1))).await;
    assert_eq!((status, code.as_str()), (429, "rate_limited"));
    assert_eq!(number(&headers, "x-ratelimit-remaining-tokens"), 0);
}

/// Google's path names the model, so its body would pass unread: under a limit it is read for its bounds.
async fn a_call_whose_path_names_its_model_is_bounded_by_its_body(harness: Harness) {
    let google = "AIzaSim-good-limits-0123456789";
    let base_url = format!("http://{}/v1beta", harness.simulator.host());
    harness.integration_at("gemini", google, &base_url).await;
    let limits = Limits { tokens_per_minute: Some(100_000), ..budget(1_000_000_000) };
    let key = harness.virtual_key_within(limits, None).await;
    hold_still(&harness, key.id.uuid()).await;
    let path = "/v1beta/models/gemini-2.5-flash:generateContent";
    let call = |body: Value| {
        let request = harness.http.post(format!("{}/proxy/gemini{path}", harness.url));
        answer(request.header("x-goog-api-key", &key.text).json(&body))
    };
    let contents = json!([{ "parts": [{ "text": "one two three" }] }]);
    let (status, code, headers) =
        call(json!({ "contents": contents, "generationConfig": { "maxOutputTokens": 8 } })).await;
    assert_eq!((status, code.as_str()), (200, ""));
    // What it reserved at most is still taken off while the head of the answer is on its way.
    assert!(number(&headers, "x-keyway-ratelimit-remaining-tokens") > 99_000, "{headers:?}");
    let (status, _, headers) = call(json!({ "contents": contents })).await;
    assert_eq!(status, 200);
    assert!(number(&headers, "x-keyway-ratelimit-remaining-tokens") < 50_000, "the model's own bound: {headers:?}");
    assert_eq!(harness.simulator.calls(google, path), 2);
}

async fn a_budget_is_used_up_to_its_last_call_and_no_further(harness: Harness) {
    let limits = Limits { daily_budget_nano_usd: Some(10 * COST - 1), ..budget(20 * COST) };
    let key = harness.virtual_key_within(limits, None).await;
    let mut passed = 0;
    let refused = loop {
        let (status, code, headers) = answer(harness.post(CHAT, &key, &tiny(8))).await;
        if status != 200 {
            break (status, code, headers);
        }
        passed += 1;
        assert!(passed <= 10, "the tenth call reaches the limit");
    };
    assert_eq!((passed, refused.0, refused.1.as_str()), (10, 402, "budget_exceeded"));
    assert_eq!(refused.2["x-keyway-limit"], "daily_budget");
    assert!(!refused.2.contains_key("retry-after"));
    // A refusal of the provider costs nothing.
    let other = harness.virtual_key_within(budget(4 * COST), None).await;
    for _ in 0..6 {
        harness.simulator.script(Script {
            key: SECRET.to_owned(),
            fault: Fault::RateLimited,
            times: Some(1),
            latency_ms: 0,
        });
        let (status, code, _) = answer(harness.post(CHAT, &other, &tiny(8))).await;
        assert_eq!((status, code.as_str()), (429, ""), "the provider's own");
    }
    let (status, _, headers) = answer(harness.post(CHAT, &other, &tiny(8))).await;
    assert_eq!((status, number(&headers, "x-keyway-ratelimit-limit-monthly-budget")), (200, 4 * COST));
}

async fn what_costs_nothing_passes_a_budget_and_what_nobody_can_price_does_not(harness: Harness) {
    let key = harness.virtual_key_within(budget(0), None).await;
    let (status, ..) = answer(harness.get("/proxy/openai/v1/models", &key)).await;
    assert_eq!(status, 200);
    let (status, code, _) = answer(harness.post(CHAT, &key, &tiny(1))).await;
    assert_eq!((status, code.as_str()), (402, "budget_exceeded"));
    let rich = harness.virtual_key_within(budget(1_000_000_000), None).await;
    let mut unknown = tiny(1);
    unknown["model"] = json!("model-without-a-price");
    let batch = json!({ "model": "gpt-4o-mini", "input_file_id": "f" });
    let (mut tier, mut tool) = (tiny(1), tiny(1));
    tier["service_tier"] = json!("golden");
    tool["tools"] = json!([{ "type": "image_generation" }]);
    let (batches, images) = ("/proxy/openai/v1/batches", "/proxy/openai/v1/images");
    for (path, body) in [(CHAT, &unknown), (CHAT, &tier), (CHAT, &tool), (batches, &batch), (images, &batch)] {
        let (status, code, headers) = answer(harness.post(path, &rich, body)).await;
        assert_eq!((status, code.as_str()), (402, "price_unknown"), "{path}");
        assert_eq!(headers["x-keyway-limit-scope"], "virtual_key", "{path}");
    }
    let multipart = harness.http.post(format!("{}/proxy/openai/v1/files", harness.url)).bearer_auth(&rich.text);
    let form = "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--x--\r\n";
    let (_, code, _) = answer(multipart.header("content-type", "multipart/form-data; boundary=x").body(form)).await;
    assert_eq!(code, "", "uploading costs nothing");
    assert_eq!(harness.simulator.calls(SECRET, CHAT), 0);
}

async fn set_integration(harness: &Harness, id: IntegrationId, limits: Limits, priority: i32) {
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    let change = integrations::Change { limits: Some(limits), priority: Some(priority), ..Default::default() };
    integrations::update(&tx, id, change, None, Timestamp::now()).await.unwrap();
    tx.commit().await.unwrap();
    harness.proxy.forget(harness.tenant, Invalidation::Integrations);
}

async fn a_project_counts_all_its_keys_and_an_integration_all_its_callers(harness: Harness) {
    let second = "sk-sim-good-second-9876543210";
    let small = harness.integration("openai", second).await;
    set_integration(&harness, small, requests(2), 0).await;
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    let others = integrations::list(&tx, &integrations::Filter::default(), keyway_store::Page::first(9)).await.unwrap();
    drop(tx);
    let large = others.items.iter().find(|row| row.id != small).unwrap().id;
    set_integration(&harness, large, Limits::default(), 1).await;
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    projects::update(&tx, harness.project, "web", &requests(5), None, 1).await.unwrap();
    tx.commit().await.unwrap();
    for scope in [small.uuid(), harness.project.uuid()] {
        hold_still(&harness, scope).await;
    }
    let keys = [harness.virtual_key(None).await, harness.virtual_key(None).await];
    let mut codes = Vec::new();
    for at in 0..7 {
        let (status, code, headers) = answer(harness.post(CHAT, &keys[at % 2], &chat(false))).await;
        if status == 429 {
            assert_eq!(headers["x-keyway-limit-scope"], "project");
        }
        codes.push(code);
    }
    assert_eq!(codes, ["", "", "", "", "", "rate_limited", "rate_limited"]);
    let calls = [second, SECRET].map(|secret| harness.simulator.calls(secret, CHAT));
    assert_eq!(calls, [2, 3], "whose limit is used up is passed over");
}

async fn a_call_that_nobody_served_uses_up_no_budget(harness: Harness) {
    let refusing = harness.integration("openai", "sk-sim-429-limits-0123456789").await;
    set_integration(&harness, refusing, Limits::default(), 0).await;
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    let all = integrations::list(&tx, &integrations::Filter::default(), keyway_store::Page::first(9)).await.unwrap();
    drop(tx);
    let other = all.items.iter().find(|row| row.id != refusing).unwrap().id;
    set_integration(&harness, other, requests(0), 1).await;
    let key = harness.virtual_key_within(budget(2 * COST), None).await;
    let call = async || answer(harness.post(CHAT, &key, &tiny(8))).await;
    let (status, code, headers) = call().await;
    assert_eq!((status, code.as_str()), (429, "rate_limited"));
    assert_eq!(headers["x-keyway-limit-scope"], "integration");
    for _ in 0..4 {
        // The one that refused cools down and is asked last: its own refusal is what comes back.
        let (status, code, _) = call().await;
        assert_eq!((status, code.as_str()), (429, ""));
    }
    set_integration(&harness, other, Limits::default(), 1).await;
    assert_eq!([call().await.0, call().await.0, call().await.0], [200, 200, 402]);
}

async fn a_changed_limit_holds_from_the_next_call_on(harness: Harness) {
    let key = harness.virtual_key_within(requests(1000), None).await;
    hold_still(&harness, key.id.uuid()).await;
    let call = async || answer(harness.post(CHAT, &key, &chat(false))).await.0;
    assert_eq!([call().await, call().await], [200, 200]);
    change(&harness, &key, requests(3)).await;
    assert_eq!([call().await, call().await], [200, 429], "what was leased under the old limit is handed back");
    change(&harness, &key, requests(4)).await;
    assert_eq!([call().await, call().await], [200, 429]);
    change(&harness, &key, Limits::default()).await;
    assert_eq!([call().await, call().await], [200, 200]);
}

async fn change(harness: &Harness, key: &Key, limits: Limits) {
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    let row = virtual_keys::find(&tx, key.id).await.unwrap().unwrap();
    let change = virtual_keys::Change { name: row.name, expires_at: None, limits, cache_ttl_seconds: None };
    virtual_keys::update(&tx, key.id, change, row.version).await.unwrap();
    tx.commit().await.unwrap();
    harness.proxy.forget(harness.tenant, Invalidation::VirtualKey { id: key.id });
}

async fn without_the_database_what_is_leased_is_spent_and_no_more(harness: Harness) {
    let limited = harness.virtual_key_within(requests(160), None).await;
    hold_still(&harness, limited.id.uuid()).await;
    let free = harness.virtual_key(None).await;
    let call = async |key: &Key| answer(harness.post(CHAT, key, &chat(false))).await;
    // The first lease is a sixteenth of what is left.
    assert_eq!((call(&limited).await.0, call(&free).await.0), (200, 200));
    harness.store.clone().close().await;
    for at in 2..=10 {
        assert_eq!(call(&limited).await.0, 200, "call {at}");
    }
    let (status, code, headers) = call(&limited).await;
    assert_eq!((status, code.as_str()), (503, "unavailable"));
    assert_eq!(number(&headers, "retry-after"), 1);
    assert_eq!(call(&free).await.0, 200);
}

#[tokio::test]
async fn what_a_stopping_proxy_has_leased_is_there_for_others() {
    let mut harness = on(TestDatabase::sqlite().unwrap()).await;
    let key = harness.virtual_key_within(requests(16), None).await;
    hold_still(&harness, key.id.uuid()).await;
    let first = std::sync::Arc::clone(&harness.proxy);
    let mut passed = 0;
    let calls = |harness: &Harness| {
        let request = harness.post(CHAT, &key, &chat(false));
        async move { answer(request).await.0 == 200 }
    };
    while passed < 4 && calls(&harness).await {
        passed += 1;
    }
    first.drain().await;
    harness.restart().await;
    while calls(&harness).await {
        passed += 1;
    }
    assert_eq!(passed, 16);
    // Nobody uses it any more: it is handed back without being asked.
    let idle = harness.virtual_key_within(requests(160), None).await;
    hold_still(&harness, idle.id.uuid()).await;
    assert_eq!(answer(harness.post(CHAT, &idle, &chat(false))).await.0, 200);
    let granted = format!(
        "SELECT granted AS n FROM limit_windows WHERE scope_id = {} AND granted > 0",
        harness.literal(idle.id.uuid())
    );
    until("an idle lease to be handed back", async || {
        let tx = harness.store.system_read().await.unwrap();
        keyway_store::raw::number(&tx, &granted).await.unwrap() == 1
    })
    .await;
}
