//! Ends of answers, and the figures that hold for each.

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
        ("/v1beta/models/m:streamGenerateContent", r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, Ending::Whole),
        ("/v2/chat", r#"{"type":"content-delta","delta":{"message":{"content":{"text":"message-end"}}}}"#, Ending::Cut),
        ("/v1/audio/speech", r#"{"type":"speech.audio.delta"}"#, Ending::Whole),
    ] {
        assert_eq!(stream("openai", path, &[event]).1, expected, "{event}");
    }
}

#[test]
fn an_answer_that_stopped_for_an_error_has_failed() {
    for (path, event) in [
        (
            "/v2/chat",
            r#"{"type":"message-end","delta":{"finish_reason":"REASON","usage":{"billed_units":{"output_tokens":1}}}}"#,
        ),
        (
            "/v1/chat",
            r#"{"is_finished":true,"event_type":"stream-end","finish_reason":"REASON","response":{"finish_reason":"REASON"}}"#,
        ),
        (CHAT, r#"{"choices":[{"index":0,"delta":{},"finish_reason":"REASON"}]}"#),
    ] {
        for (reason, expected) in [
            ("ERROR", Ending::Failed),
            ("error", Ending::Failed),
            ("ERROR_LIMIT", Ending::Failed),
            ("ERROR_TOXIC", Ending::Failed),
            ("TIMEOUT", Ending::Failed),
            ("insufficient_system_resource", Ending::Failed),
            ("COMPLETE", Ending::Whole),
            ("MAX_TOKENS", Ending::Whole),
            ("content_filter", Ending::Whole),
        ] {
            let event = event.replace("REASON", reason);
            assert_eq!(stream("cohere", path, &[&event]).1, expected, "{event}");
        }
    }
    for whole in [
        r#"{"id":"a","finish_reason":"ERROR","message":{"role":"assistant","content":[]}}"#,
        r#"{"choices":[{"finish_reason":"error","message":{}}]}"#,
    ] {
        let (mut figures, mut body) = (figures("cohere", "/v2/chat"), JsonBody::default());
        body.push(&mut figures, &Bytes::copy_from_slice(whole.as_bytes()));
        body.finish(&mut figures);
        assert_eq!(figures.ending(), Ending::Failed, "{whole}");
    }
}

#[test]
fn documents_in_a_row_have_an_end_of_their_own() {
    let start = r#"{"is_finished":false,"event_type":"stream-start","generation_id":"1"}"#;
    let end = r#"{"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":{}}"#;
    for (path, text, expected) in [
        ("/v1/chat", format!("{start}\n{end}\n"), Ending::Whole),
        ("/v1/chat", format!("{start}\n"), Ending::Cut),
        ("/v1/chat", format!("{start}\n{{\"event_type\":\"text-gen"), Ending::Cut),
        ("/v1/chat", format!("{start}\n{start}\n"), Ending::Cut),
        ("/v1/chat", r#"{"text":"x","finish_reason":"COMPLETE"}"#.into(), Ending::Whole),
        ("/api/chat", r#"{"model":"m","done":true}"#.into(), Ending::Whole),
        ("/api/chat", "{\"model\":\"m\",\"done\":false}\n".into(), Ending::Cut),
        ("/api/chat", "{\"done\":false}\n{\"done\":true,\"done_reason\":\"stop\"}\n".into(), Ending::Whole),
        (CHAT, r#"{"choices":[{"message":"#.into(), Ending::Cut),
    ] {
        for cut in [5, usize::MAX] {
            let (mut figures, mut body) = (figures("cohere", path), JsonBody::default());
            for piece in text.as_bytes().chunks(cut) {
                body.push(&mut figures, &Bytes::copy_from_slice(piece));
            }
            body.finish(&mut figures);
            assert_eq!((figures.ending(), body.is_unreadable()), (expected, false), "{text} cut {cut}");
        }
    }
    let choices = vec![r#"{"text":"x","finish_reason":"length"}"#; 4096].join(",");
    let (mut figures, mut body) = (figures("openai", "/v1/completions"), JsonBody::default());
    body.push(&mut figures, &Bytes::from(format!("{{\"choices\":[{choices}]}}")));
    body.finish(&mut figures);
    assert!(body.is_unreadable(), "more than is kept: nobody can say that it has no end");
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
