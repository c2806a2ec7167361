//! Figures wherever they are: in compressed answers, in long ones, in odd places and in odd numbers.

use std::io::Write;

use super::{
    scripted::Reply,
    stream_forms::{CHAT, EVENTS, FIRST, Host, LAST, WHOLE, figures},
};

#[tokio::test]
async fn what_is_compressed_passes_as_it_came_and_is_read() {
    let mut host = Host::start().await;
    let stream = format!("data: {FIRST}\n\ndata: {LAST}\n\ndata: [DONE]\n\n");
    for (label, text) in
        [("text/event-stream", stream.as_str()), ("application/json", WHOLE), ("application/json", &stream)]
    {
        for encoding in ["gzip", "deflate", "br", "zstd"] {
            let encoded = compressed(encoding, text.as_bytes());
            let headers = format!("content-type: {label}\r\ncontent-encoding: {encoding}\r\n");
            for cut in [1, encoded.len()] {
                for asks in [true, false] {
                    let (bytes, headers, record) =
                        host.ask(CHAT, Reply::chunked(&headers, encoded.chunks(cut)), asks).await;
                    assert!(bytes == encoded && headers["content-encoding"] == encoding, "{encoding} of {label}");
                    assert_eq!(figures(&record), (Some(19), Some(13)), "{encoding} of {label}");
                }
            }
        }
    }
    let asked = std::iter::from_fn(|| host.provider.requests.try_recv().ok())
        .all(|it| it.contains("accept-encoding: identity"));
    assert!(asked, "nobody asked for it");
}

#[tokio::test]
async fn figures_are_found_in_answers_of_any_length_and_place() {
    let mut host = Host::start().await;
    let picture = "iVBORw0KGgo".repeat(400_000);
    let usage = r#""usage":{"input_tokens":19,"output_tokens":13}"#;
    let response = format!(
        r#"{{"id":"r","model":"m","output":[{{"type":"message"}},{{"type":"x","result":"{picture}"}}],{usage}}}"#
    );
    let completed =
        format!("event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":{response}}}\n\n");
    let spoken = format!("data: {{\"choices\":[{{\"delta\":{{\"audio\":{{\"data\":\"{picture}\"}}}}}}]}}\n\n");
    let numbers = vec!["[0.0123456789,-0.5]"; 100_000].join(",");
    let embedded = format!(r#"{{"model":"m","usage":{{"prompt_tokens":19,"total_tokens":19}},"data":[{numbers}]}}"#);
    for (path, headers, text, output) in [
        ("/v1/responses", EVENTS, completed, Some(13)),
        ("/v1/responses", "", response, Some(13)),
        (CHAT, EVENTS, format!("{spoken}data: {LAST}\n\ndata: [DONE]\n\n"), Some(13)),
        ("/v1/embeddings", "content-type: application/json\r\n", embedded, Some(0)),
    ] {
        for asks in [true, false] {
            let (bytes, _, record) = host.ask(path, Reply::chunked(headers, text.as_bytes().chunks(8192)), asks).await;
            let hidden = text.replace(&format!("data: {LAST}\n\n"), "");
            assert!(bytes == if asks { &text } else { &hidden }.as_bytes(), "{path}: {} bytes", bytes.len());
            assert_eq!(figures(&record), (Some(19), output), "{path}");
        }
    }
}

#[tokio::test]
async fn figures_count_as_they_are_meant() {
    let mut host = Host::start().await;
    let stop = |more: &str| format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"stop"{more}}}]}}"#);
    let usage =
        |input: &str, output: &str| format!(r#""usage":{{"prompt_tokens":{input},"completion_tokens":{output}}}"#);
    let of_choice = stop(&format!(",{}", usage("19", "13")));
    for (event, expected) in [
        (of_choice, (Some(19), Some(13))),
        (format!(r#"{{"choices":[],{}}}"#, usage("5.0", "7.0")), (Some(5), Some(7))),
        (format!(r#"{{"choices":[],{}}}"#, usage("0", "0")), (None, None)),
        (format!(r#"{{"choices":[],{}}}"#, usage("null", "7")), (None, Some(7))),
        (format!(r#"{{"choices":[],{}}}"#, usage("5", "0")), (Some(5), Some(0))),
    ] {
        let events = [format!("data: {FIRST}\n\n"), format!("data: {event}\n\n"), "data: [DONE]\n\n".to_owned()];
        let (_, _, record) = host.ask(CHAT, Reply::events(&events), true).await;
        assert_eq!(figures(&record), expected, "{event}");
        let (_, _, record) = host.ask(CHAT, Reply::json(200, event.replace("\"delta\"", "\"message\"")), true).await;
        assert_eq!(figures(&record), expected, "{event}");
    }
}

fn compressed(encoding: &str, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(&mut out, flate2::Compression::default());
            encoder.write_all(text).and_then(|()| encoder.try_finish()).unwrap();
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(&mut out, flate2::Compression::default());
            encoder.write_all(text).and_then(|()| encoder.try_finish()).unwrap();
        }
        "br" => brotli::CompressorWriter::new(&mut out, 4096, 5, 22).write_all(text).unwrap(),
        _ => out = zstd::encode_all(text, 0).unwrap(),
    }
    out
}
