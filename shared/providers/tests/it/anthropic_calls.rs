//! Calls of Anthropic: how a key is sent, what messages cost, and the simulator's own reports.

use http::{HeaderMap, HeaderValue};
use keyway_domain::{KeyFamily, PriceTerms, Timestamp, TokenCounts, UsageWindow};
use keyway_providers::{Catalog, Metered, UsageCall, UsageQuery};
use keyway_testkit::{
    replay::Fixture,
    simulator::{Simulator, tokens_of},
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    recorded::{expected, metered, metered_events},
    world::{client, predefined, secret, target, whole_report},
};

const MESSAGES: &str = "/v1/messages";

fn streamed(events: &[u8]) -> anyhow::Result<Option<Metered>> {
    Ok(metered_events(&predefined("anthropic")?.1, MESSAGES, events))
}

#[test]
fn a_key_goes_where_each_shape_wants_it() -> anyhow::Result<()> {
    let (ways, _) = predefined("anthropic")?;
    let sent = |path: &str, version: Option<&'static str>| -> anyhow::Result<_> {
        let mut headers = HeaderMap::new();
        headers
            .extend(version.map(|version| {
                (http::HeaderName::from_static("anthropic-version"), HeaderValue::from_static(version))
            }));
        ways.authorize(path, &mut headers, &secret("sk-ant-x"))?;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok([text("x-api-key"), text("authorization"), text("anthropic-version")])
    };
    let some = |text: &str| Some(text.to_owned());
    for path in [MESSAGES, "/v1/messages/count_tokens", "/v1/models", "/v1/files"] {
        assert_eq!(sent(path, None)?, [some("sk-ant-x"), None, some("2023-06-01")], "{path}");
    }
    assert_eq!(sent(MESSAGES, Some("2029-01-01"))?, [some("sk-ant-x"), None, some("2029-01-01")]);
    assert_eq!(sent("/v1/chat/completions", None)?, [None, some("Bearer sk-ant-x"), None]);
    assert!(ways.authorize(MESSAGES, &mut HeaderMap::new(), &secret("sk-ant\n")).is_err());
    Ok(())
}

#[test]
fn only_batches_have_an_address_to_follow() -> anyhow::Result<()> {
    let (ways, _) = predefined("anthropic")?;
    for path in ["/v1/messages/batches", "/v1/messages/batches/msgbatch_1", "/v1/messages/batches/msgbatch_1/cancel"] {
        assert_eq!(ways.link_field(path), Some("results_url"), "{path}");
    }
    for path in [MESSAGES, "/v1/messages/batches/msgbatch_1/results", "/v1/files"] {
        assert_eq!(ways.link_field(path), None, "{path}");
    }
    Ok(())
}

#[test]
fn recorded_calls_are_metered() -> anyhow::Result<()> {
    let (_, spec) = predefined("anthropic")?;
    for name in ["chat_ok", "chat_stream", "chat_stream_delta_overrides_input", "chat_stream_error_event"] {
        let case = Fixture::load(&format!("anthropic/{name}"))?;
        let found = match case.kind.as_str() {
            "chat" => metered(&spec, MESSAGES, &case.body),
            _ => streamed(&case.body)?.unwrap_or_default(),
        };
        let web_searches = (name == "chat_stream_delta_overrides_input").then_some(1);
        let stated = TokenCounts { cache_write_1h: Some(0), web_searches, ..expected(&case.expect["usage"]) };
        assert_eq!(found.tokens, stated, "{name}");
        assert_eq!((found.model.as_deref(), found.cost_nano_usd), (Some("claude-sonnet-4-6"), None), "{name}");
    }
    let case = Fixture::load("anthropic/openai_compat_chat_ok")?;
    let compatible = metered(&spec, "/v1/chat/completions", &case.body).tokens;
    assert_eq!((compatible.input, compatible.output), (Some(12), Some(5)));
    for refused in ["credit_too_low_400", "rate_limited"] {
        let case = Fixture::load(&format!("anthropic/{refused}"))?;
        assert_eq!(metered(&spec, MESSAGES, &case.body), Metered::default(), "{refused}");
    }
    Ok(())
}

