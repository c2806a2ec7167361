//! The scan against a full parser, and every edit against the bytes it must not touch.

use serde_json::{Value, json};

use super::*;

fn read(body: &str) -> Result<Document, Malformed> {
    Document::of(Bytes::copy_from_slice(body.as_bytes()))
}

/// Wants the offsets after an edit to be those of a new reading.
fn text(document: Document) -> String {
    assert_eq!(Document::of(document.text.clone()).as_ref(), Ok(&document));
    String::from_utf8(document.into_text().to_vec()).unwrap()
}

fn edited(body: &str) -> Option<String> {
    let mut document = read(body).unwrap();
    document.ask_usage().unwrap().then(|| text(document))
}

#[test]
fn fields_are_found_at_the_top_only() {
    let body = r#" {"messages":[{"model":"inner","stream":true}], "model" : "gpt-\u0034" ,"stream":true,"n":-1.5e+3} "#;
    let document = read(body).unwrap();
    assert_eq!(document.model().as_deref(), Some("gpt-4"));
    assert!(document.streams());
    let document = read(r#"{"a":{"model":"x","b":[{}, [], "}\"]"]},"stream":false}"#).unwrap();
    assert_eq!(document.model(), None);
    assert!(!document.streams());
    assert_eq!(read(r#"{"model":7}"#).unwrap().model(), None);
}

#[test]
fn a_field_under_another_spelling_or_twice_is_not_smuggled_past() {
    assert_eq!(read(r#"{"mod\u0065l":"real"}"#).unwrap().model().as_deref(), Some("real"));
    for twice in
        [r#"{"model":"a","model":"b"}"#, r#"{"model":"a","mod\u0065l":"b"}"#, r#"{"stream":false,"stream":true}"#]
    {
        assert_eq!(read(twice), Err(Malformed), "{twice}");
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
        assert_eq!(read(body), Err(Malformed), "{body}");
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
fn fields_are_set_in_place_one_after_the_other() {
    type Edit = fn(&mut Document);
    let edits: [Edit; 3] = [|it| it.set_model("m\"x"), Document::set_stream, |it| assert!(it.ask_usage().unwrap())];
    for (body, expected) in [
        (
            r#"{"model":"acme/m","stream":false,"t":1}"#,
            r#"{"stream_options":{"include_usage":true},"model":"m\"x","stream":true,"t":1}"#,
        ),
        (
            r#"{"t":1, "stream_options": {"y":2} , "stream":false, "model":"a long name of a model"}"#,
            r#"{"t":1, "stream_options": {"include_usage":true,"y":2} , "stream":true, "model":"m\"x"}"#,
        ),
        (" { } ", r#" {"stream_options":{"include_usage":true},"stream":true,"model":"m\"x" } "#),
    ] {
        let mut document = read(body).unwrap();
        for edit in edits {
            edit(&mut document);
            assert_eq!(Document::of(document.text.clone()).as_ref(), Ok(&document));
        }
        assert_eq!(text(document), expected);
    }
}

#[test]
fn every_valid_object_is_read_as_a_full_parser_reads_it() {
    for value in [
        json!({"model": "é\u{1F600}\\\"", "stream": true}),
        json!({"model": "", "messages": [{"content": "{\"model\":\"no\"}"}], "stream": false}),
        json!({"a": [[[{"b": null}]]], "model": "x", "z": 1e-7, "y": {"stream": true}}),
    ] {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let mut document = read(&text).unwrap();
            assert_eq!(document.model().map(Value::from).as_ref(), value.get("model"), "{text}");
            assert_eq!(document.streams(), value["stream"] == true, "{text}");
            assert!(document.ask_usage().unwrap());
            let mut parsed: Value = serde_json::from_slice(document.text()).unwrap();
            parsed.as_object_mut().unwrap().remove("stream_options");
            assert_eq!(parsed, value);
        }
    }
}
