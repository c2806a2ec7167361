//! Streams that break, in every shape and in every way: the bytes that the caller gets last, that the answer is broken off
//! behind them, and what the ledger and limits make of it.

use std::sync::{Arc, Mutex};

use keyway_api::ServerLimits;
use keyway_domain::{Limits, MeteredCall};
use serde_json::{Value, json};

use super::{
    front::Front,
    harness::{Harness, Key, client},
    limits::hold_still,
    scripted::{Reply, Scripted, trusting},
    wire::Wire,
};

const M: &str = "the provider's answer broke off before its end";
const C: &str = "upstream_mid_stream_failure";
const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/proxy/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent";
const COHERE: &str = "/proxy/cohere/v2/chat";

/// A path, the events with which its answer begins, and the bytes with which it ends when it breaks: `THE_CALL` is its id.
struct Shape {
    path: &'static str,
    events: Vec<&'static str>,
    last: String,
}

fn shapes() -> Vec<Shape> {
    let chat = vec!["data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n", ": ping\n\n"];
    let text = format!(r#"data: {{"error":{{"message":"{M}","type":"server_error","param":null,"code":"{C}"}}}}"#);
    let number = format!(
        r#"data: {{"error":{{"message":"{M}","type":"server_error","param":null,"code":502,"metadata":{{"error_code":"{C}"}}}}}}"#
    );
    let response = format!(
        r#"event: error|data: {{"type":"error","sequence_number":8,"code":"{C}","message":"{M}","param":null,"error":{{"type":"server_error","code":"{C}","message":"{M}","param":null}}}}"#
    );
    let message = format!(
        r#"event: error|data: {{"type":"error","error":{{"type":"api_error","message":"{M}","code":"{C}","details":{{"error_code":"{C}"}}}},"request_id":"THE_CALL"}}"#
    );
    let google = format!(
        r#"data: {{"error":{{"code":502,"message":"{M}","status":"UNAVAILABLE","details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"UPSTREAM_MID_STREAM_FAILURE","domain":"keyway"}}]}}}}"#
    );
    let cohere = format!(r#"event: error|data: {{"type":"error","message":"{M}","code":"{C}"}}"#);
    let shape = |path, events: &[&'static str], last: &str| Shape {
        path,
        events: events.to_vec(),
        last: last.replace('|', "\n") + "\n\n",
    };
    vec![
        shape(CHAT, &chat, &text),
        shape("/proxy/openai/v1/chat/completions", &chat, &text),
        shape("/proxy/mistral/v1/chat/completions", &chat, &text),
        shape("/proxy/groq/openai/v1/chat/completions", &chat, &number),
        shape("/proxy/openrouter/api/v1/chat/completions", &chat, &number),
        shape(
            "/v1/responses",
            &[
                "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{}}\n\n",
                "event: x\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":7,\"delta\":\"a\"}\n\n",
            ],
            &response,
        ),
        shape(
            MESSAGES,
            &[
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n",
                "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            ],
            &message,
        ),
        shape(
            "/proxy/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            &[
                "data: {\"candidates\":[{\"content\":{}}],\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":1}}\r\n\r\n",
            ],
            &google,
        ),
        shape(COHERE, &["event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"1\"}\n\n"], &cohere),
    ]
}

/// A project with every provider of the shapes at one host, which answers as it is told to.
struct Host {
    harness: Harness,
    key: Key,
    says: Arc<Mutex<Reply>>,
    _provider: Scripted,
}

impl Host {
    async fn start() -> Self {
        let says = Arc::new(Mutex::new(Reply::json(500, "")));
        let said = Arc::clone(&says);
        let provider = Scripted::by(move |_| said.lock().unwrap().clone()).await;
        let harness = trusting(&provider).await;
        for name in ["openai", "mistral", "groq", "openrouter", "anthropic", "gemini", "cohere"] {
            harness.integration_at(name, "a-key", &provider.base_url).await;
        }
        let key = harness.virtual_key(None).await;
        Self { harness, key, says, _provider: provider }
    }

    async fn ask(&self, path: &str, reply: Reply) -> (Wire, MeteredCall) {
        *self.says.lock().unwrap() = reply;
        let wire = Wire::post(&self.harness, path, &self.key, &asked(path)).await;
        let record = self.harness.records(1).await.remove(0);
        assert!(!record.complete && record.http_status == Some(200), "{path}: {record:?}");
        assert_eq!((record.tokens.output, record.cost_nano_usd), (None, None), "{path}");
        (wire, record)
    }
}

fn asked(path: &str) -> Value {
    let model = if path == MESSAGES { "claude-opus-4-6" } else { "gpt-4o-mini" };
    json!({ "model": model, "messages": [], "stream": true, "max_tokens": 100 })
}

