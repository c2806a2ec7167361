//! Figures of answers in every shape, and of what only looks like them.

use bytes::Bytes;
use keyway_domain::PriceTerms;

use super::*;
use crate::Catalog;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

fn figures(provider: &str, path: &str) -> Figures {
    Figures::new(Catalog::load(None).unwrap().get(provider).unwrap(), path)
}

fn whole(provider: &str, path: &str, json: &str) -> Metered {
    let mut figures = figures(provider, path);
    let mut body = JsonBody::default();
    body.push(&mut figures, &Bytes::copy_from_slice(json.as_bytes()));
    body.finish(&mut figures);
    figures.take()
}

fn stream(provider: &str, path: &str, events: &[&str]) -> (Metered, Ending) {
    let mut figures = figures(provider, path);
    for event in events {
        figures.event(event.as_bytes());
    }
    (figures.take(), figures.ending())
}

fn tokens(provider: &str, path: &str, usage: &str) -> TokenCounts {
    whole(provider, path, &format!("{{\"usage\":{usage}}}")).tokens
}

fn counts(input: Option<i64>, cached_input: Option<i64>, output: Option<i64>, reasoning: Option<i64>) -> TokenCounts {
    TokenCounts { input, cached_input, output, reasoning, ..TokenCounts::default() }
}

