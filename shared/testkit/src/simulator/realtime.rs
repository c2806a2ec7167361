//! OpenAI's realtime endpoint over a WebSocket: each `response.create` is answered with as many words as the
//! conversation has, and with its token counts.

use futures::{SinkExt, StreamExt};
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Empty};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};

use super::{answer::Answer, chat, gemini_live};

/// Path of the endpoint.
pub(super) const PATH: &str = "/v1/realtime";

/// Accepts a WebSocket; `None`: the request asks for none. The conversation begins when the answer has been sent.
pub(super) fn agree(head: &mut Parts) -> Option<(Answer, OnUpgrade)> {
    let key = head.headers.get(header::SEC_WEBSOCKET_KEY)?.clone();
    if head.uri.path() != PATH && !head.uri.path().ends_with(gemini_live::METHOD) {
        return None;
    }
    let upgrade = head.extensions.remove::<OnUpgrade>()?;
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok()?;
    answer.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    answer.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    Some((answer, upgrade))
}

/// Holds the conversation to its end.
pub(super) async fn converse(upgrade: OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let (mut said, mut number) = (0, 0);
    let created = json!({ "type": "session.created", "event_id": "event_0", "session": { "type": "realtime" } });
    let mut answers = vec![created];
    loop {
        for answer in answers.drain(..) {
            if socket.send(Message::text(answer.to_string())).await.is_err() {
                return;
            }
        }
        // A close is answered by the library, and then there is nothing more.
        let Some(Ok(message)) = socket.next().await else { return };
        let Ok(text) = message.into_text() else { continue };
        let event: Value = serde_json::from_str(&text).unwrap_or_default();
        number += 1;
        match event["type"].as_str() {
            Some("conversation.item.create") => {
                said += chat::words_in(&event["item"]["content"]);
                answers.push(json!({ "type": "conversation.item.added", "event_id": format!("event_{number}"),
                    "previous_item_id": null, "item": event["item"] }));
            }
            Some("response.create") => answers = answered(said, number),
            _ => {}
        }
    }
}

fn answered(input: i64, number: i64) -> Vec<Value> {
    let (id, item) = (format!("resp_{number}"), format!("item_{number}"));
    let mut events = Vec::new();
    for word in 0..input {
        events.push(json!({ "type": "response.output_text.delta", "event_id": format!("event_{number}_{word}"),
            "response_id": id, "item_id": item, "output_index": 0, "content_index": 0, "delta": "word " }));
    }
    let usage = json!({ "total_tokens": 2 * input, "input_tokens": input, "output_tokens": input,
        "input_token_details": { "text_tokens": input, "audio_tokens": 0, "cached_tokens": 0 },
        "output_token_details": { "text_tokens": input, "audio_tokens": 0 } });
    events.push(json!({ "type": "response.done", "event_id": format!("event_{number}_done"),
        "response": { "id": id, "object": "realtime.response", "status": "completed", "output": [], "usage": usage } }));
    events
}
