//! Token counts in every generation of names, and fields that only look like one.

use super::*;

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
