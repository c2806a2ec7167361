//! Ends of answers: by their shape, with an error of the provider, or broken; and their effect on limits.

use keyway_domain::Limits;
use serde_json::json;

use super::{
    breaks::{CHAT, COHERE, GEMINI, Host, MESSAGES, asked},
    harness::client,
    limits::hold_still,
    scripted::Reply,
    wire::Wire,
};

#[tokio::test]
async fn a_stream_that_ends_as_its_shape_ends_is_whole() {
    let host = Host::start().await;
    for (path, last) in [
        (CHAT, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"),
        (CHAT, "data: [DONE]\n\n"),
        (CHAT, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}"),
        ("/v1/responses", "data: {\"type\":\"response.incomplete\",\"response\":{}}\n\n"),
        (MESSAGES, "data: {\"type\":\"message_stop\"}\n\n"),
        (GEMINI, "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"),
        (GEMINI, "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n"),
        (COHERE, "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\"}}\n\n"),
    ] {
        let events = ["data: {\"type\":\"x\"}\n\n", last];
        *host.says.lock().unwrap() = Reply::events(events);
        let wire = Wire::post(&host.harness, path, &host.key, &asked(path)).await;
        assert_eq!((wire.text(), wire.is_whole), (events.concat(), true), "{path}");
        assert!(host.harness.records(1).await.remove(0).complete, "{path}: {last}");
    }
}

#[tokio::test]
async fn an_answer_that_failed_in_its_middle_is_the_providers_and_not_whole() {
    let host = Host::start().await;
    for (path, last) in [
        (CHAT, "data: {\"error\":{\"message\":\"x\",\"code\":502}}\n\n"),
        (CHAT, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n"),
        (CHAT, "event: error\ndata: {\"message\":\"x\"}\n\n"),
        ("/v1/responses", "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{}}\n\n"),
        (MESSAGES, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n"),
        (GEMINI, "data: {\"error\":{\"code\":503,\"message\":\"x\"}}\n\n"),
        (COHERE, "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"x\"}}\n\n"),
    ] {
        let events = ["data: {\"type\":\"x\"}\n\n", last];
        let (wire, _) = host.ask(path, Reply::events(events)).await;
        assert_eq!((wire.text(), wire.is_whole), (events.concat(), true), "{path}");
    }
}

#[tokio::test]
async fn what_a_broken_or_a_left_answer_used_stays_reserved() {
    let host = Host::start().await;
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n";
    let end = "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    let limits = Limits {
        tokens_per_minute: Some(1_000_000),
        monthly_budget_nano_usd: Some(1_000_000_000_000),
        ..Limits::default()
    };
    let mut body = asked(MESSAGES);
    body["max_tokens"] = json!(10_000);
    let mut spent = Vec::new();
    for (leaves, reply) in [
        (false, Reply::events([start, end])),
        (false, Reply::events([start]).cut()),
        (false, Reply::events([start])),
        (true, Reply::events([start]).and_waits()),
    ] {
        let key = host.harness.virtual_key_within(limits, None).await;
        hold_still(&host.harness, key.id.uuid()).await;
        *host.says.lock().unwrap() = reply;
        let mut answer = client()
            .post(format!("{}{MESSAGES}", host.harness.url))
            .bearer_auth(&key.text)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert!(answer.chunk().await.unwrap().is_some());
        if !leaves {
            while let Ok(Some(_)) = answer.chunk().await {}
        }
        drop(answer);
        let record = host.harness.records(1).await.remove(0);
        assert_eq!(record.tokens.input, Some(5));
        assert_eq!(record.tokens.output, record.complete.then_some(3), "what it gave is unknown until it has ended");
        *host.says.lock().unwrap() = Reply::events([start, end]);
        let next = host.harness.post(MESSAGES, &key, &body).send().await.unwrap();
        let left = |name: &str| next.headers()[name].to_str().unwrap().parse::<i64>().unwrap();
        spent.push((left("x-keyway-ratelimit-remaining-tokens"), left("x-keyway-ratelimit-remaining-monthly-budget")));
        drop(next.bytes().await);
        host.harness.records(1).await;
    }
    for (tokens, budget) in &spent[1..] {
        // All of `max_tokens`, at 25 US dollars for a million.
        assert!(spent[0].0 - tokens >= 10_000 - 8, "{spent:?}");
        assert!(spent[0].1 - budget >= 9_900 * 25_000, "{spent:?}");
    }
}

#[tokio::test]
async fn the_asked_model_stays_with_a_call_that_fails_if_it_can_be_a_name() {
    let host = Host::start().await;
    let key = format!("sk-proj-{}", "a1B2c3D4".repeat(3));
    for (status, model, stays) in [
        (400, "newer-than-the-list", true),
        (404, "nobody-has-it", false),
        (404, "gpt-4o-mini", true),
        (400, "tell me a story", false),
        (400, &key, false),
        (500, "newer-than-the-list", true),
    ] {
        let path = "/proxy/openai/v1/chat/completions";
        *host.says.lock().unwrap() = Reply::json(status, "{}");
        let mut body = asked(path);
        body["model"] = model.into();
        host.harness.post(path, &host.key, &body).send().await.unwrap();
        let record = host.harness.records(1).await.remove(0);
        assert_eq!((record.http_status, record.model.as_deref()), (Some(status), stays.then_some(model)));
    }
}
