//! Answers: OpenAI's headers, its error bodies, and the broken ones.

use std::io;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Response, StatusCode, header, response::Builder};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::{Fault, bomb};

const HUGE_BYTES: usize = 1 << 20;

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;
pub(super) type Answer = Response<Body>;

/// What a good call is answered with.
pub(super) enum Content {
    /// One JSON body.
    Json(Value),
    /// The data of server-sent events; `[DONE]` is added.
    Events(Vec<Value>),
    /// An error of the provider's.
    Error(StatusCode, Value),
}

/// OpenAI's error body.
pub(super) fn error(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
}

pub(super) fn invalid_request(status: StatusCode, message: &str, code: Option<&str>) -> Content {
    Content::Error(status, error(message, "invalid_request_error", None, code))
}

pub(super) fn missing_scopes(scope: &str) -> Content {
    let message = format!(
        "You have insufficient permissions for this operation. Missing scopes: {scope}. Check that you have the correct \
         role in your organization (Reader, Writer, Owner), and if you're using a restricted API key, that it has the \
         necessary scopes."
    );
    invalid_request(StatusCode::FORBIDDEN, &message, None)
}

/// The answer of a fault that replaces the good one; `None` for those that alter it.
pub(super) fn of_fault(fault: Fault, key: &str) -> Option<Answer> {
    let status = |code: u16, body: Value| Some(finish(with_status(code), &body));
    match fault {
        Fault::Revoked => {
            let tail: String = key.chars().skip(key.chars().count().saturating_sub(4)).collect();
            let message = format!(
                "Incorrect API key provided: sk-********{tail}. You can find your API key at \
                 https://platform.openai.com/account/api-keys."
            );
            status(401, error(&message, "invalid_request_error", None, Some("invalid_api_key")))
        }
        Fault::Restricted => match missing_scopes("api.model.read") {
            Content::Error(_, body) => status(403, body),
            _ => None,
        },
        Fault::NoCredit => {
            let message = "You exceeded your current quota, please check your plan and billing details.";
            status(429, error(message, "insufficient_quota", None, Some("insufficient_quota")))
        }
        Fault::RateLimited => Some(rate_limited("20")),
        Fault::AbsurdRetryAfter => Some(rate_limited("999999999")),
        Fault::ServerError => {
            let message = "The server had an error while processing your request. Sorry about that!";
            status(500, error(message, "server_error", None, None))
        }
        Fault::Html => {
            let page = "<html><head><title>Welcome</title></head><body>Log in to continue</body></html>";
            Some(whole(with_status(200).header(header::CONTENT_TYPE, "text/html"), Bytes::from_static(page.as_bytes())))
        }
        Fault::GzipBomb => {
            let builder = with_status(200).header(header::CONTENT_TYPE, "application/json");
            Some(whole(builder.header(header::CONTENT_ENCODING, "gzip"), bomb::gzip()))
        }
        Fault::HugeHeader => {
            let builder = with_status(200).header("x-huge", "x".repeat(HUGE_BYTES));
            Some(finish(builder, &json!({ "object": "list", "data": [] })))
        }
        Fault::Endless => {
            let spaces = Bytes::from_static(&[b' '; 16 * 1024]);
            let frames = stream::repeat_with(move || Ok(Frame::data(spaces.clone())));
            Some(build(with_status(200), BodyExt::boxed_unsync(StreamBody::new(frames))))
        }
        Fault::Redirect | Fault::None | Fault::Truncated | Fault::Cut | Fault::Hang | Fault::Echo | Fault::Circle => {
            None
        }
    }
}

/// 307 to somebody else.
pub(super) fn redirect(location: &str) -> Answer {
    whole(with_status(307).header(header::LOCATION, location), Bytes::new())
}

