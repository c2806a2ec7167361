//! Repeated calls are answered from the cache for callers that ask for it, and for no others.

use keyway_domain::{Invalidation, ProjectId, Timestamp};
use keyway_store::{projects, virtual_keys};
use serde_json::json;

use super::{
    breaks::{COHERE, GEMINI, Host, MESSAGES, asked},
    harness::{Harness, Key, chat, until},
    scripted::{EVENTS, Reply, Scripted, behind, chunk},
};

const CHAT: &str = "/v1/chat/completions";

/// Returns the cache's header for a call, and the answer.
async fn ask(harness: &Harness, key: &Key, body: &serde_json::Value, word: &str) -> (String, String) {
    let sent = harness.post(CHAT, key, body).header("x-keyway-cache", word).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    let said = sent.headers().get("x-keyway-cache").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(sent.headers().contains_key("age"), said.as_deref() == Some("hit"), "{said:?}");
    (said.unwrap_or_default(), sent.text().await.unwrap())
}

fn calls(harness: &Harness) -> u64 {
    harness.simulator.all_calls().values().flat_map(|paths| paths.values()).sum()
}

#[tokio::test]
async fn the_same_call_again_is_answered_byte_for_byte_without_the_provider() {
    let (harness, key) = Harness::ready().await;
    for (at, stream) in (0..).zip([false, true]) {
        let (first, answer) = ask(&harness, &key, &chat(stream), "on").await;
        let (again, same) = ask(&harness, &key, &chat(stream), "on").await;
        assert_eq!((first.as_str(), again.as_str(), same), ("miss", "hit", answer.clone()), "stream: {stream}");
        assert_eq!(calls(&harness), 2 * at + 1);
        let (anew, other) = ask(&harness, &key, &chat(stream), "refresh").await;
        assert!(anew == "miss" && other != answer, "the provider numbers its answers");
        assert_eq!(ask(&harness, &key, &chat(stream), "on").await, ("hit".to_owned(), other));
        assert_eq!(calls(&harness), 2 * at + 2);
    }
    let records = harness.records(8).await;
    assert_eq!(records.iter().filter(|record| record.cached).count(), 4);
    for record in records {
        assert_eq!((record.http_status, record.complete), (Some(200), true), "{record:?}");
        assert_eq!(
            (record.attempts == 0, record.tokens.input == Some(0)),
            (record.cached, record.cached),
            "{record:?}"
        );
        assert!(record.model.as_deref().is_some_and(|model| model.starts_with("gpt-4o-mini")), "{record:?}");
    }
}

#[tokio::test]
async fn another_call_or_another_project_gets_an_answer_of_its_own() {
    let (harness, key) = Harness::ready().await;
    ask(&harness, &key, &chat(false), "on").await;
    let mut warmer = chat(false);
    warmer["temperature"] = json!(1);
    assert_eq!(ask(&harness, &key, &warmer, "on").await.0, "miss");
    let stranger = key_of_another_project(&harness).await;
    let sent = harness.post(CHAT, &stranger, &chat(false)).header("x-keyway-cache", "on").send().await.unwrap();
    assert_eq!(sent.status(), 404, "it has no integration, and sees no answer of the other's");
    for (name, value, expected) in [
        ("openai-beta", "assistants=v2", "miss"),
        ("x-of-the-provider", "1", "miss"),
        ("x-of-the-provider", "2", "miss"),
        ("x-of-the-provider", "1", "hit"),
        ("cookie", "passes=not", "hit"),
        ("x-forwarded-for", "192.0.2.1", "hit"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "hit"),
    ] {
        let asked = harness.post(CHAT, &key, &chat(false)).header("x-keyway-cache", "on").header(name, value);
        assert_eq!(asked.send().await.unwrap().headers()["x-keyway-cache"], expected, "{name}: {value}");
    }
    let colleague = harness.virtual_key(None).await;
    assert_eq!(ask(&harness, &colleague, &chat(false), "on").await.0, "hit", "of the same project");
}

