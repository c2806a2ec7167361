//! Answers in every form that providers give them: however they are labelled, framed and cut, their figures are in the
//! ledger and their bytes at the caller.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use keyway_domain::MeteredCall;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, sync::oneshot};

use super::{
    harness::{Harness, Key},
    scripted::{Reply, Scripted, behind, chunk},
    wire::Wire,
};

pub(super) const CHAT: &str = "/v1/chat/completions";
pub(super) const FIRST: &str =
    r#"{"model":"m","choices":[{"index":0,"delta":{"content":"Grüße 🙂"},"finish_reason":null}]}"#;
pub(super) const LAST: &str = r#"{"model":"m","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":13}}"#;
pub(super) const WHOLE: &str =
    r#"{"model":"m","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":13}}"#;
pub(super) const EVENTS: &str = "content-type: text/event-stream\r\n";

/// A proxy whose provider says what it is told to.
pub(super) struct Host {
    harness: Harness,
    key: Key,
    says: Arc<Mutex<Reply>>,
    pub(super) provider: Scripted,
}

impl Host {
    pub(super) async fn start() -> Self {
        let says = Arc::new(Mutex::new(Reply::json(500, "")));
        let said = Arc::clone(&says);
        let (provider, harness, key) = behind(Scripted::by(move |_| said.lock().unwrap().clone()).await).await;
        Self { harness, key, says, provider }
    }

    /// The bytes that the caller gets, with their headers, and the call's record. `asks`: for figures in its stream.
    pub(super) async fn ask(
        &mut self,
        path: &str,
        reply: Reply,
        asks: bool,
    ) -> (Vec<u8>, http::HeaderMap, MeteredCall) {
        *self.says.lock().unwrap() = reply;
        let answer = self.harness.post(path, &self.key, &body(asks)).send().await.unwrap();
        let headers = answer.headers().clone();
        let bytes = answer.bytes().await.unwrap().to_vec();
        let record = self.harness.records(1).await.remove(0);
        assert!(record.complete, "{}", String::from_utf8_lossy(&bytes));
        (bytes, headers, record)
    }
}

fn body(asks: bool) -> Value {
    json!({ "model": "gpt-4o-mini", "messages": [], "stream": true, "stream_options": { "include_usage": asks } })
}

pub(super) fn figures(record: &MeteredCall) -> (Option<i64>, Option<i64>) {
    (record.tokens.input, record.tokens.output)
}

#[tokio::test]
async fn an_answer_is_read_for_what_it_is_whatever_its_label_says() {
    let mut host = Host::start().await;
    let stream = format!("data: {FIRST}\n\ndata: {LAST}\n\ndata: [DONE]\n\n");
    let hidden = format!("data: {FIRST}\n\ndata: [DONE]\n\n");
    for label in [
        "text/event-stream",
        "Text/Event-Stream;charset=UTF-8",
        "application/json",
        "application/x-ndjson",
        "text/plain; charset=utf-8",
        "application/octet-stream",
        "",
    ] {
        let line = if label.is_empty() { String::new() } else { format!("content-type: {label}\r\n") };
        for (asks, expected) in [(true, &stream), (false, &hidden)] {
            for reply in [
                Reply::chunked(&line, [&stream]),
                Reply::chunked(&line, stream.as_bytes().chunks(3)),
                Reply::of(200, &line, &stream),
            ] {
                let (bytes, headers, record) = host.ask(CHAT, reply, asks).await;
                assert_eq!(String::from_utf8(bytes).unwrap(), *expected, "{label}, asks {asks}");
                assert_eq!(figures(&record), (Some(19), Some(13)), "{label}, asks {asks}");
                assert_eq!(headers.get("content-type").map_or("", |it| it.to_str().unwrap()), label);
            }
        }
        for reply in [Reply::of(200, &line, WHOLE), Reply::chunked(&line, WHOLE.as_bytes().chunks(7))] {
            let (bytes, _, record) = host.ask(CHAT, reply, false).await;
            assert_eq!((bytes.as_slice(), figures(&record)), (WHOLE.as_bytes(), (Some(19), Some(13))), "{label}");
        }
    }
}

