//! A provider that answers at once: about a kilobyte of JSON, or 24 events, each a write of its own; on request, an
//! endless stream of one event per second.

use std::{convert::Infallible, time::Duration};

use anyhow::Result;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::role::{self, PROVIDER_KEY};

type Body = UnsyncBoxBody<Bytes, Infallible>;

const WORDS: usize = 20;
/// Pause between two events of a stream without an end.
const SLOW: Duration = Duration::from_secs(1);

/// Prepared answers.
struct Answers {
    json: Bytes,
    events: Vec<Bytes>,
    events_with_usage: Vec<Bytes>,
}

pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    let answers: &'static Answers = Box::leak(Box::new(Answers {
        json: whole().to_string().into(),
        events: events(false),
        events_with_usage: events(true),
    }));
    role::ready(&listener, PROVIDER_KEY)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| async move { Ok::<_, Infallible>(answer(answers, request).await) }),
        ));
    }
}

async fn answer(answers: &'static Answers, request: Request<Incoming>) -> Response<Body> {
    let authorized = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut response = Response::builder().header("x-request-id", "req_0123456789abcdef0123456789abcdef");
    if authorized.as_deref() != Some(format!("Bearer {PROVIDER_KEY}").as_bytes()) {
        response = response.status(401);
    }
    let has = |text: &str| memchr::memmem::find(&body, text.as_bytes()).is_some();
    let built = if has(r#""user":"slow""#) {
        let frames = stream::unfold((), |()| async {
            tokio::time::sleep(SLOW).await;
            Some((Ok(Frame::data(answers.events[1].clone())), ()))
        });
        let first = stream::iter([Ok(Frame::data(answers.events[0].clone()))]);
        response
            .header(header::CONTENT_TYPE, "text/event-stream")
            .body(StreamBody::new(first.chain(frames)).boxed_unsync())
    } else if has(r#""stream":true"#) {
        let events = if has(r#""include_usage":true"#) { &answers.events_with_usage } else { &answers.events };
        // Yielding makes each event a write of its own, as from a real provider.
        let frames = stream::iter(events).then(|event| async {
            tokio::task::yield_now().await;
            Ok(Frame::data(event.clone()))
        });
        response.header(header::CONTENT_TYPE, "text/event-stream").body(StreamBody::new(frames).boxed_unsync())
    } else {
        let body = Full::new(answers.json.clone()).boxed_unsync();
        response
            .header(header::CONTENT_TYPE, "application/json")
            .header("openai-processing-ms", "12")
            .header("openai-version", "2020-10-01")
            .header("x-ratelimit-limit-requests", "10000")
            .header("x-ratelimit-remaining-requests", "9999")
            .body(body)
    };
    built.unwrap_or_default()
}

fn whole() -> Value {
    let message =
        json!({ "role": "assistant", "content": "A gateway keeps keys in one place. ".repeat(12), "refusal": null });
    json!({
        "id": "chatcmpl-benchmark", "object": "chat.completion", "created": 1_793_500_000, "model": "gpt-4o-mini",
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": "stop" }],
        "usage": usage(), "service_tier": "default", "system_fingerprint": "fp_benchmark",
    })
}

fn usage() -> Value {
    json!({
        "prompt_tokens": 42, "completion_tokens": WORDS, "total_tokens": 42 + WORDS,
        "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0 },
    })
}

fn events(with_usage: bool) -> Vec<Bytes> {
    let chunk = |choices: Value, usage: Option<Value>| {
        let mut chunk = json!({
            "id": "chatcmpl-benchmark", "object": "chat.completion.chunk", "created": 1_793_500_000,
            "model": "gpt-4o-mini", "system_fingerprint": "fp_benchmark", "choices": choices,
        });
        if with_usage {
            chunk["usage"] = usage.unwrap_or(Value::Null);
        }
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let choice = |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
    let mut events = vec![chunk(choice(json!({ "role": "assistant", "content": "" }), Value::Null), None)];
    events
        .extend((0..WORDS).map(|word| chunk(choice(json!({ "content": format!(" word{word}") }), Value::Null), None)));
    events.push(chunk(choice(json!({}), json!("stop")), None));
    if with_usage {
        events.push(chunk(json!([]), Some(usage())));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}
