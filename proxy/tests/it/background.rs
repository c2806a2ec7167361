//! Responses that are made in the background: their figures are shown whenever they are read, and count once.

use std::sync::{Arc, Mutex};

use keyway_domain::{Limits, TokenCounts};
use serde_json::{Value, json};

use super::{
    limits::hold_still,
    scripted::{Reply, Scripted, behind},
};

fn response(status: &str, background: bool) -> Value {
    let usage = if status == "completed" {
        json!({ "input_tokens": 2000, "output_tokens": 900, "total_tokens": 2900 })
    } else {
        Value::Null
    };
    json!({ "id": "resp_1", "object": "response", "status": status, "background": background, "model": "gpt-4o-mini",
        "output": [], "usage": usage })
}

fn read(status: &str, background: bool, streams: bool) -> Reply {
    let body = response(status, background);
    if !streams {
        return Reply::json(200, body.to_string());
    }
    let event = json!({ "type": format!("response.{status}"), "sequence_number": 3, "response": body });
    Reply::events([format!("event: response.{status}\ndata: {event}\n\n")])
}

#[tokio::test]
async fn an_answer_that_is_polled_counts_once_and_not_before_it_is_there() {
    for (path, streams) in [
        ("/v1/responses", false),
        ("/proxy/openai/v1/responses", false),
        ("/v1/responses", true),
        ("/proxy/openai/v1/responses", true),
    ] {
        let says = Arc::new(Mutex::new(read("queued", true, false)));
        let said = Arc::clone(&says);
        let (_provider, harness, _) = behind(Scripted::by(move |_| said.lock().unwrap().clone()).await).await;
        let limits = Limits { tokens_per_minute: Some(1_000_000), ..Limits::default() };
        let key = harness.virtual_key_within(limits, None).await;
        hold_still(&harness, key.id.uuid()).await;
        let left = |answer: &reqwest::Response| -> i64 {
            answer.headers()["x-keyway-ratelimit-remaining-tokens"].to_str().unwrap().parse().unwrap()
        };
        let body = json!({ "model": "gpt-4o-mini", "input": "think", "background": true, "max_output_tokens": 10 });
        let made = harness.post(path, &key, &body).send().await.unwrap();
        assert_eq!(made.json::<Value>().await.unwrap()["status"], "queued");
        let record = harness.records(1).await.remove(0);
        assert_eq!((record.tokens, record.answer_id), (TokenCounts::default(), None), "{path}");
        let poll = async |reply: Reply| {
            *says.lock().unwrap() = reply;
            let query = if streams { "?stream=true" } else { "" };
            let answer = harness.get(&format!("{path}/resp_1{query}"), &key).send().await.unwrap();
            let before = left(&answer);
            drop(answer.bytes().await);
            (before, harness.records(1).await.remove(0))
        };
        let (start, record) = poll(read("in_progress", true, false)).await;
        assert_eq!((record.tokens, record.answer_id), (TokenCounts::default(), None), "{path}");
        let (before, first) = poll(read("completed", true, streams)).await;
        assert_eq!(before, start, "what is under way has used nothing: {path}");
        let (after_first, second) = poll(read("completed", true, streams)).await;
        assert_eq!(before - after_first, 2900, "the first that shows the figures has them: {path}");
        let (after_second, third) = poll(read("completed", true, false)).await;
        assert_eq!(after_second, after_first, "and no other: {path}");
        for record in [first, second, third] {
            assert_eq!((record.tokens.input, record.tokens.output), (Some(2000), Some(900)), "{path}");
            // By this the ledger counts one of them alone.
            assert_eq!(record.answer_id.as_deref(), Some("resp_1"), "{path}");
        }
        let (_, record) = poll(read("completed", false, streams)).await;
        assert_eq!((record.tokens, record.answer_id), (TokenCounts::default(), None), "the call that made it had them");
    }
}
