//! The meaning of an answer, and not its status, decides whether another integration is asked: by each provider's own
//! signal, behind a status, as the body of a 200 or as the first event of a stream.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use keyway_domain::{IntegrationId, MeteredCall};
use serde_json::{Value, json};

use super::{
    failover::place,
    harness::{Harness, Key},
    scripted::{Reply, Scripted, trusting},
};

/// Part of a key that makes the provider refuse it.
const REFUSED: &str = "canary-refused";
const SERVED: &str = "canary-served";
const CHAT: &str = "/proxy/openai/v1/chat/completions";
const RESPONSES: &str = "/proxy/openai/v1/responses";
const MESSAGES: &str = "/proxy/anthropic/v1/messages";
const GEMINI: &str = "/proxy/gemini/v1beta/models/gemini-2.5-flash:generateContent";
const COHERE: &str = "/proxy/cohere/v2/chat";
const OPENROUTER: &str = "/proxy/openrouter/api/v1/chat/completions";

/// Two integrations of each provider: one that is refused, and one behind it that serves.
struct Pairs {
    harness: Harness,
    key: Key,
    ids: HashMap<String, [IntegrationId; 2]>,
    provider: Scripted,
    refusal: Arc<Mutex<Reply>>,
}

impl Pairs {
    async fn start() -> Self {
        let refusal = Arc::new(Mutex::new(Reply::json(500, "")));
        let says = Arc::clone(&refusal);
        let provider = Scripted::by(move |request| {
            let streams = request.contains("\"stream\":true") || request.contains(":streamGenerateContent");
            match (request.contains(REFUSED), streams) {
                (true, _) => says.lock().unwrap().clone(),
                (false, false) => Reply::json(200, r#"{"id":"served"}"#),
                (false, true) => Reply::events(["data: {\"id\":\"served\"}\n\n", "data: [DONE]\n\n"]),
            }
        })
        .await;
        let harness = trusting(&provider).await;
        let key = harness.virtual_key(None).await;
        Self { harness, key, ids: HashMap::new(), provider, refusal }
    }

    /// Scripts the refusal of the first of the pair for this path's provider, of which no answer is known yet.
    async fn refuse(&mut self, path: &str, refusal: Reply) -> [IntegrationId; 2] {
        *self.refusal.lock().unwrap() = refusal;
        self.harness.restart().await;
        self.tries();
        let name = provider(path);
        if let Some(ids) = self.ids.get(name) {
            return *ids;
        }
        let refused = self.harness.integration_at(name, REFUSED, &self.provider.base_url).await;
        let served = self.harness.integration_at(name, SERVED, &self.provider.base_url).await;
        place(&self.harness, served, 1, 1).await;
        self.ids.insert(name.to_owned(), [refused, served]);
        [refused, served]
    }

    async fn ask(&self, path: &str, model: &str, stream: bool) -> (u16, Option<String>, String) {
        let path =
            if stream { path.replace(":generateContent", ":streamGenerateContent?alt=sse") } else { path.to_owned() };
        let body = json!({ "model": model, "messages": [], "max_tokens": 5, "stream": stream });
        let answer = self.harness.post(&path, &self.key, &body).send().await.unwrap();
        let attempts = answer.headers().get("x-keyway-attempts").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), attempts, answer.text().await.unwrap())
    }

    /// Counts the uses of the refused key.
    fn tries(&mut self) -> usize {
        std::iter::from_fn(|| self.provider.requests.try_recv().ok()).filter(|it| it.contains(REFUSED)).count()
    }

    async fn record(&self) -> MeteredCall {
        self.harness.records(1).await.remove(0)
    }

    /// Checks that the next integration serves this call, without a byte of the first one's, and later calls go there
    /// at once.
    async fn the_next_serves(&mut self, path: &str, stream: bool, refusal: Reply, (status, doubts): (u16, bool)) {
        let said = format!("{path}, stream {stream}: {}", refusal.text());
        let [refused, served] = self.refuse(path, refusal).await;
        let (told, attempts, text) = self.ask(path, model(path), stream).await;
        assert_eq!((told, attempts), (200, Some(format!("{refused};{status}, {served};200"))), "{said}");
        let whole = if stream { "data: {\"id\":\"served\"}\n\ndata: [DONE]\n\n" } else { r#"{"id":"served"}"# };
        assert_eq!(text, whole, "{said}");
        let record = self.record().await;
        assert_eq!(
            (record.served_by.integration(), record.attempts, record.http_status),
            (Some(served), 2, Some(200)),
            "{said}"
        );
        let earlier: Vec<_> = record.refused.iter().map(|it| (it.integration_id, it.http_status)).collect();
        assert_eq!((earlier, record.doubted.contains(&refused)), (vec![(refused, status)], doubts), "{said}");
        assert_eq!(self.ask(path, model(path), stream).await.1, None, "{said}");
        self.record().await;
        assert_eq!(self.tries(), 1, "{said}");
    }
}

fn provider(path: &str) -> &str {
    path.strip_prefix("/proxy/").map_or("anthropic", |rest| rest.split('/').next().unwrap())
}