#[tokio::test]
async fn every_framing_that_the_standard_allows_is_read_and_rewritten() {
    let mut host = Host::start().await;
    let half = LAST.find("\"usage\"").unwrap();
    let (one, two) = LAST.split_at(half);
    for (how, stream, hidden) in [
        (
            "LF",
            format!("data: {FIRST}\n\ndata: {LAST}\n\ndata: [DONE]\n\n"),
            format!("data: {FIRST}\n\ndata: [DONE]\n\n"),
        ),
        (
            "CRLF",
            format!("data: {FIRST}\r\n\r\ndata: {LAST}\r\n\r\ndata: [DONE]\r\n\r\n"),
            format!("data: {FIRST}\r\n\r\ndata: [DONE]\r\n\r\n"),
        ),
        (
            "CR",
            format!("data: {FIRST}\r\rdata: {LAST}\r\rdata: [DONE]\r\r"),
            format!("data: {FIRST}\r\rdata: [DONE]\r\r"),
        ),
        (
            "no space",
            format!("data:{FIRST}\n\ndata:{LAST}\n\ndata:[DONE]\n\n"),
            format!("data:{FIRST}\n\ndata:[DONE]\n\n"),
        ),
        (
            "a mark",
            format!("\u{feff}data: {FIRST}\n\ndata: {LAST}\n\ndata: [DONE]\n\n"),
            format!("\u{feff}data: {FIRST}\n\ndata: [DONE]\n\n"),
        ),
        (
            "comments",
            format!(": a\n\nid: 1\nevent: x\ndata: {FIRST}\n\n: b\n\nretry: 9\ndata: {LAST}\n\ndata: [DONE]\n\n"),
            format!(": a\n\nid: 1\nevent: x\ndata: {FIRST}\n\n: b\n\ndata: [DONE]\n\n"),
        ),
        (
            "two lines",
            format!("data: {FIRST}\n\ndata: {one}\ndata: {two}\n\ndata: [DONE]\n\n"),
            format!("data: {FIRST}\n\ndata: [DONE]\n\n"),
        ),
        (
            "no last line end",
            format!("data: {FIRST}\n\ndata: [DONE]\n\ndata: {LAST}"),
            format!("data: {FIRST}\n\ndata: [DONE]\n\n"),
        ),
    ] {
        for (asks, expected) in [(true, &stream), (false, &hidden)] {
            for cut in [1, 2, 7, stream.len()] {
                let reply = Reply::chunked(EVENTS, stream.as_bytes().chunks(cut));
                let (bytes, _, record) = host.ask(CHAT, reply, asks).await;
                assert_eq!(String::from_utf8(bytes).unwrap(), *expected, "{how}, asks {asks}, cut {cut}");
                assert_eq!(figures(&record), (Some(19), Some(13)), "{how}, asks {asks}, cut {cut}");
            }
        }
    }
}

#[tokio::test]
async fn chunks_come_as_the_provider_cut_them_and_never_within_a_line() {
    let host = Host::start().await;
    let wire = async |reply: Reply, asks: bool| {
        *host.says.lock().unwrap() = reply;
        let wire = Wire::post(&host.harness, CHAT, &host.key, &body(asks)).await;
        assert!(wire.is_whole);
        wire.chunks
    };
    let first = format!("data: {FIRST}\n\n");
    let lines = [&first, ": ping\n\n", "id: 1\n", "data: {}\n", "\n", &format!("{first}{first}"), "data: [DONE]\n\n"];
    assert_eq!(wire(Reply::events(lines), true).await, lines, "as they came");
    let document = [r#"{"model":"m","#, r#""choices""#, r#":[{"finish_reason":"stop"}]}"#];
    assert_eq!(wire(Reply::chunked("content-type: application/json\r\n", document), true).await, document);
    let text = format!("{first}{first}data: {LAST}\n\ndata: [DONE]\n\n");
    for cut in 1..40 {
        // Within a character, too: a chunk that is no text would not have been read.
        for chunk in wire(Reply::chunked(EVENTS, text.as_bytes().chunks(cut)), true).await {
            assert!(chunk.ends_with('\n'), "cut {cut}: {chunk}");
        }
        for chunk in wire(Reply::chunked(EVENTS, text.as_bytes().chunks(cut)), false).await {
            assert!(chunk.ends_with("\n\n") && chunk.starts_with("data: "), "cut {cut}: {chunk}");
        }
    }
}

#[tokio::test]
async fn what_begins_to_come_passes_before_the_rest_is_there() {
    for (path, headers, first, rest) in [
        (
            "/proxy/openai/v1beta/models/m:streamGenerateContent",
            "content-type: application/json\r\n",
            "[{\"candidates\":[]}",
            ",\n{\"candidates\":[{\"finishReason\":\"STOP\"}]}]",
        ),
        ("/proxy/openai/api/chat", "content-type: application/x-ndjson\r\n", "{\"done\":false}\n", "{\"done\":true}\n"),
        (CHAT, EVENTS, "data: {}\n\n", "data: [DONE]\n\n"),
    ] {
        let (next, wait) = oneshot::channel::<()>();
        let wait = Arc::new(tokio::sync::Mutex::new(Some(wait)));
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{headers}transfer-encoding: chunked\r\n\r\n");
        let (begun, ended) = (head + &chunk(first), chunk(rest) + "0\r\n\r\n");
        let provider = Scripted::start(move |mut stream| {
            let (wait, begun, ended) = (Arc::clone(&wait), begun.clone(), ended.clone());
            async move {
                stream.write_all(begun.as_bytes()).await.unwrap();
                wait.lock().await.take().unwrap().await.unwrap();
                stream.write_all(ended.as_bytes()).await.unwrap();
            }
        })
        .await;
        let (_provider, harness, key) = behind(provider).await;
        let asked = Instant::now();
        let mut answer = harness.post(path, &key, &body(true)).send().await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), first);
        // What is not understood is held back for five seconds.
        assert!(asked.elapsed() < Duration::from_secs(4), "{first}");
        next.send(()).unwrap();
        assert_eq!(answer.text().await.unwrap(), rest);
    }
}
