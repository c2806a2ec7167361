//! Streams cut at every byte must be read and rewritten alike.

use std::sync::LazyLock;

use keyway_domain::TokenCounts;
use keyway_providers::{Catalog, Metered, ProviderSpec};

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

fn passage(hides: bool) -> Passage {
    static SPEC: LazyLock<ProviderSpec> = LazyLock::new(|| Catalog::load(None).unwrap().get("openai").unwrap().clone());
    Passage::new(Figures::new(&SPEC, "/v1/chat/completions"), false, hides)
}

fn run(text: &str, hides: bool, cut: usize) -> (String, Option<Metered>) {
    let (mut passage, mut out) = (passage(hides), Vec::new());
    for piece in text.as_bytes().chunks(cut) {
        out.extend_from_slice(&passage.pass(Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&passage.finish());
    let metered = passage.reading.figures.take();
    (String::from_utf8(out).unwrap(), (metered != Metered::default()).then_some(metered))
}

#[test]
fn what_passes_untouched_is_metered_wherever_it_is_cut() {
    for newline in ["\n", "\r\n", "\r"] {
        let text = stream(r#","usage":null"#, true, newline);
        for cut in 1..=text.len() {
            let (out, metered) = run(&text, false, cut);
            assert_eq!(out, text);
            let tokens = TokenCounts { input: Some(42), output: Some(7), ..TokenCounts::default() };
            let expected = Metered { model: Some("gpt-x".to_owned()), tokens, ..Metered::default() };
            assert_eq!(metered.unwrap(), expected, "cut {cut}");
        }
    }
}

#[test]
fn what_our_injection_brought_is_taken_out_again_wherever_it_is_cut() {
    for newline in ["\n", "\r\n", "\r"] {
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
    let text = "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n";
    let (out, metered) = run(text, true, 7);
    assert_eq!(out, text);
    assert_eq!(metered.unwrap().tokens.output, Some(2));
}

#[test]
fn an_event_over_several_lines_is_taken_out_as_a_whole() {
    let (first, last) = USAGE.split_at(USAGE.find("\"usage\"").unwrap());
    let done = "data: [DONE]\n\n";
    let text = format!("data: {{\"choices\":[{{}}]}}\n\nid: 7\nevent: message\n{first}\ndata: {last}\n\n{done}");
    for cut in 1..=text.len() {
        let (out, metered) = run(&text, true, cut);
        assert_eq!(out, format!("data: {{\"choices\":[{{}}]}}\n\n{done}"), "cut {cut}");
        assert_eq!(metered.unwrap().tokens.output, Some(7));
    }
}

#[test]
fn of_a_stream_that_is_cut_no_half_line_comes_through() {
    for (text, hides, passed, closing) in [
        ("data: {\"choices\":[{}]}\n\ndata: {\"cho", false, "data: {\"choices\":[{}]}\n\n", ""),
        ("data: {\"choices\":[{}]}\n\ndata: {\"cho", true, "data: {\"choices\":[{}]}\n\n", ""),
        ("data: {\"choices\":[{}]}\nid: 7", false, "data: {\"choices\":[{}]}\n", "\n"),
        ("data: {\"choices\":[{}]}\nid: 7", true, "", ""),
        ("data: {\"choices\":[{}]}\r", false, "data: {\"choices\":[{}]}\r", "\n\n"),
        ("data: {\"choices\":[{}]}\n\nevent: x\n", false, "data: {\"choices\":[{}]}\n\nevent: x\n", ""),
    ] {
        for cut in 1..=text.len() {
            let (mut passage, mut out) = (passage(hides), Vec::new());
            for piece in text.as_bytes().chunks(cut) {
                out.extend_from_slice(&passage.pass(Bytes::copy_from_slice(piece)));
            }
            out.extend_from_slice(&passage.finish());
            assert_eq!(String::from_utf8(out).unwrap(), passed, "{text:?} cut {cut}");
            assert_eq!((passage.ending(), passage.closing()), (Ending::Cut, Some(closing)), "{text:?} cut {cut}");
        }
    }
}

#[test]
fn comments_pass_as_they_come() {
    for hides in [false, true] {
        let mut passage = passage(hides);
        assert_eq!(passage.pass(Bytes::from_static(b": keep-alive\n\n")), ": keep-alive\n\n");
        assert_eq!(passage.pass(Bytes::from_static(b"data: {\"choices\":[{}]}\n\n")), "data: {\"choices\":[{}]}\n\n");
    }
}

#[test]
fn a_line_of_any_length_is_read_and_not_kept() {
    let long = format!("data: {{\"x\":\"{}\"}}\n\n", "a".repeat(20 * MAX_HELD_BYTES));
    let usage =
        USAGE.replace("\"choices\":[]", &format!("\"x\":\"{}\",\"choices\":[]", "a".repeat(20 * MAX_HELD_BYTES)));
    let text = format!("{long}{usage}\n\ndata: [DONE]\n\n");
    for cut in [1 << 10, 65_537, text.len()] {
        for hides in [false, true] {
            let (mut passage, mut out) = (passage(hides), 0);
            for piece in text.as_bytes().chunks(cut) {
                out += passage.pass(Bytes::copy_from_slice(piece)).len();
                assert!(
                    passage.held.capacity() <= 4 * MAX_HELD_BYTES + cut,
                    "{} bytes are kept",
                    passage.held.capacity()
                );
            }
            out += passage.finish().len();
            assert_eq!(out, text.len(), "cut {cut}");
            assert_eq!(passage.reading.figures.take().tokens.output, Some(7), "cut {cut}");
        }
    }
}