/// Turns content into an answer, broken as the fault wants.
pub(super) fn of_content(content: Content, fault: Fault, key: &str, number: u64) -> Answer {
    let builder = |status| provider_headers(with_status(status), number);
    match content {
        Content::Error(status, body) => finish(builder(status.as_u16()), &body),
        Content::Events(events) => {
            let builder = builder(200).header(header::CONTENT_TYPE, "text/event-stream; charset=utf-8");
            stream_of(builder, events, matches!(fault, Fault::Cut | Fault::Truncated))
        }
        Content::Json(mut body) => match fault {
            Fault::Echo => {
                body["echo"] = json!(format!("Bearer {key}"));
                finish(echo_headers(with_status(200), key), &body)
            }
            Fault::Truncated => {
                let text = body.to_string();
                let half = text.get(..text.len() / 2).unwrap_or_default().to_owned();
                whole(builder(200).header(header::CONTENT_TYPE, "application/json"), half.into())
            }
            Fault::Cut => cut(builder(200).header(header::CONTENT_TYPE, "application/json"), &body),
            _ => finish(builder(200), &body),
        },
    }
}

/// A plain JSON answer.
pub(super) fn finish(builder: Builder, body: &Value) -> Answer {
    whole(builder.header(header::CONTENT_TYPE, "application/json"), body.to_string().into())
}

pub(super) fn with_status(status: u16) -> Builder {
    Response::builder().status(status)
}

fn rate_limited(retry_after: &str) -> Answer {
    let message = "Rate limit reached for requests. Please try again later.";
    let builder = with_status(429).header(header::RETRY_AFTER, retry_after).header("x-request-id", "req_sim_limited");
    finish(builder, &error(message, "requests", None, Some("rate_limit_exceeded")))
}

fn provider_headers(builder: Builder, number: u64) -> Builder {
    builder
        .header("x-request-id", format!("req_sim{number:028}"))
        .header("openai-organization", "org-simulated")
        .header("openai-project", "proj_simulated")
        .header("openai-processing-ms", "3")
        .header("openai-version", "2020-10-01")
        .header("x-ratelimit-limit-requests", "10000")
        .header("x-ratelimit-remaining-requests", "9999")
        .header("x-ratelimit-reset-requests", "6ms")
}

fn echo_headers(builder: Builder, key: &str) -> Builder {
    builder
        .header("x-request-id", key)
        .header("x-echo-authorization", format!("Bearer {key}"))
        .header(header::WWW_AUTHENTICATE, format!("Bearer realm=\"{key}\""))
        .header(header::SET_COOKIE, format!("key={key}"))
}

fn whole(builder: Builder, body: Bytes) -> Answer {
    build(builder, Full::new(body).map_err(|never| match never {}).boxed_unsync())
}

fn cut(builder: Builder, body: &Value) -> Answer {
    let text = body.to_string();
    let half = Bytes::copy_from_slice(text.as_bytes().get(..text.len() / 2).unwrap_or_default());
    let broken = stream::iter([Ok(Frame::data(half)), Err(io::Error::other("cut"))]);
    build(builder.header(header::CONTENT_LENGTH, text.len()), BodyExt::boxed_unsync(StreamBody::new(broken)))
}

fn stream_of(builder: Builder, events: Vec<Value>, broken: bool) -> Answer {
    let count = if broken { events.len() / 2 } else { events.len() };
    let end = if broken { Err(io::Error::other("cut")) } else { Ok(Bytes::from_static(b"data: [DONE]\n\n")) };
    let data = events.into_iter().take(count).map(|event| Ok(Bytes::from(format!("data: {event}\n\n"))));
    let frames = stream::iter(data.chain([end])).map(|piece| piece.map(Frame::data));
    build(builder, BodyExt::boxed_unsync(StreamBody::new(frames)))
}

fn build(builder: Builder, body: Body) -> Answer {
    // A key with characters that no header can carry cannot be echoed; nothing else can fail here.
    builder.body(body).unwrap_or_else(|_| Response::new(Full::default().map_err(|never| match never {}).boxed_unsync()))
}
