//! Google's live sessions over a WebSocket: each turn of the caller's is answered word by word, in binary messages, and
//! with the tokens of that turn.

use futures::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use super::chat::{tokens_of, words_in};

/// Suffix of the paths of live sessions.
pub(super) const METHOD: &str = ".GenerativeService.BidiGenerateContent";

/// Holds the conversation to its end.
pub(super) async fn converse(upgrade: OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let mut said = 0;
    // A close is answered by the library, and then there is nothing more.
    while let Some(Ok(message)) = socket.next().await {
        let asked: Value = serde_json::from_slice(&message.into_data()).unwrap_or_default();
        let mut answers = Vec::new();
        if asked["setup"]["model"].is_string() {
            answers.push(json!({ "setupComplete": {} }));
        }
        // Google reads both spellings of a name, and its SDK mixes them.
        let content = either(&asked, "clientContent", "client_content");
        said += words_in(&content["turns"]);
        if *either(content, "turnComplete", "turn_complete") == true {
            answers.extend(answered(said));
        }
        for answer in answers {
            if socket.send(Message::binary(answer.to_string().into_bytes())).await.is_err() {
                return;
            }
        }
    }
}

fn either<'a>(object: &'a Value, name: &str, other: &str) -> &'a Value {
    object.get(name).unwrap_or(&object[other])
}

fn answered(input: i64) -> Vec<Value> {
    let reply = format!("This is a simulated answer to {input} words.");
    let output = tokens_of(&reply);
    let words = reply.split_inclusive(' ');
    let mut events: Vec<Value> = words
        .map(|word| json!({ "serverContent": { "modelTurn": { "role": "model", "parts": [{ "text": word }] } } }))
        .collect();
    let of_text = |count: i64| json!([{ "modality": "TEXT", "tokenCount": count }]);
    events.push(json!({ "serverContent": { "generationComplete": true } }));
    events.push(json!({ "serverContent": { "turnComplete": true }, "usageMetadata": {
        "promptTokenCount": input, "responseTokenCount": output, "totalTokenCount": input + output,
        "promptTokensDetails": of_text(input), "responseTokensDetails": of_text(output) } }));
    events
}
