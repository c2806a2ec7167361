//! How answers end, and which of their figures hold then.

use super::*;

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
