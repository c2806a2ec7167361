//! Anthropic's messages, whole and streamed, and the count of their tokens. Words marked with `cache_control` are
//! counted as written to the cache.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    anthropic_shape::{error, not_found},
    chat::{tokens_of, words_in},
    content::Content,
    models,
};

/// A parsed request.
struct Asked {
    model: String,
    /// Words outside the cache, written to it for five minutes, and for an hour.
    input: [i64; 3],
    reply: Reply,
    streamed: bool,
}

enum Reply {
    Words(Vec<String>),
    Tool { name: String, input: Value },
}

pub(super) fn count(body: &[u8]) -> Content {
    match Asked::read(body, true) {
        Ok(asked) => Content::Json(json!({ "input_tokens": asked.input.iter().sum::<i64>() })),
        Err(refusal) => refusal,
    }
}

/// Builds a message of a model.
pub(super) fn message(body: &[u8], number: u64) -> Content {
    let asked = match Asked::read(body, false) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let block = match &asked.reply {
        Reply::Words(words) => json!({ "type": "text", "text": words.concat() }),
        Reply::Tool { name, input } => {
            json!({ "type": "tool_use", "id": format!("toolu_sim{number:021}"), "name": name, "input": input })
        }
    };
    let whole = json!({
        "id": format!("msg_sim{number:021}"), "type": "message", "role": "assistant", "model": asked.model,
        "content": [block], "stop_reason": asked.stop_reason(), "stop_sequence": null, "usage": asked.usage(),
    });
    if !asked.streamed {
        return Content::Json(whole);
    }
    let named = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    Content::Frames(asked.events(whole).iter().map(named).collect())
}

impl Asked {
    fn read(body: &[u8], only_counts: bool) -> Result<Self, Content> {
        let wrong = |message: &str| error(400, "invalid_request_error", message);
        let request: Value = serde_json::from_slice(body).map_err(|_| wrong("The request body is not valid JSON"))?;
        let model = request["model"].as_str().ok_or_else(|| wrong("model: Field required"))?;
        if !models::exists(model) {
            return Err(not_found(model));
        }
        if !only_counts && !request["max_tokens"].is_i64() {
            return Err(wrong("max_tokens: Field required"));
        }
        if request["messages"].as_array().is_none_or(Vec::is_empty) {
            return Err(wrong("messages: at least one message is required"));
        }
        let prompt = json!([request["system"], request["messages"]]);
        let [short, long] = [written(&prompt, false), written(&prompt, true)];
        let seen = pictures(&prompt).ok_or_else(|| wrong("Could not process image"))?;
        let all = words_in(&prompt) + seen;
        Ok(Self {
            model: models::served_as(model).to_owned(),
            input: [all - short - long, short, long],
            reply: Reply::to(&request, all),
            streamed: request["stream"] == true,
        })
    }

    const fn stop_reason(&self) -> &'static str {
        match self.reply {
            Reply::Words(_) => "end_turn",
            Reply::Tool { .. } => "tool_use",
        }
    }

    fn usage(&self) -> Value {
        let [input, short, long] = self.input;
        json!({
            "input_tokens": input, "cache_creation_input_tokens": short + long, "cache_read_input_tokens": 0,
            "cache_creation": { "ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long },
            "output_tokens": tokens_of(&self.reply.text()), "service_tier": "standard", "inference_geo": "global",
        })
    }

    /// Returns the answer as events: the input's figures first, the output's last.
    fn events(&self, mut whole: Value) -> Vec<Value> {
        let mut block = whole["content"][0].take();
        let (empty, kind, field) = match &self.reply {
            Reply::Words(_) => (("text", json!("")), "text_delta", "text"),
            Reply::Tool { .. } => (("input", json!({})), "input_json_delta", "partial_json"),
        };
        block[empty.0] = empty.1;
        whole["content"] = json!([]);
        whole["stop_reason"] = Value::Null;
        let output = whole["usage"]["output_tokens"].clone();
        whole["usage"]["output_tokens"] = json!(1);
        let mut events = vec![
            json!({ "type": "message_start", "message": whole }),
            json!({ "type": "content_block_start", "index": 0, "content_block": block }),
            json!({ "type": "ping" }),
        ];
        events.extend(self.reply.pieces().into_iter().map(
            |piece| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": kind, field: piece } }),
        ));
        let stop = json!({ "stop_reason": self.stop_reason(), "stop_sequence": null });
        events.extend([
            json!({ "type": "content_block_stop", "index": 0 }),
            json!({ "type": "message_delta", "delta": stop, "usage": { "output_tokens": output } }),
            json!({ "type": "message_stop" }),
        ]);
        events
    }
}

impl Reply {
    /// Chooses the reply: a call of the first tool, if the request has tools and no result of one yet.
    fn to(request: &Value, words: i64) -> Self {
        let has_result = request["messages"].to_string().contains("\"tool_result\"");
        if let Some(name) = request["tools"][0]["name"].as_str().filter(|_| !has_result) {
            let properties = request["tools"][0]["input_schema"]["properties"].as_object();
            let fields = properties.into_iter().flat_map(|fields| fields.keys());
            let input = fields.map(|field| (field.clone(), json!("simulated"))).collect();
            return Self::Tool { name: name.to_owned(), input: Value::Object(input) };
        }
        let text = format!("This is a simulated answer to {words} words.");
        Self::Words(text.split_inclusive(' ').map(str::to_owned).collect())
    }

    fn pieces(&self) -> Vec<String> {
        match self {
            Self::Words(words) => words.clone(),
            Self::Tool { input, .. } => vec![input.to_string()],
        }
    }

    fn text(&self) -> String {
        self.pieces().concat()
    }
}

/// Counts pictures: one token per thousand bytes; `None` if one cannot be read.
fn pictures(prompt: &Value) -> Option<i64> {
    match prompt {
        Value::Array(items) => items.iter().map(pictures).sum(),
        Value::Object(block) if block.get("type").is_some_and(|kind| kind == "image") => {
            let bytes = STANDARD.decode(prompt["source"]["data"].as_str()?).ok()?;
            i64::try_from(bytes.len() / 1000).ok()
        }
        Value::Object(block) => block.get("content").map_or(Some(0), pictures),
        _ => Some(0),
    }
}

/// Counts words marked to be cached: for an hour, or for the usual five minutes.
fn written(prompt: &Value, for_an_hour: bool) -> i64 {
    match prompt {
        Value::Array(items) => items.iter().map(|item| written(item, for_an_hour)).sum(),
        Value::Object(block) => match block.get("cache_control") {
            Some(control) if (control["ttl"] == "1h") == for_an_hour => words_in(prompt),
            Some(_) => 0,
            None => block.get("content").map_or(0, |content| written(content, for_an_hour)),
        },
        _ => 0,
    }
}
