//! Figures in every shape, wherever a provider puts them, in bodies of any length.

use super::*;

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