async fn key_of_another_project(harness: &Harness) -> Key {
    let key = harness.virtual_key(None).await;
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    let other: ProjectId =
        projects::insert(&tx, "other", keyway_domain::Limits::default(), None, Timestamp::now()).await.unwrap().id;
    let (other, id) = (harness.literal(other.uuid()), harness.literal(key.id.uuid()));
    keyway_store::raw::execute(&tx, &format!("UPDATE virtual_keys SET project_id = {other} WHERE id = {id}"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    key
}

#[tokio::test]
async fn a_change_of_integrations_or_of_the_key_forgets_what_it_made() {
    let (harness, key) = Harness::ready().await;
    for what in [Invalidation::Integrations, Invalidation::Providers, Invalidation::VirtualKey { id: key.id }] {
        ask(&harness, &key, &chat(false), "on").await;
        assert_eq!(ask(&harness, &key, &chat(false), "on").await.0, "hit");
        harness.proxy.forget(harness.tenant, what);
        assert_eq!(ask(&harness, &key, &chat(false), "on").await.0, "miss", "{what:?}");
    }
    harness.tell(Invalidation::Integrations).await;
    until("the other processes' caches hear of it", async || ask(&harness, &key, &chat(false), "on").await.0 == "miss")
        .await;
}

#[tokio::test]
async fn a_virtual_key_asks_for_all_its_calls_and_answers_grow_old() {
    let (harness, key) = Harness::ready().await;
    assert_eq!(harness.post(CHAT, &key, &chat(false)).send().await.unwrap().headers().get("x-keyway-cache"), None);
    let tx = harness.store.tenant(harness.tenant).await.unwrap();
    let row = virtual_keys::find(&tx, key.id).await.unwrap().unwrap();
    let (limits, cache_ttl_seconds) = (row.limits, Some(1));
    let change = virtual_keys::Change { name: row.name, expires_at: None, limits, cache_ttl_seconds };
    virtual_keys::update(&tx, key.id, change, row.version).await.unwrap();
    tx.commit().await.unwrap();
    harness.proxy.forget(harness.tenant, Invalidation::VirtualKey { id: key.id });
    let said = async || {
        let answer = harness.post(CHAT, &key, &chat(false)).send().await.unwrap();
        answer.headers()["x-keyway-cache"].to_str().unwrap().to_owned()
    };
    assert_eq!((said().await.as_str(), said().await.as_str()), ("miss", "hit"));
    until("the answer is too old", async || said().await == "miss").await;
    assert_eq!(ask(&harness, &key, &chat(false), "off").await.0, "");
}

#[tokio::test]
async fn nothing_is_kept_that_broke_off_or_says_an_error() {
    let whole = |body: &str| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    };
    let event = chunk("data: {\"choices\":[]}\n\n");
    let error = chunk("event: error\ndata: {\"type\":\"error\"}\n\n");
    for answer in [
        whole(r#"{"error":{"message":"no","code":502}}"#),
        whole("{}").replace("200 OK", "503 Service Unavailable"),
        whole("{}").replace("connection", "content-encoding: gzip\r\nconnection"),
        [EVENTS, &event].concat(),
        [EVENTS, &event, &error, "0\r\n\r\n"].concat(),
    ] {
        let (mut provider, harness, key) = behind(Scripted::says(answer.clone()).await).await;
        for _ in 0..2 {
            let sent = harness.post(CHAT, &key, &chat(true)).header("x-keyway-cache", "on").send().await.unwrap();
            // One that is cut off is an error to its reader.
            drop(sent.bytes().await);
            assert!(provider.requests.recv().await.is_some());
        }
        harness.records(2).await;
    }
}

#[tokio::test]
async fn only_an_answer_that_ended_as_its_shape_ends_is_kept() {
    let (text, json) = ("data: {\"type\":\"x\"}\n\n", "content-type: application/json\r\n");
    let done = "data: [DONE]\n\n";
    let stopped = "data: {\"type\":\"message_stop\"}\n\n";
    let completed = "data: {\"type\":\"response.completed\",\"response\":{}}\n\n";
    let finished = "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n";
    let ended = "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n";
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"x\"}}\n\n";
    let mut host = Host::start().await;
    let cases = [
        (CHAT, Reply::events([text, done]), true),
        (CHAT, Reply::events([text]), false),
        (CHAT, Reply::events([text, done]).cut(), false),
        (CHAT, Reply::events([text, "data: {\"error\":{\"code\":502}}\n\n", done]), false),
        (CHAT, Reply::events([text, error]), false),
        (CHAT, Reply::events(["data: {\"choices\":[{\"finish_reason\":\"error\"}]}\n\n", done]), false),
        (CHAT, Reply::chunked(json, [text, done]), true),
        (CHAT, Reply::chunked(json, [text]), false),
        (CHAT, Reply::chunked(json, ["{\"id\":1}"]), true),
        (CHAT, Reply::chunked(json, ["{\"id\":"]), false),
        (CHAT, Reply::json(200, "{\"choices\":[{\"finish_reason\":\"error\"}]}"), false),
        ("/v1/responses", Reply::events([text, completed]), true),
        ("/v1/responses", Reply::events([text]), false),
        ("/v1/responses", Reply::events([text, "data: {\"type\":\"response.failed\",\"response\":{}}\n\n"]), false),
        (MESSAGES, Reply::events([text, stopped]), true),
        (
            MESSAGES,
            Reply::events([text, "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"x\"}}\n\n"]),
            false,
        ),
        (MESSAGES, Reply::events([text, error]), false),
        (GEMINI, Reply::events([text, finished]), true),
        (GEMINI, Reply::events([text, "data: {\"candidates\":[{}],\"usageMetadata\":{}}\n\n"]), false),
        (COHERE, Reply::events([text, ended]), true),
        (COHERE, Reply::events([text, &ended.replace("COMPLETE", "ERROR")]), false),
        (COHERE, Reply::events([text]), false),
    ];
    for (at, (path, reply, is_kept)) in cases.into_iter().enumerate() {
        let what = format!("{path}: {}", reply.text());
        *host.says.lock().unwrap() = reply;
        let mut body = asked(path);
        body["seed"] = json!(at);
        let mut told = Vec::new();
        for _ in 0..2 {
            let sent = host.harness.post(path, &host.key, &body).header("x-keyway-cache", "on").send().await.unwrap();
            told.push(sent.headers()["x-keyway-cache"].to_str().unwrap().to_owned());
            // One that is broken off is an error to its reader.
            drop(sent.bytes().await);
            host.harness.records(1).await;
        }
        assert_eq!(told, ["miss", if is_kept { "hit" } else { "miss" }], "{what}");
        let tries = std::iter::from_fn(|| host.provider.requests.try_recv().ok()).count();
        assert_eq!(tries, if is_kept { 1 } else { 2 }, "{what}");
    }
}

#[tokio::test]
async fn what_makes_something_is_never_repeated_and_a_wrong_word_is_refused() {
    let (harness, key) = Harness::ready().await;
    for _ in 0..2 {
        let made = harness.post("/proxy/openai/v1/batches", &key, &json!({ "input_file_id": "f" }));
        let made = made.header("x-keyway-cache", "on").send().await.unwrap();
        assert_eq!(made.headers().get("x-keyway-cache"), None);
    }
    assert_eq!(calls(&harness), 2);
    let refused = harness.post(CHAT, &key, &chat(false)).header("x-keyway-cache", "maybe").send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["x-keyway-error"].to_str().unwrap()),
        (400, "invalid_header")
    );
}
