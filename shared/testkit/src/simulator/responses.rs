//! OpenAI's Responses API: whole, or as its events with their names and without an end of their own.

use serde_json::{Value, json};

use super::{
    chat::{CREATED, malformed, model_not_found, tokens_of, words_in},
    content::Content,
    models,
};

/// Answers a call: with a call of the first function, if the request has functions and no output of one yet.
pub(super) fn respond(body: &[u8], number: u64) -> Content {
    let Ok(request) = serde_json::from_slice::<Value>(body) else { return malformed() };
    let model = request["model"].as_str().unwrap_or_default();
    if !models::exists(model) {
        return model_not_found(model);
    }
    let input = words_in(&request["input"]);
    let function = request["tools"].as_array().and_then(|tools| tools.first());
    let function = function.filter(|_| !request["input"].to_string().contains("\"function_call_output\""));
    let (item, output) = match function {
        Some(function) => called(&function["name"], number),
        None => said(&format!("This is a simulated answer to {input} words."), number),
    };
    let usage = json!({
        "input_tokens": input, "input_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 },
        "output_tokens": output, "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": input + output,
    });
    let whole = json!({
        "id": format!("resp_sim{number}"), "object": "response", "created_at": CREATED, "status": "completed",
        "model": models::served_as(model), "output": [item], "usage": usage, "parallel_tool_calls": true,
        "tool_choice": "auto", "tools": [], "error": null, "incomplete_details": null, "instructions": null,
        "metadata": {}, "temperature": 1.0, "top_p": 1.0,
    });
    if request["stream"] == true { Content::Frames(events(&whole)) } else { Content::Json(whole) }
}

fn called(name: &Value, number: u64) -> (Value, i64) {
    let arguments = "{\"city\":\"Bern\"}";
    let item = json!({ "type": "function_call", "id": format!("fc_sim{number}"), "call_id": format!("call_sim{number}"),
        "name": name, "arguments": arguments, "status": "completed" });
    (item, tokens_of(arguments))
}

fn said(text: &str, number: u64) -> (Value, i64) {
    let part = json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] });
    let item = json!({ "type": "message", "id": format!("msg_sim{number}"), "status": "completed", "role": "assistant",
        "content": [part] });
    (item, tokens_of(text))
}

fn events(whole: &Value) -> Vec<String> {
    let mut begun = whole.clone();
    (begun["status"], begun["output"], begun["usage"]) = (json!("in_progress"), json!([]), Value::Null);
    let item = &whole["output"][0];
    let mut events = vec![
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.in_progress", "response": begun }),
    ];
    let mut bare = item.clone();
    bare["status"] = json!("in_progress");
    if let Some(arguments) = item["arguments"].as_str() {
        bare["arguments"] = json!("");
        events.push(json!({ "type": "response.output_item.added", "output_index": 0, "item": bare }));
        let at = json!({ "item_id": item["id"], "output_index": 0 });
        events.push(with(&at, "response.function_call_arguments.delta", &[("delta", &json!(arguments))]));
        let done = [("arguments", &item["arguments"]), ("name", &item["name"])];
        events.push(with(&at, "response.function_call_arguments.done", &done));
    } else {
        bare["content"] = json!([]);
        events.push(json!({ "type": "response.output_item.added", "output_index": 0, "item": bare }));
        let at = json!({ "item_id": item["id"], "output_index": 0, "content_index": 0, "logprobs": [] });
        let (part, mut empty) = (&item["content"][0], item["content"][0].clone());
        empty["text"] = json!("");
        events.push(with(&at, "response.content_part.added", &[("part", &empty)]));
        let words = part["text"].as_str().unwrap_or_default().split_inclusive(' ');
        events.extend(words.map(|word| with(&at, "response.output_text.delta", &[("delta", &json!(word))])));
        events.push(with(&at, "response.output_text.done", &[("text", &part["text"])]));
        events.push(with(&at, "response.content_part.done", &[("part", part)]));
    }
    events.push(json!({ "type": "response.output_item.done", "output_index": 0, "item": item }));
    events.push(json!({ "type": "response.completed", "response": whole }));
    let numbered = events.into_iter().enumerate().map(|(number, mut event)| {
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
    });
    numbered.collect()
}

/// Builds an event about a place.
fn with(at: &Value, kind: &str, fields: &[(&str, &Value)]) -> Value {
    let mut event = at.clone();
    event["type"] = json!(kind);
    for (name, value) in fields {
        event[*name] = (*value).clone();
    }
    event
}
