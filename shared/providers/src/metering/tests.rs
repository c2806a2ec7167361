//! Figures of OpenAI-shaped answers, and of what only looks like them.

use super::*;

fn counts(input: Option<i64>, cached_input: Option<i64>, output: Option<i64>, reasoning: Option<i64>) -> TokenCounts {
    TokenCounts { input, cached_input, output, reasoning, ..TokenCounts::default() }
}

#[test]
fn usage_is_read_in_every_shape_and_unknown_stays_unknown() {
    for (json, expected) in [
        (r#"{"usage":{"prompt_tokens":5,"completion_tokens":7}}"#, counts(Some(5), None, Some(7), None)),
        (
            r#"{"usage":{"input_tokens":5,"output_tokens":7,"input_tokens_details":{"cached_tokens":2},"output_tokens_details":{"reasoning_tokens":3}}}"#,
            counts(Some(5), Some(2), Some(7), Some(3)),
        ),
        (
            r#"{"usage":{"prompt_tokens":5,"input_tokens":5,"completion_tokens":7,"output_tokens":7}}"#,
            counts(Some(5), None, Some(7), None),
        ),
        (
            r#"{"usage":{"prompt_tokens":5,"completion_tokens":7,"prompt_cache_hit_tokens":4}}"#,
            counts(Some(5), Some(4), Some(7), None),
        ),
        (
            r#"{"usage":{"prompt_tokens":-5,"completion_tokens":7.5,"prompt_tokens_details":null}}"#,
            counts(None, None, None, None),
        ),
        (
            r#"{"usage":{"prompt_tokens":"5","completion_tokens":[1,{"a":2}],"total_tokens":{"x":1}}}"#,
            counts(None, None, None, None),
        ),
        (
            r#"{"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":1}}"#,
            counts(None, None, Some(1), None),
        ),
        (r#"{"usage":null}"#, TokenCounts::default()),
        (r#"{"choices":[{"message":{"content":"{\"usage\":{\"prompt_tokens\":9}}"}}]}"#, TokenCounts::default()),
        ("<html>", TokenCounts::default()),
        ("", TokenCounts::default()),
        (r#"{"usage":{"prompt_tokens":5"#, TokenCounts::default()),
    ] {
        assert_eq!(
            read_body(OutputTokens::Completion, "/v1/chat/completions", json.as_bytes()).tokens,
            expected,
            "{json}"
        );
    }
}

#[test]
fn what_is_unreadable_in_one_field_costs_no_other() {
    let figures = r#""usage":{"prompt_tokens":5,"completion_tokens":7}"#;
    for other in [
        r#""model":7"#,
        r#""model":["m"]"#,
        r#""model":"m\u0000""#,
        r#""response":"text""#,
        r#""response":[{"usage":{}}]"#,
        r#""x_groq":true"#,
    ] {
        let json = format!("{{{other},{figures}}}");
        let expected = Metered { tokens: counts(Some(5), None, Some(7), None), ..Metered::default() };
        assert_eq!(read_body(OutputTokens::Completion, "/c", json.as_bytes()), expected, "{json}");
        assert_eq!(read_event(OutputTokens::Completion, json.as_bytes()), Some(expected), "{json}");
    }
    for usage in ["7", "[5,7]", r#""text""#, "true", r#"{"prompt_tokens_details":[1]}"#] {
        let json = format!(r#"{{"model":"m","usage":{usage}}}"#);
        let expected = Metered { model: Some("m".to_owned()), ..Metered::default() };
        assert_eq!(read_body(OutputTokens::Completion, "/c", json.as_bytes()), expected, "{json}");
    }
}

#[test]
fn reasoning_apart_from_the_output_is_added_from_the_total() {
    let json = br#"{"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135}}"#;
    assert_eq!(read_body(OutputTokens::TotalMinusPrompt, "/c", json).tokens.output, Some(103));
    assert_eq!(
        read_body(OutputTokens::TotalMinusPrompt, "/c", br#"{"usage":{"prompt_tokens":3}}"#).tokens.output,
        None
    );
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
        (r#"{"prompt_tokens":1}"#, None),
    ] {
        let json = format!("{{\"usage\":{usage}}}");
        let metered = read_body(OutputTokens::Completion, "/c", json.as_bytes());
        assert_eq!((metered.cost_nano_usd, metered.tokens.input), (expected, Some(1)), "{usage}");
    }
}

#[test]
fn sound_and_searches_are_counted_apart() {
    let details = r#""prompt_tokens_details":{"audio_tokens":AUDIO},"completion_tokens_details":{"audio_tokens":3}"#;
    for (audio, input, audio_input) in
        [("4", Some(5), Some(4)), ("null", Some(5), None), ("\"4\"", None, None), ("-1", None, None)]
    {
        let details = details.replace("AUDIO", audio);
        let json = format!(r#"{{"usage":{{"prompt_tokens":5,"completion_tokens":7,{details}}}}}"#);
        let tokens = read_body(OutputTokens::Completion, "/v1/chat/completions", json.as_bytes()).tokens;
        assert_eq!((tokens.input, tokens.audio_input), (input, audio_input), "{audio}");
        assert_eq!((tokens.output, tokens.audio_output), (Some(7), Some(3)), "{audio}");
    }
    let search = r#"{"type":"web_search_call","status":"completed","action":{"type":"search","query":"x"}}"#;
    let opened = r#"{"type":"web_search_call","action":{"type":"open_page","url":"https://x.dev"}}"#;
    let text = r#"{"type":"message","content":[{"type":"web_search_call"}]}"#;
    let figures = r#""usage":{"input_tokens":5,"output_tokens":7}"#;
    for (items, searches) in [
        (vec![text], None),
        (vec![search, opened, r#"{"type":"web_search_call"}"#, "7", text], Some(2)),
        (vec![], None),
    ] {
        let answer = format!(r#"{{"output":[{}],{figures}}}"#, items.join(","));
        let tokens = read_body(OutputTokens::Completion, "/v1/responses", answer.as_bytes()).tokens;
        assert_eq!((tokens.input, tokens.web_searches), (Some(5), searches), "{answer}");
        let event = format!(r#"{{"type":"response.completed","response":{answer}}}"#);
        assert_eq!(read_event(OutputTokens::Completion, event.as_bytes()).map(|event| event.tokens), Some(tokens));
    }
    let cut = format!("{{{figures}}}");
    assert_eq!(read_body(OutputTokens::Completion, "/v1/responses", cut.as_bytes()).tokens.input, None);
}

#[test]
fn embeddings_have_no_output_but_only_when_they_were_counted() {
    let json = br#"{"model":"e","usage":{"prompt_tokens":2,"total_tokens":2}}"#;
    let metered = read_body(OutputTokens::Completion, "/v1/embeddings", json);
    assert_eq!((metered.model.as_deref(), metered.tokens), (Some("e"), counts(Some(2), None, Some(0), None)));
    assert_eq!(read_body(OutputTokens::Completion, "/v1/embeddings", b"{}").tokens, TokenCounts::default());
}

#[test]
fn only_events_with_figures_are_metered() {
    for data in [
        &br#"{"choices":[{"delta":{"content":"Hi"}}],"usage":null}"#[..],
        br#"{"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":1}"}}]}"#,
        br#"{"usage":{}}"#,
        br#"{"usage":{"prompt_tokens":1"#,
        br#"{"error":{"message":"x"}}"#,
        b"[DONE]",
        b"",
    ] {
        assert_eq!(read_event(OutputTokens::Completion, data), None, "{}", String::from_utf8_lossy(data));
    }
    for data in [
        &br#"{"model":"m","choices":[],"usage" : {"prompt_tokens":5,"completion_tokens":7}}"#[..],
        br#"{"model":"m","usage":null,"x_groq":{"id":"r","usage":{"prompt_tokens":5,"completion_tokens":7}}}"#,
        br#"{"type":"response.completed","response":{"model":"m","usage":{"input_tokens":5,"output_tokens":7}}}"#,
    ] {
        let tokens = counts(Some(5), None, Some(7), None);
        let expected = Metered { model: Some("m".to_owned()), tokens, cost_nano_usd: None };
        assert_eq!(read_event(OutputTokens::Completion, data), Some(expected), "{}", String::from_utf8_lossy(data));
    }
}
