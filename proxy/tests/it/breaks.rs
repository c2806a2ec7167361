//! Streams that break, in every shape and in every way: the last bytes for the caller, and the broken end of the answer
//! behind them.

use std::sync::{Arc, Mutex};

use keyway_domain::MeteredCall;
use keyway_http::ServerLimits;
use serde_json::{Value, json};

use super::{
    front::Front,
    harness::{Harness, Key},
    scripted::{Reply, Scripted, trusting},
    wire::Wire,
};

const M: &str = "the provider's answer broke off before its end";
const C: &str = "upstream_mid_stream_failure";
pub(super) const CHAT: &str = "/v1/chat/completions";
pub(super) const MESSAGES: &str = "/v1/messages";
pub(super) const GEMINI: &str = "/proxy/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent";
pub(super) const COHERE: &str = "/proxy/cohere/v2/chat";

/// Path, first events of its answer, and its last bytes when it breaks: `THE_CALL` stands for its id.
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

/// A project with every provider of the shapes at one scripted host.
pub(super) struct Host {
    pub(super) harness: Harness,
    pub(super) key: Key,
    pub(super) says: Arc<Mutex<Reply>>,
    pub(super) provider: Scripted,
}

impl Host {
    pub(super) async fn start() -> Self {
        let says = Arc::new(Mutex::new(Reply::json(500, "")));
        let said = Arc::clone(&says);
        let provider = Scripted::by(move |_| said.lock().unwrap().clone()).await;
        let harness = trusting(&provider).await;
        for name in ["openai", "mistral", "groq", "openrouter", "anthropic", "gemini", "cohere"] {
            harness.integration_at(name, "a-key", &provider.base_url).await;
        }
        let key = harness.virtual_key(None).await;
        Self { harness, key, says, provider }
    }

    /// Returns the caller's bytes of an incomplete answer, and its record.
    pub(super) async fn ask(&self, path: &str, reply: Reply) -> (Wire, MeteredCall) {
        *self.says.lock().unwrap() = reply;
        let wire = Wire::post(&self.harness, path, &self.key, &asked(path)).await;
        let record = self.harness.records(1).await.remove(0);
        assert!(!record.complete && record.http_status == Some(200), "{path}: {record:?}");
        assert_eq!((record.tokens.output, record.cost_nano_usd), (None, None), "{path}");
        (wire, record)
    }
}

pub(super) fn asked(path: &str) -> Value {
    let model = if path == MESSAGES { "claude-opus-4-6" } else { "gpt-4o-mini" };
    json!({ "model": model, "messages": [], "stream": true, "max_tokens": 100 })
}

#[tokio::test]
async fn every_break_ends_with_the_shapes_own_error() {
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
            // An error that every client heeds may come to an end where the provider's answer did.
            assert_eq!(wire.is_whole, how.starts_with("ended") && path != COHERE, "{path}: {how}");
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
        for (reply, is_reset) in [
            (Reply::events(&events).cut(), true),
            (Reply::events(&events).reset(), true),
            (Reply::events(&events), path == COHERE),
        ] {
            *host.says.lock().unwrap() = reply;
            let request = http.post(format!("{}{path}", front.url)).bearer_auth(&host.key.text).json(&asked(path));
            let mut answer = request.send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2), "{path}");
            let id = answer.headers()["x-keyway-request-id"].to_str().unwrap().to_owned();
            let mut text = Vec::new();
            let error = loop {
                match answer.chunk().await {
                    Ok(Some(piece)) => text.extend_from_slice(&piece),
                    Ok(None) => break String::new(),
                    Err(error) => break format!("{error:?}"),
                }
            };
            let expected = [events.concat(), last.replace("THE_CALL", &id)].concat();
            assert_eq!(String::from_utf8(text).unwrap(), expected, "{path}");
            let said = error.contains("Reset(") && error.contains("INTERNAL_ERROR");
            assert_eq!((said, error.is_empty()), (is_reset, !is_reset), "{path}: {error}");
        }
    }
}
