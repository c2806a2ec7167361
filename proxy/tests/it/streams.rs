//! Streams: byte for byte the provider's, metered in every case, never ended as if they were whole.

use std::time::Duration;

use keyway_domain::TokenCounts;
use serde_json::json;
use tokio::{io::AsyncWriteExt, sync::oneshot};

use super::{
    calls::unnumbered,
    harness::{Harness, SECRET, chat, until},
    scripted::{EVENTS, Scripted, behind, chunk},
};

#[tokio::test]
async fn a_stream_is_byte_identical_whether_or_not_the_caller_asked_for_usage() {
    let (harness, key) = Harness::ready().await;
    for body in [
        chat(true),
        json!({ "stream": true, "stream_options": { "include_usage": false }, "model": "gpt-4o-mini", "messages": [{ "content": "one two three" }] }),
        json!({ "stream": true, "stream_options": { "include_usage": true }, "model": "gpt-4o-mini", "messages": [{ "content": "one two three" }] }),
    ] {
        let direct = harness.http.post(format!("{}/chat/completions", harness.simulator.base_url));
        let direct = direct.bearer_auth(SECRET).json(&body).send().await.unwrap().text().await.unwrap();
        for path in ["/proxy/openai/v1/chat/completions", "/v1/chat/completions"] {
            let answer = harness.post(path, &key, &body).send().await.unwrap();
            assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
            assert_eq!(unnumbered(&answer.text().await.unwrap()), unnumbered(&direct));
            let record = harness.records(1).await.remove(0);
            assert_eq!((record.tokens.input, record.tokens.output), (Some(3), Some(8)));
            assert!(record.complete && record.streamed);
        }
    }
}

#[tokio::test]
async fn a_caller_that_leaves_is_metered_once_and_the_provider_is_let_go() {
    let (told, mut gone) = tokio::sync::mpsc::unbounded_channel();
    let provider = Scripted::start(move |mut stream| {
        let told = told.clone();
        async move {
            let event = chunk("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n");
            stream.write_all([EVENTS, &event].concat().as_bytes()).await.unwrap();
            // Reading ends when the proxy closes its side.
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 8]).await;
            let _ = told.send(());
        }
    })
    .await;
    let (_provider, harness, key) = behind(provider).await;
    let mut answer = harness.post("/v1/chat/completions", &key, &chat(true)).send().await.unwrap();
    assert!(answer.chunk().await.unwrap().is_some(), "the first event passes before the stream ends");
    drop(answer);
    tokio::time::timeout(Duration::from_secs(20), gone.recv()).await.unwrap().unwrap();
    let record = harness.records(1).await.remove(0);
    assert!(!record.complete && record.streamed);
    assert_eq!((record.http_status, record.tokens), (Some(200), TokenCounts::default()));
    assert_eq!(record.model.as_deref(), Some("gpt-4o-mini"), "the model that was asked for");
    assert!(harness.take_records().await.is_empty());
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error_event_and_never_with_done() {
    let half = [chunk("data: {\"choices\":[{\"delta\":{}}]}\n\n"), "40\r\ndata: {\"cho".to_owned()].concat();
    let (_provider, harness, key) = behind(Scripted::says([EVENTS, &half].concat()).await).await;
    let answer = harness.post("/v1/chat/completions", &key, &chat(true)).send().await.unwrap();
    let (text, is_whole) = passed(answer).await;
    assert!(!is_whole && !text.contains("[DONE]"), "{text}");
    assert!(text.starts_with("data: {\"choices\":[{\"delta\":{}}]}\n\ndata: {\"error\""), "no half line: {text}");
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    let data = last.strip_prefix("data: ").unwrap();
    let error: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(error["error"]["code"], "upstream_mid_stream_failure");
    let record = harness.records(1).await.remove(0);
    assert!(!record.complete);
    assert_eq!(record.tokens, TokenCounts::default(), "unknown, not zero");
}

#[tokio::test]
async fn an_answer_of_known_length_that_breaks_is_broken_off() {
    let half = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{\"id\":";
    let (_provider, harness, key) = behind(Scripted::says(half).await).await;
    let answer = harness.post("/v1/chat/completions", &key, &chat(false)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.is_err(), "the caller sees that bytes are missing");
    assert!(!harness.records(1).await.remove(0).complete);
}

#[tokio::test]
async fn figures_that_passed_before_the_break_count() {
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n";
    let provider = Scripted::says([EVENTS, &chunk(usage)].concat()).await;
    let (_provider, harness, key) = behind(provider).await;
    let answer = harness.post("/v1/chat/completions", &key, &chat(true)).send().await.unwrap();
    let (text, is_whole) = passed(answer).await;
    assert!(!is_whole && text.contains("upstream_mid_stream_failure") && !text.contains("prompt_tokens"), "{text}");
    let record = harness.records(1).await.remove(0);
    assert_eq!((record.tokens.input, record.tokens.output, record.complete), (Some(7), Some(2), false));
}

/// Returns the text of an answer that passes, and `true` if it comes to its own end.
async fn passed(mut answer: reqwest::Response) -> (String, bool) {
    let mut text = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) => text.extend_from_slice(&piece),
            end => return (String::from_utf8(text).unwrap(), end.is_ok()),
        }
    }
}

#[tokio::test]
async fn events_pass_one_by_one_as_they_come() {
    let (next, wait) = oneshot::channel::<()>();
    let wait = std::sync::Arc::new(tokio::sync::Mutex::new(Some(wait)));
    let provider = Scripted::start(move |mut stream| {
        let wait = std::sync::Arc::clone(&wait);
        async move {
            let first = chunk("data: {\"n\":1}\n\n");
            stream.write_all([EVENTS, &first].concat().as_bytes()).await.unwrap();
            wait.lock().await.take().unwrap().await.unwrap();
            let rest = [chunk("data: {\"n\":2}\n\n"), chunk("data: [DONE]\n\n"), "0\r\n\r\n".to_owned()].concat();
            stream.write_all(rest.as_bytes()).await.unwrap();
        }
    })
    .await;
    let (_provider, harness, key) = behind(provider).await;
    let mut answer = harness.post("/v1/chat/completions", &key, &chat(true)).send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: {\"n\":1}\n\n");
    next.send(()).unwrap();
    let mut rest = Vec::new();
    while let Some(piece) = answer.chunk().await.unwrap() {
        rest.extend_from_slice(&piece);
    }
    assert_eq!(rest, b"data: {\"n\":2}\n\ndata: [DONE]\n\n");
    until("the record", async || !harness.take_records().await.is_empty()).await;
}
