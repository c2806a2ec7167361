#!/usr/bin/env bash
# Where a stream is cut into chunks decides which text three Rust clients deliver; none of them reports an error.
#
# Versions: ollama-rs 0.3.6 (feature stream), llm 1.3.8 (features openrouter and openai; its OpenAI-compatible backend),
#   openai-api-rs 10.0.2, and for comparison async-openai 0.43.0, from crates.io. One short answer, "Grüße " and then
#   "東京", is sent in two HTTP chunks; the border between them is moved over every byte of its events, one call each.
# Expected: the same text from every call. Chunks are no unit of HTTP: a proxy, TLS records or a full buffer move them.
# Seen, calls with the right text out of all:
#       async-openai             300 of 300
#       openai-api-rs            294 of 300: a border inside a character makes two or three U+FFFD of it
#       llm                      281 of 300: the same; the space at the end of "Grüße " is lost when the border follows
#                                it; a border inside or right behind "data: " loses the whole event
#       ollama-rs chat           222 of 228: a border inside a character throws BOTH chunks away, that is the whole answer
#       ollama-rs generate         4 of 168: only where the border is at the end of a line; a line that is not whole in one
#                                chunk is dropped in silence, also in ASCII
#   Every wrong call ends with Ok, as a whole answer does.
# Needs: bash, cargo and a C compiler; builds for several minutes.
set -euo pipefail
for tool in cargo cc; do command -v "$tool" >/dev/null || { echo "$0: needs $tool" >&2; exit 2; }; done
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export CARGO_TARGET_DIR=$dir/target
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "borders"
version = "0.1.0"
edition = "2021"

[dependencies]
async-openai = { version = "=0.43.0", features = ["chat-completion"] }
llm = { version = "=1.3.8", default-features = false, features = ["openrouter", "openai"] }
ollama-rs = { version = "=0.3.6", features = ["stream"] }
openai-api-rs = "=10.0.2"
futures = "0.3"
serde_json = "1"
tokio = { version = "1", features = ["full"] }

[profile.dev]
debug = false
TOML
cat >src/main.rs <<'RUST'
use futures::StreamExt;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TEXT: [&str; 2] = ["Grüße ", "東京"];
static BORDER: AtomicUsize = AtomicUsize::new(0);
type Text = Result<String, String>;

