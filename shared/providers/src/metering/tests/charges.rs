//! Factors of a price beside tokens: charges, terms, audio, searches and tools.

use super::*;

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
