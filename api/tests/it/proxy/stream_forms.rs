//! Answers in every form that providers give them: however they are labelled, framed, cut and compressed, their figures
//! are in the ledger and their bytes at the caller.

use std::{
    io::Write,
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

const CHAT: &str = "/v1/chat/completions";
const FIRST: &str = r#"{"model":"m","choices":[{"index":0,"delta":{"content":"Grüße 🙂"},"finish_reason":null}]}"#;
const LAST: &str = r#"{"model":"m","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":13}}"#;
const WHOLE: &str =
    r#"{"model":"m","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":13}}"#;
const EVENTS: &str = "content-type: text/event-stream\r\n";

/// A proxy whose provider says what it is told to.
struct Host {
    harness: Harness,
    key: Key,
    says: Arc<Mutex<Reply>>,
    provider: Scripted,
}

impl Host {
    async fn start() -> Self {
        let says = Arc::new(Mutex::new(Reply::json(500, "")));
        let said = Arc::clone(&says);
        let (provider, harness, key) = behind(Scripted::by(move |_| said.lock().unwrap().clone()).await).await;
        Self { harness, key, says, provider }
    }

    /// The bytes that the caller gets, with their headers, and the call's record. `asks`: for figures in its stream.
    async fn ask(&mut self, path: &str, reply: Reply, asks: bool) -> (Vec<u8>, http::HeaderMap, MeteredCall) {
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

fn figures(record: &MeteredCall) -> (Option<i64>, Option<i64>) {
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
async fn what_is_compressed_passes_as_it_came_and_is_read() {
    let mut host = Host::start().await;
    let stream = format!("data: {FIRST}\n\ndata: {LAST}\n\ndata: [DONE]\n\n");
    for (label, text) in
        [("text/event-stream", stream.as_str()), ("application/json", WHOLE), ("application/json", &stream)]
    {
        for encoding in ["gzip", "deflate", "br", "zstd"] {
            let encoded = compressed(encoding, text.as_bytes());
            let headers = format!("content-type: {label}\r\ncontent-encoding: {encoding}\r\n");
            for cut in [1, encoded.len()] {
                for asks in [true, false] {
                    let (bytes, headers, record) =
                        host.ask(CHAT, Reply::chunked(&headers, encoded.chunks(cut)), asks).await;
                    assert!(bytes == encoded && headers["content-encoding"] == encoding, "{encoding} of {label}");
                    assert_eq!(figures(&record), (Some(19), Some(13)), "{encoding} of {label}");
                }
            }
        }
    }
    let asked = std::iter::from_fn(|| host.provider.requests.try_recv().ok())
        .all(|it| it.contains("accept-encoding: identity"));
    assert!(asked, "nobody asked for it");
}

fn compressed(encoding: &str, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(&mut out, flate2::Compression::default());
            encoder.write_all(text).and_then(|()| encoder.try_finish()).unwrap();
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(&mut out, flate2::Compression::default());
            encoder.write_all(text).and_then(|()| encoder.try_finish()).unwrap();
        }
        "br" => brotli::CompressorWriter::new(&mut out, 4096, 5, 22).write_all(text).unwrap(),
        _ => out = zstd::encode_all(text, 0).unwrap(),
    }
    out
}

#[tokio::test]
async fn figures_are_found_in_answers_of_any_length_and_place() {
    let mut host = Host::start().await;
    let picture = "iVBORw0KGgo".repeat(400_000);
    let usage = r#""usage":{"input_tokens":19,"output_tokens":13}"#;
    let response = format!(
        r#"{{"id":"r","model":"m","output":[{{"type":"message"}},{{"type":"x","result":"{picture}"}}],{usage}}}"#
    );
    let completed =
        format!("event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{response}}}\n\n");
    let spoken = format!("data: {{\"choices\":[{{\"delta\":{{\"audio\":{{\"data\":\"{picture}\"}}}}}}]}}\n\n");
    let numbers = vec!["[0.0123456789,-0.5]"; 100_000].join(",");
    let embedded = format!(r#"{{"model":"m","usage":{{"prompt_tokens":19,"total_tokens":19}},"data":[{numbers}]}}"#);
    for (path, headers, text, output) in [
        ("/v1/responses", EVENTS, completed, Some(13)),
        ("/v1/responses", "", response, Some(13)),
        (CHAT, EVENTS, format!("{spoken}data: {LAST}\n\ndata: [DONE]\n\n"), Some(13)),
        ("/v1/embeddings", "content-type: application/json\r\n", embedded, Some(0)),
    ] {
        for asks in [true, false] {
            let (bytes, _, record) = host.ask(path, Reply::chunked(headers, text.as_bytes().chunks(8192)), asks).await;
            let hidden = text.replace(&format!("data: {LAST}\n\n"), "");
            assert!(bytes == if asks { &text } else { &hidden }.as_bytes(), "{path}: {} bytes", bytes.len());
            assert_eq!(figures(&record), (Some(19), output), "{path}");
        }
    }
}

#[tokio::test]
async fn figures_count_as_they_are_meant() {
    let mut host = Host::start().await;
    let stop = |more: &str| format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"{more}}}]}}"#);
    let usage =
        |input: &str, output: &str| format!(r#""usage":{{"prompt_tokens":{input},"completion_tokens":{output}}}"#);
    let of_choice = stop(&format!(",{}", usage("19", "13")));
    for (event, expected) in [
        (of_choice, (Some(19), Some(13))),
        (format!(r#"{{"choices":[],{}}}"#, usage("5.0", "7.0")), (Some(5), Some(7))),
        (format!(r#"{{"choices":[],{}}}"#, usage("0", "0")), (None, None)),
        (format!(r#"{{"choices":[],{}}}"#, usage("null", "7")), (None, Some(7))),
        (format!(r#"{{"choices":[],{}}}"#, usage("5", "0")), (Some(5), Some(0))),
    ] {
        let events = [format!("data: {FIRST}\n\n"), format!("data: {event}\n\n"), "data: [DONE]\n\n".to_owned()];
        let (_, _, record) = host.ask(CHAT, Reply::events(&events), true).await;
        assert_eq!(figures(&record), expected, "{event}");
        let (_, _, record) = host.ask(CHAT, Reply::json(200, event.replace("\"delta\"", "\"message\"")), true).await;
        assert_eq!(figures(&record), expected, "{event}");
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