#[test]
fn a_message_costs_what_its_kinds_of_tokens_cost() -> anyhow::Result<()> {
    let catalog = Catalog::load(None)?;
    let listed = |model: &str, tokens: &TokenCounts| {
        catalog.cost("anthropic", model, tokens, &PriceTerms::default(), Timestamp::default())
    };
    let (_, spec) = predefined("anthropic")?;
    assert!(spec.models.len() >= 12, "only {} models", spec.models.len());
    let usage = json!({ "input_tokens": 12, "cache_read_input_tokens": 2048, "cache_creation_input_tokens": 100,
        "cache_creation": { "ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40 }, "output_tokens": 5,
        "output_tokens_details": { "thinking_tokens": 2 } });
    let body = json!({ "model": "claude-sonnet-4-6", "usage": usage }).to_string();
    let metered = metered(&spec, MESSAGES, body.as_bytes());
    assert_eq!(metered.tokens.reasoning, Some(2));
    // Dollars a million tokens: 3 in, 0.3 cached, 3.75 and 6 written, 15 out.
    let cost = 12 * 3000 + 2048 * 300 + 60 * 3750 + 40 * 6000 + 5 * 15_000;
    assert_eq!(listed("claude-sonnet-4-6", &metered.tokens), Some(cost));
    // Ten dollars for a thousand searches.
    let searched = TokenCounts { web_searches: Some(3), ..metered.tokens };
    assert_eq!(listed("claude-sonnet-4-6", &searched), Some(cost + 3 * 10_000_000));
    let haiku = |input| TokenCounts { input: Some(input), output: Some(1), ..TokenCounts::default() };
    assert_eq!(listed("claude-haiku-4-5-20251001", &haiku(2)), Some(2 * 1000 + 5000));
    assert_eq!(listed("claude-haiku-5-5", &haiku(100_000)), Some(100_000 * 100 + 500));
    assert_eq!(listed("claude-haiku-5-5", &haiku(100_001)), Some(100_001 * 500 + 2500));
    assert_eq!(listed("claude-nope", &haiku(1)), None);
    Ok(())
}

#[test]
fn figures_that_cannot_be_read_are_unknown_and_counting_is_free() -> anyhow::Result<()> {
    let (ways, spec) = predefined("anthropic")?;
    let tokens = |usage: &str| {
        let metered = metered(&spec, MESSAGES, format!(r#"{{"model":"m","usage":{usage}}}"#).as_bytes());
        (metered.tokens.input, metered.tokens.cached_input, metered.tokens.cache_write, metered.tokens.output)
    };
    for (usage, expected) in [
        (r#"{"input_tokens":5,"output_tokens":7}"#, (Some(5), None, None, Some(7))),
        (r#"{"input_tokens":5,"cache_read_input_tokens":null,"output_tokens":7}"#, (Some(5), None, None, Some(7))),
        (r#"{"input_tokens":5,"cache_read_input_tokens":-1,"output_tokens":7}"#, (None, None, None, Some(7))),
        (r#"{"input_tokens":5,"cache_creation_input_tokens":"1"}"#, (None, None, None, None)),
        (r#"{"input_tokens":-5,"cache_read_input_tokens":2,"output_tokens":1.5}"#, (None, Some(2), None, None)),
        (
            r#"{"input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":2}}"#,
            (Some(8), None, Some(3), None),
        ),
        (
            r#"{"input_tokens":5,"server_tool_use":{"web_search_requests":"1"},"output_tokens":7}"#,
            (None, None, None, Some(7)),
        ),
        (r#"{"input_tokens":5,"server_tool_use":null,"output_tokens":7}"#, (Some(5), None, None, Some(7))),
        (r#"{"input_tokens":9223372036854775807,"cache_read_input_tokens":1}"#, (None, Some(1), None, None)),
        ("[1]", (None, None, None, None)),
        ("null", (None, None, None, None)),
    ] {
        assert_eq!(tokens(usage), expected, "{usage}");
    }
    let free = TokenCounts { input: Some(0), output: Some(0), ..TokenCounts::default() };
    assert!(ways.names_model(MESSAGES) && !ways.names_model("/v1/messages/count_tokens"));
    let counted = metered(&spec, "/v1/messages/count_tokens", br#"{"input_tokens":2095}"#);
    assert_eq!(counted, Metered { tokens: free, cost_nano_usd: Some(0), ..Metered::default() });
    for (path, body) in
        [("/v1/messages/count_tokens", "<html>"), (MESSAGES, "<html>"), (MESSAGES, ""), (MESSAGES, "{}")]
    {
        assert_eq!(metered(&spec, path, body.as_bytes()), Metered::default(), "{path} {body}");
    }
    Ok(())
}

#[test]
fn a_stream_is_metered_by_what_it_said_last() -> anyhow::Result<()> {
    let start = r#"data: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":5,"cache_read_input_tokens":10,"output_tokens":1}}}"#;
    let metered = |rest: &str| -> anyhow::Result<_> {
        let stop = r#"data: {"type":"message_stop"}"#;
        let tokens = streamed(format!("{start}\n\n{rest}\n\n{stop}\n\n").as_bytes())?.unwrap_or_default().tokens;
        Ok((tokens.input, tokens.cached_input, tokens.output))
    };
    for (rest, expected) in [
        ("", (Some(15), Some(10), Some(1))),
        (r#"data: {"type":"message_delta","usage":{"output_tokens":4}}"#, (Some(15), Some(10), Some(4))),
        (
            "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":4}}\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":9}}",
            (Some(15), Some(10), Some(9)),
        ),
        (
            r#"data: {"type":"message_delta","usage":{"input_tokens":6,"output_tokens":4}}"#,
            (Some(16), Some(10), Some(4)),
        ),
        (
            r#"data: {"type":"message_delta","usage":{"cache_read_input_tokens":0,"output_tokens":4}}"#,
            // A 0 after a positive figure says nothing.
            (Some(15), Some(10), Some(4)),
        ),
        (r#"data: {"type":"message_delta","usage":{"output_tokens":-4}}"#, (Some(15), Some(10), None)),
        (
            r#"data: {"type":"content_block_start","content_block":{"input":{"usage":{"output_tokens":4}}}}"#,
            (Some(15), Some(10), Some(1)),
        ),
        (
            r#"data: {"type":"content_block_delta","delta":{"partial_json":"{\"usage\":{\"output_tokens\":4}"}}"#,
            (Some(15), Some(10), Some(1)),
        ),
        (r#"data: {"type":"error","error":{"type":"overloaded_error"}}"#, (Some(15), Some(10), Some(1))),
        (r#"data: {"type":"message_delta","usage":{"output_"#, (Some(15), Some(10), Some(1))),
    ] {
        assert_eq!(metered(rest)?, expected, "{rest}");
    }
    let openai = br#"data: {"model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}"#;
    let shown = metered_events(&predefined("anthropic")?.1, "/v1/chat/completions", openai).unwrap_or_default();
    assert_eq!((shown.model.as_deref(), shown.tokens.input, shown.tokens.output), (Some("m"), Some(5), Some(7)));
    assert_eq!(streamed(b"data: {\"type\":\"ping\"}\n\ndata: [DONE]\n\n")?, None);
    Ok(())
}

#[tokio::test]
async fn the_simulator_answers_what_a_test_can_compute() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let (_, spec) = predefined("anthropic")?;
    let prompt = "one two three four five";
    let system =
        json!([{ "type": "text", "text": "kept for an hour", "cache_control": { "type": "ephemeral", "ttl": "1h" } }]);
    let mut body = json!({ "model": "claude-haiku-4-5", "max_tokens": 64, "system": system,
        "messages": [{ "role": "user", "content": prompt }] });
    let whole = metered(&spec, MESSAGES, &post(&simulator, "messages", &body).await?);
    assert_eq!(whole.model.as_deref(), Some("claude-haiku-4-5-20251001"));
    assert_eq!((whole.tokens.input, whole.tokens.output), (Some(tokens_of(prompt) + 4), Some(8)));
    assert_eq!((whole.tokens.cache_write, whole.tokens.cache_write_1h), (Some(4), Some(4)));
    body["stream"] = json!(true);
    let events = post(&simulator, "messages", &body).await?;
    assert_eq!(streamed(&events)?, Some(whole));
    assert!(events.starts_with(b"event: message_start\ndata: {"), "{}", String::from_utf8_lossy(&events));
    let counted = post(&simulator, "messages/count_tokens", &body).await?;
    assert_eq!(serde_json::from_slice::<Value>(&counted)?, json!({ "input_tokens": 9 }));
    body["model"] = json!("claude-nope");
    let refused: Value = serde_json::from_slice(&post(&simulator, "messages", &body).await?)?;
    assert_eq!(refused["error"]["type"], "not_found_error");
    Ok(())
}

#[tokio::test]
async fn a_whole_report_is_the_same_however_often_it_is_read() -> anyhow::Result<()> {
    let simulator = Simulator::start().await?;
    let base: Url = simulator.base_url.parse()?;
    let http = client(&simulator.host())?;
    let (ways, _) = predefined("anthropic")?;
    let admin = secret("sk-ant-admin01-sim-1");
    let from = Timestamp::from_seconds(1_793_491_200);
    let window = UsageWindow { from, to: Timestamp::from_seconds(1_793_491_200 + 31 * 86_400) };
    for (source, buckets, a_page) in [("usage.messages", 31 * 24, 24), ("costs", 31, 14)] {
        assert!(ways.usage_sources(KeyFamily::Admin)?.contains(&source));
        let mut readings = Vec::new();
        for _ in 0..2 {
            let (rows, pages) = whole_report(&*ways, target(&base, &admin), (source, window), &http).await?;
            assert_eq!((pages, rows.len()), (usize::div_ceil(buckets, a_page), buckets * 2), "{source}");
            readings.push(rows);
        }
        assert_eq!(readings.first(), readings.last(), "{source}");
    }
    let circle = secret("sk-ant-admin01-sim-circle-1");
    let query = |page| UsageQuery { source: "costs", window, page, provider_key_ids: &[] };
    let first = ways.usage_page(UsageCall { target: target(&base, &circle), query: query(None), http: &http }).await?;
    let again = ways
        .usage_page(UsageCall { target: target(&base, &circle), query: query(first.next.as_deref()), http: &http })
        .await;
    assert_eq!(again, Err(keyway_providers::FetchError::BadAnswer));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the test plays an application that calls the simulator itself")]
async fn post(simulator: &Simulator, path: &str, body: &Value) -> anyhow::Result<Vec<u8>> {
    client(&simulator.host())?; // installs the TLS provider that any client needs
    let request = reqwest::Client::new().post(format!("{}/{path}", simulator.base_url)).json(body);
    let request = request.header("x-api-key", "sk-ant-sim-good-1").header("anthropic-version", "2023-06-01");
    Ok(request.send().await?.bytes().await?.to_vec())
}
