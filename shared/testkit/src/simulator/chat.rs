//! Chat completions, completions and embeddings. Tokens are words, so that a test can compute the cost of a call from
//! its request.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    content::Content,
    models,
    openai::{error, invalid_request},
};

/// Counts the simulator's tokens of a text: its words.
#[must_use]
pub fn tokens_of(text: &str) -> i64 {
    i64::try_from(text.split_whitespace().count()).unwrap_or(i64::MAX)
}

pub(super) const CREATED: i64 = 1_793_500_000;
const DIMENSIONS: usize = 8;

struct Call {
    id: String,
    model: String,
    input: i64,
    reply: Vec<String>,
    streamed: bool,
    include_usage: bool,
    /// Tool call of the answer, if the request demands one.
    tool: Option<Value>,
}

pub(super) fn chat(body: &[u8], number: u64) -> Content {
    let call = match Call::read(body, number, "messages") {
        Ok(call) => call,
        Err(refusal) => return refusal,
    };
    let id = format!("chatcmpl-{}", call.id);
    let finish = if call.tool.is_some() { "tool_calls" } else { "stop" };
    if !call.streamed {
        let mut message =
            json!({ "role": "assistant", "content": call.reply.concat(), "refusal": null, "annotations": [] });
        if let Some(tool) = &call.tool {
            message["tool_calls"] = json!([tool]);
        }
        return Content::Json(json!({
            "id": id, "object": "chat.completion", "created": CREATED, "model": call.model,
            "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish }],
            "usage": call.usage(), "service_tier": "default", "system_fingerprint": "fp_simulated",
        }));
    }
    let first = json!({ "role": "assistant", "content": "", "refusal": null });
    let words = call.reply.iter().map(|word| json!({ "content": word }));
    let tool = call.tool.iter().map(|tool| {
        let mut tool = tool.clone();
        tool["index"] = json!(0);
        json!({ "tool_calls": [tool] })
    });
    let deltas: Vec<Value> = std::iter::once(first).chain(words).chain(tool).chain([json!({})]).collect();
    let last = deltas.len() - 1;
    let chunk = |choices: Value| {
        json!({
            "id": id, "object": "chat.completion.chunk", "created": CREATED, "model": call.model,
            "service_tier": "default", "system_fingerprint": "fp_simulated", "choices": choices, "obfuscation": "xk3",
        })
    };
    let chunks = deltas.into_iter().enumerate().map(|(at, delta)| {
        let finish = (at == last).then_some(finish);
        chunk(json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]))
    });
    Content::Events(call.with_usage(chunks.collect(), chunk(json!([]))))
}

pub(super) fn completions(body: &[u8], number: u64) -> Content {
    let call = match Call::read(body, number, "prompt") {
        Ok(call) => call,
        Err(refusal) => return refusal,
    };
    let part = |choices: Value| {
        json!({
            "id": format!("cmpl-{}", call.id), "object": "text_completion", "created": CREATED, "model": call.model,
            "choices": choices,
        })
    };
    let choice = |text: &str, finish: Option<&str>| json!([{ "text": text, "index": 0, "logprobs": null, "finish_reason": finish }]);
    if !call.streamed {
        let mut whole = part(choice(&call.reply.concat(), Some("stop")));
        whole["usage"] = call.usage();
        return Content::Json(whole);
    }
    let mut parts: Vec<Value> = call.reply.iter().map(|word| part(choice(word, None))).collect();
    parts.push(part(choice("", Some("stop"))));
    Content::Events(call.with_usage(parts, part(json!([]))))
}

pub(super) fn embeddings(body: &[u8]) -> Content {
    let request: Value = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(_) => return malformed(),
    };
    let model = request["model"].as_str().unwrap_or_default();
    if !models::exists(model) {
        return model_not_found(model);
    }
    let inputs: Vec<&str> = match &request["input"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => return malformed(),
    };
    let tokens: i64 = inputs.iter().map(|text| tokens_of(text)).sum();
    let base64 = request["encoding_format"] == "base64";
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": vector(text, base64) }))
        .collect();
    let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    Content::Json(json!({ "object": "list", "data": data, "model": model, "usage": usage }))
}

impl Call {
    fn read(body: &[u8], number: u64, prompt: &str) -> Result<Self, Content> {
        let request: Value = serde_json::from_slice(body).map_err(|_| malformed())?;
        let model = request["model"].as_str().unwrap_or_default();
        if !models::exists(model) {
            return Err(model_not_found(model));
        }
        if request[prompt].is_null() {
            let message = format!("Missing required parameter: '{prompt}'.");
            let body = error(&message, "invalid_request_error", Some(prompt), Some("missing_required_parameter"));
            return Err(Content::Error(StatusCode::BAD_REQUEST, body));
        }
        let input = words_in(&request[prompt]);
        let reply = format!("This is a simulated answer to {input} words.");
        Ok(Self {
            id: format!("sim{number:026}"),
            model: models::served_as(model).to_owned(),
            input,
            reply: reply.split_inclusive(' ').map(str::to_owned).collect(),
            streamed: request["stream"] == true,
            include_usage: request["stream_options"]["include_usage"] == true,
            tool: (request["tool_choice"] == "required").then(|| {
                let function =
                    json!({ "name": request["tools"][0]["function"]["name"], "arguments": "{\"city\":\"Bern\"}" });
                json!({ "id": format!("call_sim{number}"), "type": "function", "function": function })
            }),
        })
    }

    fn usage(&self) -> Value {
        let output = tokens_of(&self.reply.concat());
        json!({
            "prompt_tokens": self.input, "completion_tokens": output, "total_tokens": self.input + output,
            "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
            "completion_tokens_details": {
                "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            },
        })
    }

    /// Adds `usage` as `include_usage` does: null in every chunk, and one more chunk with figures at the end.
    fn with_usage(&self, mut chunks: Vec<Value>, mut last: Value) -> Vec<Value> {
        if self.include_usage {
            for chunk in &mut chunks {
                chunk["usage"] = Value::Null;
            }
            last["usage"] = self.usage();
            chunks.push(last);
        }
        chunks
    }
}

/// Counts the words of a prompt: a text, texts, or messages whose content is a text or parts with a text.
pub(super) fn words_in(prompt: &Value) -> i64 {
    match prompt {
        Value::String(text) => tokens_of(text),
        Value::Array(items) => items.iter().map(words_in).sum(),
        Value::Object(message) => {
            ["content", "parts", "text"].iter().filter_map(|field| message.get(*field)).map(words_in).sum()
        }
        _ => 0,
    }
}

fn vector(text: &str, base64: bool) -> Value {
    let numbers = (0..DIMENSIONS).map(|at| text.as_bytes().get(at).map_or(0.0, |byte| f32::from(*byte) / 256.0));
    if base64 {
        let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
        return json!(STANDARD.encode(bytes));
    }
    json!(numbers.collect::<Vec<f32>>())
}

pub(super) fn malformed() -> Content {
    invalid_request(StatusCode::BAD_REQUEST, "We could not parse the JSON body of your request.", None)
}

pub(super) fn model_not_found(model: &str) -> Content {
    let message = format!("The model `{model}` does not exist or you do not have access to it.");
    invalid_request(StatusCode::NOT_FOUND, &message, Some("model_not_found"))
}
