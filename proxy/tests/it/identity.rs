//! What a caller gets through Keyway beside what the provider itself answers: the same status, the same bytes, and the
//! same headers, but for those that `docs/proxy.md` lists.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method, header};
use reqwest::RequestBuilder;
use tokio::io::AsyncWriteExt;

use super::{
    harness::{SECRET, client},
    scripted::{Scripted, behind, chunk},
};

/// Headers of a provider's answer that end at Keyway.
const REMOVED: [&str; 12] = [
    "alt-svc",
    "clear-site-data",
    "connection",
    "keep-alive",
    "proxy-connection",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers of such an answer that are Keyway's own.
const ADDED: [&str; 3] = ["x-keyway-credential", "x-keyway-integration", "x-keyway-request-id"];

/// Head of every answer of the provider, with `REMOVED` and more.
const HEADERS: &str = "date: Sat, 21 Nov 2026 10:00:00 GMT\r\nserver: cloudflare\r\nconnection: close, x-hop\r\nx-hop: 1\r\n\
    keep-alive: timeout=5\r\nproxy-connection: close\r\nte: trailers\r\ntrailer: x-end\r\nupgrade: h2c\r\n\
    set-cookie: __cf=1; path=/\r\nset-cookie: b=2\r\nset-cookie2: c\r\nalt-svc: h3=\":443\"\r\n\
    strict-transport-security: max-age=1\r\nclear-site-data: \"cookies\"\r\nx-keyway-error: fake\r\n\
    www-authenticate: Bearer realm=\"sk-sim-good-canary-0123456789\"\r\n\
    x-request-id: req_1\r\nopenai-processing-ms: 3\r\nx-ratelimit-remaining-requests: 9\r\nretry-after-ms: 20\r\n\
    cf-ray: 1-ZRH\r\nvary: origin\r\nvary: accept-encoding\r\nvia: 1.1 google\r\nx-empty:\r\nage: 3\r\netag: \"1\"\r\n";

const EVENTS: [&str; 3] = [
    "data: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\"one \"}}],\"usage\":null}\n\n: ping\n\n",
    "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1}}\r\n\r\n",
    "data: [DONE]\n\n",
];

fn whole(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{HEADERS}{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn json(status: &str, body: &str) -> Vec<u8> {
    whole(status, "content-type: application/json; charset=utf-8\r\n", body.as_bytes())
}

/// Returns a stream for a caller that asked for its figures itself.
fn events() -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\n{HEADERS}content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    [head.as_bytes(), EVENTS.map(chunk).concat().as_bytes(), b"0\r\n\r\n"].concat()
}

/// Returns status, headers and body of an answer.
async fn answer(request: RequestBuilder) -> (u16, HeaderMap, Vec<u8>) {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn answers_are_the_providers_but_for_the_headers_that_are_documented() {
    let says = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&says);
    let provider = Scripted::start(move |mut stream| {
        let answer = said.lock().unwrap().clone();
        async move { stream.write_all(&answer).await.unwrap() }
    })
    .await;
    let (provider, harness, key) = behind(provider).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let chat = "{\"model\":\"gpt-4o-mini\", \"messages\":[]}";
    let stream =
        "{\"model\":\"gpt-4o-mini\",\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":true}}";
    let done =
        "{ \"id\":\"c1\", \"model\":\"gpt-4o-mini\",\n \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1} }\n";
    let refused = "{\"error\":{\"message\":\"\\u00fc\",\"code\":null}}";
    let file = "content-type: application/octet-stream\r\ncontent-disposition: attachment; filename=\"a\"\r\n";
    let gzip = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    let empty = format!("HTTP/1.1 204 No Content\r\n{HEADERS}\r\n").into_bytes();
    let chunked =
        format!("HTTP/1.1 200 OK\r\n{HEADERS}transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk("no type at all"));
    for (what, method, path, body, answered) in [
        ("plain JSON", Method::POST, "/chat/completions", chat, json("200 OK", done)),
        ("a stream", Method::POST, "/chat/completions", stream, events()),
        ("an error", Method::POST, "/chat/completions", chat, json("400 Bad Request", refused)),
        ("not found", Method::GET, "/models/x?a=%20b", "", json("404 Not Found", refused)),
        ("rate limited", Method::POST, "/embeddings", chat, json("429 Too Many Requests", refused)),
        ("overloaded", Method::POST, "/responses", chat, json("529 Site Overloaded", "<html>")),
        ("a download", Method::GET, "/files/file-1/content", "", whole("200 OK", file, &bytes)),
        ("a part of it", Method::GET, "/files/file-1/content", "", whole("206 Partial Content", file, &bytes[..9])),
        ("compressed", Method::GET, "/models", "", whole("200 OK", gzip, b"\x1f\x8b\x08not really")),
        ("nothing", Method::DELETE, "/files/file-1", "", empty),
        ("not modified", Method::GET, "/models", "", format!("HTTP/1.1 304 Not Modified\r\n{HEADERS}\r\n").into()),
        ("accepted", Method::PUT, "/batches/1", "{}", json("202 Accepted", "{}")),
        ("without length", Method::POST, "/audio/speech", chat, chunked.into_bytes()),
    ] {
        *says.lock().unwrap() = answered;
        let to = |client: &reqwest::Client, url: String, key: &str| {
            let request = client.request(method.clone(), url).bearer_auth(key).header(header::ACCEPT_ENCODING, "gzip");
            if body.is_empty() { request } else { request.header(header::CONTENT_TYPE, "application/json").body(body) }
        };
        let direct = answer(to(&client(), format!("{}{path}", provider.base_url), SECRET)).await;
        let url = format!("{}/proxy/openai/v1{path}", harness.url);
        let (status, mut headers, passed) = answer(to(&harness.http, url, &key.text)).await;
        assert_eq!((status, passed == direct.2), (direct.0, true), "{what}: {}", String::from_utf8_lossy(&passed));
        for name in ADDED {
            assert!(headers.remove(name).is_some(), "{what}: {name}");
        }
        // A chunked answer stays one; how is each connection's own affair.
        headers.remove(header::TRANSFER_ENCODING);
        let mut expected = direct.1;
        for name in REMOVED {
            assert!(expected.remove(name).is_some() || name == "transfer-encoding", "{what}: {name} was there");
        }
        // Named by `connection`; a header of ours that the provider made up; one that quotes the key.
        for name in ["x-hop", "x-keyway-error", "www-authenticate"] {
            assert!(expected.remove(name).is_some(), "{what}: {name} was there");
        }
        assert_eq!(headers, expected, "{what}");
    }
}

#[test]
fn the_headers_that_differ_are_documented() {
    let documented = include_str!("../../../docs/proxy.md");
    for name in REMOVED.iter().chain(&ADDED) {
        assert!(documented.contains(&format!("`{name}`")), "{name}");
    }
}
