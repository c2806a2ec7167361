//! Streams cut at every place must be read and rewritten alike.

use std::sync::{Arc, LazyLock};

use keyway_domain::TokenCounts;
use keyway_providers::{Catalog, for_spec};

use super::*;

const USAGE: &str = r#"data: {"id":"c","model":"gpt-x","choices":[],"usage":{"prompt_tokens":42,"completion_tokens":7,"total_tokens":49}}"#;

fn stream(usage_field: &str, usage_chunk: bool, newline: &str) -> String {
    let mut lines = Vec::new();
    for content in ["Hi", "\\\"choices\\\":[] ,\\\"usage\\\":null", "é"] {
        lines.push(format!(
            r#"data: {{"id":"c","choices":[{{"index":0,"delta":{{"content":"{content}"}}}}]{usage_field}}}"#
        ));
        lines.push(String::new());
    }
    lines.push(": a comment".to_owned());
    lines.push(String::new());
    if usage_chunk {
        lines.push(USAGE.to_owned());
        lines.push(String::new());
    }
    lines.extend(["data: [DONE]".to_owned(), String::new(), String::new()]);
    lines.join(newline)
}

fn run(text: &str, hides: bool, cut: usize) -> (String, Option<Metered>) {
    static WAYS: LazyLock<Arc<dyn Provider>> =
        LazyLock::new(|| for_spec(Catalog::load(None).unwrap().get("openai").unwrap()));
    let mut events = Events::new(hides);
    let mut out = Vec::new();
    for piece in text.as_bytes().chunks(cut) {
        out.extend_from_slice(&events.pass(&**WAYS, Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&events.finish(&**WAYS));
    let metered = events.metered;
    (String::from_utf8(out).unwrap(), (metered != Metered::default()).then_some(metered))
}

#[test]
fn what_passes_untouched_is_metered_wherever_it_is_cut() {
    for newline in ["\n", "\r\n"] {
        let text = stream(r#","usage":null"#, true, newline);
        for cut in 1..=text.len() {
            let (out, metered) = run(&text, false, cut);
            assert_eq!(out, text);
            let tokens = TokenCounts { input: Some(42), output: Some(7), ..TokenCounts::default() };
            assert_eq!(
                metered.unwrap(),
                Metered { model: Some("gpt-x".to_owned()), tokens, cost_nano_usd: None },
                "cut {cut}"
            );
        }
    }
}

#[test]
fn what_our_injection_brought_is_taken_out_again_wherever_it_is_cut() {
    for newline in ["\n", "\r\n"] {
        let direct = stream("", false, newline);
        for field in [r#","usage":null"#, r#", "usage": null"#, r#" , "usage" : null"#] {
            let text = stream(field, true, newline);
            for cut in 1..=text.len() {
                let (out, metered) = run(&text, true, cut);
                assert_eq!(out, direct, "cut {cut}");
                assert!(metered.is_some());
            }
        }
    }
}

#[test]
fn figures_in_the_last_chunk_with_content_stay_there() {
    let text = "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n";
    let (out, metered) = run(text, true, 7);
    assert_eq!(out, text);
    assert_eq!(metered.unwrap().tokens.output, Some(2));
}

#[test]
fn a_stream_that_ends_in_the_middle_of_a_line_comes_through() {
    let text = "data: {\"choices\":[{\"delta\":{}}]}\n\ndata: {\"cho";
    for cut in 1..=text.len() {
        assert_eq!(run(text, true, cut), (text.to_owned(), None));
        assert_eq!(run(text, false, cut), (text.to_owned(), None));
    }
}

#[test]
fn an_overlong_line_passes_unread_and_the_next_one_is_read() {
    let text = format!("data: {{\"x\":\"{}\"}}\n\n{USAGE}\n\n", "a".repeat(MAX_LINE_BYTES));
    for cut in [1 << 10, 65_537, text.len()] {
        let (out, metered) = run(&text, false, cut);
        assert_eq!(out.len(), text.len());
        assert!(metered.is_some(), "cut {cut}");
        let (out, metered) = run(&text, true, cut);
        assert_eq!(out, text[..text.len() - USAGE.len() - 2]);
        assert!(metered.is_some(), "cut {cut}");
    }
}