fn model(path: &str) -> &'static str {
    match provider(path) {
        "anthropic" => "claude-opus-4-6",
        "gemini" => "gemini-2.5-flash",
        _ => "gpt-4o-mini",
    }
}

#[tokio::test]
async fn a_providers_own_sign_of_a_useless_key_is_heard() {
    let mut pairs = Pairs::start().await;
    let credit = r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#;
    let google = r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#;
    let listed = format!("[{google}]");
    for (path, status, body) in [
        (CHAT, 401, r#"{"error":{"message":"x","type":"invalid_request_error","code":"invalid_api_key"}}"#),
        (CHAT, 429, r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#),
        (RESPONSES, 429, r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#),
        (MESSAGES, 400, credit),
        (MESSAGES, 401, r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#),
        (GEMINI, 400, google),
        ("/proxy/gemini/v1beta/openai/chat/completions", 400, &listed),
        ("/proxy/groq/openai/v1/chat/completions", 400, r#"{"error":{"code":"organization_restricted"}}"#),
        ("/proxy/groq/openai/v1/chat/completions", 400, r#"{"error":{"code":"blocked_api_access"}}"#),
        ("/proxy/xai/v1/chat/completions", 400, r#"{"code":"x","error":"Incorrect API key provided: xa***"}"#),
        ("/proxy/xai/v1/chat/completions", 429, r#"{"error":"Your team has used all available credits"}"#),
        ("/proxy/mistral/v1/chat/completions", 401, r#"{"message":"Unauthorized"}"#),
        (OPENROUTER, 402, r#"{"error":{"message":"Insufficient credits","code":402}}"#),
        ("/proxy/deepseek/chat/completions", 402, r#"{"error":{"message":"Insufficient Balance"}}"#),
        (COHERE, 401, r#"{"message":"invalid api token"}"#),
        (COHERE, 429, r#"{"message":"You are using a Trial key, which is limited to 1000 API calls / month."}"#),
        ("/proxy/cohere/compatibility/v1/chat/completions", 498, r#"{"message":"invalid token"}"#),
    ] {
        for stream in [false, true] {
            pairs.the_next_serves(path, stream, Reply::json(status, body), (status, true)).await;
        }
    }
}

#[tokio::test]
async fn an_error_that_comes_with_200_is_a_failed_attempt() {
    let mut pairs = Pairs::start().await;
    for (path, body, status, doubts) in [
        (CHAT, r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#, 402, true),
        (CHAT, "\n {\"error\":\"no such thing\"}", 500, false),
        (RESPONSES, r#"{"id":"resp_1","status":"failed","error":{"code":"rate_limit_exceeded"}}"#, 429, false),
        (MESSAGES, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, 529, false),
        (OPENROUTER, r#"{"error":{"message":"Insufficient credits","code":402}}"#, 402, true),
        (OPENROUTER, r#"{"error":{"message":"Provider returned error","code":502},"user_id":"u"}"#, 502, false),
        (GEMINI, r#"{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}"#, 503, false),
    ] {
        pairs.the_next_serves(path, false, Reply::json(200, body), (status, doubts)).await;
        let in_pieces = Reply::chunked("content-type: application/json\r\n", body.as_bytes().chunks(9));
        pairs.the_next_serves(path, false, in_pieces, (status, doubts)).await;
    }
}

#[tokio::test]
async fn a_stream_whose_first_event_is_an_error_is_a_failed_attempt() {
    let mut pairs = Pairs::start().await;
    for (path, lines, status, doubts) in [
        (CHAT, r#"data: {"error":{"message":"x","code":"insufficient_quota"}}||"#, 402, true),
        (CHAT, r#": comment||data: {"error":{"message":"x",|data: "code":"502"}}||"#, 502, false),
        (CHAT, "data: {\"object\":\"error\",\"message\":\"x\",\"code\":40003}\r\r", 500, false),
        (OPENROUTER, r#": OPENROUTER PROCESSING||data: {"error":{"code":429},"choices":[{"delta":{}}]}||"#, 429, false),
        (
            RESPONSES,
            r#"event: response.failed|data: {"type":"response.failed","response":{"error":null}}||"#,
            500,
            false,
        ),
        (RESPONSES, r#"event: error|data: {"type":"error","code":"insufficient_quota","message":"x"}||"#, 402, true),
        (MESSAGES, r#"event: error|data: {"type":"error","error":{"type":"overloaded_error"}}||"#, 529, false),
        (
            MESSAGES,
            r#"event: error|data: {"error":{"type":"invalid_request_error","message":"credit balance is too low"}}||"#,
            400,
            true,
        ),
        (GEMINI, r#"data: {"error":{"code":400,"details":[{"reason":"API_KEY_INVALID"}]}}||"#, 400, true),
        (GEMINI, r#"data: {"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}||"#, 503, false),
        (COHERE, r#"event: error|data: {"message":"x"}||"#, 500, false),
    ] {
        let (events, more) = (lines.replace('|', "\n"), "data: {\"late\":1}\n\n");
        pairs.the_next_serves(path, true, Reply::events([&events, more]), (status, doubts)).await;
        let all = [&events, more].concat();
        let labelled = Reply::chunked("content-type: application/json\r\n", all.as_bytes().chunks(5)).and_waits();
        pairs.the_next_serves(path, true, labelled, (status, doubts)).await;
    }
}

#[tokio::test]
async fn a_key_without_credit_rests_for_every_model_and_a_rate_limit_for_its_own() {
    let mut pairs = Pairs::start().await;
    for (code, rests_for_all) in [("insufficient_quota", true), ("rate_limit_exceeded", false)] {
        let refusal = Reply::json(429, format!(r#"{{"error":{{"message":"x","type":"x","code":"{code}"}}}}"#));
        pairs.refuse(CHAT, refusal).await;
        for (model, tries) in [("gpt-4o-mini", 1), ("gpt-4o-mini", 0), ("gpt-4o", usize::from(!rests_for_all))] {
            assert_eq!(pairs.ask(CHAT, model, false).await.0, 200);
            assert_eq!(pairs.tries(), tries, "{code} {model}");
        }
    }
}

#[tokio::test]
async fn what_the_caller_did_wrong_is_nobody_elses_affair() {
    let mut pairs = Pairs::start().await;
    let invalid = r#"{"error":{"message":"Missing credit balance is too low","type":"invalid_request_error","code":"invalid_value"}}"#;
    for (path, stream, reply) in [
        (CHAT, false, Reply::json(400, invalid)),
        (CHAT, true, Reply::json(422, invalid)),
        (CHAT, true, Reply::json(404, r#"{"error":{"code":"model_not_found"}}"#)),
        (CHAT, false, Reply::json(200, r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#)),
        (CHAT, true, Reply::events(["data: {\"error\":{\"code\":\"context_length_exceeded\"}}\n\n"])),
        (CHAT, false, Reply::json(200, r#"{"choices":[{"message":{"content":"{\"error\":1}"}}],"error":null}"#)),
        (CHAT, true, Reply::events(["data: {\"choices\":[]}\n\n", "data: {\"error\":{\"code\":402}}\n\n"])),
        (
            MESSAGES,
            false,
            Reply::json(
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: required"}}"#,
            ),
        ),
        (GEMINI, false, Reply::json(400, r#"{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT"}}"#)),
        (
            "/proxy/groq/openai/v1/chat/completions",
            false,
            Reply::json(400, r#"{"error":{"code":"json_validate_failed"}}"#),
        ),
        ("/proxy/xai/v1/chat/completions", false, Reply::json(400, r#"{"error":"Model not found: grok-0"}"#)),
        (OPENROUTER, true, Reply::json(400, r#"{"error":{"message":"x","code":400}}"#)),
        (COHERE, true, Reply::json(400, r#"{"message":"invalid request: messages"}"#)),
    ] {
        let [refused, _] = pairs.refuse(path, reply).await;
        for _ in 0..2 {
            let (_, attempts, text) = pairs.ask(path, model(path), stream).await;
            assert!(attempts.is_none() && !text.contains("served"), "{path}: {text}");
            let record = pairs.record().await;
            assert_eq!((record.served_by.integration(), record.doubted.len()), (Some(refused), 0), "{path}: {text}");
        }
        assert_eq!(pairs.tries(), 2, "{path}: it does not rest");
    }
}

#[tokio::test]
async fn with_one_key_the_caller_gets_what_the_provider_said() {
    let (body, event) =
        (r#"{"error":{"message":"Insufficient credits","code":402}}"#, "data: {\"error\":{\"code\":402}}\n\n");
    for (stream, reply, status, expected) in [
        (false, Reply::json(402, body), 402, body),
        (false, Reply::json(200, body), 200, body),
        (true, Reply::events([event]), 200, event),
    ] {
        let provider = Scripted::by(move |_| reply.clone()).await;
        let harness = trusting(&provider).await;
        let only = harness.integration_at("openrouter", REFUSED, &provider.base_url).await;
        let key = harness.virtual_key(None).await;
        for _ in 0..2 {
            let asked = json!({ "model": "m", "messages": [], "stream": stream });
            let answer = harness.post(OPENROUTER, &key, &asked).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.headers().contains_key("x-keyway-error")), (status, false));
            assert_eq!(answer.text().await.unwrap(), expected, "stream {stream}");
            let record = harness.records(1).await.remove(0);
            assert_eq!(
                (record.served_by.integration(), record.doubted, record.tokens.output),
                (Some(only), vec![only], None)
            );
            assert_eq!(record.complete, status != 200, "an answer that is an error is none: stream {stream}");
        }
    }
}

#[tokio::test]
async fn a_unified_endpoint_moves_on_like_the_providers_own() {
    let credit =
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#;
    let mut pairs = Pairs::start().await;
    pairs.refuse("/v1/messages", Reply::json(400, credit)).await;
    for tries in [1, 0] {
        let (status, _, text) = pairs.ask("/v1/messages", "claude-opus-4-6", false).await;
        assert_eq!((status, serde_json::from_str::<Value>(&text).unwrap()), (200, json!({ "id": "served" })));
        assert_eq!(pairs.tries(), tries);
    }
}