/// The events that carry text, and what follows them.
fn openai() -> (String, String) {
    let event = |delta: serde_json::Value, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let text = TEXT.map(|t| event(json!({ "content": t }), None)).concat();
    (text, event(json!({}), Some("stop")) + "data: [DONE]\n\n")
}
fn ollama(chat: bool) -> (String, String) {
    let line = |t: &str, done: bool| {
        let mut line = json!({"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": done});
        if chat {
            line["message"] = json!({"role": "assistant", "content": t});
        } else {
            line["response"] = json!(t);
        }
        format!("{line}\n")
    };
    (TEXT.map(|t| line(t, false)).concat(), line("", true))
}
async fn answer(mut socket: tokio::net::TcpStream) {
    let mut request = Vec::new();
    loop {
        let mut buffer = [0; 8192];
        let n = socket.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..n]);
        let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).and_then(|v| v.parse().ok()).unwrap_or(0);
        if n == 0 || head.find("\r\n\r\n").is_some_and(|end| request.len() >= end + 4 + length) {
            break;
        }
    }
    let parts = if request.starts_with(b"POST /api/") { ollama(request.starts_with(b"POST /api/chat")) } else { openai() };
    let body = (parts.0 + &parts.1).into_bytes();
    let mut out = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n".to_vec();
    let (a, b) = body.split_at(BORDER.load(Ordering::SeqCst));
    for chunk in [a, b] {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    socket.write_all(&out).await.unwrap();
}
async fn async_openai(url: &str) -> Text {
    use async_openai::{config::OpenAIConfig, types::chat::*, Client};
    let client = Client::with_config(OpenAIConfig::new().with_api_base(format!("{url}/v1")).with_api_key("k"));
    let message = ChatCompletionRequestUserMessageArgs::default().content("x").build().unwrap().into();
    let request = CreateChatCompletionRequestArgs::default().model("m").messages([message]).build().unwrap();
    let mut stream = client.chat().create_stream(request).await.map_err(|e| e.to_string())?;
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        text += chunk.map_err(|e| e.to_string())?.choices[0].delta.content.as_deref().unwrap_or("");
    }
    Ok(text)
}
async fn openai_api_rs(url: &str) -> Text {
    use openai_api_rs::v1::{api::OpenAIClient, chat_completion::{chat_completion_stream::*, ChatCompletionMessage, Content, MessageRole}};
    let client = OpenAIClient::builder().with_endpoint(format!("{url}/v1")).with_api_key("k").build().map_err(|e| e.to_string())?;
    let message = ChatCompletionMessage { role: MessageRole::user, content: Content::Text("x".into()), name: None, tool_calls: None, tool_call_id: None };
    let request = ChatCompletionStreamRequest::new("m".into(), vec![message]);
    let mut stream = client.try_chat_completion_stream(request).await.map_err(|e| e.to_string())?;
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        if let ChatCompletionStreamResponse::Content(content) = event.map_err(|e| e.to_string())? {
            text += &content;
        }
    }
    Ok(text)
}
async fn llm(url: &str) -> Text {
    use llm::{builder::{LLMBackend, LLMBuilder}, chat::ChatMessage};
    let client = LLMBuilder::new().backend(LLMBackend::OpenRouter).base_url(format!("{url}/v1/")).api_key("k").model("m").build().map_err(|e| e.to_string())?;
    let mut stream = client.chat_stream(&[ChatMessage::user().content("x").build()]).await.map_err(|e| e.to_string())?;
    let mut text = String::new();
    while let Some(piece) = stream.next().await {
        text += &piece.map_err(|e| e.to_string())?;
    }
    Ok(text)
}
async fn ollama_chat(url: &str) -> Text {
    use ollama_rs::{generation::chat::{request::ChatMessageRequest, ChatMessage}, Ollama};
    let client = Ollama::try_new(url).map_err(|e| e.to_string())?;
    let request = ChatMessageRequest::new("m".into(), vec![ChatMessage::user("x".into())]);
    let mut stream = client.send_chat_messages_stream(request).await.map_err(|e| e.to_string())?;
    let mut text = String::new();
    while let Some(answer) = stream.next().await {
        text += &answer.map_err(|()| "error".to_owned())?.message.content;
    }
    Ok(text)
}
async fn ollama_generate(url: &str) -> Text {
    use ollama_rs::{generation::completion::request::GenerationRequest, Ollama};
    let client = Ollama::try_new(url).map_err(|e| e.to_string())?;
    let mut stream = client.generate_stream(GenerationRequest::new("m".into(), "x")).await.map_err(|e| e.to_string())?;
    let mut text = String::new();
    while let Some(answers) = stream.next().await {
        text.extend(answers.map_err(|e| e.to_string())?.into_iter().map(|a| a.response));
    }
    Ok(text)
}
#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket));
        }
    });
    for name in ["async-openai", "openai-api-rs", "llm", "ollama-rs chat", "ollama-rs generate"] {
        let length = if name.starts_with("ollama") { ollama(name == "ollama-rs chat") } else { openai() }.0.len();
        let (mut right, mut seen) = (0, BTreeMap::<String, usize>::new());
        for border in 1..=length {
            BORDER.store(border, Ordering::SeqCst);
            let text = match name {
                "async-openai" => async_openai(&url).await,
                "openai-api-rs" => openai_api_rs(&url).await,
                "llm" => llm(&url).await,
                "ollama-rs chat" => ollama_chat(&url).await,
                _ => ollama_generate(&url).await,
            };
            match text {
                Ok(text) if text == TEXT.concat() => right += 1,
                other => *seen.entry(format!("{other:?}")).or_default() += 1,
            }
        }
        println!("{name}: {right} of {length} right");
        for (text, times) in seen {
            println!("  {times} x {text}");
        }
    }
}
RUST
cargo build --quiet
target/debug/borders >seen 2>log || { cat log >&2; exit 1; }

cat >expected <<'TXT'
async-openai: 300 of 300 right
openai-api-rs: 294 of 300 right
  1 x Ok("Grüße 東��")
  1 x Ok("Grüße 東���")
  1 x Ok("Grüße ��京")
  1 x Ok("Grüße ���京")
  1 x Ok("Grü��e 東京")
  1 x Ok("Gr��ße 東京")
llm: 281 of 300 right
  6 x Ok("Grüße ")
  1 x Ok("Grüße 東��")
  1 x Ok("Grüße 東���")
  1 x Ok("Grüße ��京")
  1 x Ok("Grüße ���京")
  1 x Ok("Grüße東京")
  1 x Ok("Grü��e 東京")
  1 x Ok("Gr��ße 東京")
  6 x Ok("東京")
ollama-rs chat: 222 of 228 right
  6 x Ok("")
ollama-rs generate: 4 of 168 right
  83 x Ok("")
  81 x Ok("Grüße ")
TXT
cat seen
diff expected seen && echo "as described"