#[tokio::test]
async fn every_break_ends_with_the_shapes_own_error_and_without_an_end() {
    let host = Host::start().await;
    for Shape { path, events, last } in shapes() {
        let passed = events.concat();
        let half = [&events[..], &["data: {\"half\":"]].concat();
        let nothing: [&str; 0] = [];
        for (how, reply, passed) in [
            ("cut between events", Reply::events(&events).cut(), passed.as_str()),
            ("cut in a line", Reply::events(&half).cut(), &passed),
            ("reset between events", Reply::events(&events).reset(), &passed),
            ("reset in a line", Reply::events(&half).reset(), &passed),
            ("ended early", Reply::events(&events), &passed),
            ("ended early in a line", Reply::events(&half), &passed),
            ("cut before the first event", Reply::events(nothing).cut(), ""),
        ] {
            let (wire, _) = host.ask(path, reply).await;
            let last = last.replace("THE_CALL", wire.header("x-keyway-request-id")).replace("\"sequence_number\":8", {
                // The first that is not taken.
                if passed.is_empty() { "\"sequence_number\":0" } else { "\"sequence_number\":8" }
            });
            assert_eq!(wire.text(), [passed, &last].concat(), "{path}: {how}");
            assert!(!wire.is_whole, "{path}: {how}");
        }
    }
}

#[tokio::test]
async fn an_event_that_broke_gets_only_the_newlines_that_it_needs() {
    let host = Host::start().await;
    let last = shapes().into_iter().find(|shape| shape.path == MESSAGES).unwrap().last;
    for (begun, passed) in [
        ("data: {}\n", "data: {}\n\n"),
        ("data: {}\r\n", "data: {}\r\n\n"),
        ("data: {}\r", "data: {}\r\n\n"),
        ("data: {}", ""),
        ("id: 1\ndata: {}\nda", "id: 1\ndata: {}\n\n"),
        ("event: x\n", "event: x\n"),
        ("id: 1\nevent: x\nda", "id: 1\nevent: x\n"),
        (": comment\n", ": comment\n"),
        ("data: {}\n\n", "data: {}\n\n"),
        ("data: {}\r\n\r\n", "data: {}\r\n\r\n"),
    ] {
        for pieces in [vec![begun], begun.split_inclusive(|_| true).collect()] {
            let (wire, _) = host.ask(MESSAGES, Reply::events(pieces).cut()).await;
            let last = last.replace("THE_CALL", wire.header("x-keyway-request-id"));
            assert_eq!(wire.text(), [passed, &last].concat(), "{begun:?}");
        }
    }
    // Where events may be taken out, one that has not ended has not passed at all.
    let last = shapes().into_iter().find(|shape| shape.path == CHAT).unwrap().last;
    for begun in ["data: {\"choices\":[]}\n", "id: 1\ndata: {}\nda", "event: x\n"] {
        let (wire, _) = host.ask(CHAT, Reply::events(["data: {}\n\n", begun]).cut()).await;
        assert_eq!(wire.text(), ["data: {}\n\n", &last].concat(), "{begun:?}");
    }
}

#[tokio::test]
async fn what_is_no_stream_of_events_is_broken_off_without_a_word() {
    let host = Host::start().await;
    let json = "content-type: application/json\r\n";
    for (path, pieces) in [
        (GEMINI, &["[{\"candidates\":[{\"content\":{}}]}\n", ",\n{\"cand"][..]),
        (GEMINI, &["[{\"candidates\":[{\"content\":{}}]}\n"]),
        ("/proxy/cohere/v1/chat", &["{\"event_type\":\"stream-start\"}\n", "{\"event_type\":\"text-gene"]),
        (CHAT, &["{\"id\":\"1\",\"choices\":", "[{\"message\":"]),
    ] {
        for (how, reply) in [
            ("cut", Reply::chunked(json, pieces).cut()),
            ("reset", Reply::chunked(json, pieces).reset()),
            ("ended early", Reply::chunked(json, pieces)),
        ] {
            let (wire, _) = host.ask(path, reply).await;
            assert_eq!((wire.text(), wire.is_whole), (pieces.concat(), false), "{path}: {how}");
        }
    }
}