#[test]
fn usage_is_read_in_every_generation_and_unknown_stays_unknown() {
    for (usage, expected) in [
        (r#"{"prompt_tokens":5,"completion_tokens":7}"#, counts(Some(5), None, Some(7), None)),
        (
            r#"{"input_tokens":5,"output_tokens":7,"input_tokens_details":{"cached_tokens":2},"output_tokens_details":{"reasoning_tokens":3}}"#,
            counts(Some(5), Some(2), Some(7), Some(3)),
        ),
        (
            r#"{"prompt_tokens":5,"input_tokens":5,"completion_tokens":7,"output_tokens":7}"#,
            counts(Some(5), None, Some(7), None),
        ),
        (
            r#"{"prompt_tokens":5,"completion_tokens":7,"prompt_cache_hit_tokens":4}"#,
            counts(Some(5), Some(4), Some(7), None),
        ),
        (r#"{"prompt_tokens":5.0,"completion_tokens":7.00}"#, counts(Some(5), None, Some(7), None)),
        (r#"{"prompt_tokens":1e3,"completion_tokens":7.5}"#, counts(Some(1000), None, None, None)),
        (r#"{"prompt_tokens":-5,"completion_tokens":7.5,"prompt_tokens_details":null}"#, TokenCounts::default()),
        (r#"{"prompt_tokens":"5","completion_tokens":[1,{"a":2}],"total_tokens":{"x":1}}"#, TokenCounts::default()),
        (r#"{"prompt_tokens":18446744073709551615,"completion_tokens":1}"#, counts(None, None, Some(1), None)),
        ("null", TokenCounts::default()),
        ("7", TokenCounts::default()),
        ("[5,7]", TokenCounts::default()),
        (r#"{"prompt_tokens":5"#, TokenCounts::default()),
    ] {
        assert_eq!(tokens("openai", CHAT, usage), expected, "{usage}");
    }
    for body in [
        r#"{"choices":[{"message":{"content":"{\"usage\":{\"prompt_tokens\":9}}"}}]}"#,
        "<html>",
        "",
        r#"{"usage":{"prompt_tokens":5,"completion_tokens":7}"#,
    ] {
        assert_eq!(whole("openai", CHAT, body).tokens, TokenCounts::default(), "{body}");
    }
}

#[test]
fn a_zero_beside_or_after_a_positive_figure_says_nothing() {
    for usage in [
        r#"{"prompt_tokens":0,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":0},"input_tokens":38829,"output_tokens":477,"input_tokens_details":{"cached_tokens":38272}}"#,
        r#"{"input_tokens":0,"output_tokens":0,"input_tokens_details":{"cached_tokens":0},"prompt_tokens":38829,"completion_tokens":477,"prompt_tokens_details":{"cached_tokens":38272}}"#,
    ] {
        assert_eq!(tokens("openai", CHAT, usage), counts(Some(38829), Some(38272), Some(477), None), "{usage}");
    }
    let chunk = |usage: &str| format!(r#"{{"model":"m","choices":[{{"finish_reason":"stop"}}],"usage":{usage}}}"#);
    let (first, last) =
        (chunk(r#"{"prompt_tokens":9,"completion_tokens":4}"#), chunk(r#"{"prompt_tokens":0,"completion_tokens":0}"#));
    let (metered, _) = stream("openai", CHAT, &[&first, &last, "[DONE]"]);
    assert_eq!((metered.tokens.input, metered.tokens.output), (Some(9), Some(4)));
    let start = r#"{"type":"message_start","message":{"model":"m","usage":{"input_tokens":25,"cache_read_input_tokens":800,"output_tokens":1}}}"#;
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":0,"cache_read_input_tokens":0,"output_tokens":90}}"#;
    let (metered, ending) = stream("anthropic", MESSAGES, &[start, delta, r#"{"type":"message_stop"}"#]);
    assert_eq!(
        (metered.tokens, ending),
        (TokenCounts { cached_input: Some(800), ..counts(Some(825), None, Some(90), None) }, Ending::Whole)
    );
}

#[test]
fn an_answer_that_says_that_it_used_nothing_is_unknown() {
    for usage in
        [r#"{"prompt_tokens":0,"completion_tokens":0}"#, r#"{"input_tokens":0,"output_tokens":0,"total_tokens":0}"#]
    {
        assert_eq!(tokens("openai", RESPONSES, usage), TokenCounts::default(), "{usage}");
    }
    let free = whole("openrouter", CHAT, r#"{"usage":{"prompt_tokens":0,"completion_tokens":0,"cost":0}}"#);
    assert_eq!(free, Metered::default());
    assert_eq!(
        tokens("openai", CHAT, r#"{"prompt_tokens":5,"completion_tokens":0}"#),
        counts(Some(5), None, Some(0), None)
    );
    for path in ["/v1/messages/count_tokens", "/v1/responses/input_tokens"] {
        let counted = whole("anthropic", path, r#"{"input_tokens":2095}"#);
        assert_eq!((counted.tokens, counted.cost_nano_usd), (counts(Some(0), None, Some(0), None), Some(0)), "{path}");
    }
    assert_eq!(whole("gemini", "/v1/models/m:countTokens", r#"{"totalTokens":31}"#).cost_nano_usd, Some(0));
    assert_eq!(whole("gemini", "/v1/models/m:countTokens", "{}"), Metered::default());
}

#[test]
fn anthropics_shape_is_read_at_any_provider() {
    let usage =
        r#"{"input_tokens":1000,"cache_read_input_tokens":9000,"cache_creation_input_tokens":100,"output_tokens":500}"#;
    let expected = TokenCounts { cache_write: Some(100), ..counts(Some(10_100), Some(9000), Some(500), None) };
    for (provider, path) in [
        ("anthropic", MESSAGES),
        ("deepseek", "/anthropic/v1/messages"),
        ("xai", MESSAGES),
        ("openrouter", "/api/v1/messages"),
        ("openai", "/somewhere/else"),
    ] {
        let body = format!(r#"{{"type":"message","model":"m","usage":{usage}}}"#);
        assert_eq!(whole(provider, path, &body).tokens, expected, "{provider}");
        let start = format!(r#"{{"type":"message_start","message":{{"model":"m","usage":{usage}}}}}"#);
        let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":500}}"#;
        let (metered, ending) = stream(provider, path, &[&start, delta, r#"{"type":"message_stop"}"#]);
        assert_eq!(
            (metered.tokens, metered.model.as_deref(), ending),
            (expected, Some("m"), Ending::Whole),
            "{provider}"
        );
    }
    // Others put Anthropic's names beside OpenAI's, whose input includes all.
    let both = r#"{"prompt_tokens":910,"completion_tokens":300,"cache_read_input_tokens":800,"cache_creation_input_tokens":100}"#;
    let expected = TokenCounts { cache_write: Some(100), ..counts(Some(910), Some(800), Some(300), None) };
    assert_eq!(tokens("openai", CHAT, both), expected);
}

#[test]
fn every_step_of_a_compacted_message_counts() {
    let step = |kind: &str, input: i64, output: i64| {
        format!(
            r#"{{"type":"{kind}","input_tokens":{input},"output_tokens":{output},"cache_read_input_tokens":0,"cache_creation_input_tokens":0}}"#
        )
    };
    let steps = [step("compaction", 180_000, 3500), step("message", 23_000, 1000)].join(",");
    let usage =
        format!(r#"{{"input_tokens":23000,"output_tokens":1000,"cache_read_input_tokens":0,"iterations":[{steps}]}}"#);
    let metered = whole("anthropic", MESSAGES, &format!(r#"{{"type":"message","model":"m","usage":{usage}}}"#));
    assert_eq!((metered.tokens.input, metered.tokens.output), (Some(203_000), Some(4500)));
    assert!(metered.terms.is_ordinary());
    let start = r#"{"type":"message_start","message":{"model":"m","usage":{"input_tokens":23000,"output_tokens":1}}}"#;
    let delta = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{usage}}}"#);
    let (metered, _) = stream("anthropic", MESSAGES, &[start, &delta]);
    assert_eq!((metered.tokens.input, metered.tokens.output), (Some(203_000), Some(4500)));
    let advised = usage.replace("\"type\":\"compaction\"", "\"type\":\"advisor_message\",\"model\":\"other\"");
    let metered = whole("anthropic", MESSAGES, &format!(r#"{{"type":"message","model":"m","usage":{advised}}}"#));
    assert_eq!(metered.terms.tools.get("advisor"), Some(&1), "at the price of a model that is not the answer's");
}

#[test]
fn figures_are_found_wherever_a_provider_puts_them() {
    let usage = r#"{"prompt_tokens":19,"completion_tokens":13}"#;
    for (provider, path, event) in [
        ("openai", CHAT, format!(r#"{{"choices":[{{"finish_reason":"stop","usage":{usage}}}]}}"#)),
        ("groq", CHAT, format!(r#"{{"choices":[{{"finish_reason":"stop"}}],"x_groq":{{"id":"r","usage":{usage}}}}}"#)),
        ("openai", CHAT, format!(r#"{{"choices":[],"usage" : {usage}}}"#)),
        ("openai", RESPONSES, r#"{"type":"response.completed","response":{"usage":{"input_tokens":19,"output_tokens":13}}}"#.into()),
        ("openai", RESPONSES, r#"{"response":{"usage":{"input_tokens":19,"output_tokens":13}},"type":"response.incomplete"}"#.into()),
        ("mistral", "/v1/conversations", format!(r#"{{"type":"conversation.response.done","usage":{usage}}}"#)),
        ("cohere", "/v2/chat", r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":19,"output_tokens":13},"tokens":{"input_tokens":99}}}}"#.into()),
        ("cohere", "/v1/chat", r#"{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":{"meta":{"billed_units":{"input_tokens":19,"output_tokens":13}}}}"#.into()),
        ("gemini", "/v1beta/models/g:streamGenerateContent", r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":19,"candidatesTokenCount":13}}"#.into()),
        ("openai", "/api/chat", r#"{"model":"m","done":true,"done_reason":"stop","prompt_eval_count":19,"eval_count":13}"#.into()),
        ("openai", "/v1/images/generations", r#"{"type":"image_generation.completed","usage":{"input_tokens":19,"output_tokens":13}}"#.into()),
    ] {
        let (metered, ending) = stream(provider, path, &[&event]);
        assert_eq!((metered.tokens.input, metered.tokens.output), (Some(19), Some(13)), "{event}");
        let is_open = path == CHAT && event.contains("\"choices\":[]");
        assert_eq!(ending, if is_open { Ending::Cut } else { Ending::Whole }, "{event}");
    }
    let vertex = r#"{"predictions":[{"embeddings":{"statistics":{"token_count":4}}},{"embeddings":{"statistics":{"tokenCount":5}}}]}"#;
    assert_eq!(whole("gemini", "/v1beta/models/e:embedContent", vertex).tokens, counts(Some(9), None, Some(0), None));
    let gemini = r#"{"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":5,"promptTokenDetails":[{"modality":"TEXT","tokenCount":5}]}}"#;
    assert_eq!(whole("gemini", "/v1beta/models/e:embedContent", gemini).tokens, counts(Some(5), None, Some(0), None));
    let ranked = whole("cohere", "/v2/rerank", r#"{"results":[],"meta":{"billed_units":{"search_units":2}}}"#).tokens;
    assert_eq!((ranked.input, ranked.output, ranked.search_units), (Some(0), Some(0), Some(2)));
    let conversation = r#"{"outputs":[{"type":"message.output","model":"mistral-medium"}],"usage":{"prompt_tokens":4,"completion_tokens":3,"connectors":{"web_search":1}}}"#;
    let metered = whole("mistral", "/v1/conversations", conversation);
    assert_eq!((metered.model.as_deref(), metered.terms.tools.get("web_search")), (Some("mistral-medium"), Some(&1)));
    let events = [
        r#"{"type":"message.output.delta","model":"mistral-medium","content":"x"}"#,
        r#"{"type":"conversation.response.done","usage":{"prompt_tokens":4,"completion_tokens":3}}"#,
    ];
    assert_eq!(stream("mistral", "/v1/conversations", &events).0.model.as_deref(), Some("mistral-medium"));
    let google = r#"{"model":"models/gemini-2.5-flash","usage":{"prompt_tokens":1,"total_tokens":2}}"#;
    assert_eq!(whole("gemini", "/v1beta/openai/chat/completions", google).model.as_deref(), Some("gemini-2.5-flash"));
}

#[test]
fn what_is_unreadable_in_one_field_costs_no_other() {
    let usage = r#""usage":{"prompt_tokens":5,"completion_tokens":7}"#;
    for other in [
        r#""model":7"#,
        r#""model":["m"]"#,
        r#""model":"m\u0000""#,
        r#""response":"text""#,
        r#""response":[{"usage":{}}]"#,
        r#""x_groq":true"#,
        r#""choices":"none""#,
        r#""error":null"#,
        r#""type":{}"#,
    ] {
        let json = format!("{{{other},{usage}}}");
        assert_eq!(whole("openai", CHAT, &json).tokens, counts(Some(5), None, Some(7), None), "{json}");
        assert_eq!(stream("openai", CHAT, &[&json, "[DONE]"]).0.tokens, counts(Some(5), None, Some(7), None), "{json}");
    }
    let odd = whole("openai", CHAT, r#"{"model":"m","usage":{"prompt_tokens_details":[1]}}"#);
    assert_eq!(odd, Metered { model: Some("m".to_owned()), ..Metered::default() });
}

#[test]
fn reasoning_apart_from_the_output_is_added() {
    let usage = r#"{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135}"#;
    assert_eq!(tokens("xai", CHAT, usage).output, Some(103));
    let details = r#"{"prompt_tokens":32,"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":94}}"#;
    assert_eq!(tokens("xai", CHAT, details).output, Some(103), "without a total");
    assert_eq!(tokens("xai", CHAT, r#"{"prompt_tokens":3}"#).output, None);
}

#[test]
fn what_a_provider_says_it_charges_is_read_exactly() {
    for (usage, expected) in [
        (r#"{"prompt_tokens":1,"cost":0.00095}"#, Some(950_000)),
        (r#"{"prompt_tokens":1,"cost":1e-9}"#, Some(1)),
        (r#"{"prompt_tokens":1,"cost":"0.5"}"#, Some(500_000_000)),
        (r#"{"prompt_tokens":1,"cost":0}"#, Some(0)),
        (r#"{"prompt_tokens":1,"cost":-1}"#, None),
        (r#"{"prompt_tokens":1,"cost":{"usd":1}}"#, None),
        (r#"{"prompt_tokens":1,"cost":null}"#, None),
        (r#"{"prompt_tokens":1,"cost_in_usd_ticks":1234506}"#, Some(123_451)),
        (
            r#"{"prompt_tokens":1,"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":0.0360795}}"#,
            Some(36_079_500),
        ),
        (
            r#"{"prompt_tokens":1,"cost":0.001,"is_byok":true,"cost_details":{"upstream_inference_cost":0.02}}"#,
            Some(21_000_000),
        ),
        (r#"{"prompt_tokens":1,"cost":0,"is_byok":true}"#, None),
        (
            r#"{"prompt_tokens":1,"cost":0.5,"is_byok":false,"cost_details":{"upstream_inference_cost":0.4}}"#,
            Some(500_000_000),
        ),
        (r#"{"prompt_tokens":1}"#, None),
    ] {
        let metered = whole("openrouter", CHAT, &format!("{{\"usage\":{usage}}}"));
        assert_eq!((metered.cost_nano_usd, metered.tokens.input), (expected, Some(1)), "{usage}");
        assert_eq!(whole("openai", CHAT, &format!("{{\"usage\":{usage}}}")).cost_nano_usd, None, "OpenAI states none");
    }
}

#[test]
fn the_terms_of_a_price_are_those_that_the_answer_states() {
    let tier = |name: &str| PriceTerms { service_tier: Some(name.to_owned()), ..PriceTerms::default() };
    let usage = r#""usage":{"prompt_tokens":5,"completion_tokens":7}"#;
    for (provider, path, json, expected) in [
        ("openai", CHAT, format!(r#"{{"service_tier":"priority",{usage}}}"#), tier("priority")),
        ("openai", CHAT, format!(r#"{{"service_tier":"default",{usage}}}"#), PriceTerms::default()),
        ("groq", CHAT, format!(r#"{{"service_tier":"on_demand",{usage}}}"#), PriceTerms::default()),
        ("mistral", CHAT, r#"{"usage":{"prompt_tokens":5,"completion_tokens":7,"service_tier":"flex"}}"#.into(), tier("flex")),
        ("anthropic", MESSAGES, r#"{"usage":{"input_tokens":5,"output_tokens":7,"service_tier":"batch"}}"#.into(), tier("batch")),
        (
            "anthropic",
            MESSAGES,
            r#"{"usage":{"input_tokens":5,"output_tokens":7,"service_tier":"standard","speed":"fast","inference_geo":"us"}}"#.into(),
            PriceTerms { speed: Some("fast".into()), region: Some("us".into()), ..PriceTerms::default() },
        ),
        ("anthropic", MESSAGES, r#"{"usage":{"input_tokens":5,"speed":"standard","inference_geo":"not_available"}}"#.into(), PriceTerms::default()),
        ("gemini", "/m:generateContent", r#"{"usageMetadata":{"promptTokenCount":5,"trafficType":"ON_DEMAND"}}"#.into(), PriceTerms::default()),
        ("gemini", "/m:generateContent", r#"{"usageMetadata":{"promptTokenCount":5,"trafficType":"ON_DEMAND_FLEX"}}"#.into(), tier("flex")),
        ("gemini", "/m:generateContent", r#"{"usageMetadata":{"promptTokenCount":5,"trafficType":"PROVISIONED_THROUGHPUT"}}"#.into(), tier("provisioned_throughput")),
        ("gemini", "/m:generateContent", r#"{"usageMetadata":{"promptTokenCount":5,"serviceTier":"priority"}}"#.into(), tier("priority")),
    ] {
        assert_eq!(whole(provider, path, &json).terms, expected, "{json}");
    }
    let event = r#"{"type":"response.completed","response":{"service_tier":"flex","usage":{"input_tokens":1,"output_tokens":1}}}"#;
    assert_eq!(stream("openai", RESPONSES, &[event]).0.terms, tier("flex"));
}

#[test]
fn sound_searches_and_tools_are_counted_apart() {
    let details = r#""prompt_tokens_details":{"audio_tokens":AUDIO},"completion_tokens_details":{"audio_tokens":3}"#;
    for (audio, input, audio_input) in
        [("4", Some(5), Some(4)), ("null", Some(5), None), ("\"4\"", None, None), ("-1", None, None)]
    {
        let usage = format!(r#"{{"prompt_tokens":5,"completion_tokens":7,{}}}"#, details.replace("AUDIO", audio));
        let tokens = tokens("openai", CHAT, &usage);
        assert_eq!((tokens.input, tokens.audio_input), (input, audio_input), "{audio}");
        assert_eq!((tokens.output, tokens.audio_output), (Some(7), Some(3)), "{audio}");
    }
    let heard = r#"{"promptTokenCount":1000,"cachedContentTokenCount":800,"candidatesTokenCount":300,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":600},{"modality":"TEXT","tokenCount":400}],"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":500}]}"#;
    let gemini = whole("gemini", "/m:generateContent", &format!("{{\"usageMetadata\":{heard}}}")).tokens;
    assert_eq!((gemini.audio_input, gemini.cached_audio_input, gemini.cached_input), (Some(600), Some(500), Some(800)));
    let written = r#"{"input_tokens":1000,"output_tokens":300,"input_tokens_details":{"cached_tokens":800,"cache_write_tokens":100,"cache_write_tokens_details":{"ttl_12h_tokens":60,"ttl_30m_tokens":40}}}"#;
    let long = tokens("openai", RESPONSES, written);
    assert_eq!((long.cache_write, long.cache_write_12h), (Some(100), Some(60)));

    let search = r#"{"type":"web_search_call","status":"completed","action":{"type":"search","query":"x"}}"#;
    let opened = r#"{"type":"web_search_call","action":{"type":"open_page","url":"https://x.dev"}}"#;
    let text = r#"{"type":"message","content":[{"type":"web_search_call"}]}"#;
    let function = r#"{"type":"function_call","name":"file_search_call"}"#;
    let files = r#"{"type":"file_search_call"}"#;
    let picture = format!(r#"{{"type":"image_generation_call","result":"{}"}}"#, "x".repeat(200_000));
    let usage = r#""usage":{"input_tokens":5,"output_tokens":7}"#;
    let none: &[(&str, i64)] = &[];
    for (items, searches, tools) in [
        (vec![text, function], None, none),
        (vec![search, opened, r#"{"type":"web_search_call"}"#, "7", text], Some(2), none),
        (vec![files, files, &picture, text], None, &[("file_search", 2), ("image_generation", 1)]),
        (vec![], None, none),
    ] {
        let answer = format!(r#"{{"output":[{}],{usage}}}"#, items.join(","));
        let tools: std::collections::BTreeMap<_, _> =
            tools.iter().map(|(tool, uses)| ((*tool).to_owned(), *uses)).collect();
        let whole = whole("openai", RESPONSES, &answer);
        assert_eq!((whole.tokens.input, whole.tokens.web_searches), (Some(5), searches));
        assert_eq!(whole.terms.tools, tools);
        let (mut document, mut figures) = (Document::default(), figures("openai", RESPONSES));
        for piece in format!(r#"{{"type":"response.completed","response":{answer}}}"#).as_bytes().chunks(1000) {
            document.push(piece);
        }
        assert!(figures.event(document.text()));
        assert_eq!(figures.take(), whole);
    }
    let grounded = r#"{"candidates":[{"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["a","b"],"groundingChunks":[{"web":{}},{"maps":{}}]}}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1}}"#;
    let (metered, _) = stream("gemini", "/m:streamGenerateContent", &[grounded, grounded]);
    assert_eq!((metered.tokens.web_searches, metered.terms.tools.get("google_maps")), (Some(2), Some(&1)));
    let served = r#"{"type":"message","usage":{"input_tokens":5,"output_tokens":7,"server_tool_use":{"web_search_requests":3,"web_fetch_requests":1,"code_execution_requests":2}}}"#;
    let metered = whole("anthropic", MESSAGES, served);
    assert_eq!((metered.tokens.web_searches, metered.terms.tools.len()), (Some(3), 1));
    assert_eq!(metered.terms.tools.get("code_execution"), Some(&2));
}

#[test]
fn a_stream_that_was_cut_says_nothing_of_its_output() {
    let start = r#"{"type":"message_start","message":{"model":"m","usage":{"input_tokens":5000,"output_tokens":1}}}"#;
    let text = r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"message_stop \"finish_reason\":\"stop\""}}"#;
    let (metered, ending) = stream("anthropic", MESSAGES, &[start, text, text]);
    assert_eq!((metered.tokens, ending), (counts(Some(5000), None, None, None), Ending::Cut));
    let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#;
    let (metered, ending) = stream("anthropic", MESSAGES, &[start, delta]);
    assert_eq!((metered.tokens.output, ending), (Some(9), Ending::Cut), "its figures were final, its end is missing");
    // Hosts that count along: the figures of an unfinished answer are not its own.
    let part = r#"{"choices":[{"delta":{"content":"x"},"finish_reason":null}],"usage":{"prompt_tokens":10,"completion_tokens":2}}"#;
    let last =
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":3}}"#;
    assert_eq!(stream("openai", CHAT, &[part, part]).0.tokens, counts(Some(10), None, None, None));
    assert_eq!(stream("openai", CHAT, &[part, last, last]).0.tokens, counts(Some(10), None, Some(3), None));
    for (path, event, expected) in [
        (CHAT, r#"{"choices":[{"delta":{"content":"x"},"finish_reason":null}]}"#, Ending::Cut),
        (CHAT, r#"{"choices":[{"delta":{},"finish_reason": "stop"}]}"#, Ending::Whole),
        (CHAT, "[DONE]", Ending::Whole),
        (CHAT, r#"{"error":{"message":"x"}}"#, Ending::Failed),
        (CHAT, r#"{"choices":[{"delta":{"content":"\"error\":{}"}}]}"#, Ending::Cut),
        (RESPONSES, r#"{"type":"response.output_text.delta","delta":"response.completed"}"#, Ending::Cut),
        (RESPONSES, r#"{"type":"response.completed","response":{"usage":null}}"#, Ending::Whole),
        (RESPONSES, r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#, Ending::Failed),
        (RESPONSES, r#"{"type":"response.created","response":{"error":null,"usage":null}}"#, Ending::Cut),
        (MESSAGES, r#"{"type":"error","error":{"type":"overloaded_error"}}"#, Ending::Failed),
        (
            "/v1beta/models/m:streamGenerateContent",
            r#"{"candidates":[{"content":{}}],"usageMetadata":{"promptTokenCount":1}}"#,
            Ending::Cut,
        ),
        (
            "/v1beta/models/m:streamGenerateContent",
            r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":1}}"#,
            Ending::Whole,
        ),
        ("/v2/chat", r#"{"type":"content-delta","delta":{"message":{"content":{"text":"message-end"}}}}"#, Ending::Cut),
        ("/v1/audio/speech", r#"{"type":"speech.audio.delta"}"#, Ending::Whole),
    ] {
        assert_eq!(stream("openai", path, &[event]).1, expected, "{event}");
    }
}

#[test]
fn an_answer_made_in_the_background_has_an_id_once_it_is_finished() {
    let answer = |status: &str, background: bool, usage: &str| {
        format!(
            r#"{{"id":"resp_1","object":"response","status":"{status}","background":{background},"output":[],"usage":{usage}}}"#
        )
    };
    let usage = r#"{"input_tokens":2000,"output_tokens":900}"#;
    let finished = whole("openai", "/v1/responses/resp_1", &answer("completed", true, usage));
    assert_eq!((finished.answer_id.as_deref(), finished.tokens.output), (Some("resp_1"), Some(900)));
    for body in [answer("queued", true, "null"), answer("completed", false, usage)] {
        assert_eq!(whole("openai", RESPONSES, &body).answer_id, None, "{body}");
    }
    let event = format!(r#"{{"type":"response.completed","response":{}}}"#, answer("completed", true, usage));
    assert_eq!(stream("openai", RESPONSES, &[&event]).0.answer_id.as_deref(), Some("resp_1"));
}

#[test]
fn the_answers_of_a_session_add_up() {
    let done = |input, output| {
        format!(
            r#"{{"type":"response.done","response":{{"usage":{{"total_tokens":{},"input_tokens":{input},"output_tokens":{output},"input_token_details":{{"cached_tokens":4,"cached_tokens_details":{{"audio_tokens":3}},"audio_tokens":5}},"output_token_details":{{"audio_tokens":2}}}}}}}}"#,
            input + output
        )
    };
    let heard = r#"{"type":"conversation.item.input_audio_transcription.completed","usage":{"type":"tokens","input_tokens":70,"output_tokens":8}}"#;
    let (mut sum, mut figures) = (Metered::default(), figures("openai", "/v1/realtime"));
    for message in [r#"{"type":"session.created"}"#, r#"{"type":"response.created","response":{"usage":null}}"#] {
        figures.event(message.as_bytes());
        figures.add_to(&mut sum);
    }
    assert!(figures.is_under_way());
    for message in [done(11, 3), done(20, 5), heard.to_owned(), "{}".to_owned()] {
        figures.event(message.as_bytes());
        figures.add_to(&mut sum);
    }
    assert!(!figures.is_under_way());
    let tokens = sum.tokens;
    assert_eq!((tokens.input, tokens.output, tokens.cached_input), (Some(31), Some(8), Some(8)));
    assert_eq!((tokens.audio_input, tokens.cached_audio_input, tokens.audio_output), (Some(10), Some(6), Some(4)));
    assert_eq!(sum.terms.tools.get("transcription"), Some(&1), "another model than the session's");
}

#[test]
fn a_body_of_any_length_is_read_wherever_its_figures_stand() {
    let usage = r#""model":"e","usage":{"prompt_tokens":8,"total_tokens":8}"#;
    let data = format!("\"data\":[{}0]", "{\"embedding\":[0.123456789,-1e-3]},".repeat(60_000));
    for text in [format!("{{{usage},{data}}}"), format!("{{{data},{usage}}}"), format!("\n\n {{{data},\n{usage}}}\n")] {
        for cut in [1000, 8192, usize::MAX] {
            let (mut figures, mut body) = (figures("openai", "/v1/embeddings"), JsonBody::default());
            for piece in text.as_bytes().chunks(cut) {
                body.push(&mut figures, &Bytes::copy_from_slice(piece));
            }
            body.finish(&mut figures);
            let metered = figures.take();
            assert_eq!(
                (metered.model.as_deref(), metered.tokens),
                (Some("e"), counts(Some(8), None, Some(0), None)),
                "{cut}"
            );
        }
    }
    // A stream that came as one list, as lines, and one that was cut.
    let chunk = |output: i64, reason: &str| {
        format!(
            r#"{{"candidates":[{{{reason}"index":0}}],"usageMetadata":{{"promptTokenCount":4,"candidatesTokenCount":{output}}},"modelVersion":"m"}}"#
        )
    };
    let (first, last) = (chunk(1, ""), chunk(2, r#""finishReason":"STOP","#));
    for (text, output, ending) in [
        (format!("[{first},\n{last}\n]"), Some(2), Ending::Whole),
        (format!("[{first},\n{last}"), Some(2), Ending::Whole),
        (format!("[{first}"), None, Ending::Cut),
        (format!("{first}\n{last}\n"), Some(2), Ending::Whole),
    ] {
        let (mut figures, mut body) = (figures("gemini", "/m:streamGenerateContent"), JsonBody::default());
        for piece in text.as_bytes().chunks(7) {
            body.push(&mut figures, &Bytes::copy_from_slice(piece));
        }
        body.finish(&mut figures);
        let metered = figures.take();
        assert_eq!(
            (metered.model.as_deref(), metered.tokens.output, figures.ending()),
            (Some("m"), output, ending),
            "{text}"
        );
    }
}
