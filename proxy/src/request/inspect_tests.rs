//! The scan against a full parser, and every edit against the bytes it must not touch.

use serde_json::{Value, json};

use super::*;

fn edited(body: &str) -> Option<String> {
    let usage = Fields::of(body.as_bytes()).unwrap().with_usage(body.as_bytes()).unwrap()?;
    Some(String::from_utf8(usage.to_vec()).unwrap())
}

#[test]
fn fields_are_found_at_the_top_only() {
    let body =
        br#" {"messages":[{"model":"inner","stream":true}], "model" : "gpt-\u0034" ,"stream":true,"n":-1.5e+3} "#;
    let fields = Fields::of(body).unwrap();
    assert_eq!(fields.model(body).as_deref(), Some("gpt-4"));
    assert!(fields.streams(body));
    let body = br#"{"a":{"model":"x","b":[{}, [], "}\"]"]},"stream":false}"#;
    let fields = Fields::of(body).unwrap();
    assert_eq!(fields.model(body), None);
    assert!(!fields.streams(body));
    assert_eq!(Fields::of(br#"{"model":7}"#).unwrap().model(br#"{"model":7}"#), None);
}

#[test]
fn a_field_under_another_spelling_or_twice_is_not_smuggled_past() {
    let body = br#"{"mod\u0065l":"real"}"#;
    assert_eq!(Fields::of(body).unwrap().model(body).as_deref(), Some("real"));
    for twice in
        [r#"{"model":"a","model":"b"}"#, r#"{"model":"a","mod\u0065l":"b"}"#, r#"{"stream":false,"stream":true}"#]
    {
        assert_eq!(Fields::of(twice.as_bytes()), Err(Malformed), "{twice}");
    }
}

#[test]
fn what_is_no_json_object_is_refused() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    for body in [
        "",
        "[]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1} x",
        "\"x\"",
        "{\"a\":}",
        &deep,
    ] {
        assert_eq!(Fields::of(body.as_bytes()), Err(Malformed), "{body}");
    }
}

#[test]
fn usage_is_asked_for_once_and_every_other_byte_stays() {
    assert_eq!(
        edited(r#"{"stream":true, "x": [1]}"#).as_deref(),
        Some(r#"{"stream_options":{"include_usage":true},"stream":true, "x": [1]}"#)
    );
    assert_eq!(edited("{}").as_deref(), Some(r#"{"stream_options":{"include_usage":true}}"#));
    assert_eq!(edited(r#"{"stream_options":null}"#).as_deref(), Some(r#"{"stream_options":{"include_usage":true}}"#));
    assert_eq!(edited(r#"{"stream_options":{"include_usage":true}}"#), None);
    assert_eq!(
        edited(r#"{"stream_options":{"include_usage": false,"y":2}}"#).as_deref(),
        Some(r#"{"stream_options":{"include_usage": true,"y":2}}"#)
    );
    assert_eq!(
        edited(r#"{"stream_options":{"y":2}}"#).as_deref(),
        Some(r#"{"stream_options":{"include_usage":true,"y":2}}"#)
    );
}

#[test]
fn model_and_stream_are_set_in_place() {
    let body = br#"{"model":"acme/m","stream":false,"t":1}"#;
    let fields = Fields::of(body).unwrap();
    assert_eq!(fields.with_model(body, "m\"x"), Bytes::from_static(br#"{"model":"m\"x","stream":false,"t":1}"#));
    assert_eq!(fields.with_stream(body), Bytes::from_static(br#"{"model":"acme/m","stream":true,"t":1}"#));
}

#[test]
fn every_valid_object_is_read_as_a_full_parser_reads_it() {
    for value in [
        json!({"model": "é\u{1F600}\\\"", "stream": true}),
        json!({"model": "", "messages": [{"content": "{\"model\":\"no\"}"}], "stream": false}),
        json!({"a": [[[{"b": null}]]], "model": "x", "z": 1e-7, "y": {"stream": true}}),
    ] {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let fields = Fields::of(text.as_bytes()).unwrap();
            assert_eq!(fields.model(text.as_bytes()).map(Value::from).as_ref(), value.get("model"), "{text}");
            assert_eq!(fields.streams(text.as_bytes()), value["stream"] == true, "{text}");
            let usage = fields.with_usage(text.as_bytes()).unwrap().unwrap();
            let mut parsed: Value = serde_json::from_slice(&usage).unwrap();
            parsed.as_object_mut().unwrap().remove("stream_options");
            assert_eq!(parsed, value);
        }
    }
}