#[tokio::test]
async fn over_http2_the_stream_is_reset_behind_the_last_event() {
    let host = Host::start().await;
    let front = Front::of(&host.harness, ServerLimits::default()).await;
    #[expect(clippy::disallowed_methods, reason = "the guarded client would refuse this machine's addresses")]
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    for Shape { path, events, last } in shapes() {
        for reply in [Reply::events(&events).cut(), Reply::events(&events).reset(), Reply::events(&events)] {
            *host.says.lock().unwrap() = reply;
            let request = http.post(format!("{}{path}", front.url)).bearer_auth(&host.key.text).json(&asked(path));
            let mut answer = request.send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2), "{path}");
            let id = answer.headers()["x-keyway-request-id"].to_str().unwrap().to_owned();
            let mut text = Vec::new();
            let error = loop {
                match answer.chunk().await {
                    Ok(Some(piece)) => text.extend_from_slice(&piece),
                    Ok(None) => panic!("{path}: it came to an end: {}", String::from_utf8_lossy(&text)),
                    Err(error) => break format!("{error:?}"),
                }
            };
            let expected = [events.concat(), last.replace("THE_CALL", &id)].concat();
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{path}");
            assert!(error.contains("Reset(") && error.contains("INTERNAL_ERROR"), "{path}: {error}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_as_its_shape_ends_is_whole() {
    let host = Host::start().await;
    for (path, last) in [
        (CHAT, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"),
        (CHAT, "data: [DONE]\n\n"),
        (CHAT, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}"),
        ("/v1/responses", "data: {\"type\":\"response.incomplete\",\"response\":{}}\n\n"),
        (MESSAGES, "data: {\"type\":\"message_stop\"}\n\n"),
        (GEMINI, "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"),
        (GEMINI, "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n"),
        (COHERE, "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n"),
    ] {
        let events = ["data: {\"type\":\"x\"}\n\n", last];
        *host.says.lock().unwrap() = Reply::events(events);
        let wire = Wire::post(&host.harness, path, &host.key, &asked(path)).await;
        assert_eq!((wire.text(), wire.is_whole), (events.concat(), true), "{path}");
        assert!(host.harness.records(1).await.remove(0).complete, "{path}: {last}");
    }
}

#[tokio::test]
async fn an_answer_that_failed_in_its_middle_is_the_providers_and_not_whole() {
    let host = Host::start().await;
    for (path, last) in [
        (CHAT, "data: {\"error\":{\"message\":\"x\",\"code\":502}}\n\n"),
        (CHAT, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n"),
        (CHAT, "event: error\ndata: {\"message\":\"x\"}\n\n"),
        ("/v1/responses", "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{}}\n\n"),
        (MESSAGES, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n"),
        (GEMINI, "data: {\"error\":{\"code\":503,\"message\":\"x\"}}\n\n"),
        (COHERE, "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"x\"}}\n\n"),
    ] {
        let events = ["data: {\"type\":\"x\"}\n\n", last];
        let (wire, _) = host.ask(path, Reply::events(events)).await;
        assert_eq!((wire.text(), wire.is_whole), (events.concat(), true), "{path}");
    }
}

#[tokio::test]
async fn what_a_broken_or_a_left_answer_used_stays_reserved() {
    let host = Host::start().await;
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n";
    let end = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    let limits = Limits {
        tokens_per_minute: Some(1_000_000),
        monthly_budget_nano_usd: Some(1_000_000_000_000),
        ..Limits::default()
    };
    let mut body = asked(MESSAGES);
    body["max_tokens"] = json!(10_000);
    let mut spent = Vec::new();
    for (leaves, reply) in [
        (false, Reply::events([start, end])),
        (false, Reply::events([start]).cut()),
        (false, Reply::events([start])),
        (true, Reply::events([start]).and_waits()),
    ] {
        let key = host.harness.virtual_key_within(limits, None).await;
        hold_still(&host.harness, key.id.uuid()).await;
        *host.says.lock().unwrap() = reply;
        let mut answer = client()
            .post(format!("{}{MESSAGES}", host.harness.url))
            .bearer_auth(&key.text)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert!(answer.chunk().await.unwrap().is_some());
        if !leaves {
            while let Ok(Some(_)) = answer.chunk().await {}
        }
        drop(answer);
        let record = host.harness.records(1).await.remove(0);
        assert_eq!(record.tokens.input, Some(5));
        assert_eq!(record.tokens.output, record.complete.then_some(3), "what it gave is unknown until it has ended");
        *host.says.lock().unwrap() = Reply::events([start, end]);
        let next = host.harness.post(MESSAGES, &key, &body).send().await.unwrap();
        let left = |name: &str| next.headers()[name].to_str().unwrap().parse::<i64>().unwrap();
        spent.push((left("x-keyway-ratelimit-remaining-tokens"), left("x-keyway-ratelimit-remaining-monthly-budget")));
        drop(next.bytes().await);
        host.harness.records(1).await;
    }
    for (tokens, budget) in &spent[1..] {
        // All of `max_tokens`, at 25 US dollars for a million.
        assert!(spent[0].0 - tokens >= 10_000 - 8, "{spent:?}");
        assert!(spent[0].1 - budget >= 9_900 * 25_000, "{spent:?}");
    }
}
